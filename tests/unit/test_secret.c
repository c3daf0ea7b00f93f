/*
 * test_secret.c: what a secret holds and forgets, how its pages are kept, and the wiping heap.
 */
#include "p11vault/base/secret.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <openssl/crypto.h>

#include <cmocka.h>

static struct secret *secret_of(size_t capacity, const char *text)
{
    struct error error;
    struct secret *secret = NULL;
    assert_int_equal(secret_new(capacity, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static void test_capacity_has_bounds(void **state)
{
    (void)state;
    struct error error;
    struct secret *secret = NULL;
    assert_int_equal(secret_new(0, &secret, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_int_equal(secret_new(SECRET_MAX + 1, &secret, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(secret);
    secret_free(NULL);
}

static void test_append_and_refuse(void **state)
{
    (void)state;
    struct error error;
    auto_of(secret_free) struct secret *secret = secret_of(8, "12345");
    assert_int_equal(secret_capacity(secret), 8);
    assert_int_equal(secret_append(secret, "6789", 4, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(secret_size(secret), 5);
    assert_true(secret_equals(secret, "12345", 5));
    assert_int_equal(secret_append(secret, "678", 3, &error), 0);
    assert_int_equal(secret_append(secret, NULL, 0, &error), 0);
    assert_true(secret_equals(secret, "12345678", 8));
    assert_null(strstr(error.text, "6789"));
}

static void test_append_secret(void **state)
{
    (void)state;
    struct error error;
    auto_of(secret_free) struct secret *secret = secret_of(8, "abc");
    assert_int_equal(secret_append_secret(secret, secret, &error), 0);
    assert_true(secret_equals(secret, "abcabc", 6));
    assert_int_equal(secret_append_secret(secret, secret, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(secret_size(secret), 6);
}

static void test_room_and_grow(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *secret = secret_of(10, "ab");
    size_t room = 0;
    uint8_t *at = secret_room(secret, &room);
    assert_int_equal(room, 8);
    memcpy(at, "cd", 2);
    secret_grow(secret, 2);
    assert_true(secret_equals(secret, "abcd", 4));
    secret_room(secret, &room);
    assert_int_equal(room, 6);
}

static void assert_zero_behind(const struct secret *secret)
{
    for (size_t i = secret_size(secret); i < secret_capacity(secret); i++)
        assert_int_equal(secret_data(secret)[i], 0);
}

static void test_cut_clear_and_drop_wipe_what_they_leave(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *secret = secret_of(16, "0123456789");
    secret_cut(secret, 8);
    assert_true(secret_equals(secret, "01234567", 8));
    assert_zero_behind(secret);
    secret_drop_front(secret, 3);
    assert_true(secret_equals(secret, "34567", 5));
    assert_zero_behind(secret);
    secret_clear(secret);
    assert_int_equal(secret_size(secret), 0);
    assert_zero_behind(secret);
}

static void test_cut_wipes_undeclared_bytes_too(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *secret = secret_of(16, "ab");
    size_t room = 0;
    memset(secret_room(secret, &room), 'x', 14);
    secret_cut(secret, 2);
    assert_zero_behind(secret);
}

static void test_equals(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *secret = secret_of(16, "abc");
    assert_true(secret_equals(secret, "abc", 3));
    assert_false(secret_equals(secret, "abd", 3));
    assert_false(secret_equals(secret, "ab", 2));
    assert_false(secret_equals(secret, "abcd", 4));
    secret_clear(secret);
    assert_true(secret_equals(secret, NULL, 0));
}

/* Sanitizers and valgrind replace parts of what some tests look at. */
static void skip_unless_bare(void)
{
#if defined(P11VAULT_SANITIZED)
    skip();
#endif
    if (getenv("P11VAULT_UNDER_VALGRIND") != NULL)
        skip();
}

/* The line KEY of the smaps entry that begins at `address`, as in "VmFlags: rd wr ..."; "" for none. */
static void read_smaps(const void *address, const char *key, char *ret_line, size_t room)
{
    ret_line[0] = '\0';
    char begin[32];
    snprintf(begin, sizeof(begin), "%lx-", (unsigned long)(uintptr_t)address);
    FILE *file = fopen("/proc/self/smaps", "re");
    assert_non_null(file);
    char line[512];
    int inside = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, begin, strlen(begin)) == 0)
            inside = 1;
        if (inside && strncmp(line, key, strlen(key)) == 0) {
            snprintf(ret_line, room, "%s", line);
            break;
        }
    }
    fclose(file);
}

static void test_pages_are_locked_undumped_and_not_inherited(void **state)
{
    (void)state;
    skip_unless_bare(); /* a sanitizer's mlock() does nothing, valgrind shows its own maps */
    auto_of(secret_free) struct secret *secret = secret_of(16, "abc");
    char flags[512];
    read_smaps(secret_data(secret), "VmFlags:", flags, sizeof(flags));
    assert_non_null(strstr(flags, " lo")); /* locked */
    assert_non_null(strstr(flags, " dd")); /* not in a core dump */
    assert_non_null(strstr(flags, " wf")); /* wiped in a forked child */
}

static int status_of_child(void (*run)(struct secret *), struct secret *secret)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* A sanitizer or cmocka would turn the fault into a report. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        run(secret);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_zero(struct secret *secret)
{
    if (secret_data(secret)[0] != 0)
        _exit(1);
}

static void test_a_forked_child_sees_zeros(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *secret = secret_of(16, "abc");
    int status = status_of_child(expect_zero, secret);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(secret_equals(secret, "abc", 3));
}

static void read_below(struct secret *secret)
{
    volatile const uint8_t *data = secret_data(secret);
    (void)*(data - 1);
}

static void read_above(struct secret *secret)
{
    volatile const uint8_t *data = secret_data(secret);
    (void)data[(secret_capacity(secret) + 4095) / 4096 * 4096];
}

static void test_guard_pages_end_the_process(void **state)
{
    (void)state;
    skip_unless_bare(); /* valgrind reports the reads that are meant to end the child */
    auto_of(secret_free) struct secret *secret = secret_of(4097, "abc");
    int status = status_of_child(read_below, secret);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    status = status_of_child(read_above, secret);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void grow_too_far(struct secret *secret)
{
    secret_grow(secret, 17);
}

static void cut_too_far(struct secret *secret)
{
    secret_cut(secret, 4);
}

static void drop_too_far(struct secret *secret)
{
    secret_drop_front(secret, 4);
}

static void test_impossible_sizes_end_the_process(void **state)
{
    (void)state;
    void (*const cases[])(struct secret *) = {grow_too_far, cut_too_far, drop_too_far};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_of(secret_free) struct secret *secret = secret_of(16, "abc");
        int status = status_of_child(cases[i], secret);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

static void without_limit(struct secret *secret)
{
    (void)secret;
    struct error error = {0};
    struct secret *other = NULL;
    /* Root is not bound by the limit. */
    setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0});
    if (geteuid() == 0 && setuid(65534) < 0)
        _exit(2);
    if (secret_new(16, &other, &error) != -1 || other != NULL)
        _exit(3);
    if (error.code != CODE_CONFIG || strstr(error.hint, "ulimit -l") == NULL)
        _exit(4);
}

static void test_memory_that_cannot_be_locked_is_refused(void **state)
{
    (void)state;
    skip_unless_bare(); /* a sanitizer's mlock() does nothing */
    int status = status_of_child(without_limit, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_heap_keeps_alignment_and_content(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100; size++) {
        uint8_t *block = secret_heap_malloc(size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, 'x', size);
        secret_heap_free(block);
    }
    uint8_t *zeros = secret_heap_calloc(7, 9);
    assert_non_null(zeros);
    for (size_t i = 0; i < 63; i++)
        assert_int_equal(zeros[i], 0);
    secret_heap_free(zeros);
    secret_heap_free(NULL);
}

static void test_heap_realloc_moves_the_content(void **state)
{
    (void)state;
    char *text = secret_heap_strdup("0123456789");
    assert_non_null(text);
    text = secret_heap_realloc(text, 100);
    assert_string_equal(text, "0123456789");
    text = secret_heap_realloc(text, 4);
    assert_memory_equal(text, "0123", 4);
    assert_null(secret_heap_realloc(text, 0));
    text = secret_heap_realloc(NULL, 8);
    assert_non_null(text);
    secret_heap_free(text);
}

static void test_heap_refuses_sizes_that_overflow(void **state)
{
    (void)state;
    assert_null(secret_heap_malloc(SIZE_MAX));
    assert_null(secret_heap_malloc(SIZE_MAX - 15));
    assert_null(secret_heap_calloc(SIZE_MAX / 2, 3));
    char *text = secret_heap_strdup("kept");
    assert_null(secret_heap_realloc(text, SIZE_MAX - 15));
    assert_string_equal(text, "kept");
    secret_heap_free(text);
}

static void free_a_stranger(struct secret *secret)
{
    (void)secret;
    static uint8_t stranger[64] __attribute__((aligned(16)));
    secret_heap_free(stranger + 32);
}

static void test_heap_refuses_foreign_pointers(void **state)
{
    (void)state;
    int status = status_of_child(free_a_stranger, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Reads freed memory on purpose, through the kernel, which no compiler reasons about. */
static size_t left_of(uint8_t mark, const uint8_t *freed, size_t size)
{
    uint8_t copy[256];
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], freed, size), size);
    assert_int_equal(read(pipes[0], copy, size), size);
    close(pipes[0]);
    close(pipes[1]);
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += copy[i] == mark;
    return found;
}

static void test_heap_wipes_every_byte(void **state)
{
    (void)state;
    skip_unless_bare(); /* both keep freed blocks to themselves and object to looking at them */
    static const size_t sizes[] = {24, 25, 31, 40, 200};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *block = secret_heap_malloc(sizes[i]);
        assert_non_null(block);
        memset(block, 0xa5, sizes[i]);
        uintptr_t address = (uintptr_t)block;
        assert_int_equal(left_of(0xa5, block, sizes[i]), sizes[i]);
        secret_heap_free(block);
        assert_int_equal(left_of(0xa5, (const uint8_t *)address, sizes[i]), 0);
    }
}

static void install_too_late(struct secret *secret)
{
    (void)secret;
    struct error error = {0};
    OPENSSL_free(OPENSSL_malloc(16));
    if (secret_heap_install(&error) != -1 || error.code != CODE_FAULT)
        _exit(1);
}

static void install_in_time(struct secret *secret)
{
    (void)secret;
    struct error error = {0};
    if (secret_heap_install(&error) != 0)
        _exit(1);
    char *text = OPENSSL_strdup("abc");
    if (text == NULL)
        _exit(2);
    /* Ends the process unless the block came from the wiping heap. */
    secret_heap_free(text);
}

static void test_heap_is_installed_in_time_or_refused(void **state)
{
    (void)state;
    int status = status_of_child(install_in_time, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    status = status_of_child(install_too_late, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: nothing may have used libcrypto before. */
        cmocka_unit_test(test_heap_is_installed_in_time_or_refused),
        cmocka_unit_test(test_capacity_has_bounds),
        cmocka_unit_test(test_append_and_refuse),
        cmocka_unit_test(test_append_secret),
        cmocka_unit_test(test_room_and_grow),
        cmocka_unit_test(test_cut_clear_and_drop_wipe_what_they_leave),
        cmocka_unit_test(test_cut_wipes_undeclared_bytes_too),
        cmocka_unit_test(test_equals),
        cmocka_unit_test(test_pages_are_locked_undumped_and_not_inherited),
        cmocka_unit_test(test_a_forked_child_sees_zeros),
        cmocka_unit_test(test_guard_pages_end_the_process),
        cmocka_unit_test(test_impossible_sizes_end_the_process),
        cmocka_unit_test(test_memory_that_cannot_be_locked_is_refused),
        cmocka_unit_test(test_heap_keeps_alignment_and_content),
        cmocka_unit_test(test_heap_realloc_moves_the_content),
        cmocka_unit_test(test_heap_refuses_sizes_that_overflow),
        cmocka_unit_test(test_heap_refuses_foreign_pointers),
        cmocka_unit_test(test_heap_wipes_every_byte),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
