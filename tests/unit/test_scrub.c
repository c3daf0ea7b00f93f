/*
 * test_scrub.c: a pattern in dead stack and in registers is gone after the scrub.
 *
 * One stack looked at is of our own making and outlives the thread that ran on it, the other is the
 * main one.  Each test first shows that the pattern is found when nothing scrubs.
 */
#include "leave_out.h"
#include "p11vault/base/scrub.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATTERN 0xa7
#define SCRUBBED ((size_t)128 * 1024)
#define STACK_SIZE ((size_t)512 * 1024)
#define PAGE ((size_t)4096)

struct scene {
    uint8_t *stack;
    size_t size;
    size_t planted; /* bytes */
    bool scrubs;
    uintptr_t below; /* where the frame of the caller ends */
};

/* Sanitizers and valgrind have opinions about, and uses for, memory below the stack pointer. */
static void skip_unless_bare(void)
{
#if defined(P11VAULT_SANITIZED)
    leave_out("a sanitizer has uses of its own for what is looked at");
#endif
    if (getenv("P11VAULT_UNDER_VALGRIND") != NULL)
        leave_out("valgrind has uses of its own for what is looked at");
}

__attribute__((noinline)) static void plant(size_t size)
{
    volatile uint8_t *bytes = __builtin_alloca(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = PATTERN;
}

/* Fills the words right below the stack pointer, which plant() needs for itself. */
#if defined(__x86_64__)
#define PLANT_NEAR()                                                                               \
    __asm__ volatile("subq $256, %%rsp\n\t"                                                        \
                     "movq %%rsp, %%rdi\n\t"                                                       \
                     "movl $256, %%ecx\n\t"                                                        \
                     "rep stosb\n\t"                                                               \
                     "addq $256, %%rsp" ::"a"(PATTERN)                                             \
                     : "rcx", "rdi", "cc", "memory")
#else
#define PLANT_NEAR() (void)0
#endif

/* Plants and scrubs from the same frame, as the rooms do, and then touches nothing. */
__attribute__((noinline)) static void act(struct scene *scene)
{
    scene->below = (uintptr_t)__builtin_frame_address(0);
    plant(scene->planted);
    PLANT_NEAR();
    if (scene->scrubs)
        scrub_stack_and_registers();
}

static void *act_as_thread(void *argument)
{
    act(argument);
    return NULL;
}

static void run_on_own_stack(struct scene *scene)
{
    pthread_attr_t attributes;
    pthread_t thread;
    scene->stack =
        mmap(NULL, scene->size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(scene->stack, MAP_FAILED);
    /* The page below belongs to nobody: touching it would end this program. */
    assert_int_equal(mprotect(scene->stack, PAGE, PROT_NONE), 0);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, scene->stack + PAGE, scene->size), 0);
    assert_int_equal(pthread_create(&thread, &attributes, act_as_thread, scene), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}

/* The words of `size` bytes below the frame that still hold the pattern in every byte. */
static size_t words_left(const struct scene *scene, size_t size)
{
    size_t found = 0;
    for (uintptr_t at = scene->below - size; at < scene->below; at += sizeof(uint64_t))
        found += *(const volatile uint64_t *)at == UINT64_C(0x0101010101010101) * PATTERN;
    return found;
}

static void test_dead_stack_is_overwritten(void **state)
{
    (void)state;
    skip_unless_bare();
    /* A thread that ends runs little, and not deep: without a scrub nearly all is found. */
    struct scene scene = {.size = STACK_SIZE, .planted = SCRUBBED};
    run_on_own_stack(&scene);
    assert_true(words_left(&scene, SCRUBBED) > SCRUBBED / 8 / 2);
    munmap(scene.stack, scene.size + PAGE);

    scene.scrubs = true;
    run_on_own_stack(&scene);
    assert_int_equal(words_left(&scene, SCRUBBED), 0);
    munmap(scene.stack, scene.size + PAGE);
}

static void test_scrub_reaches_as_deep_as_promised_and_no_deeper(void **state)
{
    (void)state;
    skip_unless_bare();
    struct scene scene = {.size = STACK_SIZE, .planted = 2 * SCRUBBED, .scrubs = true};
    run_on_own_stack(&scene);
    assert_int_equal(words_left(&scene, SCRUBBED), 0);
    size_t left = words_left(&scene, 2 * SCRUBBED);
    assert_true(left > SCRUBBED / 8 - PAGE && left <= SCRUBBED / 8);
    munmap(scene.stack, scene.size + PAGE);
}

static void test_a_short_stack_is_not_left(void **state)
{
    (void)state;
    skip_unless_bare();
    /* Down to where the scrub's own functions have no room: the page below is not touched. */
    for (size_t size = 24 * PAGE; size >= 8 * PAGE; size -= PAGE) {
        struct scene scene = {.size = size, .planted = 2 * PAGE, .scrubs = true};
        run_on_own_stack(&scene);
        size_t used = (uintptr_t)scene.stack + PAGE + size - scene.below;
        if (size - used >= 2 * PAGE + 5 * PAGE)
            assert_int_equal(words_left(&scene, 2 * PAGE), 0);
        munmap(scene.stack, scene.size + PAGE);
    }
}

static void test_main_stack_is_overwritten(void **state)
{
    (void)state;
    skip_unless_bare();
    struct scene scene = {.planted = SCRUBBED};
    act(&scene);
    assert_true(words_left(&scene, SCRUBBED) > SCRUBBED / 8 / 2);
    scene.scrubs = true;
    act(&scene);
    assert_int_equal(words_left(&scene, SCRUBBED), 0);
}

/* Takes `size` bytes of stack and scrubs below them. */
__attribute__((noinline)) static void scrub_below(size_t size)
{
    volatile uint8_t *bytes = __builtin_alloca(size);
    bytes[0] = 1;
    scrub_stack_and_registers();
    bytes[size - 1] = bytes[0];
}

static void test_main_stack_is_not_left(void **state)
{
    (void)state;
    skip_unless_bare();
    const struct rlimit lower = {1024 * 1024, 1024 * 1024}, no_core = {0, 0};
    size_t used = getauxval(AT_EXECFN) - (uintptr_t)__builtin_frame_address(0);
    assert_true(used < lower.rlim_cur / 2);
    for (size_t left = 256 * 1024; left > 0; left -= 8 * 1024) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            if (setrlimit(RLIMIT_CORE, &no_core) < 0 || setrlimit(RLIMIT_STACK, &lower) < 0)
                _exit(1);
            scrub_below(lower.rlim_cur - used - left);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

#if defined(__x86_64__)

struct vectors {
    uint8_t wide[32][64];
    uint64_t masks[8];
};

#define ALL_OF(list, code) ".irp n," list "\n\t" code ".endr\n\t"
#define FIRST "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define ALL_32 FIRST ",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"

/* Fills all registers, calls `scrub` when there is one, and reads all registers back. */
__attribute__((noinline)) static void through_registers(void (*scrub)(void), struct vectors *taken)
{
    uint8_t pattern[64];
    memset(pattern, PATTERN, sizeof(pattern));
    memset(taken, 0, sizeof(*taken));
    /* rbx, r12 and r13 survive the call; the red zone is stepped over, the stack aligned. */
#define THROUGH(fill, read)                                                                        \
    __asm__ volatile("movq %%rsp, %%r13\n\t"                                                       \
                     "subq $256, %%rsp\n\t"                                                        \
                     "andq $-64, %%rsp\n\t" fill "testq %%r12, %%r12\n\t"                          \
                     "jz 1f\n\t"                                                                   \
                     "call *%%r12\n\t"                                                             \
                     "1:\n\t" read "movq %%r13, %%rsp"                                             \
                     : "+r"(where)                                                                 \
                     : "r"(from), "r"(call)                                                        \
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r13", "cc",   \
                       "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",   \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
    register uint8_t *where __asm__("rbx") = taken->wide[0];
    register const uint8_t *from __asm__("r14") = pattern;
    register void (*call)(void) __asm__("r12") = scrub;
    if (__builtin_cpu_supports("avx512f"))
        THROUGH(ALL_OF(ALL_32, "vmovdqu64 (%%r14), %%zmm\\n\n\t")
                    ALL_OF("0,1,2,3,4,5,6,7", "kmovw (%%r14), %%k\\n\n\t"),
                ALL_OF(ALL_32, "vmovdqu64 %%zmm\\n, \\n*64(%%rbx)\n\t")
                    ALL_OF("0,1,2,3,4,5,6,7", "kmovw %%k\\n, 2048+\\n*8(%%rbx)\n\t"));
    else if (__builtin_cpu_supports("avx"))
        THROUGH(ALL_OF(FIRST, "vmovdqu (%%r14), %%ymm\\n\n\t"),
                ALL_OF(FIRST, "vmovdqu %%ymm\\n, \\n*64(%%rbx)\n\t"));
    else
        THROUGH(ALL_OF(FIRST, "movdqu (%%r14), %%xmm\\n\n\t"),
                ALL_OF(FIRST, "movdqu %%xmm\\n, \\n*64(%%rbx)\n\t"));
#undef THROUGH
}

static size_t pattern_bytes(const struct vectors *taken)
{
    const uint8_t *bytes = (const uint8_t *)taken;
    size_t found = 0;
    for (size_t i = 0; i < sizeof(*taken); i++)
        found += bytes[i] == PATTERN;
    return found;
}

static size_t nonzero_bytes(const struct vectors *taken)
{
    const uint8_t *bytes = (const uint8_t *)taken;
    size_t found = 0;
    for (size_t i = 0; i < sizeof(*taken); i++)
        found += bytes[i] != 0;
    return found;
}

static void test_vector_registers_are_cleared(void **state)
{
    (void)state;
    struct vectors taken;
    size_t expected = __builtin_cpu_supports("avx512f") ? 32 * 64 + 8 * 2
                      : __builtin_cpu_supports("avx")   ? 16 * 32
                                                        : 16 * 16;
    through_registers(NULL, &taken);
    assert_int_equal(pattern_bytes(&taken), expected);
    through_registers(scrub_stack_and_registers, &taken);
    assert_int_equal(nonzero_bytes(&taken), 0);
}

#else

static void test_vector_registers_are_cleared(void **state)
{
    (void)state;
    leave_out("looked at on x86-64 only");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_stack_is_overwritten),
        cmocka_unit_test(test_scrub_reaches_as_deep_as_promised_and_no_deeper),
        cmocka_unit_test(test_a_short_stack_is_not_left),
        cmocka_unit_test(test_main_stack_is_overwritten),
        cmocka_unit_test(test_main_stack_is_not_left),
        cmocka_unit_test(test_vector_registers_are_cleared),
    };
    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
