/*
 * facts.h: what a provider said, as JSON between the rooms: everything of an answer that is no secret.
 *
 * Reading is strict: no unknown member, no wrong type, nothing longer than its field, no character that answer.h does
 * not allow there.
 */
#ifndef P11VAULT_OAUTH_FACTS_H
#define P11VAULT_OAUTH_FACTS_H

#include <jansson.h>

#include "p11vault/base/buffer.h"
#include "p11vault/oauth/answer.h"

/* A new object with the members that are known; the caller drops it.  NULL without memory. */
json_t *oauth_facts_to_json(const struct oauth_facts *facts);

/* The reverse; what is missing becomes unknown.  CODE_FAULT for a member that cannot be. */
int oauth_facts_from_json(const json_t *json, struct oauth_facts *ret_facts, struct error *error);

/*
 * The same for a whole answer: facts, expires_in, pages, cursor, permissions, device login, machine id, API version,
 * usage (percent) and wait (seconds).
 * The verdict is not in it: it has fields of its own on the wire.  Grants and codes are not in it: NULL after reading.
 */
json_t *oauth_answer_to_json(const struct oauth_answer *answer);
int oauth_answer_from_json(const json_t *json, struct oauth_answer *ret_answer,
                           struct error *error);

/*
 * What the list `asked` names (scopes.h) and the facts do not, added to the list *ret_missing.
 * Fails as oauth_scopes_missing().
 */
int oauth_facts_missing(const struct oauth_facts *facts, const char *asked,
                        struct buffer *ret_missing, struct error *error);

#endif
