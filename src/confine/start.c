/*
 * start.c: how a room was started: whether anybody can have looked into it before its first line.
 *
 * A program that its user cannot read starts not dumpable, so nobody of that user can attach to it.  Root can read every
 * program, so what root starts is dumpable until confine_process(), and only root could look in: that says nothing, and
 * only a tracer counts.  A tracer that was there before the program can make the kernel's answers anything; the check is
 * against one that is there by mistake, and shows that the mode of the file is what keeps the others out.
 */
#include "p11vault/confine/confine.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"

#define STATUS_MAX ((size_t)64 * 1024)
#define IS_DUMPABLE 1

static int find_tracer(bool *ret_traced, struct error *error)
{
    static const char name[] = "\nTracerPid:";
    auto_buffer struct buffer text = BUFFER_UP_TO(STATUS_MAX);
    if (buffer_read_file("/proc/self/status", STATUS_MAX, FILE_PLAIN, &text, error) < 0)
        return -1;
    const char *line = strstr(buffer_text(&text), name);
    if (!line)
        return error_set(error, CODE_FAULT, "/proc/self/status does not name a tracer, or none");
    *ret_traced = strtol(line + strlen(name), NULL, 10) != 0;
    return 0;
}

/* By what it is and not by name: there may be links on the way. */
static int find_installed(const char *directory, bool *ret_installed, struct error *error)
{
    char path[PATH_MAX];
    struct stat own, installed;
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size <= 0)
        return error_errno(error, CODE_FAULT, "find this program's directory");
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    *ret_installed = stat(path, &own) == 0 && stat(directory, &installed) == 0 &&
                     own.st_dev == installed.st_dev && own.st_ino == installed.st_ino;
    return 0;
}

int confine_look_at_start(const char *directory, struct confine_start *ret_start,
                          struct error *error)
{
    struct confine_start start = {.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == IS_DUMPABLE};
    if (find_tracer(&start.traced, error) < 0 ||
        find_installed(directory, &start.installed, error) < 0)
        return error_prefix(error, "how this room was started");
    *ret_start = start;
    return 0;
}

int confine_check_start(const struct confine_start *start, struct error *error)
{
    bool open = start->dumpable && geteuid() != 0;
    if (!start->traced && !open)
        return 0;
    if (!start->installed) {
        log_info("%s: only a room that is not installed goes on so",
                 start->traced ? "this process is traced"
                               : "this process was started so that others could look in");
        return 0;
    }
    if (start->traced) {
        error_set(error, CODE_CONFIG, "this room is traced");
        return error_hint(error, "run it without a debugger, strace or the like");
    }
    error_set(error, CODE_CONFIG,
              "this room was started so that others of its user could look in: "
              "its user can read the program");
    return error_hint(error, "install it again as root, mode 0711: make install");
}
