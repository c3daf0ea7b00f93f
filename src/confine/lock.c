/*
 * lock.c: the exchange room's lock: what no call may do any more once the connection stands.
 *
 * A list of what is denied, not of what is allowed: libraries and kernels bring new harmless calls
 * every year, and a list of those would break on the next update.  What is denied is everything
 * that could give the process a new way out: a socket, a file, a program, another process, or
 * another process' memory.
 */
#include "p11vault/confine/confine.h"

#include <errno.h>
#include <seccomp.h>

#include "p11vault/base/cleanup.h"

struct denied {
    int call;
    int answer;
};

static const struct denied denied[] = {
    /* The network, and sockets of any kind. */
    {SCMP_SYS(socket), EPERM},
    {SCMP_SYS(socketpair), EPERM},
    {SCMP_SYS(connect), EPERM},
    {SCMP_SYS(bind), EPERM},
    {SCMP_SYS(listen), EPERM},
    {SCMP_SYS(accept), EPERM},
    {SCMP_SYS(accept4), EPERM},

    /* Files, by name or by handle, and what makes new names for them. */
    {SCMP_SYS(open), EPERM},
    {SCMP_SYS(openat), EPERM},
    {SCMP_SYS(openat2), EPERM},
    {SCMP_SYS(creat), EPERM},
    {SCMP_SYS(open_by_handle_at), EPERM},
    {SCMP_SYS(name_to_handle_at), EPERM},
    {SCMP_SYS(open_tree), EPERM},
    {SCMP_SYS(mknod), EPERM},
    {SCMP_SYS(mknodat), EPERM},
    {SCMP_SYS(link), EPERM},
    {SCMP_SYS(linkat), EPERM},
    {SCMP_SYS(symlink), EPERM},
    {SCMP_SYS(symlinkat), EPERM},
    {SCMP_SYS(rename), EPERM},
    {SCMP_SYS(renameat), EPERM},
    {SCMP_SYS(renameat2), EPERM},
    {SCMP_SYS(memfd_create), EPERM},
    {SCMP_SYS(mq_open), EPERM},
    {SCMP_SYS(shmget), EPERM},
    {SCMP_SYS(shmat), EPERM},
    {SCMP_SYS(msgget), EPERM},

    /* File systems and name spaces. */
    {SCMP_SYS(mount), EPERM},
    {SCMP_SYS(fsopen), EPERM},
    {SCMP_SYS(fspick), EPERM},
    {SCMP_SYS(move_mount), EPERM},
    {SCMP_SYS(chroot), EPERM},
    {SCMP_SYS(pivot_root), EPERM},
    {SCMP_SYS(unshare), EPERM},
    {SCMP_SYS(setns), EPERM},

    /*
     * Programs and processes.  The C library falls back from clone3 to clone when it does not
     * exist.
     */
    {SCMP_SYS(execve), EPERM},
    {SCMP_SYS(execveat), EPERM},
    {SCMP_SYS(fork), EPERM},
    {SCMP_SYS(vfork), EPERM},
    {SCMP_SYS(clone), EPERM},
    {SCMP_SYS(clone3), ENOSYS},

    /* Other processes' memory and descriptors. */
    {SCMP_SYS(ptrace), EPERM},
    {SCMP_SYS(process_vm_readv), EPERM},
    {SCMP_SYS(process_vm_writev), EPERM},
    {SCMP_SYS(pidfd_open), EPERM},
    {SCMP_SYS(pidfd_getfd), EPERM},
    {SCMP_SYS(userfaultfd), EPERM},
    {SCMP_SYS(perf_event_open), EPERM},

    /*
     * Ways around this list: calls made by the kernel on our behalf, keyrings, programs in the
     * kernel.
     */
    {SCMP_SYS(io_uring_setup), EPERM},
    {SCMP_SYS(io_uring_enter), EPERM},
    {SCMP_SYS(io_uring_register), EPERM},
    {SCMP_SYS(add_key), EPERM},
    {SCMP_SYS(request_key), EPERM},
    {SCMP_SYS(keyctl), EPERM},
    {SCMP_SYS(bpf), EPERM},
};

static void filter_free(void *filter)
{
    if (filter != NULL)
        seccomp_release(filter);
}
DEFINE_CLEANUP(void, filter_free);

int confine_lock(struct error *error)
{
    auto_of(filter_free) void *filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = 0;

    if (filter == NULL)
        return error_memory(error);
    if (confine_no_files(error) < 0)
        return -1;
    /* A call by another architecture's numbers would pass the list unseen. */
    result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* Threads that run already are locked in too. */
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; result == 0 && i < sizeof(denied) / sizeof(denied[0]); i++)
        result =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)denied[i].answer), denied[i].call, 0);
    if (result == 0)
        result = seccomp_load(filter);
    if (result == 0)
        return 0;
    errno = -result;
    return error_errno(error, CODE_CONFIG, "lock the process by a seccomp filter");
}
