/*
 * ec.c: P-256 with libcrypto.  Private scalars stay in struct secret; libcrypto gets them as
 * big numbers from its secure allocator, which wipes them when they are freed.
 */
#include "p11vault/seal/ec.h"

#include <openssl/core_names.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"

#define UNCOMPRESSED 0x04
#define GENERATE_TRIES 8 /* one try in 2^32 fails */
#define ALGORITHM_MAX 32

/* The order of the group (SEC 2, secp256r1). */
static const uint8_t order[EC_SCALAR_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

/* True for 1 to order - 1, found by a subtraction that takes the same steps for every scalar. */
static bool scalar_valid(const struct secret *scalar)
{
    if (secret_size(scalar) != EC_SCALAR_SIZE)
        return false;
    const uint8_t *bytes = secret_data(scalar);
    unsigned borrow = 0;
    unsigned any = 0;
    for (size_t i = EC_SCALAR_SIZE; i-- > 0;) {
        unsigned difference = (unsigned)bytes[i] - order[i] - borrow;
        borrow = difference >> 31;
        any |= bytes[i];
    }
    return borrow == 1 && any != 0;
}

static int scalar_to_number(const struct secret *scalar, BIGNUM **ret_number, struct error *error)
{
    if (!scalar_valid(scalar))
        return error_set(error, CODE_STOP, "not a private key of P-256");
    auto_of(BN_clear_free) BIGNUM *number = BN_secure_new();
    if (number == NULL || BN_bin2bn(secret_data(scalar), EC_SCALAR_SIZE, number) == NULL)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot hold a private key");
    BN_set_flags(number, BN_FLG_CONSTTIME);
    *ret_number = TAKE(number);
    return 0;
}

/*
 * The curve, made once: making it costs more than what is computed on it.  A key object of libcrypto costs as much again,
 * so one is made only where libcrypto verifies a signature with it.
 */
static const EC_GROUP *curve(void)
{
    static EC_GROUP *group;
    if (group == NULL)
        group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    return group;
}

/* libcrypto would read a compressed point as well, from fewer bytes than these.  NULL: not on the curve. */
static EC_POINT *read_point(const struct ec_point *point)
{
    auto_of(EC_POINT_free) EC_POINT *read = curve() == NULL ? NULL : EC_POINT_new(curve());
    if (read == NULL || point->bytes[0] != UNCOMPRESSED ||
        EC_POINT_oct2point(curve(), read, point->bytes, EC_POINT_SIZE, NULL) != 1)
        return NULL;
    return TAKE(read);
}

int ec_point_check(const struct ec_point *point, struct error *error)
{
    auto_of(EC_POINT_free) EC_POINT *read = read_point(point);
    return read == NULL ? crypto_fail(error, CODE_STOP, "not a point of P-256") : 0;
}

int point_to_pkey(const char *curve_name, const uint8_t *point, size_t size, EVP_PKEY **ret_pkey,
                  struct error *error)
{
    char group[16];
    (void)snprintf(group, sizeof(group), "%s", curve_name);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, size),
        OSSL_PARAM_construct_end(),
    };
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pkey = NULL;
    /* libcrypto would read a compressed point as well, from fewer bytes than these. */
    if (point[0] != UNCOMPRESSED || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        ERR_clear_error();
        return error_set(error, CODE_STOP, "not a point of %s", curve_name);
    }
    *ret_pkey = pkey;
    return 0;
}

int ec_to_pkey(const struct ec_point *point, EVP_PKEY **ret_pkey, struct error *error)
{
    return point_to_pkey("P-256", point->bytes, EC_POINT_SIZE, ret_pkey, error);
}

int ec_public(const struct secret *private_scalar, struct ec_point *ret_public, struct error *error)
{
    auto_of(BN_clear_free) BIGNUM *number = NULL;
    if (scalar_to_number(private_scalar, &number, error) < 0)
        return -1;
    auto_of(EC_POINT_free) EC_POINT *point = curve() == NULL ? NULL : EC_POINT_new(curve());
    struct ec_point public;
    if (point == NULL || EC_POINT_mul(curve(), point, number, NULL, NULL, NULL) != 1 ||
        EC_POINT_point2oct(curve(), point, POINT_CONVERSION_UNCOMPRESSED, public.bytes,
                           EC_POINT_SIZE, NULL) != EC_POINT_SIZE)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot compute a public key");
    *ret_public = public;
    return 0;
}

int ec_generate(struct secret **ret_private, struct ec_point *ret_public, struct error *error)
{
    auto_of(secret_free) struct secret *scalar = NULL;
    if (secret_new(EC_SCALAR_SIZE, &scalar, error) < 0)
        return -1;
    /* Candidates are drawn until one is in range (FIPS 186-5, A.2.2): no bias, no copy. */
    for (int tries = 0; tries < GENERATE_TRIES && !scalar_valid(scalar); tries++) {
        size_t room;
        secret_clear(scalar);
        if (random_bytes(secret_room(scalar, &room), EC_SCALAR_SIZE, error) < 0)
            return error_prefix(error, "make a key pair");
        secret_grow(scalar, EC_SCALAR_SIZE);
    }
    if (!scalar_valid(scalar))
        return error_set(error, CODE_FAULT, "make a key pair: the random numbers are not random");
    if (ec_public(scalar, ret_public, error) < 0)
        return error_prefix(error, "make a key pair");
    *ret_private = TAKE(scalar);
    return 0;
}

/* Exactly the x coordinate, written where it stays; numbers in between come from the allocator that wipes. */
static int multiply(const EC_POINT *peer, const BIGNUM *scalar, struct secret *shared,
                    struct error *error)
{
    size_t room;
    uint8_t *bytes = secret_room(shared, &room);
    auto_of(BN_CTX_free) BN_CTX *numbers = BN_CTX_secure_new();
    auto_of(BN_clear_free) BIGNUM *x = BN_secure_new();
    auto_of(EC_POINT_clear_free) EC_POINT *product = EC_POINT_new(curve());
    if (numbers == NULL || x == NULL || product == NULL ||
        EC_POINT_mul(curve(), product, NULL, peer, scalar, numbers) != 1 ||
        EC_POINT_get_affine_coordinates(curve(), product, x, NULL, numbers) != 1 ||
        BN_bn2binpad(x, bytes, EC_SCALAR_SIZE) != EC_SCALAR_SIZE)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot agree on a secret");
    secret_grow(shared, EC_SCALAR_SIZE);
    return 0;
}

int ec_agree(const struct secret *private_scalar, const struct ec_point *peer,
             struct secret **ret_shared, struct error *error)
{
    auto_of(BN_clear_free) BIGNUM *number = NULL;
    auto_of(secret_free) struct secret *shared = NULL;
    auto_of(EC_POINT_free) EC_POINT *point = read_point(peer);
    if (point == NULL)
        return crypto_fail(error, CODE_STOP, "not a point of P-256");
    if (scalar_to_number(private_scalar, &number, error) < 0 ||
        secret_new(EC_SCALAR_SIZE, &shared, error) < 0 ||
        multiply(point, number, shared, error) < 0)
        return -1;
    *ret_shared = TAKE(shared);
    return 0;
}

static uint8_t *put_number(uint8_t *at, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

/*
 * libcrypto's single-step KDF hashes counter, secret and these bytes: together the Concat KDF
 * of RFC 7518.
 */
static int derive_key(const struct secret *shared, uint8_t *info, size_t info_size,
                      struct secret *key, struct error *error)
{
    char digest[] = "SHA256";
    void *secret = (void *)(uintptr_t)secret_data(shared);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, secret_size(shared)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, info_size),
        OSSL_PARAM_construct_end(),
    };
    auto_of(EVP_KDF_free) EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_SSKDF, NULL);
    auto_of(EVP_KDF_CTX_free) EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    size_t room;
    if (context == NULL ||
        EVP_KDF_derive(context, secret_room(key, &room), CEK_SIZE, parameters) != 1)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot derive a key");
    secret_grow(key, CEK_SIZE);
    return 0;
}

int ec_concat_kdf(const struct secret *shared, const char *algorithm, struct secret **ret_key,
                  struct error *error)
{
    size_t name_size = strlen(algorithm);
    if (name_size > ALGORITHM_MAX)
        return error_set(error, CODE_FAULT, "the name of an algorithm is too long");
    if (secret_size(shared) != EC_SCALAR_SIZE && secret_size(shared) != P384_SHARED_SIZE)
        return error_set(error, CODE_STOP, "not a shared secret of P-256 or P-384");
    uint8_t info[ALGORITHM_MAX + 4 * sizeof(uint32_t)];
    uint8_t *at = put_number(info, (uint32_t)name_size);
    memcpy(at, algorithm, name_size);
    at = put_number(at + name_size, 0); /* PartyUInfo */
    at = put_number(at, 0);             /* PartyVInfo */
    at = put_number(at, CEK_SIZE * 8);
    auto_of(secret_free) struct secret *key = NULL;
    if (secret_new(CEK_SIZE, &key, error) < 0 ||
        derive_key(shared, info, (size_t)(at - info), key, error) < 0)
        return -1;
    *ret_key = TAKE(key);
    return 0;
}
