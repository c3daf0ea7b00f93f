/*
 * appkey.h: the app key record: the private app key as JWE general JSON (RFC 7516 section 7.2.1), one recipient per
 * card, A256GCM, cty "jwk+json".
 *
 *     protected   {"cty":"jwk+json","enc":"A256GCM"}
 *     recipient   EC card   {"alg":"ECDH-ES+A256KW","epk":{...},"kid":...}
 *                 RSA card  {"alg":"RSA-OAEP-256" or "RSA-OAEP","kid":...}
 *
 * kid is the thumbprint of the card's unwrapping key; names in the protected and the recipient headers are disjoint.
 * Opening takes the content key that the card unwrapped.  Afterwards the caller must compare the thumbprint of the
 * opened key with the app's log entry: A256GCM does not commit to its key.
 */
#ifndef P11VAULT_SEAL_APPKEY_H
#define P11VAULT_SEAL_APPKEY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/seal/jwk.h"

#define APPKEY_RECIPIENTS_MAX 16
#define APPKEY_MAX ((size_t)32 * 1024)

enum appkey_alg { APPKEY_ECDH_A256KW, APPKEY_RSA_OAEP_256, APPKEY_RSA_OAEP };

/* "ECDH-ES+A256KW", "RSA-OAEP-256", "RSA-OAEP"; appkey_alg_from() returns -1 for anything else. */
const char *appkey_alg_name(enum appkey_alg alg);
int appkey_alg_from(const char *name, enum appkey_alg *ret_alg);

/* A card as a recipient.  RSA-OAEP and RSA-OAEP-256 take RSA keys, ECDH-ES+A256KW a key of P-256 or P-384. */
struct appkey_card {
    struct jwk key;
    enum appkey_alg alg;
};

/*
 * Reads one from the members "jwk", "alg" and "kid" of what is said of a card; *ret_kid (may be NULL) is its thumbprint.  CODE_STOP when
 * one of them is missing or malformed, or they do not belong together.
 */
int appkey_card_read(const json_t *said, struct appkey_card *ret_card,
                     char ret_kid[THUMBPRINT_SIZE], struct error *error);

/* One recipient as read: what the card must do. */
struct appkey_recipient {
    enum appkey_alg alg;
    char kid[THUMBPRINT_SIZE];
    enum jwk_type epk_type; /* ECDH-ES+A256KW: the curve of the card's key, and */
    struct ec_point epk;    /* ... what to agree with */
    struct p384_point epk384;
    uint8_t encrypted_key[RSA_MODULUS_MAX]; /* RSA: modulus size; EC: 40 bytes of RFC 3394 */
    size_t encrypted_key_size;
};

struct appkey_record {
    struct appkey_recipient recipients[APPKEY_RECIPIENTS_MAX];
    size_t count;
};

/* Seals a private app key to 1 to APPKEY_RECIPIENTS_MAX cards.  The caller frees the JSON text. */
int appkey_seal(const struct secret *app_private, const struct appkey_card *cards, size_t count,
                char **ret_record, struct error *error);

/* Reads the recipients, strictly.  CODE_LOG when the record is damaged. */
int appkey_read(const char *record, struct appkey_record *ret_record, struct error *error);

/* EC recipients: the content key, from what ECDH on the card gave. */
int appkey_unwrap_ecdh(const struct appkey_recipient *recipient, const struct secret *shared,
                       struct secret **ret_content_key, struct error *error);

/* Opens with the content key (32 bytes): the private scalar and its public point.  CODE_LOG, one error for all. */
int appkey_open(const char *record, const struct secret *content_key,
                struct secret **ret_app_private, struct ec_point *ret_public, struct error *error);

/* RSA-OAEP encryption to a public key, also used to prove a card's key at enrolment. */
int rsa_oaep_encrypt(const struct jwk *key, int sha256, const struct secret *plaintext,
                     uint8_t ret_ciphertext[RSA_MODULUS_MAX], size_t *ret_size,
                     struct error *error);

#endif
