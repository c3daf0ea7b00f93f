/*
 * graph_call.c: the request of a call of the caller's own choice.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph_read.h"
#include "graph_rules.h"
#include "p11vault/base/percent.h"
#include "request.h"

bool oauth_graph_repeats(const char *method)
{
    return strcmp(method, "GET") == 0;
}

static int check_method(const char *method, struct error *error)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (method && strcmp(method, methods[i]) == 0)
            return 0;
    return error_set(error, CODE_USAGE, "the method must be GET, POST or DELETE");
}

static int check_fields(const char *fields, bool *ret_ids, struct error *error)
{
    auto_buffer struct buffer value = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    char name[GRAPH_NAME_MAX], plain[GRAPH_NAME_MAX];
    bool more;
    *ret_ids = false;
    if (!text_given(fields))
        return 0;
    if (strlen(fields) > GRAPH_FIELDS_MAX)
        return error_set(error, CODE_USAGE, "the parameters are longer than %zu bytes",
                         GRAPH_FIELDS_MAX);
    for (;;) {
        if (graph_read_field(&fields, name, plain, &value, &more, error) < 0)
            return -1;
        if (!more)
            return 0;
        if (graph_check_field(plain, buffer_text(&value), error) < 0)
            return -1;
        *ret_ids |= strcmp(plain, "ids") == 0 || strcmp(plain, "id") == 0;
    }
}

int oauth_graph_check(const char *method, const char *path, const char *fields, struct error *error)
{
    struct graph_path read;
    bool ids;
    if (check_method(method, error) < 0 || graph_read_path(method, path, &read, error) < 0 ||
        check_fields(fields, &ids, error) < 0)
        return -1;
    if (*read.path == '\0' && !ids)
        return error_set(error, CODE_USAGE, "the path names nothing");
    return 0;
}

/* The path behind its first part. */
static const char *edge_of(const struct graph_path *path)
{
    return path->path + strcspn(path->path, "/");
}

bool oauth_graph_leads_on(const char *path, const char *next_path, const char *parameters)
{
    struct graph_path own, next;
    struct error error;
    return graph_read_path("GET", path, &own, &error) == 0 &&
           graph_read_path("GET", next_path, &next, &error) == 0 &&
           strcasecmp(edge_of(&own), edge_of(&next)) == 0 && text_given(parameters) &&
           oauth_graph_check("GET", path, parameters, &error) == 0;
}

bool oauth_graph_is_ahead(const char *parameters, int64_t now)
{
    auto_buffer struct buffer value = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    char name[GRAPH_NAME_MAX], plain[GRAPH_NAME_MAX];
    struct error error;
    bool more;
    while (graph_read_field(&parameters, name, plain, &value, &more, &error) == 0 && more)
        if (strcmp(plain, "since") == 0 && strtoll(buffer_text(&value), NULL, 10) > now)
            return true;
    return false;
}

static int put_fields(const struct oauth_parameters *parameters, struct oauth_call *call,
                      struct error *error)
{
    auto_buffer struct buffer value = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    char name[GRAPH_NAME_MAX], plain[GRAPH_NAME_MAX];
    const char *fields = text_given(parameters->fields) ? parameters->fields : "";
    bool more;
    for (;;) {
        if (graph_read_field(&fields, name, plain, &value, &more, error) < 0)
            return -1;
        if (!more)
            return 0;
        if (request_field(call, name, buffer_text(&value), error) < 0)
            return -1;
    }
}

int graph_call_make(const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *call, struct error *error)
{
    struct graph_path path;
    if (oauth_graph_check(parameters->method, parameters->path, parameters->fields, error) < 0 ||
        graph_read_path(parameters->method, parameters->path, &path, error) < 0)
        return -1;
    const char *version = *path.version ? path.version : parameters->api_version;
    if (request_begin(parameters->method, version, (const char *const[]){path.path, NULL},
                      parameters, values, call, error) < 0 ||
        put_fields(parameters, call, error) < 0 || request_bearer(call, values->grant, error) < 0)
        return -1;
    if (!values->app_secret)
        return 0;
    return request_proof(call, values->app_secret, values->grant, parameters->now, error);
}

/* ---- what a person gives ---- */

/* What does not fit is the caller's to mend; anything else is not. */
static int too_long(struct error *error)
{
    if (error->code != CODE_STOP)
        return -1;
    return error_set(error, CODE_USAGE, "the parameters are longer than %zu bytes",
                     GRAPH_FIELDS_MAX);
}

int oauth_graph_add(struct buffer *fields, const char *field, struct error *error)
{
    const char *equals = strchr(field, '=');
    if (!equals || equals == field) {
        error_set(error, CODE_USAGE, "'%.64s' is not a parameter", field);
        return error_hint(error, "-F NAME=VALUE");
    }
    if (equals[1] == '@') {
        error_set(error, CODE_USAGE, "'%.64s' names a file, and files are not sent", field);
        return error_hint(error, "give its address as a parameter of the call (url=https://...); a "
                                 "text that begins with @: 'PATH?NAME=%%40...'");
    }
    if ((fields->size > 0 && buffer_put(fields, "&", 1, error) < 0) ||
        percent_put(fields, field, (size_t)(equals - field), "[]", error) < 0 ||
        buffer_put(fields, "=", 1, error) < 0 ||
        percent_put(fields, equals + 1, strlen(equals + 1), "[]", error) < 0)
        return too_long(error);
    return 0;
}

int oauth_graph_split(const char *target, struct buffer *fields, char ret_path[GRAPH_PATH_MAX],
                      struct error *error)
{
    size_t size = strcspn(target, "?");
    if (size >= GRAPH_PATH_MAX)
        return error_set(error, CODE_USAGE, "the path is longer than %zu characters",
                         GRAPH_PATH_MAX - 1);
    memcpy(ret_path, target, size);
    ret_path[size] = '\0';
    if (target[size] == '?' && buffer_put_text(fields, target + size + 1, error) < 0)
        return too_long(error);
    return 0;
}
