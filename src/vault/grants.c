/*
 * Records: every change of one stands in the log, and one that may be opened is what the log says.
 */
#include "p11vault/vault/grants.h"

#include <string.h>

#include "known.h"

static int set_number(json_t *object, const char *key, int64_t number)
{
    return number == STORE_UNKNOWN ? 0 : json_object_set_new(object, key, json_integer(number));
}

json_t *vault_columns(const struct store_record *record)
{
    json_t *columns = json_object();
    if (!columns)
        return NULL;
    int failed = 0;
    if (record->subject)
        failed |= json_object_set_new(columns, "subject", json_string(record->subject));
    if (record->scopes)
        failed |= json_object_set_new(columns, "scopes",
                                      json_loads(record->scopes, JSON_REJECT_DUPLICATES, NULL));
    failed |= set_number(columns, "expires", record->expires);
    failed |= set_number(columns, "data_expires", record->data_expires);
    failed |= set_number(columns, "issued", record->issued);
    failed |= set_number(columns, "checked", record->checked);
    if (record->valid != STORE_UNKNOWN)
        failed |= json_object_set_new(columns, "valid", json_boolean(record->valid));
    if (failed) {
        json_decref(columns);
        return NULL;
    }
    return columns;
}

static int set_use(json_t *members, const char *use)
{
    return use && *use ? json_object_set_new(members, "use", json_string(use)) : 0;
}

int vault_new_row(const struct name *name, int64_t version, const char *state, const char *jwe,
                  struct store_record *ret_row, struct error *error)
{
    *ret_row = (struct store_record){.version = version,
                                     .expires = STORE_UNKNOWN,
                                     .data_expires = STORE_UNKNOWN,
                                     .issued = STORE_UNKNOWN,
                                     .checked = STORE_UNKNOWN,
                                     .valid = STORE_UNKNOWN};
    if (store_text_set(&ret_row->name, name->full, error) < 0 ||
        store_text_set(&ret_row->app, name->app, error) < 0 ||
        store_text_set(&ret_row->kind, name->kind, error) < 0 ||
        store_text_set(&ret_row->state, state, error) < 0)
        return -1;
    return store_text_set(&ret_row->jwe, jwe, error);
}

/* What may stand beside the columns, and nothing else: remarks can come from a file (unkept.h). */
static int copy_remarks(json_t *into, const json_t *from)
{
    static const char *const keys[] = {"profile", "lost_scopes"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *remark = json_object_get(from, keys[i]);
        if (remark && json_object_set(into, keys[i], remark) < 0)
            return -1;
    }
    return 0;
}

int vault_put_record(struct vault *vault, struct store_record *row, const char *kid,
                     const json_t *remarks, const char *use, struct error *error)
{
    char hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(row->jwe, strlen(row->jwe));
    digest_hex(&digest, hex);
    free(row->digest);
    row->digest = strdup(hex);
    json_t *members = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:o}", "name", row->name, "kind",
                                row->kind, "version", (json_int_t)row->version, "digest", hex,
                                "state", row->state, "kid", kid, "columns", vault_columns(row));
    if (!row->digest || !members || copy_remarks(members, remarks) < 0 ||
        set_use(members, use) < 0) {
        json_decref(members);
        return error_memory(error);
    }
    if (vault_append(vault, ENTRY_SEAL, row->name, members, &row->entry, error) < 0)
        return -1;
    return store_record_put(vault->store, row, error);
}

int vault_change_record(struct vault *vault, struct store_record *row, const json_t *remarks,
                        const char *use, struct error *error)
{
    json_t *members = json_pack("{s:s, s:I, s:s, s:s, s:o}", "name", row->name, "version",
                                (json_int_t)row->version, "digest", row->digest, "state",
                                row->state, "columns", vault_columns(row));
    if (!members || copy_remarks(members, remarks) < 0 || set_use(members, use) < 0) {
        json_decref(members);
        return error_memory(error);
    }
    if (vault_append(vault, ENTRY_STATE, row->name, members, &row->entry, error) < 0)
        return -1;
    return store_record_put(vault->store, row, error);
}

static int disagree(const char *what, struct error *error)
{
    error_set(error, CODE_LOG, "%s not what the log says", what);
    return error_hint(error, "p11vault audit verify");
}

int vault_remarks(struct vault *vault, const struct store_record *row, json_t **ret_remarks,
                  struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    auto_json json_t *entry = NULL;
    auto_json json_t *remarks = json_object();
    enum entry_type type;
    if (!remarks)
        return error_memory(error);
    if (store_entry_get(vault->store, row->entry, &text, error) < 0 ||
        entry_read(buffer_text(&text), text.size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)row->entry);
    const char *name = json_text(entry, "name");
    if ((type != ENTRY_SEAL && type != ENTRY_STATE) || strcmp(name, row->name) != 0 ||
        json_number(entry, "version", -1) != row->version)
        return disagree("the record's place is", error);
    if (copy_remarks(remarks, entry) < 0)
        return error_memory(error);
    *ret_remarks = TAKE(remarks);
    return 0;
}

struct newest_search {
    const struct store_record *row;
    json_t *entry; /* the newest about this name and version */
    uint64_t index;
};

static int note_newest(void *context, uint64_t index, const char *text, size_t size,
                       struct error *error)
{
    struct newest_search *search = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (!memmem(text, size, search->row->name, strlen(search->row->name)))
        return 0;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if ((type != ENTRY_SEAL && type != ENTRY_STATE) ||
        strcmp(json_text(entry, "name"), search->row->name) != 0 ||
        json_number(entry, "version", -1) != search->row->version)
        return 0;
    json_decref(search->entry);
    search->entry = TAKE(entry);
    search->index = index;
    return 0;
}

/* What the row says against the newest entry about it. */
static int compare(const struct store_record *row, const json_t *entry, struct error *error)
{
    char hex[DIGEST_HEX_SIZE];
    struct name name;
    if (strcmp(json_text(entry, "state"), row->state) != 0)
        return disagree("the record's state is", error);
    if (name_parse_record(row->name, &name, error) < 0 || strcmp(row->app, name.app) != 0 ||
        strcmp(row->kind, name.kind) != 0)
        return disagree("the record's app or kind is", error);
    if (!row->jwe)
        return error_set(error, CODE_LOG, "the record's ciphertext was destroyed");
    struct digest actual = digest_of(row->jwe, strlen(row->jwe));
    digest_hex(&actual, hex);
    if (strcmp(json_text(entry, "digest"), hex) != 0 || strcmp(row->digest, hex) != 0)
        return disagree("the record is", error);
    auto_json json_t *columns = vault_columns(row);
    if (!json_equal(columns, json_object_get(entry, "columns")))
        return disagree("the record's clear columns are", error);
    return 0;
}

/*
 * Reading on from the entry that the row names shows whether it is the newest about this name and version, and that the signed ones
 * among them are those that were signed.
 */
static int read_on_from_row(struct vault *vault, const struct signed_head *head,
                            const struct store_record *row, struct error *error)
{
    struct newest_search search = {.row = row};
    int result = vault_walk(vault, head, row->entry, note_newest, &search, error);
    auto_json json_t *entry = search.entry;
    if (result < 0)
        return -1;
    if (!entry || search.index != row->entry)
        return disagree("the record's place is", error);
    return compare(row, entry, error);
}

/* The newest entry about this name and version says which bytes and which state are right. */
static int check_record(struct vault *vault, const struct store_record *row, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_json json_t *entry = NULL;
    uint64_t index;
    if (vault_signed_head(vault, &head, error) < 0)
        return -1;
    bool opens = strcmp(row->state, "current") == 0 || strcmp(row->state, "pending") == 0;
    if (opens &&
        vault_known_record(vault, &head, row->name, row->version, &index, &entry, error) < 0)
        return -1;
    if (entry && index == row->entry)
        return compare(row, entry, error);
    /* It is another entry, or none: reading on says which of the two, and what the row says wrongly. */
    if (read_on_from_row(vault, &head, row, error) < 0)
        return -1;
    return opens ? disagree("the record's place is", error) : 0;
}

int vault_find_record(struct vault *vault, const char *name, const char *state,
                      struct store_record *ret_record, struct error *error)
{
    struct store_record row = {0};
    bool found;
    if (store_record_get(vault->store, name, state, &row, &found, error) < 0)
        return -1;
    if (!found) {
        error_set(error, CODE_USAGE, "there is no '%s' in this vault", name);
        return error_hint(error, "p11vault import %s", name);
    }
    if (check_record(vault, &row, error) < 0) {
        error_prefix(error, "record '%s' version %lld", name, (long long)row.version);
        store_record_clear(&row);
        return -1;
    }
    *ret_record = row;
    return 0;
}

int vault_retire(struct vault *vault, const struct store_record *row,
                 const struct vault_retirement *how, struct error *error)
{
    struct store_record retired = *row;
    auto_free char *state = strdup(how->state);
    if (!state)
        return error_memory(error);
    retired.state = state;
    if (!how->keeps_bytes)
        retired.jwe = NULL;
    return vault_change_record(vault, &retired, NULL, how->use, error);
}

int vault_retire_all(struct vault *vault, const char *name, const char *from,
                     const struct vault_retirement *how, size_t *count, struct error *error)
{
    for (;;) {
        struct store_record row = {0};
        bool found;
        if (store_record_get(vault->store, name, from, &row, &found, error) < 0)
            return -1;
        store_record_clear(&row);
        if (!found)
            return 0;
        /* What the store says of it goes into the log again, so it must be what the log said before. */
        if (vault_find_record(vault, name, from, &row, error) < 0)
            return -1;
        int result = vault_retire(vault, &row, how, error);
        store_record_clear(&row);
        if (result < 0)
            return -1;
        ++*count;
    }
}

int vault_next_version(struct vault *vault, const char *name, int64_t *ret_version,
                       struct error *error)
{
    struct store_record row = {0};
    bool found;
    if (store_record_get(vault->store, name, NULL, &row, &found, error) < 0)
        return -1;
    int64_t newest = found ? row.version : 0;
    if (found)
        store_record_clear(&row);
    if (newest == INT64_MAX) {
        error_set(error, CODE_LOG, "record '%s': its version is none of ours", name);
        return error_hint(error, "p11vault audit verify");
    }
    *ret_version = newest + 1;
    return 0;
}
