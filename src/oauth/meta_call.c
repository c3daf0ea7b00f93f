/*
 * meta_call.c: Meta's requests: which function makes which step, and the calls about a grant that we hold.
 *
 * debug_token is authorised by the app token (client id, "|", app secret) in the Authorization header; every other
 * call here by the grant.  Each is proved with the app secret.
 */
#include <string.h>

#include "meta_call.h"

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *me_or(const char *subject)
{
    return text_given(subject) ? subject : "me";
}

/* What the provider documents by GET: by POST with method=get, unless a parameter says otherwise. */
int meta_begin_read(const char *const *path, const struct oauth_parameters *parameters,
                    const struct oauth_values *values, struct oauth_call *call, struct error *error)
{
    if (request_begin(parameters->by_get ? "GET" : "POST", parameters->api_version, path,
                      parameters, values, call, error) < 0)
        return -1;
    return parameters->by_get ? 0 : request_text(call, "method", "get", error);
}

int meta_prove(const struct oauth_parameters *parameters, const struct oauth_values *values,
               const struct secret *token, struct oauth_call *call, struct error *error)
{
    if (request_bearer(call, token, error) < 0)
        return -1;
    return request_proof(call, values->app_secret, token, parameters->now, error);
}

/* ---- the debugger ---- */

int meta_app_token(const char *client_id, const struct secret *behind, struct secret **ret_token,
                   struct error *error)
{
    auto_of(secret_free) struct secret *token = NULL;
    if (secret_new(strlen(client_id) + 1 + secret_size(behind), &token, error) < 0 ||
        secret_append_text(token, client_id, error) < 0 ||
        secret_append_text(token, "|", error) < 0 || secret_append_secret(token, behind, error) < 0)
        return -1;
    *ret_token = TAKE(token);
    return 0;
}

static int make_inspection(const struct oauth_parameters *parameters,
                           const struct oauth_values *values, struct oauth_call *call,
                           struct error *error)
{
    if (meta_begin_read(PATH("debug_token"), parameters, values, call, error) < 0 ||
        meta_app_token(parameters->client_id, values->app_secret, &call->bearer, error) < 0 ||
        request_secret(call, "input_token", values->grant, error) < 0)
        return -1;
    return request_proof(call, values->app_secret, call->bearer, parameters->now, error);
}

/* ---- lists: a proof is for whoever has the token beside it, and a URL is for everybody's logs ---- */

/* One page of a list, from its cursor on. */
static int make_list(const char *edge, const char *fields,
                     const struct oauth_parameters *parameters, const struct oauth_values *values,
                     struct oauth_call *call, struct error *error)
{
    if (meta_begin_read(PATH(me_or(parameters->subject), edge), parameters, values, call, error) <
            0 ||
        request_text(call, "fields", fields, error) < 0 ||
        request_text(call, "limit", META_PAGES_LIMIT, error) < 0 ||
        request_text(call, "after", parameters->cursor, error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}

static int make_pages(const struct oauth_parameters *parameters, const struct oauth_values *values,
                      struct oauth_call *call, struct error *error)
{
    if (text_given(parameters->page)) {
        if (meta_begin_read(PATH(parameters->page), parameters, values, call, error) < 0 ||
            request_text(call, "fields", "id,name,access_token", error) < 0)
            return -1;
        return meta_prove(parameters, values, values->grant, call, error);
    }
    if (text_given(parameters->edge) &&
        check_given(parameters->subject, "the id of the business", error) < 0)
        return -1;
    return make_list(text_given(parameters->edge) ? parameters->edge : "accounts",
                     "id,name,access_token,tasks", parameters, values, call, error);
}

static int make_businesses(const struct oauth_parameters *parameters,
                           const struct oauth_values *values, struct oauth_call *call,
                           struct error *error)
{
    return make_list("businesses", "id,name", parameters, values, call, error);
}

static int make_permissions(const struct oauth_parameters *parameters,
                            const struct oauth_values *values, struct oauth_call *call,
                            struct error *error)
{
    if (meta_begin_read(PATH(me_or(parameters->subject), "permissions"), parameters, values, call,
                        error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}

/* ---- ends ---- */

static int make_take_back(const struct oauth_parameters *parameters,
                          const struct oauth_values *values, struct oauth_call *call,
                          struct error *error)
{
    const char *permission = text_given(parameters->permission) ? parameters->permission : NULL;
    if (request_begin("POST", parameters->api_version,
                      PATH(me_or(parameters->subject), "permissions", permission), parameters,
                      values, call, error) < 0 ||
        request_text(call, "method", "delete", error) < 0)
        return -1;
    return meta_prove(parameters, values, values->grant, call, error);
}

static int make_revocation(const struct oauth_parameters *parameters,
                           const struct oauth_values *values, struct oauth_call *call,
                           struct error *error)
{
    const struct secret *caller = values->caller != NULL ? values->caller : values->grant;
    if (meta_begin_read(PATH("oauth", "revoke"), parameters, values, call, error) < 0 ||
        request_text(call, "client_id", parameters->client_id, error) < 0 ||
        request_secret(call, "client_secret", values->app_secret, error) < 0 ||
        request_secret(call, "revoke_token", values->grant, error) < 0)
        return -1;
    return meta_prove(parameters, values, caller, call, error);
}

/* ---- all ---- */

int meta_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                   const struct oauth_values *values, struct oauth_call *call, struct error *error)
{
    static int (*const makers[STEP_COUNT])(const struct oauth_parameters *parameters,
                                           const struct oauth_values *values,
                                           struct oauth_call *call, struct error *error) = {
        [STEP_INSPECT_INPUT] = make_inspection,
        [STEP_EXCHANGE] = meta_make_exchange,
        [STEP_INSPECT_RESULT] = make_inspection,
        [STEP_CODE] = meta_make_code,
        [STEP_PAGES] = make_pages,
        [STEP_APP_TOKEN] = meta_make_app_token,
        [STEP_SYSTEM_USER] = meta_make_system_user,
        [STEP_NARROW] = meta_make_narrow,
        [STEP_SESSION_INFO] = meta_make_session_info,
        [STEP_CLIENT_CODE] = meta_make_client_code,
        [STEP_REDEEM] = meta_make_redemption,
        [STEP_DEVICE_START] = meta_make_device_start,
        [STEP_DEVICE_POLL] = meta_make_device_poll,
        [STEP_PERMISSIONS] = make_permissions,
        [STEP_TAKE_BACK] = make_take_back,
        [STEP_REVOKE] = make_revocation,
        [STEP_CALL] = graph_call_make,
        [STEP_BUSINESSES] = make_businesses,
        [STEP_BATCH] = graph_batch_make,
    };
    return makers[step](parameters, values, call, error);
}
