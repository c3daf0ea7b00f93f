/*
 * ec.h: P-256 key pairs and agreement, and the key derivation of JOSE (RFC 7518 section 4.6) on top of it.
 *
 * App keys and records are of P-256.  P-384 is for cards whose keys are of that curve: something is agreed with such a
 * key, and nothing else is done here with the curve.
 */
#ifndef P11VAULT_SEAL_EC_H
#define P11VAULT_SEAL_EC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define EC_POINT_SIZE 65 /* 04 || x || y */
#define EC_SCALAR_SIZE 32
#define CEK_SIZE 32 /* an A256GCM key */

struct ec_point {
    uint8_t bytes[EC_POINT_SIZE];
};

#define P384_POINT_SIZE 97
#define P384_SHARED_SIZE 48

struct p384_point {
    uint8_t bytes[P384_POINT_SIZE];
};

/* CODE_STOP unless the point is uncompressed, on P-384 and not infinity. */
int p384_point_check(const struct p384_point *point, struct error *error);

/*
 * Agrees with a card's key by a fresh key pair whose private half is gone when this returns: its public half, and the
 * shared x coordinate (48 bytes), which the caller frees.
 */
int p384_agree(const struct p384_point *card, struct p384_point *ret_ephemeral,
               struct secret **ret_shared, struct error *error);

/* A fresh key pair: the private scalar as a 32-byte secret that the caller frees. */
int ec_generate(struct secret **ret_private, struct ec_point *ret_public, struct error *error);

/* The public point of a private scalar.  CODE_STOP when the scalar is not one of P-256. */
int ec_public(const struct secret *private_scalar, struct ec_point *ret_public,
              struct error *error);

/* CODE_STOP unless the point is uncompressed, on the curve and not infinity. */
int ec_point_check(const struct ec_point *point, struct error *error);

/* The shared x coordinate (32 bytes).  Checks the peer's point first.  The caller frees the secret. */
int ec_agree(const struct secret *private_scalar, const struct ec_point *peer,
             struct secret **ret_shared, struct error *error);

/*
 * Concat KDF with SHA-256, empty PartyUInfo and PartyVInfo, 256 bits out: `algorithm` is "A256GCM" for ECDH-ES in
 * direct mode and "ECDH-ES+A256KW" for the wrapping key.  `shared` is of either curve.  The caller frees the secret.
 */
int ec_concat_kdf(const struct secret *shared, const char *algorithm, struct secret **ret_key,
                  struct error *error);

#endif
