/*
 * The trust file of an open vault: read, and changed when a card comes or goes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/vault/vault.h"

int vault_trust_read(struct vault *vault, struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
    memset(&vault->trust, 0, sizeof(vault->trust));
    if (access(vault->config->trust, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (buffer_read_file(vault->config->trust, TRUST_FILE_MAX, FILE_TRUSTED, &text, error) < 0 ||
        trust_parse(buffer_text(&text), text.size, vault->origin, &vault->trust, error) < 0)
        return error_prefix(error, "trust file");
    return 0;
}

bool vault_trusts(const struct vault *vault, const char *vkey)
{
    struct error ignored;
    struct note_key key;
    return vkey && note_key_parse(vkey, &key, &ignored) == 0 && trust_has(&vault->trust, &key);
}

int vault_make_trust_directory(const struct config *config, struct error *error)
{
    const char *path = config->trust;
    const char *slash = strrchr(path, '/');
    auto_free char *directory = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!directory)
        return error_memory(error);
    return *directory ? directory_make(directory, error) : 0;
}

/* ---- changing a key's line ---- */

static bool is_of(const char *line, size_t size, const struct note_key *key)
{
    struct error ignored;
    struct note_key found;
    uint64_t until;
    return size > 0 && *line != '#' &&
           trust_parse_line(line, size, &found, &until, &ignored) == 0 &&
           strcmp(found.name, key->name) == 0 && found.type == key->type &&
           found.spki_size == key->spki_size && memcmp(found.spki, key->spki, key->spki_size) == 0;
}

/* The text with this line for a key, in the place of its first one or at the end; what else stands there stays. */
static int with_line(const struct buffer *text, const struct note_key *key, const char *own,
                     struct buffer *ret_text, struct error *error)
{
    const char *line = buffer_text(text);
    const char *end = line + text->size;
    bool is_there = false;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        bool is_own = is_of(line, size, key);
        if (is_own && !is_there && buffer_put_format(ret_text, error, "%s\n", own) < 0)
            return -1;
        if (!is_own && (buffer_put(ret_text, line, size, error) < 0 ||
                        buffer_put_text(ret_text, "\n", error) < 0))
            return -1;
        is_there = is_there || is_own;
        line = stop ? stop + 1 : end;
    }
    return is_there ? 0 : buffer_put_format(ret_text, error, "%s\n", own);
}

static int write_line(struct vault *vault, const struct note_key *key, const char *own,
                      struct error *error)
{
    const char *path = vault->config->trust;
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
    auto_buffer struct buffer changed = BUFFER_UP_TO(TRUST_FILE_MAX);
    if (access(path, F_OK) == 0) {
        if (buffer_read_file(path, TRUST_FILE_MAX, FILE_TRUSTED, &text, error) < 0)
            return error_prefix(error, "trust file");
    } else if (buffer_put_text(&text, "# Checkpoint keys of this user's vaults, one a line.\n",
                               error) < 0) {
        return -1;
    }
    if (vault_make_trust_directory(vault->config, error) < 0 ||
        with_line(&text, key, own, &changed, error) < 0 ||
        buffer_write_file(path, changed.data, changed.size, 0600, error) < 0)
        return error_prefix(error, "trust file");
    return vault_trust_read(vault, error);
}

/* A line that cannot be read, or one too many, would spoil the file for every vault. */
static int check_key(const struct vault *vault, const char *vkey, struct note_key *ret_key,
                     struct error *error)
{
    if (note_key_parse(vkey, ret_key, error) < 0)
        return error_prefix(error, "trust file");
    return strcmp(ret_key->name, vault->origin) == 0
               ? 0
               : error_set(error, CODE_LOG, "trust file: the key is named for another vault");
}

static size_t place_of(const struct trust *trust, const struct note_key *key)
{
    size_t i = 0;
    while (i < trust->count &&
           (trust->keys[i].type != key->type || trust->keys[i].spki_size != key->spki_size ||
            memcmp(trust->keys[i].spki, key->spki, key->spki_size) != 0))
        i++;
    return i;
}

int vault_trust_add(struct vault *vault, const char *vkey, struct error *error)
{
    struct note_key key;
    if (vault_trusts(vault, vkey))
        return 0;
    if (check_key(vault, vkey, &key, error) < 0)
        return -1;
    if (place_of(&vault->trust, &key) == TRUST_KEYS_MAX)
        return error_set(error, CODE_CONFIG, "trust file: more than %d keys for one vault",
                         TRUST_KEYS_MAX);
    return write_line(vault, &key, vkey, error);
}

int vault_trust_end(struct vault *vault, const char *vkey, uint64_t size, struct error *error)
{
    char line[NOTE_VKEY_MAX + 32];
    struct note_key key;
    if (check_key(vault, vkey, &key, error) < 0)
        return -1;
    size_t place = place_of(&vault->trust, &key);
    if (place == vault->trust.count ||
        (vault->trust.until[place] > 0 && vault->trust.until[place] <= size))
        return 0;
    (void)snprintf(line, sizeof(line), "%s until %llu", vkey, (unsigned long long)size);
    return write_line(vault, &key, line, error);
}
