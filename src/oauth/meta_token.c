/*
 * meta_token.c: the requests to Meta's token endpoint, one path for many grants.  All are POST with a form, which the
 * endpoint takes besides the GET of the documents; none carries an access token, and so none a proof.
 */
#include <string.h>

#include "meta_call.h"

static int begin(const char *grant_type, const struct oauth_parameters *parameters,
                 const struct oauth_values *values, struct oauth_call *call, struct error *error)
{
    static const char *const path[] = {"oauth", "access_token", NULL};
    if (request_begin("POST", parameters->api_version, path, parameters, values, call, error) < 0 ||
        request_text(call, "grant_type", grant_type, error) < 0)
        return -1;
    return request_text(call, "client_id", parameters->client_id, error);
}

META_MAKER(meta_make_exchange)
{
    const char *kind = parameters->kind;
    bool system_user = text_given(kind) && strcmp(kind, "system-user") == 0;
    if (begin("fb_exchange_token", parameters, values, call, error) < 0 ||
        request_secret(call, "client_secret", values->app_secret, error) < 0 ||
        request_secret(call, "fb_exchange_token", values->grant, error) < 0)
        return -1;
    return system_user ? request_text(call, "set_token_expires_in_60_days", "true", error) : 0;
}

/* Meta's page on the manual flow has no grant_type; RFC 6749, section 4.1.3, has one. */
META_MAKER(meta_make_code)
{
    if (begin("authorization_code", parameters, values, call, error) < 0 ||
        (values->app_secret &&
         request_secret(call, "client_secret", values->app_secret, error) < 0) ||
        request_text(call, "redirect_uri", parameters->redirect_uri, error) < 0 ||
        request_secret(call, "code", values->code, error) < 0)
        return -1;
    return values->verifier ? request_secret(call, "code_verifier", values->verifier, error) : 0;
}

META_MAKER(meta_make_app_token)
{
    if (begin("client_credentials", parameters, values, call, error) < 0)
        return -1;
    return request_secret(call, "client_secret", values->app_secret, error);
}

META_MAKER(meta_make_session_info)
{
    if (begin("fb_attenuate_token", parameters, values, call, error) < 0)
        return -1;
    return request_secret(call, "fb_exchange_token", values->grant, error);
}

META_MAKER(meta_make_redemption)
{
    if (check_given(parameters->redirect_uri, "the redirect address that the code was made for",
                    error) < 0 ||
        begin(NULL, parameters, values, call, error) < 0 ||
        request_text(call, "redirect_uri", parameters->redirect_uri, error) < 0 ||
        request_secret(call, "code", values->code, error) < 0)
        return -1;
    return request_text(call, "machine_id", parameters->machine_id, error);
}
