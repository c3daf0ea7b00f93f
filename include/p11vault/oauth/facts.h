/*
 * facts.h: what a provider said of a grant, as JSON between the rooms.
 */
#ifndef P11VAULT_OAUTH_FACTS_H
#define P11VAULT_OAUTH_FACTS_H

#include <jansson.h>

#include "p11vault/oauth/provider.h"

/* A new object with the members that are known; the caller drops it.  NULL without memory. */
json_t *oauth_facts_to_json(const struct oauth_facts *facts);

/* The reverse; what is missing becomes unknown.  CODE_FAULT for members of the wrong type or size. */
int oauth_facts_from_json(const json_t *json, struct oauth_facts *ret_facts, struct error *error);

#endif
