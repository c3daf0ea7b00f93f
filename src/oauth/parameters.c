/*
 * parameters.c: structs of texts and switches as JSON, each by one table.
 */
#include "p11vault/oauth/parameters.h"

#include <stddef.h>

#include "p11vault/base/json.h"

struct member {
    const char *name;
    size_t place;
    bool is_switch;
};

#define A_TEXT(type, name)                                                                         \
    {                                                                                              \
#name, offsetof(struct type, name), false                                                  \
    }
#define A_SWITCH(type, name)                                                                       \
    {                                                                                              \
#name, offsetof(struct type, name), true                                                   \
    }

static const struct member of_parameters[] = {
    A_TEXT(oauth_parameters, client_id),    A_TEXT(oauth_parameters, api_version),
    A_TEXT(oauth_parameters, redirect_uri), A_TEXT(oauth_parameters, scopes),
    A_TEXT(oauth_parameters, cursor),       A_TEXT(oauth_parameters, subject),
    A_TEXT(oauth_parameters, page),         A_TEXT(oauth_parameters, permission),
    A_TEXT(oauth_parameters, machine_id),   A_TEXT(oauth_parameters, assets),
    A_TEXT(oauth_parameters, kind),         A_TEXT(oauth_parameters, method),
    A_TEXT(oauth_parameters, path),         A_TEXT(oauth_parameters, fields),
    A_TEXT(oauth_parameters, edge),
    A_SWITCH(oauth_parameters, by_get),     A_SWITCH(oauth_parameters, sixty_days),
    A_SWITCH(oauth_parameters, fetch_only),
};

static const struct member of_dialog[] = {
    A_TEXT(oauth_dialog, client_id),    A_TEXT(oauth_dialog, api_version),
    A_TEXT(oauth_dialog, redirect_uri), A_TEXT(oauth_dialog, scopes),
    A_TEXT(oauth_dialog, config_id),    A_TEXT(oauth_dialog, auth_type),
    A_TEXT(oauth_dialog, auth_nonce),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Texts that are not there and switches that are off are left out. */
static json_t *to_json(const void *from, const struct member *members, size_t count)
{
    auto_json json_t *json = json_object();
    for (size_t i = 0; json && i < count; i++) {
        const void *place = (const char *)from + members[i].place;
        int failed = 0;
        if (members[i].is_switch && *(const bool *)place)
            failed = json_object_set_new(json, members[i].name, json_true());
        else if (!members[i].is_switch && *(const char *const *)place)
            failed = json_object_set_new(json, members[i].name,
                                         json_string(*(const char *const *)place));
        if (failed)
            return NULL;
    }
    return TAKE(json);
}

static int from_json(const json_t *json, const struct member *members, size_t count, void *to,
                     struct error *error)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(json, members[i].name);
        void *place = (char *)to + members[i].place;
        if (!value)
            continue;
        if (members[i].is_switch ? !json_is_boolean(value) : !json_is_string(value))
            return error_set(error, CODE_FAULT, "parameter '%s' is of another type",
                             members[i].name);
        if (members[i].is_switch)
            *(bool *)place = json_is_true(value);
        else
            *(const char **)place = json_string_value(value);
        taken++;
    }
    if (taken != json_object_size(json))
        return error_set(error, CODE_FAULT, "unknown parameter");
    return 0;
}

json_t *oauth_parameters_to_json(const struct oauth_parameters *parameters)
{
    return to_json(parameters, of_parameters, COUNT(of_parameters));
}

int oauth_parameters_from_json(const json_t *json, struct oauth_parameters *ret_parameters,
                               struct error *error)
{
    struct oauth_parameters parameters = {0};
    if (from_json(json, of_parameters, COUNT(of_parameters), &parameters, error) < 0)
        return -1;
    *ret_parameters = parameters;
    return 0;
}

json_t *oauth_dialog_to_json(const struct oauth_dialog *dialog)
{
    return to_json(dialog, of_dialog, COUNT(of_dialog));
}

int oauth_dialog_from_json(const json_t *json, struct oauth_dialog *ret_dialog, struct error *error)
{
    struct oauth_dialog dialog = {0};
    if (from_json(json, of_dialog, COUNT(of_dialog), &dialog, error) < 0)
        return -1;
    *ret_dialog = dialog;
    return 0;
}
