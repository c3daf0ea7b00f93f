/*
 * file.c: small files whole: read with a bound and a look at who could have written them, replaced
 * in one step.
 */
#include "p11vault/base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define READ_STEP 4096

static int check_rule(const struct stat *status, enum file_rule rule, const char *what,
                      struct error *error)
{
    if (rule == FILE_PLAIN)
        return 0;
    if (status->st_uid != 0 && status->st_uid != geteuid())
        return error_set(error, CODE_CONFIG, "%s belongs to user %u, neither to root nor to you",
                         what, status->st_uid);
    /*
     * A credential of systemd: root's, for reading alone; an access list lets one service's user read it, and the mask of
     * that list stands in the place of the group's bits.
     */
    bool is_credential =
        status->st_uid == 0 && status->st_gid == 0 && (status->st_mode & 07777U) == 0440;
    if (rule == FILE_PRIVATE && !is_credential && (status->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        error_set(error, CODE_CONFIG, "%s is open to others (mode %04o)", what,
                  status->st_mode & 07777U);
        return error_hint(error, "chmod %s %s", S_ISDIR(status->st_mode) ? "700" : "600", what);
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        error_set(error, CODE_CONFIG, "%s can be written by others (mode %04o)", what,
                  status->st_mode & 07777U);
        return error_hint(error, "chmod go-w %s", what);
    }
    return 0;
}

int file_check(int descriptor, enum file_rule rule, const char *what, struct error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return error_errno(error, CODE_CONFIG, "look at %s", what);
    if (!S_ISREG(status.st_mode))
        return error_set(error, CODE_CONFIG, "%s is not a regular file", what);
    return check_rule(&status, rule, what, error);
}

int directory_check(int descriptor, enum file_rule rule, const char *what, struct error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return error_errno(error, CODE_CONFIG, "look at %s", what);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, CODE_CONFIG, "%s is not a directory", what);
    return check_rule(&status, rule, what, error);
}

/* Reads to the end of the file; the buffer's maximum is the bound. */
static int read_all(int descriptor, struct buffer *buffer, struct error *error)
{
    for (;;) {
        uint8_t bytes[READ_STEP];
        ssize_t got = read(descriptor, bytes, sizeof(bytes));
        if (got == 0)
            return buffer_put(buffer, NULL, 0, error);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(error, CODE_CONFIG, "read");
        if (buffer_put(buffer, bytes, (size_t)got, error) < 0)
            return -1;
    }
}

int buffer_read_file(const char *path, size_t maximum, enum file_rule rule,
                     struct buffer *ret_buffer, struct error *error)
{
    /* A FIFO in the file's place must be refused, not waited for. */
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "open %s", path);
    if (file_check(descriptor, rule, path, error) < 0)
        return -1;
    auto_buffer struct buffer content = BUFFER_UP_TO(maximum);
    if (read_all(descriptor, &content, error) < 0) {
        if (error->code == CODE_STOP)
            return error_set(error, CODE_CONFIG, "%s is longer than %zu bytes", path, maximum);
        return error_prefix(error, "%s", path);
    }
    buffer_clear(ret_buffer);
    *ret_buffer = content;
    content = BUFFER_UP_TO(0);
    return 0;
}

/* The new content on its way: a name beside the file, which goes away unless it was renamed. */
struct draft {
    char path[PATH_MAX];
    int descriptor;
};

static void draft_close(struct draft *draft)
{
    if (draft->descriptor >= 0)
        close(draft->descriptor);
    if (draft->path[0] != '\0')
        unlink(draft->path);
}

int directory_make(const char *path, struct error *error)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return error_set(error, CODE_CONFIG, "'%s': the path is too long", path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return error_errno(error, CODE_CONFIG, "make directory '%s'", part);
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

int descriptor_write(int descriptor, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        ssize_t written = write(descriptor, from, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        from += written;
        size -= (size_t)written;
    }
    return 0;
}

int file_sync_name(const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];
    if (slash == NULL)
        snprintf(directory, sizeof(directory), ".");
    else
        snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
    auto_close int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) < 0)
        return error_errno(error, CODE_CONFIG, "sync directory %s", directory);
    return 0;
}

int buffer_write_file(const char *path, const void *bytes, size_t size, unsigned mode,
                      struct error *error)
{
    struct draft draft __attribute__((cleanup(draft_close))) = {.descriptor = -1};
    int length = snprintf(draft.path, sizeof(draft.path), "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof(draft.path)) {
        draft.path[0] = '\0';
        return error_set(error, CODE_CONFIG, "the path %.64s... is too long", path);
    }
    draft.descriptor = mkostemp(draft.path, O_CLOEXEC);
    if (draft.descriptor < 0) {
        draft.path[0] = '\0';
        return error_errno(error, CODE_CONFIG, "write beside %s", path);
    }
    if (descriptor_write(draft.descriptor, bytes, size) < 0 || fchmod(draft.descriptor, mode) < 0 ||
        fsync(draft.descriptor) < 0)
        return error_errno(error, CODE_CONFIG, "write %s", path);
    if (rename(draft.path, path) < 0)
        return error_errno(error, CODE_CONFIG, "replace %s", path);
    draft.path[0] = '\0';
    return file_sync_name(path, error);
}
