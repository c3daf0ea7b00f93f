/*
 * store.c: making, opening and closing a store: where the file lies, whose it is, and who else could write it.
 *
 * The file is looked at by name, never through a descriptor of our own: closing one would drop the locks that SQLite
 * holds on the same file in this process (POSIX record locks belong to the process).
 */
#include "p11vault/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    store_rollback(store);
    store_drop_kept(store);
    sqlite3_close_v2(store->db);
    free(store->vault_id);
    free(store);
}

const char *store_vault_id(const struct store *store)
{
    return store->vault_id;
}

/* Root's or ours, and nobody else may write it. */
static int check_owner(const char *path, const struct stat *status, struct error *error)
{
    if (status->st_uid != 0 && status->st_uid != geteuid())
        return error_set(error, CODE_CONFIG,
                         "%.512s belongs to user %u, neither to root nor to you", path,
                         status->st_uid);
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        error_set(error, CODE_CONFIG, "%.512s can be written by others (mode %04o)", path,
                  status->st_mode & 07777U);
        return error_hint(error, "chmod go-w %.400s", path);
    }
    return 0;
}

/* The directory of a vault, its links resolved, so that its path means the same until the store is closed. */
static int check_directory(const char *directory, char ret_real[PATH_MAX], struct error *error)
{
    char real[PATH_MAX];
    struct stat status;
    if (realpath(directory, real) == NULL || stat(real, &status) < 0)
        return error_errno(error, CODE_CONFIG, "open %.512s", directory);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, CODE_CONFIG, "%.512s is not a directory", directory);
    if (check_owner(real, &status, error) < 0)
        return -1;
    snprintf(ret_real, PATH_MAX, "%s", real);
    return 0;
}

static int join(const char *directory, const char *name, char ret_path[PATH_MAX],
                struct error *error)
{
    int size = snprintf(ret_path, PATH_MAX, "%s/%s", directory, name);
    if (size < 0 || size >= PATH_MAX)
        return error_set(error, CODE_CONFIG, "the path of the vault is too long");
    return 0;
}

static int no_vault(const char *path, struct error *error)
{
    error_set(error, CODE_CONFIG, "no vault at %.512s", path);
    return error_hint(error, "p11vault init");
}

/* The file of the vault in a directory. */
static int find_in_directory(const char *directory, struct store *store, struct error *error)
{
    char real[PATH_MAX];
    if (check_directory(directory, real, error) < 0 ||
        join(real, STORE_FILE, store->path, error) < 0)
        return -1;
    struct stat status;
    if (lstat(store->path, &status) < 0)
        return errno == ENOENT ? no_vault(directory, error)
                               : error_errno(error, CODE_CONFIG, "open %.512s", store->path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, CODE_CONFIG, "%.512s is not a regular file", store->path);
    return check_owner(store->path, &status, error);
}

/*
 * A copy for an audit, named as a file.  It may lie anywhere and belong to anybody: nothing is decided on it, and its
 * log is believed for its signatures alone.
 */
static int find_copy(const char *path, const struct stat *status, struct store *store,
                     struct error *error)
{
    if (!S_ISREG(status->st_mode))
        return error_set(error, CODE_CONFIG, "%.512s is not a regular file", path);
    if (!store->read_only)
        return error_set(error, CODE_CONFIG, "%.512s is a file, not the directory of a vault",
                         path);
    if (realpath(path, store->path) == NULL)
        return error_errno(error, CODE_CONFIG, "open %.512s", path);
    return 0;
}

static int find_file(const char *path, struct store *store, struct error *error)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno == ENOENT ? no_vault(path, error)
                               : error_errno(error, CODE_CONFIG, "open %.512s", path);
    if (S_ISDIR(status.st_mode))
        return find_in_directory(path, store, error);
    return find_copy(path, &status, store, error);
}

static int remember_file(struct store *store, struct error *error)
{
    struct stat status;
    if (lstat(store->path, &status) < 0)
        return error_errno(error, CODE_LOG, "look at %.512s", store->path);
    store->device = status.st_dev;
    store->inode = status.st_ino;
    return 0;
}

static int open_found(struct store *store, struct error *error)
{
    if (remember_file(store, error) < 0 || store_connect(store, error) < 0 ||
        store_schema_check(store, error) < 0)
        return -1;
    return store->read_only ? 0 : store_make_durable(store, error);
}

int store_open(const char *path, bool read_only, struct store **ret_store, struct error *error)
{
    auto_of(store_free) struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return error_memory(error);
    store->read_only = read_only;
    if (find_file(path, store, error) < 0)
        return -1;
    if (open_found(store, error) < 0)
        return error_prefix(error, "%.512s", store->path);
    *ret_store = TAKE(store);
    return 0;
}

/* The new store under another name until it is whole; what is left of that name goes away with the scope. */
struct draft {
    char path[PATH_MAX];
};

static void draft_remove(struct draft *draft)
{
    static const char *const tails[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; draft->path[0] != '\0' && i < sizeof(tails) / sizeof(tails[0]); i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof(path), "%s%s", draft->path, tails[i]);
        unlink(path);
    }
}

/* An empty file of mode 0600, whatever the umask; SQLite gives its other files the mode of this one. */
static int draft_make(struct draft *draft, const char *final, struct error *error)
{
    int size = snprintf(draft->path, sizeof(draft->path), "%s.XXXXXX", final);
    if (size < 0 || (size_t)size >= sizeof(draft->path)) {
        draft->path[0] = '\0';
        return error_set(error, CODE_CONFIG, "the path of the vault is too long");
    }
    auto_close int descriptor = mkostemp(draft->path, O_CLOEXEC);
    if (descriptor < 0) {
        draft->path[0] = '\0';
        return error_errno(error, CODE_LOG, "write %.512s", final);
    }
    return fchmod(descriptor, 0600) < 0 ? error_errno(error, CODE_LOG, "write %.512s", final) : 0;
}

static int fill(const char *path, const char *vault_id, struct error *error)
{
    auto_of(store_free) struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return error_memory(error);
    snprintf(store->path, sizeof(store->path), "%s", path);
    if (store_connect(store, error) < 0 || store_make_durable(store, error) < 0)
        return -1;
    return store_schema_make(store, vault_id, error);
}

/* Gives the finished file its name, unless something has it already, and makes the name durable. */
static int publish(const char *draft, const char *final, const char *directory, struct error *error)
{
    if (link(draft, final) < 0) {
        if (errno != EEXIST)
            return error_errno(error, CODE_LOG, "write %.512s", final);
        error_set(error, CODE_LOG, "there is a vault already: %.512s", final);
        return error_hint(error, "p11vault status, or --vault DIR for another one");
    }
    auto_close int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) < 0)
        return error_errno(error, CODE_LOG, "sync %.512s", directory);
    return 0;
}

static int check_vault_id(const char *vault_id, struct error *error)
{
    size_t size = strlen(vault_id);
    for (size_t i = 0; i < size; i++) {
        if (vault_id[i] <= ' ' || vault_id[i] > '~')
            size = 0;
    }
    return size >= 1 && size <= STORE_WORD_MAX
               ? 0
               : error_set(error, CODE_FAULT, "vault id is malformed");
}

int store_create(const char *directory, const char *vault_id, struct store **ret_store,
                 struct error *error)
{
    char real[PATH_MAX];
    char final[PATH_MAX];
    struct draft draft __attribute__((cleanup(draft_remove))) = {.path = ""};
    if (check_vault_id(vault_id, error) < 0 || check_directory(directory, real, error) < 0 ||
        join(real, STORE_FILE, final, error) < 0 || draft_make(&draft, final, error) < 0)
        return -1;
    if (fill(draft.path, vault_id, error) < 0)
        return error_prefix(error, "make %.512s", final);
    if (publish(draft.path, final, real, error) < 0)
        return -1;
    return store_open(directory, false, ret_store, error);
}
