/*
 * internal.h: what the files of the oauth module share: a provider family with its two working functions, the
 * verdict writer, and the functions of the family "meta".
 */
#ifndef P11VAULT_OAUTH_INTERNAL_H
#define P11VAULT_OAUTH_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/oauth/provider.h"

#define OAUTH_TOKEN_MAX ((size_t)16 * 1024) /* bytes of a grant or an app secret */

/* An answer as it came, and how to look up its headers. */
struct oauth_reply {
    enum oauth_step step;
    int status;
    const char *(*header)(void *context, const char *name);
    void *context;
    const struct secret *body;
};

/*
 * A family.  `make` fills an empty call, `read` an empty answer whose verdict is CODE_DONE; what they leave half-made
 * on failure is freed by the caller.
 */
struct oauth_family {
    struct provider provider;
    int (*make)(enum oauth_step step, const struct oauth_parameters *parameters,
                const struct oauth_values *values, struct oauth_call *call, struct error *error);
    int (*read)(const struct oauth_reply *reply, struct oauth_answer *answer, struct error *error);
};

/* Facts of which nothing is known. */
void oauth_facts_init(struct oauth_facts *facts);

/* Sets action, message and hint, and leaves what was noted of the answer (status, codes, trace). */
void oauth_verdict_set(struct oauth_verdict *verdict, enum code action, const char *hint,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

bool meta_client_id_valid(const char *client_id);
bool meta_kind_exchanges(const char *kind);
int meta_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                   const struct oauth_values *values, struct oauth_call *call, struct error *error);
int meta_answer_read(const struct oauth_reply *reply, struct oauth_answer *answer,
                     struct error *error);

/* The error that stands in debug_token's data: it is about the grant, not about the call. */
void meta_error_judge_grant(enum oauth_step step, int http_status, const json_t *error_object,
                            struct oauth_verdict *ret_verdict);

/*
 * Notes a trace id that is one: short, letters, digits, "-" and "_".  A longer one is left out whole, since a server
 * that repeats an app secret (32 characters) as its trace id must not get it into the log.
 */
void meta_error_note_trace(struct oauth_verdict *verdict, const char *trace);

#endif
