/*
 * The answer of a call of the caller's own choice: it passes through the sieve to the front while it comes in, in bounded
 * memory.  The values that must not come out are known to the sieve by their hashes alone, so that none stands in memory
 * while the answer is awaited.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/oauth/graph.h"
#include "p11vault/oauth/proof.h"

_Static_assert(SIEVE_NEXT_MAX == OAUTH_NEXT_MAX, "what the sieve finds is told whole");

/* What is kept to be judged: errors are small, and what is larger is an answer that is passed on. */
#define KEPT_MAX ((size_t)48 * 1024)
#define PROOF_SIZE 64

/* While some of the answer is looked at. */
struct passing {
    struct exchangeroom *room;
    struct step *step;
    bool is_fine;
};

void passage_clear(struct passage *passage)
{
    sieve_free(passage->sieve);
    secret_free(passage->kept);
    *passage = (struct passage){0};
}

static int add_proof(struct sieve *sieve, const struct step *step, const struct secret *app_secret,
                     const struct secret *grant, struct error *error)
{
    auto_of(secret_free) struct secret *proof = NULL;
    if (secret_new(PROOF_SIZE, &proof, error) < 0 ||
        proof_append(app_secret, grant, step->parameters.now, proof, error) < 0)
        return -1;
    return sieve_add(sieve, proof, error);
}

bool passage_is_of(enum oauth_step step)
{
    return step == STEP_CALL || step == STEP_BATCH;
}

int passage_check(struct step *step, struct error *error)
{
    const struct oauth_parameters *parameters = &step->parameters;
    const char *path = parameters->path ? parameters->path : "";
    const char *fields = parameters->fields ? parameters->fields : "";
    if (step->step == STEP_CALL)
        return oauth_graph_check(parameters->method, path, fields, error);
    if (step->step == STEP_BATCH)
        return oauth_batch_read(fields, strlen(fields), &step->passage.batch.asked, NULL, error);
    return 0;
}

static int take_item(void *context, int status, const struct secret *body, struct error *error)
{
    const struct passing *passing = context;
    return batch_take_item(passing->step, status, body, error);
}

int passage_begin(struct step *step, const struct secret *app_secret, const struct secret *grant,
                  struct error *error)
{
    struct passage *passage = &step->passage;
    size_t size = secret_size(grant) + (app_secret ? secret_size(app_secret) + PROOF_SIZE : 0);
    if (sieve_new(size, &passage->sieve, error) < 0 ||
        secret_new(KEPT_MAX, &passage->kept, error) < 0 ||
        sieve_add(passage->sieve, grant, error) < 0 ||
        (step->step == STEP_BATCH && sieve_expect_batch(passage->sieve, take_item, error) < 0))
        return -1;
    if (!app_secret)
        return 0;
    if (sieve_add(passage->sieve, app_secret, error) < 0)
        return -1;
    return add_proof(passage->sieve, step, app_secret, grant, error);
}

/* ---- to the front ---- */

static int tell_kept(struct exchangeroom *room, struct passage *passage, bool is_answer,
                     struct error *error)
{
    int result = 0;
    if (secret_size(passage->kept) > 0)
        result = channel_send(room->inside.front, content, error, .is_answer = is_answer,
                              .content = {secret_data(passage->kept), secret_size(passage->kept)});
    secret_clear(passage->kept);
    return result;
}

/* What does not fit any more is an answer and goes on to the front; of an error the rest is left out. */
static int keep(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    const struct passing *passing = context;
    struct passage *passage = &passing->step->passage;
    while (size > 0) {
        size_t room;
        (void)secret_room(passage->kept, &room);
        if (room == 0 && !passing->is_fine)
            return 0;
        if (room == 0) {
            passage->is_passed_on = true;
            if (tell_kept(passing->room, passage, true, error) < 0)
                return -1;
            continue;
        }
        size_t now = size < room ? size : room;
        if (secret_append(passage->kept, bytes, now, error) < 0)
            return -1;
        bytes += now;
        size -= now;
    }
    return 0;
}

static struct passing passing_of(struct exchangeroom *room, struct step *step)
{
    return (struct passing){room, step, http_response_head_status(step->response) == 200};
}

int passage_take(struct exchangeroom *room, struct step *step, struct error *error)
{
    struct passage *passage = &step->passage;
    struct passing passing = passing_of(room, step);
    const struct secret *fields = http_response_fields(step->response);
    const struct secret *window = http_response_window(step->response);
    if (http_response_head_status(step->response) == 0)
        return 0;
    if (!passage->has_looked &&
        sieve_look(passage->sieve, secret_data(fields), secret_size(fields), error) < 0)
        return -1;
    passage->has_looked = true;
    if (window && sieve_feed(passage->sieve, secret_data(window), secret_size(window), keep,
                             &passing, error) < 0)
        return -1;
    http_response_let_go(step->response);
    return 0;
}

int passage_end(struct exchangeroom *room, struct step *step, struct error *error)
{
    struct passing passing = passing_of(room, step);
    return sieve_end(step->passage.sieve, keep, &passing, error);
}

int passage_judge(const struct step *step, struct oauth_reply *reply,
                  struct oauth_answer *ret_answer, struct error *error)
{
    const struct passage *passage = &step->passage;
    const struct sieve_found *found = sieve_found(passage->sieve);
    reply->body = passage->kept;
    if (passage->is_passed_on) {
        *ret_answer =
            (struct oauth_answer){.expires_in = FACT_UNKNOWN, .verdict.http = reply->status};
        oauth_facts_init(&ret_answer->facts);
        oauth_usage_read(reply->header, reply->context, &ret_answer->usage);
    } else if (oauth_answer_read(step->provider, reply, ret_answer, error) < 0) {
        return -1;
    }
    ret_answer->scrubbed = (int64_t)(found->known + found->alike);
    if (step->step == STEP_BATCH) {
        if (ret_answer->verdict.action == CODE_DONE)
            batch_judge(&passage->batch, &ret_answer->verdict);
        return 0;
    }
    ret_answer->has_next = ret_answer->verdict.action == CODE_DONE && found->has_next;
    if (ret_answer->has_next &&
        oauth_graph_leads_on(step->parameters.path, found->next.path, found->next.parameters))
        memcpy(ret_answer->next, found->next.parameters, sizeof(found->next.parameters));
    return 0;
}

/* Of a batch, what failed is told beside what did not. */
int passage_tell(struct exchangeroom *room, struct step *step, enum code action,
                 struct error *error)
{
    bool is_answer = action == CODE_DONE || step->passage.batch.come > 0;
    return tell_kept(room, &step->passage, is_answer, error);
}
