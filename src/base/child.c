/*
 * child.c: waits for processes with a deadline, by descriptors for them: SIGCHLD would be for the whole program.
 */
#include "p11vault/base/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p11vault/base/cleanup.h"

bool child_ends(pid_t child, struct deadline deadline)
{
    auto_close int process = (int)syscall(SYS_pidfd_open, child, 0);
    if (process < 0)
        return false;
    struct pollfd poller = {.fd = process, .events = POLLIN};
    int ready;
    do
        ready = poll(&poller, 1, deadline_left(deadline));
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

void child_reap(pid_t child, struct deadline deadline)
{
    if (!child_ends(child, deadline))
        kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}
