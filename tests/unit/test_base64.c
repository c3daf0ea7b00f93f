/*
 * test_base64.c: the examples of RFC 4648 and RFC 7515, and everything that is not canonical.
 */
#include "p11vault/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes;
    const char *plain;
    const char *url;
} examples[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\x03\xec\xff\xe0\xc1", "A+z/4ME=", "A-z_4ME"},
};

static void test_examples_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct error error;
        size_t size = strlen(examples[i].bytes);
        auto_buffer struct buffer plain = BUFFER_UP_TO(100);
        assert_int_equal(base64_put(&plain, examples[i].bytes, size, &error), 0);
        assert_string_equal(buffer_text(&plain), examples[i].plain);
        auto_buffer struct buffer url = BUFFER_UP_TO(100);
        assert_int_equal(base64url_put(&url, examples[i].bytes, size, &error), 0);
        assert_string_equal(buffer_text(&url), examples[i].url);
        assert_int_equal(url.size, BASE64URL_SIZE(size));

        uint8_t bytes[16];
        size_t got = 99;
        assert_int_equal(base64_decode(examples[i].plain, strlen(examples[i].plain), bytes,
                                       sizeof(bytes), &got, &error),
                         0);
        assert_int_equal(got, size);
        assert_memory_equal(bytes, examples[i].bytes, size);
        got = 99;
        assert_int_equal(base64url_decode(examples[i].url, strlen(examples[i].url), bytes,
                                          sizeof(bytes), &got, &error),
                         0);
        assert_int_equal(got, size);
        assert_memory_equal(bytes, examples[i].bytes, size);
    }
}

static void test_all_bytes_both_ways(void **state)
{
    (void)state;
    struct error error;
    uint8_t bytes[256 + 2];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t size = 256; size <= sizeof(bytes); size++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(1000);
        assert_int_equal(base64url_put(&text, bytes, size, &error), 0);
        uint8_t again[sizeof(bytes)];
        size_t got = 0;
        assert_int_equal(base64url_decode(buffer_text(&text), text.size, again, size, &got, &error),
                         0);
        assert_int_equal(got, size);
        assert_memory_equal(again, bytes, size);
    }
}

static void test_url_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "A",     "AAAAA", "Zg==", "Zm8=", "Zh",   "Zm9",  "Zm 9v", "Zm9v\n", "Zm+v",        "Zm/v",
        "Zm9v ", "=",     "Zm.v", "Zm@v", "Zm[v", "Zm`v", "Zm{v",  "Zm:v",   "Zm\xc3\xa9v",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        uint8_t bytes[16];
        size_t got = 99;
        if (base64url_decode(cases[i], strlen(cases[i]), bytes, sizeof(bytes), &got, &error) != -1)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(error.code, CODE_STOP);
        assert_int_equal(got, 99);
    }
}

static void test_plain_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Zg",   "Zg=",  "Zm8", "Zh==", "Zm9=", "Z===",     "====",       "Zg==Zg==",
        "Zm-v", "Zm_v", "=",   "==",   "Zg=a", "Zm9v====", "Zm9v\nZg==",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        uint8_t bytes[16];
        size_t got = 99;
        if (base64_decode(cases[i], strlen(cases[i]), bytes, sizeof(bytes), &got, &error) != -1)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(error.code, CODE_STOP);
        assert_int_equal(got, 99);
    }
}

static void test_a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct error error;
    uint8_t bytes[16];
    size_t got = 99;
    assert_int_equal(base64url_decode("Zm9\0", 4, bytes, sizeof(bytes), &got, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void test_room_is_a_bound(void **state)
{
    (void)state;
    struct error error;
    uint8_t bytes[5] = {0, 0, 0, 0, 0x5a};
    size_t got = 99;
    assert_int_equal(base64url_decode("Zm9vYmE", 7, bytes, 4, &got, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(got, 99);
    assert_int_equal(base64url_decode("Zm9vYg", 6, bytes, 4, &got, &error), 0);
    assert_int_equal(got, 4);
    assert_int_equal(bytes[4], 0x5a);
}

static void test_an_encoding_that_does_not_fit_leaves_the_buffer_alone(void **state)
{
    (void)state;
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(8);
    assert_int_equal(buffer_put_text(&buffer, "x.", &error), 0);
    assert_int_equal(base64url_put(&buffer, "foobar", 6, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_string_equal(buffer_text(&buffer), "x.");
    assert_int_equal(base64url_put(&buffer, "foob", 4, &error), 0);
    assert_string_equal(buffer_text(&buffer), "x.Zm9vYg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_both_ways),
        cmocka_unit_test(test_all_bytes_both_ways),
        cmocka_unit_test(test_url_refusals),
        cmocka_unit_test(test_plain_refusals),
        cmocka_unit_test(test_a_nul_byte_is_refused),
        cmocka_unit_test(test_room_is_a_bound),
        cmocka_unit_test(test_an_encoding_that_does_not_fit_leaves_the_buffer_alone),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
