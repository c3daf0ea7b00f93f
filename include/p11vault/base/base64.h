/*
 * base64.h: base64url without padding (RFC 7515 section 2) and base64 with padding (RFC 4648 section 4), both
 * canonical only: no white space, no stray bits, the one right padding.
 */
#ifndef P11VAULT_BASE_BASE64_H
#define P11VAULT_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/error.h"

#define BASE64URL_SIZE(bytes) (((bytes)*4 + 2) / 3)

/* Append the encoding to a buffer. */
int base64url_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error);
int base64_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error);

/*
 * Decode `size` characters into `ret_bytes`, which has room for `room` bytes; *ret_size says how many were written.
 * CODE_STOP when the text is not canonical or does not fit; the output may be partly written then.
 */
int base64url_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room,
                     size_t *ret_size, struct error *error);
int base64_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room, size_t *ret_size,
                  struct error *error);

#endif
