/*
 * confine.c: the walls that every program and room has.  Those of system calls are in filter.c, those of files in
 * landlock.c.
 */
#include "p11vault/confine/confine.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p11vault/base/cleanup.h"

static void close_listing(DIR *listing)
{
    if (listing)
        closedir(listing);
}
DEFINE_CLEANUP(DIR, close_listing);

static int refuse_dumps(struct error *error)
{
#ifdef P11VAULT_SANITIZED
    (void)error;
    dprintf(STDERR_FILENO, "sanitizer build: this process can be traced and dumped\n");
    return 0;
#else
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(error, CODE_FAULT, "make the process not dumpable");
    return 0;
#endif
}

/* A program that was started with one of them closed would say its messages into the next file that it opens. */
static int fill_standard_descriptors(struct error *error)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDWR) != i)
            return error_errno(error, CODE_FAULT, "open /dev/null as descriptor %d", i);
    }
    return 0;
}

int confine_process(bool dies_with_parent, struct error *error)
{
    const struct rlimit no_core = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    umask(077);
    if (fill_standard_descriptors(error) < 0 || refuse_dumps(error) < 0)
        return -1;
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        return error_errno(error, CODE_FAULT, "forbid core dumps");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(error, CODE_FAULT, "forbid new privileges");
    /* A parent that is gone already is seen by the rooms as the end of its socket. */
    if (dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_errno(error, CODE_FAULT, "tie the process to its parent");
    /* A module behind a broken socket would end the process otherwise. */
    if (sigaction(SIGPIPE, &ignore, NULL) < 0)
        return error_errno(error, CODE_FAULT, "ignore SIGPIPE");
    return 0;
}

/* ---- descriptors ---- */

/* Without close_range(2), before Linux 5.9: one after the other, as far as the limit goes. */
static int close_below_limit(int first, struct error *error)
{
    struct rlimit limit = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_errno(error, CODE_FAULT, "close inherited descriptors");
    for (int i = first; (rlim_t)i < limit.rlim_cur && i < INT_MAX; i++)
        close(i);
    return 0;
}

/* The same by the list of those that are open: a limit may be a thousand million. */
static int close_listed(int first, struct error *error)
{
    auto_of(close_listing) DIR *listing = opendir("/proc/self/fd");
    const struct dirent *entry;
    if (!listing)
        return close_below_limit(first, error);
    while ((entry = readdir(listing)) != NULL) {
        int descriptor = (int)strtol(entry->d_name, NULL, 10);
        if (descriptor >= first && descriptor != dirfd(listing))
            close(descriptor);
    }
    return 0;
}

int confine_descriptors(int first_to_close, struct error *error)
{
    int first = first_to_close > STDERR_FILENO ? first_to_close : STDERR_FILENO + 1;
    if (close_range((unsigned)first, ~0U, 0) == 0)
        return 0;
    return close_listed(first, error);
}

/* ---- limits ---- */

static int lower(int which, rlim_t wanted, struct error *error)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) < 0)
        return error_errno(error, CODE_FAULT, "read a limit of this process");
    if (limit.rlim_max > wanted)
        limit.rlim_max = wanted;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    if (setrlimit(which, &limit) < 0)
        return error_errno(error, CODE_FAULT, "limit this process");
    return 0;
}

void confine_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int confine_limits(unsigned descriptors, size_t data, struct error *error)
{
    if (lower(RLIMIT_NOFILE, descriptors, error) < 0)
        return -1;
    return data > 0 && CONFINE_WALLS ? lower(RLIMIT_DATA, data, error) : 0;
}
