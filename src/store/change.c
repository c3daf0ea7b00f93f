/*
 * change.c: changes, and the room for those that are to come.
 */
#include "internal.h"

#include <sys/stat.h>

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

/*
 * A fault can have rolled back already.  What cannot be rolled back now is when the file is opened
 * next.
 */
static void take_back(struct store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->changing = false;
}

void store_rollback(struct store *store)
{
    if (!store->changing)
        return;
    take_back(store);
    end(store, false);
}

/* ---- room ---- */

/* The format of both files: https://www.sqlite.org/walformat.html */
#define LOG_HEADER 32
#define FRAME_HEADER 24
#define PAGE 4096
#define INDEX_REGION 32768
#define INDEX_VERSION 3007000
#define BLOCK 65536 /* that is written at once */

static uint64_t frames_of(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE;
}

/*
 * Where the last change ends in the write-ahead log; its index says so to who holds the lock on
 * changes.  `size`: of the log's file.
 */
static uint64_t end_of_log(struct store *store, uint64_t size)
{
    sqlite3_file *file = NULL;
    volatile void *region = NULL;
    const volatile uint32_t *words;
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) !=
            SQLITE_OK ||
        file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &region) != SQLITE_OK || region == NULL)
        return size;
    words = region;
    /* Words 0 and 4: the index's version, and the number of the last frame. */
    return words[0] == INDEX_VERSION ? LOG_HEADER + words[4] * (uint64_t)(FRAME_HEADER + PAGE)
                                     : size;
}

/*
 * Behind the last frame the file may hold anything: nobody reads further.  Random bytes, because a
 * file system that compresses needs no room for zeros; and synced, because the system may have
 * taken them into memory only.
 */
static int extend_log(struct store *store, sqlite3_file *log, uint64_t from, uint64_t to,
                      struct error *error)
{
    uint8_t bytes[BLOCK];
    int status = SQLITE_OK;
    for (; status == SQLITE_OK && from < to; from += sizeof(bytes)) {
        int size = to - from < sizeof(bytes) ? (int)(to - from) : (int)sizeof(bytes);
        sqlite3_randomness(size, bytes);
        status = log->pMethods->xWrite(log, bytes, size, (sqlite3_int64)from);
    }
    if (status == SQLITE_OK)
        status = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return status == SQLITE_OK ? 0 : store_failed(store, status, error);
}

static int make_room(struct store *store, size_t room, struct error *error)
{
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    int status =
        sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log);
    if (status == SQLITE_OK && (log == NULL || log->pMethods == NULL))
        status = SQLITE_MISUSE;
    if (status == SQLITE_OK)
        status = log->pMethods->xFileSize(log, &size);
    if (status != SQLITE_OK)
        return store_failed(store, status, error);
    uint64_t end = end_of_log(store, (uint64_t)size) + frames_of(room) * (FRAME_HEADER + PAGE);
    return end <= (uint64_t)size ? 0 : extend_log(store, log, (uint64_t)size, end, error);
}

int store_reserve(struct store *store, size_t size, struct error *error)
{
    if (store_begin(store, error) < 0)
        return -1;
    int result = make_room(store, size, error);
    take_back(store); /* nobody is told: nothing was changed */
    return result;
}
