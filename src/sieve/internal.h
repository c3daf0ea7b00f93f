/*
 * internal.h: the parts of the sieve.  paging.c goes first and rewrites URLs of lists; sieve.c holds bytes back until
 * view.c, which looks at them as they are and through two layers of escapes, has seen enough; needles.c knows hashes
 * of the known values, alike.c what an access token looks like.
 */
#ifndef P11VAULT_SRC_SIEVE_INTERNAL_H
#define P11VAULT_SRC_SIEVE_INTERNAL_H

#include <stdbool.h>

#include "p11vault/sieve/sieve.h"

/* ---- needles.c: hashes of windows of known values ---- */

enum form { FORM_PLAIN, FORM_HEX, FORM_BASE64, FORMS };

/* How many characters a window has.  Each says more than can be guessed: the one of base64 stands for 18 bytes. */
#define WINDOW_PLAIN SIEVE_VALUE_MIN
#define WINDOW_HEX 40
#define WINDOW_BASE64 24
#define WINDOW_MAX 40

struct needles {
    uint64_t key[2];
    struct secret *table; /* open addressing; 0 is a free place */
    size_t places, count;
    bool in_value[256]; /* characters that stand in a known value */
};

int needles_init(struct needles *needles, size_t values_size, struct error *error);
void needles_clear(struct needles *needles);
int needles_add(struct needles *needles, const struct secret *value, struct error *error);
/* `window`: in the one alphabet of its form (hexadecimal in lower case, base64 with "+" and "/"). */
bool needles_have(const struct needles *needles, enum form form, const uint8_t *window);
size_t needles_window(enum form form);

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
uint64_t siphash(const uint64_t key[2], const uint8_t *bytes, size_t size);

/* ---- alike.c: what looks like an access token ---- */

struct alike {
    uint8_t tail[32]; /* the end of the word in hand, in lower case */
    uint8_t head[4];
    size_t size; /* of the word */
    uint64_t from, bar_from;
    bool digits, behind_bar;
    bool armed, colon, equals, quoted; /* behind a name whose value is a secret */
    size_t separators;
};

/* One more character; true: a token begins at *ret_from. */
bool alike_push(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from);

/* ---- view.c: the answer as it is, and behind one and two layers of escapes ---- */

#define VIEWS 3
#define RING 64

struct view {
    uint8_t ring[2 * RING]; /* twice, so that the last characters stand in one piece */
    uint64_t from[RING];    /* where in the answer each of them begins */
    size_t at;
    size_t run[FORMS];   /* how many at the end could belong to a needle of that form */
    size_t since_escape; /* characters since the last one that this view alone shows */
};

struct decoder {
    uint8_t pending[8];
    uint64_t from[8];
    size_t size;
};

struct looking {
    struct view views[VIEWS];
    struct decoder decoders[VIEWS - 1];
    struct alike alike;
};

struct hit {
    bool found, is_known;
    uint64_t from;
};

/* One more byte of the answer, at that place of it; the first hit that it brings. */
void looking_push(struct looking *looking, const struct needles *needles, uint8_t byte,
                  uint64_t place, struct hit *hit);

/* ---- paging.c: URLs of lists ---- */

#define URL_MAX ((size_t)8 * 1024)

struct paging {
    bool in_string, escaped, capturing, too_long;
    bool awaits_value;      /* behind a colon */
    char text[16];          /* the beginning of the last string */
    size_t size;            /* of that string */
    bool is_next, is_other; /* the member whose value is awaited */
    bool is_paging, in_paging;
    unsigned depth;
};

struct sieve {
    struct needles needles;
    struct secret *memory; /* what `state` stands in */
    struct state *state;
    struct secret *held; /* of the run in hand */
    struct secret *out;
    struct secret *url; /* the URL in hand */
    struct sieve_found found;
    sieve_out *sink;
    void *context;
};

struct state {
    struct looking looking;
    struct paging paging;
    uint64_t place, held_from;
    bool dropping, odd_backslash;
    bool counted_known, counted_alike; /* the run in hand */
};

/* One byte from the front of the sieve, and the end of what is fed. */
int paging_push(struct sieve *sieve, uint8_t byte, struct error *error);
int paging_end(struct sieve *sieve, struct error *error);
/* One byte behind the rewriting (sieve.c). */
int sieve_pass(struct sieve *sieve, uint8_t byte, struct error *error);

#endif
