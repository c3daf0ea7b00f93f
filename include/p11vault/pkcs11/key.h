/*
 * key.h: the two keys of ours on a card, the one that unwraps and the one that signs, and what they do.
 *
 * Keys are found by what they are: a key is identified by its public half, never by label or handle alone.
 */
#ifndef P11VAULT_PKCS11_KEY_H
#define P11VAULT_PKCS11_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/pkcs11/card.h"

enum key_type { KEY_EC_P256, KEY_EC_P384, KEY_RSA };

#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX 4096

#define KEY_POINT_MAX 97
#define KEY_SIGNATURE_MAX 512

static inline size_t key_point_size(enum key_type type)
{
    return type == KEY_EC_P384 ? 97 : 65;
}

/* The public half. */
struct public_key {
    enum key_type type;
    uint8_t point[KEY_POINT_MAX]; /* EC: 04 || x || y, key_point_size() bytes */
    uint8_t modulus[512];         /* RSA: big endian without leading zeros */
    size_t modulus_size;
    uint8_t exponent[8];
    size_t exponent_size;
};

/* A private key on the card, valid while the card's session is. */
struct card_key {
    unsigned long handle; /* CK_OBJECT_HANDLE */
    uint8_t id[CARD_ID_MAX];
    size_t id_size;
    char label[CARD_FIELD_MAX];
    bool can_decrypt, can_unwrap, can_derive, can_sign;
    bool asks_each_time; /* CKA_ALWAYS_AUTHENTICATE: the card wants the PIN for each use of it */
    bool extractable;
    bool needs_no_pin; /* not CKA_PRIVATE: whoever holds the card can use it */
    struct public_key public;
};

/*
 * Calls `each` for every private key on the card whose public half can be read (from the private key object, or from
 * a public key object with the same CKA_ID); others are counted in *ret_unreadable.  Stops when `each` returns
 * non-zero and returns that.  The card must be logged in.
 */
int card_each_key(struct card *card, int (*each)(void *context, const struct card_key *),
                  void *context, size_t *ret_unreadable, struct error *error);

enum key_use { KEY_UNWRAPS, KEY_SIGNS };

/*
 * Finds the one key that a URI names, for one use.  CODE_CONFIG when there is none (the error lists
 * the keys that are there), when there are several, when it is extractable or needs no PIN; for
 * unwrapping when it can neither decrypt nor unwrap (RSA) or not derive (EC), when it asks for the
 * PIN each time and is not an RSA key that decrypts; for signing when it may not sign.
 */
int card_find_key(struct card *card, const struct card_uri *uri, enum key_use use,
                  struct card_key *ret_key, struct error *error);

/*
 * Of an error without a hint, because the card makes no key or the one that was named will not do:
 * adds the keys that are there and would do, `but` not among them (or NULL), and how to name one.
 * Always returns -1.
 */
int card_offer_keys(struct card *card, enum key_use use, const struct card_key *but,
                    struct error *error);

/* Makes a key pair on the card: sensitive, not extractable, on the token, for this one use. */
int card_make_key(struct card *card, enum key_type type, unsigned rsa_bits, enum key_use use,
                  const char *label, struct card_key *ret_key, struct error *error);

/* The best type the card can make for this use: EC P-256 where it can both make and use it, else P-384, else RSA. */
int card_best_key_type(struct card *card, enum key_use use, enum key_type *ret_type,
                       struct error *error);

/*
 * RSA-OAEP with SHA-1 or SHA-256 (MGF1 with the same hash, empty label).  C_Decrypt, into a secret of the modulus' size;
 * for a key that may unwrap and not decrypt, C_UnwrapKey to a session key of 32 bytes, which is read and destroyed.
 */
enum oaep_hash { OAEP_SHA1, OAEP_SHA256 };
int card_decrypt(struct card *card, const struct card_key *key, enum oaep_hash hash,
                 const uint8_t *ciphertext, size_t size, struct secret **ret_plaintext,
                 struct error *error);

/*
 * ECDH with a peer's point of the key's curve: the shared x coordinate, 32 or 48 bytes.  The session key made is
 * destroyed.
 */
int card_agree(struct card *card, const struct card_key *key, const uint8_t *peer,
               struct secret **ret_shared, struct error *error);

/* RSA: PKCS#1 v1.5, or PSS with MGF1 and 32 bytes of salt; SHA-256 either way.  EC: of no matter. */
enum key_padding { KEY_PKCS1, KEY_PSS };

/* Signs a message: ECDSA over SHA-256 with either curve, as ASN.1 DER (Ecdsa-Sig-Value); RSA with the padding. */
int card_sign(struct card *card, const struct card_key *key, enum key_padding padding,
              const void *message, size_t size, uint8_t ret_signature[KEY_SIGNATURE_MAX],
              size_t *ret_size, struct error *error);

/*
 * Which padding this key signs with, by one signature over a text that stands for nothing: PKCS#1 v1.5, or PSS where the card does not begin
 * that with this key.  For EC nothing is signed.  CODE_CARD when it does neither.
 */
int card_find_padding(struct card *card, const struct card_key *key, enum key_padding *ret_padding,
                      struct error *error);

#endif
