/*
 * test_oauth_answer.c: the answers to the steps beyond inspection and exchange, in every shape that is known, of all
 * families.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "p11vault/oauth/answer.h"

#define SENTINEL "EAAsentinel"
#define SECRET_LIKE "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

struct headers {
    const char *version, *authenticate;
};

static const char *look_up(void *context, const char *name)
{
    const struct headers *headers = context;

    if (strcasecmp(name, "facebook-api-version") == 0)
        return headers->version;
    return strcasecmp(name, "www-authenticate") == 0 ? headers->authenticate : NULL;
}

static void read_with(const char *provider, enum oauth_step step, int status,
                      const struct headers *headers, const char *text,
                      struct oauth_answer *ret_answer)
{
    auto_of(secret_free) struct secret *body = NULL;
    struct headers copy = *headers;
    struct error error = {0};

    assert_int_equal(secret_new(strlen(text) + 1, &body, &error), 0);
    assert_int_equal(secret_append_text(body, text, &error), 0);
    memset(ret_answer, 0x5a, sizeof(*ret_answer));
    const struct oauth_reply reply = {step, status, look_up, &copy, body, "v26.0"};
    assert_int_equal(oauth_answer_read(provider_find(provider), &reply, ret_answer, &error), 0);
    assert_int_equal(ret_answer->verdict.http, status);
    assert_null(strstr(ret_answer->verdict.message, SENTINEL));
    assert_null(strstr(ret_answer->verdict.hint, SENTINEL));
    if (ret_answer->verdict.action != CODE_DONE) {
        assert_null(ret_answer->grant);
        assert_null(ret_answer->code);
        assert_null(ret_answer->pages);
        assert_null(ret_answer->permissions);
        assert_int_equal(ret_answer->page_count, 0);
        assert_int_equal(ret_answer->permission_count, 0);
        assert_int_equal(ret_answer->expires_in, FACT_UNKNOWN);
        assert_string_equal(ret_answer->cursor, "");
        assert_string_equal(ret_answer->user_code, "");
    }
}

static const struct headers none = {NULL, NULL};

static void read_text(const char *provider, enum oauth_step step, const char *text,
                      struct oauth_answer *ret_answer)
{
    read_with(provider, step, 200, &none, text, ret_answer);
}

static void gives(const char *provider, enum oauth_step step, int status, const char *text,
                  enum code code, const char *part)
{
    auto_answer struct oauth_answer answer;

    read_with(provider, step, status, &none, text, &answer);
    if (answer.verdict.action != code || strstr(answer.verdict.message, part) == NULL)
        fail_msg("%s at %s: %s, \"%s\" instead of %s, \"%s\"", text, oauth_step_name(step),
                 error_code_name(answer.verdict.action), answer.verdict.message,
                 error_code_name(code), part);
}

/* ---- grants ---- */

static void takes_a_grant_in_every_shape(void **state)
{
    static const struct {
        const char *provider;
        enum oauth_step step;
        const char *text, *grant, *subject;
        int64_t expires_in;
        size_t scopes;
    } cases[] = {
        {"meta", STEP_CODE,
         "{\"access_token\":\"EAAx\",\"token_type\":\"bearer\",\"expires_in\":5103}", "EAAx", "",
         5103, 0},
        {"meta", STEP_CODE, "{\"access_token\":\"EAAx\",\"id_token\":\"a.b.c\"}", "EAAx", "",
         FACT_UNKNOWN, 0},
        {"meta", STEP_CODE, "access_token=EAAx&expires=5184000", "EAAx", "", 5184000, 0},
        {"meta", STEP_EXCHANGE, "access_token=EAA%7Cx&expires_in=7&token_type=bearer&other=1",
         "EAA|x", "", 7, 0},
        {"meta", STEP_EXCHANGE, "access_token=EAAx", "EAAx", "", FACT_UNKNOWN, 0},
        {"meta", STEP_APP_TOKEN, "access_token=12|abc-_", "12|abc-_", "", FACT_UNKNOWN, 0},
        {"meta", STEP_APP_TOKEN, "{\"access_token\":\"12|abc\",\"token_type\":\"bearer\"}",
         "12|abc", "", FACT_UNKNOWN, 0},
        {"meta", STEP_SYSTEM_USER, "{\"access_token\":\"EAAx\"}", "EAAx", "", FACT_UNKNOWN, 0},
        {"meta", STEP_NARROW, "{\"access_token\":\"EAAx\"}", "EAAx", "", FACT_UNKNOWN, 0},
        {"meta", STEP_SESSION_INFO, "{\"access_token\":\"XAAx\",\"expires_in\":\"3600\"}", "XAAx",
         "", 3600, 0},
        {"meta", STEP_DEVICE_POLL,
         "{\"access_token\":\"EAAx\",\"expires_in\":\"5183944\",\"data_access_expiration_time\":"
         "1790000000}",
         "EAAx", "", 5183944, 0},
        {"instagram", STEP_CODE,
         "{\"data\":[{\"access_token\":\"IGx\",\"user_id\":\"17841405793187218\",\"permissions\":"
         "\"instagram_business_basic,instagram_business_manage_messages\"}]}",
         "IGx", "17841405793187218", 3600, 2},
        {"instagram", STEP_CODE,
         "{\"access_token\":\"IGx\",\"user_id\":17841405793187218,\"permissions\":[\"a\",\"b\","
         "\"c\"]}",
         "IGx", "17841405793187218", 3600, 3},
        {"instagram", STEP_CODE, "{\"access_token\":\"IGx\",\"user_id\":9223372036854775807}",
         "IGx", "9223372036854775807", 3600, 0},
        {"instagram", STEP_EXCHANGE,
         "{\"access_token\":\"IGx\",\"token_type\":\"bearer\",\"expires_in\":5183944}", "IGx", "",
         5183944, 0},
        {"instagram", STEP_REFRESH, "{\"access_token\":\"IGx\",\"expires_in\":5183944}", "IGx", "",
         5183944, 0},
        {"threads", STEP_CODE, "{\"access_token\":\"THx\",\"user_id\":25010668725265932}", "THx",
         "25010668725265932", 3600, 0},
        {"threads", STEP_REFRESH, "{\"access_token\":\"THx\",\"expires_in\":5183944}", "THx", "",
         5183944, 0},
        {"threads", STEP_APP_TOKEN, "{\"access_token\":\"TH|1|x\",\"token_type\":\"bearer\"}",
         "TH|1|x", "", FACT_UNKNOWN, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_text(cases[i].provider, cases[i].step, cases[i].text, &answer);
        if (answer.verdict.action != CODE_DONE)
            fail_msg("%s: %s", cases[i].text, answer.verdict.message);
        assert_true(secret_equals(answer.grant, cases[i].grant, strlen(cases[i].grant)));
        assert_string_equal(answer.facts.subject, cases[i].subject);
        assert_int_equal(answer.expires_in, cases[i].expires_in);
        assert_int_equal(answer.facts.scope_count, cases[i].scopes);
    }
}

static void takes_what_stands_around_a_grant(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text("meta", STEP_REDEEM,
              "{\"access_token\":\"EAAx\",\"expires_in\":5183944,\"machine_id\":\"aB3-_x\"}",
              &answer);
    assert_string_equal(answer.machine_id, "aB3-_x");
    assert_int_equal(answer.expires_in, 5183944);
    oauth_answer_clear(&answer);
    read_text("meta", STEP_DEVICE_POLL,
              "{\"access_token\":\"EAAx\",\"expires_at\":\"0\",\"data_access_expiration_time\":"
              "1790000000}",
              &answer);
    assert_int_equal(answer.facts.expires, 0);
    assert_int_equal(answer.facts.data_expires, 1790000000);
}

static void refuses_other_grants(void **state)
{
    (void)state;
    /* Shapes of one family are none of another's. */
    gives("meta", STEP_CODE, 200, "{\"data\":[{\"access_token\":\"" SENTINEL "\"}]}", CODE_STOP,
          "no access token");
    gives("instagram", STEP_EXCHANGE, 200, "{\"data\":[{\"access_token\":\"" SENTINEL "\"}]}",
          CODE_STOP, "no access token");
    gives("instagram", STEP_CODE, 200, "access_token=" SENTINEL, CODE_STOP, "not JSON");
    gives("meta", STEP_DEVICE_POLL, 200, "access_token=" SENTINEL, CODE_STOP, "not JSON");
    gives("meta", STEP_SYSTEM_USER, 200, "access_token=" SENTINEL, CODE_STOP, "not JSON");
    gives("instagram", STEP_CODE, 200,
          "{\"data\":[{\"access_token\":\"" SENTINEL "\"},{\"access_token\":\"x\"}]}", CODE_STOP,
          "no access token");
    gives("instagram", STEP_CODE, 200, "{\"data\":[]}", CODE_STOP, "no access token");
    gives("instagram", STEP_CODE, 200, "{\"data\":[\"x\"]}", CODE_STOP, "no access token");
    gives("instagram", STEP_CODE, 200, "{\"access_token\":\"IGx\",\"user_id\":1.5}", CODE_STOP,
          "user_id is not an id");
    gives("instagram", STEP_CODE, 200, "{\"access_token\":\"IGx\",\"user_id\":1e3}", CODE_STOP,
          "user_id is not an id");
    gives("instagram", STEP_CODE, 200, "{\"access_token\":\"IGx\",\"user_id\":9223372036854775808}",
          CODE_STOP, "not JSON");
    gives("instagram", STEP_CODE, 200, "{\"access_token\":\"IGx\",\"permissions\":\"a,,b\"}",
          CODE_STOP, "permissions");
    gives("threads", STEP_CODE, 200, "{\"access_token\":\"THx\",\"user_id\":\"x\"}", CODE_STOP,
          "user_id is not an id");
    gives("meta", STEP_REDEEM, 200, "{\"access_token\":\"EAAx\",\"machine_id\":\"a b\"}", CODE_STOP,
          "machine_id");
    gives("meta", STEP_DEVICE_POLL, 200,
          "{\"access_token\":\"EAAx\",\"data_access_expiration_time\":\"x\"}", CODE_STOP,
          "data_access_expiration_time");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "+x", CODE_STOP, "printable");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "%0d%0a", CODE_STOP, "not JSON");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "&access_token=x", CODE_STOP,
          "not JSON");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "&expires=soon", CODE_STOP, "seconds");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "&token_type=mac", CODE_STOP, "bearer");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "&", CODE_DONE, "");
    gives("meta", STEP_CODE, 200, "access_token=" SENTINEL "&x", CODE_STOP, "not JSON");
}

/* ---- codes, devices ---- */

static void takes_codes(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text("meta", STEP_CLIENT_CODE, "{\"code\":\"AQDclient\"}", &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_true(secret_equals(answer.code, "AQDclient", 9));
    assert_null(answer.grant);
    oauth_answer_clear(&answer);
    read_text("meta", STEP_DEVICE_START,
              "{\"code\":\"92a2b2e351f2b0b3503b2de251132f47\",\"user_code\":\"A1NWZ9X2\","
              "\"verification_uri\":\"https://www.facebook.com/device\",\"expires_in\":\"420\","
              "\"interval\":\"7\"}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_true(secret_equals(answer.code, "92a2b2e351f2b0b3503b2de251132f47", 32));
    assert_string_equal(answer.user_code, "A1NWZ9X2");
    assert_string_equal(answer.verification_uri, "https://www.facebook.com/device");
    assert_int_equal(answer.expires_in, 420);
    assert_int_equal(answer.interval, 7);
    oauth_answer_clear(&answer);
    read_text("meta", STEP_DEVICE_START,
              "{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"https://fb.me/"
              "d\",\"interval\":1}",
              &answer);
    assert_int_equal(answer.interval, 5);
    assert_int_equal(answer.expires_in, FACT_UNKNOWN);
}

static void refuses_other_codes(void **state)
{
    static const struct {
        const char *json, *part;
    } devices[] = {
        {"{}", "no code for the person"},
        {"{\"code\":\"x\",\"user_code\":\"\\u001b[2J\"}", "no code for the person"},
        {"{\"code\":\"x\",\"user_code\":\"" SECRET_LIKE "\"}", "no code for the person"},
        {"{\"code\":\"x\",\"user_code\":\"A\"}", "no https address"},
        {"{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"http://a/\"}",
         "no https address"},
        {"{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"https://a/ b\"}", "no https"},
        {"{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"https://u@a/\"}", "no https"},
        {"{\"user_code\":\"A\",\"verification_uri\":\"https://a/\"}", "the answer has no code"},
        {"{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"https://a/\",\"interval\":-1}",
         "interval"},
        {"{\"code\":\"x\",\"user_code\":\"A\",\"verification_uri\":\"https://a/"
         "\",\"expires_in\":[]}",
         "expires_in"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        gives("meta", STEP_DEVICE_START, 200, devices[i].json, CODE_STOP, devices[i].part);
    gives("meta", STEP_CLIENT_CODE, 200, "", CODE_STOP, "gave no code, and did not say why");
    gives("meta", STEP_CLIENT_CODE, 200, "{}", CODE_STOP, "the answer has no code");
    gives("meta", STEP_CLIENT_CODE, 200, "{\"code\":17}", CODE_STOP, "the answer has no code");
    gives("meta", STEP_CLIENT_CODE, 500, "", CODE_RETRY, "out of order");
}

static void polls_a_device(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_with("meta", STEP_DEVICE_POLL, 400, &none,
              "{\"error\":{\"code\":31,\"error_subcode\":1349174,\"message\":\"" SENTINEL "\"}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_WAIT);
    assert_int_equal(answer.verdict.subcode, DEVICE_PENDING);
    gives("meta", STEP_DEVICE_POLL, 400, "{\"error\":\"authorization_pending\"}", CODE_WAIT, "yet");
}

/* ---- pages ---- */

#define NEXT                                                                                       \
    "\"next\":\"https:\\/\\/graph.facebook.com\\/v26.0\\/1\\/accounts?access_token=" SENTINEL      \
    "&after=evil\""

static void takes_pages(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text("meta", STEP_PAGES,
              "{\"data\":[{\"access_token\":\"EAApage1\",\"category\":\"x\",\"category_list\":[{"
              "\"id\":\"1\","
              "\"name\":\"y\"}],\"name\":\"Caf\\u00e9 \\u0007\",\"id\":\"1353269864728879\","
              "\"tasks\":[\"ANALYZE\",\"ADVERTISE\",7,\"b c\"]},"
              "{\"access_token\":\"EAApage2\",\"name\":\"token " SECRET_LIKE "\",\"id\":42},"
              "{\"name\":\"no token\",\"id\":\"43\"}],"
              "\"paging\":{\"cursors\":{\"before\":\"QV\",\"after\":\"QVFIUk==\"}," NEXT "}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_int_equal(answer.page_count, 3);
    assert_string_equal(answer.pages[0].id, "1353269864728879");
    assert_string_equal(answer.pages[0].label, "Caf\xc3\xa9 ?");
    assert_string_equal(answer.pages[0].tasks, "ANALYZE,ADVERTISE");
    assert_true(secret_equals(answer.pages[0].grant, "EAApage1", 8));
    assert_string_equal(answer.pages[1].id, "42");
    assert_string_equal(answer.pages[1].label, ""); /* a word as long as a secret */
    assert_true(secret_equals(answer.pages[1].grant, "EAApage2", 8));
    assert_string_equal(answer.pages[2].label, "no token");
    assert_true(answer.pages[1].has_grant);
    assert_null(answer.pages[2].grant);
    assert_false(answer.pages[2].has_grant);
    assert_int_equal(answer.total, 0);
    assert_string_equal(answer.cursor, "QVFIUk==");
}

static void knows_the_end_of_the_list(void **state)
{
    static const struct {
        const char *json, *cursor;
        size_t count;
    } cases[] = {
        {"{\"data\":[]}", "", 0},
        {"{\"data\":[],\"paging\":{\"cursors\":{\"after\":\"x\"}}}", "", 0},
        {"{\"data\":[],\"paging\":{\"cursors\":{\"after\":\"x\"},\"next\":null}}", "", 0},
        {"{\"data\":[],\"paging\":{\"cursors\":{\"after\":\"x\"}," NEXT "}}", "x", 0},
        {"{\"data\":[{\"id\":\"1\"}],\"paging\":{}}", "", 1},
        {"{\"id\":\"1\",\"name\":\"alone\",\"access_token\":\"EAAx\"}", "", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_text("meta", STEP_PAGES, cases[i].json, &answer);
        assert_int_equal(answer.verdict.action, CODE_DONE);
        assert_non_null(answer.pages);
        assert_int_equal(answer.page_count, cases[i].count);
        assert_string_equal(answer.cursor, cases[i].cursor);
    }
}

/* Names and ids, and no grant, whatever the provider puts beside them. */
static void takes_businesses(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text("meta", STEP_BUSINESSES,
              "{\"data\":[{\"id\":\"33\",\"name\":\"One\",\"access_token\":\"" SENTINEL
              "\"},{\"id\":34}],\"paging\":{\"cursors\":{\"after\":\"x\"}," NEXT "}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_int_equal(answer.page_count, 2);
    assert_string_equal(answer.pages[0].id, "33");
    assert_string_equal(answer.pages[0].label, "One");
    assert_string_equal(answer.pages[1].id, "34");
    for (size_t i = 0; i < 2; i++) {
        assert_null(answer.pages[i].grant);
        assert_false(answer.pages[i].has_grant);
    }
    assert_string_equal(answer.cursor, "x");
}

static void reads_how_many_the_provider_counts(void **state)
{
    static const struct {
        const char *summary;
        int64_t total;
    } cases[] = {{"{\"total_count\":7}", 7},
                 {"{\"total_count\":\"7\"}", 7},
                 {"{}", 0},
                 {"{\"total_count\":-1}", 0},
                 {"7", 0},
                 {"{\"total_count\":[7]}", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;
        char json[128];

        snprintf(json, sizeof(json), "{\"data\":[],\"summary\":%s}", cases[i].summary);
        read_text("meta", STEP_PAGES, json, &answer);
        assert_int_equal(answer.verdict.action, CODE_DONE);
        assert_int_equal(answer.total, cases[i].total);
    }
}

static void refuses_other_lists(void **state)
{
    char many[4096] = "{\"data\":[{\"id\":\"1\"}";

    (void)state;
    gives("meta", STEP_PAGES, 200, "{}", CODE_STOP, "no list");
    gives("meta", STEP_PAGES, 200, "{\"data\":{}}", CODE_STOP, "no list");
    gives("meta", STEP_PAGES, 200, "{\"data\":[7]}", CODE_STOP, "no id");
    gives("meta", STEP_PAGES, 200, "{\"data\":[{\"access_token\":\"" SENTINEL "\"}]}", CODE_STOP,
          "no id");
    gives("meta", STEP_PAGES, 200, "{\"data\":[{\"id\":\"a\"}]}", CODE_STOP, "no id");
    gives("meta", STEP_PAGES, 200,
          "{\"data\":[{\"id\":\"1\",\"access_token\":\"" SENTINEL
          "\"},{\"id\":\"2\",\"access_token\":\"a b\"}]}",
          CODE_STOP, "token of a page");
    gives("meta", STEP_PAGES, 200, "{\"data\":[],\"paging\":{" NEXT "}}", CODE_STOP,
          "no cursor says where");
    gives("meta", STEP_PAGES, 200,
          "{\"data\":[],\"paging\":{\"cursors\":{\"after\":\"a&b\"}," NEXT "}}", CODE_STOP,
          "no cursor says where");
    gives("meta", STEP_PAGES, 400, "{\"error\":{\"code\":190,\"error_subcode\":492}}", CODE_LOGIN,
          "role");
    for (size_t i = 0; i < OAUTH_PAGES_MAX; i++)
        strcat(many, ",{\"id\":\"1\"}");
    strcat(many, "]}");
    gives("meta", STEP_PAGES, 200, many, CODE_STOP, "longer than was asked for");
}

/* A label is cut between two characters. */
static void cuts_a_long_label(void **state)
{
    char json[1024] = "{\"data\":[{\"id\":\"1\",\"name\":\"a";
    auto_answer struct oauth_answer answer;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        strcat(json, "\xc3\xa9");
    strcat(json, "\"}]}");
    read_text("meta", STEP_PAGES, json, &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_int_equal(strlen(answer.pages[0].label), FACT_TEXT_MAX - 1);
    assert_null(strchr(answer.pages[0].label, '?'));
}

/* ---- permissions and ends ---- */

static void takes_permissions(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text("meta", STEP_PERMISSIONS,
              "{\"data\":[{\"permission\":\"ads_read\",\"status\":\"granted\"},"
              "{\"permission\":\"email\",\"status\":\"declined\"}]}",
              &answer);
    assert_int_equal(answer.permission_count, 2);
    assert_string_equal(answer.permissions[0].name, "ads_read");
    assert_string_equal(answer.permissions[0].status, "granted");
    assert_string_equal(answer.permissions[1].name, "email");
    assert_string_equal(answer.permissions[1].status, "declined");
    gives("meta", STEP_PERMISSIONS, 200, "{\"data\":[]}", CODE_DONE, "");
    gives("meta", STEP_PERMISSIONS, 200, "{}", CODE_STOP, "no list");
    gives("meta", STEP_PERMISSIONS, 200, "{\"data\":[{\"permission\":\"a\"}]}", CODE_STOP,
          "status");
    gives("meta", STEP_PERMISSIONS, 200,
          "{\"data\":[{\"permission\":\"a b\",\"status\":\"granted\"}]}", CODE_STOP,
          "name or status");
}

static void takes_the_ends(void **state)
{
    static const enum oauth_step steps[] = {STEP_TAKE_BACK, STEP_REVOKE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        gives("meta", steps[i], 200, "true", CODE_DONE, "");
        gives("meta", steps[i], 200, " true\n", CODE_DONE, "");
        gives("meta", steps[i], 200, "{\"success\":true}", CODE_DONE, "");
        gives("meta", steps[i], 200, "{\"success\":false}", CODE_STOP, "failed, and not why");
        gives("meta", steps[i], 200, "false", CODE_STOP, "failed, and not why");
        gives("meta", steps[i], 200, "{}", CODE_STOP, "did not say that it was done");
        gives("meta", steps[i], 200, "{\"success\":\"true\"}", CODE_STOP, "did not say");
        gives("meta", steps[i], 200, "", CODE_STOP, "empty");
        gives("meta", steps[i], 200, "truer", CODE_STOP, "not JSON");
        gives("meta", steps[i], 400, "true", CODE_STOP, "not JSON");
        gives("meta", steps[i], 400, "{\"error\":{\"code\":190}}", CODE_LOGIN, "");
    }
    gives("meta", STEP_EXCHANGE, 200, "true", CODE_STOP, "not JSON");
}

/* ---- what is said of a grant ---- */

static void takes_the_new_facts(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_text(
        "meta", STEP_INSPECT_INPUT,
        "{\"data\":{\"app_id\":\"1\",\"application\":\"Ads \\u202e & more\",\"type\":\"PAGE\","
        "\"profile_id\":1353269864728879,\"user_id\":\"2\",\"is_valid\":true,\"metadata\":"
        "{\"sso\":\"chrome\",\"auth_type\":\"reauthenticate\",\"auth_nonce\":\"n0n-ce_\"},"
        "\"granular_scopes\":[{\"scope\":\"ads_read\",\"target_ids\":[\"12\",34]},"
        "{\"scope\":\"email\"},{\"scope\":\"pages_show_list\",\"target_ids\":[]}]}}",
        &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_string_equal(answer.facts.profile, "1353269864728879");
    assert_string_equal(answer.facts.granular, "ads_read=12,34 email pages_show_list=");
    assert_false(answer.facts.granular_cut);
    assert_string_equal(answer.facts.sso, "chrome");
    assert_string_equal(answer.facts.auth_type, "reauthenticate");
    assert_string_equal(answer.facts.auth_nonce, "n0n-ce_");
    assert_string_not_equal(answer.facts.application, "");
    oauth_answer_clear(&answer);
    read_text("meta", STEP_INSPECT_INPUT,
              "{\"data\":{\"application\":\"" SECRET_LIKE "\",\"metadata\":{\"sso\":\"" SECRET_LIKE
              "\",\"auth_type\":7,\"auth_nonce\":\"a b\"}}}",
              &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_string_equal(answer.facts.application, "");
    assert_string_equal(answer.facts.sso, "");
    assert_string_equal(answer.facts.auth_nonce, "");
    gives("meta", STEP_INSPECT_INPUT, 200, "{\"data\":{\"profile_id\":\"x\"}}", CODE_STOP,
          "profile_id");
    gives("meta", STEP_INSPECT_INPUT, 200, "{\"data\":{\"granular_scopes\":{}}}", CODE_STOP,
          "granular_scopes");
    gives("meta", STEP_INSPECT_INPUT, 200,
          "{\"data\":{\"granular_scopes\":[{\"scope\":\"a\",\"target_ids\":[1.5]}]}}", CODE_STOP,
          "granular_scopes");
    gives("meta", STEP_INSPECT_INPUT, 200, "{\"data\":{\"granular_scopes\":[{}]}}", CODE_STOP,
          "granular_scopes");
}

static void bounds_the_granular_scopes(void **state)
{
    static char json[64 * 1024] =
        "{\"data\":{\"granular_scopes\":[{\"scope\":\"a\",\"target_ids\":[\"1\"";
    auto_answer struct oauth_answer answer;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        strcat(json, ",\"10153848260347724\"");
    strcat(json, "]}]}}");
    read_text("meta", STEP_INSPECT_INPUT, json, &answer);
    assert_int_equal(answer.verdict.action, CODE_DONE);
    assert_true(answer.facts.granular_cut);
    assert_in_range(strlen(answer.facts.granular), FACT_GRANULAR_MAX - 20, FACT_GRANULAR_MAX - 1);
}

static void takes_a_profile(void **state)
{
    static const struct {
        const char *provider, *json, *subject, *profile;
    } cases[] = {
        {"instagram", "{\"id\":\"26\",\"user_id\":\"17841405793187218\"}", "26",
         "17841405793187218"},
        {"instagram", "{\"data\":[{\"user_id\":17841405793187218}]}", "17841405793187218",
         "17841405793187218"},
        {"threads", "{\"id\":\"25010668725265932\"}", "25010668725265932", ""},
        {"threads", "{\"id\":25010668725265932,\"username\":\"x\"}", "25010668725265932", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_text(cases[i].provider, STEP_INSPECT_RESULT, cases[i].json, &answer);
        assert_int_equal(answer.verdict.action, CODE_DONE);
        assert_int_equal(answer.facts.valid, 1);
        assert_string_equal(answer.facts.subject, cases[i].subject);
        assert_string_equal(answer.facts.profile, cases[i].profile);
        assert_string_equal(answer.facts.app_id, "");
        assert_int_equal(answer.facts.expires, FACT_UNKNOWN);
    }
    gives("threads", STEP_INSPECT_INPUT, 200, "{}", CODE_STOP, "no id");
    gives("threads", STEP_INSPECT_INPUT, 200, "{\"id\":\"\"}", CODE_STOP, "not an id");
    gives("instagram", STEP_INSPECT_INPUT, 200, "{\"id\":1.0}", CODE_STOP, "not an id");
    gives("threads", STEP_INSPECT_INPUT, 400, "{\"error\":{\"code\":190,\"error_subcode\":463}}",
          CODE_LOGIN, "expired");
    gives("instagram", STEP_INSPECT_RESULT, 400, "{\"error\":{\"code\":190,\"error_subcode\":0}}",
          CODE_STOP, "just issued");
}

/* ---- headers ---- */

static void notes_another_version(void **state)
{
    static const char *const cases[][2] = {
        {NULL, ""},           {"v26.0", ""},  {"v25.0", "v25.0"},           {"", ""},
        {"v25.0\x1b[2J", ""}, {"latest", ""}, {"v25.0v25.0v25.0v25.0", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct headers headers = {cases[i][0], NULL};
        auto_answer struct oauth_answer answer;

        read_with("meta", STEP_PERMISSIONS, 200, &headers, "{\"data\":[]}", &answer);
        assert_string_equal(answer.api_version, cases[i][1]);
        oauth_answer_clear(&answer);
        read_with("meta", STEP_EXCHANGE, 400, &headers, "{\"error\":{\"code\":190}}", &answer);
        assert_string_equal(answer.api_version, cases[i][1]);
    }
}

/* Status 200, and no JSON: what Meta's front door says when there is nobody behind it. */
static void a_plain_outage_is_tried_again(void **state)
{
    static const enum oauth_step steps[] = {STEP_EXCHANGE, STEP_INSPECT_INPUT, STEP_PAGES,
                                            STEP_CALL};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        gives("meta", steps[i], 200, "Service Unavailable", CODE_RETRY, "unavailable");
        gives("meta", steps[i], 200, "<h1>Service Unavailable</h1>\n", CODE_RETRY, "unavailable");
    }
    gives("meta", STEP_EXCHANGE, 200, "Service", CODE_STOP, "not JSON");
    /* Words of somebody's, inside an answer. */
    gives("meta", STEP_CALL, 200, "{\"message\":\"Service Unavailable\"}", CODE_DONE, "");
}

/* Some errors have no body. */
static void reads_www_authenticate(void **state)
{
    static const struct headers token = {
        NULL, "OAuth \"Facebook Platform\" \"invalid_token\" \"" SENTINEL "\""};
    static const struct headers code = {
        NULL, "OAuth \"Facebook Platform\" \"invalid_code\" \"" SENTINEL "\""};
    static const struct {
        const struct headers *headers;
        enum oauth_step step;
        int status;
        const char *body;
        enum code code;
    } cases[] = {
        {&token, STEP_PAGES, 401, "", CODE_LOGIN},
        {&token, STEP_INSPECT_INPUT, 401, "", CODE_CONFIG},
        {&token, STEP_EXCHANGE, 400, "<html>", CODE_LOGIN},
        {&token, STEP_EXCHANGE, 400, "{}", CODE_LOGIN},
        {&code, STEP_CODE, 400, "", CODE_LOGIN},
        {&token, STEP_PAGES, 403, "", CODE_STOP},
        {&token, STEP_PAGES, 503, "", CODE_RETRY},
        {&none, STEP_PAGES, 401, "", CODE_STOP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_answer struct oauth_answer answer;

        read_with("meta", cases[i].step, cases[i].status, cases[i].headers, cases[i].body, &answer);
        assert_int_equal(answer.verdict.action, cases[i].code);
        assert_int_equal(answer.verdict.provider_code, 0);
    }
}

/* A code is used up, whatever came back. */
static void begins_again_with_a_code(void **state)
{
    auto_answer struct oauth_answer answer;

    (void)state;
    read_with("meta", STEP_CODE, 503, &none, "", &answer);
    assert_int_equal(answer.verdict.action, CODE_RETRY);
    assert_string_equal(answer.verdict.hint, "log in again in a few minutes: p11vault login NAME");
    read_with("meta", STEP_CODE, 400, &none, "{\"error\":{\"code\":4}}", &answer);
    assert_int_equal(answer.verdict.action, CODE_WAIT);
    assert_string_equal(answer.verdict.hint, "log in again in an hour: p11vault login NAME");
    read_with("meta", STEP_REDEEM, 503, &none, "", &answer);
    assert_string_equal(answer.verdict.hint, "make a new client code in a few minutes");
}

static void refuses_a_step_of_another_family(void **state)
{
    auto_of(secret_free) struct secret *body = NULL;
    struct oauth_answer answer = {.expires_in = 7};
    struct error error = {0};

    (void)state;
    assert_int_equal(secret_new(1, &body, &error), 0);
    const struct oauth_reply reply = {STEP_PAGES, 200, look_up, NULL, body, NULL};
    assert_int_equal(oauth_answer_read(provider_find("threads"), &reply, &answer, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_int_equal(answer.expires_in, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_grant_in_every_shape),
        cmocka_unit_test(takes_what_stands_around_a_grant),
        cmocka_unit_test(refuses_other_grants),
        cmocka_unit_test(takes_codes),
        cmocka_unit_test(refuses_other_codes),
        cmocka_unit_test(polls_a_device),
        cmocka_unit_test(takes_pages),
        cmocka_unit_test(knows_the_end_of_the_list),
        cmocka_unit_test(takes_businesses),
        cmocka_unit_test(reads_how_many_the_provider_counts),
        cmocka_unit_test(refuses_other_lists),
        cmocka_unit_test(cuts_a_long_label),
        cmocka_unit_test(takes_permissions),
        cmocka_unit_test(takes_the_ends),
        cmocka_unit_test(takes_the_new_facts),
        cmocka_unit_test(bounds_the_granular_scopes),
        cmocka_unit_test(takes_a_profile),
        cmocka_unit_test(notes_another_version),
        cmocka_unit_test(a_plain_outage_is_tried_again),
        cmocka_unit_test(reads_www_authenticate),
        cmocka_unit_test(begins_again_with_a_code),
        cmocka_unit_test(refuses_a_step_of_another_family),
    };

    return cmocka_run_group_tests_name("oauth_answer", tests, NULL, NULL);
}
