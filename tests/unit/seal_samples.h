/*
 * seal_samples.h: what the tests of the sealing module share: the published vectors, secrets
 * from text, and software keys that stand for cards.
 */
#ifndef TESTS_SEAL_SAMPLES_H
#define TESTS_SEAL_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "../../src/seal/internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"
#include "p11vault/seal/appkey.h"
#include "p11vault/seal/jwe.h"

#define SAMPLE_MAX 1024

static inline void assert_done(int result, const struct error *error)
{
    if (result != 0)
        fail_msg("%s", error->text);
}

/* Why their tests are left out where they are not there; `make check` counts that in its totals. */
#define NO_VECTORS                                                                                 \
    "the vectors of Wycheproof and RFC 7520 are not in ../shared/vectors, nor P11VAULT_VECTORS "   \
    "set"

/* NULL where the vectors are not there. */
static inline json_t *sample_vectors(const char *name)
{
    const char *directory = getenv("P11VAULT_VECTORS");
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", directory == NULL ? "../shared/vectors" : directory,
             name);
    if (access(path, R_OK) != 0)
        return NULL;
    struct error error = {0};
    auto_buffer struct buffer text = BUFFER_UP_TO((size_t)1 << 20);
    json_t *json = NULL;
    assert_done(buffer_read_file(path, (size_t)1 << 20, FILE_PLAIN, &text, &error), &error);
    assert_done(json_parse(buffer_text(&text), text.size, name, &json, &error), &error);
    return json;
}

static inline struct secret *sample_secret(const void *bytes, size_t size)
{
    struct error error = {0};
    struct secret *secret = NULL;
    assert_done(secret_new(size == 0 ? 1 : size, &secret, &error), &error);
    assert_done(secret_append(secret, bytes, size, &error), &error);
    return secret;
}

static inline struct secret *sample_text(const char *text)
{
    return sample_secret(text, strlen(text));
}

static inline size_t sample_hex(const char *hex, uint8_t bytes[SAMPLE_MAX])
{
    size_t size = strlen(hex) / 2;
    assert_true(size <= SAMPLE_MAX);
    assert_true(hex_decode(hex, bytes, size));
    return size;
}

static inline struct secret *sample_hex_secret(const char *hex)
{
    uint8_t bytes[SAMPLE_MAX];
    size_t size = sample_hex(hex, bytes);
    return sample_secret(bytes, size);
}

static inline size_t sample_base64(const char *text, size_t size, uint8_t bytes[SAMPLE_MAX])
{
    struct error error = {0};
    size_t decoded = 0;
    assert_done(base64url_decode(text, size, bytes, SAMPLE_MAX, &decoded, &error), &error);
    return decoded;
}

static inline struct secret *sample_base64_secret(const char *text)
{
    uint8_t bytes[SAMPLE_MAX];
    size_t size = sample_base64(text, strlen(text), bytes);
    return sample_secret(bytes, size);
}

/* A public JWK out of one that has more members. */
static inline struct jwk sample_jwk(const json_t *json)
{
    static const char *const names[] = {"crv", "kty", "x", "y", "e", "n"};
    struct error error = {0};
    auto_json json_t *public = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(json, names[i]) != NULL)
            json_object_set(public, names[i], json_object_get(json, names[i]));
    }
    struct jwk key;
    assert_done(jwk_from_json(public, &key, &error), &error);
    return key;
}

/* An RSA card in software. */
static inline EVP_PKEY *sample_rsa(size_t bits, struct jwk *ret_public)
{
    EVP_PKEY *pkey = EVP_RSA_gen((unsigned)bits);
    assert_non_null(pkey);
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    *ret_public = (struct jwk){.type = JWK_RSA, .exponent = {1, 0, 1}, .exponent_size = 3};
    ret_public->modulus_size = (size_t)BN_bn2bin(n, ret_public->modulus);
    BN_free(n);
    return pkey;
}

static inline void push_number(OSSL_PARAM_BLD *builder, const char *name, const uint8_t *bytes,
                               size_t size, BIGNUM **ret_number)
{
    *ret_number = BN_bin2bn(bytes, (int)size, NULL);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, name, *ret_number), 1);
}

/* The same from published numbers: modulus, public and private exponent. */
static inline EVP_PKEY *sample_rsa_from(const struct jwk *public, const uint8_t *d, size_t d_size)
{
    BIGNUM *numbers[3];
    EVP_PKEY *pkey = NULL;
    auto_of(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    push_number(builder, "n", public->modulus, public->modulus_size, &numbers[0]);
    push_number(builder, "e", public->exponent, public->exponent_size, &numbers[1]);
    push_number(builder, "d", d, d_size, &numbers[2]);
    auto_of(OSSL_PARAM_free) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, parameters), 1);
    for (size_t i = 0; i < 3; i++)
        BN_clear_free(numbers[i]);
    return pkey;
}

/* What an RSA card does; NULL when it refuses. */
static inline struct secret *sample_oaep_decrypt(EVP_PKEY *pkey, int sha256,
                                                 const uint8_t *ciphertext, size_t size)
{
    uint8_t plaintext[RSA_MODULUS_MAX];
    size_t plaintext_size = sizeof(plaintext);
    const EVP_MD *digest = sha256 ? EVP_sha256() : EVP_sha1();
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, digest), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest), 1);
    if (EVP_PKEY_decrypt(context, plaintext, &plaintext_size, ciphertext, size) != 1)
        return NULL;
    return sample_secret(plaintext, plaintext_size);
}

/* The parts of a compact JWE of others, as they stand. */
static inline void sample_split(const char *jwe, struct piece parts[5])
{
    for (size_t i = 0; i < 5; i++) {
        size_t size = strcspn(jwe, ".");
        parts[i] = (struct piece){jwe, size};
        jwe += size + (jwe[size] == '.');
    }
}

/* The protected header of a compact JWE, or NULL when it is no JSON. */
static inline json_t *sample_header(struct piece text)
{
    struct error error = {0};
    uint8_t bytes[SAMPLE_MAX];
    size_t size;
    json_t *json = NULL;
    if (base64url_decode(text.text, text.size, bytes, sizeof(bytes), &size, &error) < 0 ||
        json_parse((const char *)bytes, size, "header", &json, &error) < 0)
        return NULL;
    return json;
}

#endif
