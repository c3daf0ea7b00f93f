/*
 * members.c: strings, names and brackets of the answer's own JSON.  What stands in a member whose
 * name says that it is a secret is taken out: a string whole, of an array or object each string.
 * URLs of lists go to paging.c.
 *
 * It takes no notice of what is no JSON.
 */
#include <ctype.h>
#include <string.h>

#include "internal.h"

/* The list that the answer is about, and no list within it. */
static bool is_own_next(const struct members *members)
{
    return members->member == MEMBER_NEXT && members->in_paging && members->depth == 2;
}

/* ---- strings ---- */

static int begin_string(struct sieve *sieve, struct error *error)
{
    struct members *members = &sieve->state->members;
    enum member member = members->awaits_value ? members->member : MEMBER_PLAIN;
    members->capture = members->secret_depth > 0 ? MEMBER_SECRET : member;
    members->in_string = true;
    members->escaped = members->too_long = false;
    members->unescape = (struct unescape){0};
    members->tail.size = 0;
    if (sieve_pass(sieve, '"', error) < 0)
        return -1;
    if (members->capture == MEMBER_BODY)
        batch_begin_body(sieve);
    return 0;
}

static bool has_digit(const struct secret *text)
{
    for (size_t i = 0; i < secret_size(text); i++)
        if (isdigit(secret_data(text)[i]))
            return true;
    return false;
}

/* What is cut off may have gone on as one. */
static int put_secret(struct sieve *sieve, struct error *error)
{
    const struct members *members = &sieve->state->members;
    const struct secret *text = sieve->url;
    size_t size = secret_size(text);
    bool is_cut = members->too_long && size > 0;
    int result = is_cut || value_is_secret(members->least, size, has_digit(text))
                     ? sieve_mark(sieve, error)
                     : sieve_pass_text(sieve, (const char *)secret_data(text), size, error);
    secret_clear(sieve->url);
    return result;
}

static int put_captured(struct sieve *sieve, struct error *error)
{
    struct members *members = &sieve->state->members;
    enum member capture = members->capture;
    members->capture = MEMBER_PLAIN;
    if (capture == MEMBER_SECRET)
        return put_secret(sieve, error);
    if (capture != MEMBER_NEXT && capture != MEMBER_PREVIOUS)
        return 0;
    return paging_put(sieve, capture == MEMBER_NEXT && is_own_next(members), error);
}

static int capture(struct sieve *sieve, uint8_t byte, struct error *error)
{
    size_t room;
    (void)secret_room(sieve->url, &room);
    if (room == 0)
        sieve->state->members.too_long = true;
    return room == 0 ? 0 : secret_append(sieve->url, &byte, 1, error);
}

static int push_in_string(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct members *members = &sieve->state->members;
    uint8_t bytes[UNESCAPED_MAX];
    if (byte == '"' && !members->escaped) {
        members->in_string = members->awaits_value = false;
        return put_captured(sieve, error) < 0 ? -1 : sieve_pass(sieve, '"', error);
    }
    members->escaped = byte == '\\' && !members->escaped;
    size_t size = unescape_push(&members->unescape, byte, bytes);
    for (size_t i = 0; i < size; i++)
        tail_push(&members->tail, bytes[i]);
    return members->capture == MEMBER_PLAIN ? sieve_pass(sieve, byte, error)
                                            : capture(sieve, byte, error);
}

/* ---- what stands between them ---- */

static enum member member_named(const struct sieve *sieve, struct members *members)
{
    const struct tail *tail = &members->tail;
    if (batch_awaits_body(sieve) && tail_is(tail, "body"))
        return MEMBER_BODY;
    if (tail_is(tail, "next"))
        return MEMBER_NEXT;
    if (tail_is(tail, "previous"))
        return MEMBER_PREVIOUS;
    if (members->secret_depth == 0)
        members->least = tail_names_secret(tail);
    return members->least > 0 ? MEMBER_SECRET : MEMBER_PLAIN;
}

static void open_bracket(struct members *members, uint8_t byte)
{
    bool is_value = members->awaits_value;
    members->depth++;
    if (is_value && members->member == MEMBER_SECRET && members->secret_depth == 0)
        members->secret_depth = members->depth;
    if (members->depth == 2)
        members->in_paging = byte == '{' && is_value && members->is_paging;
}

static void close_bracket(struct members *members)
{
    if (members->secret_depth == members->depth)
        members->secret_depth = 0;
    members->depth -= members->depth > 0;
}

static void note(struct sieve *sieve, uint8_t byte)
{
    struct members *members = &sieve->state->members;
    if (byte == ':') {
        members->awaits_value = true;
        members->member = member_named(sieve, members);
        members->is_paging = tail_is(&members->tail, "paging");
        return;
    }
    if (byte != 0 && strchr(" \t\r\n", byte))
        return;
    /* Neither a URL nor null nor false: what goes on there, nobody can follow. */
    if (members->awaits_value && is_own_next(members) && byte != 'n' && byte != 'f')
        sieve->found.has_next = true;
    if (byte == '{' || byte == '[')
        open_bracket(members, byte);
    else if (byte == '}' || byte == ']')
        close_bracket(members);
    members->awaits_value = false;
}

int members_push(struct sieve *sieve, uint8_t byte, struct error *error)
{
    if (sieve->state->members.in_string)
        return push_in_string(sieve, byte, error);
    if (byte == '"')
        return begin_string(sieve, error);
    note(sieve, byte);
    return sieve_pass(sieve, byte, error) < 0 ? -1 : batch_note(sieve, byte, error);
}

/* Cut off inside a string: what is in hand may hold half a token. */
int members_end(struct sieve *sieve, struct error *error)
{
    sieve->state->members.too_long = true;
    return put_captured(sieve, error);
}
