/*
 * digest.h: SHA-256 (FIPS 180-4), its hexadecimal form, and random bytes (libcrypto).
 */
#ifndef P11VAULT_BASE_DIGEST_H
#define P11VAULT_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE (DIGEST_SIZE * 2 + 1) /* with its NUL */

struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

/* One piece of a message that is hashed in pieces. */
struct digest_part {
    const void *bytes;
    size_t size;
};

/* SHA-256 of the parts one behind the other.  Cannot fail: a libcrypto without SHA-256 ends the process. */
struct digest digest_of_parts(const struct digest_part *parts, size_t count);
struct digest digest_of(const void *bytes, size_t size);

/*
 * The same for bytes that are no secret, such as those of the log: what is needed for it is made once and kept, with a rest of
 * what was hashed last in it.  For one thread at a time.
 */
struct digest digest_of_public(const struct digest_part *parts, size_t count);

bool digest_equal(const struct digest *a, const struct digest *b);

/* What one hexadecimal digit of either case is worth; -1: it is none. */
int hex_digit(char digit);

/* Lower-case hexadecimal of any bytes; `ret_text` has room for 2 * size + 1. */
void hex_encode(const void *bytes, size_t size, char *ret_text);
/* The reverse, lower case only, exactly `size` bytes.  Returns false for anything else. */
bool hex_decode(const char *text, uint8_t *ret_bytes, size_t size);

void digest_hex(const struct digest *digest, char ret_text[DIGEST_HEX_SIZE]);
bool digest_parse(const char *text, struct digest *ret_digest);

/* Random bytes from libcrypto's generator.  CODE_FAULT when it has none to give. */
int random_bytes(void *ret_bytes, size_t size, struct error *error);

#endif
