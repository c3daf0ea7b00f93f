/*
 * change.c: changes, and the proof that one could be written.
 */
#include "internal.h"

#include <sys/stat.h>

#define PROBE_SIZE "65536"

int store_in_place(const struct store *store, struct error *error)
{
    struct stat status;
    if (lstat(store->path, &status) == 0 && status.st_dev == store->device &&
        status.st_ino == store->inode)
        return 0;
    return error_set(error, CODE_LOG, "store was replaced: %.512s is another file now",
                     store->path);
}

int store_in_change(const struct store *store, struct error *error)
{
    return store->changing ? 0 : error_set(error, CODE_FAULT, "store: no change is open");
}

int store_begin(struct store *store, struct error *error)
{
    if (store->read_only)
        return error_set(error, CODE_LOG, "store is read-only: it was opened for reading");
    if (store->changing)
        return error_set(error, CODE_FAULT, "store: a change is open already");
    if (store_in_place(store, error) < 0 || store_execute(store, "BEGIN IMMEDIATE", error) < 0)
        return -1;
    store->changing = true;
    return 0;
}

static void end(struct store *store, bool is_committed)
{
    store->changing = false;
    if (store->on_end)
        store->on_end(store->on_end_context, is_committed);
}

void store_on_end(struct store *store, void (*on_end)(void *context, bool is_committed),
                  void *context)
{
    store->on_end = on_end;
    store->on_end_context = context;
}

int store_commit(struct store *store, struct error *error)
{
    if (store_in_change(store, error) < 0 || store_in_place(store, error) < 0 ||
        store_execute(store, "COMMIT", error) < 0)
        return -1;
    end(store, true);
    return 0;
}

void store_rollback(struct store *store)
{
    if (!store->changing)
        return;
    /* A fault can have rolled back already.  What cannot be rolled back now is when the file is opened next. */
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    end(store, false);
}

/* Brings what the write-ahead log holds to the disk, so that a write the system only took into memory fails here. */
static int sync_log(struct store *store, struct error *error)
{
    sqlite3_file *file = NULL;
    int status =
        sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&file);
    if (status == SQLITE_OK && file != NULL && file->pMethods != NULL)
        status = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    return status == SQLITE_OK ? 0 : store_failed(store, status, error);
}

static int write_probe(struct store *store, struct error *error)
{
    /* Random bytes, because a file system that compresses needs no room for zeros. */
    if (store_execute(store, "INSERT INTO probe (bytes) VALUES (randomblob(" PROBE_SIZE "))",
                      error) < 0)
        return -1;
    /*
     * A rollback alone proves nothing: the pages of a change stay in memory until it commits, and one that is taken
     * back never reaches the disk.  sqlite3_db_cacheflush() appends them to the write-ahead log now; the rollback
     * then forgets them, but the log file keeps its size and the next commit uses the same room.
     */
    int status = sqlite3_db_cacheflush(store->db);
    return status == SQLITE_OK ? sync_log(store, error) : store_failed(store, status, error);
}

int store_probe(struct store *store, struct error *error)
{
    if (store_begin(store, error) < 0)
        return -1;
    int result = write_probe(store, error);
    store_rollback(store);
    return result;
}
