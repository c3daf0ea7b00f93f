/*
 * test_jwe.c: records sealed and opened, and above all refused: headers, parts, every changed
 * byte.
 */
#include "seal_samples.h"

static const char payload_text[] = "{\"v\":1,\"secret\":\"EAAB\"}";

/* An app key, and a record sealed to it. */
struct sample {
    struct secret *private;
    struct jwk public;
    char kid[THUMBPRINT_SIZE];
    char *jwe;
    struct jwe_header header;
    struct secret *content_key;
};

static int make_sample(void **state)
{
    static struct sample sample;
    struct error error = {0};
    sample.public = (struct jwk){.type = JWK_P256};
    assert_done(ec_generate(&sample.private, &sample.public.point, &error), &error);
    assert_done(jwk_thumbprint(&sample.public, sample.kid, &error), &error);
    auto_of(secret_free) struct secret *payload = sample_text(payload_text);
    assert_done(jwe_seal_to(&sample.public.point, payload, &sample.jwe, &error), &error);
    assert_done(jwe_read_header(sample.jwe, &sample.header, &error), &error);
    assert_done(jwe_content_key(sample.private, &sample.header.epk, &sample.content_key, &error),
                &error);
    *state = &sample;
    return 0;
}

static int free_sample(void **state)
{
    struct sample *sample = *state;
    secret_free(TAKE(sample->private));
    secret_free(TAKE(sample->content_key));
    free(TAKE(sample->jwe));
    return 0;
}

static void assert_opens(const struct sample *sample, const char *jwe, const char *expected)
{
    struct error error = {0};
    auto_of(secret_free) struct secret *payload = NULL;
    assert_done(jwe_open(jwe, sample->content_key, &payload, &error), &error);
    assert_true(secret_equals(payload, expected, strlen(expected)));
}

static void assert_unopened(const struct secret *content_key, const char *jwe)
{
    struct error error = {0};
    auto_of(secret_free) struct secret *payload = NULL;
    if (jwe_open(jwe, content_key, &payload, &error) != -1)
        fail_msg("opened: %s", jwe);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "record cannot be opened");
    assert_null(payload);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for the TLS connection to find */
}

/* Refused before any key is asked for. */
static void assert_damaged(const struct sample *sample, const char *jwe)
{
    struct error error = {0};
    struct jwe_header header = {.kid = "kept"};
    if (jwe_read_header(jwe, &header, &error) != -1)
        fail_msg("read: %s", jwe);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "record is damaged");
    assert_string_equal(header.kid, "kept");
    assert_unopened(sample->content_key, jwe);
}

static void test_seal_and_open(void **state)
{
    const struct sample *sample = *state;
    assert_string_equal(sample->header.kid, sample->kid);
    assert_opens(sample, sample->jwe, payload_text);
}

static void test_header_is_canonical(void **state)
{
    const struct sample *sample = *state;
    struct piece parts[5];
    struct error error = {0};
    sample_split(sample->jwe, parts);
    assert_int_equal(parts[1].size, 0);
    uint8_t text[SAMPLE_MAX];
    size_t size = sample_base64(parts[0].text, parts[0].size, text);
    auto_json json_t *epk = NULL;
    struct jwk key = {.type = JWK_P256, .point = sample->header.epk};
    assert_done(jwk_to_json(&key, &epk, &error), &error);
    char expected[SAMPLE_MAX];
    snprintf(expected, sizeof(expected),
             "{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\",\"epk\":{\"crv\":\"P-256\",\"kty\":\"EC\","
             "\"x\":\"%s\",\"y\":\"%s\"},\"kid\":\"%s\"}",
             json_text(epk, "x"), json_text(epk, "y"), sample->kid);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void test_every_record_has_its_own_key(void **state)
{
    const struct sample *sample = *state;
    struct error error = {0};
    auto_free char *other = NULL;
    struct jwe_header header;
    auto_of(secret_free) struct secret *payload = sample_text(payload_text);
    assert_done(jwe_seal_to(&sample->public.point, payload, &other, &error), &error);
    assert_done(jwe_read_header(other, &header, &error), &error);
    assert_memory_not_equal(header.epk.bytes, sample->header.epk.bytes, EC_POINT_SIZE);
    assert_unopened(sample->content_key, other);
}

static void test_wrong_keys(void **state)
{
    const struct sample *sample = *state;
    auto_of(secret_free) struct secret *short_key =
        sample_secret(secret_data(sample->content_key), CEK_SIZE - 1);
    assert_unopened(short_key, sample->jwe);
    for (size_t i = 0; i < CEK_SIZE; i++) {
        uint8_t bytes[CEK_SIZE];
        memcpy(bytes, secret_data(sample->content_key), CEK_SIZE);
        bytes[i] ^= 0x80;
        auto_of(secret_free) struct secret *wrong = sample_secret(bytes, CEK_SIZE);
        assert_unopened(wrong, sample->jwe);
    }
}

static void test_every_changed_character_is_found(void **state)
{
    const struct sample *sample = *state;
    size_t size = strlen(sample->jwe);
    auto_free char *changed = strdup(sample->jwe);
    for (size_t i = 0; i < size; i++) {
        static const char others[] = "AQgw_.= \x80";
        for (size_t j = 0; j < sizeof(others) - 1; j++) {
            if (sample->jwe[i] == others[j])
                continue;
            changed[i] = others[j];
            assert_unopened(sample->content_key, changed);
        }
        changed[i] = '\0';
        assert_unopened(sample->content_key, changed);
        changed[i] = sample->jwe[i];
    }
    assert_opens(sample, changed, payload_text);
}

/*
 * A record whose encryption is right and whose header is this: only the header can be why it is
 * refused.
 */
static char *forge_with(const struct sample *sample, const char *header, const void *bytes,
                        size_t size)
{
    struct error error = {0};
    auto_buffer struct buffer jwe = BUFFER_UP_TO(2 * JWE_MAX);
    auto_content struct content content = {0};
    auto_of(secret_free) struct secret *payload = sample_secret(bytes, size);
    assert_done(base64url_put(&jwe, header, strlen(header), &error), &error);
    struct piece aad = {buffer_text(&jwe), jwe.size};
    assert_done(content_seal(sample->content_key, aad, payload, &content, &error), &error);
    assert_done(buffer_put_text(&jwe, "..", &error), &error);
    assert_done(base64url_put(&jwe, content.iv, CONTENT_IV_SIZE, &error), &error);
    assert_done(buffer_put_text(&jwe, ".", &error), &error);
    assert_done(base64url_put(&jwe, content.ciphertext, content.size, &error), &error);
    assert_done(buffer_put_text(&jwe, ".", &error), &error);
    assert_done(base64url_put(&jwe, content.tag, CONTENT_TAG_SIZE, &error), &error);
    return buffer_take_text(&jwe);
}

static char *forge(const struct sample *sample, const char *header)
{
    return forge_with(sample, header, payload_text, strlen(payload_text));
}

/* Writes a header: # stands for the sample's epk, % for its kid, ' for a quotation mark. */
static char *write_header(const struct sample *sample, const char *pattern)
{
    struct error error = {0};
    auto_json json_t *epk = NULL;
    auto_free char *epk_text = NULL;
    struct jwk key = {.type = JWK_P256, .point = sample->header.epk};
    assert_done(jwk_to_json(&key, &epk, &error), &error);
    assert_done(json_canonical(epk, &epk_text, &error), &error);
    auto_buffer struct buffer text = BUFFER_UP_TO(4096);
    for (; *pattern != '\0'; pattern++) {
        const char one[] = {*pattern == '\'' ? '"' : *pattern, '\0'};
        const char *piece = *pattern == '#' ? epk_text : *pattern == '%' ? sample->kid : one;
        assert_done(buffer_put_text(&text, piece, &error), &error);
    }
    return buffer_take_text(&text);
}

#define ALG "'alg':'ECDH-ES'"
#define ENC "'enc':'A256GCM'"
#define EPK "'epk':#"
#define KID "'kid':'%'"

static void test_header_may_be_in_any_order(void **state)
{
    const struct sample *sample = *state;
    static const char *const rows[] = {
        "{" ALG "," ENC "," EPK "," KID "}",
        "{" KID "," EPK "," ENC "," ALG "}",
        " {\n" ALG " ,\t" ENC "," EPK "," KID "} ",
        "{'\\u0061lg':'ECDH-ES'," ENC "," EPK "," KID "}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_free char *header = write_header(sample, rows[i]);
        auto_free char *jwe = forge(sample, header);
        assert_opens(sample, jwe, payload_text);
    }
}

static void test_headers_refused(void **state)
{
    const struct sample *sample = *state;
#define X43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "{}",
        "{" ENC "," EPK "," KID "}",
        "{" ALG "," EPK "," KID "}",
        "{" ALG "," ENC "," KID "}",
        "{" ALG "," ENC "," EPK "}",
        "{'alg':'ECDH-ES+A256KW'," ENC "," EPK "," KID "}",
        "{'alg':'dir'," ENC "," EPK "," KID "}",
        "{'alg':'none'," ENC "," EPK "," KID "}",
        "{'alg':'ecdh-es'," ENC "," EPK "," KID "}",
        "{'alg':['ECDH-ES']," ENC "," EPK "," KID "}",
        "{'Alg':'ECDH-ES'," ENC "," EPK "," KID "}",
        "{" ALG ",'enc':'A128GCM'," EPK "," KID "}",
        "{" ALG ",'enc':'A256CBC-HS512'," EPK "," KID "}",
        "{" ALG ",'enc':null," EPK "," KID "}",
        "{" ALG "," ENC "," EPK "," KID ",'zip':'DEF'}",
        "{" ALG "," ENC "," EPK "," KID ",'crit':['exp'],'exp':1}",
        "{" ALG "," ENC "," EPK "," KID ",'crit':[]}",
        "{" ALG "," ENC "," EPK "," KID ",'apu':'QWxpY2U'}",
        "{" ALG "," ENC "," EPK "," KID ",'apv':'Qm9i'}",
        "{" ALG "," ENC "," EPK "," KID ",'typ':'JWE'}",
        "{" ALG "," ENC "," EPK "," KID ",'':''}",
        "{" ALG "," ALG "," ENC "," EPK "," KID "}",
        "{" ALG ",'\\u0061lg':'ECDH-ES'," ENC "," EPK "," KID "}",
        "{" ALG "," ENC "," EPK "," EPK "," KID "}",
        "{" ALG "," ENC "," EPK "," KID "," KID "}",
        "{" ALG "," ENC "," EPK "," KID "}x",
        "{" ALG "," ENC "," EPK "," KID "}{}",
        "{" ALG "," ENC "," EPK "," KID ",}",
        "{" ALG "," ENC ",'epk':'x'," KID "}",
        "{" ALG "," ENC ",'epk':{}," KID "}",
        "{" ALG "," ENC ",'epk':{'crv':'P-256','kty':'EC','x':'" X43 "','y':'" X43 "'}," KID "}",
        "{" ALG "," ENC ",'epk':{'crv':'P-384','kty':'EC','x':'" X43 "','y':'" X43 "'}," KID "}",
        "{" ALG "," ENC ",'epk':{'crv':'X25519','kty':'OKP','x':'" X43 "'}," KID "}",
        "{" ALG "," ENC ",'epk':[#]," KID "}",
        "{" ALG "," ENC "," EPK ",'kid':''}",
        "{" ALG "," ENC "," EPK ",'kid':'app'}",
        "{" ALG "," ENC "," EPK ",'kid':'%A'}",
        "{" ALG "," ENC "," EPK ",'kid':'%='}",
        "{" ALG "," ENC "," EPK ",'kid':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB'}",
        "{" ALG "," ENC "," EPK ",'kid':['%']}",
        "{" ALG "," ENC "," EPK "," KID ",'pad':'" X43 X43 X43 X43 X43 X43 X43 X43 "'}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_free char *header = write_header(sample, rows[i]);
        auto_free char *jwe = forge(sample, header);
        assert_damaged(sample, jwe);
    }
}

static void test_ephemeral_key_of_another_kind(void **state)
{
    const struct sample *sample = *state;
    struct error error = {0};
    struct jwk rsa;
    EVP_PKEY_free(sample_rsa(2048, &rsa));
    auto_json json_t *json = NULL;
    auto_free char *text = NULL;
    assert_done(jwk_to_json(&rsa, &json, &error), &error);
    assert_done(json_canonical(json, &text, &error), &error);
    char header[SAMPLE_MAX];
    snprintf(header, sizeof(header),
             "{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\",\"epk\":%s,\"kid\":\"%s\"}", text,
             sample->kid);
    auto_free char *jwe = forge(sample, header);
    assert_damaged(sample, jwe);
}

/* The sample with one part replaced; a NULL text keeps the part. */
static char *with_parts(const struct sample *sample, const char *const texts[5])
{
    struct error error = {0};
    struct piece parts[5];
    sample_split(sample->jwe, parts);
    auto_buffer struct buffer jwe = BUFFER_UP_TO(2 * JWE_MAX);
    for (size_t i = 0; i < 5; i++) {
        if (i > 0)
            assert_done(buffer_put_text(&jwe, ".", &error), &error);
        if (texts[i] != NULL)
            assert_done(buffer_put_text(&jwe, texts[i], &error), &error);
        else
            assert_done(buffer_put(&jwe, parts[i].text, parts[i].size, &error), &error);
    }
    return buffer_take_text(&jwe);
}

static void test_parts_refused(void **state)
{
    const struct sample *sample = *state;
    static const char *const rows[][5] = {
        {""},
        {[1] = "AAAA"},
        {[1] = "A"},
        {[2] = ""},
        {[2] = "AAAAAAAAAAAAAAA"},    /* 11 bytes */
        {[2] = "AAAAAAAAAAAAAAAAAA"}, /* 13 bytes */
        {[2] = "AAAAAAAAAAAAAAA="},
        {[2] = "AAAAAAAAAAAAAAA+"},
        {[3] = ""},
        {[3] = "A"},
        {[3] = "AB"}, /* bits that belong to no byte */
        {[3] = "AA=="},
        {[3] = "A A"},
        {[4] = ""},
        {[4] = "AAAAAAAAAAAAAAAAAAAA"}, /* 15 bytes */
        {[4] = "AAAAAAAAAAAAAAAAAAAAAA=="},
        {[4] = "AAAAAAAAAAAAAAAAAAAAAB"},
        {[4] = "AAAAAAAAAAAAAAAAAAAAAAA"}, /* 17 bytes */
        {[4] = "AAAAAAAAAAAAAAAAAAAAAA.AA"},
        {[4] = "AAAAAAAAAAAAAAAAAAAA.A"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_free char *jwe = with_parts(sample, rows[i]);
        assert_damaged(sample, jwe);
    }
    static const char *const wholes[] = {"", ".", "....", ".....", "a.b.c", "a.b.c.d.e"};
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
        assert_damaged(sample, wholes[i]);
}

static void test_sizes(void **state)
{
    const struct sample *sample = *state;
    struct error error = {0};
    static char letters[JWE_MAX];
    memset(letters, 'x', sizeof(letters));
    /* Header, dots, IV and tag leave room for so many characters of ciphertext. */
    struct piece parts[5];
    sample_split(sample->jwe, parts);
    size_t most = (JWE_MAX - parts[0].size - 4 - 16 - 22) * 3 / 4;
    auto_free char *jwe = NULL;
    auto_of(secret_free) struct secret *fits = sample_secret(letters, most);
    auto_of(secret_free) struct secret *exceeds = sample_secret(letters, most + 1);
    auto_of(secret_free) struct secret *empty = sample_secret("", 0);
    assert_done(jwe_seal(&sample->header, sample->content_key, fits, &jwe, &error), &error);
    assert_in_range(strlen(jwe), JWE_MAX - 3, JWE_MAX);
    auto_of(secret_free) struct secret *payload = NULL;
    assert_done(jwe_open(jwe, sample->content_key, &payload, &error), &error);
    assert_true(secret_equals(payload, letters, most));
    char *untouched = NULL;
    assert_int_equal(jwe_seal(&sample->header, sample->content_key, exceeds, &untouched, &error),
                     -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(jwe_seal(&sample->header, sample->content_key, empty, &untouched, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(untouched);
}

static void test_longer_than_allowed(void **state)
{
    const struct sample *sample = *state;
    static char letters[JWE_MAX + 1];
    memset(letters, 'A', JWE_MAX);
    const char *const texts[5] = {[3] = letters};
    auto_free char *jwe = with_parts(sample, texts);
    assert_damaged(sample, jwe);
    /* One character too long, and sound but for that. */
    auto_free char *header = write_header(sample, "{" ALG "," ENC "," EPK "," KID "} ");
    size_t room = JWE_MAX + 1 - BASE64URL_SIZE(strlen(header)) - 4 - 16 - 22;
    auto_free char *fits = forge_with(sample, header, letters, room / 4 * 3);
    auto_free char *exceeds = forge_with(sample, header, letters, room / 4 * 3 + room % 4 - 1);
    assert_int_equal(strlen(exceeds), JWE_MAX + 1);
    assert_damaged(sample, exceeds);
    auto_of(secret_free) struct secret *payload = NULL;
    struct error error = {0};
    assert_done(jwe_open(fits, sample->content_key, &payload, &error), &error);
}

static void test_seal_refuses(void **state)
{
    const struct sample *sample = *state;
    struct error error = {0};
    char *jwe = NULL;
    auto_of(secret_free) struct secret *payload = sample_text(payload_text);
    struct jwe_header header = sample->header;
    header.epk.bytes[5] ^= 1;
    assert_int_equal(jwe_seal(&header, sample->content_key, payload, &jwe, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    header = sample->header;
    header.kid[0] = '\0';
    assert_int_equal(jwe_seal(&header, sample->content_key, payload, &jwe, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    memset(header.kid, 'A', sizeof(header.kid)); /* not even terminated */
    assert_int_equal(jwe_seal(&header, sample->content_key, payload, &jwe, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    auto_of(secret_free) struct secret *short_key = sample_text("too short");
    assert_int_equal(jwe_seal(&sample->header, short_key, payload, &jwe, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    struct ec_point off = sample->public.point;
    off.bytes[64] ^= 1;
    assert_int_equal(jwe_seal_to(&off, payload, &jwe, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    auto_of(secret_free) struct secret *key = NULL;
    assert_int_equal(jwe_content_key(sample->private, &off, &key, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(key);
    assert_null(jwe);
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, make_sample, free_sample)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(test_seal_and_open),
        WITH_SAMPLE(test_header_is_canonical),
        WITH_SAMPLE(test_every_record_has_its_own_key),
        WITH_SAMPLE(test_wrong_keys),
        WITH_SAMPLE(test_every_changed_character_is_found),
        WITH_SAMPLE(test_header_may_be_in_any_order),
        WITH_SAMPLE(test_headers_refused),
        WITH_SAMPLE(test_ephemeral_key_of_another_kind),
        WITH_SAMPLE(test_parts_refused),
        WITH_SAMPLE(test_sizes),
        WITH_SAMPLE(test_longer_than_allowed),
        WITH_SAMPLE(test_seal_refuses),
    };
    return cmocka_run_group_tests_name("jwe", tests, NULL, NULL);
}
