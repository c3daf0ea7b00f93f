/*
 * The answer of a step: received into locked memory, judged, wiped, what was issued sealed, and then told.
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
    if (http_response_read(step->response, error) < 0 ||
        (step->passage.sieve && passage_take(room, step, error) < 0))
        return -1;
    /* What has come stands in locked memory, and nowhere else while the rest is awaited. */
    scrub_stack_and_registers();
    return 0;
}

int exchangeroom_receive(struct exchangeroom *room, struct step *step, struct deadline deadline,
                         struct error *error)
{
    while (!http_response_complete(step->response))
        if (connection_wait(room->connection, deadline, error) < 0 ||
            receive_some(room, step, error) < 0)
            return -1;
    return 0;
}

/*
 * Who sends more than one answer to one request has lost count, so this one may be another's.  An end that the answer
 * itself has announced is none of that.
 */
static int check_alone(struct exchangeroom *room, const struct step *step, struct error *error)
{
    enum connection_found found = http_response_is_followed(step->response)
                                      ? CONNECTION_BYTES
                                      : connection_look(room->connection);
    if (found == CONNECTION_BYTES)
        return error_set(error, CODE_STOP, "more bytes follow the end of the answer");
    if (found == CONNECTION_ENDED && http_response_keeps_connection(step->response))
        return error_set(error, CODE_RETRY,
                         "the server closed the connection right after its answer");
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
    return channel_send(room->inside.front, outcome, error, .step = step->step,
                        .action = verdict->action, .http = verdict->http,
                        .code = verdict->provider_code, .subcode = verdict->subcode,
                        .trace = verdict->trace, .message = verdict->message, .hint = verdict->hint,
                        .told = text, .request_us = step->request_us, .answer_us = answer_us,
                        .connection_lives = lives, .was_sent = !step->is_unasked);
}

/* What a new grant is bound to: it may go where that may go which brought it about. */
static uint64_t source_of(const struct step *step)
{
    return step->grant != MESSAGE_NO_RECORD ? step->grant : step->secret;
}

/*
 * Seals what was issued; *ret_sealed stays empty when nothing was.  Its key is asked for now that it can be used: with a
 * part of an answer, or interim ones, a server could have it stand here for as long as it likes.
 */
static int seal_grant(struct exchangeroom *room, const struct step *step,
                      const struct oauth_answer *answer, struct sealed *ret_sealed,
                      struct error *error)
{
    auto_wanted struct wanted_key key = {.n = step->slot, .is_slot = true};
    if (answer->verdict.action != CODE_DONE || !answer->grant)
        return 0;
    if (exchangeroom_want(room, &key, 1, error) < 0)
        return -1;
    const struct issue issue = {.slot = step->slot,
                                .from = source_of(step),
                                .key = &key,
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
        channel_send(room->inside.front, offer, error, .page = text) < 0 ||
        channel_receive(room->inside.front, deadline_in(OFFER_MS), &message, error) < 0)
        return -1;
    *ret_taken = message.type == MESSAGE_TAKE;
    if (message.type == MESSAGE_PASS)
        return 0;
    if (message.type != MESSAGE_TAKE)
        return error_set(error, CODE_FAULT, "expected take or pass");
    *ret_slot = message.take.n;
    return exchangeroom_slot(room, &message, error);
}

static int take_page(struct exchangeroom *room, const struct step *step, struct oauth_page *page,
                     struct error *error)
{
    auto_wanted struct wanted_key key = {.is_slot = true};
    auto_sealed struct sealed sealed = {0};
    bool taken;
    if (offer(room, page, &key.n, &taken, error) < 0)
        return -1;
    if (!taken)
        return 0;
    if (exchangeroom_want(room, &key, 1, error) < 0)
        return -1;
    const struct issue issue = {.slot = key.n,
                                .from = source_of(step),
                                .key = &key,
                                .value = page->grant,
                                .expires = EXPIRES_UNKNOWN,
                                .machine_id = ""};
    int result = exchangeroom_seal_slot(room, &issue, &sealed, error);
    wanted_key_clear(&key);
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

/* What passes through is told with its verdict; of an answer that is doubted no more than went before. */
static int read_answer(struct exchangeroom *room, struct step *step, bool is_doubted,
                       struct oauth_answer *ret_answer, struct error *error)
{
    struct oauth_reply reply = {.step = step->step,
                                .status = http_response_status(step->response),
                                .header = look_up,
                                .context = step->response,
                                .body = http_response_body(step->response),
                                .api_version = step->parameters.api_version};
    if (!step->passage.sieve)
        return oauth_answer_read(step->provider, &reply, ret_answer, error);
    if (is_doubted) {
        ret_answer->verdict.http = reply.status;
        return 0;
    }
    if (passage_end(room, step, error) < 0 || passage_judge(step, &reply, ret_answer, error) < 0)
        return -1;
    return passage_tell(room, step, ret_answer->verdict.action, error);
}

/* An answer that says nothing but why there is none to go by. */
static void answer_failed(const struct error *why, struct oauth_answer *ret_answer)
{
    struct oauth_verdict *verdict = &ret_answer->verdict;
    *ret_answer = (struct oauth_answer){
        .expires_in = FACT_UNKNOWN, .usage.percent = USAGE_UNKNOWN, .verdict.action = why->code};
    oauth_facts_init(&ret_answer->facts);
    (void)snprintf(verdict->message, sizeof(verdict->message), "%.255s", why->text);
    (void)snprintf(verdict->hint, sizeof(verdict->hint), "%.255s", why->hint);
}

/* Nothing of it is told; what it issued is sealed by now, and pending until the provider is asked about it elsewhere. */
static void disbelieve(const struct error *why, struct oauth_answer *answer)
{
    int http = answer->verdict.http;
    oauth_answer_clear(answer);
    answer_failed(why, answer);
    answer->verdict.http = http;
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

/* What was issued is told before the outcome, so that the front has kept it by then. */
int exchangeroom_take_answer(struct exchangeroom *room, struct step *step, struct error *error)
{
    auto_answer struct oauth_answer answer = {0};
    auto_sealed struct sealed sealed = {0};
    struct error doubt;
    bool is_doubted = check_alone(room, step, &doubt) < 0;
    bool lives = http_response_keeps_connection(step->response) && !is_doubted;
    if (read_answer(room, step, is_doubted, &answer, error) < 0)
        return -1;
    wipe(step);
    if (seal_grant(room, step, &answer, &sealed, error) < 0)
        return -1;
    secret_free(TAKE(answer.grant));
    answer.machine_id[0] = '\0'; /* sealed with the grant, and for nobody else */
    if (is_doubted)
        disbelieve(&doubt, &answer);
    keep_code(room, step, &answer);
    if (take_pages(room, step, &answer, error) < 0)
        return -1;
    scrub_stack_and_registers();
    int64_t answer_us = clock_monotonic_us() - step->began;
    if (sealed.jwe && exchangeroom_tell_issued(room, &sealed, error) < 0)
        return -1;
    return tell_outcome(room, step, &answer, answer_us, lives, error);
}

/*
 * The provider could not be asked, or gave no answer: an outcome, too, since secrets stood in clear for it, or since it
 * can be asked over another connection.
 */
int exchangeroom_tell_broken(struct exchangeroom *room, struct step *step, struct error *error)
{
    auto_answer struct oauth_answer answer = {0};
    bool was_sent =
        step->request_us != 0 && (error->code == CODE_RETRY || error->code == CODE_STOP);
    wipe(step);
    if (!was_sent && !step->is_unasked)
        return error_prefix(error, "%s", oauth_step_name(step->step));
    int64_t answer_us = step->began == 0 ? 0 : clock_monotonic_us() - step->began;
    answer_failed(error, &answer);
    return tell_outcome(room, step, &answer, answer_us, false, error);
}
