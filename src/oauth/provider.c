/*
 * provider.c: the table of provider families, and what is the same for all of them.
 */
#include "p11vault/oauth/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct oauth_family families[] = {
    {
        .provider =
            {
                .name = "meta",
                .default_origin = "https://graph.facebook.com",
                .client_id_valid = meta_client_id_valid,
                .kind_exchanges = meta_kind_exchanges,
            },
        .make = meta_call_make,
        .read = meta_answer_read,
    },
};

#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

const struct provider *provider_find(const char *name)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(families[i].provider.name, name) == 0)
            return &families[i].provider;
    }
    return NULL;
}

const char *provider_names(void)
{
    return "meta";
}

/* NULL for a provider that did not come from provider_find(). */
static const struct oauth_family *family_of(const struct provider *provider)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (&families[i].provider == provider)
            return &families[i];
    }
    return NULL;
}

const char *oauth_step_name(enum oauth_step step)
{
    switch (step) {
    case STEP_INSPECT_INPUT:
        return "inspect-input";
    case STEP_EXCHANGE:
        return "exchange";
    case STEP_INSPECT_RESULT:
        return "inspect-result";
    }
    return "unknown";
}

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
    const struct oauth_family *family = family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    auto_call struct oauth_call call = {0};
    if (family->make(step, parameters, values, &call, error) < 0)
        return error_prefix(error, "request for %s", oauth_step_name(step));
    *ret_call = call;
    call = (struct oauth_call){0};
    return 0;
}

void oauth_answer_clear(struct oauth_answer *answer)
{
    secret_free(answer->grant);
    *answer = (struct oauth_answer){0};
}

int oauth_answer_read(const struct provider *provider, enum oauth_step step, int http_status,
                      const char *(*header)(void *context, const char *name), void *context,
                      const struct secret *body, struct oauth_answer *ret_answer,
                      struct error *error)
{
    const struct oauth_family *family = family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    const struct oauth_reply reply = {step, http_status, header, context, body};
    auto_answer struct oauth_answer answer = {.expires_in = FACT_UNKNOWN};
    answer.verdict.http = http_status;
    oauth_facts_init(&answer.facts);
    if (family->read(&reply, &answer, error) < 0)
        return error_prefix(error, "answer to %s", oauth_step_name(step));
    *ret_answer = answer;
    answer.grant = NULL;
    return 0;
}

void oauth_facts_init(struct oauth_facts *facts)
{
    *facts = (struct oauth_facts){
        .valid = FACT_UNKNOWN,
        .expires = FACT_UNKNOWN,
        .data_expires = FACT_UNKNOWN,
        .issued = FACT_UNKNOWN,
    };
}

void oauth_verdict_set(struct oauth_verdict *verdict, enum code action, const char *hint,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(verdict->message, sizeof(verdict->message), format, arguments) < 0)
        verdict->message[0] = '\0';
    va_end(arguments);
    snprintf(verdict->hint, sizeof(verdict->hint), "%s", hint);
    verdict->action = action;
}
