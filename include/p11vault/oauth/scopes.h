/*
 * scopes.h: lists of scopes as texts: "a,b" as people type and Meta writes them, "a b" as in RFC 6749 section 3.3, or the
 * JSON array ["a","b"] that the store keeps.  NULL and "" are the empty list.
 */
#ifndef P11VAULT_OAUTH_SCOPES_H
#define P11VAULT_OAUTH_SCOPES_H

#include <jansson.h>

#include "p11vault/base/buffer.h"

/* As long as a list of FACT_SCOPES_MAX scopes can be. */
#define OAUTH_SCOPES_TEXT_MAX ((size_t)8192)

/*
 * Adds what the list `had` names and the list `has` does not to the list *ret_missing, which may be empty: in the order of
 * `had`, each once, with commas between.  CODE_FAULT without memory, CODE_STOP beyond the buffer's maximum.
 */
int oauth_scopes_missing(const char *had, const char *has, struct buffer *ret_missing,
                         struct error *error);

/* A list as a new JSON array, which the caller drops; NULL without memory. */
json_t *oauth_scopes_to_json(const char *list);

#endif
