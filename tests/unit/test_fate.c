/*
 * test_fate.c: what becomes of an issued grant when its inspection is answered with an error: every
 * code of the table, with every HTTP status, for every step that issues, whatever is known of the
 * old grant.  Nothing is destroyed without proof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../src/oauth/meta_error_rows.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/judge.h"

#define APP "1234567890"
#define SUBJECT "10153848260347724"
#define NOW INT64_C(1767225600) /* 2026-01-01 */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum oauth_step issuing[] = {
    STEP_EXCHANGE,    STEP_CODE,   STEP_REFRESH,      STEP_PAGES,  STEP_APP_TOKEN,
    STEP_SYSTEM_USER, STEP_NARROW, STEP_SESSION_INFO, STEP_REDEEM, STEP_DEVICE_POLL};

static const struct {
    const char *provider, *kind;
} grants[] = {{"meta", "user"},        {"meta", "page"},    {"meta", "app"},
              {"meta", "system-user"}, {"meta", "session"}, {"instagram", "instagram"},
              {"threads", "threads"}};

static const struct oauth_old olds[] = {
    {STANDING_UNASKED, NOW + 1}, {STANDING_ALIVE, 0},   {STANDING_ALIVE, NOW + 1},
    {STANDING_DEAD, NOW - 1},    {STANDING_UNKNOWN, 0}, {STANDING_ALIVE, FACT_UNKNOWN}};

static const char *no_header(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static void read_inspection(const char *provider, int status, const char *text,
                            struct oauth_answer *ret_answer)
{
    auto_of(secret_free) struct secret *body = NULL;
    struct error error;

    assert_int_equal(secret_new(strlen(text) + 1, &body, &error), 0);
    assert_int_equal(secret_append_text(body, text, &error), 0);
    const struct oauth_reply reply = {STEP_INSPECT_RESULT, status, no_header, NULL, body, "v26.0"};
    assert_int_equal(oauth_answer_read(provider_find(provider), &reply, ret_answer, &error), 0);
}

/* The same fate at every step, whatever the old grant. */
static void ends_as(size_t grant, const char *provider, int status, const char *text,
                    enum grant_fate fate)
{
    auto_answer struct oauth_answer answer;
    struct oauth_verdict verdict;

    read_inspection(provider, status, text, &answer);
    const struct oauth_said said = {&answer.verdict, &answer.facts};
    for (size_t i = 0; i < COUNT(issuing); i++)
        for (size_t j = 0; j <= COUNT(olds); j++) {
            const struct oauth_expected expected = {
                provider_find(provider), APP, grants[grant].kind, issuing[i], SUBJECT, NOW};
            const struct oauth_old *old = j < COUNT(olds) ? &olds[j] : NULL;
            enum grant_fate found = oauth_decide(&expected, old, &said, &verdict);
            if (found != fate || verdict.action == CODE_DONE)
                fail_msg("%s, HTTP %d, %s, old %zu: fate %d instead of %d", text, status,
                         oauth_step_name(issuing[i]), j, (int)found, (int)fate);
        }
}

static void ends_everywhere_as(int status, const char *text, enum grant_fate fate)
{
    for (size_t i = 0; i < COUNT(grants); i++)
        ends_as(i, grants[i].provider, status, text, fate);
}

/* ---- errors ---- */

static const int64_t subcodes[] = {0,   33,  99,  458, 459,   460,     463,     464,
                                   467, 483, 492, 493, 36009, 1349172, 1349174, 1390008};
static const int statuses[] = {200, 302, 400, 401, 403, 404, 408, 429, 500, 502, 503};
static const int64_t codes_of_no_row[] = {0, 5, 33, 803, 1349, 4711, 9999};

/* What says of the very token that authorises the call that it is dead. */
static bool is_proof(int64_t code, int64_t subcode)
{
    static const int64_t dead[] = {0, 458, 460, 463, 467};
    for (size_t i = 0; i < COUNT(dead); i++)
        if (dead[i] == subcode)
            return code == 190 || code == 102;
    return false;
}

static void at_every_status(int64_t code, int64_t subcode, const char *message)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "{\"error\":{\"code\":%" PRId64 ",\"error_subcode\":%" PRId64
                   ",\"message\":\"%s\"}}",
                   code, subcode, message);
    for (size_t i = 0; i < COUNT(statuses); i++)
        for (size_t j = 0; j < COUNT(grants); j++) {
            bool asked_by_token = !provider_find(grants[j].provider)->has_debugger;
            bool is_client_error = statuses[i] >= 400 && statuses[i] < 500;
            bool is_dead = asked_by_token && is_client_error && is_proof(code, subcode);
            ends_as(j, grants[j].provider, statuses[i], text, is_dead ? FATE_REJECT : FATE_WAIT);
        }
}

static void with_every_subcode(int64_t code, int64_t subcode, const char *message)
{
    if (subcode != ANY_SUBCODE)
        at_every_status(code, subcode, message);
    for (size_t i = 0; subcode == ANY_SUBCODE && i < COUNT(subcodes); i++)
        at_every_status(code, subcodes[i], message);
}

static void no_error_destroys(void **state)
{
    (void)state;
    for (size_t i = 0; i < error_row_count; i++) {
        const struct error_row *row = &error_rows[i];
        const char *message = row->text ? row->text : "an error";
        if (row->first != INT64_MIN)
            with_every_subcode(row->first, row->subcode, message);
        if (row->last != INT64_MAX && row->last != row->first)
            with_every_subcode(row->last, row->subcode, message);
    }
    for (size_t i = 0; i < COUNT(codes_of_no_row); i++)
        with_every_subcode(codes_of_no_row[i], ANY_SUBCODE, "an error");
}

/* Nor what is temporary, has no error in it, or cannot be read. */
static void no_odd_answer_destroys(void **state)
{
    static const char *const texts[] = {
        "",
        "<html>",
        "{",
        "[]",
        "{}",
        "{\"data\":[]}",
        "{\"data\":{\"is_valid\":\"perhaps\"}}",
        "{\"success\":false}",
        "{\"error\":\"invalid_token\"}",
        "{\"error\":{\"code\":190,\"is_transient\":true}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t j = 0; j < COUNT(statuses); j++)
            ends_everywhere_as(statuses[j], texts[i], FATE_WAIT);
}

/* ---- what a debugger says inside an answer that is fine ---- */

static void only_its_word_is_proof(void **state)
{
    static const int64_t codes[] = {190, 102, 5, 100, 368, 450, 506, 803, 4711};
    static const char *const valid[] = {"", "\"is_valid\":true,", "\"is_valid\":false,"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++)
        for (size_t j = 0; j < COUNT(subcodes); j++)
            for (size_t k = 0; k < COUNT(valid); k++) {
                bool is_dead = k == 2 && is_proof(codes[i], subcodes[j]);
                (void)snprintf(text, sizeof(text),
                               "{\"data\":{%s\"error\":{\"code\":%" PRId64 ",\"subcode\":%" PRId64
                               "}}}",
                               valid[k], codes[i], subcodes[j]);
                ends_as(0, "meta", 200, text, is_dead ? FATE_REJECT : FATE_WAIT);
            }
    ends_as(0, "meta", 200, "{\"data\":{\"is_valid\":false}}", FATE_REJECT);
    ends_as(0, "meta", 200, "{\"data\":{\"app_id\":\"999\"}}", FATE_REJECT);
    ends_as(0, "meta", 200, "{\"data\":{\"user_id\":\"666\"}}", FATE_REJECT);
    ends_as(0, "meta", 200, "{\"data\":{\"user_id\":\"666\",\"error\":{\"code\":368}}}",
            FATE_REJECT);
    ends_as(1, "meta", 200, "{\"data\":{\"user_id\":\"666\"}}", FATE_WAIT);
    ends_as(1, "meta", 200, "{\"data\":{\"profile_id\":\"666\"}}", FATE_REJECT);
    ends_as(5, "instagram", 200, "{\"id\":\"666\"}", FATE_REJECT);
}

/* ---- a grant that ends no later than the old one ---- */

static void the_old_one_is_asked_before_a_live_one_is_given_up(void **state)
{
    static const struct {
        enum oauth_standing standing;
        enum grant_fate fate;
    } cases[] = {{STANDING_UNASKED, FATE_ASK_OLD},
                 {STANDING_ALIVE, FATE_SURPLUS},
                 {STANDING_DEAD, FATE_PROMOTE},
                 {STANDING_UNKNOWN, FATE_WAIT}};
    auto_answer struct oauth_answer answer;
    struct oauth_verdict verdict;

    (void)state;
    read_inspection("meta", 200,
                    "{\"data\":{\"app_id\":\"" APP "\",\"type\":\"USER\",\"is_valid\":true,"
                    "\"user_id\":\"" SUBJECT "\",\"expires_at\":1767229200}}",
                    &answer);
    const struct oauth_said said = {&answer.verdict, &answer.facts};
    const struct oauth_expected expected = {provider_find("meta"), APP,     "user",
                                            STEP_EXCHANGE,         SUBJECT, NOW};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct oauth_old old = {cases[i].standing, NOW + 3600};
        const struct oauth_old sooner = {cases[i].standing, NOW + 3599};
        enum grant_fate found = oauth_decide(&expected, &old, &said, &verdict);
        if (found != cases[i].fate)
            fail_msg("standing %d: fate %d instead of %d", (int)cases[i].standing, (int)found,
                     (int)cases[i].fate);
        assert_int_equal(verdict.action, cases[i].fate == FATE_PROMOTE ? CODE_DONE : CODE_WAIT);
        assert_int_equal(oauth_decide(&expected, &sooner, &said, &verdict), FATE_PROMOTE);
    }
    assert_int_equal(oauth_decide(&expected, NULL, &said, &verdict), FATE_PROMOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_error_destroys),
        cmocka_unit_test(no_odd_answer_destroys),
        cmocka_unit_test(only_its_word_is_proof),
        cmocka_unit_test(the_old_one_is_asked_before_a_live_one_is_given_up),
    };

    return cmocka_run_group_tests_name("fate", tests, NULL, NULL);
}
