/*
 * trust.c: the trust file.  It is the root of trust and small: one line that cannot be understood
 * refuses all of it, also when the line is about another vault.
 */
#include "p11vault/audit/checkpoint.h"

#include <stdbool.h>
#include <string.h>

static bool is_known(const struct trust *trust, const struct note_key *key)
{
    for (size_t i = 0; i < trust->count; i++) {
        const struct note_key *known = &trust->keys[i];
        if (known->type == key->type && known->spki_size == key->spki_size &&
            memcmp(known->spki, key->spki, key->spki_size) == 0)
            return true;
    }
    return false;
}

/* One line without its LF; a key that stands there twice is one key, but for one that signs in two ways. */
static int take_line(struct trust *trust, const char *line, size_t size, const char *origin,
                     struct error *error)
{
    char vkey[NOTE_VKEY_MAX] = "";
    struct note_key key;
    if (size == 0 || line[0] == '#')
        return 0;
    if (size >= sizeof(vkey) || memchr(line, '\0', size) != NULL)
        return error_set(error, CODE_CONFIG, "not a verifier key");
    memcpy(vkey, line, size);
    if (note_key_parse(vkey, &key, error) < 0)
        return -1;
    if (strcmp(key.name, origin) != 0 || is_known(trust, &key))
        return 0;
    if (trust->count == TRUST_KEYS_MAX)
        return error_set(error, CODE_CONFIG, "more than %d keys for one vault", TRUST_KEYS_MAX);
    trust->keys[trust->count++] = key;
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
