/*
 * schema.c: the one schema, and the proof that a file has exactly this one.  A file with tables, views or triggers of
 * somebody else's making is refused before any of them is used.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/*
 * SQLite keeps these texts as they stand here, and the check compares them.  `probe` is always
 * empty: it is left from a time when it was written to, to see whether there was room.
 */
static const char *const schema[] = {
    "CREATE TABLE vault (id TEXT NOT NULL PRIMARY KEY) STRICT",
    "CREATE TABLE entry (idx INTEGER PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, "
    "text TEXT NOT NULL) STRICT",
    "CREATE INDEX entry_about ON entry (type, subject, idx)",
    "CREATE TABLE node (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, "
    "PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID",
    "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
    "CREATE TABLE card (entry INTEGER PRIMARY KEY, serial TEXT NOT NULL, label TEXT NOT NULL, "
    "kid TEXT NOT NULL) STRICT",
    "CREATE TABLE app (app TEXT NOT NULL PRIMARY KEY, provider TEXT NOT NULL, "
    "client_id TEXT NOT NULL, key_record TEXT NOT NULL, entry INTEGER NOT NULL, "
    "key_entry INTEGER NOT NULL) STRICT",
    "CREATE TABLE record (name TEXT NOT NULL, app TEXT NOT NULL, kind TEXT NOT NULL, "
    "version INTEGER NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, jwe TEXT, "
    "entry INTEGER NOT NULL, subject TEXT, scopes TEXT, expires INTEGER, data_expires INTEGER, "
    "issued INTEGER, checked INTEGER, valid INTEGER, PRIMARY KEY (name, version)) STRICT",
    "CREATE INDEX record_of_app ON record (app)",
    "CREATE TABLE probe (bytes BLOB NOT NULL) STRICT",
};

#define SCHEMA_COUNT (sizeof(schema) / sizeof(schema[0]))

/* Runs "PRAGMA name" and reads the number it gives. */
static int pragma_number(struct store *store, const char *sql, int64_t *ret_number,
                         struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    if (store_prepare(store, sql, &statement, error) < 0 || store_step(&statement, &row, error) < 0)
        return -1;
    if (!row)
        return error_set(error, CODE_FAULT, "store: '%s' gave nothing", sql);
    return store_column_number(&statement, 0, sql, INT64_MIN, ret_number, error);
}

static int put_vault_id(struct store *store, const char *vault_id, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "INSERT INTO vault (id) VALUES (?1)", &statement, error) < 0)
        return -1;
    store_bind_text(&statement, 1, vault_id);
    return store_run(&statement, error);
}

int store_schema_make(struct store *store, const char *vault_id, struct error *error)
{
    char head[128];
    snprintf(head, sizeof(head), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, STORE_SCHEMA);
    if (store_execute(store, "BEGIN IMMEDIATE", error) < 0 || store_execute(store, head, error) < 0)
        return -1;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        if (store_execute(store, schema[i], error) < 0)
            return -1;
    }
    if (put_vault_id(store, vault_id, error) < 0)
        return -1;
    return store_execute(store, "COMMIT", error);
}

static int check_version(struct store *store, struct error *error)
{
    int64_t application = 0;
    int64_t version = 0;
    if (pragma_number(store, "PRAGMA application_id", &application, error) < 0 ||
        pragma_number(store, "PRAGMA user_version", &version, error) < 0)
        return -1;
    if (application != STORE_APPLICATION_ID)
        return error_set(error, CODE_LOG, "file is not a p11vault store");
    if (version != STORE_SCHEMA)
        return error_set(error, CODE_LOG, "store has schema %lld, this program knows %d",
                         (long long)version, STORE_SCHEMA);
    return 0;
}

static bool is_ours(const char *sql)
{
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        if (strcmp(schema[i], sql) == 0)
            return true;
    }
    return false;
}

/* Each object ours and as many as ours: SQLite itself admits no two of the same name. */
static int check_objects(struct store *store, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", &statement,
                      error) < 0)
        return -1;
    size_t count = 0;
    for (;;) {
        bool row = false;
        const char *sql = NULL;
        size_t size = 0;
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            break;
        if (store_column_text(&statement, 0, "sqlite_schema.sql", STORE_SCOPES_MAX, &sql, &size,
                              error) < 0)
            return -1;
        if (sql == NULL || !is_ours(sql))
            return store_damaged(error, "it has a table, view or trigger that is not ours");
        count++;
    }
    return count == SCHEMA_COUNT ? 0 : store_damaged(error, "a table is missing");
}

static int read_vault_id(struct store *store, struct error *error)
{
    static const struct column id = {"vault.id", COLUMN_TEXT, 0, STORE_WORD_MAX};
    auto_statement struct statement statement = {0};
    bool row = false;
    if (store_prepare(store, "SELECT id FROM vault", &statement, error) < 0 ||
        store_step(&statement, &row, error) < 0)
        return -1;
    if (!row)
        return store_damaged(error, "it has no vault id");
    char *text = NULL;
    if (store_row_read(&statement, &id, 1, &text, error) < 0)
        return -1;
    store->vault_id = text;
    if (store_step(&statement, &row, error) < 0)
        return -1;
    return row ? store_damaged(error, "it has two vault ids") : 0;
}

int store_schema_check(struct store *store, struct error *error)
{
    if (check_version(store, error) < 0 || check_objects(store, error) < 0)
        return -1;
    return read_vault_id(store, error);
}
