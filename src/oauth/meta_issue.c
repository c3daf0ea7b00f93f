/*
 * meta_issue.c: Meta's requests that issue grants and codes elsewhere than at the token endpoint: for system users, for
 * client businesses, for one more client of a user, for devices.
 */
#include "meta_call.h"

static const char *true_if(bool set)
{
    return set ? "true" : NULL;
}

/* POST /SUBJECT/EDGE, authorised and proved with the grant. */
static int begin_edge(const char *edge, const struct oauth_parameters *parameters,
                      const struct oauth_values *values, struct oauth_call *call,
                      struct error *error)
{
    const char *const path[] = {parameters->subject, edge, NULL};
    if (request_begin("POST", parameters->api_version, path, parameters, values, call, error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}

META_MAKER(meta_make_system_user)
{
    if (check_given(parameters->subject, "the id of the system user", error) < 0 ||
        begin_edge("access_tokens", parameters, values, call, error) < 0 ||
        request_text(call, "business_app", parameters->client_id, error) < 0 ||
        request_text(call, "scope", parameters->scopes, error) < 0)
        return -1;
    return request_text(call, "set_token_expires_in_60_days", true_if(parameters->sixty_days),
                        error);
}

META_MAKER(meta_make_narrow)
{
    if (check_given(parameters->subject, "the id of the client business", error) < 0 ||
        begin_edge("system_user_access_tokens", parameters, values, call, error) < 0 ||
        request_text(call, "scope", parameters->scopes, error) < 0 ||
        request_text(call, "asset", parameters->assets, error) < 0 ||
        request_text(call, "fetch_only", true_if(parameters->fetch_only), error) < 0)
        return -1;
    return request_text(call, "set_token_expires_in_60_days", true_if(parameters->sixty_days),
                        error);
}

META_MAKER(meta_make_client_code)
{
    static const char *const path[] = {"oauth", "client_code", NULL};
    if (check_given(parameters->redirect_uri, "a redirect address", error) < 0 ||
        meta_begin_read(path, parameters, values, call, error) < 0 ||
        request_text(call, "client_id", parameters->client_id, error) < 0 ||
        request_secret(call, "client_secret", values->app_secret, error) < 0 ||
        request_text(call, "redirect_uri", parameters->redirect_uri, error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}

/* ---- device login: authorised by client id and client token ---- */

static int begin_device(const char *part, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error)
{
    const char *const path[] = {"device", part, NULL};
    auto_of(secret_free) struct secret *token = NULL;
    if (meta_app_token(parameters->client_id, values->client_token, &token, error) < 0 ||
        request_begin("POST", parameters->api_version, path, parameters, values, call, error) < 0)
        return -1;
    return request_secret(call, "access_token", token, error);
}

META_MAKER(meta_make_device_start)
{
    if (begin_device("login", parameters, values, call, error) < 0 ||
        request_text(call, "scope", parameters->scopes, error) < 0)
        return -1;
    return request_text(call, "redirect_uri", parameters->redirect_uri, error);
}

META_MAKER(meta_make_device_poll)
{
    if (begin_device("login_status", parameters, values, call, error) < 0)
        return -1;
    return request_secret(call, "code", values->code, error);
}
