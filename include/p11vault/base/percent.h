/*
 * percent.h: the percent-encoding of URIs (RFC 3986, section 2.1) and of forms.
 */
#ifndef P11VAULT_BASE_PERCENT_H
#define P11VAULT_BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

/* The unreserved characters of RFC 3986, section 2.3: letters, digits and "-._~". */
bool percent_is_unreserved(char c);

/* Appends a text in which all but those, and the characters of `plain`, stand as %XX.  Fails as buffer_put(). */
int percent_put(struct buffer *to, const char *text, size_t size, const char *plain,
                struct error *error);

/* The byte that the %XX at the beginning of a text stands for; -1 when there is none. */
int percent_byte(const char *text, size_t size);

/*
 * Decodes a form's value into a new secret: "+" is a space, %XX a byte.  *ret_value is NULL when the text is malformed or
 * decodes to what is not printable ASCII.  Fails for want of memory only.
 */
int percent_decode(const char *text, size_t size, struct secret **ret_value, struct error *error);

#endif
