/*
 * json.c: jansson with everything lenient switched off.
 */
#include "p11vault/base/json.h"

#include <string.h>

#define DEPTH_MAX 32
#define DIGITS_MAX 19 /* of INT64_MAX */
#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)

/*
 * True when brackets nest deeper than we read.  Looked at before the parser runs, whose own bound
 * is far higher.  A text that is not JSON may be counted wrongly; the parser refuses it then.
 */
static bool too_deep(const char *text, size_t size)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static int parse(const char *text, size_t size, const char *what, json_t **ret_value,
                 struct error *error)
{
    if (too_deep(text, size))
        return error_set(error, CODE_STOP, "%s: JSON nests deeper than %d", what, DEPTH_MAX);
    json_error_t fault;
    auto_json json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    if (value == NULL && json_error_code(&fault) == json_error_out_of_memory)
        return error_memory(error);
    if (value == NULL) /* jansson's own text quotes what it could not read */
        return error_set(error, CODE_STOP, "%s: not acceptable as JSON (line %d, column %d)", what,
                         fault.line, fault.column);
    *ret_value = TAKE(value);
    return 0;
}

int json_parse(const char *text, size_t size, const char *what, json_t **ret_object,
               struct error *error)
{
    auto_json json_t *value = NULL;
    if (parse(text, size, what, &value, error) < 0)
        return -1;
    if (!json_is_object(value))
        return error_set(error, CODE_STOP, "%s: not a JSON object", what);
    *ret_object = TAKE(value);
    return 0;
}

int json_parse_array(const char *text, size_t size, const char *what, json_t **ret_array,
                     struct error *error)
{
    auto_json json_t *value = NULL;
    if (parse(text, size, what, &value, error) < 0)
        return -1;
    if (!json_is_array(value))
        return error_set(error, CODE_STOP, "%s: not a JSON array", what);
    *ret_array = TAKE(value);
    return 0;
}

static bool has_real(const json_t *value)
{
    size_t index;
    const char *key;
    json_t *member;
    if (json_is_array(value)) {
        json_array_foreach (value, index, member) {
            if (has_real(member))
                return true;
        }
    }
    if (json_is_object(value)) {
        /* The iterator of jansson takes a plain pointer, though it changes nothing. */
        json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
            if (has_real(member))
                return true;
        }
    }
    return json_is_real(value);
}

/* The size of the canonical text, or 0 with the error set. */
static size_t canonical_size(const json_t *value, struct error *error)
{
    if (has_real(value)) {
        error_set(error, CODE_FAULT, "a real number has no canonical JSON");
        return 0;
    }
    size_t size = json_dumpb(value, NULL, 0, CANONICAL);
    if (size == 0)
        error_set(error, CODE_FAULT, "a value cannot be written as JSON");
    return size;
}

int json_canonical(const json_t *value, char **ret_text, struct error *error)
{
    size_t size = canonical_size(value, error);
    if (size == 0)
        return -1;
    /* Not json_dumps(): its memory comes from jansson's allocator, which free(3) may not know. */
    auto_free char *text = malloc(size + 1);
    if (text == NULL)
        return error_memory(error);
    if (json_dumpb(value, text, size, CANONICAL) != size)
        return error_memory(error);
    text[size] = '\0';
    *ret_text = TAKE(text);
    return 0;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_number(const json_t *object, const char *key, int64_t missing)
{
    const json_t *member = json_object_get(object, key);
    return json_is_integer(member) ? json_integer_value(member) : missing;
}

/* Digits only, no sign, no leading zero, not above INT64_MAX. */
static bool parse_digits(const char *text, int64_t *ret_number)
{
    size_t size = strlen(text);
    if (size == 0 || size > DIGITS_MAX || (text[0] == '0' && size > 1))
        return false;
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text[i] - '0', &number))
            return false;
    }
    *ret_number = number;
    return true;
}

bool json_loose_number(const json_t *object, const char *key, int64_t *ret_number)
{
    const json_t *member = json_object_get(object, key);
    if (json_is_string(member))
        return parse_digits(json_string_value(member), ret_number);
    if (!json_is_integer(member))
        return false;
    *ret_number = json_integer_value(member);
    return true;
}

bool json_only(const json_t *object, const char *const *keys)
{
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)object, key, member) {
        const char *const *known = keys;
        while (*known != NULL && strcmp(*known, key) != 0)
            known++;
        if (*known == NULL)
            return false;
    }
    return true;
}
