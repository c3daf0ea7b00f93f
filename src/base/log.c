/*
 * log.c: one write(2) a line, so that lines of several processes do not run into each other and no
 * stdio buffer keeps a copy.
 */
#include "p11vault/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p11vault/base/error.h"

static const char *log_program = "p11vault";
static bool log_verbose;

void log_start(const char *program, bool verbose)
{
    log_program = program;
    log_verbose = verbose;
}

bool log_is_verbose(void)
{
    return log_verbose;
}

void log_info(const char *format, ...)
{
    if (!log_verbose)
        return;
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    /* An error's text is one clean line: the same rule holds here. */
    struct error line;
    error_set(&line, CODE_DONE, "%s: %s", log_program, text);
    size_t size = strlen(line.text);
    line.text[size] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, size + 1);
    (void)written; /* a message that nobody can receive is nobody's loss */
}
