/*
 * store.h: the store: one SQLite file with the log's entries and tree nodes, the checkpoints, and an index of apps,
 * cards and records.  Only the front links SQLite.
 *
 * The store checks shapes, not truths: what an entry or a record means is judged by the floors above.  All changes
 * happen inside a change (BEGIN IMMEDIATE … COMMIT); a record and its log entry go into the same one.  No change is
 * open while a card, a person or the network is awaited.
 */
#ifndef P11VAULT_STORE_STORE_H
#define P11VAULT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/cleanup.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/error.h"

#define STORE_FILE "vault.db"
#define STORE_SCHEMA 1
#define STORE_ENTRY_MAX ((size_t)65535)
#define STORE_UNKNOWN (-1) /* an integer column that is not known (SQL NULL) */

struct store;

/* Makes DIR/vault.db (0600) for a new vault; DIR must exist.  CODE_LOG when there already is one. */
int store_create(const char *directory, const char *vault_id, struct store **ret_store,
                 struct error *error);

/*
 * Opens it: WAL, synchronous=FULL, secure_delete, foreign keys off, trusted_schema off.
 * Refused: missing (CODE_CONFIG, hint `p11vault init`), not ours or another schema version (CODE_LOG, says which),
 * file or directory that others can write (CODE_CONFIG), not writable (CODE_LOG) unless `read_only`.
 * `path` is a vault directory or a database file (a copy, for audits, read_only only).
 */
int store_open(const char *path, bool read_only, struct store **ret_store, struct error *error);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store, store_free);

const char *store_vault_id(const struct store *store); /* valid as long as the store */

/* Whether the file that was opened still stands under its name: what is written to one that does not, is lost.  CODE_LOG. */
int store_in_place(const struct store *store, struct error *error);

/*
 * A change: all of it or nothing.  CODE_BUSY when another process holds the store for over 5 s; CODE_LOG when the disk is
 * full.  `auto_change struct store *change = store;` takes back what was not committed when it goes out of scope.
 */
int store_begin(struct store *store, struct error *error);
int store_commit(struct store *store, struct error *error);
/* Also after a failed commit; nothing when no change is open. */
void store_rollback(struct store *store);
static inline void cleanup_change(struct store **change)
{
    store_rollback(*change);
}
#define auto_change __attribute__((cleanup(cleanup_change)))

/* Who is told when a change was committed or taken back. */
void store_on_end(struct store *store, void (*on_end)(void *context, bool is_committed),
                  void *context);

/*
 * Room for the changes that are to come: so many bytes are written to the end of the write-ahead
 * log, synced and taken back.  The log keeps the room, whoever else fills the disk, until this
 * process or another one commits.  CODE_LOG: there is none.
 */
int store_reserve(struct store *store, size_t size, struct error *error);
#define STORE_ROOM_CHANGE ((size_t)64 * 1024) /* for a change without records */
#define STORE_ROOM_GRANT ((size_t)320 * 1024) /* to keep a grant, confirm it, close its use */
#define STORE_ROOM_LIST ((size_t)2560 * 1024) /* to keep a list of grants */

/*
 * Writes the whole store, as it is at one moment, into a new file (mode 0600).  CODE_CONFIG when that is there already or
 * cannot be made, CODE_LOG when it cannot be written; nothing is left of it then.
 */
int store_copy(struct store *store, const char *path, struct error *error);

/* ---- the log ---- */

int store_log_size(struct store *store, uint64_t *ret_size, struct error *error);
/* Appends at `index`, which must be the size of the log.  `type` and `subject` (name, app, serial or use) are an index. */
int store_entry_put(struct store *store, uint64_t index, const char *type, const char *subject,
                    const char *text, size_t size, struct error *error);
int store_entry_get(struct store *store, uint64_t index, struct buffer *ret_text,
                    struct error *error);
/* The index of the newest entry of a type about a subject; *ret_found false when there is none. */
int store_entry_newest(struct store *store, const char *type, const char *subject,
                       uint64_t *ret_index, bool *ret_found, struct error *error);
/* Calls `each` for the entries from `first` on, in order; stops when it returns non-zero and returns that. */
int store_entry_each(struct store *store, uint64_t first,
                     int (*each)(void *context, uint64_t index, const char *text, size_t size,
                                 struct error *error),
                     void *context, struct error *error);

int store_node_put(struct store *store, unsigned level, uint64_t position,
                   const struct digest *hash, struct error *error);
int store_node_get(struct store *store, unsigned level, uint64_t position, struct digest *ret_hash,
                   struct error *error);
int store_node_count(struct store *store, uint64_t *ret_count, struct error *error);

/*
 * For who reads a whole log.  Between begin and end everything is read as it was at the first reading, whatever others append.
 */
int store_snapshot_begin(struct store *store, struct error *error);
void store_snapshot_end(struct store *store);

/* An entry with what it is filed under; the texts are valid during the call. */
struct store_filed {
    uint64_t index;
    const char *text, *type, *subject;
    size_t size; /* of `text` */
};
int store_filed_each(struct store *store, uint64_t first,
                     int (*each)(void *context, const struct store_filed *filed,
                                 struct error *error),
                     void *context, struct error *error);

/* The nodes level by level, each level read once from some position on; CODE_LOG when the next one is missing. */
struct store_nodes;
int store_nodes_open(struct store *store, struct store_nodes **ret_nodes, struct error *error);
int store_nodes_next(struct store_nodes *nodes, unsigned level, uint64_t position,
                     struct digest *ret_hash, struct error *error);
void store_nodes_free(struct store_nodes *nodes);
DEFINE_CLEANUP(struct store_nodes, store_nodes_free);

/* Checkpoints by tree size.  The newest one; an empty buffer and size 0 when there is none. */
int store_checkpoint_put(struct store *store, uint64_t size, const char *note, struct error *error);
int store_checkpoint_newest(struct store *store, uint64_t *ret_size, struct buffer *ret_note,
                            struct error *error);
/* The one with the smallest size that is not below `lowest`. */
int store_checkpoint_from(struct store *store, uint64_t lowest, uint64_t *ret_size,
                          struct buffer *ret_note, struct error *error);
int store_checkpoint_each(struct store *store,
                          int (*each)(void *context, uint64_t size, const char *note,
                                      struct error *error),
                          void *context, struct error *error);

/* ---- the index of cards, apps and records; texts are owned by the row ---- */

struct store_card {
    char *serial, *label, *kid;
    uint64_t entry; /* index of its card entry */
};

struct store_app {
    char *app, *provider, *client_id;
    char *key_record;   /* JWE general JSON */
    uint64_t entry;     /* index of its app entry */
    uint64_t key_entry; /* index of its app-key entry */
};

struct store_record {
    char *name, *app, *kind;
    int64_t version;
    char *state;    /* current, pending, previous, rejected, forgotten */
    char *digest;   /* 64 hexadecimal digits */
    char *jwe;      /* NULL when destroyed */
    uint64_t entry; /* index of the newest seal or state entry about this version */
    char *subject;  /* the clear columns: NULL or STORE_UNKNOWN when not known */
    char *scopes;   /* JSON array of strings, canonical */
    int64_t expires, data_expires, issued, checked;
    int valid; /* 1, 0, STORE_UNKNOWN */
};

void store_card_clear(struct store_card *card);
void store_app_clear(struct store_app *app);
void store_record_clear(struct store_record *record);
#define auto_record __attribute__((cleanup(store_record_clear)))

/* One of a row's texts becomes a copy of `text`, or NULL.  CODE_FAULT without memory; it is NULL then. */
int store_text_set(char **field, const char *text, struct error *error);

/* The caller clears the copy.  CODE_FAULT without memory. */
int store_record_copy(const struct store_record *record, struct store_record *ret_copy,
                      struct error *error);

int store_card_put(struct store *store, const struct store_card *card, struct error *error);
int store_card_drop(struct store *store, uint64_t entry, struct error *error);
int store_card_each(struct store *store,
                    int (*each)(void *context, const struct store_card *, struct error *),
                    void *context, struct error *error);

int store_app_put(struct store *store, const struct store_app *app, struct error *error);
int store_app_drop(struct store *store, const char *app,
                   struct error *error); /* with its records */
/* *ret_found false when there is none; the row is cleared by the caller with store_app_clear(). */
int store_app_get(struct store *store, const char *app, struct store_app *ret_app, bool *ret_found,
                  struct error *error);
int store_app_each(struct store *store,
                   int (*each)(void *context, const struct store_app *, struct error *),
                   void *context, struct error *error);

/* Inserts or replaces the row (name, version). */
int store_record_put(struct store *store, const struct store_record *record, struct error *error);
/*
 * Destroys the ciphertext of every previous version of a name below `version`: once that one has been opened, nobody
 * needs them.  Best effort: only renewal at the provider truly erases a token.
 */
int store_record_destroy_previous(struct store *store, const char *name, int64_t version,
                                  struct error *error);
/* The newest version of a name in a state (NULL: in any).  The caller clears the row. */
int store_record_get(struct store *store, const char *name, const char *state,
                     struct store_record *ret_record, bool *ret_found, struct error *error);
/* By name and version; or as they lie in the file, which is faster where there are many. */
int store_record_each(struct store *store,
                      int (*each)(void *context, const struct store_record *, struct error *),
                      void *context, struct error *error);
int store_record_each_stored(struct store *store,
                             int (*each)(void *context, const struct store_record *,
                                         struct error *),
                             void *context, struct error *error);

#endif
