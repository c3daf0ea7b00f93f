/*
 * The signed head of the log, in the store and beside the trust file, where a writer of the store cannot reach.
 */
#include "p11vault/vault/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p11vault/base/log.h"
#include "p11vault/vault/lost.h"
#include "tree.h"

void signed_head_clear(struct signed_head *head)
{
    buffer_clear(&head->note);
}

int vault_signed_head(struct vault *vault, struct signed_head *ret_head, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    uint64_t size;
    if (store_checkpoint_newest(vault->store, &size, &head.note, error) < 0)
        return -1;
    if (size > 0 || head.note.size > 0) {
        if (checkpoint_verify(buffer_text(&head.note), vault->origin, &vault->trust,
                              &head.checkpoint, NULL, error) < 0)
            return error_prefix(error, "checkpoint %llu", (unsigned long long)size);
        uint64_t entries;
        if (store_log_size(vault->store, &entries, error) < 0)
            return -1;
        if (head.checkpoint.size != size)
            return error_set(error, CODE_LOG, "checkpoint %llu: its note is for %llu entries",
                             (unsigned long long)size, (unsigned long long)head.checkpoint.size);
        if (size > entries)
            return error_set(error, CODE_LOG, "checkpoint %llu: the log has only %llu entries",
                             (unsigned long long)size, (unsigned long long)entries);
    }
    *ret_head = head;
    head.note = BUFFER_UP_TO(0);
    return 0;
}

/* ---- beside the trust file ---- */

static int seen_path(struct vault *vault, char **ret_path, struct error *error)
{
    if (asprintf(ret_path, "%s.%s.head", vault->config->trust, store_vault_id(vault->store)) < 0)
        return error_memory(error);
    return 0;
}

int vault_check_note(struct vault *vault, const struct trust *trust, const char *note,
                     uint64_t size, struct error *error)
{
    struct checkpoint checkpoint;
    struct digest root;
    uint64_t entries;
    if (checkpoint_verify(note, vault->origin, trust, &checkpoint, NULL, error) < 0 ||
        store_log_size(vault->store, &entries, error) < 0)
        return -1;
    if (checkpoint.size != size || size > entries)
        return error_set(error, CODE_LOG, "it is not for the %llu entries that were told",
                         (unsigned long long)size);
    if (vault_root(vault, size, &root, error) < 0)
        return -1;
    return digest_equal(&root, &checkpoint.root)
               ? 0
               : error_set(error, CODE_LOG, "it is for another log than ours");
}

/* Two processes may keep theirs in either order: the newer one stays. */
static bool seen_newer(struct vault *vault, uint64_t size)
{
    struct error ignored;
    struct checkpoint seen;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    return vault_seen_head(vault, &note, &ignored) == 0 && note.size > 0 &&
           checkpoint_verify(buffer_text(&note), vault->origin, &vault->trust, &seen, NULL,
                             &ignored) == 0 &&
           seen.size > size && !vault_names_lost(vault, &seen);
}

/* What is signed counts, also where the file elsewhere cannot be written any more: it lags then. */
static void keep_far(struct vault *vault, const char *note, uint64_t size)
{
    struct error failure;
    if (vault_keep_far(vault, note, size, &failure) < 0)
        log_info("the anchor elsewhere stays as it is: %s", failure.text);
}

int vault_keep_checkpoint(struct vault *vault, const char *note, uint64_t size,
                          const struct store_app *row, struct error *error)
{
    auto_free char *path = NULL;
    auto_change struct store *change = vault->store;
    if (seen_path(vault, &path, error) < 0 || store_begin(change, error) < 0)
        return -1;
    /* Inside the change nobody else writes the file either; what it names are entries that are there already. */
    if (vault_check_note(vault, &vault->trust, note, size, error) < 0 ||
        store_checkpoint_put(change, size, note, error) < 0 ||
        (row && store_app_put(change, row, error) < 0) ||
        (!seen_newer(vault, size) && buffer_write_file(path, note, strlen(note), 0600, error) < 0))
        return error_prefix(error, "keep the checkpoint");
    keep_far(vault, note, size);
    return store_commit(change, error) < 0 ? error_prefix(error, "keep the checkpoint") : 0;
}

int vault_seen_head(struct vault *vault, struct buffer *ret_note, struct error *error)
{
    auto_free char *path = NULL;
    if (seen_path(vault, &path, error) < 0)
        return -1;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    return buffer_read_file(path, NOTE_MAX, FILE_TRUSTED, ret_note, error);
}

static int rolled_back(const struct checkpoint *seen, struct error *error)
{
    error_set(error, CODE_LOG,
              "the store was rolled back or replaced: it does not contain checkpoint %llu, which "
              "this machine has seen",
              (unsigned long long)seen->size);
    return error_hint(error, ROLLED_BACK_HINT);
}

static int forked(const struct checkpoint *seen, struct error *error)
{
    error_set(
        error, CODE_LOG,
        "the log was forked: its first %llu entries are not those of the checkpoint which this "
        "machine has seen",
        (unsigned long long)seen->size);
    return error_hint(
        error, "two copies of one store were used: go on with the one that this machine has seen");
}

static int check_directory_of(const char *file, const char *what, struct error *error)
{
    const char *slash = strrchr(file, '/');
    auto_free char *directory = slash ? strndup(file, (size_t)(slash - file + 1)) : strdup(".");
    if (!directory)
        return error_memory(error);
    if (access(directory, W_OK) == 0 || errno == ENOENT)
        return 0;
    return error_errno(error, CODE_CONFIG, "directory of %s '%s'", what, file);
}

/* The newest head is kept beside the trust file once a card has signed: that this will work is known before. */
int vault_check_head_writable(struct vault *vault, struct error *error)
{
    const struct config *config = vault->config;
    if (check_directory_of(config->trust, "the trust file", error) < 0)
        return -1;
    return config->anchor ? check_directory_of(config->anchor, "the anchor", error) : 0;
}

int vault_check_seen(struct vault *vault, struct error *error)
{
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct checkpoint seen;
    auto_buffer struct buffer newest = BUFFER_UP_TO(NOTE_MAX);
    uint64_t entries, size;
    bool contains;
    if (vault_seen_head(vault, &note, error) < 0)
        return -1;
    if (note.size == 0)
        return vault_check_far(vault, error);
    if (checkpoint_verify(buffer_text(&note), vault->origin, &vault->trust, &seen, NULL, error) < 0)
        return error_prefix(error, "the newest head seen on this machine");
    if (vault_contains(vault, &seen, &contains, error) < 0 ||
        store_log_size(vault->store, &entries, error) < 0 ||
        store_checkpoint_newest(vault->store, &size, &newest, error) < 0)
        return -1;
    /* An older store may have grown since by runs that were refused: what was signed tells. */
    if (!contains && !vault_names_lost(vault, &seen))
        return entries < seen.size || size < seen.size ? rolled_back(&seen, error)
                                                       : forked(&seen, error);
    return vault_check_far(vault, error);
}

int vault_check_same_log(struct vault *vault, const struct checkpoint *other, struct error *error)
{
    uint64_t entries;
    struct digest root;
    if (store_log_size(vault->store, &entries, error) < 0)
        return -1;
    if (other->size > entries)
        return error_set(error, CODE_LOG, "it has %llu entries where this log has only %llu",
                         (unsigned long long)other->size, (unsigned long long)entries);
    if (vault_root(vault, other->size, &root, error) < 0)
        return -1;
    return digest_equal(&root, &other->root)
               ? 0
               : error_set(error, CODE_LOG,
                           "the log was forked: it has other entries than this one");
}
