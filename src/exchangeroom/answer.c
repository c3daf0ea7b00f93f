/*
 * The answer of a step: received into locked memory, judged, what was issued sealed, all of it wiped, and then told.
 */
#include <stdio.h>
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/facts.h"

/* The front writes what was issued before it names the next slot. */
#define OFFER_MS 30000

static void wipe(struct step *step)
{
    http_response_free(TAKE(step->response));
    secret_free(TAKE(step->key.secret));
    passage_clear(&step->passage);
    scrub_stack_and_registers();
}

/* What one look brings: some of the answer, its end, or nothing yet. */
static int receive_some(struct exchangeroom *room, struct step *step, struct error *error)
{
    size_t size;
    bool ended;
    int64_t now = clock_monotonic_us();
    if (connection_receive(room->connection, http_response_inbox(step->response), &size, &ended,
                           error) < 0)
        return -1;
    if (ended)
        return http_response_end(step->response, error);
    if (step->began == 0 && size > 0)
        step->began = now;
    if (step->began == 0)
        secret_free(TAKE(step->key.secret));
    else if (http_response_read(step->response, error) < 0 ||
             (step->passage.sieve && passage_take(room, step, error) < 0))
        return -1;
    /* What has come stands in locked memory, and nowhere else while the rest is awaited. */
    scrub_stack_and_registers();
    return 0;
}

/*
 * Begins when something has come: the key that seals what is issued is asked for then, before anything is decrypted, so that
 * neither it nor an answer waits for the other.  It goes when what came was no part of an answer.
 */
int exchangeroom_receive(struct exchangeroom *room, struct step *step, struct deadline deadline,
                         struct error *error)
{
    bool issues = (step->needs & ISSUES_GRANT) != 0;
    while (!http_response_complete(step->response)) {
        if (connection_wait(room->connection, deadline, error) < 0)
            return -1;
        if (issues && !step->key.secret &&
            exchangeroom_want_slot(room, step->slot, &step->key, error) < 0)
            return -1;
        if (receive_some(room, step, error) < 0)
            return -1;
    }
    return 0;
}

static const char *look_up(void *context, const char *name)
{
    return http_response_header(context, name);
}

static int tell_outcome(struct exchangeroom *room, const struct step *step,
                        const struct oauth_answer *answer, int64_t answer_us, bool lives,
                        struct error *error)
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
                        TEXT(text), NUMBER(step->request_us), NUMBER(answer_us), NUMBER(lives));
}

/* What a new grant is bound to: it may go where that may go which brought it about. */
static uint64_t source_of(const struct step *step)
{
    return step->grant != MESSAGE_NO_RECORD ? step->grant : step->secret;
}

/* Seals what was issued; *ret_sealed stays empty when nothing was. */
static int seal_grant(struct exchangeroom *room, const struct step *step,
                      const struct oauth_answer *answer, struct sealed *ret_sealed,
                      struct error *error)
{
    if (answer->verdict.action != CODE_DONE || !answer->grant)
        return 0;
    const struct issue issue = {.slot = step->slot,
                                .from = source_of(step),
                                .key = &step->key,
                                .value = answer->grant,
                                .expires = answer->expires_in == FACT_UNKNOWN
                                               ? EXPIRES_UNKNOWN
                                               : step->parameters.now + answer->expires_in,
                                .machine_id = answer->machine_id};
    return exchangeroom_seal_slot(room, &issue, ret_sealed, error);
}

/* ---- grants of a list ---- */

/* The slot that the front names is ordered; *ret_taken false: it does not want the grant. */
static int offer(struct exchangeroom *room, const struct oauth_page *page, uint64_t *ret_slot,
                 bool *ret_taken, struct error *error)
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
    *ret_taken = message.type == MESSAGE_TAKE;
    if (message.type == MESSAGE_PASS)
        return 0;
    if (message.type != MESSAGE_TAKE)
        return error_set(error, CODE_FAULT, "a slot or none was to be named");
    *ret_slot = message_number(&message, 0);
    return exchangeroom_slot(room, &message, error);
}

static int take_page(struct exchangeroom *room, const struct step *step, struct oauth_page *page,
                     struct error *error)
{
    struct slot_key key = {0};
    auto_sealed struct sealed sealed = {0};
    uint64_t slot = 0;
    bool taken;
    if (offer(room, page, &slot, &taken, error) < 0)
        return -1;
    if (!taken)
        return 0;
    if (exchangeroom_want_slot(room, slot, &key, error) < 0)
        return -1;
    const struct issue issue = {.slot = slot,
                                .from = source_of(step),
                                .key = &key,
                                .value = page->grant,
                                .expires = EXPIRES_UNKNOWN,
                                .machine_id = ""};
    int result = exchangeroom_seal_slot(room, &issue, &sealed, error);
    secret_free(key.secret);
    return result < 0 ? -1 : exchangeroom_tell_issued(room, &sealed, error);
}

static int take_pages(struct exchangeroom *room, const struct step *step,
                      struct oauth_answer *answer, struct error *error)
{
    for (size_t i = 0; answer->verdict.action == CODE_DONE && i < answer->page_count; i++) {
        struct oauth_page *page = &answer->pages[i];
        if (page->grant && take_page(room, step, page, error) < 0)
            return -1;
        secret_free(TAKE(page->grant));
    }
    return 0;
}

/* ---- the whole ---- */

static int read_answer(const struct step *step, struct oauth_answer *ret_answer,
                       struct error *error)
{
    struct oauth_reply reply = {.step = step->step,
                                .status = http_response_status(step->response),
                                .header = look_up,
                                .context = step->response,
                                .body = http_response_body(step->response),
                                .api_version = step->parameters.api_version};
    if (step->passage.sieve)
        return passage_judge(step, &reply, ret_answer, error);
    return oauth_answer_read(step->provider, &reply, ret_answer, error);
}

/*
 * A code stays here, for the step that uses it; that of a device, with its client token, until
 * something was issued for it.
 */
static void keep_code(struct exchangeroom *room, const struct step *step,
                      struct oauth_answer *answer)
{
    if (step->step == STEP_DEVICE_POLL && answer->verdict.action == CODE_DONE) {
        secret_free(TAKE(room->code));
        secret_free(TAKE(room->client_token));
    }
    if (!answer->code)
        return;
    secret_free(room->code);
    room->code = TAKE(answer->code);
}

/* What was issued is told before the outcome, so that the front has kept it by then; and after all is wiped. */
int exchangeroom_take_answer(struct exchangeroom *room, struct step *step, struct error *error)
{
    auto_answer struct oauth_answer answer = {0};
    auto_sealed struct sealed sealed = {0};
    bool lives = http_response_keeps_connection(step->response);
    if ((step->passage.sieve && passage_end(room, step, error) < 0) ||
        read_answer(step, &answer, error) < 0 ||
        (step->passage.sieve && passage_tell(room, step, answer.verdict.action, error) < 0) ||
        seal_grant(room, step, &answer, &sealed, error) < 0)
        return -1;
    secret_free(TAKE(answer.grant));
    answer.machine_id[0] = '\0'; /* sealed with the grant, and for nobody else */
    keep_code(room, step, &answer);
    wipe(step);
    if (take_pages(room, step, &answer, error) < 0)
        return -1;
    scrub_stack_and_registers();
    int64_t answer_us = clock_monotonic_us() - step->began;
    if (sealed.jwe && exchangeroom_tell_issued(room, &sealed, error) < 0)
        return -1;
    return tell_outcome(room, step, &answer, answer_us, lives, error);
}

/* The provider could not be asked, or gave no answer: an outcome, too, since secrets stood in clear for it. */
int exchangeroom_tell_broken(struct exchangeroom *room, struct step *step, struct error *error)
{
    auto_answer struct oauth_answer answer = {
        .expires_in = FACT_UNKNOWN, .usage.percent = USAGE_UNKNOWN, .verdict.action = error->code};
    oauth_facts_init(&answer.facts);
    wipe(step);
    if (step->request_us == 0 || (error->code != CODE_RETRY && error->code != CODE_STOP))
        return error_prefix(error, "%s", oauth_step_name(step->step));
    int64_t answer_us = step->began == 0 ? 0 : clock_monotonic_us() - step->began;
    (void)snprintf(answer.verdict.message, sizeof(answer.verdict.message), "%.255s", error->text);
    (void)snprintf(answer.verdict.hint, sizeof(answer.verdict.hint), "%.255s", error->hint);
    return tell_outcome(room, step, &answer, answer_us, false, error);
}
