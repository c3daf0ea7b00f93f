/*
 * record.c: the index of sealed records, one row for each version of a name.
 */
#include "internal.h"

#include <string.h>

#define RECORD_COLUMNS                                                                             \
    "name, app, kind, version, state, digest, jwe, entry, subject, scopes, expires, "              \
    "data_expires, issued, checked, valid"

static const struct column columns[] = {
    {"record.name", COLUMN_TEXT, offsetof(struct store_record, name), STORE_NAME_MAX},
    {"record.app", COLUMN_TEXT, offsetof(struct store_record, app), STORE_WORD_MAX},
    {"record.kind", COLUMN_TEXT, offsetof(struct store_record, kind), STORE_WORD_MAX},
    {"record.version", COLUMN_VERSION, offsetof(struct store_record, version), 0},
    {"record.state", COLUMN_TEXT, offsetof(struct store_record, state), STORE_WORD_MAX},
    {"record.digest", COLUMN_TEXT, offsetof(struct store_record, digest), STORE_WORD_MAX},
    {"record.jwe", COLUMN_OPTIONAL, offsetof(struct store_record, jwe), STORE_JWE_MAX},
    {"record.entry", COLUMN_INDEX, offsetof(struct store_record, entry), 0},
    {"record.subject", COLUMN_OPTIONAL, offsetof(struct store_record, subject), STORE_NAME_MAX},
    {"record.scopes", COLUMN_OPTIONAL, offsetof(struct store_record, scopes), STORE_SCOPES_MAX},
    {"record.expires", COLUMN_TIME, offsetof(struct store_record, expires), 0},
    {"record.data_expires", COLUMN_TIME, offsetof(struct store_record, data_expires), 0},
    {"record.issued", COLUMN_TIME, offsetof(struct store_record, issued), 0},
    {"record.checked", COLUMN_TIME, offsetof(struct store_record, checked), 0},
    {"record.valid", COLUMN_TRUTH, offsetof(struct store_record, valid), 0},
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void store_record_clear(struct store_record *record)
{
    store_row_clear(columns, COLUMN_COUNT, record);
}

int store_text_set(char **field, const char *text, struct error *error)
{
    free(*field);
    *field = text ? strdup(text) : NULL;
    return *field || !text ? 0 : error_memory(error);
}

int store_record_copy(const struct store_record *record, struct store_record *ret_copy,
                      struct error *error)
{
    struct store_record copy = *record;
    int result = 0;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (columns[i].kind != COLUMN_TEXT && columns[i].kind != COLUMN_OPTIONAL)
            continue;
        char **text = (char **)(void *)((char *)&copy + columns[i].offset);
        const char *other = TAKE(*text);
        if (result == 0)
            result = store_text_set(text, other, error);
    }
    if (result == 0)
        *ret_copy = copy;
    else
        store_record_clear(&copy);
    return result;
}

static bool state_valid(const char *state)
{
    static const char *const states[] = {"current", "pending", "previous", "rejected", "forgotten"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i], state) == 0)
            return true;
    }
    return false;
}

/* What the table of columns cannot say. */
static const char *record_fault(const struct store_record *record)
{
    struct digest digest;
    if (!state_valid(record->state))
        return "record.state is none of the states there are";
    if (!digest_parse(record->digest, &digest))
        return "record.digest is not a SHA-256";
    return NULL;
}

int store_record_put(struct store *store, const struct store_record *record, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0 ||
        store_prepare(store,
                      "INSERT OR REPLACE INTO record (" RECORD_COLUMNS ") VALUES "
                      "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                      &statement, error) < 0 ||
        store_row_bind(&statement, columns, COLUMN_COUNT, record, error) < 0)
        return -1;
    const char *fault = record_fault(record);
    if (fault != NULL)
        return error_set(error, CODE_LOG, "store does not take the record: %s", fault);
    return store_run(&statement, error);
}

static int read_record(const struct statement *statement, struct store_record *record,
                       struct error *error)
{
    if (store_row_read(statement, columns, COLUMN_COUNT, record, error) < 0)
        return -1;
    const char *fault = record_fault(record);
    return fault == NULL ? 0 : store_damaged(error, "%s", fault);
}

int store_record_destroy_previous(struct store *store, const char *name, int64_t version,
                                  struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0 ||
        store_prepare(store,
                      "UPDATE record SET jwe = NULL WHERE name = ?1 AND state = 'previous' "
                      "AND version < ?2 AND jwe IS NOT NULL",
                      &statement, error) < 0)
        return -1;
    store_bind_text(&statement, 1, name);
    store_bind_number(&statement, 2, version);
    return store_run(&statement, error);
}

int store_record_get(struct store *store, const char *name, const char *state,
                     struct store_record *ret_record, bool *ret_found, struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    __attribute__((cleanup(store_record_clear))) struct store_record found = {0};
    if (store_prepare(store,
                      "SELECT " RECORD_COLUMNS " FROM record "
                      "WHERE name = ?1 AND (?2 IS NULL OR state = ?2) "
                      "ORDER BY version DESC LIMIT 1",
                      &statement, error) < 0)
        return -1;
    store_bind_text(&statement, 1, name);
    store_bind_text(&statement, 2, state);
    if (store_step(&statement, &row, error) < 0 ||
        (row && read_record(&statement, &found, error) < 0))
        return -1;
    *ret_found = row;
    if (row) {
        *ret_record = found;
        found = (struct store_record){0};
    }
    return 0;
}

static int each_of(struct store *store, const char *sql,
                   int (*each)(void *context, const struct store_record *, struct error *),
                   void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, sql, &statement, error) < 0)
        return -1;
    for (;;) {
        bool row = false;
        __attribute__((cleanup(store_record_clear))) struct store_record record = {0};
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (read_record(&statement, &record, error) < 0)
            return -1;
        int result = each(context, &record, error);
        if (result != 0)
            return result;
    }
}

int store_record_each(struct store *store,
                      int (*each)(void *context, const struct store_record *, struct error *),
                      void *context, struct error *error)
{
    return each_of(store, "SELECT " RECORD_COLUMNS " FROM record ORDER BY name, version", each,
                   context, error);
}

int store_record_each_stored(struct store *store,
                             int (*each)(void *context, const struct store_record *,
                                         struct error *),
                             void *context, struct error *error)
{
    return each_of(store, "SELECT " RECORD_COLUMNS " FROM record ORDER BY rowid", each, context,
                   error);
}
