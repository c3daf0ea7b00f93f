/*
 * scrub.c: the dead stack below the caller and the registers, overwritten.
 *
 * The order matters: the stack first, by C code, whose own small frames keep a few words from being
 * reached; then, by assembly that needs no frame, those words and the registers.
 */
#include "p11vault/base/scrub.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)128 * 1024)

/* Left alone at the end of the stack: for the wiping function itself and for a signal's frame. */
#define MARGIN_BYTES ((size_t)16 * 1024)

/* Below the caller, in reach of the frames of this file. */
#define NEAR_BYTES 512

/* A main stack without a limit, or with a huge one, is used up to here only. */
#define MAIN_STACK_MAX ((rlim_t)8 * 1024 * 1024)

/*
 * The kernel puts the program's name at the very top of the main stack and counts the limit from
 * there.  pthread_getattr_np(3) would open a file to find out, which the exchange room may not.
 */
static size_t left_of_main_stack(uintptr_t here)
{
    uintptr_t top = getauxval(AT_EXECFN);
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) < 0)
        return 0;
    size_t size = limit.rlim_cur < MAIN_STACK_MAX ? limit.rlim_cur : MAIN_STACK_MAX;
    if (here > top || top - here > size)
        return 0;
    return size - (top - here);
}

static size_t left_of_thread_stack(uintptr_t here)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return 0;
    int result = pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    if (result != 0 || here < (uintptr_t)lowest || here - (uintptr_t)lowest > size)
        return 0;
    return here - (uintptr_t)lowest;
}

/* Not inlined: its variables would make the frame of the last function larger. */
__attribute__((noinline)) static size_t bytes_to_wipe(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    size_t left = gettid() == getpid() ? left_of_main_stack(here) : left_of_thread_stack(here);
    if (left < MARGIN_BYTES)
        return 0;
    return left - MARGIN_BYTES < STACK_BYTES ? left - MARGIN_BYTES : STACK_BYTES;
}

/*
 * Not inlined: the array has to lie below everything else.  Its size is the stack's to say, so it
 * cannot be that of a plain array; it is at most STACK_BYTES.
 */
__attribute__((noinline, no_sanitize("address"))) static void wipe_stack(size_t size)
{
    if (size > 0)
        explicit_bzero(__builtin_alloca(size), size);
}

/*
 * Inlined, so that no frame comes after it.  The function that it becomes part of calls others, so
 * the compiler keeps nothing below its stack pointer.
 */
#define INLINED __attribute__((always_inline)) static inline

#if defined(__x86_64__)

/* The compiler holds nothing in vector registers here, and a call may change all of them. */
INLINED void clear_vectors(void)
{
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile(".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                         "vpxord %zmm\\n, %zmm\\n, %zmm\\n\n\t"
                         ".endr\n\t"
                         ".irp n,0,1,2,3,4,5,6,7\n\t"
                         "kxorw %k\\n, %k\\n, %k\\n\n\t"
                         ".endr\n\t"
                         "vzeroall");
    else if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall");
    else
        __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                         "pxor %xmm\\n, %xmm\\n\n\t"
                         ".endr");
}

INLINED void clear_near_stack_and_registers(void)
{
    clear_vectors();
    __asm__ volatile("subq %0, %%rsp\n\t"
                     "movq %%rsp, %%rdi\n\t"
                     "movl %1, %%ecx\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "rep stosq\n\t"
                     "addq %0, %%rsp\n\t"
                     ".irp r,edx,esi,edi,r8d,r9d,r10d,r11d\n\t"
                     "xorl %%\\r, %%\\r\n\t"
                     ".endr" ::"i"(NEAR_BYTES),
                     "i"(NEAR_BYTES / 8)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
}

#elif defined(__aarch64__)

/* Of v8 to v15 the lower halves belong to the caller; the upper ones, and all others, to a call. */
INLINED void clear_near_stack_and_registers(void)
{
    __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                     "movi v\\n\\().2d, #0\n\t"
                     ".endr\n\t"
                     ".irp n,8,9,10,11,12,13,14,15\n\t"
                     "mov v\\n\\().d[1], xzr\n\t"
                     ".endr");
    __asm__ volatile("sub sp, sp, %0\n\t"
                     "mov x9, sp\n\t"
                     "mov x10, %1\n\t"
                     "1: stp xzr, xzr, [x9], #16\n\t"
                     "subs x10, x10, #1\n\t"
                     "b.ne 1b\n\t"
                     "add sp, sp, %0\n\t"
                     ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n\t"
                     "mov x\\n, xzr\n\t"
                     ".endr" ::"i"(NEAR_BYTES),
                     "i"(NEAR_BYTES / 16)
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                       "x12", "x13", "x14", "x15", "x16", "x17", "cc", "memory");
}

#else

INLINED void clear_near_stack_and_registers(void)
{
}

#endif

__attribute__((noinline, no_sanitize("address"))) void scrub_stack_and_registers(void)
{
    /* Asking for the frame makes it the two words of a call: no slot in it is left unwritten. */
    __asm__ volatile("" ::"r"(__builtin_frame_address(0)));
    wipe_stack(bytes_to_wipe());
    clear_near_stack_and_registers();
}
