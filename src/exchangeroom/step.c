/*
 * One step: open, build, send, wipe, wait with nothing in memory, read, judge, seal, wipe.
 */
#include <stdio.h>
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"
#include "p11vault/http/request.h"
#include "p11vault/http/response.h"
#include "p11vault/oauth/facts.h"

/* What a step order says. */
struct step {
    const struct provider *provider;
    enum oauth_step step;
    struct oauth_parameters parameters;
    uint64_t secret, grant, slot; /* numbers of records */
};

/* step: provider, step, client id, API version, inspect with GET, n of secret, n of grant, n of slot */
static int read_order(const struct message *order, struct step *ret_step, struct error *error)
{
    uint64_t step = message_number(order, 1);
    *ret_step = (struct step){.provider = provider_find(message_text(order, 0)),
                              .step = (enum oauth_step)step,
                              .parameters = {.client_id = message_text(order, 2),
                                             .api_version = message_text(order, 3),
                                             .now = clock_now(),
                                             .inspect_with_get = message_number(order, 4) != 0},
                              .secret = message_number(order, 5),
                              .grant = message_number(order, 6),
                              .slot = message_number(order, 7)};
    if (!ret_step->provider || step > STEP_INSPECT_RESULT)
        return error_set(error, CODE_FAULT, "a step that is none");
    return 0;
}

/*
 * The whole request in locked memory; keys and opened values are gone when this returns.  Both keys are asked for before
 * either record is opened: nothing stands in clear while the other rooms work.
 */
static int build(struct exchangeroom *room, const struct step *step, struct secret **ret_request,
                 int64_t *ret_begin, struct error *error)
{
    auto_of(secret_free) struct secret *secret_key = NULL;
    auto_of(secret_free) struct secret *grant_key = NULL;
    auto_of(secret_free) struct secret *app_secret = NULL;
    auto_of(secret_free) struct secret *grant = NULL;
    auto_call struct oauth_call call = {0};
    if (exchangeroom_want_record(room, step->secret, &secret_key, error) < 0 ||
        exchangeroom_want_record(room, step->grant, &grant_key, error) < 0)
        return -1;
    *ret_begin = clock_monotonic_us();
    if (exchangeroom_open_record(room, step->secret, secret_key, &app_secret, error) < 0 ||
        exchangeroom_open_record(room, step->grant, grant_key, &grant, error) < 0)
        return -1;
    const struct oauth_values values = {app_secret, grant};
    if (oauth_call_make(step->provider, step->step, &step->parameters, &values, &call, error) < 0)
        return -1;
    const struct http_request request = {call.method, call.target, call.bearer, call.form};
    return http_request_write(&room->origin, &request, ret_request, error);
}

/* Opens, builds, sends and wipes; *ret_us is how long anything stood in clear. */
static int send_request(struct exchangeroom *room, const struct step *step,
                        struct deadline deadline, int64_t *ret_us, struct error *error)
{
    auto_of(secret_free) struct secret *request = NULL;
    int64_t begin;
    if (build(room, step, &request, &begin, error) < 0)
        return -1;
    int result = connection_send(room->connection, secret_data(request), secret_size(request),
                                 deadline, error);
    secret_free(TAKE(request));
    scrub_stack_and_registers();
    *ret_us = clock_monotonic_us() - begin;
    return result;
}

/* What a step receives, and since when. */
struct received {
    struct http_response *response;
    struct slot_key key;
    int64_t begin; /* 0: nothing has come */
};

static void received_clear(struct received *received)
{
    http_response_free(TAKE(received->response));
    secret_free(TAKE(received->key.secret));
}

/*
 * Receives, beginning when something has come: the key that seals what is issued is asked for then, before anything is
 * decrypted, so that neither it nor an answer waits for the other.  Keys go when what came was no part of an answer.
 */
static int receive_answer(struct exchangeroom *room, const struct step *step,
                          struct deadline deadline, struct received *received, struct error *error)
{
    struct http_response *response = received->response;
    while (!http_response_complete(response)) {
        size_t size;
        bool ended;
        if (connection_wait(room->connection, deadline, error) < 0)
            return -1;
        if (step->step == STEP_EXCHANGE && !received->key.secret &&
            exchangeroom_want_slot(room, step->slot, &received->key, error) < 0)
            return -1;
        int64_t now = clock_monotonic_us();
        if (connection_receive(room->connection, http_response_inbox(response), &size, &ended,
                               error) < 0)
            return -1;
        if (ended)
            return http_response_end(response, error);
        if (received->begin == 0 && size > 0)
            received->begin = now;
        if (received->begin == 0)
            secret_free(TAKE(received->key.secret));
        else if (http_response_read(response, error) < 0)
            return -1;
        /* What has come stands in locked memory, and nowhere else while the rest is awaited. */
        scrub_stack_and_registers();
    }
    return 0;
}

static const char *look_up(void *context, const char *name)
{
    return http_response_header(context, name);
}

static int tell_outcome(struct exchangeroom *room, const struct step *step,
                        const struct oauth_answer *answer, int64_t sent_us, int64_t answer_us,
                        bool lives, struct error *error)
{
    const struct oauth_verdict *verdict = &answer->verdict;
    auto_json json_t *facts = oauth_facts_to_json(&answer->facts);
    auto_free char *text = NULL;
    if (!facts)
        return error_memory(error);
    if (json_canonical(facts, &text, error) < 0)
        return -1;
    return channel_send(room->inside.front, MESSAGE_OUTCOME, error, NUMBER(step->step),
                        NUMBER(verdict->action), NUMBER(verdict->http),
                        NUMBER(verdict->provider_code), NUMBER(verdict->subcode),
                        TEXT(verdict->trace), TEXT(verdict->message), TEXT(verdict->hint),
                        TEXT(text), NUMBER(sent_us), NUMBER(answer_us), NUMBER(lives));
}

/* Reads the answer, seals what was issued and wipes both.  *ret_sealed is left empty when nothing was issued. */
static int use_answer(struct exchangeroom *room, const struct step *step, struct received *received,
                      struct oauth_answer *answer, struct sealed *ret_sealed, struct error *error)
{
    struct http_response *response = received->response;
    if (oauth_answer_read(step->provider, step->step, http_response_status(response), look_up,
                          response, http_response_body(response), answer, error) < 0)
        return -1;
    if (answer->verdict.action != CODE_DONE || !answer->grant)
        return 0;
    int64_t expires = answer->expires_in == FACT_UNKNOWN
                          ? EXPIRES_UNKNOWN
                          : step->parameters.now + answer->expires_in;
    return exchangeroom_seal_slot(room, step->slot, step->grant, &received->key, answer->grant,
                                  expires, ret_sealed, error);
}

/* What was issued is told before the outcome, so that the front has kept it by then; and after all is wiped. */
static int take_answer(struct exchangeroom *room, const struct step *step,
                       struct received *received, int64_t sent_us, struct error *error)
{
    auto_answer struct oauth_answer answer = {0};
    struct sealed sealed = {0};
    bool lives = http_response_keeps_connection(received->response);
    if (use_answer(room, step, received, &answer, &sealed, error) < 0)
        return -1;
    secret_free(TAKE(answer.grant));
    received_clear(received);
    scrub_stack_and_registers();
    int64_t answer_us = clock_monotonic_us() - received->begin;
    auto_free char *jwe = sealed.jwe;
    auto_free char *facts = sealed.facts;
    if (jwe && channel_send(room->inside.front, MESSAGE_ISSUED, error, NUMBER(step->slot),
                            TEXT(jwe), TEXT(facts)) < 0)
        return -1;
    return tell_outcome(room, step, &answer, sent_us, answer_us, lives, error);
}

/* The provider could not be asked, or gave no answer: an outcome, too, since secrets stood in clear for it. */
static int tell_broken(struct exchangeroom *room, const struct step *step,
                       struct received *received, int64_t sent_us, struct error *error)
{
    struct oauth_answer answer = {
        .verdict.action = error->code,
        .facts = {.valid = FACT_UNKNOWN,
                  .expires = FACT_UNKNOWN,
                  .data_expires = FACT_UNKNOWN,
                  .issued = FACT_UNKNOWN},
    };
    received_clear(received);
    scrub_stack_and_registers();
    if (sent_us == 0 || (error->code != CODE_RETRY && error->code != CODE_STOP))
        return error_prefix(error, "%s", oauth_step_name(step->step));
    int64_t answer_us = received->begin == 0 ? 0 : clock_monotonic_us() - received->begin;
    (void)snprintf(answer.verdict.message, sizeof(answer.verdict.message), "%.255s", error->text);
    (void)snprintf(answer.verdict.hint, sizeof(answer.verdict.hint), "%.255s", error->hint);
    return tell_outcome(room, step, &answer, sent_us, answer_us, false, error);
}

int exchangeroom_step(struct exchangeroom *room, const struct message *order, struct error *error)
{
    struct step step;
    int64_t sent_us = 0;
    __attribute__((cleanup(received_clear))) struct received received = {0};
    if (read_order(order, &step, error) < 0)
        return -1;
    /* What is issued and has no place to be sealed into would be lost. */
    if (step.step == STEP_EXCHANGE && exchangeroom_check_slot(room, step.slot, error) < 0)
        return -1;
    auto_free char *client_id = strdup(step.parameters.client_id);
    auto_free char *version = strdup(step.parameters.api_version);
    if (!client_id || !version)
        return error_memory(error);
    step.parameters.client_id = client_id;
    step.parameters.api_version = version;
    struct deadline deadline = deadline_in(room->step_ms);
    if (http_response_new(HTTP_BODY_MAX, &received.response, error) < 0)
        return -1;
    if (send_request(room, &step, deadline, &sent_us, error) < 0 ||
        receive_answer(room, &step, deadline, &received, error) < 0)
        return tell_broken(room, &step, &received, sent_us, error);
    log_info("%s: HTTP %d", oauth_step_name(step.step), http_response_status(received.response));
    return take_answer(room, &step, &received, sent_us, error);
}
