/*
 * config_read.c: one configuration file, line by line through inih.
 *
 * inih reads into a buffer of 200 bytes and cuts what does not fit, lines and section names alike, without a word.
 * It also joins an indented line to the value above it.  So our reader looks at every line before inih does, refuses
 * what inih would misread, and keeps the section's name itself.
 */
#include "internal.h"

#include <errno.h>
#include <ini.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NOT_A_LINE "the line is neither a section, nor KEY = VALUE, nor a comment"

int config_refuse(struct config_reading *reading, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reading->failed = true;
    return error_set(reading->error, CODE_CONFIG, "%.512s:%d: %s", reading->at.file,
                     reading->at.line, text);
}

int config_note_seen(struct config_reading *reading, const char *key)
{
    /* Neither part can hold a line feed, so each stands between two of its own. */
    char token[2 * CONFIG_LINE_MAX + 8];
    int size = snprintf(token, sizeof(token), "\n%s]%s\n", reading->section, key);
    if (reading->seen.size > 0 &&
        memmem(reading->seen.data, reading->seen.size, token, (size_t)size) != NULL) {
        if (key[0] == '\0')
            return config_refuse(reading, "section [%s] is in this file twice", reading->section);
        return config_refuse(reading, "key '%s' is in section [%s] twice", key, reading->section);
    }
    if (buffer_put(&reading->seen, token, (size_t)size, reading->error) < 0) {
        reading->failed = true;
        return -1;
    }
    return 0;
}

int config_put_text(struct config_reading *reading, const char *text, char **field)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        reading->failed = true;
        return error_memory(reading->error);
    }
    free(*field);
    *field = copy;
    return 0;
}

/* "[NAME]" with nothing behind it but white space or a comment.  The name of an origin may hold brackets itself. */
static int read_section(struct config_reading *reading, const char *line)
{
    size_t size = 0;
    while (line[size] != '\0' &&
           !((line[size] == ' ' || line[size] == '\t') && line[size + 1] == ';'))
        size++;
    while (line[size - 1] == ' ' || line[size - 1] == '\t')
        size--;
    if (line[size - 1] != ']')
        return config_refuse(reading, "%s",
                             strchr(line, ']') == NULL ? "the section has no ']'"
                                                       : "there is something behind the ']'");
    char name[CONFIG_LINE_MAX + 1];
    memcpy(name, line + 1, size - 2);
    name[size - 2] = '\0';
    return config_enter_section(reading, name);
}

/* Refuses what inih would read in another way than a person does. */
static int check_line(struct config_reading *reading, const char *line)
{
    for (const unsigned char *c = (const unsigned char *)line; *c != '\0'; c++) {
        if ((*c < ' ' && *c != '\t') || *c == 0x7f)
            return config_refuse(reading, "the line holds a control character");
    }
    if (line[strspn(line, " \t")] == '\0' || line[0] == '#' || line[0] == ';')
        return 0;
    if (line[0] == ' ' || line[0] == '\t')
        return config_refuse(reading, "the line is indented: values take one line each");
    if (line[0] == '[')
        return read_section(reading, line);
    if (line[strcspn(line, "=:")] != '=')
        return config_refuse(reading, NOT_A_LINE);
    return 0;
}

/* The reader that inih calls for each line: returns NULL at the end and after a fault. */
static char *read_line(char *room, int room_size, void *stream)
{
    struct config_reading *reading = stream;
    if (reading->failed || reading->left == 0 || room_size < 3)
        return NULL;
    reading->at.line++;
    const char *end = memchr(reading->text, '\n', reading->left);
    size_t whole = end == NULL ? reading->left : (size_t)(end - reading->text) + 1;
    size_t size = end == NULL ? whole : whole - 1;
    if (size > 0 && end != NULL && reading->text[size - 1] == '\r')
        size--;
    if (size > CONFIG_LINE_MAX || size > (size_t)room_size - 2) {
        config_refuse(reading, "the line has %zu bytes, more than %d", size, CONFIG_LINE_MAX);
        return NULL;
    }
    if (memchr(reading->text, '\0', size) != NULL) {
        config_refuse(reading, "the line holds a NUL byte");
        return NULL;
    }
    memcpy(room, reading->text, size);
    room[size] = '\0';
    if (check_line(reading, room) < 0)
        return NULL;
    reading->text += whole;
    reading->left -= whole;
    return room;
}

static int handle_pair(void *context, const char *section, const char *key, const char *value)
{
    (void)section; /* cut at 49 characters; ours is whole */
    struct config_reading *reading = context;
    return config_set_key(reading, key, value) == 0;
}

int config_read_text(struct config_loading *loading, const char *file, const char *text,
                     size_t size, struct error *error)
{
    struct config_reading reading = {
        .loading = loading,
        .at = {.file = file},
        .text = text,
        .left = size,
        .seen = BUFFER_UP_TO(4 * CONFIG_FILE_MAX),
        .error = error,
    };
    int line = ini_parse_stream(read_line, &reading, handle_pair, &reading);
    buffer_clear(&reading.seen);
    if (line > 0 && (!reading.failed || line < reading.at.line)) {
        reading.at.line = line;
        return config_refuse(&reading, NOT_A_LINE);
    }
    if (line < 0)
        return error_memory(error);
    return reading.failed ? -1 : 0;
}

/* Whoever can write the directory can put another file in its place. */
static int check_directory(const char *path, struct error *error)
{
    auto_free char *copy = strdup(path);
    if (copy == NULL)
        return error_memory(error);
    const char *directory = dirname(copy);
    struct stat status;
    if (stat(directory, &status) < 0)
        return error_errno(error, CODE_CONFIG, "look at %s", directory);
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return error_set(error, CODE_CONFIG, "%s belongs to user %u, neither to root nor to you",
                         directory, status.st_uid);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        error_set(error, CODE_CONFIG, "%s can be written by others (mode %04o)", directory,
                  status.st_mode & 07777U);
        return error_hint(error, "chmod go-w %s", directory);
    }
    return 0;
}

int config_read_file(struct config_loading *loading, const char *path, bool required,
                     struct error *error)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        if (!required && (errno == ENOENT || errno == ENOTDIR))
            return 0;
        return error_errno(error, CODE_CONFIG, "open %s", path);
    }
    auto_buffer struct buffer text = BUFFER_UP_TO(CONFIG_FILE_MAX);
    if (check_directory(path, error) < 0 ||
        buffer_read_file(path, CONFIG_FILE_MAX, FILE_TRUSTED, &text, error) < 0)
        return -1;
    return config_read_text(loading, path, buffer_text(&text), text.size, error);
}
