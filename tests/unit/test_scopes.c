/*
 * test_scopes.c: which scopes are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/scopes.h"

static void missing_is(const char *had, const char *has, const char *missing)
{
    struct error error;
    auto_buffer struct buffer found = BUFFER_UP_TO(OAUTH_SCOPES_TEXT_MAX);
    assert_int_equal(oauth_scopes_missing(had, has, &found, &error), 0);
    assert_string_equal(buffer_text(&found), missing);
}

static void names_what_is_missing(void **state)
{
    (void)state;
    missing_is("ads_read,pages_show_list,public_profile", "public_profile,ads_read",
               "pages_show_list");
    missing_is("ads_read,pages_show_list", "", "ads_read,pages_show_list");
    missing_is("ads_read,pages_show_list", NULL, "ads_read,pages_show_list");
    missing_is("ads_read", "ads_read,ads_management", "");
    missing_is("", "ads_read", "");
    missing_is(NULL, NULL, "");
}

static void reads_each_way_to_write_a_list(void **state)
{
    (void)state;
    missing_is("[\"ads_read\",\"email\"]", "email", "ads_read");
    missing_is("a b c", "[\"b\"]", "a,c");
    missing_is("a, b,,c ", " c", "a,b");
    missing_is("[]", "[]", "");
}

static void takes_only_whole_words(void **state)
{
    (void)state;
    missing_is("ads,ads_read", "ads_read", "ads");
    missing_is("ads_read", "ads", "ads_read");
    missing_is("https://x.example/a,https://x.example/ab", "https://x.example/ab",
               "https://x.example/a");
}

static void names_each_once(void **state)
{
    struct error error;
    auto_buffer struct buffer found = BUFFER_UP_TO(8);
    (void)state;
    missing_is("a,b,a,b", "b", "a");
    assert_int_equal(oauth_scopes_missing("a,b", "b", &found, &error), 0);
    assert_int_equal(oauth_scopes_missing("b,a,c", "b", &found, &error), 0);
    assert_string_equal(buffer_text(&found), "a,c");
    assert_int_equal(oauth_scopes_missing("too_long", "", &found, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_string_equal(buffer_text(&found), "a,c");
}

static void makes_an_array(void **state)
{
    (void)state;
    auto_json json_t *array = oauth_scopes_to_json("a,b");
    auto_json json_t *empty = oauth_scopes_to_json(NULL);
    auto_json json_t *wanted = json_pack("[s, s]", "a", "b");
    assert_true(json_equal(array, wanted));
    assert_int_equal(json_array_size(empty), 0);
    assert_true(json_is_array(empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_missing),  cmocka_unit_test(reads_each_way_to_write_a_list),
        cmocka_unit_test(takes_only_whole_words), cmocka_unit_test(names_each_once),
        cmocka_unit_test(makes_an_array),
    };
    return cmocka_run_group_tests_name("scopes", tests, NULL, NULL);
}
