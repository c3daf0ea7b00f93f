/*
 * record.c: facts and value, joined and split.  The value is always the last member, so it goes
 * from one struct secret to another without the JSON library ever seeing it.
 */
#include "p11vault/seal/record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/json.h"

#define VALUE_BEGIN ",\"secret\":\""
#define VALUE_END "\"}"
#define BEGIN_SIZE (sizeof(VALUE_BEGIN) - 1)
#define END_SIZE (sizeof(VALUE_END) - 1)

static bool is_filled(const json_t *text)
{
    return json_is_string(text) && json_string_length(text) > 0;
}

static bool origins_valid(const json_t *origins)
{
    size_t count = json_array_size(origins); /* 0 for what is no array */
    for (size_t i = 0; i < count; i++) {
        if (!is_filled(json_array_get(origins, i)))
            return false;
    }
    return count > 0 && count <= RECORD_ORIGINS_MAX;
}

static int check_facts(const json_t *facts, struct error *error)
{
    static const char *const texts[] = {"app", "name", "kind"};
    if (json_number(facts, "v", 0) != RECORD_FORMAT)
        return error_set(error, CODE_STOP, "record is not of format %d", RECORD_FORMAT);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!is_filled(json_object_get(facts, texts[i])))
            return error_set(error, CODE_STOP, "record does not say its %s", texts[i]);
    }
    if (json_number(facts, "version", 0) < 1)
        return error_set(error, CODE_STOP, "record does not say its version");
    if (!origins_valid(json_object_get(facts, "origins")))
        return error_set(error, CODE_STOP, "record does not name 1 to %d origins",
                         RECORD_ORIGINS_MAX);
    if (json_object_get(facts, "secret") != NULL)
        return error_set(error, CODE_STOP, "record has a secret among its facts");
    return 0;
}

static bool may_stand(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

static int check_value(const struct secret *value, struct error *error)
{
    size_t size = secret_size(value);
    if (size == 0 || size > RECORD_VALUE_MAX)
        return error_set(error, CODE_STOP, "value must have 1 to %zu characters", RECORD_VALUE_MAX);
    for (size_t i = 0; i < size; i++) {
        if (!may_stand(secret_data(value)[i]))
            return error_set(error, CODE_STOP, "value has a character that is not printable ASCII");
    }
    return 0;
}

static int append_escaped(struct secret *payload, const struct secret *value, struct error *error)
{
    const uint8_t *bytes = secret_data(value);
    for (size_t i = 0; i < secret_size(value); i++) {
        if ((bytes[i] == '"' || bytes[i] == '\\') && secret_append(payload, "\\", 1, error) < 0)
            return -1;
        if (secret_append(payload, bytes + i, 1, error) < 0)
            return -1;
    }
    return 0;
}

int record_compose(const json_t *facts, const struct secret *value, struct secret **ret_payload,
                   struct error *error)
{
    auto_free char *text = NULL;
    if (check_facts(facts, error) < 0 || check_value(value, error) < 0 ||
        json_canonical(facts, &text, error) < 0)
        return error_prefix(error, "compose a record");
    size_t size = strlen(text);
    if (size > RECORD_FACTS_MAX)
        return error_set(error, CODE_STOP, "compose a record: facts are longer than %zu bytes",
                         RECORD_FACTS_MAX);
    auto_of(secret_free) struct secret *payload = NULL;
    if (secret_new(size + BEGIN_SIZE + 2 * secret_size(value) + END_SIZE, &payload, error) < 0 ||
        secret_append(payload, text, size - 1, error) < 0 || /* without the closing brace */
        secret_append_text(payload, VALUE_BEGIN, error) < 0 ||
        append_escaped(payload, value, error) < 0 ||
        secret_append_text(payload, VALUE_END, error) < 0)
        return error_prefix(error, "compose a record");
    *ret_payload = TAKE(payload);
    return 0;
}

/*
 * Where the value's member begins: the last place that reads so.  A quotation mark inside a
 * value has a backslash before it, so no value can hold this text itself.
 */
static const char *find_value(const char *text, size_t size)
{
    const char *found = NULL;
    const char *at = text;
    while ((at = memmem(at, size - (size_t)(at - text), VALUE_BEGIN, BEGIN_SIZE)) != NULL)
        found = at++;
    return found;
}

/* The characters between the quotation marks. */
static int take_value(const char *text, size_t size, struct secret *value, struct error *error)
{
    for (size_t i = 0; i < size; i++) {
        bool escaped = text[i] == '\\';
        if (escaped)
            i++;
        bool needs_escape = i < size && (text[i] == '"' || text[i] == '\\');
        if (i == size || !may_stand((uint8_t)text[i]) || escaped != needs_escape)
            return error_set(error, CODE_STOP, "value is not written as this program writes it");
        if (secret_append(value, text + i, 1, error) < 0)
            return error_set(error, CODE_STOP, "value is too long");
    }
    return secret_size(value) == 0 ? error_set(error, CODE_STOP, "value is empty") : 0;
}

/* The facts are what stands before the value, with the closing brace put back. */
static int take_facts(const char *text, size_t size, json_t **ret_facts, struct error *error)
{
    auto_buffer struct buffer closed = BUFFER_UP_TO(RECORD_FACTS_MAX);
    auto_json json_t *facts = NULL;
    if (buffer_put(&closed, text, size, error) < 0 || buffer_put_text(&closed, "}", error) < 0 ||
        json_parse(buffer_text(&closed), closed.size, "facts", &facts, error) < 0 ||
        check_facts(facts, error) < 0)
        return -1;
    *ret_facts = TAKE(facts);
    return 0;
}

int record_split(const struct secret *payload, json_t **ret_facts, struct secret **ret_value,
                 struct error *error)
{
    const char *text = (const char *)secret_data(payload);
    size_t size = secret_size(payload);
    const char *begin = find_value(text, size);
    size_t facts_size = begin == NULL ? 0 : (size_t)(begin - text);
    if (begin == NULL || size - facts_size < BEGIN_SIZE + END_SIZE ||
        memcmp(text + size - END_SIZE, VALUE_END, END_SIZE) != 0)
        return error_set(error, CODE_STOP, "read a record: it does not end with a value");
    auto_json json_t *facts = NULL;
    auto_of(secret_free) struct secret *value = NULL;
    size_t value_size = size - facts_size - BEGIN_SIZE - END_SIZE; /* as it is written */
    size_t room = value_size < RECORD_VALUE_MAX ? value_size : RECORD_VALUE_MAX;
    if (secret_new(room > 0 ? room : 1, &value, error) < 0 ||
        take_value(begin + BEGIN_SIZE, value_size, value, error) < 0 ||
        take_facts(text, facts_size, &facts, error) < 0)
        return error_prefix(error, "read a record");
    *ret_facts = TAKE(facts);
    *ret_value = TAKE(value);
    return 0;
}

static bool says(const json_t *facts, const char *key, const char *expected)
{
    const char *text = json_text(facts, key);
    return text != NULL && strcmp(text, expected) == 0;
}

static bool may_go_to(const json_t *facts, const char *origin)
{
    const json_t *origins = json_object_get(facts, "origins");
    for (size_t i = 0; i < json_array_size(origins); i++) {
        const char *allowed = json_string_value(json_array_get(origins, i));
        if (allowed != NULL && strcmp(allowed, origin) == 0)
            return true;
    }
    return false;
}

int record_check(const json_t *facts, const struct record_expectation *expected,
                 struct error *error)
{
    if (!says(facts, "app", expected->app))
        return error_set(error, CODE_LOG, "record is for another app");
    if (!says(facts, "name", expected->name))
        return error_set(error, CODE_LOG, "record is for another name");
    if (!says(facts, "kind", expected->kind))
        return error_set(error, CODE_LOG, "record is of another kind");
    if (json_number(facts, "version", -1) != expected->version)
        return error_set(error, CODE_LOG, "record is not version %" PRId64, expected->version);
    if (expected->origin != NULL && !may_go_to(facts, expected->origin))
        return error_set(error, CODE_STOP, "record may not be sent to %s", expected->origin);
    return 0;
}
