/*
 * known.c: reading the log once, and remembering what it said of records, uses and cards.
 */
#include "known.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/log.h"
#include "tree.h"

/* So many entries are read again at each use; more, and what was found is kept. */
#define READ_AGAIN 4096
#define FILE_MAX ((size_t)64 << 20)
#define FILE_FORMAT 2

struct vault_known {
    struct merkle_frontier frontier; /* of the entries that were read */
    json_t *records;                 /* "NAME VERSION" → index of the newest entry about it */
    json_t *uses;                    /* with an intent and no outcome yet → index of the intent */
    json_t *cards;                   /* indexes of all entries by which one was enrolled */
    json_t *removals;                /* and removed */
    uint64_t kept;                   /* entries that the file covers */
    uint64_t proved;                 /* size of the head that was met on the way */
};

void vault_known_free(struct vault_known *known)
{
    if (!known)
        return;
    json_decref(known->records);
    json_decref(known->uses);
    json_decref(known->cards);
    json_decref(known->removals);
    free(known);
}
DEFINE_CLEANUP(struct vault_known, vault_known_free);

/* ---- the file ---- */

static int file_path(const struct vault *vault, char **ret_path, struct error *error)
{
    if (asprintf(ret_path, "%s.%s.records", vault->config->trust, store_vault_id(vault->store)) < 0)
        return error_memory(error);
    return 0;
}

/* Fails when there is no file, or it is about another log than this: then everything is read. */
static int read_file(struct vault *vault, const struct signed_head *head, struct vault_known *known)
{
    struct error ignored;
    auto_free char *path = NULL;
    auto_buffer struct buffer text = BUFFER_UP_TO(FILE_MAX);
    auto_json json_t *file = NULL;
    struct digest root, kept;
    if (file_path(vault, &path, &ignored) < 0 || access(path, F_OK) < 0 ||
        buffer_read_file(path, FILE_MAX, FILE_TRUSTED, &text, &ignored) < 0 ||
        json_parse(buffer_text(&text), text.size, "known records", &file, &ignored) < 0)
        return -1;
    int64_t size = json_number(file, "size", -1);
    const char *hex = json_text(file, "root");
    json_t *records = json_object_get(file, "records");
    json_t *uses = json_object_get(file, "uses");
    json_t *cards = json_object_get(file, "cards");
    json_t *removals = json_object_get(file, "removals");
    if (json_number(file, "v", 0) != FILE_FORMAT || size < 1 ||
        (uint64_t)size > head->checkpoint.size || !hex || !digest_parse(hex, &kept) ||
        !json_is_object(records) || !json_is_object(uses) || !json_is_array(cards) ||
        !json_is_array(removals) ||
        merkle_load((uint64_t)size, vault_read_node, vault, &known->frontier, &ignored) < 0)
        return -1;
    root = merkle_root(&known->frontier);
    if (!digest_equal(&root, &kept))
        return -1;
    known->records = json_incref(records);
    known->uses = json_incref(uses);
    known->cards = json_incref(cards);
    known->removals = json_incref(removals);
    known->kept = (uint64_t)size;
    return 0;
}

/* What cannot be kept is read again next time. */
static void write_file(struct vault *vault, const struct signed_head *head,
                       struct vault_known *known)
{
    struct error ignored;
    char hex[DIGEST_HEX_SIZE];
    auto_free char *path = NULL;
    auto_free char *text = NULL;
    digest_hex(&head->checkpoint.root, hex);
    auto_json json_t *file =
        json_pack("{s:i, s:I, s:s, s:O, s:O, s:O, s:O}", "v", FILE_FORMAT, "size",
                  (json_int_t)head->checkpoint.size, "root", hex, "records", known->records, "uses",
                  known->uses, "cards", known->cards, "removals", known->removals);
    if (!file || json_canonical(file, &text, &ignored) < 0 ||
        file_path(vault, &path, &ignored) < 0 ||
        buffer_write_file(path, text, strlen(text), 0600, &ignored) < 0)
        return;
    known->kept = head->checkpoint.size;
    log_info("read %llu entries: what they say of records is kept",
             (unsigned long long)known->kept);
}

/* ---- reading on ---- */

struct reading {
    struct vault *vault;
    const struct signed_head *head;
    struct vault_known *known;
};

static int note_record(struct vault_known *known, uint64_t index, const struct entry_view *view,
                       struct error *error)
{
    struct entry_part name = entry_view_text(view, "name");
    struct entry_part version = entry_view_get(view, "version");
    struct entry_part state = entry_view_text(view, "state");
    auto_free char *key = NULL;
    if (asprintf(&key, "%.*s %.*s", (int)name.size, name.text, (int)version.size, version.text) < 0)
        return error_memory(error);
    if (!entry_part_is(state, "current") && !entry_part_is(state, "pending")) {
        (void)json_object_del(known->records, key);
        return 0;
    }
    return json_object_set_new(known->records, key, json_integer((json_int_t)index)) < 0
               ? error_memory(error)
               : 0;
}

static int note_use(struct vault_known *known, uint64_t index, const struct entry_view *view,
                    struct error *error)
{
    char use[USE_SIZE] = "";
    struct entry_part part = entry_view_text(view, "use");
    if (part.size != USE_SIZE - 1)
        return 0;
    memcpy(use, part.text, part.size);
    if (view->type == ENTRY_OUTCOME)
        (void)json_object_del(known->uses, use);
    else if (json_object_set_new(known->uses, use, json_integer((json_int_t)index)) < 0)
        return error_memory(error);
    return 0;
}

static int note_entry(struct vault_known *known, uint64_t index, const struct entry_view *view,
                      struct error *error)
{
    if (view->type == ENTRY_SEAL || view->type == ENTRY_STATE)
        return note_record(known, index, view, error);
    if (view->type == ENTRY_INTENT || view->type == ENTRY_OUTCOME)
        return note_use(known, index, view, error);
    if (view->type == ENTRY_CARD || view->type == ENTRY_REMOVAL)
        return json_array_append_new(view->type == ENTRY_CARD ? known->cards : known->removals,
                                     json_integer((json_int_t)index)) < 0
                   ? error_memory(error)
                   : 0;
    return 0;
}

static int changed(const struct signed_head *head, struct error *error)
{
    error_set(error, CODE_LOG, "the log was changed since checkpoint %llu was signed",
              (unsigned long long)head->checkpoint.size);
    return error_hint(error, "p11vault audit verify");
}

/* At the signed head it is proved that all entries so far are the signed ones; only that much is kept. */
static int check_head(const struct reading *reading, struct error *error)
{
    const struct signed_head *head = reading->head;
    struct vault_known *known = reading->known;
    if (head->checkpoint.size == 0 || known->frontier.size != head->checkpoint.size)
        return 0;
    struct digest root = merkle_root(&known->frontier);
    if (!digest_equal(&root, &head->checkpoint.root))
        return changed(head, error);
    known->proved = known->frontier.size;
    if (!reading->vault->read_only && known->frontier.size - known->kept > READ_AGAIN)
        write_file(reading->vault, head, known);
    return 0;
}

static int read_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    struct reading *reading = context;
    struct entry_view view;
    struct digest leaf = merkle_leaf(text, size);
    merkle_append(&reading->known->frontier, &leaf, NULL, NULL);
    /* What the scanner does not take is no entry: the root says so, or the card room does. */
    if (entry_scan(text, size, &view) && note_entry(reading->known, index, &view, error) < 0)
        return -1;
    return check_head(reading, error);
}

static int begin(struct vault *vault, const struct signed_head *head, struct error *error)
{
    auto_of(vault_known_free) struct vault_known *known = calloc(1, sizeof(*known));
    if (!known)
        return error_memory(error);
    if (read_file(vault, head, known) < 0) {
        known->frontier = (struct merkle_frontier){0};
        known->records = json_object();
        known->uses = json_object();
        known->cards = json_array();
        known->removals = json_array();
        if (!known->records || !known->uses || !known->cards || !known->removals)
            return error_memory(error);
    }
    vault->known = TAKE(known);
    return 0;
}

static int read_on(struct vault *vault, const struct signed_head *head, struct error *error)
{
    /* A head that was signed behind our back, over what we have read before: only reading again meets it. */
    if (vault->known && vault->known->frontier.size > head->checkpoint.size &&
        vault->known->proved != head->checkpoint.size)
        vault_known_free(TAKE(vault->known));
    if (!vault->known && begin(vault, head, error) < 0)
        return -1;
    struct reading reading = {vault, head, vault->known};
    if (check_head(&reading, error) < 0)
        return -1;
    if (store_entry_each(vault->store, vault->known->frontier.size, read_entry, &reading, error) !=
        0) {
        vault_known_free(TAKE(vault->known));
        return -1;
    }
    return vault->known->frontier.size < head->checkpoint.size ? changed(head, error) : 0;
}

/* The bytes of a signed entry are proved again: they may have been read long ago, or by another process. */
static int prove_entry(struct vault *vault, const struct signed_head *head, uint64_t index,
                       const struct buffer *text, struct error *error)
{
    struct merkle_proof proof;
    uint64_t size = head->checkpoint.size;
    if (index >= size)
        return 0;
    struct digest leaf = merkle_leaf(text->data, text->size);
    if (merkle_prove(index, size, vault_read_node, vault, &proof, error) < 0)
        return -1;
    return merkle_verify(index, size, &leaf, &proof, &head->checkpoint.root, error) < 0
               ? changed(head, error)
               : 0;
}

int vault_known_record(struct vault *vault, const struct signed_head *head, const char *name,
                       int64_t version, uint64_t *ret_index, json_t **ret_entry,
                       struct error *error)
{
    auto_free char *key = NULL;
    auto_json json_t *entry = NULL;
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    enum entry_type type;
    if (asprintf(&key, "%s %lld", name, (long long)version) < 0)
        return error_memory(error);
    if (read_on(vault, head, error) < 0)
        return -1;
    *ret_entry = NULL;
    int64_t index = json_number(vault->known->records, key, -1);
    if (index < 0)
        return 0;
    if (store_entry_get(vault->store, (uint64_t)index, &text, error) < 0 ||
        prove_entry(vault, head, (uint64_t)index, &text, error) < 0 ||
        entry_read(buffer_text(&text), text.size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %lld", (long long)index);
    *ret_index = (uint64_t)index;
    *ret_entry = TAKE(entry);
    return 0;
}

int vault_known_open_uses(struct vault *vault, const struct signed_head *head,
                          int (*each)(void *context, const char *use, struct error *error),
                          void *context, struct error *error)
{
    const char *use;
    json_t *index;
    if (read_on(vault, head, error) < 0)
        return -1;
    json_object_foreach (vault->known->uses, use, index) {
        int result = each(context, use, error);
        if (result != 0)
            return result;
    }
    return 0;
}

int vault_known_cards(struct vault *vault, const struct signed_head *head, enum entry_type type,
                      int (*each)(void *context, uint64_t index, struct error *error),
                      void *context, struct error *error)
{
    size_t i;
    json_t *item;
    if (read_on(vault, head, error) < 0)
        return -1;
    /* `each` may read on, too, and then start anew. */
    auto_json json_t *list =
        json_incref(type == ENTRY_CARD ? vault->known->cards : vault->known->removals);
    json_array_foreach (list, i, item) {
        uint64_t index = (uint64_t)json_integer_value(item);
        if (index < head->checkpoint.size && each(context, index, error) < 0)
            return -1;
    }
    return 0;
}
