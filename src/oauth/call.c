/*
 * call.c: a request of any family: is there such a step and such a kind, and is there what the step needs.
 */
#include "p11vault/oauth/call.h"

#include <string.h>

#include "request.h"

void oauth_call_clear(struct oauth_call *call)
{
    secret_free(call->target);
    secret_free(call->bearer);
    secret_free(call->form);
    *call = (struct oauth_call){0};
}

/* A kind that the family has, and one that the step can do something for. */
static int check_kind(const struct oauth_family *family, enum oauth_step step,
                      const struct oauth_parameters *parameters, struct error *error)
{
    const struct provider *provider = &family->provider;
    const char *kind =
        text_given(parameters->kind) ? parameters->kind : family->provider.person_kind;
    if (!oauth_kind_known(provider, kind))
        return error_set(error, CODE_USAGE, "provider '%s' has no grants of kind '%.20s'",
                         provider->name, kind);
    bool renews =
        oauth_lengthen_step(provider, kind) == step || oauth_renew_step(provider, kind) == step;
    if ((step == STEP_EXCHANGE || step == STEP_REFRESH) && !renews)
        return error_set(error, CODE_USAGE, "a grant of kind '%s' cannot be renewed", kind);
    bool inspects = step == STEP_INSPECT_INPUT || step == STEP_INSPECT_RESULT;
    if (inspects && !provider->has_debugger && strcmp(kind, provider->person_kind) != 0)
        return error_set(error, CODE_USAGE, "provider '%s' says nothing of a grant of kind '%s'",
                         provider->name, kind);
    if (step == STEP_REVOKE && strcmp(kind, "app") == 0) {
        error_set(error, CODE_USAGE, "an app token ends with the app secret only");
        return error_hint(error, "reset it in the app's dashboard, then: p11vault app set-secret");
    }
    return 0;
}

/* With a PKCE verifier a code is exchanged without the app secret, if none is given. */
static unsigned values_needed(unsigned needs, const struct oauth_values *values)
{
    bool public_client = (needs & NEEDS_CODE) != 0 && values->verifier && !values->app_secret;
    return public_client ? needs & ~(unsigned)NEEDS_APP_SECRET : needs;
}

static int check_call(const struct oauth_family *family, enum oauth_step step,
                      const struct oauth_parameters *parameters, const struct oauth_values *values,
                      struct error *error)
{
    unsigned needs = oauth_step_needs(&family->provider, step);
    if (needs == 0)
        return error_set(error, CODE_USAGE, "provider '%s' has no such step",
                         family->provider.name);
    if (!text_given(parameters->client_id) ||
        !family->provider.client_id_valid(parameters->client_id))
        return error_set(error, CODE_CONFIG, "the app's id is not a number as Meta gives it");
    if (!text_given(parameters->api_version) || !version_valid(parameters->api_version)) {
        error_set(error, CODE_CONFIG, "the version of the Graph API is not of the form v26.0");
        return error_hint(error, "set api-version in [meta] of the configuration");
    }
    if (parameters->now < 0)
        return error_set(error, CODE_FAULT, "the time of the call is before 1970");
    if (check_kind(family, step, parameters, error) < 0 || check_parameters(parameters, error) < 0)
        return -1;
    return check_values(values_needed(needs, values), values, error);
}

int oauth_call_make(const struct provider *provider, enum oauth_step step,
                    const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *ret_call, struct error *error)
{
    const struct oauth_family *family = oauth_family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    auto_call struct oauth_call call = {0};
    if (check_call(family, step, parameters, values, error) < 0 ||
        family->make(step, parameters, values, &call, error) < 0)
        return error_prefix(error, "request for %s", oauth_step_name(step));
    *ret_call = call;
    call = (struct oauth_call){0};
    return 0;
}
