/*
 * test_meta_error.c: every error of the Graph API that is known, in each place where it can stand,
 * leads to the right action.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/meta_error.h"

/* What a row expects where the error cannot stand. */
#define NOWHERE CODE_USAGE

static json_t *parse(const char *text)
{
    json_t *object = NULL;
    struct error error = {0};

    assert_int_equal(json_parse(text, strlen(text), "test", &object, &error), 0);
    return object;
}

/* The provider's text holds what must never be passed on. */
#define SENTINEL "EAAsentinel"

static void judged(enum oauth_step step, int status, const char *json, enum code code,
                   const char *part)
{
    auto_json json_t *object = parse(json);
    struct oauth_verdict verdict;

    memset(&verdict, 0x5a, sizeof(verdict));
    meta_error_judge(provider_find("meta"), step, status, object, &verdict);
    if (verdict.action != code || strstr(verdict.message, part) == NULL)
        fail_msg("%s at %s: %s, \"%s\" instead of %s, \"%s\"", json, oauth_step_name(step),
                 error_code_name(verdict.action), verdict.message, error_code_name(code), part);
    assert_int_equal(verdict.http, status);
    assert_int_not_equal(verdict.message[0], '\0');
    assert_null(strstr(verdict.message, SENTINEL));
    assert_null(strstr(verdict.hint, SENTINEL));
}

/*
 * The table as documented: the actions at debug_token itself, at the exchange, and inside
 * debug_token's data for the input and for the result.
 */
static const struct {
    int64_t code, subcode;
    enum code inspect, exchange, input_data, result_data;
} rows[] = {
    {-1, 0, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {-2, 0, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {1, 0, CODE_RETRY, CODE_CONFIG, CODE_RETRY, CODE_RETRY},
    {1, 99, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {2, 0, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {2, 1504040, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {3, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {4, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {4, 1504022, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {4, 1504039, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {9, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {10, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {17, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {17, 2446079, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {17, 1349172, CODE_WAIT, CODE_WAIT, NOWHERE, NOWHERE},
    {31, 1349174, CODE_WAIT, CODE_WAIT, NOWHERE, NOWHERE},
    {32, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {100, 0, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {100, 33, CODE_CONFIG, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {100, 36009, CODE_STOP, CODE_LOGIN, NOWHERE, NOWHERE},
    {101, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {102, 0, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_STOP},
    {102, 463, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {104, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {190, 0, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_STOP},
    {190, 458, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 459, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 460, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 463, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 464, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 467, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 483, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 492, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 493, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {190, 999, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_STOP},
    {191, 0, CODE_CONFIG, CODE_CONFIG, NOWHERE, NOWHERE},
    {200, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {200, 1870034, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {294, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {299, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {300, 0, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {341, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {368, 0, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {368, 1390008, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {368, 4854002, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {368, 1404082, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {412, 0, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {450, 0, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {452, 0, CODE_CONFIG, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {463, 1349152, CODE_LOGIN, CODE_LOGIN, NOWHERE, NOWHERE},
    {506, 0, CODE_STOP, CODE_STOP, NOWHERE, NOWHERE},
    {613, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {613, 1996, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {613, 1487742, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {613, 5044001, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {960, 0, CODE_RETRY, CODE_RETRY, NOWHERE, NOWHERE},
    {2500, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {2635, 0, CODE_CONFIG, CODE_CONFIG, NOWHERE, NOWHERE},
    {2642, 0, CODE_RETRY, CODE_RETRY, NOWHERE, NOWHERE},
    {80000, 2446079, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80001, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80002, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80003, 2446079, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80004, 2446079, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80005, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80006, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80008, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80009, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {80014, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {1609005, 0, CODE_STOP, CODE_STOP, NOWHERE, NOWHERE},
    {4242, 0, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
};

static void follows_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char json[256];
        snprintf(json, sizeof(json),
                 "{\"message\":\"" SENTINEL "\",\"type\":\"OAuthException\",\"code\":%" PRId64
                 ",\"error_subcode\":%" PRId64 ",\"fbtrace_id\":\"A1b_-2\"}",
                 rows[i].code, rows[i].subcode);
        judged(STEP_INSPECT_INPUT, 400, json, rows[i].inspect, "");
        judged(STEP_INSPECT_RESULT, 400, json, rows[i].inspect, "");
        judged(STEP_EXCHANGE, 400, json, rows[i].exchange, "");
        snprintf(json, sizeof(json),
                 "{\"code\":%" PRId64 ",\"message\":\"" SENTINEL "\",\"subcode\":%" PRId64 "}",
                 rows[i].code, rows[i].subcode);
        if (rows[i].input_data != NOWHERE) {
            judged(STEP_INSPECT_INPUT, 200, json, rows[i].input_data, "");
            judged(STEP_INSPECT_RESULT, 200, json, rows[i].result_data, "");
        }
    }
}

/*
 * The same where a code is exchanged, where the app's own credentials are, where a grant authorises the call, and where
 * the client token does.
 */
static const struct {
    int64_t code, subcode;
    enum code code_place, client, graph, device;
} others[] = {
    {1, 0, CODE_CONFIG, CODE_CONFIG, CODE_RETRY, CODE_RETRY},
    {2, 0, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {4, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {10, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {17, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {17, 1349172, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {31, 1349174, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {463, 1349152, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {100, 0, CODE_LOGIN, CODE_CONFIG, CODE_STOP, CODE_CONFIG},
    {100, 33, CODE_LOGIN, CODE_CONFIG, CODE_PERMISSION, CODE_CONFIG},
    {100, 36007, CODE_LOGIN, CODE_CONFIG, CODE_STOP, CODE_CONFIG},
    {100, 36009, CODE_LOGIN, CODE_CONFIG, CODE_STOP, CODE_CONFIG},
    {101, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {102, 0, CODE_LOGIN, CODE_CONFIG, CODE_LOGIN, CODE_CONFIG},
    {104, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {190, 0, CODE_LOGIN, CODE_CONFIG, CODE_LOGIN, CODE_CONFIG},
    {190, 463, CODE_LOGIN, CODE_CONFIG, CODE_LOGIN, CODE_CONFIG},
    {190, 492, CODE_LOGIN, CODE_CONFIG, CODE_LOGIN, CODE_CONFIG},
    {191, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {200, 0, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION, CODE_PERMISSION},
    {368, 0, CODE_STOP, CODE_STOP, CODE_STOP, CODE_STOP},
    {412, 0, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN, CODE_LOGIN},
    {450, 0, CODE_STOP, CODE_STOP, CODE_LOGIN, CODE_STOP},
    {452, 0, CODE_STOP, CODE_STOP, CODE_LOGIN, CODE_STOP},
    {613, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
    {2635, 0, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG, CODE_CONFIG},
    {2642, 0, CODE_RETRY, CODE_RETRY, CODE_RETRY, CODE_RETRY},
    {80001, 0, CODE_WAIT, CODE_WAIT, CODE_WAIT, CODE_WAIT},
};

static void follows_the_table_elsewhere(void **state)
{
    static const enum oauth_step graph[] = {STEP_PAGES,       STEP_SYSTEM_USER, STEP_NARROW,
                                            STEP_CLIENT_CODE, STEP_PERMISSIONS, STEP_TAKE_BACK,
                                            STEP_REVOKE};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char json[256];
        snprintf(json, sizeof(json),
                 "{\"message\":\"" SENTINEL "\",\"code\":%" PRId64 ",\"error_subcode\":%" PRId64
                 "}",
                 others[i].code, others[i].subcode);
        judged(STEP_CODE, 400, json, others[i].code_place, "");
        judged(STEP_REDEEM, 400, json, others[i].code_place, "");
        judged(STEP_APP_TOKEN, 400, json, others[i].client, "");
        for (size_t j = 0; j < sizeof(graph) / sizeof(graph[0]); j++)
            judged(graph[j], 400, json, others[i].graph, "");
        judged(STEP_DEVICE_START, 400, json, others[i].device, "");
        judged(STEP_DEVICE_POLL, 400, json, others[i].device, "");
    }
}

/* The subcode decides, whatever the code; the words of RFC 8628 count as one. */
static void reads_device_logins(void **state)
{
    static const struct {
        const char *json;
        enum code code;
        int64_t subcode;
        const char *part;
    } cases[] = {
        {"{\"code\":31,\"error_subcode\":1349174}", CODE_WAIT, 1349174, "not confirmed yet"},
        {"{\"code\":9999,\"error_subcode\":1349174}", CODE_WAIT, 1349174, "not confirmed yet"},
        {"{\"code\":17,\"error_subcode\":1349172}", CODE_WAIT, 1349172, "too often"},
        {"{\"code\":463,\"error_subcode\":1349152}", CODE_LOGIN, 1349152, "not confirmed in time"},
        {"{\"code\":100,\"error_subcode\":1349173}", CODE_LOGIN, 1349173, "declined"},
        {"{\"code\":1,\"message\":\"authorization_pending\"}", CODE_WAIT, 1349174, "yet"},
        {"{\"error\":\"slow_down\"}", CODE_WAIT, 1349172, "too often"},
        {"{\"code\":1,\"message\":\"authorization_declined\"}", CODE_LOGIN, 1349173, "declined"},
        {"{\"code\":1,\"message\":\"code_expired\"}", CODE_LOGIN, 1349152, "in time"},
        {"{\"code\":31,\"error_subcode\":1349174,\"is_transient\":true}", CODE_WAIT, 1349174,
         "yet"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_json json_t *object = parse(cases[i].json);
        struct oauth_verdict verdict;

        judged(STEP_DEVICE_POLL, 400, cases[i].json, cases[i].code, cases[i].part);
        meta_error_judge(provider_find("meta"), STEP_DEVICE_POLL, 400, object, &verdict);
        assert_int_equal(verdict.subcode, cases[i].subcode);
    }
    /* Elsewhere a text is no subcode. */
    judged(STEP_EXCHANGE, 400, "{\"code\":2,\"message\":\"slow_down\"}", CODE_RETRY, "down");
}

static void reads_errors_about_codes(void **state)
{
    (void)state;
    judged(STEP_CODE, 400,
           "{\"code\":100,\"message\":\"Error validating verification code. Please make sure your "
           "redirect_uri is identical to the one you used in the OAuth dialog request\"}",
           CODE_CONFIG, "redirect address");
    judged(STEP_CODE, 400, "{\"code\":1,\"message\":\"Error validating client secret.\"}",
           CODE_CONFIG, "app secret is wrong");
    judged(STEP_CODE, 500, "{\"code\":1,\"message\":\"Invalid request.\"}", CODE_RETRY, "");
    judged(STEP_CODE, 400, "{\"error\":\"invalid_grant\"}", CODE_LOGIN, "code");
    judged(STEP_CODE, 401, "{\"error\":\"invalid_client\"}", CODE_CONFIG, "app secret");
    judged(STEP_REVOKE, 400,
           "{\"code\":100,\"message\":\"Unsupported request - method type: post\"}", CODE_CONFIG,
           "HTTP method");
    judged(
        STEP_PAGES, 400,
        "{\"code\":100,\"error_subcode\":33,\"message\":\"Unsupported get request. Object with ID "
        "'1' does not exist\"}",
        CODE_PERMISSION, "may not see");
}

/* api.instagram.com has errors of its own, graph.instagram.com and Threads the usual ones. */
static void reads_instagrams_errors(void **state)
{
    static const struct {
        const char *provider;
        enum oauth_step step;
        const char *json;
        enum code code;
    } cases[] = {
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"Matching code was "
         "not "
         "found or was already used\"}",
         CODE_LOGIN},
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"Invalid "
         "redirect_uri\"}",
         CODE_CONFIG},
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"Invalid platform "
         "app\"}",
         CODE_CONFIG},
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"Invalid Client "
         "Secret\"}",
         CODE_CONFIG},
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthForbiddenException\",\"code\":403,\"error_message\":\"You are not "
         "a "
         "developer of this app\"}",
         CODE_CONFIG},
        {"instagram", STEP_CODE,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"Insufficient "
         "Developer Role\"}",
         CODE_CONFIG},
        {"instagram", STEP_INSPECT_INPUT, "{\"code\":190,\"error_subcode\":0}", CODE_LOGIN},
        {"instagram", STEP_INSPECT_RESULT, "{\"code\":190}", CODE_STOP},
        {"instagram", STEP_INSPECT_INPUT, "{\"code\":4}", CODE_WAIT},
        {"instagram", STEP_REFRESH, "{\"code\":190}", CODE_LOGIN},
        {"instagram", STEP_REFRESH, "{\"code\":10}", CODE_PERMISSION},
        {"threads", STEP_INSPECT_INPUT, "{\"code\":190,\"error_subcode\":463}", CODE_LOGIN},
        {"threads", STEP_EXCHANGE, "{\"code\":1,\"message\":\"Error validating client secret\"}",
         CODE_CONFIG},
        {"threads", STEP_APP_TOKEN, "{\"code\":101}", CODE_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_json json_t *object = parse(cases[i].json);
        struct oauth_verdict verdict;

        meta_error_judge(provider_find(cases[i].provider), cases[i].step, 400, object, &verdict);
        if (verdict.action != cases[i].code)
            fail_msg("%s: %s", cases[i].json, error_code_name(verdict.action));
    }
}

static void reads_errors_of_the_dialog(void **state)
{
    static const struct {
        int64_t number;
        enum code code;
    } cases[] = {{0, CODE_CONFIG},   {1, CODE_RETRY},        {2, CODE_RETRY},
                 {4, CODE_WAIT},     {100, CODE_CONFIG},     {101, CODE_CONFIG},
                 {191, CODE_CONFIG}, {200, CODE_PERMISSION}, {1349048, CODE_CONFIG}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_verdict verdict;

        meta_error_judge_dialog(cases[i].number, &verdict);
        assert_int_equal(verdict.action, cases[i].code);
        assert_int_equal(verdict.provider_code, cases[i].number);
        assert_int_not_equal(verdict.message[0], '\0');
    }
}

/* A grant dies in several ways, and each has its own words. */
static void tells_the_deaths_apart(void **state)
{
    static const struct {
        int subcode;
        const char *part;
    } deaths[] = {
        {458, "removed the app"}, {459, "security check"}, {460, "changed the password"},
        {463, "expired"},         {464, "not confirmed"},  {467, "revoked"},
        {483, "consent"},         {492, "role"},           {493, "90 days"},
        {0, "does not accept"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"code\":190,\"subcode\":%d}", deaths[i].subcode);
        judged(STEP_INSPECT_INPUT, 200, json, CODE_LOGIN, deaths[i].part);
        snprintf(json, sizeof(json), "{\"code\":190,\"error_subcode\":%d}", deaths[i].subcode);
        judged(STEP_EXCHANGE, 400, json, CODE_LOGIN, deaths[i].part);
    }
}

static void reads_the_text_of_codes_1_and_100(void **state)
{
    (void)state;
    judged(STEP_EXCHANGE, 400,
           "{\"message\":\"Error validating client secret. " SENTINEL "\",\"code\":1}", CODE_CONFIG,
           "the app secret is wrong");
    judged(STEP_EXCHANGE, 500, "{\"message\":\"Error validating client secret.\",\"code\":1}",
           CODE_CONFIG, "the app secret is wrong");
    judged(STEP_EXCHANGE, 500, "{\"message\":\"Invalid request.\",\"code\":1}", CODE_RETRY, "");
    judged(STEP_EXCHANGE, 400, "{\"message\":\"Invalid request.\",\"code\":1}", CODE_CONFIG,
           "most likely");
#define PROOF_TEXT                                                                                 \
    "{\"message\":\"Invalid appsecret_proof provided in the API argument\",\"code\":100}"
    judged(STEP_INSPECT_INPUT, 400, PROOF_TEXT, CODE_CONFIG, "appsecret_proof");
    judged(STEP_INSPECT_RESULT, 400, PROOF_TEXT, CODE_CONFIG, "appsecret_proof");
    judged(STEP_EXCHANGE, 400, PROOF_TEXT, CODE_CONFIG, "appsecret_proof");
#define FOREIGN                                                                                    \
    "{\"message\":\"(#100) The App_id in the input_token did not match the Viewing App\","         \
    "\"code\":100}"
    judged(STEP_INSPECT_INPUT, 400, FOREIGN, CODE_STOP, "the token belongs to another app");
    judged(STEP_INSPECT_RESULT, 400, FOREIGN, CODE_STOP, "the token belongs to another app");
    judged(STEP_INSPECT_INPUT, 400,
           "{\"message\":\"Unsupported request - method type: post\",\"code\":100}", CODE_CONFIG,
           "HTTP method");
    judged(STEP_INSPECT_INPUT, 400, "{\"message\":\"anything\",\"code\":100}", CODE_STOP,
           "most likely");
    judged(STEP_INSPECT_INPUT, 400, "{\"message\":[\"appsecret_proof\"],\"code\":100}", CODE_STOP,
           "");
}

static void an_unknown_error_at_the_token_endpoint_passes(void **state)
{
#define UNKNOWN_ERROR                                                                              \
    "{\"message\":\"An unknown error has occurred.\",\"type\":\"OAuthException\",\"code\":1}"
    (void)state;
    judged(STEP_EXCHANGE, 400, UNKNOWN_ERROR, CODE_RETRY, "unknown fault");
    judged(STEP_CODE, 400, UNKNOWN_ERROR, CODE_RETRY, "unknown fault");
    judged(STEP_APP_TOKEN, 400, UNKNOWN_ERROR, CODE_RETRY, "unknown fault");
}

static void a_parameter_that_we_left_out_is_our_fault(void **state)
{
    (void)state;
    judged(STEP_EXCHANGE, 400,
           "{\"message\":\"fb_exchange_token parameter not specified\",\"code\":1}", CODE_FAULT,
           "lacks a parameter");
}

static void a_deactivated_app_is_for_the_dashboard(void **state)
{
    static const enum oauth_step steps[] = {STEP_EXCHANGE, STEP_INSPECT_INPUT, STEP_CALL};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        judged(steps[i], 400,
               "{\"message\":\"API access deactivated. To reactivate, go to the app dashboard.\","
               "\"type\":\"OAuthException\",\"code\":200}",
               CODE_CONFIG, "deactivated");
        judged(steps[i], 400, "{\"message\":\"API access blocked.\",\"code\":200}", CODE_CONFIG,
               "blocked");
        judged(steps[i], 403, "{\"message\":\"(#200) Requires x permission\",\"code\":200}",
               CODE_PERMISSION, "missing");
    }
}

/* Whatever code it comes with, and without any. */
static void the_subcode_decides_before_the_code(void **state)
{
    static const int subcodes[] = {458, 459, 460, 463, 464, 467, 483, 492, 493};
    static const int codes[] = {0, 190, 102, 230, 4242};
    (void)state;
    for (size_t i = 0; i < sizeof(subcodes) / sizeof(subcodes[0]); i++)
        for (size_t j = 0; j < sizeof(codes) / sizeof(codes[0]); j++) {
            char json[128];
            snprintf(json, sizeof(json), "{\"code\":%d,\"error_subcode\":%d}", codes[j],
                     subcodes[i]);
            judged(STEP_EXCHANGE, 400, json, CODE_LOGIN, "");
            judged(STEP_CALL, 400, json, CODE_LOGIN, "");
            snprintf(json, sizeof(json), "{\"code\":%d,\"subcode\":%d}", codes[j], subcodes[i]);
            judged(STEP_INSPECT_INPUT, 200, json, CODE_LOGIN, "");
        }
    judged(STEP_CALL, 403, "{\"code\":230,\"error_subcode\":459}", CODE_LOGIN, "security check");
    judged(STEP_CALL, 403, "{\"code\":230,\"error_subcode\":464}", CODE_LOGIN, "not confirmed");
    judged(STEP_CALL, 400, "{\"code\":1,\"error_subcode\":1390008}", CODE_STOP, "too fast");
    /* At debug_token itself they are about the app token, which 190 says. */
    judged(STEP_INSPECT_INPUT, 400, "{\"code\":190,\"error_subcode\":463}", CODE_CONFIG, "");
}

/* The code decides before the type, and the type where there is no code. */
static void the_type_decides_without_a_code(void **state)
{
#define NO_CODE "{\"message\":\"" SENTINEL "\",\"type\":\"OAuthException\"}"
    (void)state;
    judged(STEP_EXCHANGE, 400, NO_CODE, CODE_LOGIN, "does not accept the token");
    judged(STEP_CALL, 400, NO_CODE, CODE_LOGIN, "does not accept the token");
    judged(STEP_CODE, 400, NO_CODE, CODE_LOGIN, "code");
    judged(STEP_INSPECT_INPUT, 400, NO_CODE, CODE_CONFIG, "app secret");
    judged(STEP_EXCHANGE, 500, NO_CODE, CODE_RETRY, "HTTP 500");
    judged(STEP_EXCHANGE, 400, "{\"type\":\"GraphMethodException\"}", CODE_STOP, "not known");
    judged(STEP_EXCHANGE, 400, "{\"type\":\"OAuthException\",\"code\":4}", CODE_WAIT, "");
    judged(STEP_EXCHANGE, 400, "{\"type\":\"OAuthException\",\"code\":4242}", CODE_STOP, "");
    judged(STEP_EXCHANGE, 400, "{\"type\":\"OAuthException\",\"is_transient\":true}", CODE_RETRY,
           "temporary");
}

static void an_address_that_is_not_allowed_is_for_the_dashboard(void **state)
{
#define ADDRESS "{\"message\":\"Unauthorized source IP address\",\"code\":5}"
    (void)state;
    judged(STEP_EXCHANGE, 400, ADDRESS, CODE_CONFIG, "this machine's address");
    judged(STEP_INSPECT_INPUT, 400, ADDRESS, CODE_CONFIG, "this machine's address");
    judged(STEP_INSPECT_RESULT, 400, ADDRESS, CODE_CONFIG, "this machine's address");
}

static void tries_again_what_is_transient(void **state)
{
    (void)state;
    judged(STEP_EXCHANGE, 400, "{\"code\":190,\"is_transient\":true}", CODE_RETRY, "temporary");
    judged(STEP_EXCHANGE, 400, "{\"code\":4242,\"is_transient\":true}", CODE_RETRY, "temporary");
    judged(STEP_EXCHANGE, 400, "{\"code\":4242,\"is_transient\":false}", CODE_STOP, "");
    judged(STEP_EXCHANGE, 400, "{\"code\":190,\"is_transient\":\"true\"}", CODE_LOGIN, "");
    /* A limit stays a limit. */
    judged(STEP_EXCHANGE, 400, "{\"code\":4,\"is_transient\":true}", CODE_WAIT, "");
}

static void falls_back_on_the_status(void **state)
{
    (void)state;
    judged(STEP_EXCHANGE, 500, "{\"code\":4242}", CODE_RETRY, "HTTP 500");
    judged(STEP_EXCHANGE, 429, "{\"code\":4242}", CODE_WAIT, "HTTP 429");
    judged(STEP_EXCHANGE, 403, "{\"code\":4242}", CODE_STOP, "HTTP 403");
    judged(STEP_EXCHANGE, 200, "{}", CODE_STOP, "HTTP 200");
    judged(STEP_INSPECT_INPUT, 503, "{\"code\":\"none\"}", CODE_RETRY, "HTTP 503");
}

static void notes_code_subcode_and_trace(void **state)
{
    static const struct {
        const char *json, *trace;
        int64_t code, subcode;
    } cases[] = {
        {"{\"code\":190,\"error_subcode\":463,\"fbtrace_id\":\"AbC_d-9\"}", "AbC_d-9", 190, 463},
        {"{\"code\":\"190\",\"error_subcode\":\"463\"}", "", 190, 463},
        {"{\"code\":190,\"subcode\":460}", "", 190, 460},
        {"{\"error_code\":102}", "", 102, 0},
        {"{\"code\":-1}", "", -1, 0},
        {"{\"code\":1.5,\"error_subcode\":true}", "", 0, 0},
        {"{\"code\":9223372036854775807}", "", INT64_MAX, 0},
        {"{\"code\":\"99999999999999999999\"}", "", 0, 0},
        {"{\"fbtrace_id\":\"1234567890123456789012345678901\"}", "1234567890123456789012345678901",
         0, 0},
        {"{\"fbtrace_id\":\"12345678901234567890123456789012\"}", "", 0, 0},
        {"{\"fbtrace_id\":\"a b\"}", "", 0, 0},
        {"{\"fbtrace_id\":\"\\u001b[31m\"}", "", 0, 0},
        {"{\"fbtrace_id\":\"a%b\"}", "", 0, 0},
        {"{\"fbtrace_id\":17}", "", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_json json_t *object = parse(cases[i].json);
        struct oauth_verdict verdict;

        meta_error_judge(provider_find("meta"), STEP_EXCHANGE, 400, object, &verdict);
        assert_string_equal(verdict.trace, cases[i].trace);
        assert_int_equal(verdict.provider_code, cases[i].code);
        assert_int_equal(verdict.subcode, cases[i].subcode);
    }
}

/* Hints name commands of the program, and nothing in them is to be filled in by the provider. */
static void hints_with_commands(void **state)
{
    static const struct {
        enum oauth_step step;
        const char *json, *command;
    } cases[] = {
        {STEP_EXCHANGE, "{\"code\":190,\"error_subcode\":463}", "p11vault login NAME"},
        {STEP_EXCHANGE, "{\"code\":190,\"error_subcode\":493}",
         "p11vault login NAME --reauthorize"},
        {STEP_PAGES, "{\"code\":190,\"error_subcode\":492}", "p11vault pages"},
        {STEP_PAGES, "{\"code\":10}", "p11vault login NAME --rerequest"},
        {STEP_DEVICE_POLL, "{\"code\":463,\"error_subcode\":1349152}",
         "p11vault login NAME --device"},
        {STEP_CODE, "{\"code\":100,\"error_subcode\":36009}", "p11vault login NAME"},
        {STEP_EXCHANGE, "{\"code\":1}", "p11vault app set-secret APP"},
        {STEP_INSPECT_INPUT, "{\"code\":190}", "p11vault app set-secret APP"},
        {STEP_EXCHANGE, "{\"code\":101}", "p11vault app show APP"},
        {STEP_INSPECT_INPUT, "{\"code\":100,\"error_subcode\":33}", "debug-token = get"},
        {STEP_INSPECT_INPUT, "{\"code\":2500}", "api-version"},
        {STEP_INSPECT_INPUT, "{\"code\":100}", "p11vault import NAME"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_json json_t *object = parse(cases[i].json);
        struct oauth_verdict verdict;

        meta_error_judge(provider_find("meta"), cases[i].step, 400, object, &verdict);
        if (strstr(verdict.hint, cases[i].command) == NULL)
            fail_msg("%s: \"%s\" does not name \"%s\"", cases[i].json, verdict.hint,
                     cases[i].command);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_table),
        cmocka_unit_test(follows_the_table_elsewhere),
        cmocka_unit_test(reads_device_logins),
        cmocka_unit_test(reads_errors_about_codes),
        cmocka_unit_test(reads_instagrams_errors),
        cmocka_unit_test(reads_errors_of_the_dialog),
        cmocka_unit_test(tells_the_deaths_apart),
        cmocka_unit_test(reads_the_text_of_codes_1_and_100),
        cmocka_unit_test(an_unknown_error_at_the_token_endpoint_passes),
        cmocka_unit_test(a_parameter_that_we_left_out_is_our_fault),
        cmocka_unit_test(a_deactivated_app_is_for_the_dashboard),
        cmocka_unit_test(the_subcode_decides_before_the_code),
        cmocka_unit_test(the_type_decides_without_a_code),
        cmocka_unit_test(an_address_that_is_not_allowed_is_for_the_dashboard),
        cmocka_unit_test(tries_again_what_is_transient),
        cmocka_unit_test(falls_back_on_the_status),
        cmocka_unit_test(notes_code_subcode_and_trace),
        cmocka_unit_test(hints_with_commands),
    };

    return cmocka_run_group_tests_name("meta_error", tests, NULL, NULL);
}
