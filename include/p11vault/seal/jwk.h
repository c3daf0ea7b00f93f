/*
 * jwk.h: public keys as JWK (RFC 7517) and their thumbprints (RFC 7638), for P-256, P-384 and RSA; and the private
 * JWK of an app key.
 */
#ifndef P11VAULT_SEAL_JWK_H
#define P11VAULT_SEAL_JWK_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/seal/ec.h"

#define THUMBPRINT_SIZE 44 /* base64url of SHA-256 and its NUL */
#define RSA_MODULUS_MAX 512

enum jwk_type { JWK_P256, JWK_P384, JWK_RSA };

struct jwk {
    enum jwk_type type;
    struct ec_point point;            /* P-256 */
    struct p384_point point384;       /* P-384: only cards have such keys */
    uint8_t modulus[RSA_MODULUS_MAX]; /* RSA, big endian, no leading zeros; 2048 to 4096 bits */
    size_t modulus_size;
    uint8_t exponent[8];
    size_t exponent_size;
};

/* The public JWK as a new JSON object with its required members only, in the order of RFC 7638.  Caller drops it. */
int jwk_to_json(const struct jwk *key, json_t **ret_json, struct error *error);

/* Strict: exactly the required members, canonical base64url, a point on the curve, modulus and exponent in range. */
int jwk_from_json(const json_t *json, struct jwk *ret_key, struct error *error);

/* RFC 7638, SHA-256, base64url. */
int jwk_thumbprint(const struct jwk *key, char ret_thumbprint[THUMBPRINT_SIZE],
                   struct error *error);

/* SubjectPublicKeyInfo (RFC 5280), DER, at most 600 bytes, into `ret_der`. */
#define SPKI_MAX 600
int jwk_to_spki(const struct jwk *key, uint8_t ret_der[SPKI_MAX], size_t *ret_size,
                struct error *error);

/* The private JWK of a P-256 scalar (crv, d, kty, x, y) as canonical JSON in a secret, and back. */
int jwk_private_write(const struct secret *private_scalar, struct secret **ret_json,
                      struct error *error);
int jwk_private_read(const struct secret *json, struct secret **ret_private_scalar,
                     struct ec_point *ret_public, struct error *error);

#endif
