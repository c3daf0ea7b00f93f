/*
 * internal.h: what the files of this module share: clean-up of libcrypto's objects, the two
 * symmetric steps (A256GCM and AES key wrap), keys as libcrypto wants them, and how a failure
 * becomes an error.
 */
#ifndef SEAL_INTERNAL_H
#define SEAL_INTERNAL_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/seal/ec.h"
#include "p11vault/seal/jwk.h"

DEFINE_CLEANUP(BIGNUM, BN_clear_free);
DEFINE_CLEANUP(BN_CTX, BN_CTX_free);
DEFINE_CLEANUP(EC_POINT, EC_POINT_free);
DEFINE_CLEANUP(EC_POINT, EC_POINT_clear_free);
DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);
DEFINE_CLEANUP(EVP_KDF, EVP_KDF_free);
DEFINE_CLEANUP(EVP_KDF_CTX, EVP_KDF_CTX_free);
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
DEFINE_CLEANUP(OSSL_PARAM, OSSL_PARAM_free);
DEFINE_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);

/*
 * A call of libcrypto failed.  Its queue of errors is emptied: the TLS connection of the same
 * process would otherwise take our error for its own.
 */
static inline int crypto_fail(struct error *error, enum code code, const char *text)
{
    ERR_clear_error();
    return error_set(error, code, "%s", text);
}

/*
 * Everything that can be wrong with a record becomes the one error `text`, so that nobody
 * learns from it which check failed.  What this machine lacks (memory, the right to lock it) is
 * said as it is.
 */
static inline int seal_refuse(struct error *error, const char *text)
{
    if (error->code == CODE_FAULT || error->code == CODE_CONFIG)
        return -1;
    return error_set(error, CODE_LOG, "%s", text);
}

/* A stretch of a text that is not ours. */
struct piece {
    const char *text;
    size_t size;
};

/* jwk.c */

/* The public key for libcrypto.  CODE_STOP when it is not one that jwk.h allows. */
int jwk_to_pkey(const struct jwk *key, EVP_PKEY **ret_pkey, struct error *error);

/* True for the 43 characters of a thumbprint. */
bool jwk_thumbprint_valid(const char *text, size_t size);

/* ec.c */

/* An uncompressed point of the curve as a key of libcrypto.  CODE_STOP: it is none. */
int point_to_pkey(const char *curve_name, const uint8_t *point, size_t size, EVP_PKEY **ret_pkey,
                  struct error *error);
int ec_to_pkey(const struct ec_point *point, EVP_PKEY **ret_pkey, struct error *error);

/* p384.c */

int p384_to_pkey(const struct p384_point *point, EVP_PKEY **ret_pkey, struct error *error);

/* jwk_private.c */

/* Every private JWK of ours has this many characters. */
#define JWK_PRIVATE_SIZE 176

/* content.c: A256GCM */

#define CONTENT_IV_SIZE 12
#define CONTENT_TAG_SIZE 16

/* Zero-initialise; content_clear() frees. */
struct content {
    uint8_t iv[CONTENT_IV_SIZE];
    uint8_t tag[CONTENT_TAG_SIZE];
    uint8_t *ciphertext;
    size_t size;
};

void content_clear(struct content *content);
#define auto_content __attribute__((cleanup(content_clear)))

/* `aad` is the protected header as it stands in the record.  CODE_STOP for an empty payload. */
int content_seal(const struct secret *key, struct piece aad, const struct secret *payload,
                 struct content *ret_content, struct error *error);

/* CODE_STOP when key or tag are not right. */
int content_open(const struct secret *key, struct piece aad, const struct content *content,
                 struct secret **ret_payload, struct error *error);

/* The three parts from base64url; a ciphertext of 1 to `maximum` bytes.  CODE_STOP otherwise. */
int content_decode(struct piece iv, struct piece ciphertext, struct piece tag, size_t maximum,
                   struct content *ret_content, struct error *error);

/* keywrap.c: AES-256 key wrap (RFC 3394) of one content key */

#define KEYWRAP_SIZE (CEK_SIZE + 8)

int keywrap_wrap(const struct secret *wrapping_key, const struct secret *content_key,
                 uint8_t ret_wrapped[KEYWRAP_SIZE], struct error *error);

/* CODE_STOP when the wrapping key is not the right one or the wrapped key was changed. */
int keywrap_unwrap(const struct secret *wrapping_key, const uint8_t *wrapped, size_t size,
                   struct secret **ret_content_key, struct error *error);

#endif
