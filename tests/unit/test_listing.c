/*
 * test_listing.c: lists of pages that came short: what is missing, and what helps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/oauth/listing.h"

#define LIST "pages_show_list"
#define MANAGE "business_management"

/*
 * A grant with these permissions, one comma between two; and with these ids chosen for its pages.
 */
static struct oauth_facts grant(const char *scopes, const char *granular)
{
    struct oauth_facts facts;
    char copy[256];
    oauth_facts_init(&facts);
    snprintf(copy, sizeof(copy), "%s", scopes);
    for (char *rest = NULL, *scope = strtok_r(copy, ",", &rest); scope;
         scope = strtok_r(NULL, ",", &rest))
        snprintf(facts.scopes[facts.scope_count++], FACT_TEXT_MAX, "%s", scope);
    snprintf(facts.granular, sizeof(facts.granular), "%s", granular);
    return facts;
}

static const struct {
    const char *scopes, *granular;
    struct oauth_listing listing;
    enum code action;
    const char *message, *hint;
} cases[] = {
    /* Nothing says that there must be more. */
    {LIST, "", {false, 3, 0}, CODE_DONE, "", ""},
    {LIST, LIST "=1,2,3", {false, 3, 3}, CODE_DONE, "", ""},
    {LIST, LIST, {false, 1, 0}, CODE_DONE, "", ""},
    {"", "", {false, 0, 0}, CODE_DONE, "no pages", "pages NAME --business"},
    {LIST "," MANAGE, "", {false, 0, 0}, CODE_DONE, "no pages", "pages NAME --business"},
    {LIST "," MANAGE, "", {true, 0, 0}, CODE_DONE, "no pages", ""},
    /* A permission is missing. */
    {"email", "", {false, 0, 0}, CODE_PERMISSION, LIST " was not granted", "--scope " LIST},
    {"email", "", {false, 2, 0}, CODE_DONE, "", ""},
    /* The provider counts more, or the person chose more. */
    {LIST,
     "",
     {false, 0, 5},
     CODE_PERMISSION,
     "no page is listed, although the provider counts 5",
     "pages of a business need " MANAGE},
    {LIST,
     LIST "=1,2",
     {false, 0, 0},
     CODE_PERMISSION,
     "no page is listed, although the person chose 2",
     "pages of a business need " MANAGE},
    {LIST "," MANAGE,
     "email " LIST "=1",
     {false, 0, 0},
     CODE_PERMISSION,
     "although the person chose 1",
     "list the pages of businesses, too"},
    {LIST "," MANAGE,
     "ads_read=9,8,7 " LIST "=1,2 email",
     {true, 1, 0},
     CODE_DONE,
     "1 page is listed, although the person chose 2",
     "give the person a task"},
    {LIST,
     "",
     {false, 2, 3},
     CODE_DONE,
     "2 pages are listed, although the provider counts 3",
     "then: p11vault pages NAME --business"},
    {LIST, "x" LIST "=1,2", {false, 1, 0}, CODE_DONE, "", ""},
};

static void says_what_is_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_facts facts = grant(cases[i].scopes, cases[i].granular);
        struct oauth_verdict verdict;
        memset(&verdict, 0x5a, sizeof(verdict));
        oauth_listing_judge(&facts, &cases[i].listing, &verdict);
        if (verdict.action != cases[i].action || !strstr(verdict.message, cases[i].message) ||
            !strstr(verdict.hint, cases[i].hint) || (!*cases[i].message && *verdict.message))
            fail_msg("%zu: %s, \"%s\" (%s)", i, error_code_name(verdict.action), verdict.message,
                     verdict.hint);
    }
}

/* Known to be missing, not merely not named. */
static void businesses_need_a_permission(void **state)
{
    static const struct {
        const char *scopes;
        bool of_businesses;
        enum code action;
    } rows[] = {{LIST, true, CODE_PERMISSION},
                {LIST, false, CODE_DONE},
                {"", true, CODE_DONE},
                {LIST "," MANAGE, true, CODE_DONE}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct oauth_facts facts = grant(rows[i].scopes, "");
        struct oauth_verdict verdict;
        oauth_listing_may(&facts, rows[i].of_businesses, &verdict);
        assert_int_equal(verdict.action, rows[i].action);
        if (verdict.action != CODE_DONE)
            assert_non_null(strstr(verdict.hint, "--scope " LIST "," MANAGE));
    }
}

static void a_page_without_a_token_is_a_permission(void **state)
{
    struct oauth_facts facts = grant(LIST, "");
    struct oauth_verdict verdict;
    (void)state;
    oauth_listing_withheld(&facts, false, &verdict);
    assert_int_equal(verdict.action, CODE_PERMISSION);
    assert_non_null(strstr(verdict.message, "without a token"));
    assert_non_null(strstr(verdict.hint, MANAGE));
    oauth_listing_withheld(&facts, true, &verdict);
    assert_non_null(strstr(verdict.hint, "give the person a task"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(businesses_need_a_permission),
        cmocka_unit_test(a_page_without_a_token_is_a_permission),
    };
    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
