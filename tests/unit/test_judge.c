/*
 * test_judge.c: which grants may be exchanged, and which issued grants may replace the old one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/oauth/judge.h"

#define APP "1234567890"
#define NOW INT64_C(1767225600) /* 2026-01-01 */

static struct oauth_facts good(void)
{
    return (struct oauth_facts){
        .app_id = APP,
        .type = "USER",
        .subject = "10153848260347724",
        .valid = 1,
        .expires = NOW + 3600,
        .data_expires = NOW + 90 * 86400,
        .issued = FACT_UNKNOWN,
    };
}

static struct oauth_expected expected(void)
{
    return (struct oauth_expected){.provider = provider_find("meta"),
                                   .client_id = APP,
                                   .kind = "user",
                                   .step = STEP_EXCHANGE,
                                   .now = NOW};
}

static void set(char field[FACT_TEXT_MAX], const char *text)
{
    snprintf(field, FACT_TEXT_MAX, "%s", text);
}

static void input_gives(const struct oauth_facts *input, enum code code, const char *message)
{
    struct oauth_verdict verdict;

    memset(&verdict, 0x5a, sizeof(verdict));
    const struct oauth_expected wanted = expected();
    oauth_judge_input(&wanted, input, &verdict);
    assert_string_equal(verdict.message, message);
    assert_int_equal(verdict.action, code);
    assert_int_equal(verdict.http, 0);
    assert_string_equal(verdict.trace, "");
    assert_int_equal(verdict.hint[0] == '\0', code == CODE_DONE);
}

static void takes_a_living_user_token(void **state)
{
    struct oauth_facts input = good();

    (void)state;
    input_gives(&input, CODE_DONE, "");
    set(input.type, "user");
    input.expires = 0;
    input_gives(&input, CODE_DONE, "");
    input.expires = FACT_UNKNOWN;
    input_gives(&input, CODE_DONE, "");
    input.expires = NOW + 1;
    input_gives(&input, CODE_DONE, "");
    input.data_expires = NOW - 1; /* an exchange works all the same */
    input_gives(&input, CODE_DONE, "");
}

static void refuses_another_app(void **state)
{
    struct oauth_facts input = good();

    (void)state;
    set(input.app_id, "999");
    input.valid = 0; /* to log in again would not help */
    input_gives(&input, CODE_STOP, "the stored token belongs to another app");
    set(input.app_id, "");
    input_gives(&input, CODE_STOP,
                "the provider did not say which app the stored token belongs to");
}

static void wants_a_login_for_a_dead_token(void **state)
{
    struct oauth_facts input = good();

    (void)state;
    input.expires = NOW;
    input_gives(&input, CODE_LOGIN, "token expired on 2026-01-01");
    input.expires = NOW - 86400;
    input.valid = 0;
    input_gives(&input, CODE_LOGIN, "token expired on 2025-12-31");
    input.expires = NOW + 3600;
    input_gives(&input, CODE_LOGIN, "the provider says that the token is not valid");
    input.valid = FACT_UNKNOWN;
    input_gives(&input, CODE_STOP, "the provider did not say whether the token is valid");
}

static void refuses_other_kinds(void **state)
{
    static const char *const kinds[][2] = {
        {"PAGE", "the stored token is a page token; only a user token can be exchanged"},
        {"app", "the stored token is an app token; only a user token can be exchanged"},
        {"SYSTEM_USER",
         "the stored token is a system user's token; only a user token can be exchanged"},
        {"ROBOT", "the stored token is of an unknown kind; only a user token can be exchanged"},
        {"", "the stored token is of a kind the provider did not say; only a user token can be "
             "exchanged"},
    };
    struct oauth_facts input = good();

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        set(input.type, kinds[i][0]);
        input_gives(&input, CODE_STOP, kinds[i][1]);
    }
    input = good();
    set(input.subject, "");
    input_gives(&input, CODE_STOP, "the provider did not say whose token it is");
}

static void result_gives(const struct oauth_facts *input, const struct oauth_facts *result,
                         enum code code, const char *message)
{
    struct oauth_verdict verdict;

    memset(&verdict, 0x5a, sizeof(verdict));
    const struct oauth_expected wanted = expected();
    oauth_judge_result(&wanted, input, result, &verdict);
    assert_string_equal(verdict.message, message);
    assert_int_equal(verdict.action, code);
    assert_int_equal(verdict.http, 0);
}

static void compares_expiries(void **state)
{
#define NOT_EXTENDED "not-extended: the issued token expires no later than the old one"
    static const struct {
        int64_t before, after;
        enum code code;
        const char *message;
    } cases[] = {
        {NOW, NOW + 1, CODE_DONE, ""},
        {NOW, 0, CODE_DONE, ""},
        {FACT_UNKNOWN, NOW, CODE_DONE, ""},
        {FACT_UNKNOWN, 0, CODE_DONE, ""},
        {NOW, NOW, CODE_WAIT, NOT_EXTENDED},
        {NOW, NOW - 1, CODE_WAIT, NOT_EXTENDED},
        {0, 0, CODE_WAIT, NOT_EXTENDED},
        {0, NOW, CODE_WAIT, NOT_EXTENDED},
        {NOW, FACT_UNKNOWN, CODE_STOP, "the provider did not say when the token it issued expires"},
        {0, FACT_UNKNOWN, CODE_STOP, "the provider did not say when the token it issued expires"},
    };
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        input.expires = cases[i].before;
        result.expires = cases[i].after;
        result_gives(&input, &result, cases[i].code, cases[i].message);
    }
}

/* Each of these tokens also lives longer, so that only the fact in question can refuse it. */
static void refuses_what_is_not_the_same(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result;
    struct oauth_facts better = good();

    (void)state;
    better.expires = NOW + 60 * 86400;
    result_gives(&input, &better, CODE_DONE, "");

    result = better;
    set(result.app_id, "999");
    result_gives(&input, &result, CODE_STOP, "the issued token belongs to another app");
    set(result.app_id, "");
    result_gives(&input, &result, CODE_STOP,
                 "the provider did not say which app the issued token belongs to");
    result = better;
    set(result.subject, "10153848260347725");
    result_gives(&input, &result, CODE_STOP, "the issued token belongs to another user");
    set(result.subject, "");
    result_gives(&input, &result, CODE_STOP, "the provider did not say whose the issued token is");
    result = better;
    set(result.type, "PAGE");
    result_gives(&input, &result, CODE_STOP,
                 "the issued token is of another kind than the old one");
    result = better;
    result.valid = 0;
    result_gives(&input, &result, CODE_STOP,
                 "the provider says that the token it issued is not valid");
    result.valid = FACT_UNKNOWN;
    result_gives(&input, &result, CODE_STOP,
                 "the provider did not say whether the token it issued is valid");
    set(input.app_id, "999");
    result_gives(&input, &better, CODE_STOP,
                 "the issued token belongs to another app than the old one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_living_user_token),
        cmocka_unit_test(refuses_another_app),
        cmocka_unit_test(wants_a_login_for_a_dead_token),
        cmocka_unit_test(refuses_other_kinds),
        cmocka_unit_test(compares_expiries),
        cmocka_unit_test(refuses_what_is_not_the_same),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
