/*
 * One step: open, build, send, wipe, wait with nothing in memory, read, judge, seal, wipe.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"
#include "p11vault/http/request.h"
#include "p11vault/http/response.h"
#include "p11vault/oauth/call.h"
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
                                             .by_get = message_number(order, 4) != 0},
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
    const struct oauth_values values = {.app_secret = app_secret, .grant = grant};
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

static int receive_answer(struct exchangeroom *room, struct http_response *response,
                          struct deadline deadline, int64_t *ret_begin, struct error *error)
{
    *ret_begin = 0;
    while (!http_response_complete(response)) {
        size_t size;
        if (connection_receive(room->connection, http_response_inbox(response), &size, deadline,
                               error) < 0)
            return -1;
        if (*ret_begin == 0)
            *ret_begin = clock_monotonic_us();
        if (size == 0)
            return http_response_end(response, error);
        if (http_response_read(response, error) < 0)
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

/* What was issued is sealed and told before the outcome, so that the front has kept it by then. */
static int take_answer(struct exchangeroom *room, const struct step *step,
                       struct http_response *taken, int64_t sent_us, int64_t begin,
                       struct error *error)
{
    auto_of(http_response_free) struct http_response *response = taken;
    auto_answer struct oauth_answer answer = {0};
    const struct oauth_reply reply = {.step = step->step,
                                      .status = http_response_status(response),
                                      .header = look_up,
                                      .context = response,
                                      .body = http_response_body(response),
                                      .api_version = step->parameters.api_version};
    if (oauth_answer_read(step->provider, &reply, &answer, error) < 0)
        return -1;
    bool lives = http_response_keeps_connection(response);
    if (answer.verdict.action == CODE_DONE && answer.grant) {
        int64_t expires = answer.expires_in == FACT_UNKNOWN
                              ? EXPIRES_UNKNOWN
                              : step->parameters.now + answer.expires_in;
        if (exchangeroom_issue(room, step->slot, step->grant, answer.grant, expires, error) < 0)
            return -1;
    }
    secret_free(TAKE(answer.grant));
    http_response_free(TAKE(response));
    scrub_stack_and_registers();
    return tell_outcome(room, step, &answer, sent_us, clock_monotonic_us() - begin, lives, error);
}

int exchangeroom_step(struct exchangeroom *room, const struct message *order, struct error *error)
{
    struct step step;
    int64_t sent_us, begin;
    auto_of(http_response_free) struct http_response *response = NULL;
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
    if (http_response_new(HTTP_BODY_MAX, &response, error) < 0 ||
        send_request(room, &step, deadline, &sent_us, error) < 0 ||
        receive_answer(room, response, deadline, &begin, error) < 0)
        return error_prefix(error, "%s", oauth_step_name(step.step));
    log_info("%s: HTTP %d", oauth_step_name(step.step), http_response_status(response));
    return take_answer(room, &step, TAKE(response), sent_us, begin, error);
}
