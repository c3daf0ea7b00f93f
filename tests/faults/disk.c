/*
 * A disk that fails: loaded before the C library into p11vault itself (its rooms have a clean
 * environment).
 *
 * P11DISK_UNDER  the directory whose files are meant
 * P11DISK_ONLY   a part of a path: of these, the files whose path has it
 * P11DISK_PLAN   "N:ERRNO": the Nth call that changes one of them fails so; "N:ERRNO:on": from that
 *                one on all of them; "N:full": from that one on every write fails with ENOSPC that
 *                needs more room than the file has
 * P11DISK_CALLS  a file: a line for each such call
 * P11DISK_STOP   "fdatasync": the program stops (SIGSTOP) before each such call
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *under, *only, *calls, *stops;
static long planned, number;
static int failure; /* 0: full */
static bool goes_on;

__attribute__((constructor)) static void read_plan(void)
{
    const char *plan = getenv("P11DISK_PLAN");
    under = getenv("P11DISK_UNDER");
    only = getenv("P11DISK_ONLY");
    calls = getenv("P11DISK_CALLS");
    stops = getenv("P11DISK_STOP");
    if (!plan)
        return;
    planned = strtol(plan, NULL, 10);
    const char *kind = strchr(plan, ':') + 1;
    failure = atoi(kind);
    goes_on = failure == 0 || strchr(kind, ':') != NULL;
}

static bool is_under(const char *path)
{
    return under && path && strncmp(path, under, strlen(under)) == 0;
}

/* The path of a regular file there, valid until the next call; or NULL. */
static const char *path_of(int descriptor)
{
    static char path[PATH_MAX];
    char link[64];
    struct stat status;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    memset(path, 0, sizeof(path));
    return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                   readlink(link, path, sizeof(path) - 1) > 0 && is_under(path)
               ? path
               : NULL;
}

static void note(const char *call)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "%ld %s\n", number, call);
    int out = calls ? (int)syscall(SYS_openat, AT_FDCWD, calls,
                                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                    : -1;
    if (out < 0)
        return;
    (void)syscall(SYS_write, out, line, (size_t)size);
    close(out);
}

/* `grows`: it needs room that the file has not. */
static bool fails(const char *call, const char *path, bool grows)
{
    if (only && !strstr(path, only))
        return false;
    number++;
    note(call);
    if (stops && strcmp(stops, call) == 0)
        (void)raise(SIGSTOP);
    if (planned == 0 || number < planned || (number > planned && !goes_on))
        return false;
    errno = failure ? failure : ENOSPC;
    return failure || grows;
}

static bool grows_to(int descriptor, off_t end)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && end > status.st_size;
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    const char *path = path_of(descriptor);
    if (path &&
        fails("write", path, grows_to(descriptor, lseek(descriptor, 0, SEEK_CUR) + (off_t)size)))
        return -1;
    return syscall(SYS_write, descriptor, bytes, size);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    const char *path = path_of(descriptor);
    if (path && fails("pwrite", path, grows_to(descriptor, at + (off_t)size)))
        return -1;
    return syscall(SYS_pwrite64, descriptor, bytes, size, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off_t at)
{
    return pwrite(descriptor, bytes, size, at);
}

int fsync(int descriptor)
{
    const char *path = path_of(descriptor);
    if (path && fails("fsync", path, false))
        return -1;
    return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor)
{
    const char *path = path_of(descriptor);
    if (path && fails("fdatasync", path, false))
        return -1;
    return (int)syscall(SYS_fdatasync, descriptor);
}

int ftruncate(int descriptor, off_t size)
{
    const char *path = path_of(descriptor);
    if (path && fails("ftruncate", path, grows_to(descriptor, size)))
        return -1;
    return (int)syscall(SYS_ftruncate, descriptor, size);
}

int ftruncate64(int descriptor, off_t size)
{
    return ftruncate(descriptor, size);
}

int rename(const char *from, const char *to)
{
    if (is_under(to) && fails("rename", to, false))
        return -1;
    return (int)syscall(SYS_rename, from, to);
}

int mkdir(const char *path, mode_t mode)
{
    if (is_under(path) && access(path, F_OK) < 0 && fails("mkdir", path, true))
        return -1;
    return (int)syscall(SYS_mkdir, path, mode);
}

int mkostemp(char *path, int flags)
{
    static int (*real)(char *path, int flags);
    if (is_under(path) && fails("mkostemp", path, false))
        return -1;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "mkostemp");
    return real(path, flags);
}

static int open_it(const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) != 0 && is_under(path) && access(path, F_OK) < 0 &&
        fails("open", path, false))
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_it(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_it(path, flags, mode);
}
