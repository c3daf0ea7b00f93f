/*
 * sieve.c: what comes out and when.  Characters that a secret or its disguise can have form runs; of a run so much is held
 * back that a needle that has begun is still in hand when its window is full.  From there to the end of the run nothing
 * comes out.
 */
#include <ctype.h>
#include <stdalign.h>
#include <string.h>

#include "internal.h"

/*
 * A window has at most 82 characters (an app id, a bar, 20 of a secret, in hexadecimal), and behind
 * two layers of escapes a character has at most 36: each of six, each of them of six.
 */
#define HOLD ((size_t)3 * 1024)
#define HELD_MAX (4 * HOLD)
#define OUT_MAX ((size_t)4 * 1024)

struct state *sieve_state_in(struct secret *memory)
{
    size_t room;
    uintptr_t at = (uintptr_t)secret_room(memory, &room);
    at = (at + alignof(struct state) - 1) & ~(uintptr_t)(alignof(struct state) - 1);
    return (struct state *)at;
}

int sieve_new(size_t values_size, struct sieve **ret_sieve, struct error *error)
{
    auto_of(sieve_free) struct sieve *sieve = calloc(1, sizeof(*sieve));
    if (!sieve)
        return error_memory(error);
    if (needles_init(&sieve->needles, values_size, error) < 0 ||
        secret_new(STATE_ROOM, &sieve->memory, error) < 0 ||
        secret_new(HELD_MAX, &sieve->held, error) < 0 ||
        secret_new(OUT_MAX, &sieve->out, error) < 0 || secret_new(URL_MAX, &sieve->url, error) < 0)
        return -1;
    sieve->state = sieve_state_in(sieve->memory);
    *sieve->state = (struct state){0};
    *ret_sieve = TAKE(sieve);
    return 0;
}

void sieve_free(struct sieve *sieve)
{
    if (!sieve)
        return;
    needles_clear(&sieve->needles);
    secret_free(sieve->memory);
    secret_free(sieve->held);
    secret_free(sieve->out);
    secret_free(sieve->url);
    batch_clear(&sieve->batch);
    free(sieve);
}

int sieve_add(struct sieve *sieve, const struct secret *value, struct error *error)
{
    return needles_add(&sieve->needles, value, error);
}

const struct sieve_found *sieve_found(const struct sieve *sieve)
{
    return &sieve->found;
}

/* ---- what comes out ---- */

static int flush(struct sieve *sieve, struct error *error)
{
    int result = 0;
    if (sieve->sink && secret_size(sieve->out) > 0)
        result =
            sieve->sink(sieve->context, secret_data(sieve->out), secret_size(sieve->out), error);
    secret_clear(sieve->out);
    return result;
}

int sieve_put(struct sieve *sieve, const void *bytes, size_t size, struct error *error)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        size_t room;
        (void)secret_room(sieve->out, &room);
        size_t now = size < room ? size : room;
        if (secret_append(sieve->out, from, now, error) < 0 ||
            (now == room && flush(sieve, error) < 0))
            return -1;
        from += now;
        size -= now;
    }
    return 0;
}

static int put(struct sieve *sieve, const void *bytes, size_t size, struct error *error)
{
    return sieve->batch.outer ? batch_put(sieve, bytes, size, error)
                              : sieve_put(sieve, bytes, size, error);
}

int sieve_mark(struct sieve *sieve, struct error *error)
{
    sieve->found.alike++;
    return put(sieve, SIEVE_MARK, strlen(SIEVE_MARK), error);
}

/* ---- runs ---- */

static bool is_run(const struct sieve *sieve, uint8_t byte)
{
    return (byte < 0x80 && isalnum(byte)) || (byte != 0 && strchr("_-.~+/=|%\\", byte)) ||
           sieve->needles.in_value[byte];
}

static int let_go(struct sieve *sieve, size_t size, struct error *error)
{
    if (put(sieve, secret_data(sieve->held), size, error) < 0)
        return -1;
    secret_drop_front(sieve->held, size);
    sieve->state->held_from += size;
    return 0;
}

/* A run counts once, as what is worst of it. */
static void count(struct sieve *sieve, bool is_known)
{
    struct state *state = sieve->state;
    if (is_known && !state->counted_known) {
        sieve->found.known++;
        sieve->found.alike -= state->counted_alike;
        state->counted_known = true;
        state->counted_alike = false;
    } else if (!state->counted_known && !state->counted_alike) {
        sieve->found.alike++;
        state->counted_alike = true;
    }
}

/* What was held before the needle may go; the needle and all behind it in this run may not. */
static int drop_from(struct sieve *sieve, const struct hit *hit, struct error *error)
{
    struct state *state = sieve->state;
    size_t before = hit->from > state->held_from ? (size_t)(hit->from - state->held_from) : 0;
    if (before > secret_size(sieve->held))
        before = secret_size(sieve->held);
    if (put(sieve, secret_data(sieve->held), before, error) < 0 ||
        put(sieve, SIEVE_MARK, strlen(SIEVE_MARK), error) < 0)
        return -1;
    secret_clear(sieve->held);
    state->dropping = true;
    return 0;
}

/* A backslash before the character that ends a run belongs to that character. */
int sieve_end_run(struct sieve *sieve, struct error *error)
{
    struct state *state = sieve->state;
    int result = 0;
    if (state->dropping && state->odd_backslash)
        result = put(sieve, "\\", 1, error);
    else if (!state->dropping)
        result = let_go(sieve, secret_size(sieve->held), error);
    state->dropping = state->odd_backslash = false;
    state->counted_known = state->counted_alike = false;
    return result;
}

static int hold(struct sieve *sieve, uint8_t byte, struct error *error)
{
    size_t size = secret_size(sieve->held);
    if (size == 0)
        sieve->state->held_from = sieve->state->place;
    if (size == HELD_MAX && let_go(sieve, HELD_MAX - HOLD, error) < 0)
        return -1;
    return secret_append(sieve->held, &byte, 1, error);
}

int sieve_pass(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct state *state = sieve->state;
    bool in_run = is_run(sieve, byte);
    struct hit hit;
    if (in_run && !state->dropping && hold(sieve, byte, error) < 0)
        return -1;
    looking_push(&state->looking, &sieve->needles, byte, state->place, &hit);
    state->place++;
    if (hit.found)
        count(sieve, hit.is_known);
    if (hit.found && !state->dropping && drop_from(sieve, &hit, error) < 0)
        return -1;
    if (in_run) {
        state->odd_backslash = byte == '\\' && !state->odd_backslash;
        return 0;
    }
    return sieve_end_run(sieve, error) < 0 ? -1 : put(sieve, &byte, 1, error);
}

int sieve_pass_text(struct sieve *sieve, const char *text, size_t size, struct error *error)
{
    for (size_t i = 0; i < size; i++)
        if (sieve_pass(sieve, (uint8_t)text[i], error) < 0)
            return -1;
    return 0;
}

/* ---- all ---- */

int sieve_feed(struct sieve *sieve, const void *bytes, size_t size, sieve_out *out, void *context,
               struct error *error)
{
    const uint8_t *from = bytes;
    sieve->sink = out;
    sieve->context = context;
    for (size_t i = 0; i < size; i++)
        if (batch_push(sieve, from[i], error) < 0)
            return -1;
    return flush(sieve, error);
}

int sieve_end(struct sieve *sieve, sieve_out *out, void *context, struct error *error)
{
    sieve->sink = out;
    sieve->context = context;
    if (batch_end(sieve, error) < 0 || sieve_end_run(sieve, error) < 0)
        return -1;
    return flush(sieve, error);
}

int sieve_look(struct sieve *sieve, const void *bytes, size_t size, struct error *error)
{
    /* What looks like items there is none of the answer's. */
    sieve_item *item = TAKE(sieve->batch.item);
    if (sieve_feed(sieve, bytes, size, NULL, NULL, error) < 0 ||
        sieve_end(sieve, NULL, NULL, error) < 0)
        return -1;
    sieve->batch.item = item;
    *sieve->state = (struct state){0};
    sieve->found.has_next = false;
    return 0;
}
