/*
 * test_jwk.c: public keys as JWK, thumbprint and SubjectPublicKeyInfo, the strictness of
 * reading, the private JWK.
 */
#include <openssl/x509.h>

#include "leave_out.h"
#include "seal_samples.h"

/* RFC 7638, section 3.1. */
#define RSA_N                                                                                      \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"      \
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"     \
    "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"            \
    "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RSA_THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

/* RFC 9449, section 4.1 and 6.1: a P-256 key and its thumbprint. */
#define EC_X "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
#define EC_Y "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
#define EC_THUMBPRINT "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

#define RSA_JSON "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"
#define EC_JSON "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"

/* Bob of RFC 7518, appendix C. */
#define PRIVATE_D "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
#define PRIVATE_JSON                                                                               \
    "{\"crv\":\"P-256\",\"d\":\"" PRIVATE_D "\",\"kty\":\"EC\","                                   \
    "\"x\":\"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ\","                                       \
    "\"y\":\"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck\"}"

static struct jwk key_of(const char *text)
{
    struct error error = {0};
    auto_json json_t *json = NULL;
    struct jwk key;
    assert_done(json_parse(text, strlen(text), "key", &json, &error), &error);
    assert_done(jwk_from_json(json, &key, &error), &error);
    return key;
}

static void check_text_and_thumbprint(const char *text, const char *expected)
{
    struct error error = {0};
    struct jwk key = key_of(text);
    auto_json json_t *json = NULL;
    char thumbprint[THUMBPRINT_SIZE];
    assert_done(jwk_to_json(&key, &json, &error), &error);
    auto_free char *written = json_dumps(json, JSON_COMPACT);
    assert_string_equal(written, text);
    assert_done(jwk_thumbprint(&key, thumbprint, &error), &error);
    assert_string_equal(thumbprint, expected);
    assert_true(jwk_thumbprint_valid(thumbprint, strlen(thumbprint)));
}

static void test_published_keys(void **state)
{
    (void)state;
    check_text_and_thumbprint(RSA_JSON, RSA_THUMBPRINT);
    check_text_and_thumbprint(EC_JSON, EC_THUMBPRINT);
}

static void test_thumbprint_form(void **state)
{
    (void)state;
    static const char good[] = EC_THUMBPRINT;
    static const char *const bad[] = {
        "",
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4",   /* short */
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4II", /* long */
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J",  /* bits that belong to no byte */
        "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I",  /* the other alphabet */
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4=",
    };
    assert_true(jwk_thumbprint_valid(good, strlen(good)));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(jwk_thumbprint_valid(bad[i], strlen(bad[i])));
}

static void test_reading_is_strict(void **state)
{
    (void)state;
#define EC_WITH(crv, kty, x, y) "{\"crv\":" crv ",\"kty\":" kty ",\"x\":\"" x "\",\"y\":\"" y "\"}"
#define RSA_WITH(e, n) "{\"e\":\"" e "\",\"kty\":\"RSA\",\"n\":\"" n "\"}"
    static const char *const rows[] = {
        "{}",
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":1}",
        EC_WITH("\"P-384\"", "\"EC\"", EC_X, EC_Y),
        EC_WITH("7", "\"EC\"", EC_X, EC_Y),
        EC_WITH("\"P-256\"", "\"RSA\"", EC_X, EC_Y),
        EC_WITH("\"P-256\"", "\"ec\"", EC_X, EC_Y),
        EC_WITH("\"P-256\"", "\"EC\"", EC_Y, EC_X),     /* not on the curve */
        EC_WITH("\"P-256\"", "\"EC\"", EC_X "A", EC_Y), /* 33 bytes */
        EC_WITH("\"P-256\"", "\"EC\"", EC_X "=", EC_Y), /* padded */
        EC_WITH("\"P-256\"", "\"EC\"", "l8tF", EC_Y),   /* 3 bytes */
        EC_WITH("\"P-256\"", "\"EC\"", "", ""),
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":2}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"use\":\"enc\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        PRIVATE_JSON,              /* a private key is no public key */
        RSA_WITH("AAEAAQ", RSA_N), /* leading zero */
        RSA_WITH("AQAC", RSA_N),   /* even */
        RSA_WITH("AQAA", RSA_N),   /* 65536 */
        RSA_WITH("Aw", RSA_N),     /* 3 */
        RSA_WITH("", RSA_N),
        RSA_WITH("AQAAAAAAAAAB", RSA_N), /* 9 bytes */
        RSA_WITH("AQAB", "AA" RSA_N),
        RSA_WITH("AQAB", "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWh"),
        RSA_WITH("AQAB", RSA_N RSA_N RSA_N),
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"kid\":\"x\"}",
        "{\"e\":\"AQAB\",\"kty\":\"RSA\"}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = {0};
        auto_json json_t *json = NULL;
        struct jwk key = {.modulus_size = 77};
        assert_done(json_parse(rows[i], strlen(rows[i]), "row", &json, &error), &error);
        if (jwk_from_json(json, &key, &error) != -1)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(error.code, CODE_STOP);
        assert_int_equal(key.modulus_size, 77);
    }
}

/* RFC 7518, section 6.2.1.2: a coordinate is written whole, also when it ends with a zero. */
static void test_short_coordinate(void **state)
{
    (void)state;
    struct error error = {0};
    struct jwk key = {.type = JWK_P256};
    uint8_t scalar[EC_SCALAR_SIZE] = {0};
    do {
        scalar[31]++;
        if (scalar[31] == 0)
            scalar[30]++;
        auto_of(secret_free) struct secret *private = sample_secret(scalar, sizeof(scalar));
        assert_done(ec_public(private, &key.point, &error), &error);
    } while (key.point.bytes[EC_POINT_SIZE - 1] != 0);
    auto_json json_t *json = NULL;
    auto_buffer struct buffer cut = BUFFER_UP_TO(64);
    assert_done(jwk_to_json(&key, &json, &error), &error);
    assert_done(base64url_put(&cut, key.point.bytes + 33, 31, &error), &error);
    assert_done(jwk_from_json(json, &key, &error), &error);
    json_object_set_new(json, "y", json_string(buffer_text(&cut)));
    assert_int_equal(jwk_from_json(json, &key, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void refuse_to_write(const struct jwk *key)
{
    struct error error = {0};
    json_t *json = NULL;
    char thumbprint[THUMBPRINT_SIZE] = "kept";
    uint8_t der[SPKI_MAX];
    size_t size = 5;
    assert_int_equal(jwk_to_json(key, &json, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(json);
    assert_int_equal(jwk_thumbprint(key, thumbprint, &error), -1);
    assert_string_equal(thumbprint, "kept");
    assert_int_equal(jwk_to_spki(key, der, &size, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(size, 5);
}

static void test_writing_refuses_what_is_no_key(void **state)
{
    (void)state;
    struct jwk rsa = key_of(RSA_JSON);
    struct jwk ec = key_of(EC_JSON);
    struct jwk bad = rsa;
    bad.modulus[rsa.modulus_size - 1] &= 0xfe; /* even */
    refuse_to_write(&bad);
    bad = rsa;
    bad.modulus[0] &= 0x7f; /* 2047 bits */
    refuse_to_write(&bad);
    bad = rsa;
    bad.modulus_size = RSA_MODULUS_MAX + 1;
    refuse_to_write(&bad);
    bad = rsa;
    bad.exponent_size = sizeof(bad.exponent) + 1;
    refuse_to_write(&bad);
    bad = ec;
    bad.point.bytes[40] ^= 1;
    refuse_to_write(&bad);
    bad = ec;
    bad.type = (enum jwk_type)2;
    refuse_to_write(&bad);
}

/* libcrypto reads it, and writes it again the same. */
static void check_spki(const struct jwk *key, size_t expected_size)
{
    struct error error = {0};
    uint8_t der[SPKI_MAX];
    size_t size = 0;
    assert_done(jwk_to_spki(key, der, &size, &error), &error);
    assert_int_equal(size, expected_size);
    const uint8_t *at = der;
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)size);
    assert_non_null(pkey);
    assert_ptr_equal(at, der + size);
    auto_of(EVP_PKEY_free) EVP_PKEY *ours = NULL;
    assert_done(jwk_to_pkey(key, &ours, &error), &error);
    assert_int_equal(EVP_PKEY_eq(pkey, ours), 1);
}

static void test_spki(void **state)
{
    (void)state;
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 } BIT STRING } */
    static const uint8_t prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    struct error error = {0};
    struct jwk ec = key_of(EC_JSON);
    struct jwk rsa = key_of(RSA_JSON);
    uint8_t der[SPKI_MAX];
    size_t size = 0;
    check_spki(&ec, 91);
    check_spki(&rsa, 294);
    assert_done(jwk_to_spki(&ec, der, &size, &error), &error);
    assert_memory_equal(der, prefix, sizeof(prefix));
    assert_memory_equal(der + sizeof(prefix), ec.point.bytes, EC_POINT_SIZE);
    /* The longest that jwk.h allows. */
    rsa.modulus_size = RSA_MODULUS_MAX;
    memset(rsa.modulus, 0xff, RSA_MODULUS_MAX);
    rsa.exponent_size = sizeof(rsa.exponent);
    memset(rsa.exponent, 0xff, sizeof(rsa.exponent));
    assert_done(jwk_to_spki(&rsa, der, &size, &error), &error);
    assert_in_range(size, 551, SPKI_MAX);
}

static void test_rfc7520_keys(void **state)
{
    (void)state;
    auto_json json_t *rsa_file =
        sample_vectors("rfc7520/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json");
    auto_json json_t *p384_file = sample_vectors(
        "rfc7520/5_4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_with_aes-gcm"
        ".json");
    auto_json json_t *p256_file =
        sample_vectors("rfc7520/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json");
    if (rsa_file == NULL || p384_file == NULL || p256_file == NULL)
        leave_out(NO_VECTORS);
    struct error error = {0};
    const json_t *rsa = json_object_get(json_object_get(rsa_file, "input"), "key");
    const json_t *p384 = json_object_get(json_object_get(p384_file, "encrypting_key"), "epk");
    const json_t *p256 = json_object_get(json_object_get(p256_file, "input"), "key");
    struct jwk key = sample_jwk(rsa);
    assert_int_equal(key.modulus_size, 512);
    check_spki(&key, 550);
    assert_int_equal(jwk_from_json(rsa, &key, &error), -1); /* has its private members */
    assert_int_equal(sample_jwk(p384).type, JWK_P384);
    /* The private key there belongs to the public one there. */
    struct jwk public = sample_jwk(p256);
    struct ec_point computed;
    auto_of(secret_free) struct secret *d = sample_base64_secret(json_text(p256, "d"));
    assert_done(ec_public(d, &computed, &error), &error);
    assert_memory_equal(computed.bytes, public.point.bytes, EC_POINT_SIZE);
}

static void test_private_key_to_text_and_back(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point public;
    struct ec_point expected;
    auto_of(secret_free) struct secret *d = sample_base64_secret(PRIVATE_D);
    auto_of(secret_free) struct secret *json = NULL;
    auto_of(secret_free) struct secret *read = NULL;
    assert_done(jwk_private_write(d, &json, &error), &error);
    assert_true(secret_equals(json, PRIVATE_JSON, strlen(PRIVATE_JSON)));
    assert_int_equal(secret_size(json), JWK_PRIVATE_SIZE);
    assert_done(jwk_private_read(json, &read, &public, &error), &error);
    assert_true(secret_equals(read, secret_data(d), EC_SCALAR_SIZE));
    assert_done(ec_public(d, &expected, &error), &error);
    assert_memory_equal(public.bytes, expected.bytes, EC_POINT_SIZE);
}

static void refuse_private(const char *text, size_t size)
{
    struct error error = {0};
    struct ec_point public = {{0xee}};
    auto_of(secret_free) struct secret *json = sample_secret(text, size);
    auto_of(secret_free) struct secret *read = NULL;
    if (jwk_private_read(json, &read, &public, &error) != -1)
        fail_msg("accepted: %.*s", (int)size, text);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(read);
    assert_int_equal(public.bytes[0], 0xee);
}

static void test_private_key_reading_is_strict(void **state)
{
    (void)state;
    static const char good[] = PRIVATE_JSON;
    char bad[sizeof(good) + 1];
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        refuse_private(good, i);
        memcpy(bad, good, sizeof(good));
        bad[i] = good[i] == 'A' ? 'B' : 'A';
        refuse_private(bad, sizeof(good) - 1);
    }
    snprintf(bad, sizeof(bad), "%s ", good);
    refuse_private(bad, sizeof(good));
    snprintf(bad, sizeof(bad), " %s", good);
    refuse_private(bad, sizeof(good));
}

static void test_private_key_out_of_range(void **state)
{
    (void)state;
    struct error error = {0};
    static const uint8_t zeros[EC_SCALAR_SIZE];
    auto_of(secret_free) struct secret *zero = sample_secret(zeros, sizeof(zeros));
    auto_of(secret_free) struct secret *json = NULL;
    assert_int_equal(jwk_private_write(zero, &json, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_keys),
        cmocka_unit_test(test_thumbprint_form),
        cmocka_unit_test(test_reading_is_strict),
        cmocka_unit_test(test_short_coordinate),
        cmocka_unit_test(test_writing_refuses_what_is_no_key),
        cmocka_unit_test(test_spki),
        cmocka_unit_test(test_rfc7520_keys),
        cmocka_unit_test(test_private_key_to_text_and_back),
        cmocka_unit_test(test_private_key_reading_is_strict),
        cmocka_unit_test(test_private_key_out_of_range),
    };
    return cmocka_run_group_tests_name("jwk", tests, NULL, NULL);
}
