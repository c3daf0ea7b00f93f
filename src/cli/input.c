/*
 * What a verb reads from standard input.
 */
#include <errno.h>
#include <unistd.h>

#include "cli.h"

int read_input(const char *what, struct buffer *input, struct error *error)
{
    char piece[4096];
    for (;;) {
        ssize_t size = read(STDIN_FILENO, piece, sizeof(piece));
        if (size == 0)
            return 0;
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return error_errno(error, CODE_USAGE, "read %s from standard input", what);
        if (buffer_put(input, piece, (size_t)size, error) < 0)
            return error_set(error, CODE_USAGE, "%s is longer than %zu bytes", what,
                             input->maximum);
    }
}
