/*
 * request.c: target, form and bearer of a request, in locked memory that is as large as what goes into it.
 */
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/http/request.h"
#include "p11vault/oauth/proof.h"

#define FIXED_ROOM 1024 /* names of fields, a proof and its time, the parts of a path */
#define ENCODED(size) (3 * (size))

static size_t text_room(const char *text)
{
    return text == NULL ? 0 : ENCODED(strlen(text));
}

static size_t value_room(const struct secret *value)
{
    return value == NULL ? 0 : ENCODED(secret_size(value));
}

static size_t room_for(const struct oauth_parameters *parameters, const struct oauth_values *values)
{
    return FIXED_ROOM + text_room(parameters->client_id) + text_room(parameters->redirect_uri) +
           text_room(parameters->scopes) + text_room(parameters->cursor) +
           text_room(parameters->subject) + text_room(parameters->permission) +
           text_room(parameters->machine_id) + value_room(values->client_token) +
           text_room(parameters->assets) + text_room(parameters->fields) +
           value_room(values->app_secret) + value_room(values->grant) + value_room(values->code) +
           value_room(values->verifier);
}

static int put_path(struct secret *target, const char *version, const char *const *path,
                    struct error *error)
{
    if (version != NULL && (secret_append_text(target, "/", error) < 0 ||
                            secret_append_text(target, version, error) < 0))
        return -1;
    for (; *path != NULL; path++) {
        if (secret_append_text(target, "/", error) < 0 ||
            secret_append_text(target, *path, error) < 0)
            return -1;
    }
    return 0;
}

int request_begin(const char *method, const char *version, const char *const *path,
                  const struct oauth_parameters *parameters, const struct oauth_values *values,
                  struct oauth_call *call, struct error *error)
{
    bool get = strcmp(method, "POST") != 0;
    size_t room = room_for(parameters, values);
    call->method = method;
    if (secret_new(get ? room : FIXED_ROOM, &call->target, error) < 0 ||
        put_path(call->target, version, path, error) < 0)
        return -1;
    return get ? 0 : secret_new(room, &call->form, error);
}

/* Where the next field goes, with its name and what separates it from what stands before. */
static int put_name(struct oauth_call *call, const char *name, struct secret **ret_into,
                    struct error *error)
{
    struct secret *into = call->form != NULL ? call->form : call->target;
    const char *separator = "&";
    if (secret_size(into) == 0)
        separator = "";
    else if (into == call->target && !memchr(secret_data(into), '?', secret_size(into)))
        separator = "?";
    *ret_into = into;
    if (secret_append_text(into, separator, error) < 0 || secret_append_text(into, name, error) < 0)
        return -1;
    return secret_append_text(into, "=", error);
}

int request_text(struct oauth_call *call, const char *name, const char *text, struct error *error)
{
    struct secret *into;
    if (!text_given(text))
        return 0;
    if (put_name(call, name, &into, error) < 0)
        return -1;
    return http_form_encode(into, text, strlen(text), error);
}

int request_field(struct oauth_call *call, const char *name, const char *text, struct error *error)
{
    struct secret *into;
    if (put_name(call, name, &into, error) < 0)
        return -1;
    return http_form_encode(into, text, strlen(text), error);
}

int request_secret(struct oauth_call *call, const char *name, const struct secret *value,
                   struct error *error)
{
    struct secret *into;
    if (put_name(call, name, &into, error) < 0)
        return -1;
    return http_form_encode(into, secret_data(value), secret_size(value), error);
}

int request_bearer(struct oauth_call *call, const struct secret *token, struct error *error)
{
    if (secret_new(secret_size(token), &call->bearer, error) < 0)
        return -1;
    return secret_append_secret(call->bearer, token, error);
}

int request_proof(struct oauth_call *call, const struct secret *app_secret,
                  const struct secret *token, int64_t now, struct error *error)
{
    char time[24];
    struct secret *into;
    snprintf(time, sizeof(time), "%" PRId64, now);
    if (put_name(call, "appsecret_proof", &into, error) < 0 ||
        proof_append(app_secret, token, now, into, error) < 0)
        return -1;
    return request_text(call, "appsecret_time", time, error);
}
