/*
 * test_secret_reserve.c: the pages that freed secrets leave, and that later ones find.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "leave_out.h"
#include "p11vault/base/secret.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define PAGE 4096
#define MANY 200

/* Sanitizers and valgrind replace parts of what some tests look at. */
static void skip_unless_bare(void)
{
#if defined(P11VAULT_SANITIZED)
    leave_out("a sanitizer has uses of its own for what is looked at");
#endif
    if (getenv("P11VAULT_UNDER_VALGRIND") != NULL)
        leave_out("valgrind has uses of its own for what is looked at");
}

static struct secret *secret_of(size_t capacity)
{
    struct error error;
    struct secret *secret = NULL;
    assert_int_equal(secret_new(capacity, &secret, &error), 0);
    return secret;
}

/* A secret full of something; its address stays behind. */
static uintptr_t fill_and_free(size_t capacity)
{
    struct secret *secret = secret_of(capacity);
    uintptr_t address = (uintptr_t)secret_data(secret);
    size_t room;
    uint8_t *place = secret_room(secret, &room);
    memset(place, 'x', room);
    secret_grow(secret, room / 2); /* the other half is never declared */
    secret_free(secret);
    return address;
}

/* The number behind KEY of /proc/self/status, in bytes. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = strtoul(line + strlen(key), NULL, 10);
    fclose(file);
    return kilobytes * 1024;
}

static void test_reused_pages_are_zero(void **state)
{
    (void)state;
    static const size_t capacities[] = {1, PAGE, 2 * PAGE, (SECRET_HIDDEN_PAGES + 2) * PAGE};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        uintptr_t address = fill_and_free(capacities[i]);
        auto_of(secret_free) struct secret *secret = secret_of(capacities[i]);
        assert_int_equal((uintptr_t)secret_data(secret), address);
        assert_int_equal(secret_size(secret), 0);
        for (size_t at = 0; at < capacities[i]; at++)
            assert_int_equal(secret_data(secret)[at], 0);
    }
}

/* The guard pages stand where the secret's own last page ends, so pages are not lent to smaller ones. */
static void test_pages_are_for_secrets_of_as_many(void **state)
{
    (void)state;
    uintptr_t two = fill_and_free(2 * PAGE);
    auto_of(secret_free) struct secret *one = secret_of(PAGE);
    assert_int_not_equal((uintptr_t)secret_data(one), two);
    auto_of(secret_free) struct secret *again = secret_of(PAGE + 1);
    assert_int_equal((uintptr_t)secret_data(again), two);
    assert_int_equal(secret_capacity(again), PAGE + 1);
}

static void test_two_secrets_never_share_pages(void **state)
{
    (void)state;
    uintptr_t left = fill_and_free(1);
    auto_of(secret_free) struct secret *one = secret_of(1);
    auto_of(secret_free) struct secret *other = secret_of(1);
    assert_int_equal((uintptr_t)secret_data(one), left);
    assert_int_not_equal((uintptr_t)secret_data(other), left);
}

static void test_the_reserve_is_filled_ahead(void **state)
{
    (void)state;
    skip_unless_bare(); /* a sanitizer's mlock() does nothing */
    secret_reserve(3 * PAGE, 5);
    size_t before = status_bytes("VmLck:");
    struct secret *secrets[6];
    for (size_t i = 0; i < 5; i++)
        secrets[i] = secret_of(3 * PAGE);
    assert_int_equal(status_bytes("VmLck:"), before);
    secrets[5] = secret_of(3 * PAGE);
    assert_true(status_bytes("VmLck:") > before);
    for (size_t i = 0; i < 6; i++)
        secret_free(secrets[i]);
    /* What is there is counted: nothing more is made. */
    before = status_bytes("VmLck:");
    secret_reserve(3 * PAGE, 6);
    assert_int_equal(status_bytes("VmLck:"), before);
}

static void test_the_reserve_is_bounded(void **state)
{
    (void)state;
    skip_unless_bare();
    size_t before = status_bytes("VmLck:");
    struct secret *secrets[MANY];
    for (size_t i = 0; i < MANY; i++)
        secrets[i] = secret_of(1);
    assert_true(status_bytes("VmLck:") >= before + (MANY - 40) * PAGE);
    for (size_t i = 0; i < MANY; i++)
        secret_free(secrets[i]);
    assert_true(status_bytes("VmLck:") <= before + SECRET_RESERVE_MAX);
    secret_reserve(SECRET_MAX, 3);
    secret_reserve(PAGE, 3 * MANY);
    secret_reserve(0, 1);
    assert_true(status_bytes("VmLck:") <= before + SECRET_RESERVE_MAX);
    fill_and_free(SECRET_MAX);
    assert_true(status_bytes("VmLck:") <= before + SECRET_RESERVE_MAX);
}

/* The flags of the map that begins at `address`; "" for none. */
static void read_flags(uintptr_t address, char *ret_flags, size_t room)
{
    char begin[32], line[512];
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    assert_non_null(file);
    snprintf(begin, sizeof(begin), "%lx-", (unsigned long)address);
    ret_flags[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        inside = inside || strncmp(line, begin, strlen(begin)) == 0;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            snprintf(ret_flags, room, "%s", line);
            break;
        }
    }
    fclose(file);
}

static void test_kept_pages_stay_locked_and_undumped(void **state)
{
    (void)state;
    skip_unless_bare();
    static const size_t capacities[] = {PAGE, (SECRET_HIDDEN_PAGES + 1) * PAGE};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        char flags[512];
        read_flags(fill_and_free(capacities[i]), flags, sizeof(flags));
        assert_non_null(strstr(flags, " lo"));
        assert_non_null(strstr(flags, " dd"));
    }
}

static int run_in_child(void (*run)(struct secret *), struct secret *secret)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        run(secret);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Hidden pages of the parent are not there; what is made here is this process's own. */
static void make_and_leave(struct secret *secret)
{
    struct error error;
    for (int i = 0; i < 3; i++) {
        struct secret *own = NULL;
        if (secret_new(PAGE, &own, &error) < 0 || secret_append_text(own, "own", &error) < 0)
            _exit(1);
        secret_free(own);
    }
    secret_free(secret); /* the parent's: not kept here */
    if (secret_new(PAGE, &secret, &error) < 0 || secret_append_text(secret, "own", &error) < 0)
        _exit(2);
    secret_free(secret);
}

static void test_a_forked_child_has_a_reserve_of_its_own(void **state)
{
    (void)state;
    struct error error;
    uintptr_t kept = fill_and_free(PAGE);
    struct secret *standing = secret_of(PAGE);
    assert_int_equal((uintptr_t)secret_data(standing), kept);
    assert_int_equal(secret_append_text(standing, "abc", &error), 0);
    fill_and_free(PAGE);
    assert_int_equal(run_in_child(make_and_leave, standing), 0);
    assert_true(secret_equals(standing, "abc", 3));
    auto_of(secret_free) struct secret *next = secret_of(PAGE);
    assert_int_equal(secret_data(next)[0], 0);
    secret_free(standing);
}

static void with_little_to_lock(struct secret *secret)
{
    (void)secret;
    struct error error;
    static const rlim_t limit = (rlim_t)40 * PAGE;
    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){limit, limit}) < 0 ||
        (geteuid() == 0 && setuid(65534) < 0) || prctl(PR_SET_DUMPABLE, 1) < 0)
        _exit(1);
    secret_reserve(PAGE, 100);
    struct secret *large = NULL;
    if (secret_new((size_t)32 * PAGE, &large, &error) < 0)
        _exit(2);
    secret_free(large);
}

static void test_a_secret_takes_what_the_reserve_has(void **state)
{
    (void)state;
    skip_unless_bare();
    assert_int_equal(run_in_child(with_little_to_lock, NULL), 0);
}

static void test_a_sanitizer_sees_a_freed_secret_used(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    uintptr_t address = fill_and_free(PAGE);
    assert_true(__asan_address_is_poisoned((void *)address));
    auto_of(secret_free) struct secret *secret = secret_of(PAGE);
    assert_int_equal((uintptr_t)secret_data(secret), address);
    assert_false(__asan_address_is_poisoned((void *)address));
#else
    leave_out("only a sanitizer sees it");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reused_pages_are_zero),
        cmocka_unit_test(test_pages_are_for_secrets_of_as_many),
        cmocka_unit_test(test_two_secrets_never_share_pages),
        cmocka_unit_test(test_the_reserve_is_filled_ahead),
        cmocka_unit_test(test_kept_pages_stay_locked_and_undumped),
        cmocka_unit_test(test_the_reserve_is_bounded),
        cmocka_unit_test(test_a_forked_child_has_a_reserve_of_its_own),
        cmocka_unit_test(test_a_secret_takes_what_the_reserve_has),
        cmocka_unit_test(test_a_sanitizer_sees_a_freed_secret_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
