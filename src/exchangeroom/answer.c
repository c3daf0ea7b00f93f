/*
 * The answer of a step: received into locked memory, judged, what was issued sealed and told, wiped.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/facts.h"

/* The front writes what was issued before it names the next slot. */
#define OFFER_MS 30000

int exchangeroom_receive(struct exchangeroom *room, struct step *step,
                         struct http_response *response, struct deadline deadline,
                         struct error *error)
{
    step->began = 0;
    while (!http_response_complete(response)) {
        size_t size;
        if (connection_receive(room->connection, http_response_inbox(response), &size, deadline,
                               error) < 0)
            return -1;
        if (step->began == 0)
            step->began = clock_monotonic_us();
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
                        const struct oauth_answer *answer, bool lives, struct error *error)
{
    const struct oauth_verdict *verdict = &answer->verdict;
    auto_json json_t *told = oauth_answer_to_json(answer);
    auto_free char *text = NULL;
    if (!told)
        return error_memory(error);
    if (json_canonical(told, &text, error) < 0)
        return -1;
    return channel_send(room->inside.front, MESSAGE_OUTCOME, error, NUMBER(step->step),
                        NUMBER(verdict->action), NUMBER(verdict->http),
                        NUMBER(verdict->provider_code), NUMBER(verdict->subcode),
                        TEXT(verdict->trace), TEXT(verdict->message), TEXT(verdict->hint),
                        TEXT(text), NUMBER(step->request_us),
                        NUMBER(clock_monotonic_us() - step->began), NUMBER(lives));
}

/* What a new grant is bound to: it may go where that may go which brought it about. */
static uint64_t source_of(const struct step *step)
{
    return step->grant != MESSAGE_NO_RECORD ? step->grant : step->secret;
}

static int issue(struct exchangeroom *room, const struct step *step,
                 const struct oauth_answer *answer, struct error *error)
{
    const struct issue issue = {.slot = step->slot,
                                .from = source_of(step),
                                .value = answer->grant,
                                .expires = answer->expires_in == FACT_UNKNOWN
                                               ? EXPIRES_UNKNOWN
                                               : step->parameters.now + answer->expires_in,
                                .machine_id = answer->machine_id};
    return exchangeroom_issue(room, &issue, error);
}

/* One grant of a list is offered, and sealed where the front wants it. */
static int offer(struct exchangeroom *room, const struct step *step, const struct oauth_page *page,
                 struct error *error)
{
    auto_json json_t *offered =
        json_pack("{s:s, s:s, s:s}", "id", page->id, "label", page->label, "tasks", page->tasks);
    auto_free char *text = NULL;
    struct message message;
    if (!offered)
        return error_memory(error);
    if (json_canonical(offered, &text, error) < 0 ||
        channel_send(room->inside.front, MESSAGE_OFFER, error, TEXT(text)) < 0 ||
        channel_receive(room->inside.front, deadline_in(OFFER_MS), &message, error) < 0)
        return -1;
    if (message.type == MESSAGE_PASS)
        return 0;
    if (message.type != MESSAGE_TAKE)
        return error_set(error, CODE_FAULT, "a slot or none was to be named");
    const struct issue issue = {.slot = message_number(&message, 0),
                                .from = source_of(step),
                                .value = page->grant,
                                .expires = EXPIRES_UNKNOWN,
                                .machine_id = ""};
    if (exchangeroom_slot(room, &message, error) < 0)
        return -1;
    return exchangeroom_issue(room, &issue, error);
}

static int take_values(struct exchangeroom *room, const struct step *step,
                       struct oauth_answer *answer, struct error *error)
{
    if (answer->grant && issue(room, step, answer, error) < 0)
        return -1;
    secret_free(TAKE(answer->grant));
    for (size_t i = 0; i < answer->page_count; i++) {
        struct oauth_page *page = &answer->pages[i];
        if (page->grant && offer(room, step, page, error) < 0)
            return -1;
        secret_free(TAKE(page->grant));
    }
    if (answer->code) {
        secret_free(room->code);
        room->code = TAKE(answer->code);
    }
    return 0;
}

/* What was issued is sealed and told before the outcome, so that the front has kept it by then. */
int exchangeroom_take_answer(struct exchangeroom *room, const struct step *step,
                             struct http_response *taken, struct error *error)
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
    http_response_free(TAKE(response));
    scrub_stack_and_registers();
    if (answer.verdict.action == CODE_DONE && take_values(room, step, &answer, error) < 0)
        return -1;
    scrub_stack_and_registers();
    return tell_outcome(room, step, &answer, lives, error);
}
