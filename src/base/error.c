/*
 * error.c: texts are formatted into a private copy first, so that an error's own text may be an
 * argument, and then cleaned: whatever a peer smuggled into a name must not steer the operator's
 * terminal.
 */
#include "p11vault/base/error.h"

#undef error_set
#undef error_errno
#undef error_prefix
#undef error_hint
#undef error_memory

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum code code;
    const char *name;
} codes[] = {
    {CODE_DONE, "done"},
    {CODE_FAULT, "fault"},
    {CODE_USAGE, "usage"},
    {CODE_RETRY, "retry"},
    {CODE_WAIT, "wait"},
    {CODE_LOGIN, "login"},
    {CODE_PERMISSION, "permission"},
    {CODE_CONFIG, "config"},
    {CODE_STOP, "stop"},
    {CODE_NO_CARD, "no-card"},
    {CODE_PIN_WRONG, "pin-wrong"},
    {CODE_PIN_LOCKED, "pin-locked"},
    {CODE_CARD, "card"},
    {CODE_LOG, "log"},
    {CODE_BUSY, "busy"},
};

/*
 * Characters that show nothing, or turn others round: with them a text reads as something else than
 * it is.  Variation selectors (U+FE00 to U+FE0F) change the look of a character only, and stay.
 *
 * Source: Unicode, Default_Ignorable_Code_Point, and the line and paragraph separators.
 */
static bool is_deceptive(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0xad, 0xad},       {0x34f, 0x34f},     /* soft hyphen, grapheme joiner */
        {0x61c, 0x61c},                         /* Arabic letter mark */
        {0x115f, 0x1160},   {0x17b4, 0x17b5},   /* fillers, inherent vowels */
        {0x180b, 0x180f},                       /* Mongolian selectors */
        {0x200b, 0x200f},                       /* zero width, marks of direction */
        {0x2028, 0x202e},                       /* separators, embeddings, overrides */
        {0x2060, 0x206f},                       /* word joiner, isolates, format characters */
        {0x3164, 0x3164},   {0xfeff, 0xfeff},   /* filler, byte order mark */
        {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   /* filler, annotations */
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, /* format characters */
        {0xe0000, 0xe0fff},                     /* tags */
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ranges[i].first <= point && point <= ranges[i].last)
            return true;
    return false;
}

/*
 * The size of the printable UTF-8 character at `bytes`, or 0 when there is none: a control
 * character (C0, DEL or C1), one that deceives, a broken or overlong sequence, a surrogate.  The
 * NUL at the end of the text continues no sequence, so nothing behind it is read.
 */
static size_t printable_size(const uint8_t *bytes)
{
    uint8_t lead = bytes[0];
    if (lead < 0x80)
        return lead >= 0x20 && lead != 0x7f;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t point = lead & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3fU);
    }
    static const uint32_t lowest[] = {0, 0, 0xa0, 0x800, 0x10000};
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < lowest[size] || point > 0x10ffff || surrogate || is_deceptive(point) ? 0 : size;
}

void error_clean(char *text)
{
    uint8_t *at = (uint8_t *)text;
    while (*at != '\0') {
        size_t size = printable_size(at);
        if (size == 0)
            *at = '?';
        at += size == 0 ? 1 : size;
    }
}

/* Formats and cleans into `target` by way of a copy, since the arguments may lie in the target. */
__attribute__((format(printf, 3, 0))) static void
format_clean(char *target, size_t room, const char *format, va_list arguments)
{
    char text[ERROR_TEXT_MAX];
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    /* Cut before cleaning: a character that the cut divides becomes a question mark. */
    text[room - 1] = '\0';
    error_clean(text);
    memcpy(target, text, strlen(text) + 1);
}

/* Puts ": TAIL" behind the text, as much of it as there is room for. */
static void append_text(struct error *error, const char *tail)
{
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof(error->text) - used, ": %s", tail);
    error_clean(error->text);
}

int error_set(struct error *error, enum code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_clean(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    error->code = code;
    error->hint[0] = '\0';
    return -1;
}

int error_errno(struct error *error, enum code code, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    format_clean(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    char description[128];
    append_text(error, strerror_r(number, description, sizeof(description)));
    /* Wherever it is met, the same mends it. */
    error->code = number == EMFILE ? CODE_CONFIG : code;
    (void)snprintf(error->hint, sizeof(error->hint), "%s",
                   number == EMFILE
                       ? "raise the limit of open files: ulimit -n 1024; in a service's "
                         "unit: LimitNOFILE=1024"
                       : "");
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    char earlier[ERROR_TEXT_MAX];
    memcpy(earlier, error->text, sizeof(earlier));
    va_list arguments;
    va_start(arguments, format);
    format_clean(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    append_text(error, earlier);
    return -1;
}

int error_hint(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_clean(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
    return -1;
}

int error_memory(struct error *error)
{
    return error_set(error, CODE_FAULT, "out of memory");
}

const char *error_code_name(enum code code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code == code)
            return codes[i].name;
    }
    return "unknown";
}

enum code error_code_from(unsigned long number)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if ((unsigned long)codes[i].code == number)
            return codes[i].code;
    }
    return CODE_FAULT;
}
