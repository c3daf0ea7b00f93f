/*
 * test_meta_answer.c: answers of the Graph API in every shape that it, or what stands in between,
 * is known to give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "p11vault/oauth/answer.h"

#define SENTINEL "EAAsentinel"
#define TOKEN_MAX 16384

static const char *header_trace(void *context, const char *name)
{
    return strcasecmp(name, "x-fb-trace-id") == 0 ? context : NULL;
}

static void read_bytes(enum oauth_step step, int status, const char *trace, const char *bytes,
                       size_t size, struct oauth_answer *ret_answer)
{
    auto_of(secret_free) struct secret *body = NULL;
    auto_free char *context = trace == NULL ? NULL : strdup(trace);
    struct error error = {0};

    assert_int_equal(secret_new(size == 0 ? 1 : size, &body, &error), 0);
    assert_int_equal(secret_append(body, bytes, size, &error), 0);
    memset(ret_answer, 0x5a, sizeof(*ret_answer));
    const struct oauth_reply reply = {step, status, header_trace, context, body, "v26.0"};
    assert_int_equal(oauth_answer_read(provider_find("meta"), &reply, ret_answer, &error), 0);
    assert_int_equal(ret_answer->verdict.http, status);
    assert_null(strstr(ret_answer->verdict.message, SENTINEL));
    assert_null(strstr(ret_answer->verdict.hint, SENTINEL));
    if (ret_answer->verdict.action != CODE_DONE) {
        assert_null(ret_answer->grant);
        assert_int_equal(ret_answer->expires_in, FACT_UNKNOWN);
    }
}

static void read_text(enum oauth_step step, int status, const char *text,
                      struct oauth_answer *ret_answer)
{
    read_bytes(step, status, NULL, text, strlen(text), ret_answer);
}

static void gives(enum oauth_step step, int status, const char *text, enum code code,
                  const char *message)
{
    auto_answer struct oauth_answer answer;

    read_text(step, status, text, &answer);
    if (answer.verdict.action != code || strcmp(answer.verdict.message, message) != 0)
        fail_msg("%s (HTTP %d) at %s: %s, \"%s\" instead of %s, \"%s\"", text, status,
                 oauth_step_name(step), error_code_name(answer.verdict.action),
                 answer.verdict.message, error_code_name(code), message);
}

static void reads_what_debug_token_says(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text(STEP_INSPECT_INPUT, 200,
              "{\"data\":{\"app_id\":\"1234567890\",\"type\":\"USER\",\"application\":\"Ads\","
              "\"data_access_expires_at\":1790000000,\"expires_at\":1780000000,"
              "\"is_valid\":true,\"issued_at\":1770000000,\"metadata\":{\"sso\":\"x\"},"
              "\"scopes\":[\"ads_management\",\"public_profile\"],"
              "\"granular_scopes\":[{\"scope\":\"ads_management\"}],"
              "\"user_id\":\"10153848260347724\"}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_string_equal(answer.verdict.message, "");
    assert_string_equal(answer.facts.app_id, "1234567890");
    assert_string_equal(answer.facts.type, "USER");
    assert_string_equal(answer.facts.subject, "10153848260347724");
    assert_int_equal(answer.facts.valid, 1);
    assert_int_equal(answer.facts.expires, 1780000000);
    assert_int_equal(answer.facts.data_expires, 1790000000);
    assert_int_equal(answer.facts.issued, 1770000000);
    assert_int_equal(answer.facts.scope_count, 2);
    assert_string_equal(answer.facts.scopes[0], "ads_management");
    assert_string_equal(answer.facts.scopes[1], "public_profile");
    assert_null(answer.grant);
}

static void reads_numbers_and_strings_alike(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text(STEP_INSPECT_RESULT, 200,
              "{\"data\":{\"app_id\":1234567890,\"type\":\"USER\",\"expires_at\":\"0\","
              "\"data_access_expires_at\":\"1790000000\",\"issued_at\":\"1770000000\","
              "\"is_valid\":true,\"user_id\":9223372036854775807}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_string_equal(answer.facts.app_id, "1234567890");
    assert_string_equal(answer.facts.subject, "9223372036854775807");
    assert_int_equal(answer.facts.expires, 0);
    assert_int_equal(answer.facts.data_expires, 1790000000);
    assert_int_equal(answer.facts.issued, 1770000000);
    assert_int_equal(answer.facts.scope_count, 0);
}

static void leaves_unknown_what_is_not_said(void **state)
{
    static const char *const silent[] = {
        "{\"data\":{}}",
        "{\"data\":{\"app_id\":null,\"user_id\":null,\"type\":null,\"is_valid\":null,"
        "\"expires_at\":null,\"data_access_expires_at\":null,\"issued_at\":null,"
        "\"scopes\":null,\"error\":null}}",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        auto_answer struct oauth_answer answer;

        read_text(STEP_INSPECT_INPUT, 200, silent[i], &answer);
        assert_int_equal(answer.verdict.action, CODE_DONE);
        assert_string_equal(answer.facts.app_id, "");
        assert_string_equal(answer.facts.type, "");
        assert_string_equal(answer.facts.subject, "");
        assert_int_equal(answer.facts.valid, FACT_UNKNOWN);
        assert_int_equal(answer.facts.expires, FACT_UNKNOWN);
        assert_int_equal(answer.facts.data_expires, FACT_UNKNOWN);
        assert_int_equal(answer.facts.issued, FACT_UNKNOWN);
        assert_int_equal(answer.facts.scope_count, 0);
        assert_int_equal(answer.expires_in, FACT_UNKNOWN);
    }
}

/* The facts around a wrong one are not passed on either. */
static void refuses_wrong_facts(void **state)
{
    static const struct {
        const char *member, *message;
    } cases[] = {
        {"\"app_id\":\"12a\"", "debug_token's app_id is not an id"},
        {"\"app_id\":\"\"", "debug_token's app_id is not an id"},
        {"\"app_id\":-5", "debug_token's app_id is not an id"},
        {"\"app_id\":1.5", "debug_token's app_id is not an id"},
        {"\"app_id\":true", "debug_token's app_id is not an id"},
        {"\"app_id\":\"123456789012345678901234567890123\"", "debug_token's app_id is not an id"},
        {"\"user_id\":\"" SENTINEL "\"", "debug_token's user_id is not an id"},
        {"\"user_id\":[1]", "debug_token's user_id is not an id"},
        {"\"type\":\"US ER\"", "debug_token's type is not a word"},
        {"\"type\":\"\"", "debug_token's type is not a word"},
        {"\"type\":7", "debug_token's type is not a word"},
        {"\"type\":\"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF\"", "debug_token's type is not a word"},
        {"\"is_valid\":\"true\"", "debug_token's is_valid is neither true nor false"},
        {"\"is_valid\":1", "debug_token's is_valid is neither true nor false"},
        {"\"expires_at\":-1", "debug_token's expires_at is not a time"},
        {"\"expires_at\":1.7e9", "debug_token's expires_at is not a time"},
        {"\"expires_at\":\"017\"", "debug_token's expires_at is not a time"},
        {"\"expires_at\":\"soon\"", "debug_token's expires_at is not a time"},
        {"\"expires_at\":253402300800", "debug_token's expires_at is not a time"},
        {"\"data_access_expires_at\":\"-1\"", "debug_token's data_access_expires_at is not a time"},
        {"\"issued_at\":{}", "debug_token's issued_at is not a time"},
        {"\"scopes\":\"ads_read\"", "debug_token's scopes are not a list of at most 128 words"},
        {"\"scopes\":[1]", "debug_token's scopes are not a list of at most 128 words"},
        {"\"scopes\":[\"\"]", "debug_token's scopes are not a list of at most 128 words"},
        {"\"scopes\":[\"a b\"]", "debug_token's scopes are not a list of at most 128 words"},
        {"\"scopes\":[\"\\u001b[31m\"]", "debug_token's scopes are not a list of at most 128 words"},
        {"\"error\":\"none\"", "debug_token's data has an error that is not an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[512];
        snprintf(json, sizeof(json), "{\"data\":{%s}}", cases[i].member);
        gives(STEP_INSPECT_INPUT, 200, json, CODE_STOP, cases[i].message);
    }

    auto_answer struct oauth_answer answer;
    read_text(STEP_INSPECT_INPUT, 200,
              "{\"data\":{\"app_id\":\"1\",\"user_id\":\"2\",\"is_valid\":true,\"expires_at\":-1}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_STOP);
    assert_string_equal(answer.facts.app_id, "");
    assert_string_equal(answer.facts.subject, "");
    assert_int_equal(answer.facts.valid, FACT_UNKNOWN);
}

/* `count` scopes, the last of which has `size` letters. */
static void with_scopes(size_t count, size_t size, enum code code)
{
    char json[2048] = "{\"data\":{\"scopes\":[";
    char last[256];
    auto_answer struct oauth_answer answer;

    for (size_t i = 1; i < count; i++)
        strcat(json, "\"a\",");
    memset(last, 'b', size);
    last[size] = '\0';
    snprintf(json + strlen(json), sizeof(json) - strlen(json), "\"%s\"]}}", last);
    read_text(STEP_INSPECT_INPUT, 200, json, &answer);
    assert_int_equal(answer.verdict.action, code);
    assert_int_equal(answer.facts.scope_count, code == CODE_DONE ? count : 0);
    if (code == CODE_DONE)
        assert_string_equal(answer.facts.scopes[count - 1], last);
}

static void bounds_the_scopes(void **state)
{
    (void)state;
    with_scopes(FACT_SCOPES_MAX, FACT_TEXT_MAX - 1, CODE_DONE);
    with_scopes(FACT_SCOPES_MAX + 1, 1, CODE_STOP);
    with_scopes(1, FACT_TEXT_MAX, CODE_STOP);
}

static void judges_the_error_inside_data(void **state)
{
    static const char password[] =
        "{\"data\":{\"app_id\":\"1\",\"type\":\"USER\",\"user_id\":\"2\",\"is_valid\":false,"
        "\"error\":{\"code\":190,\"message\":\"" SENTINEL "\",\"subcode\":460}}}";
    auto_answer struct oauth_answer answer;

    (void)state;
    read_bytes(STEP_INSPECT_INPUT, 200, "TrAcE_1", password, strlen(password), &answer);
    assert_int_equal(answer.verdict.action, CODE_LOGIN);
    assert_int_equal(answer.verdict.provider_code, 190);
    assert_int_equal(answer.verdict.subcode, 460);
    assert_string_equal(answer.verdict.trace, "TrAcE_1");
    assert_non_null(strstr(answer.verdict.message, "password"));
    assert_int_equal(answer.facts.valid, 0);
    assert_string_equal(answer.facts.subject, "2");

    /* Without a subcode it is still about the grant. */
    gives(STEP_INSPECT_INPUT, 200,
          "{\"data\":{\"is_valid\":false,\"error\":{\"code\":190,\"message\":\"x\"}}}", CODE_LOGIN,
          "the provider does not accept the token");
    gives(STEP_INSPECT_RESULT, 200,
          "{\"data\":{\"is_valid\":false,\"error\":{\"code\":190,\"message\":\"x\"}}}", CODE_STOP,
          "the provider does not accept the token that it has just issued");
    /* No error: the facts speak, and oauth_judge_input() listens. */
    gives(STEP_INSPECT_INPUT, 200, "{\"data\":{\"is_valid\":false}}", CODE_DONE, "");
}

static void reads_an_issued_grant(void **state)
{
    static const struct {
        const char *json;
        int64_t expires_in;
    } cases[] = {
        {"{\"access_token\":\"EAAnew\",\"token_type\":\"bearer\",\"expires_in\":5183944}", 5183944},
        {"{\"access_token\":\"EAAnew\",\"token_type\":\"Bearer\",\"expires_in\":\"5183944\"}",
         5183944},
        {"{\"access_token\":\"EAAnew\",\"expires\":5184000}", 5184000},
        {"{\"access_token\":\"EAAnew\",\"expires_in\":7,\"expires\":5184000}", 7},
        {"{\"access_token\":\"EAAnew\",\"token_type\":\"bearer\"}", FACT_UNKNOWN},
        {"{\"access_token\":\"EAAnew\",\"expires_in\":0}", FACT_UNKNOWN},
        {"{\"access_token\":\"EAAnew\",\"expires_in\":null,\"token_type\":null,\"error\":null}",
         FACT_UNKNOWN},
        {"{\"access_token\":\"EAA\\u006eew\",\"success\":true}", FACT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_text(STEP_EXCHANGE, 200, cases[i].json, &answer);
        assert_int_equal(answer.verdict.action, CODE_DONE);
        assert_string_equal(answer.verdict.message, "");
        assert_non_null(answer.grant);
        assert_true(secret_equals(answer.grant, "EAAnew", 6));
        assert_int_equal(answer.expires_in, cases[i].expires_in);
        assert_int_equal(answer.facts.valid, FACT_UNKNOWN);
    }
}

static void refuses_what_is_no_grant(void **state)
{
#define NOT_PRINTABLE "the issued token is not 1 to 16384 printable characters"
#define NOT_BEARER "the issued token is not a bearer token"
#define NOT_SECONDS "the answer's expires_in is not a number of seconds"
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "the answer has no access token"},
        {"{\"access_token\":null}", "the answer has no access token"},
        {"{\"data\":[{\"access_token\":\"" SENTINEL "\"}]}", "the answer has no access token"},
        {"{\"access_token\":\"\"}", NOT_PRINTABLE},
        {"{\"access_token\":17}", NOT_PRINTABLE},
        {"{\"access_token\":[\"" SENTINEL "\"]}", NOT_PRINTABLE},
        {"{\"access_token\":\"" SENTINEL " x\"}", NOT_PRINTABLE},
        {"{\"access_token\":\"" SENTINEL "\\r\\nX: y\"}", NOT_PRINTABLE},
        {"{\"access_token\":\"" SENTINEL "\\u007f\"}", NOT_PRINTABLE},
        {"{\"access_token\":\"" SENTINEL "\\u00e9\"}", NOT_PRINTABLE},
        {"{\"access_token\":\"" SENTINEL "\",\"token_type\":\"mac\"}", NOT_BEARER},
        {"{\"access_token\":\"" SENTINEL "\",\"token_type\":\"\"}", NOT_BEARER},
        {"{\"access_token\":\"" SENTINEL "\",\"token_type\":1}", NOT_BEARER},
        {"{\"access_token\":\"" SENTINEL "\",\"expires_in\":-1}", NOT_SECONDS},
        {"{\"access_token\":\"" SENTINEL "\",\"expires_in\":1.5}", NOT_SECONDS},
        {"{\"access_token\":\"" SENTINEL "\",\"expires_in\":\"soon\"}", NOT_SECONDS},
        {"{\"access_token\":\"" SENTINEL "\",\"expires_in\":9223372036854775807}", NOT_SECONDS},
        {"{\"access_token\":\"" SENTINEL "\",\"expires\":false}", NOT_SECONDS},
        {"{\"success\":false}", "the provider says that the call failed, and not why"},
        {"{\"success\":false,\"access_token\":\"" SENTINEL "\"}",
         "the provider says that the call failed, and not why"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        gives(STEP_EXCHANGE, 200, cases[i].json, CODE_STOP, cases[i].message);
}

static void with_token_of(size_t size, enum code code)
{
    auto_free char *json = malloc(size + 64);
    auto_answer struct oauth_answer answer;

    assert_non_null(json);
    strcpy(json, "{\"access_token\":\"");
    size_t start = strlen(json);
    memset(json + start, 'E', size);
    strcpy(json + start + size, "\"}");
    read_text(STEP_EXCHANGE, 200, json, &answer);
    assert_int_equal(answer.verdict.action, code);
    if (code == CODE_DONE)
        assert_int_equal(secret_size(answer.grant), size);
}

static void bounds_the_grant(void **state)
{
    (void)state;
    with_token_of(1, CODE_DONE);
    with_token_of(TOKEN_MAX, CODE_DONE);
    with_token_of(TOKEN_MAX + 1, CODE_STOP);
}

/* The same for every step: bodies that are not an answer at all. */
static void judges_by_the_status_what_is_no_json(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum code code;
        const char *message;
    } cases[] = {
        {200, "", CODE_STOP, "answer is empty (HTTP 200)"},
        {200, "<html>", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "Service Unavailable", CODE_RETRY,
         "the server says that it is unavailable (HTTP 200)"},
        {200, "access_token=" SENTINEL "&expires=5184000&expires=1", CODE_STOP,
         "answer is not JSON (HTTP 200)"},
        {400, "access_token=" SENTINEL "&expires=5184000", CODE_STOP,
         "answer is not JSON (HTTP 400)"},
        {200, "[]", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "true", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "{\"access_token\":\"" SENTINEL "\"", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "{\"access_token\":\"" SENTINEL "\"}{}", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", CODE_STOP,
         "answer is not JSON (HTTP 200)"},
        {200, "{\"access_token\":\"a\\u0000b\"}", CODE_STOP, "answer is not JSON (HTTP 200)"},
        {200, "{\"data\":{\"user_id\":99999999999999999999}}", CODE_STOP,
         "answer is not JSON (HTTP 200)"},
        {401, "", CODE_STOP, "answer is empty (HTTP 401)"},
        {404, "not found", CODE_STOP, "answer is not JSON (HTTP 404)"},
        {408, "", CODE_RETRY, "the server is out of order (HTTP 408)"},
        {429, "slow down", CODE_WAIT, "calls come too fast for the server (HTTP 429)"},
        {429, "{}", CODE_WAIT, "calls come too fast for the server (HTTP 429)"},
        {500, "", CODE_RETRY, "the server is out of order (HTTP 500)"},
        {503, "<html>", CODE_RETRY, "the server is out of order (HTTP 503)"},
        {502, "{\"access_token\":\"" SENTINEL "\"}", CODE_RETRY,
         "the server is out of order (HTTP 502)"},
        {201, "{\"access_token\":\"" SENTINEL "\"}", CODE_STOP,
         "the server answered with HTTP 201 and did not say why"},
        {400, "{\"access_token\":\"" SENTINEL "\"}", CODE_STOP,
         "the server answered with HTTP 400 and did not say why"},
        {301, "{\"access_token\":\"" SENTINEL "\"}", CODE_STOP,
         "the server answered with a redirect (301), which is never followed"},
        {302, "", CODE_STOP, "the server answered with a redirect (302), which is never followed"},
        {304, "", CODE_STOP, "the server answered with a redirect (304), which is never followed"},
        {399, "{}", CODE_STOP,
         "the server answered with a redirect (399), which is never followed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gives(STEP_INSPECT_INPUT, cases[i].status, cases[i].body, cases[i].code, cases[i].message);
        gives(STEP_EXCHANGE, cases[i].status, cases[i].body, cases[i].code, cases[i].message);
        gives(STEP_INSPECT_RESULT, cases[i].status, cases[i].body, cases[i].code, cases[i].message);
    }
    auto_answer struct oauth_answer answer;
    read_bytes(STEP_EXCHANGE, 200, NULL, "{\"a\":1}\0", 8, &answer);
    assert_int_equal(answer.verdict.action, CODE_STOP);
    char deep[400];
    memset(deep, '[', sizeof(deep));
    read_bytes(STEP_EXCHANGE, 200, NULL, deep, sizeof(deep), &answer);
    assert_int_equal(answer.verdict.action, CODE_STOP);
}

static void refuses_other_data(void **state)
{
    (void)state;
    gives(STEP_INSPECT_INPUT, 200, "{}", CODE_STOP, "debug_token's answer has no data");
    gives(STEP_INSPECT_INPUT, 200, "{\"data\":null}", CODE_STOP,
          "debug_token's answer has no data");
    gives(STEP_INSPECT_INPUT, 200, "{\"data\":\"x\"}", CODE_STOP,
          "debug_token's answer has no data");
    gives(STEP_INSPECT_INPUT, 200, "{\"data\":[]}", CODE_STOP,
          "debug_token's data is a list, not an object");
    gives(STEP_INSPECT_RESULT, 200, "{\"data\":[{\"is_valid\":true}]}", CODE_STOP,
          "debug_token's data is a list, not an object");
}

static void judges_errors_in_every_shape(void **state)
{
    static const struct {
        enum oauth_step step;
        int status;
        const char *json;
        enum code code;
        int64_t provider_code;
    } cases[] = {
        {STEP_EXCHANGE, 400, "{\"error\":{\"message\":\"" SENTINEL "\",\"code\":190}}", CODE_LOGIN,
         190},
        {STEP_EXCHANGE, 200, "{\"error\":{\"message\":\"" SENTINEL "\",\"code\":190}}", CODE_LOGIN,
         190},
        {STEP_EXCHANGE, 200, "{\"error\":{\"code\":190},\"access_token\":\"" SENTINEL "\"}",
         CODE_LOGIN, 190},
        {STEP_EXCHANGE, 400, "{\"error\":{\"code\":\"190\"}}", CODE_LOGIN, 190},
        {STEP_INSPECT_INPUT, 400, "{\"error\":{\"code\":190}}", CODE_CONFIG, 190},
        {STEP_INSPECT_RESULT, 200, "{\"error\":{\"code\":101}}", CODE_CONFIG, 101},
        {STEP_EXCHANGE, 400,
         "{\"error_type\":\"OAuthException\",\"code\":400,\"error_message\":\"" SENTINEL "\"}",
         CODE_STOP, 400},
        {STEP_EXCHANGE, 400, "{\"error_code\":190,\"error_msg\":\"" SENTINEL "\"}", CODE_LOGIN,
         190},
        {STEP_EXCHANGE, 400, "{\"error\":\"invalid_grant\",\"error_description\":\"" SENTINEL "\"}",
         CODE_STOP, 0},
        {STEP_EXCHANGE, 500, "{\"error\":\"server_error\"}", CODE_RETRY, 0},
        {STEP_EXCHANGE, 400, "{\"error\":[]}", CODE_STOP, 0},
        {STEP_EXCHANGE, 400, "{\"error\":{}}", CODE_STOP, 0},
        {STEP_EXCHANGE, 400,
         "{\"error\":{\"code\":190,\"error_subcode\":0,\"error_data\":\"{\\\"a\\\":1}\"}}",
         CODE_LOGIN, 190},
        {STEP_EXCHANGE, 503, "{\"error\":{\"code\":2,\"is_transient\":true}}", CODE_RETRY, 2},
        {STEP_EXCHANGE, 403, "{\"error\":{\"code\":4}}", CODE_WAIT, 4},
        {STEP_EXCHANGE, 302, "{\"error\":{\"code\":4}}", CODE_STOP, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_text(cases[i].step, cases[i].status, cases[i].json, &answer);
        if (answer.verdict.action != cases[i].code)
            fail_msg("%s: %s", cases[i].json, error_code_name(answer.verdict.action));
        assert_int_equal(answer.verdict.provider_code, cases[i].provider_code);
        assert_int_not_equal(answer.verdict.message[0], '\0');
    }
}

static void takes_the_trace_from_body_or_header(void **state)
{
    static const struct {
        const char *header, *json, *trace;
    } cases[] = {
        {"Hdr-1", "{\"error\":{\"code\":1,\"fbtrace_id\":\"Body_2\"}}", "Body_2"},
        {"Hdr-1", "{\"error\":{\"code\":1}}", "Hdr-1"},
        {"Hdr-1", "{\"access_token\":\"x\"}", "Hdr-1"},
        {"Hdr-1", "no JSON", "Hdr-1"},
        {"0f1e2d3c4b5a69788796a5b4c3d2e1f0", "{\"access_token\":\"x\"}", ""},
        {"a b", "{\"access_token\":\"x\"}", ""},
        {"", "{\"access_token\":\"x\"}", ""},
        {NULL, "{\"access_token\":\"x\"}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_bytes(STEP_EXCHANGE, 200, cases[i].header, cases[i].json, strlen(cases[i].json),
                   &answer);
        assert_string_equal(answer.verdict.trace, cases[i].trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_debug_token_says),
        cmocka_unit_test(reads_numbers_and_strings_alike),
        cmocka_unit_test(leaves_unknown_what_is_not_said),
        cmocka_unit_test(refuses_wrong_facts),
        cmocka_unit_test(bounds_the_scopes),
        cmocka_unit_test(judges_the_error_inside_data),
        cmocka_unit_test(reads_an_issued_grant),
        cmocka_unit_test(refuses_what_is_no_grant),
        cmocka_unit_test(bounds_the_grant),
        cmocka_unit_test(judges_by_the_status_what_is_no_json),
        cmocka_unit_test(refuses_other_data),
        cmocka_unit_test(judges_errors_in_every_shape),
        cmocka_unit_test(takes_the_trace_from_body_or_header),
    };

    return cmocka_run_group_tests_name("meta_answer", tests, NULL, NULL);
}
