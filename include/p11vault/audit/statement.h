/*
 * statement.h: what a card says of itself where it is not there to be asked: `card export`, signed by the card's own signing key.
 *
 * The signed text is the line "p11vault card export 1" and canonical JSON with the members of the card's log entry: alg, card (serial),
 * jwk, kid, label, manufacturer, model and sign, a verifier key under a name that is no vault's.  So it can be made again from
 * the entry, and no checkpoint is like it.
 */
#ifndef P11VAULT_AUDIT_STATEMENT_H
#define P11VAULT_AUDIT_STATEMENT_H

#include <jansson.h>

#include "p11vault/audit/note.h"

/* The name of the signing key in a statement: the keys of an exported card are labelled as those of a vault "card". */
#define STATEMENT_NAME "p11vault/card"
#define STATEMENT_SIGNATURE_MAX 700 /* in base64 */

/* Of an object with those members, whatever else it has and whatever name the key has.  CODE_STOP; the caller frees the text. */
int statement_text(const json_t *card, char **ret_text, struct error *error);

/* "SHA256:" and the hash of the text: what people compare, for it stands for both keys and all that is said of them. */
void statement_fingerprint(const char *text, char ret_fingerprint[NOTE_FINGERPRINT_SIZE]);

/* Whether the signing key that the object names has made this signature (base64) over its text.  CODE_STOP. */
int statement_check(const json_t *card, const char *signature, struct error *error);

#endif
