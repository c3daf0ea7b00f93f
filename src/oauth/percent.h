/*
 * percent.h: the reverse of the form encoding, into locked memory.
 */
#ifndef P11VAULT_OAUTH_PERCENT_H
#define P11VAULT_OAUTH_PERCENT_H

#include <stddef.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

/*
 * Decodes into a new secret: "+" is a space, %XX a byte.  *ret_value is NULL when the text is malformed or decodes to
 * what is not printable ASCII.  Fails for want of memory only.
 */
int percent_decode(const char *text, size_t size, struct secret **ret_value, struct error *error);

#endif
