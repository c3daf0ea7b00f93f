/*
 * Strict reading and canonical writing of JSON.
 */
#include "p11vault/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32

/* jansson allows far deeper nesting than anything of ours has. */
static bool shallow(const json_t *value, int depth)
{
    if (depth > DEPTH_MAX)
        return false;
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
            if (!shallow(member, depth + 1))
                return false;
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, member)
            if (!shallow(member, depth + 1))
                return false;
    }
    return true;
}

int json_parse(const char *text, size_t size, const char *what, json_t **ret_object,
               struct error *error)
{
    json_error_t where;
    auto_json json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!object)
        return error_set(error, CODE_STOP, "%s is not valid JSON (line %d, column %d)", what,
                         where.line, where.column);
    if (!json_is_object(object))
        return error_set(error, CODE_STOP, "%s is not a JSON object", what);
    if (!shallow(object, 1))
        return error_set(error, CODE_STOP, "%s is nested too deeply", what);
    *ret_object = TAKE(object);
    return 0;
}

static bool has_real(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
            if (has_real(member))
                return true;
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, member)
            if (has_real(member))
                return true;
    }
    return json_is_real(value);
}

int json_canonical(const json_t *value, char **ret_text, struct error *error)
{
    if (has_real(value))
        return error_set(error, CODE_FAULT, "a real number has no canonical form here");
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (!text)
        return error_memory(error);
    *ret_text = text;
    return 0;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_number(const json_t *object, const char *key, int64_t missing)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : missing;
}

bool json_loose_number(const json_t *object, const char *key, int64_t *ret_number)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value)) {
        *ret_number = json_integer_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) > 20 || text[strspn(text, "-0123456789")] != '\0')
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || *end)
        return false;
    *ret_number = number;
    return true;
}

char *json_loose_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (!json_is_integer(value))
        return NULL;
    char text[32];
    (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return strdup(text);
}

bool json_only(const json_t *object, const char *const *keys)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, key, member) {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i])
            return false;
    }
    return json_is_object(object);
}
