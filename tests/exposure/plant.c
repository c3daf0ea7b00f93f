/*
 * plant: puts one copy of a secret into one place, says "ready" and waits for the end of its input.
 *
 *     plant PLACE FORM [ROOM]
 *
 * The secret is the first line of the input.  ROOM, and the variable of that name, are overwritten where the place is in
 * them.  Everything that is handled on the way stands in locked memory or in single
 * bytes, so that the copy is the only one in the process.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "p11vault/base/secret.h"

#define SPACE 1024
#define SIZE_MAX_HERE 300

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static struct error error;
static struct secret *written; /* the secret in its form */
static char *last_argument;

static void must(int result)
{
    if (result < 0)
        errx(2, "%s", error.text);
}

static void put(unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    must(secret_append(written, &one, 1, &error));
}

static void put_digits(uint8_t byte, const char *digits)
{
    put((uint8_t)digits[byte >> 4]);
    put((uint8_t)digits[byte & 15]);
}

/* ---- forms, written otherwise than in needles.c ---- */

static void write_percent(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr("-._~", bytes[i]) == NULL && memchr(base64, bytes[i], 62) == NULL) {
            put('%');
            put_digits(bytes[i], "0123456789ABCDEF");
        } else {
            put(bytes[i]);
        }
    }
}

/* With so many foreign bytes before it. */
static void write_base64(const uint8_t *bytes, size_t size, int before, const char *last_two)
{
    unsigned bits = 0;
    int have = 0;
    for (size_t i = 0; i < size + before; i++) {
        bits = (bits << 8 | (i < (size_t)before ? 0x5a : bytes[i - before])) & 0xffff;
        for (have += 8; have >= 6; have -= 6) {
            unsigned value = bits >> (have - 6) & 63;
            put((uint8_t)(value < 62 ? base64[value] : last_two[value - 62]));
        }
    }
}

static void write_form(const char *form, const uint8_t *bytes, size_t size)
{
    if (strcmp(form, "percent") == 0)
        write_percent(bytes, size);
    else if (strncmp(form, "base64url", 9) == 0)
        write_base64(bytes, size, form[9] - '0', "-_");
    else if (strncmp(form, "base64", 6) == 0)
        write_base64(bytes, size, form[6] - '0', "+/");
    else
        for (size_t i = 0; i < size; i++)
            if (strcmp(form, "raw") == 0)
                put(bytes[i]);
            else if (strcmp(form, "reversed") == 0)
                put(bytes[size - 1 - i]);
            else
                put_digits(bytes[i], *form == 'h' ? "0123456789abcdef" : "0123456789ABCDEF");
}

static void read_secret(const char *form)
{
    struct secret *secret;
    must(secret_new(SIZE_MAX_HERE, &secret, &error));
    must(secret_new(4 * SIZE_MAX_HERE, &written, &error));
    for (;;) {
        size_t room;
        uint8_t *byte = secret_room(secret, &room);
        if (room == 0 || read(STDIN_FILENO, byte, 1) != 1)
            errx(2, "no secret");
        if (*byte == '\n')
            break;
        secret_grow(secret, 1);
    }
    write_form(form, secret_data(secret), secret_size(secret));
    secret_free(secret);
}

/* ---- places ---- */

/* Byte by byte: memcpy(3) would leave pieces in vector registers. */
static void plant(volatile uint8_t *where)
{
    for (size_t i = 0; i < secret_size(written); i++)
        where[i] = secret_data(written)[i];
}

static void wait_here(void)
{
    char byte;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6)
        err(2, "ready");
    while (read(STDIN_FILENO, &byte, 1) == 1)
        ;
}

static void forget_form(void)
{
    secret_free(written);
    written = NULL;
}

static void in_stack(void)
{
    uint8_t here[SPACE];
    plant(here);
    forget_form();
    wait_here();
    __asm__ volatile("" ::"r"(here) : "memory"); /* the compiler may not give it up before */
}

static void *in_thread(void *nothing)
{
    in_stack();
    return nothing;
}

static void in_heap(void)
{
    plant(malloc(SPACE));
    forget_form();
    wait_here();
}

/* The C library writes its own links over the first bytes of it. */
static void in_freed_block(void)
{
    uint8_t *block = malloc(SPACE + SIZE_MAX_HERE);
    uint8_t *behind = malloc(SPACE);
    plant(block + SPACE / 2);
    free(block);
    forget_form();
    wait_here();
    free(behind);
}

static void in_file(void)
{
    char path[] = "/tmp/plant-XXXXXX";
    int file = mkstemp(path);
    if (file < 0 || ftruncate(file, SPACE) < 0)
        err(2, "%s", path);
    plant(mmap(NULL, SPACE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    forget_form();
    unlink(path);
    wait_here();
}

static void in_data(void)
{
    static uint8_t here[SPACE];
    plant(here);
    forget_form();
    wait_here();
}

/* Shared with nobody, but as other processes' memory could be. */
static void in_shared(void)
{
    plant(mmap(NULL, SPACE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    forget_form();
    wait_here();
}

static void in_system_v(void)
{
    int segment = shmget(IPC_PRIVATE, SPACE, IPC_CREAT | 0600);
    void *here = segment < 0 ? NULL : shmat(segment, NULL, 0);
    if (here == NULL || here == (void *)-1)
        err(2, "shared memory");
    shmctl(segment, IPC_RMID, NULL); /* goes with this process */
    plant(here);
    forget_form();
    wait_here();
}

/* Over a text that is long enough. */
static void in_text(char *text)
{
    if (text == NULL || strlen(text) < secret_size(written))
        errx(2, "no room in it");
    plant((uint8_t *)text);
    forget_form();
    wait_here();
}

static void in_environment(void)
{
    in_text(getenv("ROOM"));
}

static void in_arguments(void)
{
    in_text(last_argument);
}

static void in_locked_page(void)
{
    wait_here();
}

#ifdef __x86_64__
/*
 * A register is loaded, the locked copy is wiped and the thread sleeps in the kernel, where the register stays as it is.
 * Nothing between may use vector registers, so it is all one piece of assembly.
 */
#define SLEEP_WITH(load)                                                                           \
    __asm__ volatile(load "\n\t"                                                                   \
                          "cld\n\t"                                                                \
                          "xor %%eax, %%eax\n\t"                                                   \
                          "rep stosb\n\t"                                                          \
                          "mov %[write], %%eax\n\t"                                                \
                          "mov $1, %%edi\n\t"                                                      \
                          "mov %[text], %%rsi\n\t"                                                 \
                          "mov $6, %%edx\n\t"                                                      \
                          "syscall\n\t"                                                            \
                          "1: mov %[pause], %%eax\n\t"                                             \
                          "syscall\n\t"                                                            \
                          "jmp 1b"                                                                 \
                     : "+D"(bytes), "+c"(size)                                                     \
                     : [write] "i"(SYS_write), [pause] "i"(SYS_pause), [text] "r"(ready)           \
                     : "rax", "rdx", "rsi", "r11", "memory")

static void *in_register(void *name)
{
    static const char ready[] = "ready\n";
    size_t size = secret_capacity(written), room;
    uint8_t *bytes = secret_room(written, &room) - secret_size(written);
    switch (*(const char *)name) {
    case 'x':
        SLEEP_WITH("movdqu (%%rdi), %%xmm0");
        break;
    case 'y': /* the upper half only */
        SLEEP_WITH("vpxor %%xmm0, %%xmm0, %%xmm0\n\tvinserti128 $1, (%%rdi), %%ymm0, %%ymm0");
        break;
    default:
        SLEEP_WITH("vmovdqu64 (%%rdi), %%zmm31");
        break;
    }
    return NULL;
}
#endif

static void in_thread_with(void *(*start)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, start, argument) != 0)
        errx(2, "no thread");
    pthread_join(thread, NULL);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*put)(void);
    } places[] = {{"stack", in_stack},        {"heap", in_heap},         {"freed", in_freed_block},
                  {"file", in_file},          {"data", in_data},         {"locked", in_locked_page},
                  {"shared", in_shared},      {"system-v", in_system_v}, {"argv", in_arguments},
                  {"environ", in_environment}};
    if (count != 3 && count != 4)
        errx(2, "usage: plant PLACE FORM [ROOM]");
    last_argument = arguments[count - 1];
    const char *where = arguments[1];
    read_secret(arguments[2]);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(where, places[i].name) == 0)
            places[i].put();
    if (strcmp(where, "nowhere") == 0) {
        forget_form();
        wait_here();
    } else if (strcmp(where, "thread") == 0) {
        in_thread_with(in_thread, NULL);
#ifdef __x86_64__
    } else if (strcmp(where + 1, "mm") == 0) {
        in_thread_with(in_register, arguments[1]);
#endif
    }
    return 0;
}
