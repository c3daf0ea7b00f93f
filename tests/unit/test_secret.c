/*
 * test_secret.c: what a secret holds and forgets, how its pages are kept, and the wiping heap.
 */
#include "leave_out.h"
#include "p11vault/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <openssl/crypto.h>
#include <seccomp.h>

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
    leave_out("a sanitizer has uses of its own for what is looked at");
#endif
    if (getenv("P11VAULT_UNDER_VALGRIND") != NULL)
        leave_out("valgrind has uses of its own for what is looked at");
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

#define LARGE ((SECRET_HIDDEN_PAGES + 1) * 4096) /* too large to be hidden */

static bool kernel_hides(void)
{
    int descriptor = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (descriptor >= 0)
        close(descriptor);
    return descriptor >= 0;
}

static void skip_unless_hidden(void)
{
    skip_unless_bare(); /* valgrind does not know the call */
    if (!kernel_hides())
        leave_out("this kernel has no secret memory");
}

static void test_pages_are_locked_undumped_and_not_inherited(void **state)
{
    (void)state;
    skip_unless_bare(); /* a sanitizer's mlock() does nothing, valgrind shows its own maps */
    auto_of(secret_free) struct secret *secret = secret_of(LARGE, "abc");
    assert_int_equal(secret_kind(secret), SECRET_LOCKED);
    char flags[512];
    read_smaps(secret_data(secret), "VmFlags:", flags, sizeof(flags));
    assert_non_null(strstr(flags, " lo")); /* locked */
    assert_non_null(strstr(flags, " dd")); /* not in a core dump */
    assert_non_null(strstr(flags, " wf")); /* wiped in a forked child */
}

static void test_small_secrets_are_hidden_and_large_ones_locked(void **state)
{
    (void)state;
    skip_unless_hidden();
    static const size_t sizes[] = {1, 4096, SECRET_HIDDEN_PAGES * 4096};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int before = dup(0);
        close(before);
        auto_of(secret_free) struct secret *secret = secret_of(sizes[i], "a");
        assert_int_equal(secret_kind(secret), SECRET_HIDDEN);
        char flags[512];
        read_smaps(secret_data(secret), "VmFlags:", flags, sizeof(flags));
        assert_non_null(strstr(flags, " lo")); /* locked */
        assert_non_null(strstr(flags, " dd")); /* not in a core dump */
        assert_non_null(strstr(flags, " dc")); /* not in a forked child */
        /* The descriptor is gone. */
        int after = dup(0);
        close(after);
        assert_int_equal(after, before);
    }
    auto_of(secret_free) struct secret *large = secret_of(SECRET_HIDDEN_PAGES * 4096 + 1, "a");
    assert_int_equal(secret_kind(large), SECRET_LOCKED);
}

/* 0 when the bytes could be read in the way debuggers and scanners read them, else why not. */
static int peek(const struct secret *secret, char *ret_bytes, size_t size)
{
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(memory >= 0);
    ssize_t got = pread(memory, ret_bytes, size, (off_t)(uintptr_t)secret_data(secret));
    int reason = got == (ssize_t)size ? 0 : errno;
    close(memory);
    return reason;
}

static void test_hidden_secrets_cannot_be_read_from_outside(void **state)
{
    (void)state;
    skip_unless_hidden();
    auto_of(secret_free) struct secret *hidden = secret_of(16, "abc");
    auto_of(secret_free) struct secret *locked = secret_of(LARGE, "abc");
    char bytes[3] = "";
    assert_int_equal(peek(locked, bytes, sizeof(bytes)), 0);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(peek(hidden, bytes, sizeof(bytes)), EIO);

    const struct iovec here = {bytes, sizeof(bytes)};
    union {
        const uint8_t *data;
        void *base;
    } there = {.data = secret_data(hidden)};
    const struct iovec remote = {there.base, sizeof(bytes)};
    assert_int_equal(process_vm_readv(getpid(), &here, 1, &remote, 1, 0), -1);
    assert_int_equal(errno, EFAULT);
    assert_true(secret_equals(hidden, "abc", 3));
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
    auto_of(secret_free) struct secret *secret = secret_of(LARGE, "abc");
    int status = status_of_child(expect_zero, secret);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(secret_equals(secret, "abc", 3));
}

static void test_a_forked_child_has_no_hidden_pages(void **state)
{
    (void)state;
    skip_unless_hidden();
    struct secret *secret = secret_of(16, "abc");
    int status = status_of_child(expect_zero, secret);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    /* Freeing it there is fine, and does not reach into the parent. */
    status = status_of_child(secret_free, secret);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(secret_equals(secret, "abc", 3));
    secret_free(secret);
}

static size_t capacity_to_leave;

/* The secret is the child's own: it would not have its parent's hidden one. */
static volatile const uint8_t *make_and_use(void)
{
    struct error error = {0};
    struct secret *secret = NULL;
    if (secret_new(capacity_to_leave, &secret, &error) < 0)
        _exit(1);
    size_t room = 0;
    memset(secret_room(secret, &room), 'x', capacity_to_leave);
    return secret_data(secret);
}

static void read_below(struct secret *secret)
{
    (void)secret;
    (void)*(make_and_use() - 1);
}

static void read_above(struct secret *secret)
{
    (void)secret;
    (void)make_and_use()[(capacity_to_leave + 4095) / 4096 * 4096];
}

static void test_guard_pages_end_the_process(void **state)
{
    (void)state;
    skip_unless_bare(); /* valgrind reports the reads that are meant to end the child */
    static const size_t capacities[] = {4096, 4097, LARGE, LARGE + 1};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        capacity_to_leave = capacities[i];
        int status = status_of_child(read_below, NULL);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
        status = status_of_child(read_above, NULL);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
    }
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

/* In a child: a small secret can be had and holds what it should, but is of the other kind. */
static void expect_locked(void)
{
    struct error error = {0};
    struct secret *secret = NULL;
    if (secret_new(16, &secret, &error) < 0)
        _exit(2);
    if (secret_kind(secret) != SECRET_LOCKED)
        _exit(3);
    if (secret_append_text(secret, "abc", &error) < 0 || !secret_equals(secret, "abc", 3))
        _exit(4);
    char byte = 0;
    if (peek(secret, &byte, 1) != 0 || byte != 'a')
        _exit(5);
    secret_free(secret);
}

static int refusal;

static void with_refused_call(struct secret *secret)
{
    (void)secret;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(refusal), SYS_memfd_secret, 0) < 0 ||
        seccomp_load(filter) < 0)
        _exit(1);
    seccomp_release(filter);
    expect_locked();
}

static void test_without_the_call_secrets_are_locked(void **state)
{
    (void)state;
    skip_unless_bare(); /* a filter would bind valgrind itself */
    static const int refusals[] = {ENOSYS, EPERM, ENOMEM, EMFILE};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        refusal = refusals[i];
        int status = status_of_child(with_refused_call, NULL);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void with_short_files(struct secret *secret)
{
    (void)secret;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}) < 0)
        _exit(1);
    expect_locked();
}

static void with_a_limit_of_two_pages(struct secret *secret)
{
    (void)secret;
    /* One page can be locked; the hidden kind counts its guard pages too. */
    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){8192, 8192}) < 0 ||
        (geteuid() == 0 && setuid(65534) < 0) || prctl(PR_SET_DUMPABLE, 1) < 0)
        _exit(1);
    expect_locked();
}

static void test_what_cannot_be_hidden_is_locked(void **state)
{
    (void)state;
    skip_unless_bare(); /* a sanitizer's mlock() does nothing */
    int status = status_of_child(with_short_files, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    status = status_of_child(with_a_limit_of_two_pages, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void without_limit(struct secret *secret)
{
    (void)secret;
    /* Root is not bound by the limit. */
    setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0});
    if (geteuid() == 0 && setuid(65534) < 0)
        _exit(2);
    static const size_t capacities[] = {16, LARGE};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        struct error error = {0};
        struct secret *other = NULL;
        if (secret_new(capacities[i], &other, &error) != -1 || other != NULL)
            _exit(3);
        if (error.code != CODE_CONFIG || strstr(error.hint, "ulimit -l") == NULL)
            _exit(4);
    }
    struct error error = {0};
    struct secret *other = NULL;
    secret_allow_unlocked();
    if (!secret_unlocked_allowed() || secret_new(16, &other, &error) != 0 ||
        secret_kind(other) != SECRET_UNLOCKED || secret_append_text(other, "abc", &error) != 0)
        _exit(5);
    secret_free(other);
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
        cmocka_unit_test(test_small_secrets_are_hidden_and_large_ones_locked),
        cmocka_unit_test(test_hidden_secrets_cannot_be_read_from_outside),
        cmocka_unit_test(test_a_forked_child_sees_zeros),
        cmocka_unit_test(test_a_forked_child_has_no_hidden_pages),
        cmocka_unit_test(test_guard_pages_end_the_process),
        cmocka_unit_test(test_impossible_sizes_end_the_process),
        cmocka_unit_test(test_without_the_call_secrets_are_locked),
        cmocka_unit_test(test_what_cannot_be_hidden_is_locked),
        cmocka_unit_test(test_memory_that_cannot_be_locked_is_refused),
        cmocka_unit_test(test_heap_keeps_alignment_and_content),
        cmocka_unit_test(test_heap_realloc_moves_the_content),
        cmocka_unit_test(test_heap_refuses_sizes_that_overflow),
        cmocka_unit_test(test_heap_refuses_foreign_pointers),
        cmocka_unit_test(test_heap_wipes_every_byte),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
