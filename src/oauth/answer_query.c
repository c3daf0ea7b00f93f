/*
 * answer_query.c: a token answer that is a query string and no JSON.
 */
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/base/percent.h"
#include "reading.h"

/* The value as a JSON string; *ret_value is NULL when it is malformed. */
static int read_value(const char *text, size_t size, json_t **ret_value, struct error *error)
{
    auto_of(secret_free) struct secret *value = NULL;
    *ret_value = NULL;
    if (percent_decode(text, size, &value, error) < 0)
        return -1;
    if (value == NULL)
        return 0;
    *ret_value = json_stringn((const char *)secret_data(value), secret_size(value));
    return *ret_value == NULL ? error_memory(error) : 0;
}

static const char *name_of(const char *field, size_t size)
{
    static const char *const known[] = {"access_token", "expires", "expires_in", "token_type"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i]) == size && memcmp(known[i], field, size) == 0)
            return known[i];
    }
    return NULL;
}

/* Puts "name=value" into the object.  *ret_fits is false when it is not that, or there twice. */
static int put(json_t *root, const char *field, size_t size, bool *ret_fits, struct error *error)
{
    const char *equals = memchr(field, '=', size);
    size_t named = equals == NULL ? 0 : (size_t)(equals - field);
    const char *name = name_of(field, named);
    json_t *value;
    *ret_fits = equals != NULL;
    if (name == NULL)
        return 0;
    if (read_value(equals + 1, size - named - 1, &value, error) < 0)
        return -1;
    *ret_fits = value != NULL && json_object_get(root, name) == NULL;
    if (!*ret_fits) {
        json_decref(value);
        return 0;
    }
    return json_object_set_new(root, name, value) < 0 ? error_memory(error) : 0;
}

int query_answer_parse(const struct secret *body, json_t **ret_root, struct error *error)
{
    static const char begin[] = "access_token=";
    const char *at = (const char *)secret_data(body);
    size_t left = secret_size(body);
    *ret_root = NULL;
    if (left < sizeof(begin) - 1 || memcmp(at, begin, sizeof(begin) - 1) != 0)
        return 0;
    auto_json json_t *root = json_object();
    if (root == NULL)
        return error_memory(error);
    while (left > 0) {
        const char *next = memchr(at, '&', left);
        size_t size = next != NULL ? (size_t)(next - at) : left;
        bool fits;
        if (put(root, at, size, &fits, error) < 0)
            return -1;
        if (!fits)
            return 0;
        size_t passed = size + (next != NULL ? 1 : 0);
        at += passed;
        left -= passed;
    }
    *ret_root = TAKE(root);
    return 0;
}
