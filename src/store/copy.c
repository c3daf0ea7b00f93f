/*
 * copy.c: the whole store as one file, as it was at one moment, whatever others write meanwhile.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAGES_AT_ONCE 1024

static void close_database(sqlite3 **database)
{
    sqlite3_close_v2(*database);
}

/* A new file: what is there already is not written over, nor followed anywhere. */
static int make_file(const char *path, struct error *error)
{
    auto_close int descriptor =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor >= 0)
        return 0;
    if (errno == EEXIST)
        return error_set(error, CODE_CONFIG, "'%s' is there already", path);
    return error_errno(error, CODE_CONFIG, "make '%s'", path);
}

static int sync_file(const char *path, struct error *error)
{
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) < 0)
        return error_errno(error, CODE_LOG, "sync '%s'", path);
    return 0;
}

/* The copy is a plain file, which needs no log beside it. */
static int fill(struct store *store, const char *path, struct error *error)
{
    __attribute__((cleanup(close_database))) sqlite3 *copy = NULL;
    if (sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return error_set(error, CODE_LOG, "write '%s': %s", path,
                         copy ? sqlite3_errmsg(copy) : "no memory");
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", store->db, "main");
    int status = backup ? SQLITE_OK : sqlite3_errcode(copy);
    while (status == SQLITE_OK)
        status = sqlite3_backup_step(backup, PAGES_AT_ONCE);
    if (backup && sqlite3_backup_finish(backup) != SQLITE_OK && status == SQLITE_DONE)
        status = SQLITE_ERROR;
    if (status == SQLITE_DONE)
        status = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (status != SQLITE_OK)
        return error_set(error, status == SQLITE_BUSY ? CODE_BUSY : CODE_LOG, "write '%s': %s",
                         path, sqlite3_errstr(status));
    return 0;
}

int store_copy(struct store *store, const char *path, struct error *error)
{
    if (make_file(path, error) < 0)
        return -1;
    if (fill(store, path, error) == 0 && sync_file(path, error) == 0)
        return 0;
    (void)unlink(path);
    return -1;
}
