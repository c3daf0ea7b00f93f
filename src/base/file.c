/*
 * Whole files: read with a size limit and a rule about who may have written them, replaced without a torn middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "p11vault/base/buffer.h"

int file_check(int descriptor, enum file_rule rule, const char *what, struct error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return error_errno(error, CODE_CONFIG, "'%s'", what);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return error_set(error, CODE_CONFIG, "'%s' is not a regular file", what);
    if (rule == FILE_PLAIN)
        return 0;
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return error_set(error, CODE_CONFIG, "'%s' belongs to another user (uid %u)", what,
                         (unsigned)status.st_uid);
    if (rule == FILE_PRIVATE && (status.st_mode & 077) != 0) {
        error_set(error, CODE_CONFIG, "'%s' can be read or written by others (mode %04o)", what,
                  (unsigned)status.st_mode & 07777);
        return error_hint(error, "chmod %s '%s'", S_ISDIR(status.st_mode) ? "0700" : "0600", what);
    }
    if ((status.st_mode & 022) != 0) {
        error_set(error, CODE_CONFIG, "'%s' can be written by others (mode %04o)", what,
                  (unsigned)status.st_mode & 07777);
        return error_hint(error, "chmod go-w '%s'", what);
    }
    return 0;
}

static int read_all(int descriptor, const char *path, struct buffer *buffer, struct error *error)
{
    uint8_t piece[4096];
    for (;;) {
        ssize_t size = read(descriptor, piece, sizeof(piece));
        if (size == 0)
            return 0;
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return error_errno(error, CODE_CONFIG, "read '%s'", path);
        if (buffer_put(buffer, piece, (size_t)size, error) < 0) {
            error->code = CODE_CONFIG;
            return error_prefix(error, "'%s'", path);
        }
    }
}

int buffer_read_file(const char *path, size_t maximum, enum file_rule rule,
                     struct buffer *ret_buffer, struct error *error)
{
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "open '%s'", path);
    if (file_check(descriptor, rule, path, error) < 0)
        return -1;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(maximum);
    if (read_all(descriptor, path, &buffer, error) < 0)
        return -1;
    buffer_clear(ret_buffer);
    *ret_buffer = buffer;
    buffer = BUFFER_UP_TO(0);
    return 0;
}

static int write_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        size -= (size_t)written;
    }
    return fsync(descriptor);
}

/* The rename is durable once the directory is. */
static int sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    auto_close int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -1 : fsync(directory);
}

int buffer_write_file(const char *path, const void *bytes, size_t size, unsigned mode,
                      struct error *error)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
        return error_set(error, CODE_CONFIG, "'%s': the path is too long", path);
    auto_close int descriptor = mkostemp(beside, O_CLOEXEC);
    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "write '%s'", path);
    if (fchmod(descriptor, mode) < 0 || write_all(descriptor, bytes, size) < 0 ||
        rename(beside, path) < 0 || sync_directory_of(path) < 0) {
        error_errno(error, CODE_CONFIG, "write '%s'", path);
        (void)unlink(beside);
        return -1;
    }
    return 0;
}
