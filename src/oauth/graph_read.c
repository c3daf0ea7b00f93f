/*
 * graph_read.c: reading path and fields as a server would, and refusing what two servers could read differently.
 */
#include "graph_read.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "graph_rules.h"
#include "p11vault/base/percent.h"
#include "request.h"

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* Decodes up to `size` bytes of %XX, and "+" when it is a form's. */
static int decode(const char *from, size_t size, bool is_form, struct buffer *to,
                  struct error *error)
{
    for (size_t i = 0; i < size; i++) {
        char byte = from[i] == '+' && is_form ? ' ' : from[i];
        if (byte == '%') {
            int decoded = percent_byte(from + i, size - i);
            if (decoded <= 0)
                return error_set(error, CODE_USAGE, "'%%' is not followed by what it stands for");
            byte = (char)decoded;
            i += 2;
        }
        if (buffer_put(to, &byte, 1, error) < 0)
            return error->code != CODE_STOP
                       ? -1
                       : error_set(error, CODE_USAGE, "a part of it is longer than %zu bytes",
                                   to->maximum);
    }
    return 0;
}

static int check_part(const char *method, const char *part, size_t size, struct error *error)
{
    char lower[GRAPH_PATH_MAX];
    if (size == 0 || strspn(part, "."
                                  "/") >= size)
        return error_set(error, CODE_USAGE, "the path has an empty part, or one of dots");
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)tolower((unsigned char)part[i]);
    lower[size] = '\0';
    return graph_check_part(lower, strcmp(method, "DELETE") == 0, error);
}

int graph_read_path(const char *method, const char *path, struct graph_path *ret_path,
                    struct error *error)
{
    auto_buffer struct buffer decoded = BUFFER_UP_TO(GRAPH_PATH_MAX - 1);
    struct graph_path read = {.version = ""};
    if (strlen(path) >= GRAPH_PATH_MAX)
        return error_set(error, CODE_USAGE, "the path is longer than %zu characters",
                         GRAPH_PATH_MAX - 1);
    if (decode(path, strlen(path), false, &decoded, error) < 0)
        return error_prefix(error, "the path");
    const char *text = buffer_text(&decoded);
    if (strspn(text, WORD "/_.:~@-") != strlen(text))
        return error_set(error, CODE_USAGE, "the path holds a character that no path has");
    text += *text == '/';
    size_t first = strcspn(text, "/");
    if (first < sizeof(read.version)) {
        (void)snprintf(read.version, sizeof(read.version), "%.*s", (int)first, text);
        if (version_valid(read.version))
            text += first + (text[first] == '/');
        else
            read.version[0] = '\0';
    }
    (void)snprintf(read.path, sizeof(read.path), "%s", text);
    for (const char *at = text; *text;) {
        size_t size = strcspn(at, "/");
        if (check_part(method, at, size, error) < 0)
            return -1;
        if (at[size] == '\0')
            break;
        at += size + 1;
    }
    *ret_path = read;
    return 0;
}

/* "fields[0]" is "fields". */
static int read_name(const char *name, char ret_plain[GRAPH_NAME_MAX], struct error *error)
{
    size_t size = strspn(name, WORD "_");
    const char *rest = name + size;
    if (size == 0 || strspn(rest, WORD "_.:[]-") != strlen(rest) || (*rest && *rest != '['))
        return error_set(error, CODE_USAGE, "'%.64s' cannot be the name of a parameter", name);
    for (size_t i = 0; i < size; i++)
        ret_plain[i] = (char)tolower((unsigned char)name[i]);
    ret_plain[size] = '\0';
    return 0;
}

int graph_read_field(const char **at, char ret_name[GRAPH_NAME_MAX], char ret_plain[GRAPH_NAME_MAX],
                     struct buffer *value, bool *ret_more, struct error *error)
{
    auto_buffer struct buffer name = BUFFER_UP_TO(GRAPH_NAME_MAX - 1);
    *at += strspn(*at, "&");
    *ret_more = **at != '\0';
    if (!*ret_more)
        return 0;
    size_t size = strcspn(*at, "&"), name_size = strcspn(*at, "=&");
    const char *equals = name_size < size ? *at + name_size + 1 : *at + size;
    buffer_clear(value);
    if (decode(*at, name_size, true, &name, error) < 0 ||
        read_name(buffer_text(&name), ret_plain, error) < 0 ||
        decode(equals, (size_t)(*at + size - equals), true, value, error) < 0)
        return error_prefix(error, "the parameters");
    (void)snprintf(ret_name, GRAPH_NAME_MAX, "%s", buffer_text(&name));
    *at += size;
    return 0;
}
