/*
 * instagram.c: the requests of Instagram Login and, by the same pattern, of Threads.
 *
 * A code is exchanged by POST.  Making a grant long-lived and refreshing it are documented by GET only, and asked by
 * POST they fail: secret and grant stand in the target there.  Whose a grant is, /me says.  Neither family documents
 * appsecret_proof, so none is sent and fewer records are opened.
 */
#include "request.h"

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

struct pattern {
    const char *exchange, *refresh; /* grant types */
    const char *fields;             /* of /me */
};

static int make_profile(const char *fields, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error)
{
    if (request_begin("GET", parameters->api_version, PATH("me"), parameters, values, call, error) <
            0 ||
        request_text(call, "fields", fields, error) < 0)
        return -1;
    return request_bearer(call, values->grant, error);
}

static int make_code(const struct oauth_parameters *parameters, const struct oauth_values *values,
                     struct oauth_call *call, struct error *error)
{
    if (values->app_secret == NULL || values->verifier != NULL)
        return error_set(error, CODE_USAGE, "this provider has no PKCE");
    if (check_given(parameters->redirect_uri, "the redirect address of the login", error) < 0 ||
        request_begin("POST", NULL, PATH("oauth", "access_token"), parameters, values, call,
                      error) < 0 ||
        request_text(call, "client_id", parameters->client_id, error) < 0 ||
        request_secret(call, "client_secret", values->app_secret, error) < 0 ||
        request_text(call, "grant_type", "authorization_code", error) < 0 ||
        request_text(call, "redirect_uri", parameters->redirect_uri, error) < 0)
        return -1;
    return request_secret(call, "code", values->code, error);
}

static int make_exchange(const char *grant_type, const struct oauth_parameters *parameters,
                         const struct oauth_values *values, struct oauth_call *call,
                         struct error *error)
{
    if (request_begin("GET", NULL, PATH("access_token"), parameters, values, call, error) < 0 ||
        request_text(call, "grant_type", grant_type, error) < 0 ||
        request_secret(call, "client_secret", values->app_secret, error) < 0)
        return -1;
    return request_secret(call, "access_token", values->grant, error);
}

static int make_refresh(const char *grant_type, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error)
{
    if (request_begin("GET", NULL, PATH("refresh_access_token"), parameters, values, call, error) <
            0 ||
        request_text(call, "grant_type", grant_type, error) < 0)
        return -1;
    return request_secret(call, "access_token", values->grant, error);
}

static int make_app_token(const struct oauth_parameters *parameters,
                          const struct oauth_values *values, struct oauth_call *call,
                          struct error *error)
{
    /* The documents show GET; the path takes POST for codes, so that is tried unless a parameter says otherwise. */
    if (request_begin(parameters->by_get ? "GET" : "POST", NULL, PATH("oauth", "access_token"),
                      parameters, values, call, error) < 0 ||
        request_text(call, "grant_type", "client_credentials", error) < 0 ||
        request_text(call, "client_id", parameters->client_id, error) < 0)
        return -1;
    return request_secret(call, "client_secret", values->app_secret, error);
}

static int make(const struct pattern *pattern, enum oauth_step step,
                const struct oauth_parameters *parameters, const struct oauth_values *values,
                struct oauth_call *call, struct error *error)
{
    switch ((int)step) {
    case STEP_CODE:
        return make_code(parameters, values, call, error);
    case STEP_EXCHANGE:
        return make_exchange(pattern->exchange, parameters, values, call, error);
    case STEP_REFRESH:
        return make_refresh(pattern->refresh, parameters, values, call, error);
    case STEP_CALL:
        return graph_call_make(parameters, values, call, error);
    case STEP_APP_TOKEN:
        return make_app_token(parameters, values, call, error);
    default:
        return make_profile(pattern->fields, parameters, values, call, error);
    }
}

int instagram_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error)
{
    static const struct pattern pattern = {"ig_exchange_token", "ig_refresh_token", "id,user_id"};
    return make(&pattern, step, parameters, values, call, error);
}

int threads_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                      const struct oauth_values *values, struct oauth_call *call,
                      struct error *error)
{
    static const struct pattern pattern = {"th_exchange_token", "th_refresh_token", "id"};
    return make(&pattern, step, parameters, values, call, error);
}
