/*
 * test_p384.c: cards with keys of P-384: the agreement is the one that libcrypto makes from the other side, and an app
 * key record opens with it.
 */
#include <openssl/core_names.h>

#include "seal_samples.h"

/* A card's key in software. */
static EVP_PKEY *make_card(struct jwk *ret_key)
{
    EVP_PKEY *card = EVP_EC_gen("P-384");
    size_t size = 0;
    assert_non_null(card);
    *ret_key = (struct jwk){.type = JWK_P384};
    assert_int_equal(EVP_PKEY_get_octet_string_param(card, OSSL_PKEY_PARAM_PUB_KEY,
                                                     ret_key->point384.bytes, P384_POINT_SIZE,
                                                     &size),
                     1);
    assert_int_equal(size, P384_POINT_SIZE);
    return card;
}

/* What the card computes: the peer's point comes in the way that libcrypto itself encodes it. */
static void agree(EVP_PKEY *card, const struct p384_point *peer, struct secret **ret_shared)
{
    struct error error = {0};
    struct jwk key = {.type = JWK_P384, .point384 = *peer};
    EVP_PKEY *other = NULL;
    size_t size = P384_SHARED_SIZE;
    size_t room;
    assert_done(jwk_to_pkey(&key, &other, &error), &error);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, card, NULL);
    assert_done(secret_new(P384_SHARED_SIZE, ret_shared, &error), &error);
    assert_int_equal(EVP_PKEY_derive_init(context), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(context, other), 1);
    assert_int_equal(EVP_PKEY_derive(context, secret_room(*ret_shared, &room), &size), 1);
    secret_grow(*ret_shared, size);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
}

static void test_agreement(void **state)
{
    (void)state;
    struct error error = {0};
    struct jwk key;
    struct p384_point first, second;
    auto_of(secret_free) struct secret *here = NULL;
    auto_of(secret_free) struct secret *again = NULL;
    auto_of(secret_free) struct secret *there = NULL;
    EVP_PKEY *card = make_card(&key);
    assert_done(p384_agree(&key.point384, &first, &here, &error), &error);
    assert_done(p384_agree(&key.point384, &second, &again, &error), &error);
    agree(card, &first, &there);
    assert_int_equal(secret_size(here), P384_SHARED_SIZE);
    assert_true(secret_equals(here, secret_data(there), secret_size(there)));
    assert_false(secret_equals(again, secret_data(there), secret_size(there)));
    assert_memory_not_equal(first.bytes, second.bytes, P384_POINT_SIZE);
    EVP_PKEY_free(card);
}

static void test_points_that_are_none(void **state)
{
    (void)state;
    struct error error = {0};
    struct jwk key;
    EVP_PKEY *card = make_card(&key);
    struct p384_point bad = key.point384, ephemeral;
    struct secret *shared = NULL;
    assert_done(p384_point_check(&key.point384, &error), &error);
    for (size_t i = 0; i < P384_POINT_SIZE; i += 7) {
        bad = key.point384;
        bad.bytes[i] ^= 1;
        assert_int_equal(p384_point_check(&bad, &error), -1);
        assert_int_equal(error.code, CODE_STOP);
        assert_int_equal(p384_agree(&bad, &ephemeral, &shared, &error), -1);
        assert_null(shared);
    }
    memset(bad.bytes + 1, 0, P384_POINT_SIZE - 1);
    assert_int_equal(p384_point_check(&bad, &error), -1);
    memset(bad.bytes + 1, 0xff, P384_POINT_SIZE - 1);
    assert_int_equal(p384_point_check(&bad, &error), -1);
    EVP_PKEY_free(card);
}

static void test_jwk(void **state)
{
    (void)state;
    struct error error = {0};
    struct jwk key, read;
    uint8_t der[SPKI_MAX];
    size_t size = 0;
    char one[THUMBPRINT_SIZE], other[THUMBPRINT_SIZE];
    EVP_PKEY *card = make_card(&key);
    auto_json json_t *json = NULL;
    assert_done(jwk_to_json(&key, &json, &error), &error);
    assert_string_equal(json_text(json, "crv"), "P-384");
    read = sample_jwk(json);
    assert_int_equal(read.type, JWK_P384);
    assert_memory_equal(read.point384.bytes, key.point384.bytes, P384_POINT_SIZE);
    assert_done(jwk_thumbprint(&key, one, &error), &error);
    assert_done(jwk_thumbprint(&read, other, &error), &error);
    assert_string_equal(one, other);
    assert_done(jwk_to_spki(&key, der, &size, &error), &error);
    assert_int_equal(size, 120);
    /* A coordinate of the other curve's size. */
    json_object_set_new(json, "crv", json_string("P-256"));
    assert_int_equal(jwk_from_json(json, &read, &error), -1);
    EVP_PKEY_free(card);
}

static void test_app_key_record(void **state)
{
    (void)state;
    struct error error = {0};
    struct appkey_card card = {.alg = APPKEY_ECDH_A256KW};
    static struct appkey_record read;
    struct ec_point public, opened;
    auto_free char *record = NULL;
    auto_of(secret_free) struct secret *app = NULL;
    auto_of(secret_free) struct secret *again = NULL;
    auto_of(secret_free) struct secret *shared = NULL;
    auto_of(secret_free) struct secret *content_key = NULL;
    EVP_PKEY *private = make_card(&card.key);
    assert_done(ec_generate(&app, &public, &error), &error);
    assert_done(appkey_seal(app, &card, 1, &record, &error), &error);
    assert_non_null(strstr(record, "\"crv\":\"P-384\""));
    assert_done(appkey_read(record, &read, &error), &error);
    assert_int_equal(read.recipients[0].epk_type, JWK_P384);
    agree(private, &read.recipients[0].epk384, &shared);
    assert_done(appkey_unwrap_ecdh(&read.recipients[0], shared, &content_key, &error), &error);
    assert_done(appkey_open(record, content_key, &again, &opened, &error), &error);
    assert_memory_equal(opened.bytes, public.bytes, EC_POINT_SIZE);
    /* A shared secret of the other curve's size opens nothing. */
    secret_cut(shared, EC_SCALAR_SIZE);
    secret_free(TAKE(content_key));
    assert_int_equal(appkey_unwrap_ecdh(&read.recipients[0], shared, &content_key, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    card.alg = APPKEY_RSA_OAEP_256;
    struct error refused = {0};
    char *none = NULL;
    assert_int_equal(appkey_seal(app, &card, 1, &none, &refused), -1);
    assert_non_null(strstr(refused.text, "RSA-OAEP-256 does not fit"));
    EVP_PKEY_free(private);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_points_that_are_none),
        cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_app_key_record),
    };
    return cmocka_run_group_tests_name("P-384", tests, NULL, NULL);
}
