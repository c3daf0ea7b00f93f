/*
 * test_percent.c: percent-encoding, there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/percent.h"

static void digits_of_either_case(void **state)
{
    (void)state;
    for (int c = -128; c < 256; c++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *at = c == 0 ? NULL : strchr(digits, (char)c);
        assert_int_equal(hex_digit((char)c), at ? (at - digits) % 16 : -1);
    }
}

static void unreserved_characters_stand(void **state)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    (void)state;
    for (int c = 0; c < 256; c++)
        assert_int_equal(percent_is_unreserved((char)c), c != 0 && strchr(unreserved, c) != NULL);
}

static void assert_put(const char *text, size_t size, const char *plain, const char *expected)
{
    auto_buffer struct buffer to = BUFFER_UP_TO(64);
    struct error error = {0};
    assert_int_equal(percent_put(&to, text, size, plain, &error), 0);
    assert_string_equal(buffer_text(&to), expected);
}

static void all_else_is_encoded(void **state)
{
    auto_buffer struct buffer narrow = BUFFER_UP_TO(4);
    struct error error = {0};
    (void)state;
    assert_put("", 0, "", "");
    assert_put("a-z._~9", 7, "", "a-z._~9");
    assert_put("a b/c%\xc3\xbc\0z", 10, "", "a%20b%2Fc%25%C3%BC%00z");
    assert_put("/a[0]\0", 6, "/[]", "/a[0]%00");
    assert_int_equal(percent_put(&narrow, "  ", 2, "", &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void one_byte_is_read(void **state)
{
    static const struct {
        const char *text;
        int byte;
    } cases[] = {{"%41", 'A'}, {"%fF", 255}, {"%00", 0},  {"%4", -1},  {"%", -1},   {"", -1},
                 {"x41", -1},  {"%4g", -1},  {"%g4", -1}, {"% 4", -1}, {"%+4", -1}, {"%41x", 'A'}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(percent_byte(cases[i].text, strlen(cases[i].text)), cases[i].byte);
    assert_int_equal(percent_byte("%41", 2), -1);
}

static void assert_decoded(const char *text, const char *expected)
{
    auto_of(secret_free) struct secret *value = NULL;
    struct error error = {0};
    assert_int_equal(percent_decode(text, strlen(text), &value, &error), 0);
    if (!expected) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_int_equal(secret_size(value), strlen(expected));
    assert_memory_equal(secret_data(value), expected, strlen(expected));
}

static void forms_are_decoded(void **state)
{
    (void)state;
    assert_decoded("", "");
    assert_decoded("a+b%2B%7e", "a b+~");
    assert_decoded("a%", NULL);
    assert_decoded("a%2", NULL);
    assert_decoded("a%zz", NULL);
    assert_decoded("a%00", NULL);
    assert_decoded("a%7F", NULL);
    assert_decoded("\xc3\xbc", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_of_either_case), cmocka_unit_test(unreserved_characters_stand),
        cmocka_unit_test(all_else_is_encoded),   cmocka_unit_test(one_byte_is_read),
        cmocka_unit_test(forms_are_decoded),
    };
    return cmocka_run_group_tests_name("percent", tests, NULL, NULL);
}
