/*
 * meta_call.c: the requests of the Graph API.
 *
 * debug_token is authorised by the app token (client id, "|", app secret) in the Authorization
 * header and proved with the app secret.  The exchange carries no access token, and so no proof.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/http/request.h"
#include "p11vault/oauth/proof.h"

#define CLIENT_ID_DIGITS_MAX 20
#define PATH_ROOM 128  /* a version and the longest path */
#define FIXED_ROOM 512 /* names, client id, proof and time of a form */
#define ENCODED(size) (3 * (size))

bool oauth_client_id_valid(const char *client_id)
{
    size_t digits = strspn(client_id, "0123456789");
    return digits > 0 && digits <= CLIENT_ID_DIGITS_MAX && client_id[digits] == '\0' &&
           client_id[0] != '0';
}

/* "v26.0": a part of the path, so nothing else may pass. */
static bool version_valid(const char *version)
{
    static const char numbers[] = "0123456789";
    if (version[0] != 'v' || version[1] == '0')
        return false;
    size_t major = strspn(version + 1, numbers);
    if (major < 1 || major > 3 || version[1 + major] != '.')
        return false;
    const char *rest = version + 1 + major + 1;
    size_t minor = strspn(rest, numbers);
    return minor >= 1 && minor <= 2 && rest[minor] == '\0';
}

static int check_value(const struct secret *value, const char *what, struct error *error)
{
    if (value == NULL || secret_size(value) == 0)
        return error_set(error, CODE_STOP, "the %s is empty", what);
    if (secret_size(value) > OAUTH_TOKEN_MAX)
        return error_set(error, CODE_STOP, "the %s is longer than %zu bytes", what,
                         OAUTH_TOKEN_MAX);
    return 0;
}

static int check_inputs(const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct error *error)
{
    if (!oauth_client_id_valid(parameters->client_id))
        return error_set(error, CODE_CONFIG, "the app's id is not a number as Meta gives it");
    if (!version_valid(parameters->api_version)) {
        error_set(error, CODE_CONFIG, "the version of the Graph API is not of the form v26.0");
        return error_hint(error, "set api-version in [meta] of the configuration");
    }
    if (parameters->now < 0)
        return error_set(error, CODE_FAULT, "the time of the call is before 1970");
    if (check_value(values->app_secret, "app secret", error) < 0)
        return -1;
    return check_value(values->grant, "grant", error);
}

/* Makes a target with room for a query of `query_room` bytes. */
static int make_target(const char *version, const char *path, size_t query_room,
                       struct secret **ret_target, struct error *error)
{
    char text[PATH_ROOM];
    snprintf(text, sizeof(text), "/%s/%s", version, path);
    auto_of(secret_free) struct secret *target = NULL;
    if (secret_new(strlen(text) + query_room, &target, error) < 0 ||
        secret_append_text(target, text, error) < 0)
        return -1;
    *ret_target = TAKE(target);
    return 0;
}

/* Appends "NAME=" (with what separates it from the field before) and the encoded value. */
static int put_secret(struct secret *form, const char *name, const struct secret *value,
                      struct error *error)
{
    if (secret_append_text(form, name, error) < 0)
        return -1;
    return http_form_encode(form, secret_data(value), secret_size(value), error);
}

static int make_app_token(const struct oauth_parameters *parameters,
                          const struct oauth_values *values, struct secret **ret_token,
                          struct error *error)
{
    auto_of(secret_free) struct secret *token = NULL;
    size_t size = strlen(parameters->client_id) + 1 + secret_size(values->app_secret);
    if (secret_new(size, &token, error) < 0 ||
        secret_append_text(token, parameters->client_id, error) < 0 ||
        secret_append_text(token, "|", error) < 0 ||
        secret_append_secret(token, values->app_secret, error) < 0)
        return -1;
    *ret_token = TAKE(token);
    return 0;
}

/* The fields of debug_token, which are the same in a form and in a query. */
static int put_inspection(struct secret *target, const struct oauth_parameters *parameters,
                          const struct oauth_values *values, const struct secret *app_token,
                          struct error *error)
{
    char time[64];
    snprintf(time, sizeof(time), "&appsecret_time=%" PRId64, parameters->now);
    if (put_secret(target, "input_token=", values->grant, error) < 0 ||
        secret_append_text(target, "&appsecret_proof=", error) < 0 ||
        proof_append(values->app_secret, app_token, parameters->now, target, error) < 0)
        return -1;
    return secret_append_text(target, time, error);
}

static int make_inspection(const struct oauth_parameters *parameters,
                           const struct oauth_values *values, struct oauth_call *call,
                           struct error *error)
{
    size_t size = FIXED_ROOM + ENCODED(secret_size(values->grant));
    bool get = parameters->by_get;
    call->method = get ? "GET" : "POST";
    if (make_app_token(parameters, values, &call->bearer, error) < 0 ||
        make_target(parameters->api_version, "debug_token", get ? size : 0, &call->target, error) <
            0)
        return -1;
    if (!get && secret_new(size, &call->form, error) < 0)
        return -1;
    struct secret *fields = get ? call->target : call->form;
    if (secret_append_text(fields, get ? "?" : "method=get&", error) < 0)
        return -1;
    return put_inspection(fields, parameters, values, call->bearer, error);
}

static int make_exchange(const struct oauth_parameters *parameters,
                         const struct oauth_values *values, struct oauth_call *call,
                         struct error *error)
{
    call->method = "POST";
    size_t size =
        FIXED_ROOM + ENCODED(secret_size(values->grant)) + ENCODED(secret_size(values->app_secret));
    if (make_target(parameters->api_version, "oauth/access_token", 0, &call->target, error) < 0 ||
        secret_new(size, &call->form, error) < 0 ||
        secret_append_text(call->form, "grant_type=fb_exchange_token&client_id=", error) < 0 ||
        secret_append_text(call->form, parameters->client_id, error) < 0 ||
        put_secret(call->form, "&client_secret=", values->app_secret, error) < 0)
        return -1;
    return put_secret(call->form, "&fb_exchange_token=", values->grant, error);
}

int meta_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                   const struct oauth_values *values, struct oauth_call *call, struct error *error)
{
    if (check_inputs(parameters, values, error) < 0)
        return -1;
    if (step == STEP_EXCHANGE)
        return make_exchange(parameters, values, call, error);
    return make_inspection(parameters, values, call, error);
}

int instagram_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error)
{
    (void)parameters, (void)values, (void)call, (void)step;
    return error_set(error, CODE_USAGE, "there is no such step");
}

int threads_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                      const struct oauth_values *values, struct oauth_call *call,
                      struct error *error)
{
    (void)parameters, (void)values, (void)call, (void)step;
    return error_set(error, CODE_USAGE, "there is no such step");
}
