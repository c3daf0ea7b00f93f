/*
 * scan: looks for secrets in the memory and the registers of other processes.
 *
 *     scan --needles FILE PID…           one look: stops them, looks, lets them go
 *     scan --needles FILE --stay PID…    stays; takes one command a line and answers with one line of JSON for each
 *                                        process and then an empty line:
 *                                            attach PID…      watch these too; says nothing of them yet
 *                                            look MOMENT      look at all that are watched
 *                                        What they start is watched from its first instruction.  When one of them ends, all are looked at while it can still be read, under
 *                                        the moment "exit PID".  Ends with its input, or when its last process has.
 *     scan --needles FILE --ask PID…     the same, but at an end it says so, with an empty line, and waits for a line "go"
 *                                        before it looks: what is secret by now may be written into the needle file.
 *
 * A needle file has lines NAME HEX and mode 0600; it is read anew for each look.  Nothing that is found is ever printed:
 * only whose it is, its form, its place and its length.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

#define THREADS_MAX 256
#define OPTIONS                                                                                    \
    (PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)
#define COMMAND_MAX 4096

struct thread {
    pid_t id, process;
    bool stopped;
    int status; /* of the stop */
};

static struct thread threads[THREADS_MAX];
static size_t thread_count;
static const char *needle_file;
static bool asks, stays;

static struct thread *find(pid_t id)
{
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i].id == id)
            return &threads[i];
    return NULL;
}

static void forget(pid_t id)
{
    struct thread *thread = find(id);
    if (thread != NULL)
        *thread = threads[--thread_count];
}

static struct thread *add(pid_t id, pid_t process)
{
    if (thread_count == THREADS_MAX)
        errx(2, "more than %d threads", THREADS_MAX);
    threads[thread_count] = (struct thread){.id = id, .process = process};
    return &threads[thread_count++];
}

/* A number of /proc/ID/status; 0 when there is none. */
static pid_t status_number(pid_t id, const char *key)
{
    char path[64], line[128];
    pid_t number = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", id);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            number = atoi(line + strlen(key));
    if (file != NULL)
        fclose(file);
    return number;
}

/* What a process of ours started is ours, too; its first stop says so. */
static struct thread *take_in(pid_t id)
{
    pid_t process = status_number(id, "Tgid:");
    return process == 0 ? NULL : add(id, process);
}

/* Threads may start while we go through them, so this is repeated until nothing is new. */
static void attach(pid_t process)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", process);
    for (bool again = true; again;) {
        DIR *directory = opendir(path);
        again = false;
        for (const struct dirent *entry; directory != NULL && (entry = readdir(directory));) {
            pid_t id = atoi(entry->d_name);
            if (id == 0 || find(id) != NULL)
                continue;
            if (ptrace(PTRACE_SEIZE, id, NULL,
                       (void *)(long)(stays ? OPTIONS : PTRACE_O_TRACEEXIT)) < 0) {
                if (errno == ESRCH ||
                    (errno == EPERM && status_number(id, "TracerPid:") == getpid()))
                    continue;
                err(2, "attach to thread %d", id);
            }
            add(id, process);
            again = true;
        }
        if (directory != NULL)
            closedir(directory);
    }
}

static void look_all(const char *moment);

static bool is_exit(int status)
{
    return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

/* Lets a stopped thread go on as if we were not there. */
static void let_go(struct thread *thread)
{
    int signal_number = WSTOPSIG(thread->status), event = thread->status >> 16;
    thread->stopped = false;
    if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP)
        ptrace(PTRACE_LISTEN, thread->id, NULL, NULL); /* it stays stopped until SIGCONT */
    else
        ptrace(PTRACE_CONT, thread->id, NULL, (void *)(long)(event == 0 ? signal_number : 0));
}

static void ask(pid_t ending)
{
    char go[3];
    printf("{\"ending\": %d}\n\n", ending);
    fflush(stdout);
    for (size_t got = 0; got < sizeof(go);) {
        ssize_t more = read(STDIN_FILENO, go + got, sizeof(go) - got);
        if (more <= 0)
            errx(2, "nobody says that we may look");
        got += (size_t)more;
    }
}

static void take_stop(pid_t id, int status)
{
    struct thread *thread = find(id);
    if (thread == NULL && WIFSTOPPED(status))
        thread = take_in(id);
    if (thread == NULL)
        return;
    if (!WIFSTOPPED(status)) {
        forget(id);
        return;
    }
    thread->stopped = true;
    thread->status = status;
    if (is_exit(status) && id == thread->process) {
        char moment[32];
        if (asks)
            ask(id);
        snprintf(moment, sizeof(moment), "exit %d", id);
        look_all(moment);
        thread = find(id);
    }
    if (thread != NULL && thread->stopped)
        let_go(thread);
}

/* Stops a thread; false when it ended instead. */
static bool stop(struct thread *thread)
{
    int status;
    pid_t id = thread->id;
    /* It may have come to a stop by itself just now: that counts as well. */
    if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL) < 0 && errno != ESRCH && errno != EIO)
        err(2, "stop thread %d", id);
    if (waitpid(id, &status, __WALL) != id || !WIFSTOPPED(status)) {
        forget(id);
        return false;
    }
    thread->stopped = true;
    thread->status = status;
    return true;
}

static void look_at(const struct needles *needles, pid_t process, const char *moment)
{
    pid_t ids[THREADS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i].process == process)
            ids[count++] = threads[i].id;
    process_look(needles, process, ids, count, moment);
}

static void look_all(const char *moment)
{
    pid_t ours[THREADS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i].id == threads[i].process && !is_exit(threads[i].status))
            attach(threads[i].process);
    for (size_t i = 0; i < thread_count;) {
        bool already = threads[i].stopped;
        pid_t id = threads[i].id;
        if (!already && !stop(&threads[i]))
            continue; /* another has taken its place */
        if (!already)
            ours[count++] = id;
        i++;
    }
    struct needles *needles = needles_read(needle_file);
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i].id == threads[i].process)
            look_at(needles, threads[i].process, moment);
    needles_free(needles);
    puts("");
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        const struct thread *thread = find(ours[i]);
        if (thread != NULL && thread->stopped)
            take_stop(thread->id, thread->status);
    }
}

/* ---- commands ---- */

static void obey(char *line)
{
    char *rest = line, *word = strsep(&rest, " ");
    if (strcmp(word, "look") == 0 && rest != NULL) {
        look_all(rest);
        return;
    }
    if (strcmp(word, "attach") != 0)
        errx(2, "no such command: %s", word);
    while ((word = strsep(&rest, " ")) != NULL)
        attach(atoi(word));
    puts("");
    fflush(stdout);
}

/* Returns false at the end of the input. */
static bool take_commands(void)
{
    static char text[COMMAND_MAX];
    static size_t size;
    ssize_t got = read(STDIN_FILENO, text + size, sizeof(text) - 1 - size);
    if (got <= 0)
        return false;
    size += (size_t)got;
    text[size] = '\0';
    char *line = text, *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        obey(line);
        line = end + 1;
    }
    size = strlen(line);
    memmove(text, line, size);
    return true;
}

static void stay(int signals)
{
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
    bool was_any = thread_count > 0;
    while (thread_count > 0 || !was_any) {
        struct signalfd_siginfo drop;
        int status;
        pid_t id;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(2, "poll");
        if (ready[1].revents != 0 && read(signals, &drop, sizeof(drop)) < 0)
            err(2, "signals");
        while ((id = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
            take_stop(id, status);
        if (ready[0].revents != 0 && !take_commands())
            return;
        was_any = was_any || thread_count > 0;
    }
}

int main(int count, char **arguments)
{
    sigset_t child;
    int next = 3;
    if (count < 3 || strcmp(arguments[1], "--needles") != 0)
        errx(2, "usage: scan --needles FILE [--stay|--ask] PID…");
    needle_file = arguments[2];
    asks = count > 3 && strcmp(arguments[3], "--ask") == 0;
    if (asks || (count > 3 && strcmp(arguments[3], "--stay") == 0)) {
        stays = true;
        next++;
    }
    if (!stays && next == count)
        errx(2, "no process named");
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC);
    if (signals < 0)
        err(2, "signals");
    for (; next < count; next++) {
        attach(atoi(arguments[next]));
        if (find(atoi(arguments[next])) == NULL)
            errx(2, "no process %s", arguments[next]);
    }
    if (stays)
        stay(signals);
    else
        look_all("now");
    /* The kernel detaches from whatever is left when this process ends, and lets it run on. */
    return 0;
}
