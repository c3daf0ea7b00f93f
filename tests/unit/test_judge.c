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
#define DAY (NOW + 86400)

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

static const struct oauth_verdict fine = {.action = CODE_DONE};

static enum oauth_standing standing_for(enum code code)
{
    if (code == CODE_DONE)
        return STANDING_ALIVE;
    return code == CODE_LOGIN ? STANDING_DEAD : STANDING_UNKNOWN;
}

static void input_of(const struct oauth_expected *wanted, const struct oauth_facts *input,
                     enum code code, const char *message)
{
    struct oauth_verdict verdict;
    const struct oauth_said said = {&fine, input};

    memset(&verdict, 0x5a, sizeof(verdict));
    assert_int_equal(oauth_judge_input(wanted, &said, &verdict), standing_for(code));
    assert_string_equal(verdict.message, message);
    assert_int_equal(verdict.action, code);
    assert_int_equal(verdict.http, 0);
    assert_string_equal(verdict.trace, "");
    assert_int_equal(verdict.hint[0] == '\0', code == CODE_DONE);
}

static void input_gives(const struct oauth_facts *input, enum code code, const char *message)
{
    const struct oauth_expected wanted = expected();
    input_of(&wanted, input, code, message);
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

/* A person's grant whose inspection brought `input` a moment ago; what replaces it. */
static void result_of(const struct oauth_expected *wanted, const struct oauth_facts *input,
                      const struct oauth_facts *result, enum grant_fate fate, const char *message)
{
    struct oauth_verdict verdict;
    const struct oauth_said said = {&fine, result};
    const struct oauth_old old = {STANDING_ALIVE, input ? input->expires : FACT_UNKNOWN};

    memset(&verdict, 0x5a, sizeof(verdict));
    enum grant_fate found = oauth_decide(wanted, input ? &old : NULL, &said, &verdict);
    if (found != fate)
        fail_msg("fate %d instead of %d: \"%s\"", (int)found, (int)fate, verdict.message);
    assert_string_equal(verdict.message, message);
    assert_int_equal(verdict.action, fate == FATE_PROMOTE   ? CODE_DONE
                                     : fate == FATE_SURPLUS ? CODE_WAIT
                                                            : CODE_STOP);
    assert_int_equal(verdict.http, 0);
}

static void result_gives(const struct oauth_facts *input, const struct oauth_facts *result,
                         enum grant_fate fate, const char *message)
{
    struct oauth_expected wanted = expected();
    wanted.subject = input->subject;
    result_of(&wanted, input, result, fate, message);
}

static void compares_expiries(void **state)
{
#define NOT_EXTENDED "not-extended: the issued token expires no later than the old one"
    static const struct {
        int64_t before, after;
        enum grant_fate fate;
        const char *message;
    } cases[] = {
        {DAY, DAY + 1, FATE_PROMOTE, ""},
        {DAY, 0, FATE_PROMOTE, ""},
        {FACT_UNKNOWN, DAY, FATE_PROMOTE, ""},
        {FACT_UNKNOWN, 0, FATE_PROMOTE, ""},
        {DAY, DAY, FATE_SURPLUS, NOT_EXTENDED},
        {DAY, DAY - 1, FATE_SURPLUS, NOT_EXTENDED},
        {0, 0, FATE_SURPLUS, NOT_EXTENDED},
        {0, DAY, FATE_SURPLUS, NOT_EXTENDED},
        {DAY, FACT_UNKNOWN, FATE_WAIT, "the provider did not say when the token it issued expires"},
        {0, FACT_UNKNOWN, FATE_WAIT, "the provider did not say when the token it issued expires"},
    };
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        input.expires = cases[i].before;
        result.expires = cases[i].after;
        result_gives(&input, &result, cases[i].fate, cases[i].message);
    }
}

/*
 * Whatever was known of the end of the old one; and it is no proof against it, since clocks differ.
 */
static void an_expired_result_replaces_nothing(void **state)
{
    static const int64_t before[] = {FACT_UNKNOWN, 500, NOW - 1, DAY, 0};
    static const int64_t after[] = {1000, NOW - 1, NOW};
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        for (size_t j = 0; j < sizeof(after) / sizeof(after[0]); j++) {
            input.expires = before[i];
            result.expires = after[j];
            result_gives(&input, &result, FATE_WAIT,
                         "the token that the provider issued has expired already");
        }
}

/* 9999-12-31 is no end that a provider gives; 0 is how never is said. */
static void an_end_in_a_hundred_years_is_not_believed(void **state)
{
    static const int64_t last = NOW + OAUTH_EXPIRY_SECONDS_MAX;
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    result.expires = INT64_C(253402300799);
    result_gives(&input, &result, FATE_WAIT,
                 "the provider says that the issued token expires on 9999-12-31, which is not "
                 "believed");
    input_gives(&result, CODE_STOP,
                "the provider says that the stored token expires on 9999-12-31, which is not "
                "believed");
    result.expires = last;
    result_gives(&input, &result, FATE_PROMOTE, "");
    input_gives(&result, CODE_DONE, "");
}

static void an_end_before_the_beginning_is_not_believed(void **state)
{
    struct oauth_facts input = good();

    (void)state;
    input.issued = NOW - 86400;
    input.expires = input.issued;
    input_gives(&input, CODE_DONE, "");
    input.expires--;
    input_gives(&input, CODE_STOP,
                "the provider says that the stored token expires on 2025-12-30, which is not "
                "believed");
}

/* Each of these tokens also lives longer, so that only the fact in question can refuse it. */
static void refuses_what_is_not_the_same(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result;
    struct oauth_facts better = good();

    (void)state;
    better.expires = NOW + 60 * 86400;
    result_gives(&input, &better, FATE_PROMOTE, "");

    result = better;
    set(result.app_id, "999");
    result_gives(&input, &result, FATE_REJECT, "the issued token belongs to another app");
    set(result.app_id, "");
    result_gives(&input, &result, FATE_WAIT,
                 "the provider did not say which app the issued token belongs to");
    result = better;
    set(result.subject, "10153848260347725");
    result_gives(&input, &result, FATE_REJECT, "the issued token belongs to another user");
    set(result.subject, "");
    result_gives(&input, &result, FATE_WAIT, "the provider did not say whose the issued token is");
    result = better;
    set(result.type, "PAGE");
    result_gives(&input, &result, FATE_WAIT,
                 "the issued token is of another kind than was asked for");
    result = better;
    result.valid = 0;
    result_gives(&input, &result, FATE_REJECT,
                 "the provider says that the token it issued is not valid");
    result.valid = FACT_UNKNOWN;
    result_gives(&input, &result, FATE_WAIT,
                 "the provider did not say whether the token it issued is valid");
}

/*
 * The subject that is known is the yardstick, whatever else the answer says; and what is not known
 * cannot be another.
 */
static void compares_the_stored_subject(void **state)
{
    struct oauth_facts facts = good();
    struct oauth_expected wanted = expected();

    (void)state;
    wanted.subject = facts.subject;
    input_of(&wanted, &facts, CODE_DONE, "");
    wanted.subject = "666";
    input_of(&wanted, &facts, CODE_STOP, "the stored token belongs to another user");
    facts.valid = 0; /* nor does it say that ours is dead */
    input_of(&wanted, &facts, CODE_STOP, "the stored token belongs to another user");
    facts.valid = 1;
    facts.expires = NOW - 1;
    input_of(&wanted, &facts, CODE_STOP, "the stored token belongs to another user");
    wanted.subject = NULL;
    facts.expires = 0;
    input_of(&wanted, &facts, CODE_DONE, "");
}

static struct oauth_expected expected_as(const char *provider, const char *kind,
                                         enum oauth_step step, const char *subject)
{
    struct oauth_expected wanted = expected();

    wanted.provider = provider_find(provider);
    wanted.kind = kind;
    wanted.step = step;
    wanted.subject = subject;
    return wanted;
}

static void input_as(const char *provider, const char *kind, const char *subject,
                     const struct oauth_facts *input, enum code code, const char *message)
{
    const struct oauth_expected wanted = expected_as(provider, kind, STEP_COUNT, subject);
    input_of(&wanted, input, code, message);
}

static void result_as(const char *provider, const char *kind, enum oauth_step step,
                      const char *subject, const struct oauth_facts *input,
                      const struct oauth_facts *result, enum grant_fate fate, const char *message)
{
    const struct oauth_expected wanted = expected_as(provider, kind, step, subject);
    result_of(&wanted, input, result, fate, message);
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
            input_as("meta", kinds[i][0], NULL, &input, i == j ? CODE_DONE : CODE_STOP, message);
        }
        input_as("meta", "session", NULL, &input, CODE_DONE, "");
    }
    set(input.type, "");
    set(input.subject, "");
    input_as("meta", "session", NULL, &input, CODE_DONE, "");
    set(input.type, "APP");
    input_as("meta", "app", NULL, &input, CODE_DONE, "");
    set(input.type, "PAGE");
    input_as("meta", "page", PAGE, &input, CODE_DONE, "");
    input_as("meta", "page", "1", &input, CODE_STOP, "the stored token is for another page");
    set(input.profile, "");
    input_as("meta", "page", NULL, &input, CODE_STOP,
             "the provider did not say which page the stored token is for");
}

static void judges_issued_grants_of_other_steps(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result = good();

    (void)state;
    result.expires = FACT_UNKNOWN;
    result_as("meta", "user", STEP_CODE, NULL, NULL, &result, FATE_PROMOTE, "");
    result_as("meta", "user", STEP_DEVICE_POLL, "7", NULL, &result, FATE_REJECT,
              "the issued token belongs to another user");
    result.expires = NOW;
    result_as("meta", "user", STEP_CODE, NULL, NULL, &result, FATE_WAIT,
              "the token that the provider issued has expired already");
    result.expires = 0;
    result_as("meta", "system-user", STEP_SYSTEM_USER, NULL, NULL, &result, FATE_WAIT,
              "the issued token is of another kind than was asked for");

    set(result.type, "PAGE");
    set(result.profile, PAGE);
    result_as("meta", "page", STEP_PAGES, PAGE, &input, &result, FATE_PROMOTE, "");
    result_as("meta", "page", STEP_PAGES, "1", &input, &result, FATE_REJECT,
              "the issued token is for another page");
    set(result.app_id, "999");
    result_as("meta", "page", STEP_PAGES, PAGE, &input, &result, FATE_REJECT,
              "the issued token belongs to another app");

    result = good();
    set(result.type, "SESSION");
    result_as("meta", "session", STEP_SESSION_INFO, input.subject, &input, &result, FATE_PROMOTE,
              "");
    set(result.subject, "");
    result_as("meta", "session", STEP_SESSION_INFO, input.subject, &input, &result, FATE_PROMOTE,
              "");
    set(result.subject, "7");
    result_as("meta", "session", STEP_SESSION_INFO, input.subject, &input, &result, FATE_REJECT,
              "the issued token belongs to another user");
    result.valid = 0;
    result_as("meta", "session", STEP_SESSION_INFO, NULL, &input, &result, FATE_REJECT,
              "the provider says that the token it issued is not valid");
}

static void wants_a_system_user_renewed(void **state)
{
    struct oauth_facts input = good();
    struct oauth_facts result;

    (void)state;
    set(input.type, "SYSTEM_USER");
    result = input;
    result_as("meta", "system-user", STEP_EXCHANGE, NULL, &input, &result, FATE_SURPLUS,
              NOT_EXTENDED);
    result.expires = NOW + 60 * 86400;
    result_as("meta", "system-user", STEP_EXCHANGE, NULL, &input, &result, FATE_PROMOTE, "");
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

        input_as(families[i], families[i], NULL, &before, CODE_DONE, "");
        result.expires = NOW + 60 * 86400;
        result_as(families[i], families[i], STEP_REFRESH, input.subject, &before, &result,
                  FATE_PROMOTE, "");
        result_as(families[i], families[i], STEP_REFRESH, input.subject, &before, &before,
                  FATE_SURPLUS, NOT_EXTENDED);
        result.expires = FACT_UNKNOWN;
        result_as(families[i], families[i], STEP_EXCHANGE, input.subject, &before, &result,
                  FATE_WAIT, "the provider did not say when the token it issued expires");
        result.expires = 0;
        set(result.subject, "1");
        result_as(families[i], families[i], STEP_EXCHANGE, input.subject, &before, &result,
                  FATE_REJECT, "the issued token belongs to another user");
        before.expires = NOW;
        before.valid = FACT_UNKNOWN;
        input_as(families[i], families[i], NULL, &before, CODE_LOGIN,
                 "token expired on 2026-01-01");
        before.expires = FACT_UNKNOWN;
        input_as(families[i], families[i], NULL, &before, CODE_STOP,
                 "the provider did not say whether the token is valid");
        before.valid = 1;
        set(before.subject, "");
        input_as(families[i], families[i], NULL, &before, CODE_STOP,
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
        cmocka_unit_test(an_expired_result_replaces_nothing),
        cmocka_unit_test(an_end_in_a_hundred_years_is_not_believed),
        cmocka_unit_test(an_end_before_the_beginning_is_not_believed),
        cmocka_unit_test(refuses_what_is_not_the_same),
        cmocka_unit_test(compares_the_stored_subject),
        cmocka_unit_test(judges_each_kind_by_its_type),
        cmocka_unit_test(judges_issued_grants_of_other_steps),
        cmocka_unit_test(wants_a_system_user_renewed),
        cmocka_unit_test(judges_families_without_a_debugger),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
