/*
 * sieve.h: takes secrets out of an answer that is passed on, byte by byte, in bounded memory,
 * without I/O.
 *
 * What never comes out: 20 bytes on end of a known value, however it is cut across pieces, plain,
 * in hexadecimal or in base64 (any alignment, either alphabet), each of these also behind one or
 * two layers of JSON escapes and percent-encoding; what looks like an access token (EAA…, IGQ…,
 * IGAA…, THAA…, THQV…, DQVJ…, an app id with "|" and a secret; also within a word) or a JWT, in the
 * same disguises; and what stands as the value of a member or parameter named access_token and the
 * like, secret, password, login_url, or code when it is as long as one.  Case, "_" and "-" make no
 * difference in names; of an array or object each string goes.  In its place stands SIEVE_MARK.
 *
 * Members "next" and "previous" that hold a URL come out as the parameters in it
 * ("limit=25&after=…"), without token.
 *
 * Known values are not kept: of each window of a value a keyed hash is (SipHash-2-4, the key random
 * and new with each sieve), and the value can be wiped as soon as it was added.  What is in hand of
 * the answer stands in locked memory.
 *
 * What it does not see through: compression, encryption, base64 or hexadecimal in lines, other
 * encodings.
 */
#ifndef P11VAULT_SIEVE_SIEVE_H
#define P11VAULT_SIEVE_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define SIEVE_MARK "[scrubbed]"
#define SIEVE_VALUE_MIN 20 /* bytes of a known value */
#define SIEVE_PATH_MAX 512
#define SIEVE_NEXT_MAX 4096

struct sieve;

/* Where a list goes on: the answer's own paging.next without scheme, host, token and fragment. */
struct sieve_next {
    char path[SIEVE_PATH_MAX];       /* "/v26.0/1/feed" */
    char parameters[SIEVE_NEXT_MAX]; /* a form; "" when there are none, or not all could be kept */
};

/* What was found so far. */
struct sieve_found {
    size_t known, alike; /* places with a known value; with what looks like one */
    bool has_next;       /* the list goes on; if `next` is empty, nobody can say where */
    struct sieve_next next;
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

/*
 * The answer will be that of a batch (Meta, "Batch Requests"): an array of items, each null or
 * {"code", "headers", "body"}. Each body is scrubbed as the answer that it is, and stands escaped
 * in its string again.  `item` is called behind each item with its code (0: null, or none is said)
 * and what came out of its body, at most 16 KiB; `context` is that of the feed.  To be said before
 * anything is fed.
 */
typedef int sieve_item(void *context, int status, const struct secret *body, struct error *error);
int sieve_expect_batch(struct sieve *sieve, sieve_item *item, struct error *error);

/* Valid as long as the sieve. */
const struct sieve_found *sieve_found(const struct sieve *sieve);

#endif
