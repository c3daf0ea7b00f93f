/*
 * field.h: header fields, read where they lie; of answers, and of requests to the loopback address.
 */
#ifndef P11VAULT_HTTP_FIELD_H
#define P11VAULT_HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"

/* Bytes of somebody else's memory, valid as long as that is; not terminated. */
struct http_span {
    const uint8_t *bytes;
    size_t size;
};

/*
 * Splits one line, without its CR LF, into name and value, which lose the white space around them (RFC 9110, section 5).
 * CODE_STOP for a folded line, a name that is no token, and a value that is no text: nothing is repaired.
 * The error's words are for an answer.
 */
int http_field_split(struct http_span line, struct http_span *ret_name, struct http_span *ret_value,
                     struct error *error);

/* Without the spaces and tabs at both ends. */
struct http_span http_trim(struct http_span span);

/* True when there are only visible characters, spaces, tabs and bytes from 0x80: no CR, no NUL. */
bool http_is_text(struct http_span span);

#endif
