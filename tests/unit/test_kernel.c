/*
 * test_kernel.c: what the machine is asked agrees with what a test has set, and kinds of file systems are told apart.
 */
#include "p11vault/confine/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "p11vault/confine/confine.h"

#define PAGES ((size_t)64 * 1024)

static void test_lock_limit(void **state)
{
    (void)state;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    limit = before;
    limit.rlim_cur = PAGES;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    assert_int_equal(kernel_lock_limit(), PAGES);
    assert_true(kernel_can_lock(PAGES / 2));
    if (geteuid() != 0)
        assert_false(kernel_can_lock(2 * PAGES));
    /* More than any machine has: refused by the kernel, not by the limit. */
    assert_false(kernel_can_lock(SIZE_MAX / 2));
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
    if (before.rlim_cur == RLIM_INFINITY)
        assert_true(kernel_lock_limit() == UINT64_MAX);
    else
        assert_true(kernel_lock_limit() == before.rlim_cur);
}

/* The only test that changes the process for good: it comes last. */
static void test_process(void **state)
{
    (void)state;
    struct error error;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    assert_false(kernel_process_closed());
    assert_int_equal(confine_process(false, &error), 0);
    assert_true(kernel_process_bound());
#ifdef P11VAULT_SANITIZED
    assert_false(kernel_process_closed());
#else
    assert_true(kernel_process_closed());
#endif
}

static void test_shared_file_systems(void **state)
{
    (void)state;
    assert_string_equal(kernel_shared_file_system(0x6969), "nfs");
    assert_string_equal(kernel_shared_file_system(0x517b), "smb");
    assert_string_equal(kernel_shared_file_system(0x65735546), "fuse");
    /* Above 2^31, as the kernel's signed field gives it on some machines. */
    assert_string_equal(kernel_shared_file_system((uint64_t)(int64_t)(int32_t)0xff534d42), "cifs");
    static const uint64_t local[] = {0xef53,     0x01021994, 0x9123683e, 0x58465342,
                                     0x2fc12fc1, 0x794c7630, 0};
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_null(kernel_shared_file_system(local[i]));
}

static void test_place(void **state)
{
    (void)state;
    struct error error;
    struct kernel_place place = {.free = 42};
    assert_int_equal(kernel_look_at("/no/such/place", &place, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_non_null(strstr(error.text, "/no/such/place: No such file"));
    assert_int_equal(place.free, 42);
    assert_int_equal(kernel_look_at("/proc", &place, &error), 0);
    assert_null(place.shared);
    assert_int_equal(place.free, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_limit),
        cmocka_unit_test(test_shared_file_systems),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_process),
    };
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
