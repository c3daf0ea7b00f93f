/*
 * Names of apps, grants and records.
 */
#include "p11vault/base/name.h"

#include <stdio.h>
#include <string.h>

static const char *const grant_kinds[] = {"user",      "page",    "system-user", "app",
                                          "instagram", "threads", "session"};

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool name_part_valid(const char *part)
{
    size_t size = strnlen(part, NAME_PART_MAX + 1);
    if (size == 0 || size > NAME_PART_MAX || !is_alphanumeric(part[0]))
        return false;
    for (const char *at = part; *at; at++)
        if (!is_alphanumeric(*at) && !strchr("._@+-", *at))
            return false;
    return true;
}

int name_check_app(const char *app, struct error *error)
{
    if (name_part_valid(app))
        return 0;
    error_set(error, CODE_USAGE, "'%.80s' cannot be an app's name", app);
    return error_hint(error, "1 to 64 letters, digits and . _ @ + -, the first a letter or digit");
}

static int bad_name(const char *text, const char *why, struct error *error)
{
    error_set(error, CODE_USAGE, "'%.200s' is not a name: %s", text, why);
    return error_hint(error, "a grant is APP/KIND/LABEL, for example ads/user/alice");
}

/* The part between two slashes; false when it is too long to be one. */
static bool take_part(const char **text, char ret_part[NAME_PART_MAX + 1])
{
    size_t size = strcspn(*text, "/");
    if (size > NAME_PART_MAX)
        return false;
    memcpy(ret_part, *text, size);
    ret_part[size] = '\0';
    *text += size;
    if (**text == '/')
        (*text)++;
    return name_part_valid(ret_part);
}

static bool kind_known(const char *kind)
{
    for (size_t i = 0; i < sizeof(grant_kinds) / sizeof(grant_kinds[0]); i++)
        if (strcmp(grant_kinds[i], kind) == 0)
            return true;
    return false;
}

static size_t count_slashes(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '/';
    return count;
}

int name_parse_grant(const char *text, struct name *ret_name, struct error *error)
{
    struct name name = {0};
    const char *at = text;
    if (count_slashes(text) != 2)
        return bad_name(text, "it must have three parts", error);
    if (!take_part(&at, name.app) || !take_part(&at, name.kind) || !take_part(&at, name.label))
        return bad_name(text, "a part is 1 to 64 letters, digits and . _ @ + -", error);
    if (!kind_known(name.kind)) {
        error_set(error, CODE_USAGE, "'%s': there is no kind '%s'", text, name.kind);
        return error_hint(error,
                          "kinds: user page system-user app instagram threads session");
    }
    (void)snprintf(name.full, sizeof(name.full), "%s/%s/%s", name.app, name.kind, name.label);
    *ret_name = name;
    return 0;
}

int name_parse_record(const char *text, struct name *ret_name, struct error *error)
{
    struct name name = {0};
    const char *at = text;
    if (count_slashes(text) != 1)
        return name_parse_grant(text, ret_name, error);
    if (!take_part(&at, name.app) || !take_part(&at, name.kind) || strcmp(name.kind, "secret") != 0)
        return bad_name(text, "an app secret is APP/secret", error);
    (void)snprintf(name.full, sizeof(name.full), "%s/secret", name.app);
    *ret_name = name;
    return 0;
}
