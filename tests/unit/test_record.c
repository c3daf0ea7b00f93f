/*
 * test_record.c: facts and value joined, split, checked against an order, refused.
 */
#include "p11vault/seal/record.h"
#include "seal_samples.h"

#define FACTS                                                                                      \
    "{\"app\":\"ads\",\"expires\":1769000000,\"kind\":\"user\",\"name\":\"ads/user/alice\","       \
    "\"origins\":[\"https://graph.facebook.com\",\"https://graph.example\"],\"v\":1,\"version\":2"

static json_t *facts_of(const char *text)
{
    struct error error = {0};
    json_t *facts = NULL;
    assert_done(json_parse(text, strlen(text), "facts", &facts, &error), &error);
    return facts;
}

static struct secret *compose(const char *facts_text, const char *value_text)
{
    struct error error = {0};
    struct secret *payload = NULL;
    auto_json json_t *facts = facts_of(facts_text);
    auto_of(secret_free) struct secret *value = sample_text(value_text);
    assert_done(record_compose(facts, value, &payload, &error), &error);
    return payload;
}

static void test_compose_is_canonical_facts_and_value(void **state)
{
    (void)state;
    static const char expected[] = FACTS ",\"secret\":\"EAA\\\"B\\\\C/~!\"}";
    auto_of(secret_free) struct secret *payload = compose(FACTS "}", "EAA\"B\\C/~!");
    assert_true(secret_equals(payload, expected, strlen(expected)));
    /* What was composed is JSON, for whoever opens it without this program. */
    auto_json json_t *json = facts_of(expected);
    assert_string_equal(json_text(json, "secret"), "EAA\"B\\C/~!");
}

static void check_round_trip(const char *value_text, size_t size)
{
    struct error error = {0};
    auto_json json_t *facts = facts_of(FACTS "}");
    auto_json json_t *read = NULL;
    auto_of(secret_free) struct secret *value = sample_secret(value_text, size);
    auto_of(secret_free) struct secret *payload = NULL;
    auto_of(secret_free) struct secret *split = NULL;
    assert_done(record_compose(facts, value, &payload, &error), &error);
    assert_done(record_split(payload, &read, &split, &error), &error);
    assert_true(secret_equals(split, value_text, size));
    assert_true(json_equal(read, facts));
    assert_null(json_object_get(read, "secret"));
}

static void test_split_gives_back_what_was_composed(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "x",
        "\"",
        "\\",
        "\\\\\"\"\\",
        "\"}",
        "\",\"secret\":\"y",
        ",\"secret\":\"",
        ",\\\"secret\\\":\\\"",
        "\\u0041\\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_round_trip(rows[i], strlen(rows[i]));
    char every[0x7f - 0x21];
    for (size_t i = 0; i < sizeof(every); i++)
        every[i] = (char)(0x21 + i);
    check_round_trip(every, sizeof(every));
    static char longest[RECORD_VALUE_MAX];
    memset(longest, '"', sizeof(longest));
    check_round_trip(longest, sizeof(longest));
}

/* Only the outermost member is the value; the facts may have members of that name further in. */
static void test_split_finds_the_outermost_value(void **state)
{
    (void)state;
    static const char text[] = FACTS ",\"x\":{\"a\":1,\"secret\":\"inner\"}"
                                     ",\"secret\":\"outer\"}";
    struct error error = {0};
    auto_json json_t *facts = NULL;
    auto_of(secret_free) struct secret *payload = sample_text(text);
    auto_of(secret_free) struct secret *value = NULL;
    assert_done(record_split(payload, &facts, &value, &error), &error);
    assert_true(secret_equals(value, "outer", 5));
    assert_string_equal(json_text(json_object_get(facts, "x"), "secret"), "inner");
}

static void test_values_refused(void **state)
{
    (void)state;
    auto_json json_t *facts = facts_of(FACTS "}");
    static char longer[RECORD_VALUE_MAX + 1];
    memset(longer, 'x', sizeof(longer));
    for (unsigned c = 0; c < 256; c++) {
        struct error error = {0};
        char text[] = {'a', (char)c, 'b'};
        auto_of(secret_free) struct secret *value = sample_secret(text, sizeof(text));
        auto_of(secret_free) struct secret *payload = NULL;
        bool allowed = c >= 0x21 && c <= 0x7e;
        assert_int_equal(record_compose(facts, value, &payload, &error), allowed ? 0 : -1);
        assert_int_equal(error.code, allowed ? CODE_DONE : CODE_STOP);
        assert_int_equal(payload == NULL, !allowed);
    }
    struct error error = {0};
    auto_of(secret_free) struct secret *empty = sample_secret("", 0);
    auto_of(secret_free) struct secret *too_long = sample_secret(longer, sizeof(longer));
    struct secret *payload = NULL;
    assert_int_equal(record_compose(facts, empty, &payload, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(record_compose(facts, too_long, &payload, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(payload);
}

#define HEAD "\"app\":\"ads\",\"kind\":\"user\",\"name\":\"ads/user/alice\""
#define ORIGINS "\"origins\":[\"https://graph.facebook.com\"]"
#define ONE ",\"o\""

static const char *const bad_facts[] = {
    "{}",
    "{" HEAD "," ORIGINS ",\"version\":1}",
    "{" HEAD "," ORIGINS ",\"v\":2,\"version\":1}",
    "{" HEAD "," ORIGINS ",\"v\":\"1\",\"version\":1}",
    "{" HEAD "," ORIGINS ",\"v\":1}",
    "{" HEAD "," ORIGINS ",\"v\":1,\"version\":0}",
    "{" HEAD "," ORIGINS ",\"v\":1,\"version\":\"1\"}",
    "{" HEAD ",\"v\":1,\"version\":1}",
    "{" HEAD ",\"origins\":[],\"v\":1,\"version\":1}",
    "{" HEAD ",\"origins\":\"https://graph.facebook.com\",\"v\":1,\"version\":1}",
    "{" HEAD ",\"origins\":[1],\"v\":1,\"version\":1}",
    "{" HEAD ",\"origins\":[\"\"],\"v\":1,\"version\":1}",
    "{" HEAD ",\"origins\":[\"1\"" ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE
    "],\"v\":1,\"version\":1}",
    "{\"kind\":\"user\",\"name\":\"ads/user/alice\"," ORIGINS ",\"v\":1,\"version\":1}",
    "{\"app\":\"ads\",\"name\":\"ads/user/alice\"," ORIGINS ",\"v\":1,\"version\":1}",
    "{\"app\":\"ads\",\"kind\":\"user\"," ORIGINS ",\"v\":1,\"version\":1}",
    "{\"app\":\"\",\"kind\":\"user\",\"name\":\"n\"," ORIGINS ",\"v\":1,\"version\":1}",
    "{\"app\":7,\"kind\":\"user\",\"name\":\"n\"," ORIGINS ",\"v\":1,\"version\":1}",
    "{" HEAD "," ORIGINS ",\"v\":1,\"version\":1,\"secret\":\"x\"}",
    "{" HEAD "," ORIGINS ",\"v\":1,\"version\":1,\"secret\":null}",
};
#define BAD_FACTS (sizeof(bad_facts) / sizeof(bad_facts[0]))

static void test_facts_refused(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *value = sample_text("EAAB");
    for (size_t i = 0; i < BAD_FACTS; i++) {
        struct error error = {0};
        struct secret *payload = NULL;
        auto_json json_t *facts = facts_of(bad_facts[i]);
        if (record_compose(facts, value, &payload, &error) != -1)
            fail_msg("composed: %s", bad_facts[i]);
        assert_int_equal(error.code, CODE_STOP);
        assert_null(payload);
    }
}

static void test_facts_too_long_or_not_canonical(void **state)
{
    (void)state;
    struct error error = {0};
    struct secret *payload = NULL;
    static char letters[RECORD_FACTS_MAX + 1];
    memset(letters, 'x', RECORD_FACTS_MAX);
    auto_json json_t *facts = facts_of(FACTS "}");
    auto_of(secret_free) struct secret *value = sample_text("EAAB");
    json_object_set_new(facts, "subject", json_string(letters));
    assert_int_equal(record_compose(facts, value, &payload, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    json_object_set_new(facts, "subject", json_real(1.5));
    assert_int_equal(record_compose(facts, value, &payload, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(payload);
}

static void refuse_split(const char *text, size_t size)
{
    struct error error = {0};
    json_t *facts = NULL;
    struct secret *value = NULL;
    auto_of(secret_free) struct secret *payload = sample_secret(text, size);
    if (record_split(payload, &facts, &value, &error) != -1)
        fail_msg("split: %.*s", (int)(size > 300 ? 300 : size), text);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(facts);
    assert_null(value);
    /* The value is not quoted, nor anything around it. */
    assert_null(strstr(error.text, "EAAB"));
}

static void test_payloads_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{}",
        "null",
        FACTS "}",
        FACTS ",\"secret\":\"\"}",
        FACTS ",\"secret\":\"EAAB\"",
        FACTS ",\"secret\":\"EAAB\"} ",
        FACTS ",\"secret\":\"EAAB\"}}",
        FACTS ",\"secret\":\"EAAB\",\"x\":\"y\"}",
        FACTS ",\"secret\":\"EAAB\",\"secret\":\"EAAC\"}",
        FACTS ",\"secret\": \"EAAB\"}",
        FACTS ", \"secret\":\"EAAB\"}",
        FACTS ",\"secret\":\"EAAB\\\"}",
        FACTS ",\"secret\":\"EA\"AB\"}",
        FACTS ",\"secret\":\"EA\\nAB\"}",
        FACTS ",\"secret\":\"EA\\u0041AB\"}",
        FACTS ",\"secret\":\"EA\\/AB\"}",
        FACTS ",\"secret\":\"EA AB\"}",
        FACTS ",\"secret\":\"EA\tAB\"}",
        FACTS ",\"secret\":\"EA\x7f\"}",
        FACTS ",\"secret\":\"EA\xc3\xa9\"}",
        FACTS ",\"secret\":7}",
        FACTS ",,\"secret\":\"EAAB\"}",
        FACTS "},\"secret\":\"EAAB\"}",
        FACTS ",\"inner\":{\"a\":1,\"secret\":\"EAAB\"}",
        FACTS ",\"inner\":{\"a\":1,\"secret\":\"EAAB\"}}",
        FACTS ",\"inner\":\"x,\"secret\":\"EAAB\"}",
        FACTS ",\"v\":1,\"secret\":\"EAAB\"}",
        "{,\"secret\":\"EAAB\"}",
        "[1,\"secret\":\"EAAB\"}",
        ",\"secret\":\"EAAB\"}",
        "\"}",
        ",\"secret\":\"}",
        ",\"secret\":\"\"}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refuse_split(rows[i], strlen(rows[i]));
    static const char with_nul[] = FACTS ",\"secret\":\"EA\0AB\"}";
    refuse_split(with_nul, sizeof(with_nul) - 1);
    for (size_t i = 0; i < BAD_FACTS; i++) {
        char text[1024];
        int size = snprintf(text, sizeof(text), "%.*s,\"secret\":\"EAAB\"}",
                            (int)(strlen(bad_facts[i]) - 1), bad_facts[i]);
        refuse_split(text, (size_t)size);
    }
}

static void test_payloads_too_long(void **state)
{
    (void)state;
    static char text[RECORD_FACTS_MAX + 3 * RECORD_VALUE_MAX];
    memset(text, 'x', sizeof(text));
    refuse_split(text, sizeof(text));
    int size = snprintf(text, sizeof(text), "%s,\"secret\":\"", FACTS);
    memset(text + size, 'x', RECORD_VALUE_MAX + 1);
    memcpy(text + size + RECORD_VALUE_MAX + 1, "\"}", 2);
    refuse_split(text, (size_t)size + RECORD_VALUE_MAX + 3);
    size = snprintf(text, sizeof(text), "%s,\"long\":\"", FACTS);
    memset(text + size, 'x', RECORD_FACTS_MAX);
    static const char end[] = "\",\"secret\":\"EAAB\"}";
    memcpy(text + size + RECORD_FACTS_MAX, end, strlen(end));
    refuse_split(text, (size_t)size + RECORD_FACTS_MAX + strlen(end));
}

static void test_check_against_the_order(void **state)
{
    (void)state;
    static const struct {
        struct record_expectation expected;
        int result;
        enum code code;
        const char *text;
    } rows[] = {
        {{"ads", "ads/user/alice", "user", 2, NULL}, 0, CODE_DONE, ""},
        {{"ads", "ads/user/alice", "user", 2, "https://graph.facebook.com"}, 0, CODE_DONE, ""},
        {{"ads", "ads/user/alice", "user", 2, "https://graph.example"}, 0, CODE_DONE, ""},
        {{"ad", "ads/user/alice", "user", 2, NULL}, -1, CODE_LOG, "record is for another app"},
        {{"ads", "ads/user/bob", "user", 2, NULL}, -1, CODE_LOG, "record is for another name"},
        {{"ads", "ads/user/alice", "page", 2, NULL}, -1, CODE_LOG, "record is of another kind"},
        {{"ads", "ads/user/alice", "user", 1, NULL}, -1, CODE_LOG, "record is not version 1"},
        {{"ads", "ads/user/alice", "user", 3, NULL}, -1, CODE_LOG, "record is not version 3"},
        {{"ads", "ads/user/alice", "user", 2, "https://graph.facebook.co"},
         -1,
         CODE_STOP,
         "record may not be sent to https://graph.facebook.co"},
        {{"ads", "ads/user/alice", "user", 2, "https://graph.facebook.com:8443"},
         -1,
         CODE_STOP,
         "record may not be sent to https://graph.facebook.com:8443"},
        {{"ads", "ads/user/alice", "user", 2, ""}, -1, CODE_STOP, "record may not be sent to "},
    };
    auto_json json_t *facts = facts_of(FACTS "}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = {0};
        assert_int_equal(record_check(facts, &rows[i].expected, &error), rows[i].result);
        assert_int_equal(error.code, rows[i].code);
        assert_string_equal(error.text, rows[i].text);
    }
    struct error error = {0};
    auto_json json_t *nothing = json_object();
    assert_int_equal(record_check(nothing, &rows[0].expected, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compose_is_canonical_facts_and_value),
        cmocka_unit_test(test_split_gives_back_what_was_composed),
        cmocka_unit_test(test_split_finds_the_outermost_value),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_facts_refused),
        cmocka_unit_test(test_facts_too_long_or_not_canonical),
        cmocka_unit_test(test_payloads_refused),
        cmocka_unit_test(test_payloads_too_long),
        cmocka_unit_test(test_check_against_the_order),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
