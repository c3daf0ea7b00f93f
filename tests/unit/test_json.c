/*
 * test_json.c: what is refused as JSON, the canonical form, and the members of objects.
 */
#include "p11vault/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *parsed(const char *text)
{
    struct error error;
    json_t *object = NULL;
    assert_int_equal(json_parse(text, strlen(text), "test", &object, &error), 0);
    return object;
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "null",
        "[]",
        "\"text\"",
        "1",
        "{",
        "{}x",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":9223372036854775808}",
        "{\"a\":1e999}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000b\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":1}//",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        json_t *object = NULL;
        if (json_parse(cases[i], strlen(cases[i]), "answer", &object, &error) != -1)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(error.code, CODE_STOP);
        assert_null(object);
    }
}

static void test_a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct error error;
    json_t *object = NULL;
    assert_int_equal(json_parse("{}\0", 3, "answer", &object, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(json_parse("{\"a\":\"\0\"}", 9, "answer", &object, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void test_errors_never_quote_the_text(void **state)
{
    (void)state;
    struct error error;
    json_t *object = NULL;
    const char *text = "{\"access_token\":\n EAAsecret}";
    assert_int_equal(json_parse(text, strlen(text), "answer", &object, &error), -1);
    assert_null(strstr(error.text, "EAA"));
    assert_null(strstr(error.text, "access"));
    assert_non_null(strstr(error.text, "answer"));
    assert_non_null(strstr(error.text, "line 2"));
}

/* {"a":{"a":...1...}} with `depth` objects. */
static int parse_nested(unsigned depth, const char *open, const char *shut, struct error *error)
{
    char text[1024] = "{\"a\":";
    for (unsigned i = 1; i < depth; i++)
        strcat(text, open);
    strcat(text, "1");
    for (unsigned i = 1; i < depth; i++)
        strcat(text, shut);
    strcat(text, "}");
    auto_json json_t *object = NULL;
    return json_parse(text, strlen(text), "test", &object, error);
}

static void test_nesting_has_a_bound(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(parse_nested(32, "{\"a\":", "}", &error), 0);
    assert_int_equal(parse_nested(32, "[", "]", &error), 0);
    assert_int_equal(parse_nested(33, "{\"a\":", "}", &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(parse_nested(33, "[", "]", &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void test_brackets_in_strings_do_not_nest(void **state)
{
    (void)state;
    auto_json json_t *object =
        parsed("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\\\\\",\"b\":[]}");
    assert_non_null(json_text(object, "a"));
}

static void assert_canonical(const char *text, const char *expected)
{
    struct error error;
    auto_json json_t *object = parsed(text);
    auto_free char *canonical = NULL;
    assert_int_equal(json_canonical(object, &canonical, &error), 0);
    assert_string_equal(canonical, expected);
}

static void test_canonical(void **state)
{
    (void)state;
    assert_canonical("{}", "{}");
    assert_canonical("{ \"b\" : 1, \"a\" : [ true, null, -5 ] }", "{\"a\":[true,null,-5],\"b\":1}");
    assert_canonical("{\"b\":{\"d\":1,\"c\":2},\"B\":3}", "{\"B\":3,\"b\":{\"c\":2,\"d\":1}}");
    assert_canonical("{\"ab\":1,\"a\":2,\"a\\u00e9\":3}", "{\"a\":2,\"ab\":1,\"a\u00e9\":3}");
    assert_canonical("{\"a\":\"\\u20ac\\/\\\"\\\\\\u001f\\n\"}",
                     "{\"a\":\"\u20ac/\\\"\\\\\\u001F\\n\"}");
    assert_canonical("{\"a\":9223372036854775807}", "{\"a\":9223372036854775807}");
}

static void test_canonical_refuses_reals_anywhere(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"a\":1.0}",
        "{\"a\":[1,[2,1e2]]}",
        "{\"a\":{\"b\":{\"c\":-0.5}}}",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        auto_json json_t *object = parsed(cases[i]);
        char *text = NULL;
        assert_int_equal(json_canonical(object, &text, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
        assert_null(text);
    }
}

static void test_members(void **state)
{
    (void)state;
    auto_json json_t *object = parsed("{\"t\":\"x\",\"n\":-7,\"r\":1.5,\"z\":null}");
    assert_string_equal(json_text(object, "t"), "x");
    assert_null(json_text(object, "n"));
    assert_null(json_text(object, "none"));
    assert_int_equal(json_number(object, "n", 9), -7);
    assert_int_equal(json_number(object, "t", 9), 9);
    assert_int_equal(json_number(object, "r", 9), 9);
    assert_int_equal(json_number(object, "none", 9), 9);
}

static void test_loose_numbers(void **state)
{
    (void)state;
    auto_json json_t *object = parsed(
        "{\"n\":-7,\"s\":\"9223372036854775807\",\"zero\":\"0\",\"big\":\"9223372036854775808\","
        "\"long\":\"99999999999999999999\",\"lead\":\"01\",\"sign\":\"-1\",\"space\":\" 1\","
        "\"behind\":\"1x\",\"empty\":\"\",\"real\":1.5,\"null\":null}");
    int64_t number = 5;
    assert_true(json_loose_number(object, "n", &number));
    assert_int_equal(number, -7);
    assert_true(json_loose_number(object, "s", &number));
    assert_true(number == INT64_MAX);
    assert_true(json_loose_number(object, "zero", &number));
    assert_int_equal(number, 0);
    static const char *const refused[] = {"big",    "long",  "lead", "sign", "space",
                                          "behind", "empty", "real", "null", "none"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        number = 5;
        assert_false(json_loose_number(object, refused[i], &number));
        assert_int_equal(number, 5);
    }
}

static void test_only(void **state)
{
    (void)state;
    auto_json json_t *object = parsed("{\"a\":1,\"b\":2}");
    assert_true(json_only(object, (const char *const[]){"c", "b", "a", NULL}));
    assert_false(json_only(object, (const char *const[]){"a", NULL}));
    assert_false(json_only(object, (const char *const[]){NULL}));
    auto_json json_t *empty = parsed("{}");
    assert_true(json_only(empty, (const char *const[]){NULL}));
}

static void test_one(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "{}",           " [1, -0.5e+3, 12345678901234567890123, \"a\\u0041\\n\\/\xc3\xa9\"] ",
        "true",         "null",
        "\"\"",         "{\"a\":{\"b\":[]},\"a\":1e999}",
        "[[[[[[]]]]]]", "\t7\r\n"};
    static const char *const wrong[] = {"",
                                        " ",
                                        "{}]",
                                        "{},{}",
                                        "{}],\"http\":1,\"answers\":[{}",
                                        "{",
                                        "[1,]",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "[1 2]",
                                        "\"a",
                                        "\"\n\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "01",
                                        "1.",
                                        "-",
                                        "1e",
                                        "nul",
                                        "tru",
                                        "'a'",
                                        "{}//",
                                        "[/**/]",
                                        "{\"a\":1]",
                                        "[1}",
                                        "\"\xff\"",
                                        "\"\xc0\xaf\"",
                                        "Service Unavailable",
                                        "\"\\",
                                        "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (!json_is_one(fine[i], strlen(fine[i])))
            fail_msg("refused: %s", fine[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (json_is_one(wrong[i], strlen(wrong[i])))
            fail_msg("accepted: %s", wrong[i]);
    assert_false(json_is_one("{}\0", 3));
    char deep[2048];
    memset(deep, '[', 511);
    memset(deep + 511, ']', 511);
    assert_true(json_is_one(deep, 1022));
    memset(deep, '[', 600);
    memset(deep + 600, ']', 600);
    assert_false(json_is_one(deep, 1200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_nul_byte_is_refused),
        cmocka_unit_test(test_errors_never_quote_the_text),
        cmocka_unit_test(test_nesting_has_a_bound),
        cmocka_unit_test(test_brackets_in_strings_do_not_nest),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_canonical_refuses_reals_anywhere),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_loose_numbers),
        cmocka_unit_test(test_only),
        cmocka_unit_test(test_one),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
