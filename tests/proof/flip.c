/*
 * flip.c: every byte of a vault's log, records and checkpoints changed, one at a time, and `audit verify` asked each time.
 *
 *   flip STORE TRUST EXPORT STEP FIRST    every STEPth byte from FIRST on; EXPORT "": none
 *
 * Says on standard output what was changed and how much of it was noticed; fails when one change was not.  What is changed is a copy.
 */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/vault/export.h"
#include "p11vault/vault/verify.h"

static struct config config;
static const char *store_path;
static sqlite3 *database;
static unsigned long long step, next;

struct totals {
    unsigned long long changed, noticed;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "flip: %s: %s\n", what, database ? sqlite3_errmsg(database) : "");
    exit(2);
}

static bool store_verifies(void)
{
    struct error error;
    struct verify_report report;
    auto_of(vault_free) struct vault *vault = NULL;
    return vault_open(&config, store_path, true, &vault, &error) == 0 &&
           vault_verify(vault, &report, &error) == 0;
}

static bool export_verifies(const char *directory)
{
    struct error error;
    struct verify_report report;
    return vault_verify_export(&config, directory, &report, &error) == 0;
}

/* Whether it is the turn of this byte. */
static bool is_next(void)
{
    if (next > 0) {
        next--;
        return false;
    }
    next = step - 1;
    return true;
}

static void count(struct totals *totals, bool verifies, const char *what, long long row, size_t at)
{
    totals->changed++;
    if (verifies)
        printf("not noticed: %s, row %lld, byte %zu\n", what, row, at);
    else
        totals->noticed++;
}

/* ---- columns ---- */

/* Puts a value into a column of a row; the same statement puts the old one back. */
static void put(sqlite3_stmt *update, long long row, int type, const void *bytes, size_t size,
                long long number)
{
    sqlite3_reset(update);
    if (type == SQLITE_INTEGER)
        sqlite3_bind_int64(update, 1, number);
    else if (type == SQLITE_BLOB)
        sqlite3_bind_blob64(update, 1, bytes, size, SQLITE_STATIC);
    else
        sqlite3_bind_text64(update, 1, bytes, size, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(update, 2, row);
    must(sqlite3_step(update) == SQLITE_DONE, "change a row");
    must(sqlite3_changes(database) == 1, "change one row");
    sqlite3_reset(update);
}

static void flip_bytes(sqlite3_stmt *update, long long row, int type, const void *bytes,
                       size_t size, const char *what, struct totals *totals)
{
    uint8_t *changed = malloc(size + 1);
    memcpy(changed, bytes, size);
    for (size_t at = 0; at < size; at++) {
        if (!is_next())
            continue;
        changed[at] ^= (uint8_t)(1 << (at % 8));
        put(update, row, type, changed, size, 0);
        count(totals, store_verifies(), what, row, at);
        changed[at] ^= (uint8_t)(1 << (at % 8));
        put(update, row, type, bytes, size, 0);
    }
    free(changed);
}

struct column {
    const char *table, *name;
};

static void flip_row(sqlite3_stmt *update, long long row, int type, const void *bytes, size_t size,
                     long long number, const struct column *column, struct totals *totals)
{
    char what[128];
    snprintf(what, sizeof(what), "%s.%s", column->table, column->name);
    if (type == SQLITE_NULL)
        return;
    if (type != SQLITE_INTEGER) {
        flip_bytes(update, row, type, bytes, size, what, totals);
    } else if (is_next()) {
        put(update, row, type, NULL, 0, number ^ 1);
        count(totals, store_verifies(), what, row, 0);
        put(update, row, type, NULL, 0, number);
    }
}

struct kept {
    long long row, number;
    int type;
    void *bytes;
    size_t size;
};

/* All values of a column, read before any is changed. */
static size_t read_column(const struct column *column, struct kept **ret_kept)
{
    char sql[256];
    sqlite3_stmt *select;
    size_t found = 0;
    struct kept *kept = NULL;
    bool is_node = strcmp(column->table, "node") == 0;
    snprintf(sql, sizeof(sql), "SELECT %s, %s FROM %s", is_node ? "position * 64 + level" : "rowid",
             column->name, column->table);
    must(sqlite3_prepare_v2(database, sql, -1, &select, NULL) == SQLITE_OK, sql);
    while (sqlite3_step(select) == SQLITE_ROW) {
        kept = realloc(kept, (found + 1) * sizeof(*kept));
        struct kept *one = &kept[found++];
        *one = (struct kept){.row = sqlite3_column_int64(select, 0),
                             .number = sqlite3_column_int64(select, 1),
                             .type = sqlite3_column_type(select, 1)};
        if (one->type == SQLITE_TEXT || one->type == SQLITE_BLOB) {
            const void *bytes = sqlite3_column_blob(select, 1);
            one->size = (size_t)sqlite3_column_bytes(select, 1);
            one->bytes = malloc(one->size + 1);
            memcpy(one->bytes, bytes, one->size);
        }
    }
    sqlite3_finalize(select);
    *ret_kept = kept;
    return found;
}

static void flip_column(const struct column *column, struct totals *totals)
{
    char sql[256];
    sqlite3_stmt *update;
    struct kept *kept = NULL;
    bool is_node = strcmp(column->table, "node") == 0;
    size_t found = read_column(column, &kept);
    snprintf(sql, sizeof(sql), "UPDATE OR REPLACE %s SET %s = ?1 WHERE %s", column->table,
             column->name, is_node ? "level = ?2 % 64 AND position = ?2 / 64" : "rowid = ?2");
    must(sqlite3_prepare_v2(database, sql, -1, &update, NULL) == SQLITE_OK, sql);
    for (size_t i = 0; i < found; i++) {
        flip_row(update, kept[i].row, kept[i].type, kept[i].bytes, kept[i].size, kept[i].number,
                 column, totals);
        free(kept[i].bytes);
    }
    sqlite3_finalize(update);
    free(kept);
}

static void flip_table(const char *table, const char *const *names, struct totals *all)
{
    struct totals totals = {0};
    for (; *names; names++)
        flip_column(&(struct column){table, *names}, &totals);
    printf("%-10s %8llu bytes changed, %llu noticed\n", table, totals.changed, totals.noticed);
    fflush(stdout);
    all->changed += totals.changed;
    all->noticed += totals.noticed;
}

/* ---- files ---- */

static void flip_file(const char *path, const char *export, struct totals *totals)
{
    FILE *file = fopen(path, "r+b");
    must(file != NULL, path);
    for (long at = 0;; at++) {
        must(fseek(file, at, SEEK_SET) == 0, path);
        int byte = fgetc(file);
        if (byte == EOF)
            break;
        if (!is_next())
            continue;
        must(fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 1 << (at % 8), file) != EOF &&
                 fflush(file) == 0,
             path);
        count(totals, export_verifies(export), path, 0, (size_t)at);
        must(fseek(file, at, SEEK_SET) == 0 && fputc(byte, file) != EOF && fflush(file) == 0, path);
    }
    fclose(file);
}

static void flip_directory(const char *path, const char *export, struct totals *totals)
{
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort);
    must(found >= 0, path);
    for (int i = 0; i < found; i++) {
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_type == DT_REG)
            flip_file(inner, export, totals);
        else if (entries[i]->d_name[0] != '.')
            flip_directory(inner, export, totals);
        free(entries[i]);
    }
    free(entries);
}

int main(int argument_count, char **arguments)
{
    static const char *const entry[] = {"text", "type", "subject", NULL};
    static const char *const node[] = {"hash", NULL};
    static const char *const checkpoint[] = {"note", "size", NULL};
    static const char *const card[] = {"serial", "label", "kid", "entry", NULL};
    static const char *const app[] = {"app",   "provider",  "client_id", "key_record",
                                      "entry", "key_entry", NULL};
    static const char *const record[] = {
        "name",    "app",    "kind",    "version",      "state",  "digest",  "jwe",   "entry",
        "subject", "scopes", "expires", "data_expires", "issued", "checked", "valid", NULL};
    struct totals totals = {0}, files = {0};
    if (argument_count != 6)
        return 2;
    store_path = arguments[1];
    config.trust = arguments[2];
    step = strtoull(arguments[4], NULL, 10);
    next = strtoull(arguments[5], NULL, 10);
    must(step > 0 && sqlite3_open(store_path, &database) == SQLITE_OK &&
             sqlite3_exec(database, "PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK,
         "open the store");
    must(store_verifies(), "the store does not verify as it is");
    flip_table("entry", entry, &totals);
    flip_table("node", node, &totals);
    flip_table("checkpoint", checkpoint, &totals);
    flip_table("record", record, &totals);
    flip_table("app", app, &totals);
    flip_table("card", card, &totals);
    must(store_verifies(), "the store does not verify any more");
    if (*arguments[3]) {
        must(export_verifies(arguments[3]), "the export does not verify as it is");
        flip_directory(arguments[3], arguments[3], &files);
        printf("%-10s %8llu bytes changed, %llu noticed\n", "export", files.changed, files.noticed);
    }
    sqlite3_close(database);
    totals.changed += files.changed;
    totals.noticed += files.noticed;
    printf("%llu bytes changed, %llu noticed\n", totals.changed, totals.noticed);
    return totals.changed == totals.noticed ? 0 : 1;
}
