/*
 * statement.c: SQLite's calls in the shape of this program: prepared statements that finish themselves, errors that
 * say what an operator can do, columns that are checked before they are believed.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the last call on one of the store's files said; the connection remembers only what came last of all. */
static int errno_of(const struct store *store, int which)
{
    sqlite3_file *file = NULL;
    int number = 0;
    if (sqlite3_file_control(store->db, "main", which, (void *)&file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number) != SQLITE_OK)
        return 0;
    return number;
}

static int last_errno(const struct store *store)
{
    int number = errno_of(store, SQLITE_FCNTL_JOURNAL_POINTER);
    if (number == 0)
        number = errno_of(store, SQLITE_FCNTL_FILE_POINTER);
    return number != 0 ? number : sqlite3_system_errno(store->db);
}

bool store_is_disk_full(const struct store *store, int status)
{
    int number = last_errno(store);
    int primary = status & 0xff;
    return primary == SQLITE_FULL || ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) &&
                                      (number == ENOSPC || number == EDQUOT));
}

int store_failed(const struct store *store, int status, struct error *error)
{
    if (store_is_disk_full(store, status)) {
        error_set(error, CODE_LOG, "disk is full: nothing can be logged");
        return error_hint(error, "free space on the file system of %.300s", store->path);
    }
    switch (status & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_set(error, CODE_BUSY, "store is held by another process");
        return error_hint(error, "try again when the other p11vault has ended");
    case SQLITE_READONLY:
        return error_set(error, CODE_LOG, "store is read-only");
    case SQLITE_CORRUPT:
        error_set(error, CODE_LOG, "store is damaged");
        return error_hint(
            error, "put back a copy of vault.db; p11vault audit verify says whether it is whole");
    case SQLITE_NOTADB:
        return error_set(error, CODE_LOG, "file is not a p11vault store");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        errno = last_errno(store);
        if (errno == 0)
            return error_set(error, CODE_LOG, "store cannot be read or written");
        return error_errno(error, CODE_LOG, "store cannot be read or written");
    case SQLITE_CONSTRAINT:
        return error_set(error, CODE_LOG, "store has this row already or does not take it");
    case SQLITE_NOMEM:
        return error_memory(error);
    default:
        return error_set(error, CODE_FAULT, "store: SQLite error %d (%s)", status,
                         sqlite3_errstr(status));
    }
}

int store_damaged(struct error *error, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    error_set(error, CODE_LOG, "store is damaged: %s", text);
    return error_hint(
        error, "put back a copy of vault.db; p11vault audit verify says whether it is whole");
}

void store_finish(struct statement *statement)
{
    if (statement->kept == 0) {
        sqlite3_finalize(statement->sql);
    } else {
        sqlite3_reset(statement->sql);
        sqlite3_clear_bindings(statement->sql);
        statement->store->kept[statement->kept - 1].in_use = false;
    }
    *statement = (struct statement){0};
}

void store_drop_kept(struct store *store)
{
    for (size_t i = 0; i < STORE_KEPT_MAX; i++)
        sqlite3_finalize(store->kept[i].statement);
    memset(store->kept, 0, sizeof(store->kept));
}

/* One that is kept and free, or a free place to keep it in; STORE_KEPT_MAX when there is neither. */
static size_t find_kept(const struct store *store, const char *sql)
{
    size_t place = STORE_KEPT_MAX;
    for (size_t i = 0; i < STORE_KEPT_MAX; i++) {
        if (store->kept[i].sql == sql)
            return store->kept[i].in_use ? STORE_KEPT_MAX : i;
        if (store->kept[i].sql == NULL && place == STORE_KEPT_MAX)
            place = i;
    }
    return place;
}

int store_prepare(struct store *store, const char *sql, struct statement *ret_statement,
                  struct error *error)
{
    size_t place = find_kept(store, sql);
    sqlite3_stmt *prepared = place < STORE_KEPT_MAX ? store->kept[place].statement : NULL;
    if (prepared == NULL) {
        int status = sqlite3_prepare_v2(store->db, sql, -1, &prepared, NULL);
        if (status != SQLITE_OK)
            return store_failed(store, status, error);
    }
    *ret_statement = (struct statement){.store = store, .sql = prepared};
    if (place < STORE_KEPT_MAX) {
        store->kept[place].sql = sql;
        store->kept[place].statement = prepared;
        store->kept[place].in_use = true;
        ret_statement->kept = place + 1;
    }
    return 0;
}

static void keep(struct statement *statement, int status)
{
    if (statement->status == SQLITE_OK)
        statement->status = status;
}

/* The caller's bytes outlive the statement in every use, so SQLite need not copy them. */
void store_bind_text(struct statement *statement, int place, const char *text)
{
    keep(statement, sqlite3_bind_text(statement->sql, place, text, -1, SQLITE_STATIC));
}

void store_bind_sized_text(struct statement *statement, int place, const char *text, size_t size)
{
    keep(statement,
         sqlite3_bind_text64(statement->sql, place, text, size, SQLITE_STATIC, SQLITE_UTF8));
}

void store_bind_bytes(struct statement *statement, int place, const void *bytes, size_t size)
{
    keep(statement, sqlite3_bind_blob64(statement->sql, place, bytes, size, SQLITE_STATIC));
}

void store_bind_number(struct statement *statement, int place, int64_t number)
{
    keep(statement, sqlite3_bind_int64(statement->sql, place, number));
}

void store_bind_index(struct statement *statement, int place, uint64_t index)
{
    if (index > INT64_MAX)
        keep(statement, SQLITE_RANGE);
    else
        store_bind_number(statement, place, (int64_t)index);
}

int store_step(struct statement *statement, bool *ret_row, struct error *error)
{
    if (statement->status != SQLITE_OK)
        return store_failed(statement->store, statement->status, error);
    int status = sqlite3_step(statement->sql);
    if (status != SQLITE_ROW && status != SQLITE_DONE)
        return store_failed(statement->store, status, error);
    *ret_row = status == SQLITE_ROW;
    return 0;
}

int store_run(struct statement *statement, struct error *error)
{
    bool row = false;
    if (store_step(statement, &row, error) < 0)
        return -1;
    return row ? error_set(error, CODE_FAULT, "store: a change gave rows") : 0;
}

int store_execute(struct store *store, const char *sql, struct error *error)
{
    int status = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return status == SQLITE_OK ? 0 : store_failed(store, status, error);
}

int store_column_number(const struct statement *statement, int place, const char *what, int64_t low,
                        int64_t *ret_number, struct error *error)
{
    if (sqlite3_column_type(statement->sql, place) != SQLITE_INTEGER)
        return store_damaged(error, "%s is not an integer", what);
    int64_t number = sqlite3_column_int64(statement->sql, place);
    if (number < low)
        return store_damaged(error, "%s is out of range", what);
    *ret_number = number;
    return 0;
}

int store_column_text(const struct statement *statement, int place, const char *what,
                      size_t maximum, const char **ret_text, size_t *ret_size, struct error *error)
{
    int type = sqlite3_column_type(statement->sql, place);
    if (type == SQLITE_NULL) {
        *ret_text = NULL;
        *ret_size = 0;
        return 0;
    }
    if (type != SQLITE_TEXT)
        return store_damaged(error, "%s is not a text", what);
    const char *text = (const char *)sqlite3_column_text(statement->sql, place);
    if (text == NULL)
        return error_memory(error);
    size_t size = (size_t)sqlite3_column_bytes(statement->sql, place);
    if (size > maximum)
        return store_damaged(error, "%s is longer than %zu bytes", what, maximum);
    if (memchr(text, '\0', size) != NULL)
        return store_damaged(error, "%s holds a NUL byte", what);
    *ret_text = text;
    *ret_size = size;
    return 0;
}

int store_column_digest(const struct statement *statement, int place, const char *what,
                        struct digest *ret_digest, struct error *error)
{
    const void *bytes = sqlite3_column_blob(statement->sql, place);
    if (sqlite3_column_type(statement->sql, place) != SQLITE_BLOB || bytes == NULL ||
        sqlite3_column_bytes(statement->sql, place) != DIGEST_SIZE)
        return store_damaged(error, "%s is not a SHA-256", what);
    memcpy(ret_digest->bytes, bytes, DIGEST_SIZE);
    return 0;
}

int store_column_buffer(const struct statement *statement, int place, const char *what,
                        size_t maximum, struct buffer *ret_buffer, struct error *error)
{
    const char *text = NULL;
    size_t size = 0;
    if (store_column_text(statement, place, what, maximum, &text, &size, error) < 0)
        return -1;
    if (text == NULL)
        return store_damaged(error, "%s is missing", what);
    auto_buffer struct buffer content = BUFFER_UP_TO(maximum);
    if (buffer_put(&content, text, size, error) < 0)
        return -1;
    buffer_clear(ret_buffer);
    *ret_buffer = content;
    content = BUFFER_UP_TO(0);
    return 0;
}
