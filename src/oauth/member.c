/*
 * member.c: reading members of a provider's JSON.
 */
#include "member.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/call.h"

#define ID_DIGITS_MAX 32

bool member_given(const json_t *member)
{
    return member != NULL && !json_is_null(member);
}

bool value_word(const json_t *value, const char *alphabet, size_t room, char *ret_text)
{
    if (!json_is_string(value))
        return false;
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (size == 0 || size >= room || strspn(text, alphabet) != size)
        return false;
    memcpy(ret_text, text, size + 1);
    return true;
}

bool member_word(const json_t *object, const char *key, const char *alphabet, size_t room,
                 char *ret_text)
{
    const json_t *member = json_object_get(object, key);
    return !member_given(member) || value_word(member, alphabet, room, ret_text);
}

/* jansson refuses integers beyond int64_t and turns none into a real number: what is here is exact. */
static bool value_id(const json_t *value, char ret_id[FACT_TEXT_MAX])
{
    if (!json_is_integer(value))
        return value_word(value, DIGITS, ID_DIGITS_MAX + 1, ret_id);
    if (json_integer_value(value) < 0)
        return false;
    snprintf(ret_id, FACT_TEXT_MAX, "%" PRId64, (int64_t)json_integer_value(value));
    return true;
}

bool member_id(const json_t *object, const char *key, char ret_id[FACT_TEXT_MAX])
{
    const json_t *member = json_object_get(object, key);
    return !member_given(member) || value_id(member, ret_id);
}

bool member_time(const json_t *object, const char *key, int64_t *ret_time)
{
    int64_t time;
    if (!member_given(json_object_get(object, key)))
        return true;
    if (!json_loose_number(object, key, &time) || time < 0 || time > TIME_MAX)
        return false;
    *ret_time = time;
    return true;
}

bool member_bool(const json_t *object, const char *key, int *ret_value)
{
    const json_t *member = json_object_get(object, key);
    if (!member_given(member))
        return true;
    if (!json_is_boolean(member))
        return false;
    *ret_value = json_is_true(member) ? 1 : 0;
    return true;
}

/* ---- labels ---- */

static bool has_long_word(const char *text)
{
    static const char alphabet[] = LETTERS DIGITS "_|.-";
    while (*text != '\0') {
        size_t word = strspn(text, alphabet);
        if (word >= SECRET_LIKE)
            return true;
        text += word + (text[word] == '\0' ? 0 : 1);
    }
    return false;
}

bool label_valid(const char *label)
{
    char clean[FACT_TEXT_MAX];
    if (strnlen(label, FACT_TEXT_MAX) == FACT_TEXT_MAX || has_long_word(label))
        return false;
    memcpy(clean, label, strlen(label) + 1);
    error_clean(clean);
    return strcmp(clean, label) == 0;
}

void member_label(const json_t *object, const char *key, char ret_label[FACT_TEXT_MAX])
{
    const char *text = json_text(object, key);
    if (text == NULL || has_long_word(text))
        return;
    size_t size = strnlen(text, FACT_TEXT_MAX);
    if (size == FACT_TEXT_MAX) {
        size--;
        /* Not in the middle of a character: bytes that continue one begin with the bits 10. */
        while (size > 0 && ((unsigned char)text[size] & 0xc0U) == 0x80U)
            size--;
    }
    memcpy(ret_label, text, size);
    ret_label[size] = '\0';
    error_clean(ret_label);
}

/* ---- scopes ---- */

static bool put_scope(struct oauth_facts *facts, const char *scope, size_t size)
{
    if (facts->scope_count == FACT_SCOPES_MAX || size == 0 || size >= FACT_TEXT_MAX ||
        strspn(scope, SCOPE_ALPHABET) < size)
        return false;
    char *into = facts->scopes[facts->scope_count++];
    memcpy(into, scope, size);
    into[size] = '\0';
    return true;
}

static bool split_scopes(const char *text, struct oauth_facts *facts)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        if (!put_scope(facts, text, size))
            return false;
        text += size + (text[size] == ',' ? 1 : 0);
    }
    return true;
}

bool member_scopes(const json_t *object, const char *key, struct oauth_facts *facts)
{
    const json_t *scopes = json_object_get(object, key);
    size_t index;
    const json_t *scope;
    facts->scope_count = 0;
    if (!member_given(scopes))
        return true;
    if (json_is_string(scopes))
        return split_scopes(json_string_value(scopes), facts);
    if (!json_is_array(scopes))
        return false;
    json_array_foreach (scopes, index, scope) {
        if (!json_is_string(scope) ||
            !put_scope(facts, json_string_value(scope), json_string_length(scope)))
            return false;
    }
    return true;
}

/* ---- tokens ---- */

bool token_valid(const char *token, size_t size)
{
    if (size == 0 || size > OAUTH_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    }
    return true;
}

int member_token(const json_t *object, const char *key, struct secret **ret_secret,
                 struct error *error)
{
    const json_t *member = json_object_get(object, key);
    const char *text = json_string_value(member);
    size_t size = json_string_length(member);
    auto_of(secret_free) struct secret *secret = NULL;
    *ret_secret = NULL;
    if (text == NULL || !token_valid(text, size))
        return 0;
    if (secret_new(size, &secret, error) < 0 || secret_append(secret, text, size, error) < 0)
        return -1;
    *ret_secret = TAKE(secret);
    return 0;
}
