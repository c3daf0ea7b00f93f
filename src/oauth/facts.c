/*
 * facts.c: what a provider said of a grant, as JSON.  Reading is as strict as reading a provider's own answer: a room
 * that was taken over must not reach the front's terminal or log through it.
 */
#include "p11vault/oauth/facts.h"

#include <string.h>

#include "facts_json.h"
#include "member.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/scopes.h"

#define WORD LETTERS DIGITS "_-"

int facts_put_text(json_t *object, const char *key, const char *text)
{
    return *text ? json_object_set_new(object, key, json_string(text)) : 0;
}

int facts_put_number(json_t *object, const char *key, int64_t number)
{
    return number == FACT_UNKNOWN ? 0 : json_object_set_new(object, key, json_integer(number));
}

json_t *oauth_facts_to_json(const struct oauth_facts *facts)
{
    auto_json json_t *object = json_object();
    auto_json json_t *scopes = json_array();
    if (!object || !scopes)
        return NULL;
    for (size_t i = 0; i < facts->scope_count; i++)
        if (json_array_append_new(scopes, json_string(facts->scopes[i])) < 0)
            return NULL;
    if (facts_put_text(object, "app_id", facts->app_id) < 0 ||
        facts_put_text(object, "application", facts->application) < 0 ||
        facts_put_text(object, "type", facts->type) < 0 ||
        facts_put_text(object, "subject", facts->subject) < 0 ||
        facts_put_text(object, "profile", facts->profile) < 0 ||
        facts_put_number(object, "valid", facts->valid) < 0 ||
        facts_put_number(object, "expires", facts->expires) < 0 ||
        facts_put_number(object, "data_expires", facts->data_expires) < 0 ||
        facts_put_number(object, "issued", facts->issued) < 0 ||
        facts_put_text(object, "granular", facts->granular) < 0 ||
        facts_put_text(object, "sso", facts->sso) < 0 ||
        facts_put_text(object, "auth_type", facts->auth_type) < 0 ||
        facts_put_text(object, "auth_nonce", facts->auth_nonce) < 0 ||
        (facts->granular_cut && json_object_set(object, "granular_cut", json_true()) < 0) ||
        json_object_set(object, "scopes", scopes) < 0)
        return NULL;
    return TAKE(object);
}

int facts_refuse(const char *key, struct error *error)
{
    return error_set(error, CODE_FAULT, "fact '%s' is not what it must be", key);
}

bool facts_take_label(const json_t *object, const char *key, char ret_label[FACT_TEXT_MAX])
{
    const json_t *member = json_object_get(object, key);
    const char *text = json_string_value(member);
    if (member == NULL)
        return true;
    if (text == NULL || !label_valid(text))
        return false;
    memcpy(ret_label, text, strlen(text) + 1);
    return true;
}

bool facts_take_number(const json_t *object, const char *key, int64_t maximum, int64_t *ret_number)
{
    const json_t *member = json_object_get(object, key);
    if (member == NULL)
        return true;
    if (!json_is_integer(member) || json_integer_value(member) < 0 ||
        json_integer_value(member) > maximum)
        return false;
    *ret_number = json_integer_value(member);
    return true;
}

int facts_take_words(const json_t *object, const struct facts_word *words, size_t count,
                     struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *member = json_object_get(object, words[i].key);
        if (member && !value_word(member, words[i].alphabet, words[i].room, words[i].into))
            return facts_refuse(words[i].key, error);
    }
    return 0;
}

static int take_texts(const json_t *json, struct oauth_facts *facts, struct error *error)
{
    const struct facts_word words[] = {
        {"app_id", DIGITS, facts->app_id, FACT_TEXT_MAX},
        {"type", LETTERS "_", facts->type, FACT_TEXT_MAX},
        {"subject", DIGITS, facts->subject, FACT_TEXT_MAX},
        {"profile", DIGITS, facts->profile, FACT_TEXT_MAX},
        {"granular", SCOPE_ALPHABET "=, ", facts->granular, FACT_GRANULAR_MAX},
        {"sso", WORD, facts->sso, FACT_TEXT_MAX},
        {"auth_type", WORD, facts->auth_type, FACT_TEXT_MAX},
        {"auth_nonce", WORD, facts->auth_nonce, FACT_TEXT_MAX},
    };
    if (facts_take_words(json, words, sizeof(words) / sizeof(words[0]), error) < 0)
        return -1;
    return facts_take_label(json, "application", facts->application)
               ? 0
               : facts_refuse("application", error);
}

static int take_numbers(const json_t *json, struct oauth_facts *facts, struct error *error)
{
    const struct {
        const char *key;
        int64_t *into;
    } times[] = {{"expires", &facts->expires},
                 {"data_expires", &facts->data_expires},
                 {"issued", &facts->issued}};
    int64_t valid = FACT_UNKNOWN;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (!facts_take_number(json, times[i].key, TIME_MAX, times[i].into))
            return facts_refuse(times[i].key, error);
    if (!facts_take_number(json, "valid", 1, &valid))
        return facts_refuse("valid", error);
    facts->valid = (int)valid;
    return 0;
}

int oauth_facts_from_json(const json_t *json, struct oauth_facts *ret_facts, struct error *error)
{
    static const char *const keys[] = {"app_id",       "application", "type",       "subject",
                                       "profile",      "valid",       "expires",    "data_expires",
                                       "issued",       "scopes",      "granular",   "sso",
                                       "granular_cut", "auth_type",   "auth_nonce", NULL};
    struct oauth_facts facts;
    int cut = 0;
    oauth_facts_init(&facts);
    if (!json_is_object(json) || !json_only(json, keys))
        return error_set(error, CODE_FAULT, "unknown member in facts");
    if (take_texts(json, &facts, error) < 0 || take_numbers(json, &facts, error) < 0)
        return -1;
    if (json_is_string(json_object_get(json, "scopes")) || !member_scopes(json, "scopes", &facts))
        return facts_refuse("scopes", error);
    if (!member_bool(json, "granular_cut", &cut))
        return facts_refuse("granular_cut", error);
    facts.granular_cut = cut != 0;
    *ret_facts = facts;
    return 0;
}

int oauth_facts_missing(const struct oauth_facts *facts, const char *asked,
                        struct buffer *ret_missing, struct error *error)
{
    auto_json json_t *json = oauth_facts_to_json(facts);
    const json_t *scopes = json_object_get(json, "scopes");
    auto_free char *granted = NULL;
    if (!json)
        return error_memory(error);
    if (scopes && json_canonical(scopes, &granted, error) < 0)
        return -1;
    return oauth_scopes_missing(asked, granted, ret_missing, error);
}
