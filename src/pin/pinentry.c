/*
 * pinentry.c: the client's side of Assuan: lines of at most 1000 bytes, OK or ERR for each command, and data lines whose
 * bytes may be percent-encoded.
 *
 * The answer is read byte by byte into a struct secret, so that no part of a PIN lies in a buffer of lines.
 */
#include "p11vault/pin/pinentry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/child.h"
#include "p11vault/base/digest.h"

#define LINE_MAX_SIZE 1000
#define CANCELLED 99 /* GPG_ERR_CANCELED; the source of the error stands in the bits above */
#define CODE_MASK 0xffff
#define END_MS 1000 /* for a pinentry to take its window away */

extern char **environ;

struct dialog {
    const char *program;
    pid_t pid;
    int channel; /* a socket that is the program's standard input and output */
    struct deadline deadline;
};

static void dialog_end(struct dialog *dialog)
{
    if (dialog->channel >= 0)
        close(dialog->channel);
    if (dialog->pid <= 0)
        return;
    /* It ends with its input; a window that stays open would be asked for nothing. */
    kill(dialog->pid, SIGTERM);
    child_reap(dialog->pid, deadline_in(END_MS));
}

static int fail(const struct dialog *dialog, const char *what, struct error *error)
{
    return error_set(error, CODE_CONFIG, "pinentry '%s': %s", dialog->program, what);
}

static int check_program(const char *program, struct error *error)
{
    auto_close int descriptor = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "pinentry '%s'", program);
    return file_check(descriptor, FILE_TRUSTED, program, error);
}

static int start(struct dialog *dialog, struct error *error)
{
    char *arguments[] = {(char *)(uintptr_t)dialog->program, NULL};
    posix_spawn_file_actions_t plan;
    int ends[2];
    int failed = 0;

    if (check_program(dialog->program, error) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(error, CODE_FAULT, "start a pinentry");
    dialog->channel = ends[0];
    auto_close int theirs = ends[1];
    if (posix_spawn_file_actions_init(&plan) != 0)
        return error_memory(error);
    failed = posix_spawn_file_actions_adddup2(&plan, theirs, STDIN_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&plan, theirs, STDOUT_FILENO);
    /* A module may have opened some that would stay open. */
    if (failed == 0)
        failed = posix_spawn_file_actions_addclosefrom_np(&plan, STDERR_FILENO + 1);
    if (failed == 0)
        failed = posix_spawn(&dialog->pid, dialog->program, &plan, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&plan);
    errno = failed;
    return failed == 0 ? 0 : error_errno(error, CODE_CONFIG, "pinentry '%s'", dialog->program);
}

static int tell(const struct dialog *dialog, const char *line, struct error *error)
{
    size_t size = strlen(line);

    /* A line is small and the socket empty: it goes whole. */
    if (send(dialog->channel, line, size, MSG_NOSIGNAL) != (ssize_t)size)
        return fail(dialog, "it does not listen", error);
    return 0;
}

static int next_byte(const struct dialog *dialog, uint8_t *ret_byte, struct error *error)
{
    for (;;) {
        struct pollfd wait = {.fd = dialog->channel, .events = POLLIN};
        int ready = poll(&wait, 1, deadline_left(dialog->deadline));
        ssize_t got = ready > 0 ? read(dialog->channel, ret_byte, 1) : -1;

        if (got == 1)
            return 0;
        if (ready == 0)
            return error_set(error, CODE_RETRY, "nothing was typed in time");
        if (got == 0)
            return fail(dialog, "it ended without an answer", error);
        if (errno != EINTR && errno != EAGAIN)
            return error_errno(error, CODE_FAULT, "read from a pinentry");
    }
}

/* The rest of a line that is no data; cut where it is too long. */
static int read_line(const struct dialog *dialog, char first, char ret_line[LINE_MAX_SIZE + 1],
                     struct error *error)
{
    size_t size = 0;
    uint8_t byte = (uint8_t)first;

    while (byte != '\n') {
        if (size == LINE_MAX_SIZE)
            return fail(dialog, "it sends a line over 1000 bytes", error);
        ret_line[size++] = (char)byte;
        if (next_byte(dialog, &byte, error) < 0)
            return -1;
    }
    ret_line[size] = '\0';
    return 0;
}

/* "D " has been read: the rest of the line belongs to the answer, its percent-encoding undone. */
static int read_data(const struct dialog *dialog, size_t maximum, struct secret *answer,
                     struct error *error)
{
    for (;;) {
        size_t room = 0;
        uint8_t *place = secret_room(answer, &room);
        uint8_t byte = 0;

        if (room == 0 || secret_size(answer) > maximum)
            return error_set(error, CODE_USAGE, "what was typed is longer than %zu bytes", maximum);
        if (next_byte(dialog, place, error) < 0)
            return -1;
        if (*place == '\n')
            return 0;
        if (*place == '%') {
            int high = next_byte(dialog, &byte, error) < 0 ? -2 : hex_digit((char)byte);
            int low = high < 0 || next_byte(dialog, &byte, error) < 0 ? -2 : hex_digit((char)byte);

            byte = 0;
            if (high == -2)
                return -1;
            if (high < 0 || low < 0)
                return fail(dialog, "it sends a malformed answer", error);
            *place = (uint8_t)(high << 4 | low);
        }
        secret_grow(answer, 1);
    }
}

static int refused(const struct dialog *dialog, const char *line, struct error *error)
{
    unsigned long code = strtoul(line + strlen("ERR "), NULL, 10);

    if ((code & CODE_MASK) == CANCELLED)
        return error_set(error, CODE_RETRY, "typing was cancelled");
    return fail(dialog, "it refuses", error);
}

/* Reads to the OK that ends an answer; data go to `answer`, which is NULL where none may come. */
static int await_ok(const struct dialog *dialog, size_t maximum, struct secret *answer,
                    struct error *error)
{
    char line[LINE_MAX_SIZE + 1];

    for (;;) {
        uint8_t first = 0;
        uint8_t second = 0;

        if (next_byte(dialog, &first, error) < 0)
            return -1;
        if (first == 'D' && answer != NULL) {
            if (next_byte(dialog, &second, error) < 0 ||
                read_data(dialog, maximum, answer, error) < 0)
                return -1;
            continue;
        }
        if (read_line(dialog, (char)first, line, error) < 0)
            return -1;
        if (strncmp(line, "OK", 2) == 0)
            return 0;
        if (strncmp(line, "ERR ", 4) == 0)
            return refused(dialog, line, error);
        if (first != 'S' && first != '#')
            return fail(dialog, "it does not speak the protocol", error);
    }
}

static int command(const struct dialog *dialog, const char *line, struct error *error)
{
    if (tell(dialog, line, error) < 0)
        return -1;
    return await_ok(dialog, 0, NULL, error);
}

/* The prompt names what comes from the card and the command line: all but plain characters are encoded. */
static int describe(const struct dialog *dialog, const char *prompt, struct error *error)
{
    auto_buffer struct buffer line = BUFFER_UP_TO(LINE_MAX_SIZE);

    if (buffer_put_text(&line, "SETDESC ", error) < 0)
        return -1;
    for (const char *at = prompt; *at != '\0' && line.size < LINE_MAX_SIZE - 4; at++) {
        unsigned char byte = (unsigned char)*at;

        if (buffer_put_format(&line, error,
                              byte < 0x20 || byte == '%' || byte == 0x7f ? "%%%02X" : "%c",
                              byte) < 0)
            return -1;
    }
    if (buffer_put_text(&line, "\n", error) < 0)
        return -1;
    return command(dialog, buffer_text(&line), error);
}

/* Only those in a terminal want to know which; the others do not mind. */
static int name_terminal(const struct dialog *dialog, struct error *error)
{
    struct error ignored;

    if (command(dialog, "OPTION ttyname=/dev/tty\n", &ignored) < 0 && ignored.code == CODE_RETRY) {
        *error = ignored;
        return -1;
    }
    return command(dialog, "SETPROMPT PIN\n", error);
}

int pinentry_ask(const char *program, const char *prompt, size_t maximum, struct deadline deadline,
                 struct secret **ret_pin, struct error *error)
{
    __attribute__((cleanup(dialog_end))) struct dialog dialog = {
        .program = program, .channel = -1, .deadline = deadline};
    auto_of(secret_free) struct secret *pin = NULL;

    if (secret_new(maximum + 2, &pin, error) < 0 || start(&dialog, error) < 0 ||
        await_ok(&dialog, 0, NULL, error) < 0 || describe(&dialog, prompt, error) < 0 ||
        name_terminal(&dialog, error) < 0 || tell(&dialog, "GETPIN\n", error) < 0 ||
        await_ok(&dialog, maximum, pin, error) < 0)
        return -1;
    if (secret_size(pin) == 0)
        return error_set(error, CODE_USAGE, "nothing was typed");
    if (secret_size(pin) > maximum)
        return error_set(error, CODE_USAGE, "what was typed is longer than %zu bytes", maximum);
    *ret_pin = TAKE(pin);
    return 0;
}
