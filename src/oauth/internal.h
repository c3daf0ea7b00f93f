/*
 * internal.h: what the files of the oauth module share: a provider family with its tables and working functions, the
 * verdict writer, and the functions that the families are made of.
 */
#ifndef P11VAULT_OAUTH_INTERNAL_H
#define P11VAULT_OAUTH_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/oauth/answer.h"
#include "p11vault/oauth/call.h"

#define OAUTH_KINDS_MAX 6

struct oauth_kind {
    const char *name;
    enum oauth_step lengthen, renew; /* STEP_COUNT: none */
};

/*
 * A family.  `make` fills an empty call, `inspect` reads what an inspection answers into an empty answer whose verdict
 * is CODE_DONE; what `make` leaves half-made on failure is freed by the caller.
 */
struct oauth_family {
    struct provider provider;
    struct oauth_kind kinds[OAUTH_KINDS_MAX];
    unsigned needs[STEP_COUNT];
    int (*make)(enum oauth_step step, const struct oauth_parameters *parameters,
                const struct oauth_values *values, struct oauth_call *call, struct error *error);
    void (*inspect)(const struct oauth_reply *reply, const json_t *root,
                    struct oauth_answer *answer);
};

/* NULL for a provider that did not come from provider_find(). */
const struct oauth_family *oauth_family_of(const struct provider *provider);

/* Sets action, message and hint, and leaves what was noted of the answer (status, codes, trace). */
void oauth_verdict_set(struct oauth_verdict *verdict, enum code action, const char *hint,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- requests ---- */

bool oauth_client_id_valid(const char *client_id);

int meta_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                   const struct oauth_values *values, struct oauth_call *call, struct error *error);
/* STEP_CALL of all families (graph_call.c), STEP_BATCH (graph_batch.c). */
int graph_call_make(const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *call, struct error *error);
int graph_batch_make(const struct oauth_parameters *parameters, const struct oauth_values *values,
                     struct oauth_call *call, struct error *error);
int instagram_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                        const struct oauth_values *values, struct oauth_call *call,
                        struct error *error);
int threads_call_make(enum oauth_step step, const struct oauth_parameters *parameters,
                      const struct oauth_values *values, struct oauth_call *call,
                      struct error *error);

/* ---- answers ---- */

/* debug_token's data, and the profile that /me answers (Instagram, Threads). */
void meta_inspection_read(const struct oauth_reply *reply, const json_t *root,
                          struct oauth_answer *answer);
void profile_inspection_read(const struct oauth_reply *reply, const json_t *root,
                             struct oauth_answer *answer);

/* The error that stands in debug_token's data: it is about the grant, not about the call. */
void meta_error_judge_grant(enum oauth_step step, int http_status, const json_t *error_object,
                            struct oauth_verdict *ret_verdict);

/*
 * Notes a trace id that is one: short, letters, digits, "-" and "_".  A longer one is left out whole, since a server
 * that repeats an app secret (32 characters) as its trace id must not get it into the log.
 */
void meta_error_note_trace(struct oauth_verdict *verdict, const char *trace);

#endif
