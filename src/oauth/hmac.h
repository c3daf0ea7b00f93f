/*
 * hmac.h: HMAC-SHA256 (RFC 2104) into locked memory.
 */
#ifndef P11VAULT_OAUTH_HMAC_H
#define P11VAULT_OAUTH_HMAC_H

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

/* Appends the 32 bytes for a message in two parts, the second a text ("" for none). */
int hmac_append(const struct secret *key, const void *bytes, size_t size, const char *tail,
                struct secret *target, struct error *error);

#endif
