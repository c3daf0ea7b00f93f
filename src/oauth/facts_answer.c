/*
 * facts_answer.c: an answer as JSON, without what is secret in it and without what stays in the room: pages are offered one
 * by one, a machine id is sealed.
 */
#include <string.h>

#include "facts_json.h"
#include "member.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/facts.h"

static json_t *permissions_to_json(const struct oauth_answer *answer)
{
    auto_json json_t *permissions = json_array();
    for (size_t i = 0; permissions != NULL && i < answer->permission_count; i++) {
        const struct oauth_permission *permission = &answer->permissions[i];
        json_t *item = json_object();
        if (item == NULL || json_array_append_new(permissions, item) < 0 ||
            facts_put_text(item, "name", permission->name) < 0 ||
            facts_put_text(item, "status", permission->status) < 0)
            return NULL;
    }
    return TAKE(permissions);
}

/*
 * Pages with a grant are offered one by one; of the others, and of businesses, this is all that
 * there is.
 */
static json_t *listed_to_json(const struct oauth_answer *answer)
{
    auto_json json_t *listed = json_array();
    for (size_t i = 0; listed != NULL && i < answer->page_count; i++) {
        const struct oauth_page *page = &answer->pages[i];
        json_t *item = page->has_grant ? NULL : json_object();
        if (page->has_grant)
            continue;
        if (item == NULL || json_array_append_new(listed, item) < 0 ||
            facts_put_text(item, "id", page->id) < 0 ||
            facts_put_text(item, "label", page->label) < 0)
            return NULL;
    }
    return TAKE(listed);
}

json_t *oauth_answer_to_json(const struct oauth_answer *answer)
{
    auto_json json_t *object = json_object();
    if (object == NULL ||
        json_object_set_new(object, "facts", oauth_facts_to_json(&answer->facts)) < 0 ||
        facts_put_number(object, "expires_in", answer->expires_in) < 0 ||
        facts_put_text(object, "cursor", answer->cursor) < 0 ||
        facts_put_text(object, "next", answer->next) < 0 ||
        (answer->has_next && json_object_set_new(object, "has_next", json_true()) < 0) ||
        facts_put_text(object, "user_code", answer->user_code) < 0 ||
        facts_put_text(object, "verification_uri", answer->verification_uri) < 0 ||
        facts_put_text(object, "api_version", answer->api_version) < 0 ||
        facts_put_number(object, "usage", answer->usage.percent) < 0)
        return NULL;
    if (answer->pages != NULL && json_object_set_new(object, "listed", listed_to_json(answer)) < 0)
        return NULL;
    if (answer->interval > 0 && facts_put_number(object, "interval", answer->interval) < 0)
        return NULL;
    if (answer->scrubbed > 0 && facts_put_number(object, "scrubbed", answer->scrubbed) < 0)
        return NULL;
    if (answer->total > 0 && facts_put_number(object, "total", answer->total) < 0)
        return NULL;
    if (answer->usage.wait > 0 && facts_put_number(object, "wait", answer->usage.wait) < 0)
        return NULL;
    if (answer->permissions != NULL &&
        json_object_set_new(object, "permissions", permissions_to_json(answer)) < 0)
        return NULL;
    return TAKE(object);
}

/* ---- reading ---- */

static bool take_permission(const json_t *item, struct oauth_permission *permission)
{
    static const char *const keys[] = {"name", "status", NULL};
    return json_is_object(item) && json_only(item, keys) &&
           value_word(json_object_get(item, "name"), SCOPE_ALPHABET, sizeof(permission->name),
                      permission->name) &&
           value_word(json_object_get(item, "status"), LETTERS "_", sizeof(permission->status),
                      permission->status);
}

static int take_permissions(const json_t *json, struct oauth_answer *answer, struct error *error)
{
    const json_t *list = json_object_get(json, "permissions");
    size_t count = json_array_size(list);
    if (list == NULL)
        return 0;
    if (!json_is_array(list) || count > OAUTH_PERMISSIONS_MAX)
        return facts_refuse("permissions", error);
    answer->permissions = calloc(count == 0 ? 1 : count, sizeof(*answer->permissions));
    if (answer->permissions == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        if (!take_permission(json_array_get(list, i),
                             &answer->permissions[answer->permission_count++]))
            return facts_refuse("permissions", error);
    return 0;
}

static int take_listed(const json_t *json, struct oauth_answer *answer, struct error *error)
{
    static const char *const keys[] = {"id", "label", NULL};
    const json_t *list = json_object_get(json, "listed"), *item;
    size_t index, count = json_array_size(list);
    if (list == NULL)
        return 0;
    if (!json_is_array(list) || count > OAUTH_PAGES_MAX)
        return facts_refuse("listed", error);
    answer->pages = calloc(count == 0 ? 1 : count, sizeof(*answer->pages));
    if (answer->pages == NULL)
        return error_memory(error);
    json_array_foreach (list, index, item) {
        struct oauth_page *page = &answer->pages[answer->page_count++];
        if (!json_is_object(item) || !json_only(item, keys) || !member_id(item, "id", page->id) ||
            page->id[0] == '\0' || !facts_take_label(item, "label", page->label))
            return facts_refuse("listed", error);
    }
    return 0;
}

static int take_texts(const json_t *json, struct oauth_answer *answer, struct error *error)
{
    const struct facts_word words[] = {
        {"cursor", CURSOR_ALPHABET, answer->cursor, sizeof(answer->cursor)},
        {"user_code", USER_CODE_ALPHABET, answer->user_code, sizeof(answer->user_code)},
        {"verification_uri", URI_ALPHABET, answer->verification_uri,
         sizeof(answer->verification_uri)},
        {"api_version", "v." DIGITS, answer->api_version, sizeof(answer->api_version)},
        {"next", NEXT_ALPHABET, answer->next, sizeof(answer->next)},
    };
    if (facts_take_words(json, words, sizeof(words) / sizeof(words[0]), error) < 0)
        return -1;
    if (!facts_take_number(json, "expires_in", TIME_MAX, &answer->expires_in))
        return facts_refuse("expires_in", error);
    if (!facts_take_number(json, "interval", TIME_MAX, &answer->interval))
        return facts_refuse("interval", error);
    if (!facts_take_number(json, "total", TIME_MAX, &answer->total))
        return facts_refuse("total", error);
    if (!facts_take_number(json, "scrubbed", TIME_MAX, &answer->scrubbed))
        return facts_refuse("scrubbed", error);
    return 0;
}

static int take_usage(const json_t *json, struct oauth_usage *usage, struct error *error)
{
    int64_t percent = USAGE_UNKNOWN;
    if (!facts_take_number(json, "usage", USAGE_PERCENT_MAX, &percent))
        return facts_refuse("usage", error);
    if (!facts_take_number(json, "wait", USAGE_WAIT_MAX, &usage->wait))
        return facts_refuse("wait", error);
    usage->percent = (int)percent;
    return 0;
}

int oauth_answer_from_json(const json_t *json, struct oauth_answer *ret_answer, struct error *error)
{
    static const char *const keys[] = {
        "facts",    "expires_in",  "cursor",      "user_code", "verification_uri",
        "interval", "api_version", "permissions", "usage",     "wait",
        "scrubbed", "listed",      "total",       "has_next",  "next",
        NULL};
    auto_answer struct oauth_answer answer = {.expires_in = FACT_UNKNOWN,
                                              .usage.percent = USAGE_UNKNOWN};
    if (!json_is_object(json) || !json_only(json, keys))
        return error_set(error, CODE_FAULT, "unknown member in an answer");
    if (oauth_facts_from_json(json_object_get(json, "facts"), &answer.facts, error) < 0 ||
        take_texts(json, &answer, error) < 0 || take_permissions(json, &answer, error) < 0 ||
        take_listed(json, &answer, error) < 0 || take_usage(json, &answer.usage, error) < 0)
        return -1;
    answer.has_next = json_is_true(json_object_get(json, "has_next"));
    *ret_answer = answer;
    answer = (struct oauth_answer){0};
    return 0;
}
