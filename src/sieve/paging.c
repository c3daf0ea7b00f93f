/*
 * paging.c: the URLs of a list's neighbours hold the access token.  In their place stand the cursors of the URL: what a
 * next call needs as fields, and nothing that leads elsewhere.
 *
 * It follows strings and brackets, and takes no notice of what is no JSON.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/percent.h"

#define CURSOR_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=+/.~-"

/* Parameters that say where in a list one is. */
static const char *const cursors[] = {"limit", "after",  "before", "since",
                                      "until", "offset", "pretty", "__paging_token"};

static int put_text(struct sieve *sieve, const char *text, size_t size, struct error *error)
{
    for (size_t i = 0; i < size; i++)
        if (sieve_pass(sieve, (uint8_t)text[i], error) < 0)
            return -1;
    return 0;
}

/* ---- a URL ---- */

/* The characters for which "\/", "\u0026" and the like stand, in place; what is none of ASCII becomes "?". */
static size_t unescape(char *text, size_t size)
{
    size_t to = 0;
    for (size_t at = 0; at < size; at++) {
        char byte = text[at];
        if (byte == '\\' && at + 1 < size) {
            byte = text[++at];
            if (byte == 'u' && at + 4 < size) {
                int value = 0;
                for (int i = 0; i < 4; i++)
                    value = value * 16 + (hex_digit(text[at + 1 + (size_t)i]) & 15);
                byte = value < 0x80 ? (char)value : '?';
                at += 4;
            }
        }
        text[to++] = byte;
    }
    return to;
}

/* The cursor of a next page, decoded; "" when it is none. */
static void keep_cursor(struct sieve *sieve, const char *value, size_t size)
{
    char *cursor = sieve->found.cursor;
    size_t to = 0;
    for (size_t at = 0; at < size && to < SIEVE_CURSOR_MAX - 1; at++) {
        char byte = value[at];
        int decoded = percent_byte(value + at, size - at);
        if (decoded >= 0) {
            byte = (char)decoded;
            at += 2;
        }
        cursor[to++] = byte;
    }
    cursor[to] = '\0';
    if (strspn(cursor, CURSOR_ALPHABET) != to || to == SIEVE_CURSOR_MAX - 1)
        cursor[0] = '\0';
}

static bool is_cursor(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++)
        if (strlen(cursors[i]) == size && memcmp(cursors[i], name, size) == 0)
            return true;
    return false;
}

/* One "name=value" of the query, which comes out when it is a cursor. */
static int put_parameter(struct sieve *sieve, const char *text, size_t size, bool *first,
                         struct error *error)
{
    const char *equals = memchr(text, '=', size);
    size_t name = equals ? (size_t)(equals - text) : size;
    if (!equals || !is_cursor(text, name))
        return 0;
    for (size_t i = name; i < size; i++)
        if (text[i] == '\0' || !strchr(CURSOR_ALPHABET "%", text[i]))
            return 0;
    const struct paging *paging = &sieve->state->paging;
    if (paging->is_next && paging->in_paging && paging->depth == 2 && name == strlen("after") &&
        memcmp(text, "after", name) == 0)
        keep_cursor(sieve, equals + 1, size - name - 1);
    if (!*first && put_text(sieve, "&", 1, error) < 0)
        return -1;
    *first = false;
    return put_text(sieve, text, size, error);
}

static int put_cursors(struct sieve *sieve, const char *url, size_t size, struct error *error)
{
    const char *end = url + size, *at = memchr(url, '?', size);
    bool first = true;
    while (at && at < end) {
        const char *from = at + 1;
        at = from < end ? memchr(from, '&', (size_t)(end - from)) : NULL;
        if (put_parameter(sieve, from, (size_t)((at ? at : end) - from), &first, error) < 0)
            return -1;
    }
    return 0;
}

/* The value of "next" or "previous" is in hand: a URL, or some other text that passes. */
static int put_captured(struct sieve *sieve, struct error *error)
{
    char *text = (char *)(uintptr_t)secret_data(sieve->url);
    size_t size = secret_size(sieve->url);
    int result;
    if (sieve->state->paging.too_long) {
        result = put_text(sieve, SIEVE_MARK, strlen(SIEVE_MARK), error);
    } else if (size >= 4 && memcmp(text, "http", 4) == 0) {
        result = put_cursors(sieve, text, unescape(text, size), error);
    } else {
        result = put_text(sieve, text, size, error);
    }
    /* The cursor goes to the front, too: of a URL that is not passed on whole, nothing goes. */
    if (sieve->state->dropping)
        sieve->found.cursor[0] = '\0';
    secret_clear(sieve->url);
    return result;
}

/* ---- JSON ---- */

static bool was(const struct paging *paging, const char *text)
{
    return paging->size == strlen(text) && memcmp(paging->text, text, paging->size) == 0;
}

static int begin_string(struct sieve *sieve, struct error *error)
{
    struct paging *paging = &sieve->state->paging;
    paging->in_string = true;
    paging->escaped = paging->too_long = false;
    paging->capturing = paging->awaits_value && (paging->is_next || paging->is_other);
    paging->size = 0;
    return sieve_pass(sieve, '"', error);
}

static int end_string(struct sieve *sieve, struct error *error)
{
    struct paging *paging = &sieve->state->paging;
    paging->in_string = false;
    if (paging->capturing && put_captured(sieve, error) < 0)
        return -1;
    paging->capturing = false;
    return sieve_pass(sieve, '"', error);
}

static int capture(struct sieve *sieve, uint8_t byte, struct error *error)
{
    size_t room;
    (void)secret_room(sieve->url, &room);
    if (room == 0)
        sieve->state->paging.too_long = true;
    return room == 0 ? 0 : secret_append(sieve->url, &byte, 1, error);
}

static int push_in_string(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct paging *paging = &sieve->state->paging;
    if (byte == '"' && !paging->escaped)
        return end_string(sieve, error);
    paging->escaped = byte == '\\' && !paging->escaped;
    if (paging->size < sizeof(paging->text))
        paging->text[paging->size] = (char)byte;
    paging->size++;
    return paging->capturing ? capture(sieve, byte, error) : sieve_pass(sieve, byte, error);
}

static void note_structure(struct paging *paging, uint8_t byte)
{
    switch (byte) {
    case ':':
        paging->awaits_value = true;
        paging->is_next = was(paging, "next");
        paging->is_other = was(paging, "previous");
        paging->is_paging = was(paging, "paging");
        return;
    case '{':
    case '[':
        paging->depth++;
        if (paging->depth == 2)
            paging->in_paging = byte == '{' && paging->awaits_value && paging->is_paging;
        break;
    case '}':
    case ']':
        paging->depth -= paging->depth > 0;
        break;
    case ',':
        break;
    default:
        return;
    }
    paging->awaits_value = false;
}

int paging_push(struct sieve *sieve, uint8_t byte, struct error *error)
{
    struct paging *paging = &sieve->state->paging;
    if (paging->in_string)
        return push_in_string(sieve, byte, error);
    if (byte == '"')
        return begin_string(sieve, error);
    note_structure(paging, byte);
    return sieve_pass(sieve, byte, error);
}

/* Cut off inside a URL: what is in hand may hold half a token. */
int paging_end(struct sieve *sieve, struct error *error)
{
    struct paging *paging = &sieve->state->paging;
    if (!paging->capturing)
        return 0;
    paging->too_long = true;
    paging->capturing = false;
    return put_captured(sieve, error);
}
