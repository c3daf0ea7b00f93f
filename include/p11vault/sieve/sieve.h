/*
 * sieve.h: takes secrets out of an answer that is passed on, byte by byte, in bounded memory, without I/O.
 *
 * What never comes out: 20 bytes on end of a known value, however it is cut across pieces, plain, in hexadecimal or in
 * base64 (any alignment, either alphabet), each of these also behind one or two layers of JSON escapes and
 * percent-encoding; what looks like an access token (EAA…, IGQ…, IGAA…, THAA…, an app id with "|" and a secret); and what
 * stands as the value of a member or parameter named access_token and the like.  In its place stands SIEVE_MARK.
 *
 * Members "next" and "previous" that hold a URL come out as the cursors in it ("limit=25&after=…").
 *
 * Known values are not kept: of each window of a value a keyed hash is (SipHash-2-4, the key random and new with each
 * sieve), and the value can be wiped as soon as it was added.  What is in hand of the answer stands in locked memory.
 *
 * What it does not see through: compression, encryption, base64 or hexadecimal in lines, other encodings.
 */
#ifndef P11VAULT_SIEVE_SIEVE_H
#define P11VAULT_SIEVE_SIEVE_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define SIEVE_MARK "[scrubbed]"
#define SIEVE_VALUE_MIN 20 /* bytes of a known value */
#define SIEVE_CURSOR_MAX 1024

struct sieve;

/* What was found so far. */
struct sieve_found {
    size_t known, alike;           /* places with a known value; with what looks like one */
    char cursor[SIEVE_CURSOR_MAX]; /* "after" of the answer's own paging.next, decoded, or "" */
};

/* Where the bytes go that may come out; they are valid during the call. */
typedef int sieve_out(void *context, const uint8_t *bytes, size_t size, struct error *error);

/* `values_size`: bytes of all values that will be added.  CODE_CONFIG without locked memory.  The caller frees it. */
int sieve_new(size_t values_size, struct sieve **ret_sieve, struct error *error);
void sieve_free(struct sieve *sieve);
DEFINE_CLEANUP(struct sieve, sieve_free);

/* Adds a known value.  CODE_STOP when it is shorter than SIEVE_VALUE_MIN: it could not be told from other text. */
int sieve_add(struct sieve *sieve, const struct secret *value, struct error *error);

/* Looks through bytes that are not passed on (headers); to be called before anything is fed. */
int sieve_look(struct sieve *sieve, const void *bytes, size_t size, struct error *error);

/* Feeds bytes; some stay in hand until it is known what they are.  sieve_end() lets go of the last ones. */
int sieve_feed(struct sieve *sieve, const void *bytes, size_t size, sieve_out *out, void *context,
               struct error *error);
int sieve_end(struct sieve *sieve, sieve_out *out, void *context, struct error *error);

/* Valid as long as the sieve. */
const struct sieve_found *sieve_found(const struct sieve *sieve);

#endif
