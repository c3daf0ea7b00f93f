/*
 * internal.h: what the files of the store module share: the open store, a prepared statement that finishes itself,
 * strict reading of columns, and rows described by tables.
 *
 * A store file may come from anybody (an audit reads copies), so what is read is never trusted to have the type, size
 * or range that the schema asks for.
 */
#ifndef P11VAULT_STORE_INTERNAL_H
#define P11VAULT_STORE_INTERNAL_H

#include <limits.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "p11vault/store/store.h"

#define STORE_APPLICATION_ID 0x70313176 /* "p11v" */
#define STORE_PATIENCE_MS 5000

/* The longest texts that the columns take, in bytes. */
#define STORE_WORD_MAX                                                                             \
    ((size_t)128) /* serial, kid, kind, state, digest, type, app, provider, vault id */
#define STORE_NAME_MAX ((size_t)256) /* name, subject, label, client id */
#define STORE_NOTE_MAX ((size_t)16384)
#define STORE_SCOPES_MAX ((size_t)20480) /* 128 scopes of 127 characters, as JSON */
#define STORE_JWE_MAX ((size_t)65536)
#define STORE_VALUE_MAX ((int)262144) /* what SQLite itself may build as one value */

/* Statements that were prepared once and wait to be used again. */
#define STORE_KEPT_MAX 32

struct store {
    sqlite3 *db;
    struct {
        const char *sql; /* by its address: each is one text of this program */
        sqlite3_stmt *statement;
        bool in_use;
    } kept[STORE_KEPT_MAX];
    char path[PATH_MAX]; /* of the database file, absolute */
    char *vault_id;
    bool read_only;
    bool changing;
    void (*on_end)(void *context, bool is_committed); /* of each change; NULL: nobody is told */
    void *on_end_context;
    dev_t device; /* the file that was opened, to notice when another takes its place */
    ino_t inode;
};

/* ---- statement.c ---- */

struct statement {
    struct store *store;
    sqlite3_stmt *sql;
    int status; /* the first binding that failed */
    size_t kept; /* 1 + its place among those that are kept; 0: it is none of them */
};

void store_finish(struct statement *statement);
#define auto_statement __attribute__((cleanup(store_finish)))

/* SQLite reports some full disks as input/output errors; errno tells them apart. */
bool store_is_disk_full(const struct store *store, int status);
/* One error for a result code of SQLite, with the code and text that an operator can act on.  Always returns -1. */
int store_failed(const struct store *store, int status, struct error *error);
/* "store is damaged: ..." with CODE_LOG.  Always returns -1. */
int store_damaged(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `sql` is a literal: the statement is kept for the next time. */
int store_prepare(struct store *store, const char *sql, struct statement *ret_statement,
                  struct error *error);
/* Before the connection is closed. */
void store_drop_kept(struct store *store);
/* Bind values; NULL binds NULL.  A failure is kept and reported by the next step. */
void store_bind_text(struct statement *statement, int place, const char *text);
void store_bind_sized_text(struct statement *statement, int place, const char *text, size_t size);
void store_bind_bytes(struct statement *statement, int place, const void *bytes, size_t size);
void store_bind_number(struct statement *statement, int place, int64_t number);
void store_bind_index(struct statement *statement, int place, uint64_t index);

int store_step(struct statement *statement, bool *ret_row, struct error *error);
/* Steps a statement that gives no rows. */
int store_run(struct statement *statement, struct error *error);
/* Runs fixed SQL whose rows, if any, do not matter. */
int store_execute(struct store *store, const char *sql, struct error *error);

/* Columns of the row that was stepped to; `what` names the column when the store is damaged. */
int store_column_number(const struct statement *statement, int place, const char *what, int64_t low,
                        int64_t *ret_number, struct error *error);
/* The bytes of a text column, valid until the next step; *ret_text is NULL for SQL NULL. */
int store_column_text(const struct statement *statement, int place, const char *what,
                      size_t maximum, const char **ret_text, size_t *ret_size, struct error *error);
int store_column_digest(const struct statement *statement, int place, const char *what,
                        struct digest *ret_digest, struct error *error);
/* Replaces a buffer's content by a text column that must not be NULL. */
int store_column_buffer(const struct statement *statement, int place, const char *what,
                        size_t maximum, struct buffer *ret_buffer, struct error *error);

/* ---- row.c ---- */

enum column_kind {
    COLUMN_TEXT,     /* char *, never NULL */
    COLUMN_OPTIONAL, /* char * or NULL */
    COLUMN_INDEX,    /* uint64_t */
    COLUMN_VERSION,  /* int64_t from 1 on */
    COLUMN_TIME,     /* int64_t or STORE_UNKNOWN */
    COLUMN_TRUTH,    /* int: 0, 1 or STORE_UNKNOWN */
};

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset;
    size_t maximum; /* bytes of a text */
};

/* Binds the members of `row` to the places 1, 2, ...; CODE_LOG for a member that the column does not take. */
int store_row_bind(struct statement *statement, const struct column *columns, size_t count,
                   const void *row, struct error *error);
/* Fills the members of an empty row from the columns 0, 1, ...; they are freed with store_row_clear(). */
int store_row_read(const struct statement *statement, const struct column *columns, size_t count,
                   void *row, struct error *error);
void store_row_clear(const struct column *columns, size_t count, void *row);

/* ---- schema.c ---- */

int store_schema_make(struct store *store, const char *vault_id, struct error *error);
/* Refuses what is not a store, has another schema version, or tables that are not ours. */
int store_schema_check(struct store *store, struct error *error);

/* ---- open.c ---- */

/* Connects to store->path and changes nothing in the file. */
int store_connect(struct store *store, struct error *error);
/* Write-ahead log, synchronous=FULL, secure_delete: for a file that is known to be ours. */
int store_make_durable(struct store *store, struct error *error);

/* ---- change.c ---- */

/* CODE_FAULT when no change is open. */
int store_in_change(const struct store *store, struct error *error);

#endif
