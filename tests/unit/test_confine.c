/*
 * test_confine.c: the walls hold, each in a child of its own; what is to stay usable does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/sockios.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "leave_out.h"
#include "p11vault/confine/confine.h"

/*
 * Runs the body in a child; it returns NULL, or what went wrong, which ends up in the failure's
 * message.
 */
static void in_child(const char *(*body)(void))
{
    char text[256] = "";
    int channel[2];
    int status = 0;
    pid_t child = 0;

    assert_int_equal(pipe(channel), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *wrong = body();

        if (wrong != NULL && write(channel[1], wrong, strlen(wrong)) < 0)
            _exit(2);
        _exit(wrong == NULL ? 0 : 1);
    }
    close(channel[1]);
    if (read(channel[0], text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    close(channel[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("child ended with status 0x%x: %s", (unsigned)status, text);
}

/* As confine_process() does first: without it only root may build walls. */
static void forbid_privileges(void)
{
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

/* Valgrind makes calls of its own inside the process, which a filter would deny it as well. */
static void filtered_child(const char *(*body)(void))
{
    if (getenv("P11VAULT_UNDER_VALGRIND") != NULL) {
        leave_out("valgrind cannot work behind a seccomp filter");
    }
    in_child(body);
}

struct attempt {
    const char *name;
    long number;
    long arguments[5];
    int answer;
};

/* The first that passes, or is refused with another error; NULL: none. */
static const char *not_refused(const struct attempt *attempts, size_t count)
{
    static char wrong[128];
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        long result = syscall(a->number, a->arguments[0], a->arguments[1], a->arguments[2],
                              a->arguments[3], a->arguments[4]);
        if (result != -1 || errno != a->answer) {
            snprintf(wrong, sizeof(wrong), "%s: result %ld, errno %d", a->name, result, errno);
            return wrong;
        }
    }
    return NULL;
}

static const char path[] = "/dev/null";
static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
static int pair[2];

#define POINTER(p) ((long)(intptr_t)(p))

static const struct sockaddr_in network = {.sin_family = AF_INET, .sin_port = 9 << 8};
static struct mmsghdr addressed = {
    .msg_hdr = {.msg_name = (void *)(uintptr_t)&network, .msg_namelen = sizeof(network)}};

static const char *denied_calls_fail(void)
{
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        return "socketpair before the lock";
    const struct f_owner_ex owner = {F_OWNER_PID, getppid()};
    struct rlimit limit;
    const struct attempt attempts[] = {
        {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, EPERM},
        {"socket unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, EPERM},
        {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, POINTER(pair)}, EPERM},
        {"connect", SYS_connect, {pair[0], POINTER(&address), sizeof(address)}, EPERM},
        {"bind", SYS_bind, {pair[0], POINTER(&address), sizeof(address)}, EPERM},
        {"listen", SYS_listen, {pair[0], 1}, EPERM},
        {"accept", SYS_accept, {pair[0], 0, 0}, EPERM},
        {"accept4", SYS_accept4, {pair[0], 0, 0, 0}, EPERM},
#ifdef SYS_open
        {"open", SYS_open, {POINTER(path), O_RDONLY}, EPERM},
        {"creat", SYS_creat, {POINTER(path), 0600}, EPERM},
        {"fork", SYS_fork, {0}, EPERM},
        {"vfork", SYS_vfork, {0}, EPERM},
#endif
        {"sendto", SYS_sendto, {udp, POINTER("x"), 1, 0, POINTER(&network)}, EPERM},
        {"sendto unix", SYS_sendto, {pair[0], POINTER("x"), 1, 0, POINTER(&address)}, EPERM},
        {"sendto fast", SYS_sendto, {tcp, POINTER("x"), 1, MSG_FASTOPEN, POINTER(&network)}, EPERM},
        {"sendmsg", SYS_sendmsg, {udp, POINTER(&addressed.msg_hdr), 0}, EPERM},
        {"sendmmsg", SYS_sendmmsg, {udp, POINTER(&addressed), 1, 0}, EPERM},
#ifdef SYS_mkdir
        {"mkdir", SYS_mkdir, {POINTER(path), 0700}, EPERM},
        {"unlink", SYS_unlink, {POINTER(path)}, EPERM},
        {"chmod", SYS_chmod, {POINTER(path), 0600}, EPERM},
#endif
        {"truncate", SYS_truncate, {POINTER(path), 0}, EPERM},
        {"unlinkat", SYS_unlinkat, {AT_FDCWD, POINTER(path), 0}, EPERM},
        {"fchownat", SYS_fchownat, {AT_FDCWD, POINTER(path), 0, 0, 0}, EPERM},
        {"kill", SYS_kill, {getppid(), 0}, EPERM},
        {"tkill", SYS_tkill, {getpid(), 0}, EPERM},
        {"tgkill", SYS_tgkill, {getppid(), getppid(), 0}, EPERM},
        {"tgkill by half", SYS_tgkill, {(1L << 32) + getppid(), getppid(), 0}, EPERM},
        {"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, {getppid(), getppid(), 0, 0}, EPERM},
        {"F_SETOWN", SYS_fcntl, {pair[0], F_SETOWN, getppid()}, EPERM},
        {"F_SETOWN_EX", SYS_fcntl, {pair[0], F_SETOWN_EX, POINTER(&owner)}, EPERM},
        {"FIOSETOWN", SYS_ioctl, {pair[0], FIOSETOWN, POINTER(&owner.pid)}, EPERM},
        {"SIOCSPGRP", SYS_ioctl, {pair[0], SIOCSPGRP, POINTER(&owner.pid)}, EPERM},
        {"prlimit64", SYS_prlimit64, {getppid(), RLIMIT_CPU, 0, POINTER(&limit)}, EPERM},
        {"fchmod", SYS_fchmod, {pair[0], 0666}, EPERM},
        {"fchmodat2", 452, {AT_FDCWD, POINTER(path), 0666, 0}, EPERM},
        {"lremovexattr", SYS_lremovexattr, {POINTER(path), POINTER("user.a")}, EPERM},
        {"setxattrat", 463, {AT_FDCWD, POINTER(path), 0, POINTER("user.a"), 0}, EPERM},
        {"open_tree_attr", 467, {AT_FDCWD, POINTER(path), 0, 0, 0}, EPERM},
        {"mount_setattr", SYS_mount_setattr, {AT_FDCWD, POINTER(path), 0, 0, 0}, EPERM},
        {"openat", SYS_openat, {AT_FDCWD, POINTER(path), O_RDONLY}, EPERM},
        {"openat2", SYS_openat2, {AT_FDCWD, POINTER(path), 0, 0}, EPERM},
        {"open_by_handle_at", SYS_open_by_handle_at, {AT_FDCWD, 0, 0}, EPERM},
        {"name_to_handle_at", SYS_name_to_handle_at, {AT_FDCWD, POINTER(path), 0, 0, 0}, EPERM},
        {"open_tree", SYS_open_tree, {AT_FDCWD, POINTER(path), 0}, EPERM},
        {"linkat", SYS_linkat, {AT_FDCWD, POINTER(path), AT_FDCWD, POINTER(path), 0}, EPERM},
        {"symlinkat", SYS_symlinkat, {POINTER(path), AT_FDCWD, POINTER(path)}, EPERM},
        {"renameat2", SYS_renameat2, {AT_FDCWD, POINTER(path), AT_FDCWD, POINTER(path)}, EPERM},
        {"memfd_create", SYS_memfd_create, {POINTER(path), 0}, EPERM},
        {"shmget", SYS_shmget, {0, 4096, 0600}, EPERM},
        {"unshare", SYS_unshare, {0}, EPERM},
        {"execve", SYS_execve, {POINTER(path), 0, 0}, EPERM},
        {"execveat", SYS_execveat, {AT_FDCWD, POINTER(path), 0, 0, 0}, EPERM},
        {"clone", SYS_clone, {SIGCHLD, 0, 0, 0, 0}, EPERM},
        {"clone3", SYS_clone3, {0, 0}, ENOSYS},
        {"ptrace", SYS_ptrace, {0, 0, 0, 0}, EPERM},
        {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0}, EPERM},
        {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0}, EPERM},
        {"pidfd_open", SYS_pidfd_open, {1, 0}, EPERM},
        {"pidfd_getfd", SYS_pidfd_getfd, {0, 0, 0}, EPERM},
        {"io_uring_setup", SYS_io_uring_setup, {1, 0}, EPERM},
        {"io_uring_enter", SYS_io_uring_enter, {0, 0, 0, 0}, EPERM},
        {"keyctl", SYS_keyctl, {0, 0}, EPERM},
        {"bpf", SYS_bpf, {0, 0, 0}, EPERM},
        {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, 0}, EPERM},
        {"userfaultfd", SYS_userfaultfd, {0}, EPERM},
        {"add_key", SYS_add_key, {0, 0, 0, 0, 0}, EPERM},
        {"TIOCSTI", SYS_ioctl, {0, TIOCSTI, POINTER("x")}, EPERM},
        {"PR_SET_DUMPABLE", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}, EPERM},
    };
    struct error error = {0};

    forbid_privileges();
    if (confine_lock(&error) < 0)
        return "confine_lock refused";
    return not_refused(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void lock_denies(void **state)
{
    (void)state;
    filtered_child(denied_calls_fail);
}

static const char *open_things_stay_usable(void)
{
    int sockets[2];
    char bytes[4] = "";
    struct rlimit limit;
    struct error error = {0};
    int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    void *memory = NULL;

    if (file < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) < 0)
        return "before the lock";
    forbid_privileges();
    if (confine_lock(&error) < 0)
        return "confine_lock refused";
    if (read(file, bytes, sizeof(bytes)) != sizeof(bytes))
        return "read of an open file";
    if (send(sockets[0], "abc", 3, 0) != 3 || recv(sockets[1], bytes, sizeof(bytes), 0) != 3)
        return "send and receive";
    memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mlock(memory, 4096) < 0 || munmap(memory, 4096) < 0)
        return "memory";
    if (dup(file) < 0 || close(file) < 0)
        return "descriptors";
    if (raise(0) != 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
        return "what concerns itself";
    if (fork() != -1 || errno != EPERM)
        return "fork of the C library";
    return NULL;
}

static void lock_leaves_the_rest(void **state)
{
    (void)state;
    filtered_child(open_things_stay_usable);
}

static const char *locks_twice(void)
{
    struct error error = {0};

    forbid_privileges();
    return confine_lock(&error) < 0 || confine_lock(&error) < 0 ? "refused" : NULL;
}

static void lock_can_be_repeated(void **state)
{
    (void)state;
    filtered_child(locks_twice);
}

static const char *process_is_confined(void)
{
    struct rlimit core = {1, 1};
    struct sigaction action;
    int death = 0;
    struct error error = {0};

    if (confine_process(true, &error) < 0)
        return "confine_process refused";
#ifndef P11VAULT_SANITIZED
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return "dumpable";
#endif
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return "core limit";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return "new privileges";
    if (prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) < 0 || death != SIGKILL)
        return "parent's death";
    if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
        return "SIGPIPE";
    if (umask(0) != 077)
        return "umask";
    return NULL;
}

static void process_walls_stand(void **state)
{
    (void)state;
    in_child(process_is_confined);
}

static const char *process_without_parent(void)
{
    int death = 1;
    struct error error = {0};

    if (confine_process(false, &error) < 0)
        return "confine_process refused";
    return prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) < 0 || death != 0 ? "tied to its parent" : NULL;
}

static void process_is_not_tied_unasked(void **state)
{
    (void)state;
    in_child(process_without_parent);
}

static const char *descriptors_close(void)
{
    struct error error = {0};

    if (dup2(STDERR_FILENO, 5) != 5 || dup2(STDERR_FILENO, 40) != 40 ||
        dup2(STDERR_FILENO, 900) != 900)
        return "dup2";
    if (confine_descriptors(6, &error) < 0)
        return "refused";
    if (fcntl(0, F_GETFD) < 0 || fcntl(1, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0 ||
        fcntl(5, F_GETFD) < 0)
        return "one was closed that should stay";
    if (fcntl(6, F_GETFD) >= 0 || fcntl(40, F_GETFD) >= 0 || fcntl(900, F_GETFD) >= 0)
        return "one stayed open";
    return NULL;
}

static const char *standard_descriptors_stay(void)
{
    struct error error = {0};

    if (dup2(STDERR_FILENO, 3) != 3 || confine_descriptors(0, &error) < 0)
        return "refused";
    /* The result travels through the exit status alone: the channel is closed now. */
    if (fcntl(0, F_GETFD) < 0 || fcntl(1, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0)
        return "a standard one was closed";
    return fcntl(3, F_GETFD) >= 0 ? "3 stayed open" : NULL;
}

static void descriptors_are_closed(void **state)
{
    (void)state;
    in_child(descriptors_close);
    in_child(standard_descriptors_stay);
}

/* Linux before 5.9; and what containers say of calls that they do not know. */
static bool lose_close_range(int answer)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool lost =
        filter &&
        seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)answer), SCMP_SYS(close_range), 0) == 0 &&
        seccomp_load(filter) == 0;
    seccomp_release(filter);
    return lost;
}

static const char *close_without_the_call(void)
{
    return lose_close_range(ENOSYS) ? descriptors_close() : "no filter";
}

static const char *close_where_it_is_refused(void)
{
    return lose_close_range(EPERM) ? standard_descriptors_stay() : "no filter";
}

static void descriptors_are_closed_one_by_one(void **state)
{
    (void)state;
    filtered_child(close_without_the_call);
    filtered_child(close_where_it_is_refused);
}

/* The machine's own sockets stay: pcscd is behind one. */
static const char *offline_card_room(void)
{
    static struct error error;
    int ends[2];
    static const int families[] = {AF_INET, AF_INET6, AF_VSOCK, AF_PACKET, AF_ALG, AF_BLUETOOTH};
    if (confine_offline(&error) < 0)
        return error.text;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        int descriptor = socket(families[i], SOCK_DGRAM, 0);
        if (descriptor >= 0 || errno != EAFNOSUPPORT)
            return "a network socket was made";
    }
    /* The kernel takes the lower half alone. */
    if (syscall(SYS_socket, (1UL << 32) + AF_INET, SOCK_DGRAM, 0) != -1 || errno != EAFNOSUPPORT)
        return "a network socket was made by half of an argument";
    if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return "no socket of the machine itself";
    if (open("/dev/null", O_RDONLY) < 0)
        return "no files";
    if (syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) != -1 || errno != EPERM)
        return "another process can be read";
    return NULL;
}

static void card_room_is_offline(void **state)
{
    (void)state;
    filtered_child(offline_card_room);
}

static const char *writing_card_room(void)
{
    static struct error error;
    char place[] = "/tmp/p11vault-writing-XXXXXX";
    char inside[64];
    if (!mkdtemp(place))
        return "no directory";
    (void)snprintf(inside, sizeof(inside), "%s/file", place);
    const char *const places[] = {place};
    forbid_privileges();
    if (confine_writing(places, 1, &error) < 0)
        return error.text;
    int wall = confine_landlock_version() > 0;
    int descriptor = open("/tmp/p11vault-elsewhere", O_WRONLY | O_CREAT, 0600);
    if (wall && (descriptor >= 0 || errno != EACCES))
        return "a file was made elsewhere";
    if (open("/etc/passwd", O_RDONLY) < 0)
        return "files cannot be read";
    if (open("/dev/null", O_RDWR) < 0)
        return "devices cannot be written";
    if (open(inside, O_WRONLY | O_CREAT, 0600) < 0 || unlink(inside) < 0)
        return "no writing where it is allowed";
    return NULL;
}

/* ---- what Landlock leaves of files ---- */

static void *answer_as_the_second(void *context)
{
    struct seccomp_notif *asked;
    struct seccomp_notif_resp *answer;
    if (seccomp_notify_alloc(&asked, &answer) != 0)
        return NULL;
    for (;;) {
        memset(asked, 0, sizeof(*asked));
        if (seccomp_notify_receive(*(int *)context, asked) != 0)
            continue;
        *answer = (struct seccomp_notif_resp){.id = asked->id, .val = 2};
        (void)seccomp_notify_respond(*(int *)context, answer);
    }
}

/* Debian 12's kernel: what its second version does not know is not asked of the true one either. */
static bool become_older(void)
{
    static int listener;
    pthread_t thread;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool older = filter &&
                 seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(landlock_create_ruleset), 1,
                                  SCMP_A2(SCMP_CMP_EQ, LANDLOCK_CREATE_RULESET_VERSION)) == 0 &&
                 seccomp_load(filter) == 0 && (listener = seccomp_notify_fd(filter)) >= 0 &&
                 pthread_create(&thread, NULL, answer_as_the_second, &listener) == 0;
    seccomp_release(filter);
    return older && confine_landlock_version() == 2;
}

/* A file that the tests' processes may not write, and a directory in which they may. */
static char kept[64];
static char kept_file[80];
static char own_place[80];

static void make_kept(void **state)
{
    (void)state;
    (void)strcpy(kept, "/tmp/p11vault-kept-XXXXXX");
    assert_non_null(mkdtemp(kept));
    (void)snprintf(kept_file, sizeof(kept_file), "%s/trust", kept);
    (void)snprintf(own_place, sizeof(own_place), "%s/own", kept);
    assert_int_equal(mkdir(own_place, 0700), 0);
    int descriptor = open(kept_file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(descriptor, "trust", 5), 5);
    close(descriptor);
}

static int remove_kept(void **state)
{
    (void)state;
    unlink(kept_file);
    rmdir(own_place);
    return rmdir(kept);
}

static long open_how(uint64_t flags)
{
    const struct {
        uint64_t flags, mode, resolve;
    } how = {flags, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, kept_file, &how, sizeof(how));
}

static const char *nothing_is_emptied(void)
{
    static struct error error;
    char inside[96];
    struct stat status;
    const char *const places[] = {own_place};
    if (confine_landlock_version() == 0)
        return NULL;
    (void)snprintf(inside, sizeof(inside), "%s/file", own_place);
    if (confine_writing(places, 1, &error) < 0)
        return error.text;
    if (truncate(kept_file, 0) == 0 || open(kept_file, O_RDONLY | O_TRUNC) >= 0 ||
        open(kept_file, O_ACCMODE | O_TRUNC) >= 0 ||
        openat(AT_FDCWD, kept_file, O_TRUNC | O_CREAT, 0600) >= 0 || open_how(O_TRUNC) >= 0 ||
        stat(kept_file, &status) < 0 || status.st_size != 5)
        return "a file was emptied";
#ifdef SYS_open
    if (syscall(SYS_open, kept_file, O_TRUNC) >= 0 ||
        syscall(SYS_open, kept_file, O_TRUNC | O_ACCMODE) >= 0)
        return "a file was emptied by the older call";
#endif
    int own = open(inside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (open(kept_file, O_RDONLY) < 0 || own < 0 || ftruncate(own, 0) < 0 ||
        open(inside, O_RDWR | O_TRUNC) < 0 || fchmod(own, 0640) < 0 || unlink(inside) < 0)
        return "no writing where it is allowed";
    return NULL;
}

static const char *nothing_is_emptied_on_older(void)
{
    if (confine_landlock_version() == 0)
        return NULL;
    return become_older() ? nothing_is_emptied() : "no older kernel";
}

static void files_are_not_emptied(void **state)
{
    make_kept(state);
    in_child(nothing_is_emptied);
    filtered_child(nothing_is_emptied_on_older);
}

/* A descriptor that only reads would do for most of them. */
static const char *no_attributes(void)
{
    static struct error error;
    static const char name[] = "user.p11vault";
    int file = open(kept_file, O_RDONLY);
    int flags = 0;
    const struct attempt attempts[] = {
#ifdef SYS_chmod
        {"chmod", SYS_chmod, {POINTER(kept_file), 0666}, EPERM},
        {"chown", SYS_chown, {POINTER(kept_file), -1, -1}, EPERM},
        {"lchown", SYS_lchown, {POINTER(kept_file), -1, -1}, EPERM},
        {"utime", SYS_utime, {POINTER(kept_file), 0}, EPERM},
        {"utimes", SYS_utimes, {POINTER(kept_file), 0}, EPERM},
        {"futimesat", SYS_futimesat, {AT_FDCWD, POINTER(kept_file), 0}, EPERM},
#endif
        {"fchmod", SYS_fchmod, {file, 0666}, EPERM},
        {"fchmodat", SYS_fchmodat, {AT_FDCWD, POINTER(kept_file), 0666}, EPERM},
        {"fchmodat2", 452, {AT_FDCWD, POINTER(kept_file), 0666, 0}, EPERM},
        {"fchown", SYS_fchown, {file, -1, -1}, EPERM},
        {"fchownat", SYS_fchownat, {AT_FDCWD, POINTER(kept_file), -1, -1, 0}, EPERM},
        {"setxattr", SYS_setxattr, {POINTER(kept_file), POINTER(name), 0, 0, 0}, EPERM},
        {"lsetxattr", SYS_lsetxattr, {POINTER(kept_file), POINTER(name), 0, 0, 0}, EPERM},
        {"fsetxattr", SYS_fsetxattr, {file, POINTER(name), 0, 0, 0}, EPERM},
        {"setxattrat", 463, {AT_FDCWD, POINTER(kept_file), 0, POINTER(name), 0}, EPERM},
        {"removexattr", SYS_removexattr, {POINTER(kept_file), POINTER(name)}, EPERM},
        {"lremovexattr", SYS_lremovexattr, {POINTER(kept_file), POINTER(name)}, EPERM},
        {"fremovexattr", SYS_fremovexattr, {file, POINTER(name)}, EPERM},
        {"removexattrat", 466, {AT_FDCWD, POINTER(kept_file), 0, POINTER(name)}, EPERM},
        {"file_setattr", 469, {AT_FDCWD, POINTER(kept_file), 0, 0, 0}, EPERM},
        {"utimensat", SYS_utimensat, {AT_FDCWD, POINTER(kept_file), 0, 0}, EPERM},
        {"futimens", SYS_utimensat, {file, 0, 0, 0}, EPERM},
        {"flags", SYS_ioctl, {file, (long)FS_IOC_SETFLAGS, POINTER(&flags)}, EPERM},
        {"flags of 32 bits", SYS_ioctl, {file, (long)FS_IOC32_SETFLAGS, POINTER(&flags)}, EPERM},
        {"more flags", SYS_ioctl, {file, (long)FS_IOC_FSSETXATTR, POINTER(&flags)}, EPERM},
    };
    forbid_privileges();
    if (file < 0 || confine_writing(NULL, 0, &error) < 0)
        return "refused";
    return not_refused(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void attributes_stay_where_nothing_is_written(void **state)
{
    make_kept(state);
    filtered_child(no_attributes);
}

/* The child is behind the same wall and the parent is not. */
static const char *signals_stay_inside(void)
{
    static struct error error;
    forbid_privileges();
    if (confine_writing(NULL, 0, &error) < 0)
        return error.text;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    bool outside = kill(getppid(), 0) == 0;
    if (child < 0 || kill(child, SIGKILL) < 0 || waitpid(child, NULL, 0) != child)
        return "a child cannot be ended";
    return confine_landlock_version() >= 6 && outside ? "the parent can be signalled" : NULL;
}

static void signals_reach_nobody_outside(void **state)
{
    (void)state;
    filtered_child(signals_stay_inside);
}

static const char *nothing_to_write(void)
{
    static struct error error;
    static const char *const places[] = {"/no/such/place"};
    if (confine_landlock_version() == 0)
        return NULL;
    if (confine_writing(places, 1, &error) == 0 || error.code != CODE_CONFIG)
        return "a place that is not there was allowed";
    return open("/tmp", O_WRONLY | O_TMPFILE, 0600) < 0 ? "a wall that failed stands" : NULL;
}

static void a_place_must_be_there(void **state)
{
    (void)state;
    in_child(nothing_to_write);
}

/* What every program has: the rest of the machine stays usable. */
static const char *all_calls(void)
{
    static struct error error;
    static const struct attempt attempts[] = {
        {"ptrace", SYS_ptrace, {0, 0, 0, 0}, EPERM},
        {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0}, EPERM},
        {"pidfd_getfd", SYS_pidfd_getfd, {0, 0, 0}, EPERM},
        {"bpf", SYS_bpf, {0, 0, 0}, EPERM},
        {"io_uring_setup", SYS_io_uring_setup, {1, 0}, EPERM},
        {"keyctl", SYS_keyctl, {0, 0}, EPERM},
        {"mount", SYS_mount, {0, 0, 0, 0, 0}, EPERM},
        {"unshare", SYS_unshare, {0}, EPERM},
        {"setns", SYS_setns, {0, 0}, EPERM},
        {"personality", SYS_personality, {0}, EPERM},
        {"init_module", SYS_init_module, {0, 0, 0}, EPERM},
        {"kexec_load", SYS_kexec_load, {0, 0, 0, 0}, EPERM},
        {"a user's name space", SYS_clone, {SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0}, EPERM},
        {"packets", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, EAFNOSUPPORT},
        {"packets by half", SYS_socket, {(1L << 32) + AF_PACKET, SOCK_RAW, 0}, EAFNOSUPPORT},
        {"TIOCSTI", SYS_ioctl, {0, TIOCSTI, 0}, EPERM},
        {"TIOCSTI by half", SYS_ioctl, {0, (1L << 32) + TIOCSTI, 0}, EPERM},
        {"PR_SET_DUMPABLE", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}, EPERM},
    };
    if (confine_calls(&error) < 0)
        return error.text;
    const char *passed = not_refused(attempts, sizeof(attempts) / sizeof(attempts[0]));
    if (passed)
        return passed;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        execl("/bin/true", "true", NULL);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return "no program can be started";
    if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0 ||
        socket(AF_NETLINK, SOCK_RAW, 0) < 0)
        return "no sockets";
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? "cannot be closed" : NULL;
}

static void every_program_is_denied_what_none_needs(void **state)
{
    (void)state;
    filtered_child(all_calls);
}

static const char *limits_only_fall(void)
{
    struct error error;
    struct rlimit files = {32, 64}, data;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || confine_limits(48, (size_t)1 << 30, &error) < 0)
        return "refused";
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur != 32 || files.rlim_max != 48)
        return "descriptors";
    if (getrlimit(RLIMIT_DATA, &data) < 0 || (CONFINE_WALLS && data.rlim_max != (rlim_t)1 << 30))
        return "memory";
    if (confine_limits(1024, 0, &error) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return "refused the second time";
    return files.rlim_max == 48 ? NULL : "a limit was raised";
}

static void limits_are_lowered(void **state)
{
    (void)state;
    if (getenv("P11VAULT_UNDER_VALGRIND")) {
        leave_out("valgrind lets nobody change the number of descriptors");
    }
    in_child(limits_only_fall);
}

/* ---- how a room was started ---- */

static void start_is_looked_at(void **state)
{
    (void)state;
    struct error error;
    char own[PATH_MAX];
    struct confine_start start = {.installed = true};
    ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(size > 0);
    own[size] = '\0';
    *strrchr(own, '/') = '\0';
    assert_int_equal(confine_look_at_start("/no/such/place", &start, &error), 0);
    assert_false(start.installed);
    assert_int_equal(confine_look_at_start("/usr/bin", &start, &error), 0);
    assert_false(start.installed);
    assert_int_equal(start.dumpable, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
    assert_int_equal(confine_look_at_start(own, &start, &error), 0);
    assert_true(start.installed);
}

static void only_installed_rooms_refuse(void **state)
{
    (void)state;
    struct error error;
    struct confine_start start = {.dumpable = true, .traced = true};
    assert_int_equal(confine_check_start(&start, &error), 0);
    start.installed = true;
    assert_int_equal(confine_check_start(&start, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_non_null(strstr(error.text, "traced"));
    start.traced = false;
    assert_int_equal(confine_check_start(&start, &error), geteuid() == 0 ? 0 : -1);
    start.dumpable = false;
    assert_int_equal(confine_check_start(&start, &error), 0);
}

static void card_room_writes_where_it_may(void **state)
{
    (void)state;
    in_child(writing_card_room);
}

static const char *landlock_alone(void)
{
    static struct error error;
    forbid_privileges();
    if (confine_no_files(&error) < 0)
        return error.text;
    if (confine_landlock_version() == 0)
        return open("/etc/passwd", O_RDONLY) >= 0 ? NULL : "a wall stands that the kernel lacks";
    if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
        return "a file was opened";
    if (open("/tmp/p11vault-landlock", O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES)
        return "a file was made";
    return NULL;
}

static void landlock_stands_without_the_filter(void **state)
{
    (void)state;
    in_child(landlock_alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_denies),
        cmocka_unit_test(lock_leaves_the_rest),
        cmocka_unit_test(lock_can_be_repeated),
        cmocka_unit_test(card_room_is_offline),
        cmocka_unit_test(card_room_writes_where_it_may),
        cmocka_unit_test_teardown(files_are_not_emptied, remove_kept),
        cmocka_unit_test_teardown(attributes_stay_where_nothing_is_written, remove_kept),
        cmocka_unit_test(signals_reach_nobody_outside),
        cmocka_unit_test(a_place_must_be_there),
        cmocka_unit_test(every_program_is_denied_what_none_needs),
        cmocka_unit_test(limits_are_lowered),
        cmocka_unit_test(start_is_looked_at),
        cmocka_unit_test(only_installed_rooms_refuse),
        cmocka_unit_test(landlock_stands_without_the_filter),
        cmocka_unit_test(process_walls_stand),
        cmocka_unit_test(process_is_not_tied_unasked),
        cmocka_unit_test(descriptors_are_closed),
        cmocka_unit_test(descriptors_are_closed_one_by_one),
    };

    return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
