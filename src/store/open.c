/*
 * open.c: one connection to SQLite, set up so that it is durable, wipes what it deletes, and runs nothing that a
 * file brings along.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "p11vault/base/percent.h"

/* How a store is read from a place where no file can be made, or none that has room. */
enum reach {
    REACH_NORMAL,
    REACH_FIXED,  /* immutable: no write-ahead log to look at, nobody writes */
    REACH_ALONE,  /* with its write-ahead log, whose index is kept in memory in place of a file */
    REACH_LOCKED, /* the same, and nobody else has the store meanwhile */
};

/* The path as a URI: everything but the plainest characters is escaped.  The caller frees it. */
static int make_uri(const char *path, const char *query, char **ret_uri, struct error *error)
{
    auto_buffer struct buffer uri = BUFFER_UP_TO((size_t)4 * PATH_MAX);
    if (buffer_put_text(&uri, "file:", error) < 0 ||
        percent_put(&uri, path, strlen(path), "/", error) < 0 ||
        buffer_put_text(&uri, query, error) < 0)
        return -1;
    *ret_uri = buffer_take_text(&uri);
    return *ret_uri == NULL ? error_memory(error) : 0;
}

/* Views and triggers stay off: the schema has none, so one that is there came from somebody else. */
static int harden(struct store *store, struct error *error)
{
    static const struct {
        int option;
        int value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 0},    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int status = sqlite3_db_config(store->db, options[i].option, options[i].value, NULL);
        if (status != SQLITE_OK)
            return store_failed(store, status, error);
    }
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, STORE_VALUE_MAX);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_busy_timeout(store->db, STORE_PATIENCE_MS);
    return store_execute(store, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", error);
}

static int open_file(struct store *store, enum reach reach, struct error *error)
{
    /* One thread: its locks would guard nothing. */
    bool reads = store->read_only && reach != REACH_LOCKED; /* who reads alone cannot lock */
    int flags = SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX |
                (reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    auto_free char *uri = NULL;
    if (reach == REACH_FIXED || reach == REACH_ALONE) {
        const char *query = reach == REACH_FIXED ? "?immutable=1" : "?vfs=unix-none";
        if (make_uri(store->path, query, &uri, error) < 0)
            return -1;
        flags |= SQLITE_OPEN_URI;
    }
    store_drop_kept(store);
    sqlite3_close_v2(TAKE(store->db));
    int status = sqlite3_open_v2(uri != NULL ? uri : store->path, &store->db, flags, NULL);
    if (store->db == NULL)
        return error_memory(error);
    if (status != SQLITE_OK)
        return store_failed(store, status, error);
    if (harden(store, error) < 0)
        return -1;
    if (reach == REACH_LOCKED)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (reach == REACH_ALONE || reach == REACH_LOCKED)
        return store_execute(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON",
                             error);
    return 0;
}

/* Whether a file can be made beside the store. */
static bool can_write_beside(const struct store *store)
{
    char directory[PATH_MAX];
    int size = (int)(strrchr(store->path, '/') - store->path);
    snprintf(directory, sizeof(directory), "%.*s/", size, store->path);
    return access(directory, W_OK) == 0;
}

static bool has_log_file(const struct store *store)
{
    char name[PATH_MAX + 8];
    struct stat status;
    snprintf(name, sizeof(name), "%s-wal", store->path);
    return stat(name, &status) == 0 && status.st_size > 0;
}

/*
 * Opening is lazy: the first read tells whether the file can be read at all.  Reading a file in WAL mode needs an
 * index file beside it.  Where none can be made, the file is opened without; a write-ahead log that is there must
 * still be read, because SQLite's immutable form would leave out its newest entries without a word.
 */
int store_connect(struct store *store, struct error *error)
{
    static const char look[] = "SELECT count(*) FROM sqlite_schema";
    if (open_file(store, REACH_NORMAL, error) < 0)
        return -1;
    /* SQLite falls back to reading alone, without an error, where it may not write. */
    if (!store->read_only && sqlite3_db_readonly(store->db, "main") != 0)
        return error_set(error, CODE_LOG, "store is read-only");
    if (store_execute(store, look, error) == 0)
        return 0;
    /* Without room for the index file nobody has the store open. */
    if (store->read_only && store_is_disk_full(store, sqlite3_errcode(store->db)))
        return open_file(store, REACH_LOCKED, error) < 0 ? -1 : store_execute(store, look, error);
    int primary = sqlite3_errcode(store->db) & 0xff;
    if (!store->read_only || (primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY) ||
        can_write_beside(store))
        return -1;
    enum reach reach = has_log_file(store) ? REACH_ALONE : REACH_FIXED;
    if (open_file(store, reach, error) < 0)
        return -1;
    return store_execute(store, look, error);
}

int store_make_durable(struct store *store, struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    const char *mode = NULL;
    size_t size = 0;
    if (store_prepare(store, "PRAGMA journal_mode = WAL", &statement, error) < 0 ||
        store_step(&statement, &row, error) < 0 ||
        store_column_text(&statement, 0, "journal_mode", STORE_WORD_MAX, &mode, &size, error) < 0)
        return -1;
    if (mode == NULL || strcmp(mode, "wal") != 0)
        return error_set(error, CODE_LOG, "this file system does not support a write-ahead log");
    return store_execute(store, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON", error);
}
