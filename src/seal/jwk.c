/*
 * jwk.c: public keys as JWK, as thumbprint, as SubjectPublicKeyInfo and as libcrypto's own
 * object.  The rules for what is a key at all stand once, in check_key(), for keys read from
 * JSON and keys read from a card alike.
 */
#include "p11vault/seal/jwk.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"

#define COORDINATE_SIZE 32
#define P384_COORDINATE_SIZE 48
#define RSA_MODULUS_MIN 256
#define EXPONENT_MIN 65537 /* FIPS 186-5, A.1.1 */

/* Odd, no leading zeros, exactly 8 * size bits for the modulus sizes that we take. */
static bool modulus_valid(const struct jwk *key)
{
    size_t size = key->modulus_size;
    return size >= RSA_MODULUS_MIN && size <= RSA_MODULUS_MAX && key->modulus[0] >= 0x80 &&
           (key->modulus[size - 1] & 1) == 1;
}

static bool exponent_valid(const struct jwk *key)
{
    size_t size = key->exponent_size;
    if (size == 0 || size > sizeof(key->exponent) || key->exponent[0] == 0)
        return false;
    uint64_t exponent = 0;
    for (size_t i = 0; i < size; i++)
        exponent = exponent << 8 | key->exponent[i];
    return exponent >= EXPONENT_MIN && (exponent & 1) == 1;
}

static int check_key(const struct jwk *key, struct error *error)
{
    if (key->type == JWK_P256)
        return ec_point_check(&key->point, error);
    if (key->type == JWK_P384)
        return p384_point_check(&key->point384, error);
    if (key->type != JWK_RSA)
        return error_set(error, CODE_STOP, "neither an RSA key nor one of P-256 or P-384");
    if (!modulus_valid(key))
        return error_set(error, CODE_STOP, "not an RSA modulus of 2048 to 4096 bits");
    if (!exponent_valid(key))
        return error_set(error, CODE_STOP, "not an RSA exponent: odd, %d or more", EXPONENT_MIN);
    return 0;
}

static int put_text(json_t *object, const char *name, const char *text, struct error *error)
{
    return json_object_set_new(object, name, json_string(text)) < 0 ? error_memory(error) : 0;
}

static int put_bytes(json_t *object, const char *name, const uint8_t *bytes, size_t size,
                     struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(BASE64URL_SIZE((size_t)RSA_MODULUS_MAX));
    if (base64url_put(&text, bytes, size, error) < 0)
        return -1;
    return put_text(object, name, buffer_text(&text), error);
}

static int put_ec(json_t *object, const char *curve, const uint8_t *point, size_t size,
                  struct error *error)
{
    if (put_text(object, "crv", curve, error) < 0 || put_text(object, "kty", "EC", error) < 0 ||
        put_bytes(object, "x", point + 1, size, error) < 0)
        return -1;
    return put_bytes(object, "y", point + 1 + size, size, error);
}

static int put_rsa(json_t *object, const struct jwk *key, struct error *error)
{
    if (put_bytes(object, "e", key->exponent, key->exponent_size, error) < 0 ||
        put_text(object, "kty", "RSA", error) < 0)
        return -1;
    return put_bytes(object, "n", key->modulus, key->modulus_size, error);
}

static int put_key(json_t *object, const struct jwk *key, struct error *error)
{
    if (key->type == JWK_P256)
        return put_ec(object, "P-256", key->point.bytes, COORDINATE_SIZE, error);
    if (key->type == JWK_P384)
        return put_ec(object, "P-384", key->point384.bytes, P384_COORDINATE_SIZE, error);
    return put_rsa(object, key, error);
}

int jwk_to_json(const struct jwk *key, json_t **ret_json, struct error *error)
{
    if (check_key(key, error) < 0)
        return -1;
    auto_json json_t *object = json_object();
    if (object == NULL)
        return error_memory(error);
    if (put_key(object, key, error) < 0)
        return -1;
    *ret_json = TAKE(object);
    return 0;
}

/* A member as bytes; CODE_STOP when it is missing, not canonical or too long. */
static int get_bytes(const json_t *object, const char *name, uint8_t *ret_bytes, size_t room,
                     size_t *ret_size, struct error *error)
{
    const json_t *member = json_object_get(object, name);
    if (!json_is_string(member))
        return error_set(error, CODE_STOP, "member '%s' of a key is missing", name);
    if (base64url_decode(json_string_value(member), json_string_length(member), ret_bytes, room,
                         ret_size, error) < 0)
        return error_prefix(error, "member '%s' of a key", name);
    return 0;
}

static int get_coordinate(const json_t *object, const char *name, uint8_t *ret_bytes, size_t wanted,
                          struct error *error)
{
    size_t size = 0;
    if (get_bytes(object, name, ret_bytes, wanted, &size, error) < 0)
        return -1;
    if (size != wanted)
        return error_set(error, CODE_STOP, "member '%s' of a key must have %zu bytes", name,
                         wanted);
    return 0;
}

static int get_ec(const json_t *object, struct jwk *key, struct error *error)
{
    static const char *const members[] = {"crv", "kty", "x", "y", NULL};
    const char *curve = json_text(object, "crv");
    bool is_p384 = curve != NULL && strcmp(curve, "P-384") == 0;
    if (!json_only(object, members) || curve == NULL || (!is_p384 && strcmp(curve, "P-256") != 0))
        return error_set(error, CODE_STOP, "not a public key of P-256 or P-384 and nothing else");
    uint8_t *point = is_p384 ? key->point384.bytes : key->point.bytes;
    size_t size = is_p384 ? P384_COORDINATE_SIZE : COORDINATE_SIZE;
    key->type = is_p384 ? JWK_P384 : JWK_P256;
    point[0] = 0x04;
    if (get_coordinate(object, "x", point + 1, size, error) < 0)
        return -1;
    return get_coordinate(object, "y", point + 1 + size, size, error);
}

static int get_rsa(const json_t *object, struct jwk *key, struct error *error)
{
    static const char *const members[] = {"e", "kty", "n", NULL};
    if (!json_only(object, members))
        return error_set(error, CODE_STOP, "not a public RSA key and nothing else");
    key->type = JWK_RSA;
    if (get_bytes(object, "e", key->exponent, sizeof(key->exponent), &key->exponent_size, error) <
        0)
        return -1;
    return get_bytes(object, "n", key->modulus, sizeof(key->modulus), &key->modulus_size, error);
}

int jwk_from_json(const json_t *json, struct jwk *ret_key, struct error *error)
{
    const char *type = json_text(json, "kty");
    struct jwk key = {0};
    if (type == NULL || (strcmp(type, "EC") != 0 && strcmp(type, "RSA") != 0))
        return error_set(error, CODE_STOP, "neither an RSA key nor one of P-256 or P-384");
    if (type[0] == 'E' ? get_ec(json, &key, error) < 0 : get_rsa(json, &key, error) < 0)
        return -1;
    if (check_key(&key, error) < 0)
        return -1;
    *ret_key = key;
    return 0;
}

int jwk_thumbprint(const struct jwk *key, char ret_thumbprint[THUMBPRINT_SIZE], struct error *error)
{
    auto_json json_t *json = NULL;
    if (jwk_to_json(key, &json, error) < 0)
        return -1;
    auto_free char *text = NULL;
    if (json_canonical(json, &text, error) < 0)
        return -1;
    struct digest digest = digest_of(text, strlen(text));
    auto_buffer struct buffer thumbprint = BUFFER_UP_TO(THUMBPRINT_SIZE - 1);
    if (base64url_put(&thumbprint, digest.bytes, DIGEST_SIZE, error) < 0)
        return -1;
    memcpy(ret_thumbprint, buffer_text(&thumbprint), THUMBPRINT_SIZE);
    return 0;
}

bool jwk_thumbprint_valid(const char *text, size_t size)
{
    struct error ignored;
    uint8_t bytes[DIGEST_SIZE];
    return size == THUMBPRINT_SIZE - 1 &&
           base64url_decode(text, size, bytes, sizeof(bytes), &size, &ignored) == 0;
}

static EVP_PKEY *make_rsa(const struct jwk *key)
{
    auto_of(BN_clear_free) BIGNUM *n = BN_bin2bn(key->modulus, (int)key->modulus_size, NULL);
    auto_of(BN_clear_free) BIGNUM *e = BN_bin2bn(key->exponent, (int)key->exponent_size, NULL);
    auto_of(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (n == NULL || e == NULL || builder == NULL || context == NULL ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    auto_of(OSSL_PARAM_free) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *pkey = NULL;
    if (parameters == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        return NULL;
    return pkey;
}

int jwk_to_pkey(const struct jwk *key, EVP_PKEY **ret_pkey, struct error *error)
{
    if (key->type == JWK_P256)
        return ec_to_pkey(&key->point, ret_pkey, error);
    if (key->type == JWK_P384)
        return p384_to_pkey(&key->point384, ret_pkey, error);
    if (check_key(key, error) < 0)
        return -1;
    EVP_PKEY *pkey = make_rsa(key);
    if (pkey == NULL)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot hold an RSA key");
    *ret_pkey = pkey;
    return 0;
}

int jwk_to_spki(const struct jwk *key, uint8_t ret_der[SPKI_MAX], size_t *ret_size,
                struct error *error)
{
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    if (jwk_to_pkey(key, &pkey, error) < 0)
        return -1;
    int size = i2d_PUBKEY(pkey, NULL);
    if (size <= 0 || size > SPKI_MAX)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot write a public key");
    uint8_t *end = ret_der;
    if (i2d_PUBKEY(pkey, &end) != size)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot write a public key");
    *ret_size = (size_t)size;
    return 0;
}
