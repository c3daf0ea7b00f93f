/*
 * test_login_kind.c: what the facts say of a grant that a login configuration has given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/oauth/judge.h"

#define NOW INT64_C(1767225600)

static void knows_the_kind_by_its_type(void **state)
{
    static const struct {
        const char *provider, *type, *kind;
    } cases[] = {
        {"meta", "USER", "user"},
        {"meta", "SYSTEM_USER", "system-user"},
        {"meta", "system_user", "system-user"},
        {"meta", "PAGE", "page"},
        {"meta", "", NULL},
        {"meta", "SYSTEM_USERS", NULL},
        {"instagram", "USER", NULL},
        {"threads", "SYSTEM_USER", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_facts facts;
        oauth_facts_init(&facts);
        snprintf(facts.type, sizeof(facts.type), "%s", cases[i].type);
        const char *kind = oauth_kind_said(provider_find(cases[i].provider), &facts);
        if (!cases[i].kind)
            assert_null(kind);
        else
            assert_string_equal(kind, cases[i].kind);
    }
}

/* Meta: an hour or two; what the provider did not say may be that, too. */
static void knows_what_is_short_lived(void **state)
{
    static const struct {
        int64_t expires;
        bool is_short;
    } cases[] = {
        {0, false},          {FACT_UNKNOWN, true},
        {NOW + 3600, true},  {NOW - 1, true},
        {NOW + 86399, true}, {NOW + 86400, false},
        {INT64_MAX, false},  {NOW + INT64_C(5184000), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_facts facts;
        oauth_facts_init(&facts);
        facts.expires = cases[i].expires;
        if (oauth_is_short_lived(&facts, NOW) != cases[i].is_short)
            fail_msg("%lld", (long long)cases[i].expires);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_kind_by_its_type),
        cmocka_unit_test(knows_what_is_short_lived),
    };

    return cmocka_run_group_tests_name("login_kind", tests, NULL, NULL);
}
