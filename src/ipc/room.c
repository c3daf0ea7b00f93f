/*
 * Starting a room: find its program, check who could have written it, exec it with nothing but its channels.
 */
#include "p11vault/ipc/room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p11vault/base/child.h"
#include "p11vault/base/log.h"
#include "p11vault/base/secret.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/p11vault"
#endif

/* A room that has been told to end gets this long before it is killed. */
#define ROOM_END_MS 3000

struct room {
    enum party who;
    pid_t pid;
    struct channel *channel;
};

static const char *program_name(enum party who)
{
    static const char *const names[] = {[PARTY_FRONT] = "p11vault",
                                        [PARTY_CARD] = "p11vault-card",
                                        [PARTY_EXCHANGE] = "p11vault-exchange"};
    return names[who];
}

/* Nobody but root and this user may be able to write it: else anybody could put another program in its place. */
static int check_owner(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return error_errno(error, CODE_FAULT, "'%s'", path);
    if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & 022) != 0) {
        error_set(error, CODE_CONFIG, "'%s' can be written by others", path);
        return error_hint(error, "chmod go-w '%s'", path);
    }
    return 0;
}

/* The directory of the program that runs. */
static int own_directory(char ret_path[PATH_MAX], struct error *error)
{
    ssize_t size = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
    if (size <= 0)
        return error_errno(error, CODE_FAULT, "find this program's directory");
    ret_path[size] = '\0';
    char *slash = strrchr(ret_path, '/');
    if (!slash)
        return error_set(error, CODE_FAULT, "find this program's directory");
    *slash = '\0';
    return 0;
}

int room_find_program(enum party who, char ret_path[PATH_MAX], struct error *error)
{
    char directory[PATH_MAX];
    if (own_directory(directory, error) < 0)
        return -1;
    const char *const places[] = {directory, LIBEXECDIR};
    for (size_t i = 0; i < 2; i++) {
        int size = snprintf(ret_path, PATH_MAX, "%s/%s", places[i], program_name(who));
        if (size < 0 || size >= PATH_MAX || access(ret_path, F_OK) < 0)
            continue;
        if (check_owner(places[i], error) < 0 || check_owner(ret_path, error) < 0)
            return -1;
        return 0;
    }
    error_set(error, CODE_FAULT, "program '%s' is neither in '%s' nor in '%s'", program_name(who),
              directory, LIBEXECDIR);
    return error_hint(error, "install all three programs: make install");
}

int room_check_closed(enum party who, struct error *error)
{
    char path[PATH_MAX];
    if (room_find_program(who, path, error) < 0)
        return -1;
    bool is_installed = strncmp(path, LIBEXECDIR "/", strlen(LIBEXECDIR "/")) == 0;
    if (!is_installed || geteuid() == 0 || access(path, R_OK) < 0)
        return 0;
    error_set(error, CODE_CONFIG, "'%s' can be read by you, so it would not run", path);
    return error_hint(error, "install it again as root, mode 0711: sudo make install");
}

/* The descriptors of the room: 0 input or nothing, 1 nothing, 2 ours, 3 its channel, 4 the keys or closed. */
static int plan_descriptors(posix_spawn_file_actions_t *plan, const struct room_start *how,
                            int channel)
{
    int result = 0;
    if (!how->inherit_input)
        result |= posix_spawn_file_actions_addopen(plan, 0, "/dev/null", O_RDONLY, 0);
    result |= posix_spawn_file_actions_addopen(plan, 1, "/dev/null", O_WRONLY, 0);
#ifndef P11VAULT_SANITIZED
    if (!log_is_verbose())
        result |= posix_spawn_file_actions_addopen(plan, 2, "/dev/null", O_WRONLY, 0);
#endif
    result |= posix_spawn_file_actions_adddup2(plan, channel, ROOM_CHANNEL_FD);
    if (how->keys >= 0)
        result |= posix_spawn_file_actions_adddup2(plan, how->keys, ROOM_KEYS_FD);
    else /* whoever started the front may have left something there */
        result |= posix_spawn_file_actions_addclose(plan, ROOM_KEYS_FD);
    return result;
}

/*
 * dup2 onto 3 and 4 must not hit a descriptor that is still to be copied, and a copy onto itself would keep
 * close-on-exec: so both are first moved above.
 */
static int move_up(int descriptor, struct error *error)
{
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, ROOM_KEYS_FD + 1);
    if (moved >= 0)
        return moved;
    if (errno == EINVAL) /* the limit is so low that there is no number above */
        errno = EMFILE;
    return error_errno(error, CODE_CONFIG, "start a room");
}

static int spawn(const struct room_start *how, const char *path, int channel, pid_t *ret_pid,
                 struct error *error)
{
    char *arguments[7] = {(char *)(uintptr_t)program_name(how->who)};
    size_t count = 1;
    if (log_is_verbose())
        arguments[count++] = (char *)(uintptr_t) "-v";
    if (secret_unlocked_allowed())
        arguments[count++] = (char *)(uintptr_t)ROOM_UNLOCKED;
    if (how->network)
        arguments[count++] = (char *)(uintptr_t) "--network";
    if (how->writable) {
        arguments[count++] = (char *)(uintptr_t) "--writable";
        arguments[count] = (char *)(uintptr_t)how->writable;
    }
    char *no_environment[] = {NULL};
    auto_close int high_channel = move_up(channel, error);
    if (high_channel < 0)
        return -1;
    auto_close int high_keys = -1;
    struct room_start moved = *how;
    if (how->keys >= 0) {
        high_keys = move_up(how->keys, error);
        if (high_keys < 0)
            return -1;
        moved.keys = high_keys;
    }
    posix_spawn_file_actions_t plan;
    if (posix_spawn_file_actions_init(&plan) != 0)
        return error_memory(error);
    int failed = plan_descriptors(&plan, &moved, high_channel);
    if (failed == 0)
        failed = posix_spawn(ret_pid, path, &plan, NULL, arguments,
                             how->env ? how->env : no_environment);
    posix_spawn_file_actions_destroy(&plan);
    if (failed != 0) {
        errno = failed;
        return error_errno(error, CODE_FAULT, "start '%s'", path);
    }
    return 0;
}

int room_start(const struct room_start *how, struct room **ret_room, struct error *error)
{
    char path[PATH_MAX];
    int ends[2];
    if (room_find_program(how->who, path, error) < 0 || channel_pair(ends, false, error) < 0)
        return -1;
    auto_close int ours = ends[0];
    auto_close int theirs = ends[1];
    auto_of(room_free) struct room *room = calloc(1, sizeof(*room));
    if (!room)
        return error_memory(error);
    room->who = how->who;
    if (spawn(how, path, theirs, &room->pid, error) < 0)
        return -1;
    enum state begin = how->who == PARTY_CARD ? CARD_NEW : EXCHANGE_NEW;
    if (channel_new(TAKE_FD(ours), PARTY_FRONT, how->who, begin, &room->channel, error) < 0)
        return -1;
    *ret_room = TAKE(room);
    return 0;
}

struct channel *room_channel(struct room *room)
{
    return room->channel;
}

void room_free(struct room *room)
{
    if (!room)
        return;
    if (room->pid > 0 && room->channel && channel_state(room->channel) != STATE_OVER) {
        struct error ignored;
        if (room->who == PARTY_CARD)
            (void)channel_send(room->channel, card_end, &ignored);
        else
            (void)channel_send(room->channel, exchange_end, &ignored);
    }
    channel_free(room->channel);
    if (room->pid > 0)
        child_reap(room->pid, deadline_in(ROOM_END_MS));
    free(room);
}

void room_interrupt(struct room *room)
{
    kill(room->pid, SIGTERM);
}

void room_explain(struct room *room, struct error *error)
{
    if (!room || room->pid <= 0 || !channel_peer_gone(room->channel) ||
        !child_ends(room->pid, deadline_in(ROOM_END_MS)))
        return;
    siginfo_t status = {0};
    if (waitid(P_PID, (id_t)room->pid, &status, WEXITED | WNOWAIT) < 0)
        return;
    struct error why = *error;
    if (status.si_code == CLD_KILLED || status.si_code == CLD_DUMPED)
        error_set(error, why.code, "%s: %s was killed by signal %d", why.text,
                  program_name(room->who), status.si_status);
    else if (status.si_code == CLD_EXITED && status.si_status != 0)
        error_set(error, why.code, "%s: %s ended with status %d", why.text, program_name(room->who),
                  status.si_status);
    else
        return;
    error_hint(error, "%s", why.hint);
}
