/*
 * One error: code, text, hint.
 */
#include "p11vault/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names come from outside: what could move a terminal's cursor or forge a line is not let through. */
static void make_printable(char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

int error_set(struct error *error, enum code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    error->hint[0] = '\0';
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    make_printable(error->text);
    return -1;
}

int error_errno(struct error *error, enum code code, const char *format, ...)
{
    int number = errno;
    char what[ERROR_TEXT_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    char why[128];
    return error_set(error, code, "%s: %s", what, strerror_r(number, why, sizeof(why)));
}

int error_prefix(struct error *error, const char *format, ...)
{
    char prefix[ERROR_TEXT_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(prefix, sizeof(prefix), format, arguments);
    va_end(arguments);
    char whole[ERROR_TEXT_MAX];
    int size = snprintf(whole, sizeof(whole), "%s: %s", prefix, error->text);
    if (size > 0)
        memcpy(error->text, whole, sizeof(whole));
    make_printable(error->text);
    return -1;
}

int error_hint(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
    make_printable(error->hint);
    return -1;
}

int error_memory(struct error *error)
{
    return error_set(error, CODE_FAULT, "out of memory");
}

static const struct {
    enum code code;
    const char *name;
} code_names[] = {
    {CODE_DONE, "done"},
    {CODE_FAULT, "fault"},
    {CODE_USAGE, "usage"},
    {CODE_RETRY, "retry"},
    {CODE_WAIT, "wait"},
    {CODE_LOGIN, "login"},
    {CODE_PERMISSION, "permission"},
    {CODE_CONFIG, "configuration"},
    {CODE_STOP, "stop"},
    {CODE_NO_CARD, "no-card"},
    {CODE_PIN_WRONG, "pin-wrong"},
    {CODE_PIN_LOCKED, "pin-locked"},
    {CODE_CARD, "card-failed"},
    {CODE_LOG, "log-refuses"},
    {CODE_BUSY, "busy"},
};

const char *error_code_name(enum code code)
{
    for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
        if (code_names[i].code == code)
            return code_names[i].name;
    return "unknown";
}

enum code error_code_from(unsigned long number)
{
    for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
        if ((unsigned long)code_names[i].code == number)
            return code_names[i].code;
    return CODE_FAULT;
}
