/*
 * older: starts a program as if the kernel had the second version of Landlock, which Debian 12's has.
 *
 *     older PROGRAM [ARGUMENT…]
 *
 * Whoever asks for the version, there and in everything that it starts, is told so by this process, which ends with the
 * program's exit code.
 */
#include <err.h>
#include <errno.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 2

/* The number of the descriptor by which the kernel asks.  It closes with exec. */
static int listen_for_version(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter ||
        seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(landlock_create_ruleset), 1,
                         SCMP_A2(SCMP_CMP_EQ, LANDLOCK_CREATE_RULESET_VERSION)) != 0 ||
        seccomp_load(filter) != 0)
        errx(2, "seccomp");
    return seccomp_notify_fd(filter);
}

/* Until all that are behind the filter have ended. */
static void answer(int listener)
{
    struct pollfd asked = {.fd = listener, .events = POLLIN};
    struct seccomp_notif *question;
    struct seccomp_notif_resp *version;
    if (seccomp_notify_alloc(&question, &version) != 0)
        errx(2, "seccomp");
    while ((asked.revents & POLLHUP) == 0) {
        if (poll(&asked, 1, -1) < 0)
            err(2, "poll");
        if ((asked.revents & POLLIN) == 0)
            continue;
        memset(question, 0, sizeof(*question));
        if (seccomp_notify_receive(listener, question) != 0)
            continue;
        *version = (struct seccomp_notif_resp){.id = question->id, .val = SECOND};
        (void)seccomp_notify_respond(listener, version);
    }
}

int main(int count, char **arguments)
{
    int pipe_ends[2], listener = -1, status = 0;
    if (count < 2)
        errx(2, "usage: older PROGRAM [ARGUMENT...]");
    if (pipe(pipe_ends) < 0)
        err(2, "pipe");
    /* With one table of descriptors until the exec, so this process has the listener as well. */
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child < 0)
        err(2, "clone");
    if (child == 0) {
        listener = listen_for_version();
        if (write(pipe_ends[1], &listener, sizeof(listener)) != sizeof(listener))
            err(2, "pipe");
        execv(arguments[1], arguments + 1);
        err(2, "%s", arguments[1]);
    }
    if (read(pipe_ends[0], &listener, sizeof(listener)) != sizeof(listener))
        err(2, "pipe");
    answer(listener);
    if (waitpid(child, &status, 0) != child)
        err(2, "wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
