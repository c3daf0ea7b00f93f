/*
 * name.c: the grammar of names.  Names become paths on the command line, keys in the store and
 * texts in the log; the grammar is small enough to need no escaping in any of them.
 */
#include "p11vault/base/name.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    "user", "page", "system-user", "app", "instagram", "threads", "session",
};

#define GRANT_FORM "app/kind/label"

static bool is_alphanumeric(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_part_valid(const char *part)
{
    if (!is_alphanumeric(part[0]))
        return false;
    size_t size = 1;
    while (part[size] != '\0') {
        if (!is_alphanumeric(part[size]) && strchr("._@+-", part[size]) == NULL)
            return false;
        if (++size > NAME_PART_MAX)
            return false;
    }
    return true;
}

static int refuse_part(const char *whole, const char *part, struct error *error)
{
    return error_set(error, CODE_USAGE,
                     "name '%.200s': the %s must be 1 to %d of A-Z a-z 0-9 . _ @ + - "
                     "and begin with a letter or digit",
                     whole, part, NAME_PART_MAX);
}

int name_check_app(const char *app, struct error *error)
{
    return name_part_valid(app) ? 0 : refuse_part(app, "app", error);
}

/* Copies the part that ends at `end`; a part that is too long is left empty, which is not valid. */
static void copy_part(const char *begin, const char *end, char ret_part[NAME_PART_MAX + 1])
{
    size_t size = (size_t)(end - begin);
    if (size > NAME_PART_MAX)
        size = 0;
    memcpy(ret_part, begin, size);
    ret_part[size] = '\0';
}

static int check_kind(const char *whole, const char *kind, struct error *error)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i], kind) == 0)
            return 0;
    }
    error_set(error, CODE_USAGE, "name '%.200s': no such kind of grant", whole);
    return error_hint(error, "kinds are: user page system-user app instagram threads session");
}

int name_parse_grant(const char *text, struct name *ret_name, struct error *error)
{
    const char *first = strchr(text, '/');
    const char *second = first == NULL ? NULL : strchr(first + 1, '/');
    if (second == NULL)
        return error_set(error, CODE_USAGE, "name '%.200s': a grant is named " GRANT_FORM, text);
    struct name name = {0};
    copy_part(text, first, name.app);
    copy_part(first + 1, second, name.kind);
    copy_part(second + 1, second + 1 + strlen(second + 1), name.label);
    if (!name_part_valid(name.app))
        return refuse_part(text, "app", error);
    if (check_kind(text, name.kind, error) < 0)
        return -1;
    if (!name_part_valid(name.label))
        return refuse_part(text, "label", error);
    snprintf(name.full, sizeof(name.full), "%s/%s/%s", name.app, name.kind, name.label);
    *ret_name = name;
    return 0;
}

int name_parse_record(const char *text, struct name *ret_name, struct error *error)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || strcmp(slash, "/secret") != 0)
        return name_parse_grant(text, ret_name, error);
    struct name name = {.kind = "secret"};
    copy_part(text, slash, name.app);
    if (!name_part_valid(name.app))
        return refuse_part(text, "app", error);
    snprintf(name.full, sizeof(name.full), "%s/secret", name.app);
    *ret_name = name;
    return 0;
}
