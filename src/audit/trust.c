/*
 * trust.c: the trust file.  It is the root of trust and small: one line that cannot be understood
 * refuses all of it, also when the line is about another vault.
 */
#include "p11vault/audit/checkpoint.h"

#include <stdbool.h>
#include <string.h>

#include "internal.h"

static bool is_same(const struct note_key *key, const struct note_key *other)
{
    return key->type == other->type && key->spki_size == other->spki_size &&
           memcmp(key->spki, other->spki, key->spki_size) == 0;
}

bool trust_has(const struct trust *trust, const struct note_key *key)
{
    for (size_t i = 0; i < trust->count; i++)
        if (is_same(&trust->keys[i], key))
            return trust->until[i] == 0;
    return false;
}

int trust_parse_line(const char *line, size_t size, struct note_key *ret_key, uint64_t *ret_until,
                     struct error *error)
{
    static const char word[] = " until ";
    char vkey[NOTE_VKEY_MAX] = "";
    uint64_t until = 0;
    const char *limit = memmem(line, size, word, sizeof(word) - 1);
    size_t vkey_size = limit ? (size_t)(limit - line) : size;
    if (vkey_size >= sizeof(vkey) || memchr(line, '\0', size) != NULL)
        return error_set(error, CODE_CONFIG, "not a verifier key");
    if (limit) {
        const char *digits = limit + sizeof(word) - 1;
        if (!checkpoint_read_size(digits, (size_t)(line + size - digits), &until) || until == 0)
            return error_set(error, CODE_CONFIG, "no number of entries behind 'until'");
    }
    memcpy(vkey, line, vkey_size);
    if (note_key_parse(vkey, ret_key, error) < 0)
        return -1;
    *ret_until = until;
    return 0;
}

/* One line without its LF; a key that stands there twice, to sign in the same way, is one key, which counts no further than either line says. */
static int take_line(struct trust *trust, const char *line, size_t size, const char *origin,
                     struct error *error)
{
    struct note_key key;
    uint64_t until;
    if (size == 0 || line[0] == '#')
        return 0;
    if (trust_parse_line(line, size, &key, &until, error) < 0)
        return -1;
    if (strcmp(key.name, origin) != 0)
        return 0;
    size_t place = 0;
    while (place < trust->count && !is_same(&trust->keys[place], &key))
        place++;
    if (place == TRUST_KEYS_MAX)
        return error_set(error, CODE_CONFIG, "more than %d keys for one vault", TRUST_KEYS_MAX);
    uint64_t *known = &trust->until[place];
    if (place == trust->count) {
        trust->keys[trust->count++] = key;
        *known = until;
    } else if (until > 0 && (*known == 0 || until < *known)) {
        *known = until;
    }
    return 0;
}

int trust_parse(const char *text, size_t size, const char *origin, struct trust *ret_trust,
                struct error *error)
{
    struct trust trust = {.count = 0};
    if (size > TRUST_FILE_MAX)
        return error_set(error, CODE_CONFIG, "more than %zu bytes", TRUST_FILE_MAX);
    const char *line = text;
    const char *end = text + size;
    for (size_t number = 1; line < end; number++) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL)
            line_end = end;
        if (take_line(&trust, line, (size_t)(line_end - line), origin, error) < 0) {
            error->code = CODE_CONFIG;
            return error_prefix(error, "line %zu", number);
        }
        line = line_end == end ? end : line_end + 1;
    }
    *ret_trust = trust;
    return 0;
}
