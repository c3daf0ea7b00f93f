/*
 * graph_batch.c: the items of a batch, each checked as the call that it is, and the request.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "graph_read.h"
#include "meta_call.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/batch.h"

#define NAME_SIZE_MAX 64
#define NAME_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define REFERENCE "{result="
#define ANY_ID "1"

/* An item among those before it. */
struct item {
    const json_t *items, *object;
    size_t number; /* from 0 */
};

/* ---- references ---- */

static const json_t *find_before(const struct item *item, const char *name, size_t size)
{
    for (size_t i = 0; i < item->number; i++) {
        const json_t *before = json_array_get(item->items, i);
        const char *its = json_text(before, "name");
        if (its && strlen(its) == size && memcmp(its, name, size) == 0)
            return before;
    }
    return NULL;
}

/*
 * The length of a path such as "$.data.*.id" or "$[0].id"; 0: it is another, or it does not end
 * with an id.
 */
static size_t id_path_size(const char *path)
{
    const char *at = path + 1, *last = NULL;
    if (*path != '$')
        return 0;
    while (*at == '.' || *at == '[') {
        const char *begin = at + 1;
        bool is_index = *at == '[';
        size_t size = *begin == '*' ? 1 : strspn(begin, is_index ? "0123456789" : NAME_ALPHABET);
        last = begin;
        at = begin + size;
        if (size == 0 || (is_index && *at++ != ']'))
            return 0;
    }
    return last && last[-1] == '.' && strncmp(last, "id", 2) == 0 && at == last + 2
               ? (size_t)(at - path)
               : 0;
}

/* The length of a reference to an earlier item; 0: it is none that may be. */
static size_t reference_size(const struct item *item, const char *text)
{
    const char *name = text + strlen(REFERENCE);
    size_t size = strspn(name, NAME_ALPHABET);
    if (size == 0 || name[size] != ':' || !find_before(item, name, size))
        return 0;
    size_t path = id_path_size(name + size + 1);
    const char *end = name + size + 1 + path;
    return path > 0 && *end == '}' ? (size_t)(end + 1 - text) : 0;
}

/* The text as it may be sent: with some id in the place of each reference. */
static int put_plain(const struct item *item, const char *text, size_t size, struct buffer *to,
                     struct error *error)
{
    const char *end = text + size;
    while (text < end) {
        bool begins = strncmp(text, REFERENCE, strlen(REFERENCE)) == 0;
        size_t reference = begins ? reference_size(item, text) : 0;
        if (begins && reference == 0) {
            error_set(error, CODE_USAGE, "its reference to another call is refused");
            return error_hint(error,
                              "{result=NAME:$.data.*.id}: the name of an earlier call, and a "
                              "path that ends with .id");
        }
        if (buffer_put(to, reference > 0 ? ANY_ID : text, 1, error) < 0)
            return error_set(error, CODE_USAGE, "it is too long");
        text += reference > 0 ? reference : 1;
    }
    return 0;
}

/* What is none as it stands, and would be one when it is decoded. */
static bool hides_reference(const char *value)
{
    for (const char *at = value; (at = strchr(at, '{')); at++) {
        const char *word = at + 1 + strspn(at + 1, " \t\r\n");
        if (strncasecmp(word, "result", 6) == 0 && word[6 + strspn(word + 6, " \t\r\n")] == '=')
            return true;
    }
    return false;
}

static int check_hidden(const char *fields, struct error *error)
{
    auto_buffer struct buffer value = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    char name[GRAPH_NAME_MAX], plain[GRAPH_NAME_MAX];
    for (bool more = true; more;) {
        if (graph_read_field(&fields, name, plain, &value, &more, error) < 0)
            return -1;
        if (more && hides_reference(buffer_text(&value)))
            return error_set(error, CODE_USAGE,
                             "its reference to another call must not be encoded");
    }
    return 0;
}

/* ---- one item ---- */

static int check_members(const json_t *object, struct error *error)
{
    static const char *const known[] = {
        "method", "relative_url", "body", "name", "depends_on", "omit_response_on_success", NULL};
    static const struct {
        const char *name, *why;
    } others[] = {{"access_token", "a batch is made with one grant, whose token p11vault adds"},
                  {"attached_files", "files are not sent"}};
    if (json_only(object, known))
        return 0;
    error_set(error, CODE_USAGE,
              "it may have method, relative_url, body, name, depends_on and "
              "omit_response_on_success, and nothing else");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (json_object_get(object, others[i].name)) {
            error_set(error, CODE_USAGE, "'%s' is refused", others[i].name);
            return error_hint(error, "%s", others[i].why);
        }
    return -1;
}

/* A text without control characters; *ret_text is NULL when it is not there. */
static int read_text(const json_t *object, const char *key, const char **ret_text,
                     struct error *error)
{
    const json_t *value = json_object_get(object, key);
    *ret_text = json_string_value(value);
    if (value && !*ret_text)
        return error_set(error, CODE_USAGE, "'%s' must be a string", key);
    for (const char *at = *ret_text; at && *at; at++)
        if (iscntrl((unsigned char)*at))
            return error_set(error, CODE_USAGE, "'%s' holds a control character", key);
    return 0;
}

static int check_name(const struct item *item, struct error *error)
{
    const char *name, *after;
    const json_t *omit = json_object_get(item->object, "omit_response_on_success");
    if (read_text(item->object, "name", &name, error) < 0 ||
        read_text(item->object, "depends_on", &after, error) < 0)
        return -1;
    if (name && (!*name || strlen(name) > NAME_SIZE_MAX || name[strspn(name, NAME_ALPHABET)]))
        return error_set(error, CODE_USAGE, "a name has up to %d letters, digits, '_' and '-'",
                         NAME_SIZE_MAX);
    if (name && find_before(item, name, strlen(name)))
        return error_set(error, CODE_USAGE, "another call before it has the name '%s'", name);
    if (after && !find_before(item, after, strlen(after)))
        return error_set(error, CODE_USAGE, "no call before it has the name '%.64s'", after);
    if (omit && !json_is_boolean(omit))
        return error_set(error, CODE_USAGE, "'omit_response_on_success' is true or false");
    return 0;
}

/* Its method and path go to the summary. */
static int check_call(const struct item *item, struct oauth_batch *batch, struct error *error)
{
    auto_buffer struct buffer path = BUFFER_UP_TO(GRAPH_PATH_MAX - 1);
    auto_buffer struct buffer fields = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    const char *method, *url, *body;
    if (read_text(item->object, "method", &method, error) < 0 ||
        read_text(item->object, "relative_url", &url, error) < 0 ||
        read_text(item->object, "body", &body, error) < 0)
        return -1;
    if (!method || !url)
        return error_set(error, CODE_USAGE, "it has no %s", method ? "relative_url" : "method");
    if (body && strcmp(method, "POST") != 0)
        return error_set(error, CODE_USAGE, "only a POST has a body");
    size_t size = strcspn(url, "?");
    const char *query = url[size] ? url + size + 1 : "";
    if (put_plain(item, url, size, &path, error) < 0 ||
        put_plain(item, query, strlen(query), &fields, error) < 0 ||
        put_plain(item, "&", 1, &fields, error) < 0 ||
        put_plain(item, body ? body : "", body ? strlen(body) : 0, &fields, error) < 0 ||
        oauth_graph_check(method, buffer_text(&path), buffer_text(&fields), error) < 0 ||
        check_hidden(buffer_text(&fields), error) < 0)
        return -1;
    size_t used = strlen(batch->summary), room = sizeof(batch->summary) - used;
    int added = snprintf(batch->summary + used, room, "%s %s %.*s", item->number > 0 ? "," : "",
                         method, (int)size, url);
    if (added >= (int)room)
        (void)snprintf(batch->summary + used, room, ", ...");
    return 0;
}

static int check_item(const struct item *item, struct oauth_batch *batch, struct error *error)
{
    const json_t *omit = json_object_get(item->object, "omit_response_on_success");
    if (!json_is_object(item->object))
        return error_set(error, CODE_USAGE, "it must be a JSON object");
    if (check_members(item->object, error) < 0 || check_name(item, error) < 0 ||
        check_call(item, batch, error) < 0)
        return -1;
    /* What others refer to is left out unless that is said not to be. */
    batch->may_be_null[item->number] =
        json_is_true(omit) || (!omit && json_object_get(item->object, "name"));
    return 0;
}

/* ---- the whole ---- */

static int check_items(const json_t *items, struct oauth_batch *batch, struct error *error)
{
    batch->count = json_array_size(items);
    if (batch->count == 0 || batch->count > BATCH_ITEMS_MAX)
        return error_set(error, CODE_USAGE, "a batch has 1 to %d calls, and this has %zu",
                         BATCH_ITEMS_MAX, batch->count);
    (void)snprintf(batch->summary, sizeof(batch->summary), "batch of %zu:", batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        const struct item item = {items, json_array_get(items, i), i};
        if (check_item(&item, batch, error) < 0)
            return error_prefix(error, "call %zu of the batch", i + 1);
    }
    return 0;
}

int oauth_batch_read(const char *text, size_t size, struct oauth_batch *ret_batch, char **ret_text,
                     struct error *error)
{
    struct oauth_batch batch = {.summary = ""};
    auto_json json_t *items = NULL;
    auto_free char *canonical = NULL;
    if (json_parse_array(text, size, "the batch", &items, error) < 0) {
        if (error->code == CODE_STOP)
            error->code = CODE_USAGE;
        return -1;
    }
    if (check_items(items, &batch, error) < 0 || json_canonical(items, &canonical, error) < 0)
        return -1;
    if (strlen(canonical) > BATCH_TEXT_MAX)
        return error_set(error, CODE_USAGE, "the batch is longer than %zu bytes", BATCH_TEXT_MAX);
    *ret_batch = batch;
    if (ret_text)
        *ret_text = TAKE(canonical);
    return 0;
}

/* The proof is of the token in the header, which all items use. */
int graph_batch_make(const struct oauth_parameters *parameters, const struct oauth_values *values,
                     struct oauth_call *call, struct error *error)
{
    const char *text = text_given(parameters->fields) ? parameters->fields : "";
    struct oauth_batch batch;
    auto_free char *canonical = NULL;
    if (oauth_batch_read(text, strlen(text), &batch, &canonical, error) < 0 ||
        request_begin("POST", parameters->api_version, (const char *const[]){NULL}, parameters,
                      values, call, error) < 0 ||
        request_text(call, "batch", canonical, error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}
