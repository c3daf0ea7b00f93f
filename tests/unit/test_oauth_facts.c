/*
 * test_oauth_facts.c: what one room tells the other of an answer: all of it comes over, and nothing else gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/facts.h"

static struct oauth_facts whole(void)
{
    struct oauth_facts facts = {.app_id = "1234567890",
                                .application = "Ads & \xc3\xa9",
                                .type = "SYSTEM_USER",
                                .subject = "10153848260347724",
                                .profile = "1353269864728879",
                                .valid = 1,
                                .expires = 0,
                                .data_expires = 1790000000,
                                .issued = 1770000000,
                                .scopes = {"ads_read", "email"},
                                .scope_count = 2,
                                .granular = "ads_read=12,34 email",
                                .granular_cut = true,
                                .sso = "chrome",
                                .auth_type = "reauthenticate",
                                .auth_nonce = "n0n-ce_"};
    return facts;
}

static void facts_come_over(void **state)
{
    struct oauth_facts facts = whole();
    struct oauth_facts read;
    struct error error = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        auto_json json_t *json = oauth_facts_to_json(&facts);

        memset(&read, 0x5a, sizeof(read));
        assert_int_equal(oauth_facts_from_json(json, &read, &error), 0);
        assert_string_equal(read.app_id, facts.app_id);
        assert_string_equal(read.application, facts.application);
        assert_string_equal(read.type, facts.type);
        assert_string_equal(read.subject, facts.subject);
        assert_string_equal(read.profile, facts.profile);
        assert_int_equal(read.valid, facts.valid);
        assert_int_equal(read.expires, facts.expires);
        assert_int_equal(read.data_expires, facts.data_expires);
        assert_int_equal(read.issued, facts.issued);
        assert_int_equal(read.scope_count, facts.scope_count);
        assert_string_equal(read.scopes[1], facts.scopes[1]);
        assert_string_equal(read.granular, facts.granular);
        assert_int_equal(read.granular_cut, facts.granular_cut);
        assert_string_equal(read.sso, facts.sso);
        assert_string_equal(read.auth_type, facts.auth_type);
        assert_string_equal(read.auth_nonce, facts.auth_nonce);
        oauth_facts_init(&facts); /* and once more with nothing known */
    }
}

static void refuses_facts(const char *text)
{
    auto_json json_t *json = NULL;
    struct oauth_facts facts = {.valid = 7};
    struct error error = {0};

    assert_int_equal(json_parse(text, strlen(text), "test", &json, &error), 0);
    if (oauth_facts_from_json(json, &facts, &error) == 0)
        fail_msg("%s was taken", text);
    assert_int_equal(error.code, CODE_FAULT);
    assert_int_equal(facts.valid, 7);
}

static void nothing_else_gets_through(void **state)
{
    static const char *const wrong[] = {
        "{\"other\":1}",
        "{\"app_id\":1}",
        "{\"app_id\":\"\"}",
        "{\"app_id\":\"1a\"}",
        "{\"subject\":\"1 2\"}",
        "{\"profile\":\"\\u001b[2J\"}",
        "{\"type\":\"a b\"}",
        "{\"type\":null}",
        "{\"application\":7}",
        "{\"application\":\"\\u001b[2J\"}",
        "{\"application\":\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\"}",
        "{\"valid\":2}",
        "{\"valid\":-1}",
        "{\"valid\":true}",
        "{\"expires\":-1}",
        "{\"expires\":\"0\"}",
        "{\"expires\":1.5}",
        "{\"expires\":253402300800}",
        "{\"data_expires\":[]}",
        "{\"issued\":{}}",
        "{\"scopes\":\"a,b\"}",
        "{\"scopes\":[1]}",
        "{\"scopes\":[\"a b\"]}",
        "{\"scopes\":{}}",
        "{\"granular\":\"a;b\"}",
        "{\"granular_cut\":1}",
        "{\"sso\":\"a b\"}",
        "{\"auth_nonce\":\"a\\nb\"}",
    };
    struct oauth_facts facts;
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refuses_facts(wrong[i]);
    assert_int_equal(oauth_facts_from_json(NULL, &facts, &error), -1);

    char text[256] = "{\"subject\":\"";
    memset(text + strlen(text), '1', FACT_TEXT_MAX);
    strcat(text, "\"}");
    refuses_facts(text);
}

static void knows_what_was_not_granted(void **state)
{
    static const char *const cases[][2] = {
        {"ads_read,email", ""},
        {"ads_read,pages_show_list,ads", "pages_show_list,ads"},
        {"", ""},
        {NULL, ""},
    };
    const struct oauth_facts facts = whole();
    struct oauth_facts none = facts;
    struct error error;
    (void)state;
    none.scope_count = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_buffer struct buffer missing = BUFFER_UP_TO(256);
        auto_buffer struct buffer all = BUFFER_UP_TO(256);
        assert_int_equal(oauth_facts_missing(&facts, cases[i][0], &missing, &error), 0);
        assert_string_equal(buffer_text(&missing), cases[i][1]);
        assert_int_equal(oauth_facts_missing(&none, cases[i][0], &all, &error), 0);
        assert_string_equal(buffer_text(&all), cases[i][0] ? cases[i][0] : "");
    }
}

static void answers_come_over(void **state)
{
    struct oauth_permission permissions[] = {{"ads_read", "granted"}, {"email", "declined"}};
    const struct oauth_answer answer = {.facts = whole(),
                                        .expires_in = 420,
                                        .cursor = "QVFI==",
                                        .permissions = permissions,
                                        .permission_count = 2,
                                        .user_code = "A1NWZ9X2",
                                        .verification_uri = "https://www.facebook.com/device",
                                        .interval = 5,
                                        .api_version = "v25.0",
                                        .usage = {.percent = 95, .wait = 1140}};
    auto_json json_t *json = oauth_answer_to_json(&answer);
    auto_answer struct oauth_answer read;
    struct error error = {0};

    (void)state;
    memset(&read, 0x5a, sizeof(read));
    assert_int_equal(oauth_answer_from_json(json, &read, &error), 0);
    assert_string_equal(read.facts.subject, answer.facts.subject);
    assert_int_equal(read.expires_in, 420);
    assert_string_equal(read.cursor, "QVFI==");
    assert_int_equal(read.permission_count, 2);
    assert_string_equal(read.permissions[1].name, "email");
    assert_string_equal(read.permissions[1].status, "declined");
    assert_string_equal(read.user_code, answer.user_code);
    assert_string_equal(read.verification_uri, answer.verification_uri);
    assert_int_equal(read.interval, 5);
    assert_string_equal(read.api_version, answer.api_version);
    assert_int_equal(read.usage.percent, 95);
    assert_int_equal(read.usage.wait, 1140);
    assert_null(read.grant);
    assert_null(read.code);
}

/* Of a list, what brought no grant; what did was offered on its own. */
static void lists_come_over(void **state)
{
    struct oauth_page pages[] = {{.id = "33", .label = "One", .has_grant = true},
                                 {.id = "34", .label = "Caf\xc3\xa9"},
                                 {.id = "35"}};
    const struct oauth_answer answer = {
        .facts = whole(), .pages = pages, .page_count = 3, .total = 7};
    auto_json json_t *json = oauth_answer_to_json(&answer);
    auto_answer struct oauth_answer read;
    struct error error = {0};

    (void)state;
    memset(&read, 0x5a, sizeof(read));
    assert_int_equal(oauth_answer_from_json(json, &read, &error), 0);
    assert_int_equal(read.page_count, 2);
    assert_string_equal(read.pages[0].id, "34");
    assert_string_equal(read.pages[0].label, "Caf\xc3\xa9");
    assert_string_equal(read.pages[1].id, "35");
    assert_string_equal(read.pages[1].label, "");
    assert_null(read.pages[0].grant);
    assert_int_equal(read.total, 7);
}

static void an_empty_answer_comes_over(void **state)
{
    struct oauth_answer answer = {.expires_in = FACT_UNKNOWN, .usage.percent = USAGE_UNKNOWN};
    auto_answer struct oauth_answer read;
    struct error error = {0};

    (void)state;
    oauth_facts_init(&answer.facts);
    auto_json json_t *json = oauth_answer_to_json(&answer);
    memset(&read, 0x5a, sizeof(read));
    assert_int_equal(oauth_answer_from_json(json, &read, &error), 0);
    assert_int_equal(read.expires_in, FACT_UNKNOWN);
    assert_int_equal(read.facts.valid, FACT_UNKNOWN);
    assert_null(read.permissions);
    assert_string_equal(read.cursor, "");
    assert_int_equal(read.interval, 0);
    assert_int_equal(read.usage.percent, USAGE_UNKNOWN);
    assert_int_equal(read.usage.wait, 0);
}

/* The largest that an answer may be still fits into one message, beside everything else. */
static void the_largest_answer_fits(void **state)
{
    static struct oauth_permission permissions[OAUTH_PERMISSIONS_MAX];
    struct oauth_answer answer = {
        .facts = whole(), .permissions = permissions, .permission_count = OAUTH_PERMISSIONS_MAX};
    auto_free char *text = NULL;
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < OAUTH_PERMISSIONS_MAX; i++) {
        memset(permissions[i].name, 'n', sizeof(permissions[i].name) - 1);
        memset(permissions[i].status, 's', sizeof(permissions[i].status) - 1);
    }
    answer.facts.scope_count = FACT_SCOPES_MAX;
    for (size_t i = 0; i < FACT_SCOPES_MAX; i++)
        memset(answer.facts.scopes[i], 's', FACT_TEXT_MAX - 1);
    memset(answer.facts.granular, 'g', FACT_GRANULAR_MAX - 1);
    auto_json json_t *json = oauth_answer_to_json(&answer);
    assert_int_equal(json_canonical(json, &text, &error), 0);
    assert_in_range(strlen(text), 30000, 56 * 1024);
}

static void refuses_answer(const char *members)
{
    char text[1024];
    auto_json json_t *json = NULL;
    struct oauth_answer answer = {.expires_in = 7};
    struct error error = {0};

    snprintf(text, sizeof(text), "{\"facts\":{}%s%s}", members[0] ? "," : "", members);
    assert_int_equal(json_parse(text, strlen(text), "test", &json, &error), 0);
    if (oauth_answer_from_json(json, &answer, &error) == 0)
        fail_msg("%s was taken", text);
    assert_int_equal(error.code, CODE_FAULT);
    assert_int_equal(answer.expires_in, 7);
}

static void no_other_answer_gets_through(void **state)
{
    static const char *const wrong[] = {
        "\"other\":1",
        "\"grant\":\"x\"",
        "\"expires_in\":-1",
        "\"usage\":1001",
        "\"usage\":\"95\"",
        "\"wait\":-1",
        "\"wait\":604801",
        "\"expires_in\":\"1\"",
        "\"cursor\":\"a&b\"",
        "\"cursor\":7",
        "\"user_code\":\"a b\"",
        "\"verification_uri\":\"https://a b\"",
        "\"api_version\":\"latest\"",
        "\"interval\":-5",
        "\"pages\":[]",
        "\"listed\":{}",
        "\"listed\":[7]",
        "\"listed\":[{}]",
        "\"listed\":[{\"id\":\"\"}]",
        "\"listed\":[{\"id\":\"a b\"}]",
        "\"listed\":[{\"id\":\"1\",\"label\":\"a\\u202eb\"}]",
        "\"listed\":[{\"id\":\"1\",\"tasks\":\"x\"}]",
        "\"total\":-1",
        "\"total\":\"7\"",
        "\"machine_id\":\"x\"",
        "\"permissions\":\"x\"",
        "\"permissions\":[{\"name\":\"a\"}]",
        "\"permissions\":[{\"name\":\"a b\",\"status\":\"granted\"}]",
        "\"permissions\":[{\"name\":\"a\",\"status\":\"granted\",\"x\":1}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refuses_answer(wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_come_over),
        cmocka_unit_test(nothing_else_gets_through),
        cmocka_unit_test(answers_come_over),
        cmocka_unit_test(lists_come_over),
        cmocka_unit_test(an_empty_answer_comes_over),
        cmocka_unit_test(knows_what_was_not_granted),
        cmocka_unit_test(the_largest_answer_fits),
        cmocka_unit_test(no_other_answer_gets_through),
    };

    return cmocka_run_group_tests_name("oauth_facts", tests, NULL, NULL);
}
