/*
 * Messages about a program's own work, for -v.
 */
#include "p11vault/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_SIZE 512

static const char *program_name = "p11vault";
static bool verbose_output;

void log_start(const char *program, bool verbose)
{
    program_name = program;
    verbose_output = verbose;
}

bool log_is_verbose(void)
{
    return verbose_output;
}

void log_info(const char *format, ...)
{
    if (!verbose_output)
        return;
    char line[LINE_MAX_SIZE];
    int head = snprintf(line, sizeof(line), "%s[%d]: ", program_name, (int)getpid());
    if (head < 0 || head >= (int)sizeof(line))
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, arguments);
    va_end(arguments);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    size_t size = strlen(line);
    line[size] = '\n';
    /* One write a line, so that lines of several programs do not mix; nobody can be told if it fails. */
    ssize_t ignored = write(STDERR_FILENO, line, size + 1);
    (void)ignored;
}
