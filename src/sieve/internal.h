/*
 * internal.h: the parts of the sieve.  members.c goes first and follows the JSON: it takes out the
 * values of members that are secrets and gives the URLs of lists to paging.c; in a batch, batch.c
 * takes the body of each item out of its string first, and puts it back afterwards.  sieve.c holds
 * bytes back until view.c, which looks at them as they are and through two layers of escapes, has
 * seen enough; needles.c knows hashes of the known values, alike.c what an access token looks like,
 * and coded.c shows it what stands in base64 and hexadecimal.
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

#define TAIL 16

/* The end of a word as it names something: in lower case, without "_" and "-". */
struct tail {
    uint8_t last[TAIL];
    size_t size; /* of the whole word */
};
void tail_push(struct tail *tail, uint8_t byte);
bool tail_is(const struct tail *tail, const char *word);
/* How many characters a secret behind such a name has at least; 0: the name is not a secret's. */
size_t tail_names_secret(const struct tail *tail);
/* Whether a value of that size is one, behind a name that asks for `least`. */
bool value_is_secret(size_t least, size_t size, bool has_digit);

#define BEGINNING 4 /* characters that tell an access token */
#define LATEST 8    /* a power of two */

struct alike {
    struct tail tail;
    uint8_t head[BEGINNING];
    size_t size, plain; /* of the word, and of what of it is but letters */
    uint64_t from, bar_from;
    bool digits, has_digit, behind_bar;

    /*
     * Behind the name of a secret; then in its value, which is a word, a text in quotes, or all of
     * an array or object.
     */
    size_t least;
    bool colon, equals, quoted;
    size_t value;
    unsigned depth;
    bool in_quotes;

    /*
     * A token within a word; the latest characters of the word, the last one lowest, and the place
     * of each by its number.
     */
    uint64_t latest, latest_from[LATEST], glued_from;
    size_t glued;
    bool lower, digit;

    bool is_jwt; /* behind its first dot */
    uint64_t jwt_from;
    size_t jwt;
};

/* One more character; true: a secret begins at *ret_from. */
bool alike_push(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from);

/* ---- coded.c: the same behind base64 and hexadecimal ---- */

#define CODINGS 6 /* base64 may begin at any of four characters, hexadecimal at any of two */

struct coding {
    struct alike alike;
    uint64_t from; /* where the first of the bits in hand stands */
    unsigned bits, count, skipped;
    bool has_begun;
};

bool coded_push(struct coding codings[CODINGS], uint8_t byte, uint64_t from, uint64_t *ret_from);

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
    struct coding codings[CODINGS];
};

struct hit {
    bool found, is_known;
    uint64_t from;
};

/* One more byte of the answer, at that place of it; the first hit that it brings. */
void looking_push(struct looking *looking, const struct needles *needles, uint8_t byte,
                  uint64_t place, struct hit *hit);

/* ---- unescape.c: the text that a string of JSON stands for ---- */

struct unescape {
    uint8_t
        digits; /* 0: no escape; 1: behind the backslash; else two more than there are behind "u" */
    unsigned value, high;
};

#define UNESCAPED_MAX 7
/* One more byte of the string; how many bytes it brings.  U+FFFD stands for what is no escape. */
size_t unescape_push(struct unescape *unescape, uint8_t byte, uint8_t ret_bytes[UNESCAPED_MAX]);

/* ---- members.c: strings, names and brackets ---- */

enum member { MEMBER_PLAIN, MEMBER_NEXT, MEMBER_PREVIOUS, MEMBER_SECRET, MEMBER_BODY };

struct members {
    bool in_string, escaped, too_long;
    struct unescape unescape;
    struct tail tail;   /* of the last string */
    bool awaits_value;  /* behind a colon */
    enum member member; /* the one whose value is awaited */
    enum member
        capture;  /* what the string in hand is the value of, when it is kept until its end */
    size_t least; /* characters of a secret */
    unsigned depth, secret_depth; /* brackets; all behind so many is secret, 0: nothing is */
    bool is_paging, in_paging;    /* the answer's own "paging" */
};

/* ---- batch.c: an array of items with a body each ---- */

struct batch {
    sieve_item *item;      /* NULL: it is no batch */
    struct secret *memory; /* of the state for bodies */
    struct secret *body;   /* what is kept of the one in hand */
    struct state *outer;   /* set aside while a body is in hand, else NULL */
    struct unescape unescape;
    bool is_list; /* the answer is an array */
    bool in_status;
    int status;
};

/* ---- the whole ---- */

#define URL_MAX ((size_t)8 * 1024)

struct sieve {
    struct needles needles;
    struct secret *memory; /* what `state` stands in */
    struct state *state;
    struct secret *held; /* of the run in hand */
    struct secret *out;
    struct secret *url; /* the string that is captured */
    struct batch batch;
    struct sieve_found found;
    sieve_out *sink;
    void *context;
};

struct state {
    struct looking looking;
    struct members members;
    uint64_t place, held_from;
    bool dropping, odd_backslash;
    bool counted_known, counted_alike; /* the run in hand */
};

/* Where the state lies in a secret of STATE_ROOM bytes. */
#define STATE_ROOM (sizeof(struct state) + _Alignof(struct state))
struct state *sieve_state_in(struct secret *memory);
/* One byte behind the members; a text; the end of a run; the mark of a secret that did not pass. */
int sieve_pass(struct sieve *sieve, uint8_t byte, struct error *error);
int sieve_pass_text(struct sieve *sieve, const char *text, size_t size, struct error *error);
int sieve_end_run(struct sieve *sieve, struct error *error);
int sieve_mark(struct sieve *sieve, struct error *error);
/* What comes out, as it is. */
int sieve_put(struct sieve *sieve, const void *bytes, size_t size, struct error *error);

/* One byte from the front of the sieve, and the end of what is fed. */
int members_push(struct sieve *sieve, uint8_t byte, struct error *error);
int members_end(struct sieve *sieve, struct error *error);

/* What is captured of "next" or "previous": a URL, or some other text, which passes. */
int paging_put(struct sieve *sieve, bool is_own_next, struct error *error);

/* The same as members_push() and members_end() where there may be a batch. */
int batch_push(struct sieve *sieve, uint8_t byte, struct error *error);
int batch_end(struct sieve *sieve, struct error *error);
/* What members.c tells of it: a byte between strings, a string that begins a body; and asks. */
int batch_note(struct sieve *sieve, uint8_t byte, struct error *error);
void batch_begin_body(struct sieve *sieve);
bool batch_awaits_body(const struct sieve *sieve);
/* What comes out of a body: kept, and escaped again. */
int batch_put(struct sieve *sieve, const uint8_t *bytes, size_t size, struct error *error);
void batch_clear(struct batch *batch);

#endif
