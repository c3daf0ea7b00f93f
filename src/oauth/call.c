/*
 * call.c: a request of any family: is there such a step and such a kind, is there what the step needs.
 */
#include "p11vault/oauth/call.h"

#include "internal.h"

void oauth_call_clear(struct oauth_call *call)
{
    secret_free(call->target);
    secret_free(call->bearer);
    secret_free(call->form);
    *call = (struct oauth_call){0};
}

int oauth_call_make(const struct provider *provider, enum oauth_step step,
                    const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *ret_call, struct error *error)
{
    const struct oauth_family *family = oauth_family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    auto_call struct oauth_call call = {0};
    if (family->make(step, parameters, values, &call, error) < 0)
        return error_prefix(error, "request for %s", oauth_step_name(step));
    *ret_call = call;
    call = (struct oauth_call){0};
    return 0;
}
