/*
 * paging.c: the URLs of a list's neighbours hold the access token.  In their place stand the
 * parameters of the URL: what a next call needs as fields, and nothing that leads elsewhere.
 */
#include <string.h>

#include "internal.h"

/*
 * What may stand in a parameter, encoded as it is; neither what ends a string of JSON nor the
 * parameter.
 */
#define PARAMETER_ALPHABET                                                                         \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"                               \
    "-._~!$'()*+,;:@/?%=[]{}|"
#define PATH_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:@/%"

struct neighbour {
    struct sieve *sieve;
    struct sieve_next *next; /* what is to be followed, or NULL */
    size_t size;             /* of its parameters */
    bool is_whole, is_first;
};

/* In place: the URL stood in a string of JSON. */
static size_t unescape(uint8_t *text, size_t size)
{
    struct unescape unescape = {0};
    uint8_t bytes[UNESCAPED_MAX];
    size_t to = 0;
    for (size_t at = 0; at < size; at++) {
        size_t count = unescape_push(&unescape, text[at], bytes);
        for (size_t i = 0; i < count && to <= at; i++)
            text[to++] = bytes[i];
    }
    return to;
}

static bool all_of(const char *text, size_t size, const char *alphabet)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0' || !strchr(alphabet, text[i]))
            return false;
    return true;
}

/* Shown, and kept for who follows. */
static int put(struct neighbour *neighbour, const char *text, size_t size, struct error *error)
{
    struct sieve_next *next = neighbour->next;
    if (next && neighbour->size + size < sizeof(next->parameters))
        memcpy(next->parameters + neighbour->size, text, size);
    else
        neighbour->is_whole = false;
    neighbour->size += size;
    return sieve_pass_text(neighbour->sieve, text, size, error);
}

/* "NAME=VALUE"; the token and its like are left out, and whoever calls again adds them. */
static int put_parameter(struct neighbour *neighbour, const char *text, size_t size,
                         struct error *error)
{
    const char *equals = memchr(text, '=', size);
    struct tail tail = {0};
    for (const char *at = text; at < (equals ? equals : text + size); at++)
        tail_push(&tail, (uint8_t)*at);
    if (size == 0 || tail_names_secret(&tail) > 0 || tail_is(&tail, "appsecrettime"))
        return 0;
    if (!all_of(text, size, PARAMETER_ALPHABET)) {
        neighbour->is_whole = false;
        return 0;
    }
    if (!neighbour->is_first && put(neighbour, "&", 1, error) < 0)
        return -1;
    neighbour->is_first = false;
    return put(neighbour, text, size, error);
}

/* The path behind scheme and host. */
static void keep_path(struct neighbour *neighbour, const char *url, size_t size)
{
    const char *host = memmem(url, size, "://", 3);
    const char *path = host ? memchr(host + 3, '/', size - (size_t)(host + 3 - url)) : NULL;
    size_t length = path ? size - (size_t)(path - url) : 0;
    struct sieve_next *next = neighbour->next;
    if (length == 0 || length >= sizeof(next->path) || !all_of(path, length, PATH_ALPHABET)) {
        neighbour->is_whole = false;
        return;
    }
    memcpy(next->path, path, length);
    next->path[length] = '\0';
}

static int put_url(struct neighbour *neighbour, const char *url, size_t size, struct error *error)
{
    const char *end = url + size, *at = memchr(url, '?', size);
    if (neighbour->next)
        keep_path(neighbour, url, (size_t)((at ? at : end) - url));
    while (at && at < end) {
        const char *from = at + 1;
        at = memchr(from, '&', (size_t)(end - from));
        if (put_parameter(neighbour, from, (size_t)((at ? at : end) - from), error) < 0)
            return -1;
    }
    return 0;
}

static int put_text(struct neighbour *neighbour, bool is_too_long, struct error *error)
{
    struct sieve *sieve = neighbour->sieve;
    uint8_t *text = (uint8_t *)(uintptr_t)secret_data(sieve->url);
    size_t size = secret_size(sieve->url);
    if (!is_too_long && size >= 4 && memcmp(text, "http", 4) == 0)
        return put_url(neighbour, (const char *)text, unescape(text, size), error);
    neighbour->is_whole = false;
    if (is_too_long)
        return sieve_pass_text(sieve, SIEVE_MARK, strlen(SIEVE_MARK), error);
    return sieve_pass_text(sieve, (const char *)text, size, error);
}

int paging_put(struct sieve *sieve, bool is_own_next, struct error *error)
{
    struct sieve_found *found = &sieve->found;
    struct neighbour neighbour = {.sieve = sieve,
                                  .next = is_own_next ? &found->next : NULL,
                                  .is_whole = true,
                                  .is_first = true};
    size_t before = found->known + found->alike;
    int result = put_text(&neighbour, sieve->state->members.too_long, error);
    if (is_own_next) {
        found->has_next = secret_size(sieve->url) > 0;
        /* It goes to the front, too: of a URL that is not passed on whole, nothing goes. */
        bool is_clean = neighbour.is_whole && found->known + found->alike == before;
        found->next.parameters[is_clean ? neighbour.size : 0] = '\0';
    }
    secret_clear(sieve->url);
    return result;
}
