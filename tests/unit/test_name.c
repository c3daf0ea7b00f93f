/*
 * test_name.c: the grammar of names.
 */
#include "p11vault/base/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEN "0123456789"
#define SIXTY_FOUR TEN TEN TEN TEN TEN TEN "0123"

static void test_parts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "Z", "0", "ads", "a.b_c@d+e-f", "1353269864728879", SIXTY_FOUR};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(name_part_valid(good[i]));
    static const char *const bad[] = {"",    ".",   "..",  "-a",  "_a",          "@a",
                                      "+a",  "a/b", "a b", "a\n", "a\x7f",       "\u00e9",
                                      "a:b", "a%b", "a*",  "a'b", "a\\b",        "a,b",
                                      "a[b", "a`b", "a{b", "a~",  SIXTY_FOUR "4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (name_part_valid(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_apps(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(name_check_app("ads", &error), 0);
    assert_int_equal(name_check_app("ads/user", &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_int_equal(name_check_app("", &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
}

static void test_grants(void **state)
{
    (void)state;
    static const char *const kinds[] = {"user",      "page",    "system-user", "app",
                                        "instagram", "threads", "session"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct error error;
        struct name name;
        char text[100] = "ads/";
        strcat(text, kinds[i]);
        strcat(text, "/alice");
        assert_int_equal(name_parse_grant(text, &name, &error), 0);
        assert_string_equal(name.full, text);
        assert_string_equal(name.app, "ads");
        assert_string_equal(name.kind, kinds[i]);
        assert_string_equal(name.label, "alice");
    }
}

static void test_the_longest_name_fits(void **state)
{
    (void)state;
    struct error error;
    struct name name;
    const char *text = SIXTY_FOUR "/system-user/" SIXTY_FOUR;
    assert_int_equal(name_parse_grant(text, &name, &error), 0);
    assert_string_equal(name.full, text);
}

static void assert_refused(int (*parse)(const char *, struct name *, struct error *),
                           const char *text)
{
    struct error error;
    struct name name = {.app = "untouched"};
    if (parse(text, &name, &error) != -1)
        fail_msg("accepted: %s", text);
    assert_int_equal(error.code, CODE_USAGE);
    assert_string_equal(name.app, "untouched");
}

static void test_refused_grants(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "ads",
        "ads/user",
        "ads/user/",
        "/user/alice",
        "ads//alice",
        "ads/USER/a",
        "ads/secret/a",
        "ads/client/alice",
        "ads/user/alice/",
        "//",
        "ads/user/a/b",
        "ads/user/../x",
        " ads/user/alice",
        "ads/user/alice ",
        "ads/userx/a",
        "ads/use/a",
        "ads/user/a\nb",
        "../user/alice",
        SIXTY_FOUR "4/user/a",
        "ads/" SIXTY_FOUR "4/a",
        "ads/user/" SIXTY_FOUR "4",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(name_parse_grant, cases[i]);
        assert_refused(name_parse_record, cases[i]);
    }
    assert_refused(name_parse_grant, "ads/secret");
}

static void test_records(void **state)
{
    (void)state;
    struct error error;
    struct name name;
    assert_int_equal(name_parse_record("ads/secret", &name, &error), 0);
    assert_string_equal(name.full, "ads/secret");
    assert_string_equal(name.app, "ads");
    assert_string_equal(name.kind, "secret");
    assert_string_equal(name.label, "");
    assert_int_equal(name_parse_record("ads/page/42", &name, &error), 0);
    assert_string_equal(name.kind, "page");
    assert_refused(name_parse_record, "/secret");
    assert_refused(name_parse_record, "-a/secret");
    assert_refused(name_parse_record, "ads/secret/");
    assert_refused(name_parse_record, "ads/secrets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_apps),
        cmocka_unit_test(test_grants),         cmocka_unit_test(test_the_longest_name_fits),
        cmocka_unit_test(test_refused_grants), cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
