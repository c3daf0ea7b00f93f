/*
 * test_entry.c: every member of every type of entry: there, missing, of the wrong type, unknown;
 * and the ways in which bytes can say the same thing without being canonical.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/audit/entry.h"
#include "p11vault/base/json.h"

#define TYPES (ENTRY_RESTORED + 1)
#define ID "\"0123456789abcdef0123456789abcdef\""
#define HASH "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define COLUMNS                                                                                    \
    "{\"subject\":\"10153848\",\"expires\":0,\"data_expires\":1800000000,\"issued\":1,"            \
    "\"scopes\":[\"ads_read\",\"\"],\"checked\":1795465000,\"valid\":true}"
#define EC_JWK "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AQ\"}"
#define RSA_JWK "{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}"

/*
 * The types as their documentation says: a full set of members in JSON, and each member with one
 * letter for its type (s string, i integer, b truth, a strings, o object, l objects), capital when required.
 */
static const struct {
    const char *name;
    const char *members;
    const char *const types[17];
} types[TYPES] = {
    [ENTRY_VAULT] = {"vault", "{\"vault\":" ID ",\"version\":\"0.1.0\"}", {"S vault", "S version"}},
    [ENTRY_CARD] = {"card",
                    "{\"card\":\"3a1b2c4d\",\"label\":\"Rutoken ECP\",\"model\":\"ECP\","
                    "\"manufacturer\":\"\xd0\x90\xd0\xba\xd1\x82\xd0\xb8\xd0\xb2\",\"kid\":\"k\","
                    "\"jwk\":" RSA_JWK ",\"alg\":\"RSA-OAEP-256\",\"sign\":\"n+1+a\",\"use\":" ID
                    "}",
                    {"S card", "S label", "S model", "S manufacturer", "S kid", "O jwk", "S alg",
                     "S sign", "S use"}},
    [ENTRY_REMOVAL] = {"removal",
                       "{\"card\":\"3a1b2c4d\",\"kid\":\"k\",\"lost\":true,\"apps\":[\"ads\"],"
                       "\"use\":" ID "}",
                       {"S card", "S kid", "B lost", "A apps", "S use"}},
    [ENTRY_APP] = {"app",
                   "{\"app\":\"ads\",\"provider\":\"meta\",\"client_id\":\"1234567890\","
                   "\"origins\":[\"https://graph.example:443\"],\"use\":" ID "}",
                   {"S app", "S provider", "S client_id", "A origins", "S use"}},
    [ENTRY_APP_KEY] = {"app-key",
                       "{\"app\":\"ads\",\"kid\":\"k\",\"jwk\":" EC_JWK ",\"digest\":" HASH
                       ",\"cards\":[\"a\",\"b\"],\"use\":" ID "}",
                       {"S app", "S kid", "O jwk", "S digest", "A cards", "S use"}},
    [ENTRY_SEAL] = {"seal",
                    "{\"name\":\"ads/user/alice\",\"kind\":\"user\",\"version\":1,\"digest\":" HASH
                    ",\"state\":\"pending\",\"kid\":\"k\",\"columns\":" COLUMNS
                    ",\"profile\":\"1353\","
                    "\"lost_scopes\":[\"email\"],\"use\":" ID "}",
                    {"S name", "S kind", "I version", "S digest", "S state", "S kid", "O columns",
                     "s profile", "a lost_scopes", "s use"}},
    [ENTRY_STATE] = {"state",
                     "{\"name\":\"ads/user/alice\",\"version\":1,\"digest\":" HASH
                     ",\"state\":\"forgotten\",\"columns\":" COLUMNS ",\"profile\":\"1353\","
                     "\"lost_scopes\":[\"email\"],\"use\":" ID "}",
                     {"S name", "I version", "S digest", "S state", "O columns", "s profile",
                      "a lost_scopes", "s use"}},
    [ENTRY_INTENT] = {"intent",
                      "{\"use\":" ID ",\"verb\":\"exchange\",\"name\":\"ads/user/alice\","
                      "\"card\":\"\",\"origin\":\"https://graph.example:443\",\"opens\":["
                      "{\"name\":\"ads/secret\",\"version\":1,\"digest\":" HASH "},"
                      "{\"name\":\"ads/user/alice\",\"version\":7,\"digest\":" HASH "}],"
                      "\"seals\":[\"ads/user/alice\"],\"batch\":" ID "}",
                      {"S use", "S verb", "S name", "S card", "S origin", "L opens", "A seals",
                       "s batch"}},
    [ENTRY_STEP] = {"step",
                    "{\"use\":" ID ",\"step\":\"exchange\",\"origin\":\"https://graph.example\","
                    "\"code\":\"login\",\"http\":400,\"provider_code\":190,\"subcode\":463,"
                    "\"trace\":\"AbC\",\"request_us\":150,\"answer_us\":20,"
                    "\"call\":\"GET me/feed\",\"scrubbed\":2}",
                    {"S use", "S step", "S origin", "S code", "I http", "i provider_code",
                     "i subcode", "s trace", "I request_us", "I answer_us", "s call",
                     "i scrubbed"}},
    [ENTRY_OUTCOME] = {"outcome",
                       "{\"use\":" ID ",\"result\":\"not-extended\",\"code\":\"pin-locked\","
                       "\"step\":\"exchange\",\"http\":200,\"provider_code\":-1,\"subcode\":463,"
                       "\"trace\":\"AbC\",\"message\":\"not extended\",\"expires_before\":1,"
                       "\"expires_after\":0,\"lost_scopes\":[\"email\"],\"plaintext_us\":1200,"
                       "\"request_us\":1000,\"answer_"
                       "us\":200,\"checkpoint\":9}",
                       {"S use", "S result", "S code", "s step", "i http", "i provider_code",
                        "i subcode", "s trace", "s message", "i expires_before", "i expires_after",
                        "a lost_scopes", "i plaintext_us", "i request_us", "i answer_us",
                        "i checkpoint"}},
    [ENTRY_VOID] = {"void", "{\"entry\":0,\"reason\":\"never signed\"}", {"I entry", "S reason"}},
    [ENTRY_NOTICE] = {"notice",
                      "{\"name\":\"ads/user/alice\",\"reason\":\"expired\","
                      "\"to\":\"ann@example.org\",\"hook\":\"/usr/local/bin/tell\"}",
                      {"S name", "S reason", "s to", "s hook"}},
    [ENTRY_RESTORED] = {"restored",
                        "{\"vault\":" ID ",\"size\":120,\"root\":" HASH ",\"seen\":\"card\","
                        "\"card\":\"3a1b2c4d\",\"use\":" ID "}",
                        {"S vault", "I size", "S root", "S seen", "s card", "S use"}},
};

static json_t *parsed(const char *text)
{
    json_t *json = NULL;
    struct error error = {0};
    if (json_parse(text, strlen(text), "sample", &json, &error) < 0)
        fail_msg("%s", error.text);
    return json;
}

static json_t *loaded(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

/* All members that a type can have, with "time" and "who". */
static json_t *members_of(enum entry_type type)
{
    json_t *members = parsed(types[type].members);
    json_object_set_new(members, "time", json_string("2026-11-23T20:15:30Z"));
    json_object_set_new(members, "who",
                        loaded("{\"uid\":0,\"pid\":42,\"exe\":\"/usr/bin/p11vault\","
                               "\"tty\":\"/dev/pts/1\",\"unit\":\"renew.service\"}"));
    return members;
}

static void refuse_text(const char *text, size_t size, const char *message)
{
    enum entry_type type = TYPES;
    json_t *entry = NULL;
    struct error error = {0};
    assert_int_equal(entry_read(text, size, &type, &entry, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    if (message != NULL)
        assert_string_equal(error.text, message);
    assert_null(entry);
    assert_int_equal(type, TYPES);
}

/* Neither written nor, when its bytes come from elsewhere, read. */
static void refuse(enum entry_type type, json_t *members, const char *what)
{
    char *text = NULL;
    struct error error = {0};
    char message[256];
    assert_int_equal(entry_write(type, members, &text, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(text);
    if (what != NULL) {
        snprintf(message, sizeof(message), "write a '%s' entry: %s", types[type].name, what);
        assert_string_equal(error.text, message);
    }
    auto_json json_t *entry = json_copy(members);
    json_object_set_new(entry, "v", json_integer(1));
    json_object_set_new(entry, "type", json_string(types[type].name));
    char *foreign = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
    assert_non_null(foreign);
    if (what != NULL)
        snprintf(message, sizeof(message), "read an entry: %s", what);
    refuse_text(foreign, strlen(foreign), what == NULL ? NULL : message);
    free(foreign);
}

static void accept(enum entry_type type, json_t *members)
{
    auto_free char *text = NULL;
    auto_json json_t *entry = NULL;
    enum entry_type found = TYPES;
    struct error error = {0};
    if (entry_write(type, members, &text, &error) < 0 ||
        entry_read(text, strlen(text), &found, &entry, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(found, type);
    assert_string_equal(json_text(entry, "type"), types[type].name);
    assert_int_equal(json_number(entry, "v", 0), 1);
    json_object_del(entry, "v");
    json_object_del(entry, "type");
    assert_true(json_equal(entry, members));
}

/* ---- types ---- */

static void test_names(void **state)
{
    (void)state;
    for (size_t type = 0; type < TYPES; type++)
        assert_string_equal(entry_type_name(type), types[type].name);
    assert_string_equal(entry_type_name(TYPES), "unknown");
    assert_string_equal(entry_type_name((enum entry_type) - 1), "unknown");
}

static void test_what_grants_trust(void **state)
{
    (void)state;
    for (size_t type = 0; type < TYPES; type++)
        assert_int_equal(entry_grants_trust(type), type == ENTRY_CARD || type == ENTRY_REMOVAL ||
                                                       type == ENTRY_APP || type == ENTRY_APP_KEY ||
                                                       type == ENTRY_RESTORED);
    assert_false(entry_grants_trust(TYPES));
}

static void test_canonical_bytes(void **state)
{
    (void)state;
    auto_json json_t *members = members_of(ENTRY_VOID);
    auto_free char *text = NULL;
    struct error error = {0};
    assert_int_equal(entry_write(ENTRY_VOID, members, &text, &error), 0);
    assert_string_equal(text, "{\"entry\":0,\"reason\":\"never signed\","
                              "\"time\":\"2026-11-23T20:15:30Z\",\"type\":\"void\",\"v\":1,"
                              "\"who\":{\"exe\":\"/usr/bin/p11vault\",\"pid\":42,"
                              "\"tty\":\"/dev/pts/1\",\"uid\":0,\"unit\":\"renew.service\"}}");
    /* The members are the caller's and stay as they were. */
    assert_int_equal(json_object_size(members), 4);
}

static void test_all_members(void **state)
{
    (void)state;
    for (size_t type = 0; type < TYPES; type++) {
        auto_json json_t *members = members_of(type);
        accept(type, members);
    }
}

static void test_missing_members(void **state)
{
    (void)state;
    for (size_t type = 0; type < TYPES; type++) {
        auto_json json_t *least = members_of(type);
        for (size_t i = 0; types[type].types[i] != NULL; i++) {
            const char *name = types[type].types[i] + 2;
            bool required = types[type].types[i][0] < 'a';
            auto_json json_t *members = members_of(type);
            char message[64];
            assert_int_equal(json_object_del(members, name), 0);
            snprintf(message, sizeof(message), "member '%s' is missing", name);
            if (required) {
                refuse(type, members, message);
            } else {
                accept(type, members);
                json_object_del(least, name);
            }
        }
        accept(type, least);
        auto_json json_t *timeless = members_of(type);
        json_object_del(timeless, "time");
        refuse(type, timeless, "member 'time' is missing");
        auto_json json_t *nobody = members_of(type);
        json_object_del(nobody, "who");
        refuse(type, nobody, "member 'who' is missing");
    }
}

static void test_unknown_members(void **state)
{
    (void)state;
    static const char *const names[] = {"x", "value", "Type", "token", "", "time "};
    for (size_t type = 0; type < TYPES; type++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            auto_json json_t *members = members_of(type);
            json_object_set_new(members, names[i], json_string("x"));
            refuse(type, members, "it has a member that does not belong there");
        }
    }
}

/* One value of each type; every member refuses all that are not of its own. */
static void test_wrong_types(void **state)
{
    (void)state;
    static const struct {
        char type;
        const char *value;
    } values[] = {
        {'s', "\"text\""}, {'i', "7"},      {'r', "7.5"},     {'b', "true"},
        {'n', "null"},     {'a', "[]"},     {'a', "[\"x\"]"}, {'x', "[1]"},
        {'x', "[[]]"},     {'x', "[null]"}, {'o', "{}"},      {'l', "[{}]"},
    };
    for (size_t type = 0; type < TYPES; type++) {
        for (size_t i = 0; types[type].types[i] != NULL; i++) {
            char own = (char)(types[type].types[i][0] | 0x20);
            for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
                /* An empty list is one of objects as well. */
                if (values[j].type == own || (own == 'l' && strcmp(values[j].value, "[]") == 0))
                    continue;
                auto_json json_t *members = members_of(type);
                json_object_set_new(members, types[type].types[i] + 2, loaded(values[j].value));
                refuse(type, members, NULL);
            }
        }
    }
}

/* ---- values ---- */

static void refuse_value(enum entry_type type, const char *name, const char *json)
{
    auto_json json_t *members = members_of(type);
    char message[64];
    json_object_set_new(members, name, loaded(json));
    snprintf(message, sizeof(message), "member '%s' has the wrong type or value", name);
    refuse(type, members, message);
}

static void accept_value(enum entry_type type, const char *name, const char *json)
{
    auto_json json_t *members = members_of(type);
    json_object_set_new(members, name, loaded(json));
    accept(type, members);
}

static void test_ids_and_digests(void **state)
{
    (void)state;
    static const char *const bad_ids[] = {
        "\"\"",
        "\"0123456789abcdef0123456789abcde\"",
        "\"0123456789abcdef0123456789abcdef0\"",
        "\"0123456789ABCDEF0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcdeg\"",
    };
    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++) {
        refuse_value(ENTRY_VAULT, "vault", bad_ids[i]);
        refuse_value(ENTRY_CARD, "use", bad_ids[i]);
        refuse_value(ENTRY_APP, "use", bad_ids[i]);
        refuse_value(ENTRY_APP_KEY, "use", bad_ids[i]);
        refuse_value(ENTRY_SEAL, "use", bad_ids[i]);
        refuse_value(ENTRY_STATE, "use", bad_ids[i]);
        refuse_value(ENTRY_INTENT, "use", bad_ids[i]);
        refuse_value(ENTRY_OUTCOME, "use", bad_ids[i]);
        refuse_value(ENTRY_SEAL, "digest", bad_ids[i]);
    }
    refuse_value(ENTRY_VAULT, "vault", HASH);
    refuse_value(ENTRY_APP_KEY, "digest", ID);
    refuse_value(ENTRY_SEAL, "digest", ID);
    refuse_value(ENTRY_STATE, "digest", ID);
}

static void test_choices(void **state)
{
    (void)state;
    static const char *const states[] = {"\"current\"", "\"pending\"", "\"previous\"",
                                         "\"rejected\"", "\"forgotten\""};
    static const char *const results[] = {"\"done\"", "\"failed\"", "\"not-extended\"",
                                          "\"unknown\""};
    static const char *const bad[] = {"\"\"",        "\" \"",           "\"curren\"",
                                      "\"urrent\"",  "\"current \"",    "\"current pending\"",
                                      "\"Current\"", "\"done failed\"", "\"extended\"",
                                      "\"not\""};
    for (size_t i = 0; i < 5; i++)
        accept_value(ENTRY_STATE, "state", states[i]);
    for (size_t i = 0; i < 5; i++)
        (i < 2 ? accept_value : refuse_value)(ENTRY_SEAL, "state", states[i]);
    for (size_t i = 0; i < 4; i++)
        accept_value(ENTRY_OUTCOME, "result", results[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse_value(ENTRY_SEAL, "state", bad[i]);
        refuse_value(ENTRY_STATE, "state", bad[i]);
        refuse_value(ENTRY_OUTCOME, "result", bad[i]);
    }
}

static void test_codes(void **state)
{
    (void)state;
    static const enum code codes[] = {
        CODE_DONE,  CODE_FAULT, CODE_USAGE,  CODE_RETRY,      CODE_WAIT,
        CODE_LOGIN, CODE_STOP,  CODE_CONFIG, CODE_PERMISSION, CODE_NO_CARD,
        CODE_CARD,  CODE_LOG,   CODE_BUSY,   CODE_PIN_WRONG,  CODE_PIN_LOCKED,
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char json[32];
        snprintf(json, sizeof(json), "\"%s\"", error_code_name(codes[i]));
        accept_value(ENTRY_OUTCOME, "code", json);
    }
    refuse_value(ENTRY_OUTCOME, "code", "\"unknown\"");
    refuse_value(ENTRY_OUTCOME, "code", "\"\"");
    refuse_value(ENTRY_OUTCOME, "code", "\"Done\"");
    refuse_value(ENTRY_OUTCOME, "code", "\"0\"");
}

static void test_integers(void **state)
{
    (void)state;
    static const char *const counts[][2] = {{"http", "0"},
                                            {"plaintext_us", "9223372036854775807"},
                                            {"checkpoint", "9223372036854775807"}};
    for (size_t i = 0; i < 3; i++) {
        accept_value(ENTRY_OUTCOME, counts[i][0], counts[i][1]);
        refuse_value(ENTRY_OUTCOME, counts[i][0], "-1");
    }
    refuse_value(ENTRY_VOID, "entry", "-1");
    refuse_value(ENTRY_SEAL, "version", "-1");
    refuse_value(ENTRY_STATE, "version", "-9223372036854775808");
    refuse_value(ENTRY_SEAL, "version", "1.0");
    accept_value(ENTRY_OUTCOME, "provider_code", "-9223372036854775808");
    accept_value(ENTRY_OUTCOME, "subcode", "-1");
}

static void test_times(void **state)
{
    (void)state;
    static const char *const good[] = {"\"1970-01-01T00:00:00Z\"", "\"9999-12-31T23:59:60Z\""};
    static const char *const bad[] = {
        "\"\"",
        "\"2026-11-23\"",
        "\"2026-11-23T20:15:30\"",
        "\"2026-11-23T20:15:30z\"",
        "\"2026-11-23 20:15:30Z\"",
        "\"2026-11-23T20:15:30.5Z\"",
        "\"2026-11-23T20:15:30+00:00\"",
        "\"2026-11-23T20:15:30Z \"",
        "\"+026-11-23T20:15:30Z\"",
        "\"2026-1a-23T20:15:30Z\"",
        "\"2026-00-23T20:15:30Z\"",
        "\"2026-13-23T20:15:30Z\"",
        "\"2026-11-00T20:15:30Z\"",
        "\"2026-11-32T20:15:30Z\"",
        "\"2026-11-23T24:15:30Z\"",
        "\"2026-11-23T20:60:30Z\"",
        "\"2026-11-23T20:15:61Z\"",
        "1795465000",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        accept_value(ENTRY_VOID, "time", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse_value(ENTRY_VOID, "time", bad[i]);
}

/* What would make a line of its own, move the cursor or hide something in a terminal. */
static void test_log_injection(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"a\\nb\"",      "\"a\\r\\nb\"",  "\"a\\tb\"",     "\"\\u001b[2J\"",
        "\"a\\bb\"",      "\"a\\u007fb\"", "\"a\\u0080b\"", "\"a\\u0085b\"",
        "\"a\\u009b2J\"", "\"a\\u009f\"",  "\"\\u001f\"",   "\"\\u0001\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char list[64];
        snprintf(list, sizeof(list), "[\"good\",%s]", bad[i]);
        refuse_value(ENTRY_OUTCOME, "message", bad[i]);
        refuse_value(ENTRY_OUTCOME, "trace", bad[i]);
        refuse_value(ENTRY_CARD, "label", bad[i]);
        refuse_value(ENTRY_CARD, "sign", bad[i]);
        refuse_value(ENTRY_INTENT, "name", bad[i]);
        refuse_value(ENTRY_VOID, "time", bad[i]);
        refuse_value(ENTRY_APP, "origins", list);
        refuse_value(ENTRY_INTENT, "seals", list);
    }
    /* These are no control characters, though they have such bytes in them. */
    accept_value(ENTRY_OUTCOME, "message",
                 "\"\\u00a0 \\u0100 \\u20ac \\ud83d\\udd11 \\\\ \\\" /\"");
}

/* A NUL is refused by the reader of JSON already. */
static void test_nul(void **state)
{
    (void)state;
    static const char *const names[] = {"reason", "time"};
    for (size_t i = 0; i < 2; i++) {
        auto_json json_t *members = members_of(ENTRY_VOID);
        json_object_set_new(members, names[i], json_stringn("2026-11-23T20:15:30Z\0x", 22));
        refuse(ENTRY_VOID, members, NULL);
    }
}

/* Bytes that are not UTF-8 cannot be written as JSON, and not be read as such. */
static void test_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xff", "\xc2", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        auto_json json_t *members = members_of(ENTRY_VOID);
        auto_free char *good = NULL;
        char *text = NULL;
        struct error error = {0};
        assert_int_equal(entry_write(ENTRY_VOID, members, &good, &error), 0);
        memcpy(strstr(good, "never"), bad[i], strlen(bad[i]));
        refuse_text(good, strlen(good), NULL);
        json_object_set_new(members, "reason", json_string_nocheck(bad[i]));
        assert_int_equal(entry_write(ENTRY_VOID, members, &text, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
        assert_null(text);
    }
}

/* A string of `size` letters in JSON. */
static const char *letters(size_t size)
{
    static char json[2048];
    assert_in_range(size, 0, sizeof(json) - 3);
    json[0] = '"';
    memset(json + 1, 'x', size);
    memcpy(json + 1 + size, "\"", 2);
    return json;
}

static void test_lengths(void **state)
{
    (void)state;
    accept_value(ENTRY_OUTCOME, "message", letters(0));
    accept_value(ENTRY_OUTCOME, "message", letters(1024));
    refuse_value(ENTRY_OUTCOME, "message", letters(1025));
    accept_value(ENTRY_CARD, "sign", letters(1200));
    refuse_value(ENTRY_CARD, "sign", letters(1201));
    refuse_value(ENTRY_CARD, "label", letters(1025));
}

static json_t *list_of(json_t *element, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(list, element);
    return list;
}

static void test_numbers_of_elements(void **state)
{
    (void)state;
    auto_json json_t *text = json_string("x");
    auto_json json_t *object = loaded("{\"name\":\"n\",\"version\":1,\"digest\":" HASH "}");
    static const size_t counts[] = {0, 64, 65, 128, 129};
    for (size_t i = 0; i < 5; i++) {
        auto_json json_t *members = members_of(ENTRY_INTENT);
        json_object_set_new(members, "seals", list_of(text, counts[i]));
        if (counts[i] <= 128)
            accept(ENTRY_INTENT, members);
        else
            refuse(ENTRY_INTENT, members, "member 'seals' has the wrong type or value");
        json_object_set_new(members, "seals", json_array());
        json_object_set_new(members, "opens", list_of(object, counts[i]));
        if (counts[i] <= 64)
            accept(ENTRY_INTENT, members);
        else
            refuse(ENTRY_INTENT, members, "member 'opens' has the wrong type or value");
    }
}

static void test_whole_length(void **state)
{
    (void)state;
    auto_json json_t *text = loaded(letters(1024));
    auto_json json_t *members = members_of(ENTRY_APP);
    auto_free char *longest = NULL;
    char *none = NULL;
    struct error error = {0};
    json_object_set_new(members, "origins", list_of(text, 31));
    assert_int_equal(entry_write(ENTRY_APP, members, &longest, &error), 0);
    size_t missing = ENTRY_MAX - strlen(longest);
    assert_in_range(missing, 4, 1024);
    /* Filled up to the last byte, and one more. */
    json_array_append_new(json_object_get(members, "origins"), loaded(letters(missing - 3)));
    accept(ENTRY_APP, members);
    json_array_set_new(json_object_get(members, "origins"), 31, loaded(letters(missing - 2)));
    refuse(ENTRY_APP, members, "more than 32768 bytes");
    json_object_set_new(members, "origins", list_of(text, 64));
    assert_int_equal(entry_write(ENTRY_APP, members, &none, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
}

/* ---- objects inside ---- */

/* The object of this type of entry without, with another, with one more member. */
static void bend_object(enum entry_type type, const char *object, const char *member, bool required)
{
    char message[64];
    auto_json json_t *without = members_of(type);
    json_object_del(json_object_get(without, object), member);
    snprintf(message, sizeof(message), "member '%s.%s' is missing", object, member);
    if (required)
        refuse(type, without, message);
    else
        accept(type, without);
    auto_json json_t *other = members_of(type);
    json_object_set_new(json_object_get(other, object), member, json_null());
    snprintf(message, sizeof(message), "member '%s.%s' has the wrong type or value", object,
             member);
    refuse(type, other, message);
    auto_json json_t *more = members_of(type);
    json_object_set_new(json_object_get(more, object), "extra", json_string("x"));
    snprintf(message, sizeof(message), "member '%s' has a member that does not belong there",
             object);
    refuse(type, more, message);
}

static void test_objects_inside(void **state)
{
    (void)state;
    static const char *const columns[] = {"subject", "expires", "data_expires", "issued",
                                          "scopes",  "checked", "valid"};
    for (size_t type = 0; type < TYPES; type++) {
        bend_object(type, "who", "uid", true);
        bend_object(type, "who", "pid", true);
        bend_object(type, "who", "exe", true);
        bend_object(type, "who", "tty", false);
        bend_object(type, "who", "unit", false);
    }
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        bend_object(ENTRY_SEAL, "columns", columns[i], false);
        bend_object(ENTRY_STATE, "columns", columns[i], false);
    }
    bend_object(ENTRY_CARD, "jwk", "kty", true);
    bend_object(ENTRY_APP_KEY, "jwk", "kty", true);
    accept_value(ENTRY_SEAL, "columns", "{}");
    accept_value(ENTRY_SEAL, "columns", "{\"expires\":-1,\"valid\":false,\"scopes\":[]}");
    refuse_value(ENTRY_SEAL, "columns", "[]");
}

static void test_no_private_key(void **state)
{
    (void)state;
    static const char *const secret[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        auto_json json_t *members = members_of(i % 2 ? ENTRY_CARD : ENTRY_APP_KEY);
        json_object_set_new(json_object_get(members, "jwk"), secret[i], json_string("AA"));
        refuse(i % 2 ? ENTRY_CARD : ENTRY_APP_KEY, members,
               "member 'jwk' has a member that does not belong there");
    }
    auto_json json_t *members = members_of(ENTRY_CARD);
    json_object_set_new(members, "jwk", loaded("{\"kty\":\"oct\"}"));
    refuse(ENTRY_CARD, members, "member 'jwk.kty' has the wrong type or value");
}

static void test_opens(void **state)
{
    (void)state;
    static const struct {
        const char *opens;
        const char *what;
    } cases[] = {
        {"[{\"version\":1,\"digest\":" HASH "}]", "member 'opens.name' is missing"},
        {"[{\"name\":\"n\",\"digest\":" HASH "}]", "member 'opens.version' is missing"},
        {"[{\"name\":\"n\",\"version\":1}]", "member 'opens.digest' is missing"},
        {"[{\"name\":\"n\",\"version\":1,\"digest\":" HASH "},{}]",
         "member 'opens.name' is missing"},
        {"[{\"name\":\"n\",\"version\":1,\"digest\":" ID "}]",
         "member 'opens.digest' has the wrong type or value"},
        {"[{\"name\":\"n\",\"version\":\"1\",\"digest\":" HASH "}]",
         "member 'opens.version' has the wrong type or value"},
        {"[{\"name\":\"n\\n\",\"version\":1,\"digest\":" HASH "}]",
         "member 'opens.name' has the wrong type or value"},
        {"[{\"name\":\"n\",\"version\":1,\"digest\":" HASH ",\"value\":\"v\"}]",
         "member 'opens' has a member that does not belong there"},
        {"{\"name\":\"n\",\"version\":1,\"digest\":" HASH "}",
         "member 'opens' has the wrong type or value"},
        {"[[]]", "member 'opens' has the wrong type or value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_json json_t *members = members_of(ENTRY_INTENT);
        json_object_set_new(members, "opens", loaded(cases[i].opens));
        refuse(ENTRY_INTENT, members, cases[i].what);
    }
}

/* ---- "v" and "type" ---- */

static void test_type_and_version(void **state)
{
    (void)state;
    static const char *const names[] = {"v", "type"};
    char *text = NULL;
    struct error error = {0};
    /* They are added, never taken from the members. */
    for (size_t i = 0; i < 2; i++) {
        auto_json json_t *members = members_of(ENTRY_VOID);
        json_object_set_new(members, names[i], i == 0 ? json_integer(1) : json_string("void"));
        assert_int_equal(entry_write(ENTRY_VOID, members, &text, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
    }
    auto_json json_t *members = members_of(ENTRY_VOID);
    assert_int_equal(entry_write(TYPES, members, &text, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    auto_json json_t *array = json_array();
    assert_int_equal(entry_write(ENTRY_VOID, array, &text, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_int_equal(entry_write(ENTRY_VOID, NULL, &text, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(text);
}

static void test_foreign_type_and_version(void **state)
{
    (void)state;
    static const char version[] = "read an entry: it is not of version 1";
    static const char type[] = "read an entry: it has no type that is known";
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{}", version},
        {"{\"v\":1}", type},
        {"{\"type\":\"void\"}", version},
        {"{\"type\":\"void\",\"v\":2}", version},
        {"{\"type\":\"void\",\"v\":\"1\"}", version},
        {"{\"type\":\"void\",\"v\":1.0}", version},
        {"{\"type\":\"\",\"v\":1}", type},
        {"{\"type\":\"voi\",\"v\":1}", type},
        {"{\"type\":\"Void\",\"v\":1}", type},
        {"{\"type\":8,\"v\":1}", type},
        {"{\"type\":\"void\",\"v\":1}", "read an entry: member 'time' is missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse_text(cases[i].text, strlen(cases[i].text), cases[i].message);
    /* The members of one type under the name of another. */
    auto_json json_t *members = members_of(ENTRY_SEAL);
    refuse(ENTRY_STATE, members, "it has a member that does not belong there");
    refuse(ENTRY_VOID, members, "member 'entry' is missing");
}

/* ---- bytes ---- */

#define WHO "\"who\":{\"exe\":\"e\",\"pid\":1,\"uid\":0}"
#define REST "\"time\":\"2026-11-23T20:15:30Z\",\"type\":\"void\",\"v\":1," WHO

static void test_canonical_only(void **state)
{
    (void)state;
    static const char good[] = "{\"entry\":3,\"reason\":\"r\"," REST "}";
    static const char *const other[] = {
        "{\"entry\":3,\"reason\":\"r\"," REST "}\n",
        " {\"entry\":3,\"reason\":\"r\"," REST "}",
        "{\"entry\": 3,\"reason\":\"r\"," REST "}",
        "{\"entry\":3, \"reason\":\"r\"," REST "}",
        "{\"reason\":\"r\",\"entry\":3," REST "}",
        "{\"entry\":3," REST ",\"reason\":\"r\"}",
        "{\"entry\":3,\"reason\":\"\\u0072\"," REST "}",
        "{\"\\u0065ntry\":3,\"reason\":\"r\"," REST "}",
        "{\"entry\":3,\"reason\":\"\\/\"," REST "}",
        "{\"entry\":3,\"reason\":\"\\u00e9\"," REST "}",
        "{\"entry\":-0,\"reason\":\"r\"," REST "}",
    };
    static const char *const broken[] = {
        "",
        "null",
        "[]",
        "\"entry\"",
        "{\"entry\":3,\"reason\":\"r\"," REST,
        "{\"entry\":3,\"reason\":\"r\"," REST "}{}",
        "{\"entry\":3,\"reason\":\"r\"," REST ",}",
        "{\"entry\":3,\"entry\":3,\"reason\":\"r\"," REST "}",
        "{\"entry\":3,\"entry\":4,\"reason\":\"r\"," REST "}",
        "{\"entry\":03,\"reason\":\"r\"," REST "}",
        "{\"entry\":9223372036854775808,\"reason\":\"r\"," REST "}",
        "{\"entry\":3e0,\"reason\":\"r\"," REST "}",
        "{\"entry\":3,\"reason\":\"\\ud800\"," REST "}",
        "{'entry':3,\"reason\":\"r\"," REST "}",
    };
    enum entry_type type = TYPES;
    auto_json json_t *entry = NULL;
    struct error error = {0};
    if (entry_read(good, sizeof(good) - 1, &type, &entry, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(type, ENTRY_VOID);
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        refuse_text(other[i], strlen(other[i]), "read an entry: its bytes are not canonical");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        refuse_text(broken[i], strlen(broken[i]), NULL);
    refuse_text(good, sizeof(good), NULL); /* with its NUL */
    for (size_t size = 0; size < sizeof(good) - 1; size++)
        refuse_text(good, size, NULL);
}

static void test_too_long_or_too_deep(void **state)
{
    (void)state;
    static char text[ENTRY_MAX + 1];
    memset(text, ' ', sizeof(text));
    refuse_text(text, sizeof(text), "read an entry: more than 32768 bytes");
    memset(text, '[', sizeof(text));
    refuse_text(text, ENTRY_MAX, NULL);
}

/* What is refused is not repeated: it may be anybody's text. */
static void test_errors_quote_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"entry\":3,\"reason\":\"r\",\"hunter2\":1," REST "}",
        "{\"entry\":\"hunter2\",\"reason\":\"r\"," REST "}",
        "{\"entry\":3,\"reason\":\"hunter2\\n\"," REST "}",
        "{\"entry\":3,\"reason\":hunter2," REST "}",
        "{\"type\":\"hunter2\",\"v\":1}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum entry_type type;
        json_t *entry = NULL;
        struct error error = {0};
        assert_int_equal(entry_read(texts[i], strlen(texts[i]), &type, &entry, &error), -1);
        assert_null(strstr(error.text, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_grants_trust),
        cmocka_unit_test(test_canonical_bytes),
        cmocka_unit_test(test_all_members),
        cmocka_unit_test(test_missing_members),
        cmocka_unit_test(test_unknown_members),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_ids_and_digests),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_log_injection),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_numbers_of_elements),
        cmocka_unit_test(test_whole_length),
        cmocka_unit_test(test_objects_inside),
        cmocka_unit_test(test_no_private_key),
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_type_and_version),
        cmocka_unit_test(test_foreign_type_and_version),
        cmocka_unit_test(test_canonical_only),
        cmocka_unit_test(test_too_long_or_too_deep),
        cmocka_unit_test(test_errors_quote_nothing),
    };
    return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
