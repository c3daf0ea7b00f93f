/*
 * filter.c: the walls made of system calls (seccomp): groups of calls by what they open, and each wall some groups.
 *
 * Lists of what is denied, not of what is allowed: libraries and kernels bring new harmless calls every year, and a
 * list of those would break on the next update.  What is denied is what could give a process a new way out.
 *
 * Conditions look at the half of an argument that the kernel looks at: with the whole register compared, one bit set
 * above an int would pass.
 */
#include "p11vault/confine/confine.h"

#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "p11vault/base/cleanup.h"
#include "p11vault/base/log.h"
#include "p11vault/confine/kernel.h"

/* Younger than Debian 12's headers and libseccomp; since then a call has one number on all machines. */
enum {
    SINCE_6_6_FCHMODAT2 = 452,
    SINCE_6_13_SETXATTRAT = 463,
    SINCE_6_13_REMOVEXATTRAT = 466,
    SINCE_6_15_OPEN_TREE_ATTR = 467,
    SINCE_6_17_FILE_SETATTR = 469,
};

/* ---- groups ---- */

enum {
    INTO_PROCESSES = 1 << 0,
    INTO_KERNEL = 1 << 1,
    INTO_MACHINE = 1 << 2,
    NEW_PLACES = 1 << 3,
    TRICKS = 1 << 4,
    NAMESPACES = 1 << 5,
    ODD_SOCKETS = 1 << 6,
    NETWORK = 1 << 7,
    SOCKETS = 1 << 8,
    FILES = 1 << 9,
    PROGRAMS = 1 << 10,
    ATTRIBUTES = 1 << 11,
    EMPTYING = 1 << 12,
};

/* The walls.  None of the three programs, and no module, needs what the first denies. */
#define WALL_ALL                                                                                   \
    (INTO_PROCESSES | INTO_KERNEL | INTO_MACHINE | NEW_PLACES | TRICKS | NAMESPACES | ODD_SOCKETS)
#define WALL_OFFLINE (WALL_ALL | NETWORK)
#define WALL_LOCK                                                                                  \
    (INTO_PROCESSES | INTO_KERNEL | INTO_MACHINE | NEW_PLACES | TRICKS | SOCKETS | FILES |         \
     ATTRIBUTES | PROGRAMS)

/* Other processes' memory and descriptors. */
static const int into_processes[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
};

/* Ways around any list: what the kernel does on our behalf, keeps for us, or lets us program. */
static const int into_kernel[] = {
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
};

/* What only an administrator does, and how a program is laid out. */
static const int into_machine[] = {
    SCMP_SYS(init_module), SCMP_SYS(finit_module),    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),  SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
    SCMP_SYS(swapon),      SCMP_SYS(swapoff),         SCMP_SYS(acct),
    SCMP_SYS(iopl),        SCMP_SYS(ioperm),          SCMP_SYS(personality),
};

/* Other views of the file systems. */
static const int new_places[] = {
    SCMP_SYS(mount),         SCMP_SYS(umount2),         SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),      SCMP_SYS(fsmount),         SCMP_SYS(fspick),
    SCMP_SYS(open_tree),     SINCE_6_15_OPEN_TREE_ATTR, SCMP_SYS(move_mount),
    SCMP_SYS(mount_setattr), SCMP_SYS(pivot_root),      SCMP_SYS(chroot),
    SCMP_SYS(unshare),       SCMP_SYS(setns),           SCMP_SYS(open_by_handle_at),
};

/* Reaching anybody that is not reached yet.  A message may name an address where no filter can see it. */
static const int sockets[] = {
    SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind),     SCMP_SYS(listen),
    SCMP_SYS(accept), SCMP_SYS(accept4),    SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
};

/* Files by any name, what makes or changes names, and memory that others can find. */
static const int files[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),       SCMP_SYS(openat2),
    SCMP_SYS(creat),     SCMP_SYS(mknod),        SCMP_SYS(mknodat),
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),      SCMP_SYS(link),
    SCMP_SYS(linkat),    SCMP_SYS(symlink),      SCMP_SYS(symlinkat),
    SCMP_SYS(rename),    SCMP_SYS(renameat),     SCMP_SYS(renameat2),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),     SCMP_SYS(rmdir),
    SCMP_SYS(truncate),  SCMP_SYS(memfd_create), SCMP_SYS(mq_open),
    SCMP_SYS(mq_unlink), SCMP_SYS(shmget),       SCMP_SYS(shmat),
    SCMP_SYS(msgget),    SCMP_SYS(semget),       SCMP_SYS(name_to_handle_at),
};

/* What can be changed of a file without its contents: a descriptor that only reads is enough, and Landlock looks away. */
static const int attributes[] = {
    SCMP_SYS(chmod),          SCMP_SYS(fchmod),        SCMP_SYS(fchmodat),
    SINCE_6_6_FCHMODAT2,      SCMP_SYS(chown),         SCMP_SYS(lchown),
    SCMP_SYS(fchown),         SCMP_SYS(fchownat),      SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),      SCMP_SYS(fsetxattr),     SINCE_6_13_SETXATTRAT,
    SCMP_SYS(removexattr),    SCMP_SYS(lremovexattr),  SCMP_SYS(fremovexattr),
    SINCE_6_13_REMOVEXATTRAT, SINCE_6_17_FILE_SETATTR, SCMP_SYS(utime),
    SCMP_SYS(utimes),         SCMP_SYS(futimesat),     SCMP_SYS(utimensat),
};

/* Emptying a file by its name; what opens one is among the conditions. */
static const int emptying[] = {
    SCMP_SYS(truncate),
};

/* Other programs, more processes, and word to those that are there. */
static const int programs[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(clone),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
};

#define LIST(group, list)                                                                          \
    {                                                                                              \
        group, list, sizeof(list) / sizeof((list)[0])                                              \
    }
static const struct group {
    unsigned bit;
    const int *calls;
    size_t count;
} groups[] = {
    LIST(INTO_PROCESSES, into_processes),
    LIST(INTO_KERNEL, into_kernel),
    LIST(INTO_MACHINE, into_machine),
    LIST(NEW_PLACES, new_places),
    LIST(SOCKETS, sockets),
    LIST(FILES, files),
    LIST(ATTRIBUTES, attributes),
    LIST(EMPTYING, emptying),
    LIST(PROGRAMS, programs),
};

/* ---- groups that look at arguments ---- */

#define LOW_HALF 0xffffffffU
#define IS(number, value)                                                                          \
    {                                                                                              \
        .arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = LOW_HALF, .datum_b = (value)         \
    }
/* Opened so that it is emptied and cannot be written: to read it, or (the fourth way) for neither. */
#define EMPTIES(number, way)                                                                       \
    {                                                                                              \
        .arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = O_ACCMODE | O_TRUNC,                 \
        .datum_b = (way) | O_TRUNC                                                                 \
    }
#define FOR_NEITHER O_ACCMODE

static const struct condition {
    unsigned bit;
    int call;
    unsigned count;
    struct scmp_arg_cmp when[2];
} conditions[] = {
    /* Typing into the terminal for the person, to be read by the shell afterwards. */
    {TRICKS, SCMP_SYS(ioctl), 1, {IS(1, TIOCSTI)}},
    {TRICKS, SCMP_SYS(ioctl), 1, {IS(1, TIOCLINUX)}},
    /* Opening the process again to others of its user. */
    {TRICKS, SCMP_SYS(prctl), 2, {IS(0, PR_SET_DUMPABLE), IS(1, 1)}},
    /* A packet with an address, and with it a TCP connection to another place. */
    {SOCKETS, SCMP_SYS(sendto), 1, {{.arg = 4, .op = SCMP_CMP_NE, .datum_a = 0}}},
    {NETWORK, SCMP_SYS(socket), 1, {IS(0, AF_INET)}},
    {NETWORK, SCMP_SYS(socket), 1, {IS(0, AF_INET6)}},
    {NETWORK, SCMP_SYS(socket), 1, {IS(0, AF_VSOCK)}},
    /* Where the file system keeps flags of its own for a file. */
    {ATTRIBUTES, SCMP_SYS(ioctl), 1, {IS(1, FS_IOC_SETFLAGS)}},
    {ATTRIBUTES, SCMP_SYS(ioctl), 1, {IS(1, FS_IOC32_SETFLAGS)}},
    {ATTRIBUTES, SCMP_SYS(ioctl), 1, {IS(1, FS_IOC_FSSETXATTR)}},
    /* Whom the kernel signals, with any signal, when a descriptor becomes ready. */
    {PROGRAMS, SCMP_SYS(fcntl), 1, {IS(1, F_SETOWN)}},
    {PROGRAMS, SCMP_SYS(fcntl), 1, {IS(1, F_SETOWN_EX)}},
    {PROGRAMS, SCMP_SYS(ioctl), 1, {IS(1, FIOSETOWN)}},
    {PROGRAMS, SCMP_SYS(ioctl), 1, {IS(1, SIOCSPGRP)}},
    /* Others' limits: of processor time, for one, at whose end the kernel ends them. */
    {PROGRAMS, SCMP_SYS(prlimit64), 1, {{.arg = 0, .op = SCMP_CMP_NE, .datum_a = 0}}},
    {EMPTYING, SCMP_SYS(open), 1, {EMPTIES(1, O_RDONLY)}},
    {EMPTYING, SCMP_SYS(open), 1, {EMPTIES(1, FOR_NEITHER)}},
    {EMPTYING, SCMP_SYS(openat), 1, {EMPTIES(2, O_RDONLY)}},
    {EMPTYING, SCMP_SYS(openat), 1, {EMPTIES(2, FOR_NEITHER)}},
};

static const unsigned long namespaces[] = {CLONE_NEWNS,    CLONE_NEWUSER, CLONE_NEWPID,
                                           CLONE_NEWNET,   CLONE_NEWIPC,  CLONE_NEWUTS,
                                           CLONE_NEWCGROUP};

/*
 * What stays: the machine itself, the network, and what the C library and udev ask the kernel by.  A module may have
 * its HSM behind the socket of a virtual machine, so AF_VSOCK belongs to the network.
 */
static const int plain_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK};
#define FAMILIES_END 48 /* the kernel has no more */

static bool is_plain(int family)
{
    for (size_t i = 0; i < sizeof(plain_families) / sizeof(plain_families[0]); i++)
        if (plain_families[i] == family)
            return true;
    return false;
}

/* ---- making a wall ---- */

static void filter_free(void *filter)
{
    if (filter)
        seccomp_release(filter);
}
DEFINE_CLEANUP(void, filter_free);

static int deny(void *filter, int answer, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)answer), call, 0);
}

static int deny_when(void *filter, int answer, int call, unsigned count,
                     const struct scmp_arg_cmp *when)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)answer), call, count, when);
}

static int add_lists(void *filter, unsigned wall)
{
    int result = 0;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (size_t j = 0; (wall & groups[i].bit) != 0 && result == 0 && j < groups[i].count; j++)
            result = deny(filter, EPERM, groups[i].calls[j]);
    return result;
}

static int add_conditions(void *filter, unsigned wall)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        const struct condition *condition = &conditions[i];
        int answer = (condition->bit & NETWORK) != 0 ? EAFNOSUPPORT : EPERM;
        if ((wall & condition->bit) != 0)
            result = deny_when(filter, answer, condition->call, condition->count, condition->when);
    }
    return result;
}

/*
 * No filter can look at what clone3 and openat2 are told.  The C library takes clone where clone3 does not exist; and
 * whoever calls openat2 must do without it on kernels before 5.6.
 */
static int add_unreadable(void *filter, unsigned wall)
{
    int result = 0;
    if ((wall & (NAMESPACES | PROGRAMS)) != 0)
        result = deny(filter, ENOSYS, SCMP_SYS(clone3));
    if (result == 0 && (wall & EMPTYING) != 0)
        result = deny(filter, ENOSYS, SCMP_SYS(openat2));
    return result;
}

static int add_clones(void *filter, unsigned wall)
{
    int result = 0;
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        const struct scmp_arg_cmp when = {
            .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = namespaces[i], .datum_b = namespaces[i]};
        if (result == 0 && (wall & NAMESPACES) != 0)
            result = deny_when(filter, EPERM, SCMP_SYS(clone), 1, &when);
    }
    return result;
}

/* raise() and abort() of the C library signal a thread of this process by tgkill. */
static int add_signals(void *filter, unsigned wall)
{
    const struct scmp_arg_cmp others = {
        .arg = 0, .op = SCMP_CMP_NE, .datum_a = (scmp_datum_t)getpid()};
    return (wall & PROGRAMS) != 0 ? deny_when(filter, EPERM, SCMP_SYS(tgkill), 1, &others) : 0;
}

static int add_families(void *filter, unsigned wall)
{
    int result = 0;
    for (int family = 1; result == 0 && (wall & ODD_SOCKETS) != 0 && family < FAMILIES_END;
         family++) {
        const struct scmp_arg_cmp when = IS(0, (scmp_datum_t)family);
        if (!is_plain(family))
            result = deny_when(filter, EAFNOSUPPORT, SCMP_SYS(socket), 1, &when);
    }
    return result;
}

static int build(unsigned wall, const char *what, struct error *error)
{
    auto_of(filter_free) void *filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return error_memory(error);
    /* A call by another architecture's numbers would pass the lists unseen. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* Threads that run already are behind the wall too. */
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = add_lists(filter, wall);
    if (result == 0)
        result = add_conditions(filter, wall);
    if (result == 0)
        result = add_unreadable(filter, wall);
    if (result == 0)
        result = add_clones(filter, wall);
    if (result == 0)
        result = add_signals(filter, wall);
    if (result == 0)
        result = add_families(filter, wall);
    if (result == 0)
        result = seccomp_load(filter);
    if (result == 0)
        return 0;
    errno = -result;
    error_errno(error, CODE_CONFIG, "%s by a seccomp filter", what);
    return error_hint(error, "use a kernel with CONFIG_SECCOMP_FILTER, or a container that lets "
                             "seccomp(2) through");
}

int confine_calls(struct error *error)
{
    if (!kernel_has_filters()) {
        log_info("this kernel has no filters of system calls: the others' walls stand alone");
        return 0;
    }
    return build(WALL_ALL, "confine the process", error);
}

int confine_changes(bool emptying_too, bool attributes_too, struct error *error)
{
    unsigned wall = (emptying_too ? EMPTYING : 0U) | (attributes_too ? ATTRIBUTES : 0U);
    if (wall == 0)
        return 0;
    if (!kernel_has_filters()) {
        log_info(
            "this kernel has no filters of system calls: what Landlock leaves of files is open");
        return 0;
    }
    return build(wall, "guard the files", error);
}

int confine_offline(struct error *error)
{
    return build(WALL_OFFLINE, "keep the card room off the network", error);
}

int confine_lock(struct error *error)
{
    if (confine_no_files(error) < 0)
        return -1;
    return build(WALL_LOCK, "lock the process", error);
}
