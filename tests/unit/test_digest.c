/*
 * test_digest.c: SHA-256 by the examples of FIPS 180-4, hexadecimal, random bytes, and the clocks.
 */
#include "p11vault/base/digest.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "p11vault/base/clock.h"

static void assert_digest(const char *text, const char *expected)
{
    struct digest digest = digest_of(text, strlen(text));
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&digest, hex);
    assert_string_equal(hex, expected);
}

static void test_examples(void **state)
{
    (void)state;
    assert_digest("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_parts_are_one_message(void **state)
{
    (void)state;
    struct digest whole = digest_of("abc", 3);
    struct digest pieces =
        digest_of_parts((const struct digest_part[]){{"a", 1}, {NULL, 0}, {"bc", 2}}, 3);
    assert_true(digest_equal(&whole, &pieces));
    struct digest none = digest_of_parts(NULL, 0);
    struct digest empty = digest_of("", 0);
    assert_true(digest_equal(&none, &empty));
    assert_false(digest_equal(&whole, &none));
}

static void test_equal_looks_at_every_byte(void **state)
{
    (void)state;
    struct digest digest = digest_of("abc", 3);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        struct digest other = digest;
        other.bytes[i] ^= 1;
        assert_false(digest_equal(&digest, &other));
    }
}

static void test_hex_both_ways(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0x9a, 0xff};
    char text[2 * sizeof(bytes) + 1];
    hex_encode(bytes, sizeof(bytes), text);
    assert_string_equal(text, "000ff09aff");
    uint8_t again[sizeof(bytes)];
    assert_true(hex_decode(text, again, sizeof(again)));
    assert_memory_equal(again, bytes, sizeof(bytes));
    assert_true(hex_decode("", again, 0));
}

static void test_hex_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {"",     "00",   "000",  "00000", "00 0", "0G00",
                                        "00FF", "0x00", "00:0", "00/0",  "00`0", "00g0"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[2] = {1, 2};
        assert_false(hex_decode(cases[i], bytes, sizeof(bytes)));
        assert_int_equal(bytes[0], 1);
        assert_int_equal(bytes[1], 2);
    }
}

static void test_digest_parse(void **state)
{
    (void)state;
    struct digest digest = digest_of("abc", 3);
    char hex[DIGEST_HEX_SIZE + 1] = {0};
    digest_hex(&digest, hex);
    struct digest again;
    assert_true(digest_parse(hex, &again));
    assert_true(digest_equal(&digest, &again));
    hex[DIGEST_HEX_SIZE - 1] = '0';
    assert_false(digest_parse(hex, &again));
    hex[DIGEST_HEX_SIZE - 2] = '\0';
    assert_false(digest_parse(hex, &again));
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    struct error error;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_int_equal(random_bytes(a, sizeof(a), &error), 0);
    assert_int_equal(random_bytes(b, sizeof(b), &error), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(random_bytes(a, (size_t)INT_MAX + 1, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
}

static void assert_time(int64_t seconds, const char *text, const char *date)
{
    char got[CLOCK_TEXT_SIZE];
    clock_text(seconds, got);
    assert_string_equal(got, text);
    clock_date(seconds, got);
    assert_string_equal(got, date);
}

static void test_times_as_text(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00Z", "1970-01-01");
    assert_time(951782399, "2000-02-28T23:59:59Z", "2000-02-28");
    assert_time(4102444800, "2100-01-01T00:00:00Z", "2100-01-01");
    assert_time(-1, "1970-01-01T00:00:00Z", "1970-01-01");
    assert_time(INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31");
}

static void test_deadlines(void **state)
{
    (void)state;
    assert_true(deadline_passed(deadline_in(0)));
    assert_true(deadline_passed(deadline_in(-1)));
    assert_true(deadline_passed(deadline_in(INT64_MIN)));
    assert_int_equal(deadline_left(deadline_in(-5)), 0);
    int left = deadline_left(deadline_in(3600000));
    assert_true(left > 3500000 && left <= 3600000);
    assert_int_equal(deadline_left(deadline_in(INT64_MAX)), INT_MAX);
    assert_false(deadline_passed(deadline_in(INT64_MAX)));
}

static void test_monotonic_time_does_not_go_back(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= before);
    assert_true(clock_now() > 1600000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_parts_are_one_message),
        cmocka_unit_test(test_equal_looks_at_every_byte),
        cmocka_unit_test(test_hex_both_ways),
        cmocka_unit_test(test_hex_refusals),
        cmocka_unit_test(test_digest_parse),
        cmocka_unit_test(test_random_bytes_differ),
        cmocka_unit_test(test_times_as_text),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_monotonic_time_does_not_go_back),
    };
    return cmocka_run_group_tests_name("digest and clock", tests, NULL, NULL);
}
