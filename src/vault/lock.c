/*
 * Locks that die with the process: flock(2) on files in the vault's directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "p11vault/base/name.h"
#include "p11vault/vault/vault.h"

static int lock_path(const struct vault *vault, const char *name, char ret_path[PATH_MAX],
                     struct error *error)
{
    int size = snprintf(ret_path, PATH_MAX, "%s/locks", vault->directory);
    if (size < 0 || size + 1 + NAME_MAX >= PATH_MAX || strlen(name) > NAME_MAX)
        return error_set(error, CODE_CONFIG, "'%s': the path is too long", vault->directory);
    if (mkdir(ret_path, 0700) < 0 && errno != EEXIST)
        return error_errno(error, CODE_LOG, "make directory '%s'", ret_path);
    ret_path[size] = '/';
    /* A grant's name has slashes, a file's has not; names cannot have commas, so nothing collides. */
    char *at = ret_path + size + 1;
    for (; *name; name++)
        *at++ = *name == '/' ? ',' : *name;
    *at = '\0';
    return 0;
}

static int lock(struct vault *vault, const char *name, int how, const char *what,
                int *ret_descriptor, struct error *error)
{
    char path[PATH_MAX];
    if (lock_path(vault, name, path, error) < 0)
        return -1;
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    auto_close int descriptor = open(path, flags, 0600);
    if (descriptor < 0) /* some errors pass; and a page of a list is not kept without its lock */
        descriptor = open(path, flags, 0600);
    if (descriptor < 0)
        return error_errno(error, CODE_LOG, "open '%s'", path);
    if (flock(descriptor, how | LOCK_NB) < 0) {
        error_set(error, CODE_BUSY, "another process is %s", what);
        return error_hint(error, "wait for it to end, then run this again");
    }
    *ret_descriptor = TAKE_FD(descriptor);
    return 0;
}

int vault_lock(struct vault *vault, const char *name, const char *what, int *ret_descriptor,
               struct error *error)
{
    return lock(vault, name, LOCK_EX, what, ret_descriptor, error);
}

int vault_lock_app(struct vault *vault, const char *app, bool alone, int *ret_descriptor,
                   struct error *error)
{
    char name[NAME_MAX_SIZE], what[NAME_MAX_SIZE + 64];
    (void)snprintf(name, sizeof(name), "app-%s", app);
    (void)snprintf(what, sizeof(what),
                   alone ? "working with app '%s'" : "giving app '%s' another key", app);
    return lock(vault, name, alone ? LOCK_EX : LOCK_SH, what, ret_descriptor, error);
}

void vault_lock_forget(struct vault *vault, const char *name)
{
    struct error ignored;
    char path[PATH_MAX];
    if (lock_path(vault, name, path, &ignored) == 0)
        (void)unlink(path);
}
