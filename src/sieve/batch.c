/*
 * batch.c: the answer to a batch is an array of {"code": 200, "headers": […], "body": "…"}, each
 * body JSON in a string.  A body is taken out of its string, goes through a sieve of its own as the
 * answer to a call does, and is escaped again.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* What is kept of a body to be judged: errors are small. */
#define BODY_MAX ((size_t)16 * 1024)
#define STATUS_MAX 999

int sieve_expect_batch(struct sieve *sieve, sieve_item *item, struct error *error)
{
    struct batch *batch = &sieve->batch;
    if (secret_new(STATE_ROOM, &batch->memory, error) < 0 ||
        secret_new(BODY_MAX, &batch->body, error) < 0)
        return -1;
    batch->item = item;
    return 0;
}

void batch_clear(struct batch *batch)
{
    secret_free(batch->memory);
    secret_free(batch->body);
}

/* ---- items ---- */

bool batch_awaits_body(const struct sieve *sieve)
{
    const struct batch *batch = &sieve->batch;
    return batch->item && !batch->outer && batch->is_list && sieve->state->members.depth == 2;
}

static int tell_item(struct sieve *sieve, struct error *error)
{
    struct batch *batch = &sieve->batch;
    int result = batch->item(sieve->context, batch->status, batch->body, error);
    batch->status = 0;
    secret_clear(batch->body);
    return result;
}

static void note_status(struct batch *batch, const struct members *members, uint8_t byte)
{
    if (byte == ':')
        batch->in_status = members->depth == 2 && tail_is(&members->tail, "code");
    else if (!isdigit(byte))
        batch->in_status &= byte != ',' && byte != '}';
    else if (batch->in_status && batch->status <= STATUS_MAX)
        batch->status = batch->status * 10 + (byte - '0');
}

/* An item is an object, or null: one that was left out, or timed out. */
int batch_note(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct batch *batch = &sieve->batch;
    const struct members *members = &sieve->state->members;
    if (!batch->item || batch->outer)
        return 0;
    if (members->depth == 1 && (byte == '[' || byte == '{'))
        batch->is_list = byte == '[';
    if (!batch->is_list)
        return 0;
    note_status(batch, members, byte);
    bool ends = members->depth == 1 && (byte == '}' || byte == 'n');
    return ends ? tell_item(sieve, error) : 0;
}

/* ---- bodies ---- */

void batch_begin_body(struct sieve *sieve)
{
    struct batch *batch = &sieve->batch;
    batch->outer = sieve->state;
    batch->unescape = (struct unescape){0};
    sieve->state = sieve_state_in(batch->memory);
    *sieve->state = (struct state){0};
    secret_clear(batch->body);
}

static int end_body(struct sieve *sieve, struct error *error)
{
    struct batch *batch = &sieve->batch;
    if (members_end(sieve, error) < 0 || sieve_end_run(sieve, error) < 0)
        return -1;
    sieve->state = TAKE(batch->outer);
    sieve->state->members.in_string = sieve->state->members.awaits_value = false;
    return 0;
}

int batch_push(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct batch *batch = &sieve->batch;
    uint8_t bytes[UNESCAPED_MAX];
    if (!batch->outer)
        return members_push(sieve, byte, error);
    struct members *outer = &batch->outer->members;
    if (byte == '"' && !outer->escaped)
        return end_body(sieve, error) < 0 ? -1 : sieve_pass(sieve, '"', error);
    outer->escaped = byte == '\\' && !outer->escaped;
    size_t size = unescape_push(&batch->unescape, byte, bytes);
    for (size_t i = 0; i < size; i++)
        if (members_push(sieve, bytes[i], error) < 0)
            return -1;
    return 0;
}

int batch_end(struct sieve *sieve, struct error *error)
{
    if (sieve->batch.outer && end_body(sieve, error) < 0)
        return -1;
    return members_end(sieve, error);
}

static int put_escaped(struct sieve *sieve, uint8_t byte, struct error *error)
{
    char text[8];
    if (byte >= ' ' && byte != '"' && byte != '\\')
        return sieve_put(sieve, &byte, 1, error);
    int size = byte < ' ' ? snprintf(text, sizeof(text), "\\u%04x", byte)
                          : snprintf(text, sizeof(text), "\\%c", byte);
    return sieve_put(sieve, text, (size_t)size, error);
}

int batch_put(struct sieve *sieve, const uint8_t *bytes, size_t size, struct error *error)
{
    struct secret *body = sieve->batch.body;
    size_t room;
    (void)secret_room(body, &room);
    if (secret_append(body, bytes, size < room ? size : room, error) < 0)
        return -1;
    for (size_t i = 0; i < size; i++)
        if (put_escaped(sieve, bytes[i], error) < 0)
            return -1;
    return 0;
}
