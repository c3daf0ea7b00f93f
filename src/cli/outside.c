/*
 * Starting programs that are none of ours: a browser, a mail program, a hook.  They must not inherit this program's walls,
 * so a process is made before they are built; it waits for orders, and ends when this program does.
 *
 * An order is one packet: how many arguments, how many seconds to wait (0: not at all), the arguments with their NULs, and
 * with it, as a descriptor, what the program reads.  The answer is one number.
 *
 * An order may name a file instead: it is removed when this program ends, however it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cli.h"

#define ORDER_MAX ((size_t)16 * 1024)
#define ARGUMENTS_MAX 64
#define GRACE_SECONDS 5
#define NOT_STARTED (-1)
#define REMOVES UINT_MAX /* as seconds: the one argument is a file */

struct order {
    unsigned count, seconds;
    char arguments[ORDER_MAX];
};

static int helper = -1; /* our end */

/* ---- in the process outside ---- */

/* The program itself; it ends at its deadline, unless it takes care not to. */
__attribute__((noreturn)) static void become(char *const *arguments, unsigned seconds, int input,
                                             int told)
{
    if (dup2(input, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(127);
    setsid();
    (void)alarm(seconds);
    execvp(arguments[0], arguments);
    int why = errno;
    (void)!write(told, &why, sizeof(why));
    _exit(127);
}

static bool split(struct order *order, size_t size, char *arguments[ARGUMENTS_MAX + 1])
{
    size_t at = 0, room = size - offsetof(struct order, arguments);
    if (order->count == 0 || order->count > ARGUMENTS_MAX)
        return false;
    for (unsigned i = 0; i < order->count; i++) {
        arguments[i] = order->arguments + at;
        at += strnlen(arguments[i], room - at) + 1;
        if (at > room)
            return false;
    }
    arguments[order->count] = NULL;
    return true;
}

/* Exit code, 128 and the signal that ended it, 0 for what is not waited for, or NOT_STARTED. */
static int start(struct order *order, size_t size, int input)
{
    char *arguments[ARGUMENTS_MAX + 1];
    int told[2], why, status;
    if (!split(order, size, arguments) || pipe2(told, O_CLOEXEC) < 0)
        return NOT_STARTED;
    pid_t child = fork();
    if (child == 0)
        become(arguments, order->seconds, input, told[1]);
    close(told[1]);
    /* Nothing comes when it was started. */
    bool failed = child < 0 || read(told[0], &why, sizeof(why)) > 0;
    close(told[0]);
    if (child > 0 && (failed || order->seconds > 0))
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    if (failed)
        return NOT_STARTED;
    if (order->seconds == 0)
        return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static ssize_t receive(int end, struct order *order, int *ret_input)
{
    struct iovec packet = {order, sizeof(*order)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = &packet,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(end, &header, MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = size > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    *ret_input = -1;
    if (rights && rights->cmsg_type == SCM_RIGHTS)
        memcpy(ret_input, CMSG_DATA(rights), sizeof(int));
    return size;
}

__attribute__((noreturn)) static void end_with(const char *file)
{
    if (*file)
        (void)unlink(file);
    _exit(0);
}

__attribute__((noreturn)) static void serve(int end)
{
    char file[PATH_MAX] = "";
    for (;;) {
        struct order order;
        int input;
        ssize_t size = receive(end, &order, &input);
        if (size <= (ssize_t)offsetof(struct order, arguments) || input < 0)
            end_with(file);
        int status = 0;
        if (order.seconds == REMOVES)
            (void)snprintf(file, sizeof(file), "%.*s",
                           (int)(size - (ssize_t)offsetof(struct order, arguments)),
                           order.arguments);
        else
            status = start(&order, (size_t)size, input);
        close(input);
        if (send(end, &status, sizeof(status), MSG_NOSIGNAL) != sizeof(status))
            end_with(file);
    }
}

int outside_prepare(struct error *error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(error, CODE_FAULT, "make a channel to other programs");
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_errno(error, CODE_FAULT, "make a process for other programs");
    }
    if (child == 0) {
        close(ends[1]);
        setsid();
        serve(ends[0]);
    }
    close(ends[0]);
    helper = ends[1];
    return 0;
}

/* ---- in this program ---- */

static int fill(const char *const *arguments, unsigned seconds, struct order *order,
                size_t *ret_size, struct error *error)
{
    size_t at = 0;
    *order = (struct order){.seconds = seconds};
    for (; arguments[order->count]; order->count++) {
        size_t size = strlen(arguments[order->count]) + 1;
        if (order->count == ARGUMENTS_MAX || size > ORDER_MAX - at)
            return error_set(error, CODE_FAULT, "too many arguments for another program");
        memcpy(order->arguments + at, arguments[order->count], size);
        at += size;
    }
    *ret_size = offsetof(struct order, arguments) + at;
    return 0;
}

/* What the program reads, whole before it begins: neither side waits for the other. */
static int make_input(const void *input, size_t size, int *ret_descriptor, struct error *error)
{
    auto_close int descriptor = memfd_create("p11vault", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, input, size) != (ssize_t)size ||
        lseek(descriptor, 0, SEEK_SET) < 0)
        return error_errno(error, CODE_FAULT, "make the input of another program");
    *ret_descriptor = TAKE_FD(descriptor);
    return 0;
}

static int tell(const struct order *order, size_t size, int input, struct error *error)
{
    struct iovec packet = {(void *)(uintptr_t)order, size};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = &packet,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &input, sizeof(int));
    if (sendmsg(helper, &header, MSG_NOSIGNAL) != (ssize_t)size)
        return error_errno(error, CODE_FAULT, "tell the process for other programs");
    return 0;
}

/* Sends an order; the answer comes within so many seconds. */
static int ask(const char *const *arguments, unsigned seconds, unsigned patience, const void *input,
               size_t size, int *ret_status, struct error *error)
{
    struct order order;
    size_t order_size;
    auto_close int descriptor = -1;
    int status;
    if (fill(arguments, seconds, &order, &order_size, error) < 0 ||
        make_input(input, size, &descriptor, error) < 0 ||
        tell(&order, order_size, descriptor, error) < 0)
        return -1;
    struct pollfd waiting = {.fd = helper, .events = POLLIN};
    int ready = poll(&waiting, 1, (int)patience * 1000);
    if (ready <= 0 || recv(helper, &status, sizeof(status), 0) != sizeof(status))
        return error_set(error, CODE_RETRY, "'%.200s' does not end", arguments[0]);
    if (status == NOT_STARTED) {
        error_set(error, CODE_CONFIG, "'%.200s' cannot be started", arguments[0]);
        return error_hint(error, "ls -l %.200s", arguments[0]);
    }
    *ret_status = status;
    return 0;
}

int outside_run(const char *const *arguments, unsigned seconds, const void *input, size_t size,
                int *ret_status, struct error *error)
{
    return ask(arguments, seconds, seconds + GRACE_SECONDS, input, size, ret_status, error);
}

int outside_remove(const char *path, struct error *error)
{
    const char *const file[] = {path, NULL};
    int status;
    return ask(file, REMOVES, GRACE_SECONDS, "", 0, &status, error);
}

void outside_end(void)
{
    if (helper >= 0)
        close(TAKE_FD(helper));
}
