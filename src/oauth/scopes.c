/*
 * scopes.c: the difference of two lists of scopes.
 */
#include "p11vault/oauth/scopes.h"

#include <stdbool.h>
#include <string.h>

/* None of them can stand in a scope that a provider's answer brings (member.h). */
#define BETWEEN ", \"[]"

/* The next word of a list and its size; NULL at the end.  *list moves on behind it. */
static const char *next_scope(const char **list, size_t *ret_size)
{
    if (!*list)
        return NULL;
    const char *scope = *list + strspn(*list, BETWEEN);
    *ret_size = strcspn(scope, BETWEEN);
    *list = scope + *ret_size;
    return *ret_size > 0 ? scope : NULL;
}

static bool names_scope(const char *list, const char *scope, size_t size)
{
    const char *other;
    size_t other_size;
    while ((other = next_scope(&list, &other_size)))
        if (other_size == size && memcmp(other, scope, size) == 0)
            return true;
    return false;
}

int oauth_scopes_missing(const char *had, const char *has, struct buffer *ret_missing,
                         struct error *error)
{
    const char *scope;
    size_t size;
    while ((scope = next_scope(&had, &size))) {
        const char *missing = buffer_text(ret_missing);
        if (names_scope(has, scope, size) || names_scope(missing, scope, size))
            continue;
        if (buffer_put_format(ret_missing, error, "%s%.*s", ret_missing->size > 0 ? "," : "",
                              (int)size, scope) < 0)
            return -1;
    }
    return 0;
}

json_t *oauth_scopes_to_json(const char *list)
{
    json_t *array = json_array();
    const char *scope;
    size_t size;
    while (array && (scope = next_scope(&list, &size)))
        if (json_array_append_new(array, json_stringn(scope, size)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}
