/*
 * typed.c: reads secrets from files and descriptors.  What is asked at the terminal is in
 * terminal.c.
 */
#include "p11vault/pin/typed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "p11vault/base/buffer.h"

#define LINE_ENDING_MAX 2 /* "\r\n" */

/*
 * Drops one line ending, and only one: a second is part of what was meant, or a mistake to be seen.
 */
static void drop_line_ending(struct secret *secret)
{
    const uint8_t *bytes = secret_data(secret);
    size_t size = secret_size(secret);

    if (size == 0 || bytes[size - 1] != '\n')
        return;
    size--;
    if (size > 0 && bytes[size - 1] == '\r')
        size--;
    secret_cut(secret, size);
}

/* Reads to the end or until the secret is full.  With `deadline` NULL nothing is waited for. */
static int read_to_end(int descriptor, const struct deadline *deadline, struct secret *secret,
                       struct error *error)
{
    for (;;) {
        struct pollfd wait = {.fd = descriptor, .events = POLLIN};
        size_t room = 0;
        uint8_t *bytes = secret_room(secret, &room);
        ssize_t got = 0;
        int ready = 1;

        if (room == 0)
            return 0;
        if (deadline != NULL)
            ready = poll(&wait, 1, deadline_left(*deadline));
        if (ready == 0)
            return error_set(error, CODE_RETRY, "nothing came in time");
        if (ready > 0)
            got = read(descriptor, bytes, room);
        if (ready < 0 || got < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            return error_errno(error, CODE_FAULT, "read");
        }
        if (got == 0)
            return 0;
        secret_grow(secret, (size_t)got);
    }
}

/*
 * The line ending is dropped before the size is judged, so that a secret of exactly `maximum` may
 * have one.
 */
static int read_secret(int descriptor, size_t maximum, const struct deadline *deadline,
                       struct secret **ret_secret, struct error *error)
{
    auto_of(secret_free) struct secret *secret = NULL;

    if (maximum == 0 || maximum > TYPED_MAX)
        return error_set(error, CODE_FAULT, "a secret of at most %zu bytes cannot be read",
                         maximum);
    if (secret_new(maximum + LINE_ENDING_MAX + 1, &secret, error) < 0 ||
        read_to_end(descriptor, deadline, secret, error) < 0)
        return -1;
    drop_line_ending(secret);
    if (secret_size(secret) == 0)
        return error_set(error, CODE_USAGE, "it is empty");
    if (secret_size(secret) > maximum)
        return error_set(error, CODE_USAGE, "it is longer than %zu bytes", maximum);
    *ret_secret = TAKE(secret);
    return 0;
}

int typed_file(const char *path, size_t maximum, struct secret **ret_secret, struct error *error)
{
    /* Not to wait for a pipe's writer, nor to take a terminal: neither is a regular file. */
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "open '%s'", path);
    if (file_check(descriptor, FILE_PRIVATE, path, error) < 0)
        return -1;
    if (read_secret(descriptor, maximum, NULL, ret_secret, error) < 0)
        return error_prefix(error, "secret file '%s'", path);
    return 0;
}

int typed_descriptor(int descriptor, size_t maximum, struct deadline deadline,
                     struct secret **ret_secret, struct error *error)
{
    if (read_secret(descriptor, maximum, &deadline, ret_secret, error) == 0)
        return 0;
    if (descriptor == STDIN_FILENO)
        return error_prefix(error, "standard input");
    return error_prefix(error, "secret from descriptor %d", descriptor);
}

int typed_check_token(const struct secret *secret, const char *what, struct error *error)
{
    const uint8_t *bytes = secret_data(secret);
    size_t size = secret_size(secret);

    if (size == 0)
        return error_set(error, CODE_USAGE, "%s is empty", what);
    for (size_t i = 0; i < size; i++) {
        const char *kind = NULL;

        if (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r'))
            kind = "white space";
        else if (bytes[i] < ' ' || bytes[i] == 0x7f)
            kind = "a control character";
        else if (bytes[i] > 0x7e)
            kind = "not ASCII";
        if (kind != NULL)
            return error_set(error, CODE_USAGE, "%s: byte %zu of %zu is %s", what, i + 1, size,
                             kind);
    }
    return 0;
}
