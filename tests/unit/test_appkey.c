/*
 * test_appkey.c: app key records: sealed to cards made of software, opened as the card room
 * does it, refused.
 */
#include "seal_samples.h"

enum card { CARD_EC, CARD_RSA_256, CARD_RSA_1, CARDS };

/* Three cards, an app key, and its record. */
struct sample {
    struct secret *ec_private;
    EVP_PKEY *rsa[CARDS];
    struct appkey_card cards[CARDS];
    char kids[CARDS][THUMBPRINT_SIZE];
    struct secret *app_private;
    struct ec_point app_public;
    char *record;
};

static struct sample sample;

static int make_sample(void **state)
{
    struct error error = {0};
    struct jwk *ec = &sample.cards[CARD_EC].key;
    ec->type = JWK_P256;
    assert_done(ec_generate(&sample.ec_private, &ec->point, &error), &error);
    sample.rsa[CARD_RSA_256] = sample_rsa(2048, &sample.cards[CARD_RSA_256].key);
    sample.rsa[CARD_RSA_1] = sample_rsa(3072, &sample.cards[CARD_RSA_1].key);
    sample.cards[CARD_EC].alg = APPKEY_ECDH_A256KW;
    sample.cards[CARD_RSA_256].alg = APPKEY_RSA_OAEP_256;
    sample.cards[CARD_RSA_1].alg = APPKEY_RSA_OAEP;
    for (size_t i = 0; i < CARDS; i++)
        assert_done(jwk_thumbprint(&sample.cards[i].key, sample.kids[i], &error), &error);
    assert_done(ec_generate(&sample.app_private, &sample.app_public, &error), &error);
    assert_done(appkey_seal(sample.app_private, sample.cards, CARDS, &sample.record, &error),
                &error);
    *state = &sample;
    return 0;
}

static int free_sample(void **state)
{
    (void)state;
    secret_free(sample.ec_private);
    secret_free(sample.app_private);
    free(sample.record);
    EVP_PKEY_free(sample.rsa[CARD_RSA_256]);
    EVP_PKEY_free(sample.rsa[CARD_RSA_1]);
    return 0;
}

/* What a card gives for its recipient. */
static struct secret *content_key(const struct appkey_recipient *recipient)
{
    struct error error = {0};
    size_t i = 0;
    while (i < CARDS && strcmp(recipient->kid, sample.kids[i]) != 0)
        i++;
    assert_true(i < CARDS);
    if (i != CARD_EC)
        return sample_oaep_decrypt(sample.rsa[i], recipient->alg == APPKEY_RSA_OAEP_256,
                                   recipient->encrypted_key, recipient->encrypted_key_size);
    struct secret *key = NULL;
    auto_of(secret_free) struct secret *shared = NULL;
    assert_done(ec_agree(sample.ec_private, &recipient->epk, &shared, &error), &error);
    assert_done(appkey_unwrap_ecdh(recipient, shared, &key, &error), &error);
    return key;
}

static struct appkey_record read_record(const char *text)
{
    struct error error = {0};
    struct appkey_record record;
    assert_done(appkey_read(text, &record, &error), &error);
    return record;
}

static struct secret *content_key_of(const char *text)
{
    struct appkey_record record = read_record(text);
    return content_key(&record.recipients[0]);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"ECDH-ES+A256KW", "RSA-OAEP-256", "RSA-OAEP"};
    static const char *const others[] = {"",        "RSA1_5",   "RSA-OAEP-512",
                                         "ECDH-ES", "rsa-oaep", "dir"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum appkey_alg alg = APPKEY_RSA_OAEP;
        assert_int_equal(appkey_alg_from(names[i], &alg), 0);
        assert_string_equal(appkey_alg_name(alg), names[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        enum appkey_alg alg = APPKEY_RSA_OAEP;
        assert_int_equal(appkey_alg_from(others[i], &alg), -1);
        assert_int_equal(alg, APPKEY_RSA_OAEP);
    }
}

static void test_every_card_opens(void **state)
{
    (void)state;
    struct error error = {0};
    struct appkey_record record = read_record(sample.record);
    assert_int_equal(record.count, CARDS);
    for (size_t i = 0; i < CARDS; i++) {
        struct ec_point public;
        auto_of(secret_free) struct secret *private = NULL;
        assert_string_equal(record.recipients[i].kid, sample.kids[i]);
        assert_int_equal(record.recipients[i].alg, sample.cards[i].alg);
        auto_of(secret_free) struct secret *key = content_key(&record.recipients[i]);
        assert_non_null(key);
        assert_done(appkey_open(sample.record, key, &private, &public, &error), &error);
        assert_true(secret_equals(private, secret_data(sample.app_private), EC_SCALAR_SIZE));
        assert_memory_equal(public.bytes, sample.app_public.bytes, EC_POINT_SIZE);
    }
    assert_int_equal(record.recipients[CARD_EC].encrypted_key_size, 40);
    assert_int_equal(record.recipients[CARD_RSA_256].encrypted_key_size, 256);
    assert_int_equal(record.recipients[CARD_RSA_1].encrypted_key_size, 384);
}

static void test_record_has_its_form(void **state)
{
    (void)state;
    struct error error = {0};
    auto_json json_t *json = NULL;
    auto_free char *canonical = NULL;
    assert_done(json_parse(sample.record, strlen(sample.record), "record", &json, &error), &error);
    assert_done(json_canonical(json, &canonical, &error), &error);
    assert_string_equal(canonical, sample.record);
    /* {"cty":"jwk+json","enc":"A256GCM"} */
    assert_string_equal(json_text(json, "protected"),
                        "eyJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00ifQ");
}

static void refuse_seal(const struct appkey_card *cards, size_t count, enum code code,
                        const char *reason)
{
    struct error error = {0};
    char *record = NULL;
    assert_int_equal(appkey_seal(sample.app_private, cards, count, &record, &error), -1);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.text, reason));
    assert_null(record);
}

static void test_seal_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    static struct appkey_card many[APPKEY_RECIPIENTS_MAX + 1];
    refuse_seal(sample.cards, 0, CODE_STOP, "0 cards");
    for (size_t i = 0; i < APPKEY_RECIPIENTS_MAX + 1; i++) {
        auto_of(secret_free) struct secret *private = NULL;
        many[i] = (struct appkey_card){.key.type = JWK_P256, .alg = APPKEY_ECDH_A256KW};
        assert_done(ec_generate(&private, &many[i].key.point, &error), &error);
    }
    refuse_seal(many, APPKEY_RECIPIENTS_MAX + 1, CODE_STOP, "17 cards");
    auto_free char *record = NULL;
    assert_done(appkey_seal(sample.app_private, many, APPKEY_RECIPIENTS_MAX, &record, &error),
                &error);
    assert_int_equal(read_record(record).count, APPKEY_RECIPIENTS_MAX);
    many[1] = many[0];
    refuse_seal(many, 2, CODE_STOP, "the same card twice");
    struct appkey_card card = sample.cards[CARD_EC];
    card.alg = APPKEY_RSA_OAEP_256;
    refuse_seal(&card, 1, CODE_STOP, "RSA-OAEP-256 does not fit");
    card.alg = (enum appkey_alg)3;
    refuse_seal(&card, 1, CODE_FAULT, "without an algorithm");
    card = sample.cards[CARD_RSA_1];
    card.alg = APPKEY_ECDH_A256KW;
    refuse_seal(&card, 1, CODE_STOP, "ECDH-ES+A256KW does not fit");
    card = sample.cards[CARD_EC];
    card.key.point.bytes[9] ^= 1;
    refuse_seal(&card, 1, CODE_STOP, "not a point");
}

static void assert_unopened(const char *record, const struct secret *key)
{
    struct error error = {0};
    struct ec_point public = {{0xee}};
    auto_of(secret_free) struct secret *private = NULL;
    if (appkey_open(record, key, &private, &public, &error) != -1)
        fail_msg("opened: %s", record);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "app key record cannot be opened");
    assert_null(private);
    assert_int_equal(public.bytes[0], 0xee);
}

static void assert_damaged(const char *record, const struct secret *key)
{
    struct error error = {0};
    static struct appkey_record untouched;
    untouched.count = 77;
    if (appkey_read(record, &untouched, &error) != -1)
        fail_msg("read: %s", record);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "app key record is damaged");
    assert_int_equal(untouched.count, 77);
    assert_unopened(record, key);
}

static void test_wrong_content_keys(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    auto_of(secret_free) struct secret *short_key = sample_secret(secret_data(key), CEK_SIZE - 1);
    uint8_t bytes[CEK_SIZE];
    memcpy(bytes, secret_data(key), CEK_SIZE);
    bytes[31] ^= 1;
    auto_of(secret_free) struct secret *wrong = sample_secret(bytes, CEK_SIZE);
    assert_unopened(sample.record, short_key);
    assert_unopened(sample.record, wrong);
}

static void test_unwrapping_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    struct appkey_record record = read_record(sample.record);
    struct appkey_recipient *recipient = &record.recipients[CARD_EC];
    auto_of(secret_free) struct secret *key = NULL;
    auto_of(secret_free) struct secret *shared = NULL;
    assert_done(ec_agree(sample.ec_private, &recipient->epk, &shared, &error), &error);
    for (size_t i = 0; i < 40; i++) {
        recipient->encrypted_key[i] ^= 0x10;
        assert_int_equal(appkey_unwrap_ecdh(recipient, shared, &key, &error), -1);
        assert_int_equal(error.code, CODE_LOG);
        assert_string_equal(error.text, "app key record cannot be opened");
        recipient->encrypted_key[i] ^= 0x10;
    }
    auto_of(secret_free) struct secret *wrong = sample_secret(secret_data(shared), 31);
    assert_int_equal(appkey_unwrap_ecdh(recipient, wrong, &key, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    recipient->encrypted_key_size = 39;
    assert_int_equal(appkey_unwrap_ecdh(recipient, shared, &key, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_int_equal(appkey_unwrap_ecdh(&record.recipients[CARD_RSA_1], shared, &key, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(key);
}

/* The text with the first `find` replaced. */
static char *replaced(const char *text, const char *find, const char *replacement)
{
    char *changed = NULL;
    const char *at = strstr(text, find);
    if (at == NULL)
        fail_msg("the record has no %s", find);
    assert_true(
        asprintf(&changed, "%.*s%s%s", (int)(at - text), text, replacement, at + strlen(find)) > 0);
    return changed;
}

static void test_records_refused(void **state)
{
    (void)state;
#define EC_HEADER "\"header\":{\"alg\":\"ECDH-ES+A256KW\","
#define RSA_HEADER "\"header\":{\"alg\":\"RSA-OAEP\","
#define KID43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    static const char *const rows[][2] = {
        {"{", "[{"},
        {"{", "{\"aad\":\"AAAA\","},
        {"{", "{\"unprotected\":{},"},
        {"{", "{\"unprotected\":{\"zip\":\"DEF\"},"},
        {"{", "{\"header\":{},"},
        {"{", "{\"encrypted_key\":\"AAAA\","},
        {"{", "{\"iv\":\"AAAAAAAAAAAAAAAA\","},
        {"{", "{\"recipients\":[],"},
        {"\"iv\":\"", "\"iv\":\"AAAA"},
        {"\"iv\":\"", "\"vi\":\""},
        {"\"tag\":\"", "\"tag\":\"AAAA"},
        {"\"tag\":\"", "\"tag\":\" "},
        {"\"tag\"", "\"gat\""},
        {"\"ciphertext\":\"", "\"ciphertext\":\"AAAA"},
        {"\"ciphertext\":\"", "\"ciphertext\":\"=\",\"c\":\""},
        {"\"protected\":\"", "\"protected\":\"AAAA"},
        {"\"protected\":\"", "\"protected\":7,\"p\":\""},
        {"\"recipients\":[", "\"recipients\":[{},"},
        {"\"recipients\":[", "\"recipients\":[null,"},
        {"\"recipients\":[", "\"recipients\":[\"x\","},
        {"\"recipients\":[", "\"recipients\":{},\"r\":["},
        {"\"recipients\":[", "\"recipients\":[],\"r\":["},
        {"\"encrypted_key\":\"", "\"encrypted_key\":\"AAAA"}, /* of the EC card */
        {"\"encrypted_key\":\"", "\"encrypted_key\":\"\",\"e\":\""},
        {"\"encrypted_key\":\"", "\"encrypted_key\":\"+"},
        {"\"encrypted_key\":\"", "\"encrypted_key\":0,\"e\":\""},
        {EC_HEADER, EC_HEADER "\"enc\":\"A256GCM\","}, /* also in the protected header */
        {EC_HEADER, EC_HEADER "\"cty\":\"jwk+json\","},
        {EC_HEADER, EC_HEADER "\"zip\":\"DEF\","},
        {EC_HEADER, EC_HEADER "\"crit\":[],"},
        {EC_HEADER, EC_HEADER "\"apu\":\"AAAA\","},
        {EC_HEADER, EC_HEADER "\"alg\":\"ECDH-ES+A256KW\","},
        {EC_HEADER, "\"header\":{\"alg\":\"ECDH-ES\","},
        {EC_HEADER, "\"header\":{\"alg\":\"ECDH-ES+A128KW\","},
        {EC_HEADER, "\"header\":{\"alg\":\"RSA-OAEP\","}, /* has an epk */
        {EC_HEADER, "\"header\":{\"alg\":7,"},
        {EC_HEADER, "\"header\":{"},
        {EC_HEADER, "\"header\":[],\"h\":{\"alg\":\"x\","},
        {RSA_HEADER, "\"header\":{\"alg\":\"RSA1_5\","},
        {RSA_HEADER, "\"header\":{\"alg\":\"RSA-OAEP-384\","},
        {RSA_HEADER, "\"header\":{\"alg\":\"ECDH-ES+A256KW\","}, /* has no epk */
        {RSA_HEADER, RSA_HEADER "\"epk\":{},"},
        {"\"epk\":{", "\"epk\":{\"d\":\"AAAA\","},
        {"\"crv\":\"P-256\"", "\"crv\":\"P-521\""},
        {"\"x\":\"", "\"x\":\"" KID43 "\",\"z\":\""},
        {"\"kid\":\"", "\"kid\":\"A"},
        {"\"kid\":\"", "\"kid\":\"\",\"k\":\""},
        {"\"kid\":\"", "\"kid\":1,\"k\":\""},
        {"\"kid\":\"", "\"k\":\""},
    };
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_free char *changed = replaced(sample.record, rows[i][0], rows[i][1]);
        assert_damaged(changed, key);
    }
    for (size_t size = 0; size < strlen(sample.record); size += 7) {
        auto_free char *cut = strndup(sample.record, size);
        assert_damaged(cut, key);
    }
    auto_free char *longer = calloc(1, APPKEY_MAX + 2);
    memset(longer, ' ', APPKEY_MAX + 1);
    memcpy(longer, sample.record, strlen(sample.record));
    assert_damaged(longer, key);
    longer[APPKEY_MAX] = '\0';
    assert_int_equal(read_record(longer).count, CARDS);
}

static void test_protected_headers_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "{\"cty\":\"jwk+json\"}",
        "{\"enc\":\"A256GCM\"}",
        "{\"cty\":\"jwk+json\",\"enc\":\"A128GCM\"}",
        "{\"cty\":\"jwk-set+json\",\"enc\":\"A256GCM\"}",
        "{\"cty\":\"jwk+json\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}",
        "{\"cty\":\"jwk+json\",\"enc\":\"A256GCM\",\"crit\":[]}",
        "{\"alg\":\"RSA-OAEP\",\"cty\":\"jwk+json\",\"enc\":\"A256GCM\"}",
        "{\"cty\":\"jwk+json\",\"enc\":\"A256GCM\",\"enc\":\"A256GCM\"}",
        "{\"cty\":[\"jwk+json\"],\"enc\":\"A256GCM\"}",
    };
    struct error error = {0};
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(512);
        assert_done(base64url_put(&text, rows[i], strlen(rows[i]), &error), &error);
        auto_free char *changed = replaced(
            sample.record, "eyJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00ifQ", buffer_text(&text));
        assert_damaged(changed, key);
    }
}

/* The record with its list of recipients changed by a function. */
static char *with_recipients(void (*change)(json_t *recipients))
{
    struct error error = {0};
    auto_json json_t *json = NULL;
    char *text = NULL;
    assert_done(json_parse(sample.record, strlen(sample.record), "record", &json, &error), &error);
    change(json_object_get(json, "recipients"));
    assert_done(json_canonical(json, &text, &error), &error);
    return text;
}

static void name_one_twice(json_t *recipients)
{
    json_array_append(recipients, json_array_get(recipients, 1));
}

static void keep_the_last(json_t *recipients)
{
    json_array_remove(recipients, 0);
    json_array_remove(recipients, 0);
}

static void make_seventeen(json_t *recipients)
{
    for (int i = 0; json_array_size(recipients) <= APPKEY_RECIPIENTS_MAX; i++) {
        char kid[THUMBPRINT_SIZE] = KID43;
        kid[0] = (char)('a' + i);
        json_t *copy = json_deep_copy(json_array_get(recipients, 1));
        json_object_set_new(json_object_get(copy, "header"), "kid", json_string(kid));
        json_array_append_new(recipients, copy);
    }
}

static void shorten_a_key(json_t *recipients)
{
    /* 255 bytes, for the card with 2048 bits. */
    char text[BASE64URL_SIZE((size_t)255) + 1];
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_object_set_new(json_array_get(recipients, 1), "encrypted_key", json_string(text));
}

/* A card agrees with a point: that of an RSA key is none. */
static void name_an_rsa_key(json_t *recipients)
{
    struct error error = {0};
    json_t *key = NULL;
    assert_done(jwk_to_json(&sample.cards[CARD_RSA_256].key, &key, &error), &error);
    json_object_set_new(json_object_get(json_array_get(recipients, CARD_EC), "header"), "epk", key);
}

static void make_sixteen(json_t *recipients)
{
    make_seventeen(recipients);
    json_array_remove(recipients, APPKEY_RECIPIENTS_MAX);
}

static void test_lists_of_recipients(void **state)
{
    (void)state;
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    auto_free char *twice = with_recipients(name_one_twice);
    auto_free char *seventeen = with_recipients(make_seventeen);
    auto_free char *sixteen = with_recipients(make_sixteen);
    auto_free char *one = with_recipients(keep_the_last);
    auto_free char *shortened = with_recipients(shorten_a_key);
    auto_free char *rsa = with_recipients(name_an_rsa_key);
    assert_damaged(rsa, key);
    assert_damaged(shortened, key);
    assert_damaged(twice, key);
    assert_damaged(seventeen, key);
    assert_int_equal(read_record(sixteen).count, APPKEY_RECIPIENTS_MAX);
    /* The list is not under the encryption: one card less, and the others still open. */
    struct appkey_record record = read_record(one);
    assert_int_equal(record.count, 1);
    auto_of(secret_free) struct secret *same = content_key(&record.recipients[0]);
    assert_true(secret_equals(same, secret_data(key), CEK_SIZE));
}

static void test_every_changed_character_of_the_content_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"\"ciphertext\":\"", "\"iv\":\"", "\"protected\":\"",
                                        "\"tag\":\""};
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    auto_free char *changed = strdup(sample.record);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *at = strstr(changed, names[i]) + strlen(names[i]);
        for (; *at != '"'; at++) {
            char before = *at;
            *at = before == 'Q' ? 'g' : 'Q';
            assert_unopened(changed, key);
            *at = before;
        }
    }
}

/* Seals any text as if it were the private JWK. */
static char *forge(const struct secret *key, const char *payload_text)
{
    struct error error = {0};
    auto_json json_t *json = NULL;
    auto_content struct content content = {0};
    char *text = NULL;
    auto_of(secret_free) struct secret *payload = sample_text(payload_text);
    assert_done(json_parse(sample.record, strlen(sample.record), "record", &json, &error), &error);
    const char *protected = json_text(json, "protected");
    struct piece aad = {protected, strlen(protected)};
    assert_done(content_seal(key, aad, payload, &content, &error), &error);
    const struct {
        const char *name;
        const uint8_t *bytes;
        size_t size;
    } parts[] = {{"iv", content.iv, CONTENT_IV_SIZE},
                 {"ciphertext", content.ciphertext, content.size},
                 {"tag", content.tag, CONTENT_TAG_SIZE}};
    for (size_t i = 0; i < 3; i++) {
        auto_buffer struct buffer encoded = BUFFER_UP_TO(4096);
        assert_done(base64url_put(&encoded, parts[i].bytes, parts[i].size, &error), &error);
        json_object_set_new(json, parts[i].name, json_string(buffer_text(&encoded)));
    }
    assert_done(json_canonical(json, &text, &error), &error);
    return text;
}

/* Bob of RFC 7518 appendix C. */
#define GOOD_D "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
#define GOOD_X "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"
#define GOOD_Y "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"
#define PRIVATE(d, x, y)                                                                           \
    "{\"crv\":\"P-256\",\"d\":\"" d "\",\"kty\":\"EC\",\"x\":\"" x "\",\"y\":\"" y "\"}"

static void test_payloads_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point public;
    auto_of(secret_free) struct secret *private = NULL;
    auto_of(secret_free) struct secret *key = content_key_of(sample.record);
    auto_free char *good = forge(key, PRIVATE(GOOD_D, GOOD_X, GOOD_Y));
    assert_done(appkey_open(good, key, &private, &public, &error), &error);
    static const char *const rows[] = {
        "{}",
        PRIVATE(GOOD_D, GOOD_Y, GOOD_X),
        PRIVATE(KID43, GOOD_X, GOOD_Y),  /* zero */
        PRIVATE(GOOD_X, GOOD_X, GOOD_Y), /* the wrong scalar */
        PRIVATE(GOOD_D, GOOD_X, GOOD_Y) " ",
        "{\"crv\":\"P-256\",\"d\":\"" GOOD_D "\"}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_free char *bad = forge(key, rows[i]);
        assert_unopened(bad, key);
    }
}

/*
 * A planted record opens with the card as well; the thumbprint is what tells it from the one in
 * the log.
 */
static void test_planted_key_has_another_thumbprint(void **state)
{
    (void)state;
    struct error error = {0};
    struct jwk logged = {.type = JWK_P256, .point = sample.app_public};
    struct jwk opened = {.type = JWK_P256};
    char expected[THUMBPRINT_SIZE];
    char found[THUMBPRINT_SIZE];
    auto_free char *planted = NULL;
    auto_of(secret_free) struct secret *other = NULL;
    auto_of(secret_free) struct secret *private = NULL;
    assert_done(ec_generate(&other, &opened.point, &error), &error);
    assert_done(appkey_seal(other, sample.cards, CARDS, &planted, &error), &error);
    auto_of(secret_free) struct secret *key = content_key_of(planted);
    assert_done(appkey_open(planted, key, &private, &opened.point, &error), &error);
    assert_done(jwk_thumbprint(&logged, expected, &error), &error);
    assert_done(jwk_thumbprint(&opened, found, &error), &error);
    assert_string_not_equal(found, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_card_opens),
        cmocka_unit_test(test_record_has_its_form),
        cmocka_unit_test(test_seal_refuses),
        cmocka_unit_test(test_wrong_content_keys),
        cmocka_unit_test(test_unwrapping_refuses),
        cmocka_unit_test(test_records_refused),
        cmocka_unit_test(test_protected_headers_refused),
        cmocka_unit_test(test_lists_of_recipients),
        cmocka_unit_test(test_every_changed_character_of_the_content_is_found),
        cmocka_unit_test(test_payloads_refused),
        cmocka_unit_test(test_planted_key_has_another_thumbprint),
    };
    return cmocka_run_group_tests_name("appkey", tests, make_sample, free_sample);
}
