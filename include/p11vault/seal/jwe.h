/*
 * jwe.h: one record as JWE compact serialisation (RFC 7516): ECDH-ES direct to the app key, A256GCM.
 *
 *     protected header   {"alg":"ECDH-ES","enc":"A256GCM","epk":{...},"kid":"<thumbprint of the app key>"}
 *     encrypted key      empty
 *     IV, ciphertext, tag
 *
 * The content key is ConcatKDF(ECDH(app key, epk)).  Whoever holds the private app key can derive it from the header
 * alone, so the card room can hand over one content key without handing over the app key.
 * Reading is strict: exactly these header members, exactly these algorithms, canonical base64url, caps on every size.
 */
#ifndef P11VAULT_SEAL_JWE_H
#define P11VAULT_SEAL_JWE_H

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/seal/ec.h"
#include "p11vault/seal/jwk.h"

#define JWE_MAX ((size_t)40 * 1024) /* characters of a compact JWE */

struct jwe_header {
    struct ec_point epk;
    char kid[THUMBPRINT_SIZE];
};

/* Seals under a content key that belongs to `epk`.  The caller frees the text. */
int jwe_seal(const struct jwe_header *header, const struct secret *content_key,
             const struct secret *payload, char **ret_jwe, struct error *error);

/* Makes a fresh ephemeral key, derives the content key for `app_key`, seals.  The caller frees the text. */
int jwe_seal_to(const struct ec_point *app_key, const struct secret *payload, char **ret_jwe,
                struct error *error);

/* The header alone, checked in full.  CODE_LOG: "record is damaged". */
int jwe_read_header(const char *jwe, struct jwe_header *ret_header, struct error *error);

/* The content key of a record, from the private app key and the record's epk. */
int jwe_content_key(const struct secret *app_private, const struct ec_point *epk,
                    struct secret **ret_content_key, struct error *error);

/* Opens.  One error for every failure (CODE_LOG, "record cannot be opened").  The caller frees the payload. */
int jwe_open(const char *jwe, const struct secret *content_key, struct secret **ret_payload,
             struct error *error);

/*
 * The same in two halves, so that little is left to do once keys are there: jwe_read() does everything that needs no
 * key, jwe_open_read() the rest.  Both fail as jwe_open() does.  The caller frees with jwe_free().
 */
struct jwe;

int jwe_read(const char *text, struct jwe **ret_jwe, struct error *error);
int jwe_open_read(const struct jwe *jwe, const struct secret *content_key,
                  struct secret **ret_payload, struct error *error);
void jwe_free(struct jwe *jwe);
DEFINE_CLEANUP(struct jwe, jwe_free);

#endif
