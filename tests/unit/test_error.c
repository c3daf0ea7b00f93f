/*
 * test_error.c: codes, texts that stay one clean line, prefixes and hints.
 */
#include "p11vault/base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_set_gives_code_and_text(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set(&error, CODE_CARD, "card '%s': %d", "A", 7), -1);
    assert_int_equal(error.code, CODE_CARD);
    assert_string_equal(error.text, "card 'A': 7");
    assert_string_equal(error.hint, "");
}

static void test_set_forgets_an_earlier_hint(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, CODE_CONFIG, "first");
    assert_int_equal(error_hint(&error, "run %s", "this"), -1);
    assert_string_equal(error.hint, "run this");
    error_set(&error, CODE_STOP, "second");
    assert_string_equal(error.hint, "");
}

static void test_prefix_keeps_code_and_hint(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, CODE_PIN_LOCKED, "PIN is locked");
    error_hint(&error, "unblock it");
    assert_int_equal(error_prefix(&error, "card '%s'", "R"), -1);
    error_prefix(&error, "open '%s'", "ads/page/42");
    assert_string_equal(error.text, "open 'ads/page/42': card 'R': PIN is locked");
    assert_string_equal(error.hint, "unblock it");
    assert_int_equal(error.code, CODE_PIN_LOCKED);
}

static void test_its_own_text_may_be_an_argument(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, CODE_STOP, "inner");
    error_set(&error, CODE_CARD, "outer (%s)", error.text);
    assert_string_equal(error.text, "outer (inner)");
}

static void test_errno_is_described(void **state)
{
    (void)state;
    struct error error;
    errno = ENOENT;
    assert_int_equal(error_errno(&error, CODE_CONFIG, "open %s", "x"), -1);
    assert_string_equal(error.text, "open x: No such file or directory");
    assert_int_equal(error.code, CODE_CONFIG);
}

static void test_control_characters_become_question_marks(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, CODE_STOP, "a\nb\x1b[2Jc\x7f\td");
    assert_string_equal(error.text, "a?b?[2Jc??d");
    error_hint(&error, "x\ry");
    assert_string_equal(error.hint, "x?y");
}

static void test_only_printable_utf8_stays(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *clean;
    } cases[] = {
        {"\u00e9\u20ac\U0001f511", "\u00e9\u20ac\U0001f511"},
        {"\xc2\x9b[31m", "??[31m"},   /* C1: CSI in UTF-8 */
        {"\x9b[31m", "?[31m"},        /* C1: CSI in one byte */
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xe0\x80\xaf", "???"},      /* overlong */
        {"\xed\xa0\x80", "???"},      /* surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"\xf0\x9f\x94", "???"},      /* cut off */
        {"\xe2\x82", "??"},           /* cut off */
        {"\xc3", "?"},                /* cut off */
        {"\xff\xfe", "??"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        error_set(&error, CODE_STOP, "%s", cases[i].text);
        assert_string_equal(error.text, cases[i].clean);
    }
}

/*
 * What shows nothing, and what turns the order of others round; and their neighbours, which stay.
 */
static void deceptive_characters_become_question_marks(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\u00ad", "\u034f", "\u061c", "\u180e", "\u200b", "\u200c",     "\u200d",     "\u200e",
        "\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c",     "\u202d",     "\u202e",
        "\u2060", "\u2066", "\u2067", "\u2068", "\u2069", "\ufeff",     "\ufff9",     "\u3164",
        "\u115f", "\uffa0", "\u206f", "\u17b4", "\u2064", "\U000e0001", "\U000e007f", "\U0001d173",
    };
    static const char *const good[] = {"\u200a", "\u2010", "\u2027",    "\u202f",
                                       "\u2070", "\ufe0f", "\u061b",    "\u05d0",
                                       "\u00ae", "\ufefe", "\U0001f511"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[16], clean[16] = "a";
        snprintf(text, sizeof(text), "a%sb", bad[i]);
        memset(clean + 1, '?', strlen(bad[i]));
        memcpy(clean + 1 + strlen(bad[i]), "b", 2);
        error_clean(text);
        assert_string_equal(text, clean);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[16];
        snprintf(text, sizeof(text), "a%sb", good[i]);
        error_clean(text);
        assert_memory_equal(text + 1, good[i], strlen(good[i]));
    }
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[3 * ERROR_TEXT_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct error error;
    error_set(&error, CODE_STOP, "%s", text);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    error_prefix(&error, "where");
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    assert_memory_equal(error.text, "where: xxx", 10);
    error_hint(&error, "%s", text);
    assert_int_equal(strlen(error.hint), ERROR_HINT_MAX - 1);
}

static void test_a_character_divided_by_the_cut_is_replaced(void **state)
{
    (void)state;
    char text[ERROR_TEXT_MAX + 1];
    memset(text, 'x', sizeof(text));
    memcpy(text + ERROR_TEXT_MAX - 2, "\u00e9", 3);
    struct error error;
    error_set(&error, CODE_STOP, "%s", text);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    assert_int_equal(error.text[ERROR_TEXT_MAX - 2], '?');
}

static void test_memory(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_memory(&error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_string_equal(error.text, "out of memory");
}

static void test_names_and_numbers(void **state)
{
    (void)state;
    assert_string_equal(error_code_name(CODE_DONE), "done");
    assert_string_equal(error_code_name(CODE_PIN_WRONG), "pin-wrong");
    assert_string_equal(error_code_name(CODE_BUSY), "busy");
    assert_string_equal(error_code_name((enum code)3), "unknown");
    assert_int_equal(error_code_from(0), CODE_DONE);
    assert_int_equal(error_code_from(22), CODE_PIN_LOCKED);
    assert_int_equal(error_code_from(3), CODE_FAULT);
    assert_int_equal(error_code_from((1UL << 32) + 22), CODE_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_gives_code_and_text),
        cmocka_unit_test(test_set_forgets_an_earlier_hint),
        cmocka_unit_test(test_prefix_keeps_code_and_hint),
        cmocka_unit_test(test_its_own_text_may_be_an_argument),
        cmocka_unit_test(test_errno_is_described),
        cmocka_unit_test(test_control_characters_become_question_marks),
        cmocka_unit_test(test_only_printable_utf8_stays),
        cmocka_unit_test(deceptive_characters_become_question_marks),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_a_character_divided_by_the_cut_is_replaced),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_names_and_numbers),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
