/*
 * Facts about a grant as JSON.
 */
#include "p11vault/oauth/facts.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"

static int set_text(json_t *object, const char *key, const char *text)
{
    return *text ? json_object_set_new(object, key, json_string(text)) : 0;
}

static int set_number(json_t *object, const char *key, int64_t number)
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
    if (set_text(object, "app_id", facts->app_id) < 0 ||
        set_text(object, "type", facts->type) < 0 ||
        set_text(object, "subject", facts->subject) < 0 ||
        set_number(object, "valid", facts->valid) < 0 ||
        set_number(object, "expires", facts->expires) < 0 ||
        set_number(object, "data_expires", facts->data_expires) < 0 ||
        set_number(object, "issued", facts->issued) < 0 ||
        json_object_set(object, "scopes", scopes) < 0)
        return NULL;
    return TAKE(object);
}

static int take_text(const json_t *object, const char *key, char ret_text[FACT_TEXT_MAX],
                     struct error *error)
{
    const char *text = json_text(object, key);
    if (text && strlen(text) >= FACT_TEXT_MAX)
        return error_set(error, CODE_FAULT, "fact '%s' is too long", key);
    (void)snprintf(ret_text, FACT_TEXT_MAX, "%s", text ? text : "");
    return 0;
}

int oauth_facts_from_json(const json_t *json, struct oauth_facts *ret_facts, struct error *error)
{
    struct oauth_facts facts = {.valid = (int)json_number(json, "valid", FACT_UNKNOWN),
                                .expires = json_number(json, "expires", FACT_UNKNOWN),
                                .data_expires = json_number(json, "data_expires", FACT_UNKNOWN),
                                .issued = json_number(json, "issued", FACT_UNKNOWN)};
    const json_t *scopes = json_object_get(json, "scopes");
    if (take_text(json, "app_id", facts.app_id, error) < 0 ||
        take_text(json, "type", facts.type, error) < 0 ||
        take_text(json, "subject", facts.subject, error) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(scopes) && i < FACT_SCOPES_MAX; i++) {
        const char *scope = json_string_value(json_array_get(scopes, i));
        if (!scope || strlen(scope) >= FACT_TEXT_MAX)
            return error_set(error, CODE_FAULT, "a scope is malformed");
        (void)snprintf(facts.scopes[facts.scope_count++], FACT_TEXT_MAX, "%s", scope);
    }
    *ret_facts = facts;
    return 0;
}
