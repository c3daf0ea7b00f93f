/*
 * provider.h: providers as pure tables and functions, without I/O: from (step, parameters, opened values) to one HTTPS
 * request, and from an answer to a grant, to facts, or to a verdict with one operator action.
 *
 * Sources: Meta's documents on access tokens, debug_token, login security (appsecret_proof) and error handling; what
 * they leave open is a setting, never an automatic fallback.
 */
#ifndef P11VAULT_OAUTH_PROVIDER_H
#define P11VAULT_OAUTH_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

enum oauth_step {
    STEP_INSPECT_INPUT,  /* what the provider says of the grant we hold */
    STEP_EXCHANGE,       /* short-lived (or older) grant in, long-lived grant out */
    STEP_INSPECT_RESULT, /* what it says of the grant it issued */
};

const char *
oauth_step_name(enum oauth_step step); /* "inspect-input", "exchange", "inspect-result" */

/* A provider family: its name in `app add --provider`, where its token calls go. */
struct provider {
    const char *name;           /* "meta" */
    const char *default_origin; /* "https://graph.facebook.com" */
    bool (*client_id_valid)(const char *client_id);
    bool (*kind_exchanges)(
        const char *kind); /* can `exchange` do anything for this kind of grant */
};

/* NULL when there is none of that name. */
const struct provider *provider_find(const char *name);
/* "meta": what there is, for messages. */
const char *provider_names(void);

struct oauth_parameters {
    const char *client_id;
    const char *api_version; /* "v26.0" */
    int64_t now;             /* seconds, for appsecret_time */
    bool inspect_with_get;   /* debug_token by GET as documented, instead of POST with method=get */
};

/* Opened values: valid during the call only. */
struct oauth_values {
    const struct secret *app_secret;
    const struct secret *grant; /* the grant that the step is about */
};

/* One request; the parts are what http/request.h takes. */
struct oauth_call {
    const char *method;
    struct secret *target;
    struct secret *bearer; /* NULL: none */
    struct secret *form;   /* NULL: none */
};

void oauth_call_clear(struct oauth_call *call);
#define auto_call __attribute__((cleanup(oauth_call_clear)))

/*
 * Builds the request of a step.  No secret stands in the target, except with inspect_with_get.
 * appsecret_proof in its timed form goes with every call that carries an access token.
 */
int oauth_call_make(const struct provider *provider, enum oauth_step step,
                    const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *ret_call, struct error *error);

/* What a provider says of a grant.  Texts "" and numbers FACT_UNKNOWN when it did not say. */
#define FACT_UNKNOWN (-1)
#define FACT_SCOPES_MAX 64
#define FACT_TEXT_MAX 128

struct oauth_facts {
    char app_id[FACT_TEXT_MAX];
    char type[FACT_TEXT_MAX];    /* "USER", "PAGE", … as the provider writes it */
    char subject[FACT_TEXT_MAX]; /* the user id; digits as text, ids pass 2^53 */
    int valid;                   /* 1, 0, FACT_UNKNOWN */
    int64_t expires;             /* seconds; 0: never */
    int64_t data_expires;        /* 0: none */
    int64_t issued;
    char scopes[FACT_SCOPES_MAX][FACT_TEXT_MAX];
    size_t scope_count;
};

/* One outcome, one action.  `message` is our own text; nothing the provider wrote is in it. */
struct oauth_verdict {
    enum code action; /* CODE_DONE: the step did what it should */
    int http;
    int64_t provider_code, subcode; /* 0: none */
    char trace
        [FACT_TEXT_MAX]; /* fbtrace_id: letters, digits, "-", "_"; under 32, as an app secret has 32 */
    char message[256];
    char hint[256];
};

struct oauth_answer {
    struct oauth_verdict verdict;
    struct oauth_facts facts; /* inspect steps */
    struct secret *grant;     /* exchange step: the issued grant */
    int64_t expires_in; /* exchange step: seconds, FACT_UNKNOWN when the provider did not say */
};

void oauth_answer_clear(struct oauth_answer *answer);
#define auto_answer __attribute__((cleanup(oauth_answer_clear)))

/*
 * Judges an answer.  `header` looks up a response header (NULL when absent).  Fails only for want of memory: an answer
 * that is no JSON, empty, a redirect or an error is a verdict.
 */
int oauth_answer_read(const struct provider *provider, enum oauth_step step, int http_status,
                      const char *(*header)(void *context, const char *name), void *context,
                      const struct secret *body, struct oauth_answer *ret_answer,
                      struct error *error);

/*
 * Compares facts with what they must be.  Input: valid, of this app, of a kind that can be exchanged.  Result: the same
 * app and subject as the input, valid, and an expiry that is later (0 counts as latest).  The verdict is CODE_DONE,
 * CODE_WAIT (result not later: "not-extended"), CODE_LOGIN (input dead or expired) or CODE_STOP (another app or user).
 */
void oauth_judge_input(const struct oauth_facts *input, const char *client_id, int64_t now,
                       struct oauth_verdict *ret_verdict);
void oauth_judge_result(const struct oauth_facts *input, const struct oauth_facts *result,
                        const char *client_id, struct oauth_verdict *ret_verdict);

#endif
