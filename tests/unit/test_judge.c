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
    input.valid = FACT_UNKNOWN;
    input_gives(&input, CODE_LOGIN, "token expired on 2026-01-01");
    input.expires = NOW - 86400;
    input.valid = 0;
    input_gives(&input, CODE_LOGIN, "token expired on 2025-12-31");
    input.expires = NOW + 3600;
    input_gives(&input, CODE_LOGIN, "the provider says that the token is not valid");
    input.valid = FACT_UNKNOWN;
    input_gives(&input, CODE_STOP, "the provider did not say whether the token is valid");
}

static void believes_the_provider_more_than_the_clock(void **state)
{
    struct oauth_facts input = good();

    (void)state;
    input.expires = NOW - 86400;
    input_gives(&input, CODE_DONE, "");
}

static void refuses_other_kinds(void **state)
{
    static const char *const kinds[][2] = {
        {"PAGE", "the stored token is a page token, not a user token"},
        {"app", "the stored token is an app token, not a user token"},
        {"SYSTEM_USER", "the stored token is a system user's token, not a user token"},
        {"ROBOT", "the stored token is of an unknown kind, not a user token"},
        {"", "the stored token is of a kind the provider did not say, not a user token"},
    };
    struct oauth_facts input = good();

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        set(input.type, kinds[i][0]);
        input_gives(&input, CODE_STOP, kinds[i][1]);
    }
    input = good();
    set(input.subject, "");
    input_gives(&input, CODE_STOP, "the provider did not say whose the stored token is");
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

static void judge_as(const char *provider, const char *kind, enum oauth_step step,
                     const char *subject, const struct oauth_facts *input,
                     const struct oauth_facts *result, enum code code, const char *message)
{
    struct oauth_verdict verdict;
    struct oauth_expected wanted = expected();

    wanted.provider = provider_find(provider);
    wanted.kind = kind;
    wanted.step = step;
    wanted.subject = subject;
    if (result == NULL)
        oauth_judge_input(&wanted, input, &verdict);
    else
        oauth_judge_result(&wanted, input, result, &verdict);
    assert_string_equal(verdict.message, message);
    assert_int_equal(verdict.action, code);
}

#define PAGE "1353269864728879"

static void judges_each_kind_by_its_type(void **state)
{
    static const char *const kinds[][3] = {
        {"user", "USER", "a user token"},
        {"page", "PAGE", "a page token"},
        {"app", "APP", "an app token"},
        {"system-user", "SYSTEM_USER", "a system user's token"},
    };
    struct oauth_facts input = good();

    (void)state;
    set(input.profile, PAGE);
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            char message[128] = "";

            if (i != j)
                snprintf(message, sizeof(message), "the stored token is %s, not %s", kinds[j][2],
                         kinds[i][2]);
            set(input.type, kinds[j][1]);
            judge_as("meta", kinds[i][0], STEP_COUNT, NULL, &input, NULL,
                     i == j ? CODE_DONE : CODE_STOP, message);
        }
        judge_as("meta", "session", STEP_COUNT, NULL, &input, NULL, CODE_DONE, "");
    }
    set(input.type, "");
    set(input.subject, "");
    judge_as("meta", "session", STEP_COUNT, NULL, &input, NULL, CODE_DONE, "");
    set(input.type, "APP");
    judge_as("meta", "app", STEP_COUNT, NULL, &input, NULL, CODE_DONE, "");
    set(input.type, "PAGE");
    judge_as("meta", "page", STEP_COUNT, PAGE, &input, NULL, CODE_DONE, "");
    judge_as("meta", "page", STEP_COUNT, "1", &input, NULL, CODE_STOP,
             "the stored token is for another page");
    set(input.profile, "");
    judge_as("meta", "page", STEP_COUNT, NULL, &input, NULL, CODE_STOP,
             "the provider did not say which page the stored token is for");
}

static void judges_issued_grants_of_other_steps(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    result.expires = FACT_UNKNOWN;
    judge_as("meta", "user", STEP_CODE, NULL, NULL, &result, CODE_DONE, "");
    judge_as("meta", "user", STEP_DEVICE_POLL, "7", NULL, &result, CODE_STOP,
             "the issued token belongs to another user");
    result.expires = NOW;
    judge_as("meta", "user", STEP_CODE, NULL, NULL, &result, CODE_STOP,
             "the token that the provider issued has expired already");
    result.expires = 0;
    judge_as("meta", "system-user", STEP_SYSTEM_USER, NULL, NULL, &result, CODE_STOP,
             "the issued token is of another kind than was asked for");

    set(result.type, "PAGE");
    set(result.profile, PAGE);
    judge_as("meta", "page", STEP_PAGES, PAGE, &input, &result, CODE_DONE, "");
    judge_as("meta", "page", STEP_PAGES, "1", &input, &result, CODE_STOP,
             "the issued token is for another page");
    set(result.app_id, "999");
    judge_as("meta", "page", STEP_PAGES, PAGE, &input, &result, CODE_STOP,
             "the issued token belongs to another app");

    result = good();
    set(result.type, "SESSION");
    judge_as("meta", "session", STEP_SESSION_INFO, NULL, &input, &result, CODE_DONE, "");
    set(result.subject, "");
    judge_as("meta", "session", STEP_SESSION_INFO, NULL, &input, &result, CODE_DONE, "");
    set(result.subject, "7");
    judge_as("meta", "session", STEP_SESSION_INFO, NULL, &input, &result, CODE_STOP,
             "the issued token belongs to another user");
    result.valid = 0;
    judge_as("meta", "session", STEP_SESSION_INFO, NULL, &input, &result, CODE_STOP,
             "the provider says that the token it issued is not valid");
}

static void wants_a_system_user_renewed(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result;

    (void)state;
    set(input.type, "SYSTEM_USER");
    result = input;
    judge_as("meta", "system-user", STEP_EXCHANGE, NULL, &input, &result, CODE_WAIT, NOT_EXTENDED);
    result.expires = NOW + 60 * 86400;
    judge_as("meta", "system-user", STEP_EXCHANGE, NULL, &input, &result, CODE_DONE, "");
}

/* Only whose grant it is: the app is not asked for, the expiry is what the caller knows. */
static void judges_families_without_a_debugger(void **state)
{
    static const char *const families[] = {"instagram", "threads"};
    struct oauth_facts input = {.subject = "17841405793187218",
                                .valid = 1,
                                .expires = NOW + 86400,
                                .data_expires = FACT_UNKNOWN,
                                .issued = FACT_UNKNOWN};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct oauth_facts before = input;
        struct oauth_facts result = input;

        judge_as(families[i], families[i], STEP_COUNT, NULL, &before, NULL, CODE_DONE, "");
        result.expires = NOW + 60 * 86400;
        judge_as(families[i], families[i], STEP_REFRESH, NULL, &before, &result, CODE_DONE, "");
        judge_as(families[i], families[i], STEP_REFRESH, NULL, &before, &before, CODE_WAIT,
                 NOT_EXTENDED);
        result.expires = FACT_UNKNOWN;
        judge_as(families[i], families[i], STEP_EXCHANGE, NULL, &before, &result, CODE_STOP,
                 "the provider did not say when the token it issued expires");
        result.expires = 0;
        set(result.subject, "1");
        judge_as(families[i], families[i], STEP_EXCHANGE, NULL, &before, &result, CODE_STOP,
                 "the issued token belongs to another user");
        before.expires = NOW;
        before.valid = FACT_UNKNOWN;
        judge_as(families[i], families[i], STEP_COUNT, NULL, &before, NULL, CODE_LOGIN,
                 "token expired on 2026-01-01");
        before.expires = FACT_UNKNOWN;
        judge_as(families[i], families[i], STEP_COUNT, NULL, &before, NULL, CODE_STOP,
                 "the provider did not say whether the token is valid");
        before.valid = 1;
        set(before.subject, "");
        judge_as(families[i], families[i], STEP_COUNT, NULL, &before, NULL, CODE_STOP,
                 "the provider did not say whose the stored token is");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_living_user_token),
        cmocka_unit_test(refuses_another_app),
        cmocka_unit_test(wants_a_login_for_a_dead_token),
        cmocka_unit_test(believes_the_provider_more_than_the_clock),
        cmocka_unit_test(refuses_other_kinds),
        cmocka_unit_test(compares_expiries),
        cmocka_unit_test(refuses_what_is_not_the_same),
        cmocka_unit_test(judges_each_kind_by_its_type),
        cmocka_unit_test(judges_issued_grants_of_other_steps),
        cmocka_unit_test(wants_a_system_user_renewed),
        cmocka_unit_test(judges_families_without_a_debugger),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
