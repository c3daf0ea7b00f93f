/*
 * kernel.c: asking the kernel and its settings what the walls can be built of.
 */
#include "p11vault/confine/kernel.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/cleanup.h"

#define SETTING_MAX ((size_t)64 * 1024)

uint64_t kernel_lock_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 0;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

bool kernel_can_lock(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return false;
    /* Not by the C library's name: sanitizers put nothing in its place. */
    bool locked = syscall(SYS_mlock, pages, size) == 0;
    munmap(pages, size);
    return locked;
}

bool kernel_has_hidden(void)
{
#ifdef SYS_memfd_secret
    auto_close int descriptor = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    return descriptor >= 0;
#else
    return false;
#endif
}

bool kernel_has_filters(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool kernel_process_closed(void)
{
    struct rlimit limit;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 &&
           limit.rlim_max == 0;
}

bool kernel_process_bound(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* ---- settings ---- */

static bool read_setting(const char *path, struct buffer *ret_text)
{
    struct error ignored;
    return buffer_read_file(path, SETTING_MAX, FILE_PLAIN, ret_text, &ignored) == 0;
}

int kernel_ptrace_scope(void)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(SETTING_MAX);
    if (!read_setting("/proc/sys/kernel/yama/ptrace_scope", &text) || text.size == 0 ||
        text.data[0] < '0' || text.data[0] > '3')
        return -1;
    return text.data[0] - '0';
}

/* One line for each area below a line of titles; the name is its first word. */
bool kernel_swap(char ret_name[KERNEL_TEXT_MAX])
{
    static const char compressed[] = "/dev/zram";
    auto_buffer struct buffer text = BUFFER_UP_TO(SETTING_MAX);
    if (!read_setting("/proc/swaps", &text))
        return false;
    for (const char *line = strchr(buffer_text(&text), '\n'); line && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        const char *name = line + 1;
        if (strncmp(name, compressed, strlen(compressed)) == 0)
            continue;
        (void)snprintf(ret_name, KERNEL_TEXT_MAX, "%.*s", (int)strcspn(name, " \t\n"), name);
        return true;
    }
    return false;
}

bool kernel_core_program(char ret_name[KERNEL_TEXT_MAX])
{
    auto_buffer struct buffer text = BUFFER_UP_TO(SETTING_MAX);
    if (!read_setting("/proc/sys/kernel/core_pattern", &text) || buffer_text(&text)[0] != '|')
        return false;
    const char *name = buffer_text(&text) + 1;
    (void)snprintf(ret_name, KERNEL_TEXT_MAX, "%.*s", (int)strcspn(name, " \t\n"), name);
    return true;
}

/* ---- file systems ---- */

const char *kernel_shared_file_system(uint64_t type)
{
    /* Their locks and syncs do not hold what a store asks of them, or somebody else's program answers. */
    static const struct {
        uint32_t type;
        const char *name;
    } shared[] = {
        {0x6969, "nfs"},      {0x517b, "smb"},      {0xff534d42, "cifs"},  {0xfe534d42, "smb"},
        {0x65735546, "fuse"}, {0x01021997, "9p"},   {0x00c36400, "ceph"},  {0x5346414f, "afs"},
        {0x6b414653, "afs"},  {0x73757245, "coda"}, {0x564c, "ncp"},       {0x0bd00bd0, "lustre"},
        {0x47504653, "gpfs"}, {0x01161970, "gfs2"}, {0x7461636f, "ocfs2"},
    };
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        if (shared[i].type == (uint32_t)type)
            return shared[i].name;
    return NULL;
}

int kernel_look_at(const char *path, struct kernel_place *ret_place, struct error *error)
{
    struct statfs status;
    if (statfs(path, &status) < 0)
        return error_errno(error, CODE_CONFIG, "look at the file system of %s", path);
    ret_place->shared = kernel_shared_file_system((uint64_t)status.f_type);
    ret_place->free = (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return 0;
}
