/*
 * Heads that were seen and are not in the store, and the entry by which the log goes on without them.
 */
#include "p11vault/vault/lost.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

int vault_contains(struct vault *vault, const struct checkpoint *head, bool *ret_contains,
                   struct error *error)
{
    uint64_t entries;
    struct digest root;
    if (store_log_size(vault->store, &entries, error) < 0)
        return -1;
    if (head->size > entries) {
        *ret_contains = false;
        return 0;
    }
    if (vault_root(vault, head->size, &root, error) < 0)
        return -1;
    *ret_contains = digest_equal(&root, &head->root);
    return 0;
}

/* What cannot be proved is not believed. */
bool vault_names_lost(struct vault *vault, const struct checkpoint *lost)
{
    struct error ignored;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_json json_t *entry = NULL;
    char root[DIGEST_HEX_SIZE];
    uint64_t index;
    bool found;
    digest_hex(&lost->root, root);
    if (store_entry_newest(vault->store, entry_type_name(ENTRY_RESTORED), root, &index, &found,
                           &ignored) < 0 ||
        !found || vault_signed_head(vault, &head, &ignored) < 0 ||
        vault_signed_entry(vault, &head, index, ENTRY_RESTORED, &entry, &ignored) < 0)
        return false;
    return strcmp(json_text(entry, "vault"), store_vault_id(vault->store)) == 0 &&
           strcmp(json_text(entry, "root"), root) == 0 &&
           json_number(entry, "size", -1) == (int64_t)lost->size;
}

static int take_lost(struct vault *vault, const struct buffer *note, const char *seen,
                     struct vault_lost *lost, size_t *count, struct error *error)
{
    struct checkpoint head;
    bool contains;
    if (note->size == 0)
        return 0;
    if (checkpoint_verify(buffer_text(note), vault->origin, &vault->trust, &head, NULL, error) < 0)
        return error_prefix(error, "the newest head seen by %s",
                            strcmp(seen, "machine") == 0 ? "this machine" : vault->config->anchor);
    if (vault_contains(vault, &head, &contains, error) < 0)
        return -1;
    if (!contains && !vault_names_lost(vault, &head))
        lost[(*count)++] = (struct vault_lost){head, seen};
    return 0;
}

int vault_find_lost(struct vault *vault, struct vault_lost ret_lost[LOST_MAX], size_t *ret_count,
                    struct error *error)
{
    auto_buffer struct buffer near = BUFFER_UP_TO(NOTE_MAX);
    auto_buffer struct buffer far = BUFFER_UP_TO(NOTE_MAX);
    size_t count = 0;
    if (vault_seen_head(vault, &near, error) < 0 || vault_far_head(vault, &far, error) < 0 ||
        take_lost(vault, &near, "machine", ret_lost, &count, error) < 0 ||
        take_lost(vault, &far, "file", ret_lost, &count, error) < 0)
        return -1;
    *ret_count = count;
    return 0;
}

int vault_append_lost(struct vault *vault, const struct vault_lost *lost, const char *card,
                      const char *use, struct error *error)
{
    char root[DIGEST_HEX_SIZE];
    uint64_t index;
    digest_hex(&lost->head.root, root);
    json_t *members =
        json_pack("{s:s, s:I, s:s, s:s, s:s*, s:s}", "vault", store_vault_id(vault->store), "size",
                  (json_int_t)lost->head.size, "root", root, "seen", lost->seen, "card",
                  strcmp(lost->seen, "card") == 0 ? card : NULL, "use", use);
    return vault_append(vault, ENTRY_RESTORED, root, members, &index, error);
}

/* ---- the file elsewhere ---- */

int vault_far_head(struct vault *vault, struct buffer *ret_note, struct error *error)
{
    const char *path = vault->config->anchor;
    if (!path)
        return 0;
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        auto_free char *directory = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
        if (!directory)
            return error_memory(error);
        if (access(directory, F_OK) == 0)
            return 0;
        error_errno(error, CODE_CONFIG, "directory of the anchor '%s'", path);
        return error_hint(error, "mount it, or make it; without it an older store is not noticed");
    }
    return buffer_read_file(path, NOTE_MAX, FILE_TRUSTED, ret_note, error);
}

int vault_check_far(struct vault *vault, struct error *error)
{
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct vault_lost lost[LOST_MAX];
    size_t count = 0;
    if (!vault->config->anchor)
        return 0;
    if (vault_far_head(vault, &note, error) < 0 ||
        take_lost(vault, &note, "file", lost, &count, error) < 0)
        return -1;
    if (count == 0)
        return 0;
    error_set(error, CODE_LOG,
              "the store was rolled back or replaced: it does not contain checkpoint %llu, which "
              "stands in '%s'",
              (unsigned long long)lost[0].head.size, vault->config->anchor);
    return error_hint(error, ROLLED_BACK_HINT);
}

int vault_keep_far(struct vault *vault, const char *note, uint64_t size, struct error *error)
{
    auto_buffer struct buffer old = BUFFER_UP_TO(NOTE_MAX);
    struct checkpoint head;
    if (!vault->config->anchor)
        return 0;
    if (vault_far_head(vault, &old, error) < 0)
        return -1;
    if (old.size > 0 &&
        checkpoint_verify(buffer_text(&old), vault->origin, &vault->trust, &head, NULL, error) < 0)
        return error_prefix(error, "'%s'", vault->config->anchor);
    if (old.size > 0 && head.size >= size && !vault_names_lost(vault, &head))
        return 0;
    return buffer_write_file(vault->config->anchor, note, strlen(note), 0600, error);
}
