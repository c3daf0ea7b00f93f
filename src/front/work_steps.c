/*
 * The exchange room of a job: connecting it, telling it the records of a step, serving its wishes to the step's end.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "p11vault/base/log.h"
#include "p11vault/oauth/parameters.h"
#include "transfer.h"
#include "typing.h"

/* The room's own deadline ends first, with a better message. */
#define ROOM_GRACE_MS 5000

#define HTTP_STATUS_MAX 999
#define STATUS_TOO_MANY 429
#define CLEAR_US_MAX (UINT64_C(3600) * 1000000)

#define HINT_CODE "its code is lost with the connection: run the same command again"

/* ---- connecting ---- */

int job_connect(struct job *job, struct room *exchange, const char *origin, struct error *error)
{
    const struct config *config = job->front->config;
    struct message message;
    const struct room_start how = {
        .who = PARTY_EXCHANGE, .keys = job->session.keys_out, .inherit_input = false, .env = NULL};
    if (!exchange && room_start(&how, &job->exchange, error) < 0)
        return -1;
    close(TAKE_FD(job->session.keys_out));
    int64_t connect_ms = (int64_t)config->connect_deadline_s * 1000;
    int sent = channel_send(room_channel(job->exchange), connect, error, .origin = origin,
                            .ca = config_ca(config, origin), .connect_ms = connect_ms,
                            .step_ms = (int64_t)config->exchange_deadline_s * 1000);
    struct deadline deadline = deadline_in(connect_ms + ROOM_GRACE_MS);
    if (session_tell(job->exchange, sent, error) < 0 ||
        session_await(job->front, origin, job->exchange, deadline, error) < 0 ||
        session_expect(job->exchange, MESSAGE_CONNECTED, deadline, &message, error) < 0)
        return -1;
    log_info("connected to %s, %s", message.connected.address, message.connected.tls);
    job->connection_lives = true;
    job->origin = origin;
    return 0;
}

/* Another exchange room is to come: a new way for the keys. */
static int renew_way(struct job *job, struct error *error)
{
    struct session *session = &job->session;
    room_free(TAKE(job->exchange));
    if (session_make_way(session, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), again, error, .keys = session->keys_in);
    close(TAKE_FD(session->keys_in));
    return session_tell(session->card, sent, error);
}

/* The connection ended before the work did, or the next step goes elsewhere. */
static int reconnect(struct job *job, const char *origin, struct error *error)
{
    if (renew_way(job, error) < 0)
        return -1;
    log_info("connecting again");
    return job_connect(job, NULL, origin, error);
}

/* ---- telling ---- */

static int tell_record(struct work *work, size_t number, struct error *error)
{
    const struct store_record *row = work_row(work, number);
    if (!row || !row->jwe)
        return error_set(error, CODE_FAULT, "record %zu does not belong to this use", number);
    return job_tell_record(work->job, number, row, error);
}

/* A slot for a grant of that name: its place among what is issued, and the facts that it will be sealed with. */
static int new_issued(struct work *work, size_t slot, const struct name *name, char **ret_facts,
                      struct error *error)
{
    struct job *job = work->job;
    size_t count = work->issued_count;
    if (slot < work_slot(work, 0) || slot >= work_slot(work, work->slot_count) ||
        count == work->slot_count)
        return error_set(error, CODE_FAULT, "slot %zu does not belong to this use", slot);
    /* One that nothing was issued into is free again. */
    if (count > 0 && !work->issued[count - 1].is_kept)
        work->issued_count = --count;
    struct issued *issued = &work->issued[count];
    *issued = (struct issued){.slot = slot, .name = *name};
    if (vault_next_version(job->front->vault, name->full, &issued->version, error) < 0)
        return -1;
    auto_json json_t *facts = typing_facts(name, issued->version, job->provider->name,
                                           json_object_get(job->app.app_entry, "origins"));
    if (!facts)
        return error_memory(error);
    work->issued_count++;
    return json_canonical(facts, ret_facts, error);
}

static int tell_slot(struct work *work, const struct order *order, struct error *error)
{
    auto_free char *facts = NULL;
    const struct name *name = order->slot_name ? order->slot_name : &work->name;
    if (new_issued(work, order->slot, name, &facts, error) < 0)
        return -1;
    int sent = channel_send(room_channel(work->job->exchange), slot, error, .n = order->slot,
                            .facts = facts);
    return session_tell(work->job->exchange, sent, error);
}

/* What the configuration chooses where a method is unproved. */
static bool by_get(const struct config_provider *config, enum oauth_step step)
{
    switch (step) {
    case STEP_INSPECT_INPUT:
    case STEP_INSPECT_RESULT:
        return config->debug_token_get;
    case STEP_PAGES:
    case STEP_PERMISSIONS:
        return config->lists_get;
    case STEP_CLIENT_CODE:
        return config->client_code_get;
    case STEP_REVOKE:
        return config->revoke_get;
    case STEP_APP_TOKEN:
        return config->app_token_get;
    default:
        return false;
    }
}

static uint64_t number_or_none(size_t number)
{
    return number == NO_RECORD ? MESSAGE_NO_RECORD : number;
}

static const char *api_version(const struct job *job)
{
    const struct config_provider *config = config_provider(job->front->config, job->provider->name);
    return config->api_version ? config->api_version : job->provider->default_version;
}

/* What the room needs of the step, each for this step alone. */
static int tell_step(struct work *work, const struct order *order, struct error *error)
{
    struct job *job = work->job;
    const struct config_provider *config = config_provider(job->front->config, job->provider->name);
    struct oauth_parameters parameters = order->parameters;
    unsigned needs = oauth_step_needs(job->provider, order->step);
    size_t secret = (needs & NEEDS_APP_SECRET) != 0 ? 0 : NO_RECORD;
    auto_free char *text = NULL;
    parameters.client_id = json_text(job->app.app_entry, "client_id");
    parameters.api_version = api_version(job);
    parameters.by_get = by_get(config, order->step);
    if (!parameters.kind)
        parameters.kind = work->name.kind;
    auto_json json_t *json = oauth_parameters_to_json(&parameters);
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0 ||
        (secret != NO_RECORD && tell_record(work, secret, error) < 0) ||
        (order->grant != NO_RECORD && tell_record(work, order->grant, error) < 0) ||
        (order->slot != NO_RECORD && !order->offer && tell_slot(work, order, error) < 0))
        return -1;
    int sent =
        channel_send(room_channel(job->exchange), step, error, .provider = job->provider->name,
                     .step = order->step, .parameters = text, .secret = number_or_none(secret),
                     .grant = number_or_none(order->grant), .slot = number_or_none(order->slot));
    return session_tell(job->exchange, sent, error);
}

/* ---- listening ---- */

/* The log takes no other: a room that tells one could keep its outcome out of it. */
static int check_outcome(const struct message *outcome, struct error *error)
{
    static const char trace[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *text = outcome->outcome.trace;
    if (outcome->outcome.http > HTTP_STATUS_MAX || outcome->outcome.request_us > CLEAR_US_MAX ||
        outcome->outcome.answer_us > CLEAR_US_MAX || strspn(text, trace) != strlen(text))
        return error_set(error, CODE_FAULT, "the exchange room told an outcome that cannot be");
    return 0;
}

/* Limits of one user (17), one page (32) or one device (31) do not concern the app's other grants. */
static bool is_limit_of_app(const struct oauth_verdict *verdict)
{
    switch (verdict->provider_code) {
    case 17:
    case 31:
    case 32:
        return false;
    case 4:
    case 9:
    case 341:
    case 613:
        return true;
    default:
        return verdict->http == STATUS_TOO_MANY ||
               (verdict->provider_code >= 80000 && verdict->provider_code <= 80099);
    }
}

/* The first answer tells: one version is asked for in all of them. */
static void note_version(struct job *job, const char *served)
{
    struct front_version *version = &job->front->version;
    if (!*served || *version->served)
        return;
    version->provider = job->provider->name;
    (void)snprintf(version->asked, sizeof(version->asked), "%s", api_version(job));
    (void)snprintf(version->served, sizeof(version->served), "%s", served);
}

/*
 * What the app has used of its quota, as long as an answer says nothing newer; and which version
 * served it.
 */
static int note_answer(struct job *job, const struct oauth_verdict *verdict, const json_t *told,
                       struct error *error)
{
    auto_answer struct oauth_answer answer = {0};
    if (oauth_answer_from_json(told, &answer, error) < 0)
        return -1;
    note_version(job, answer.api_version);
    if (answer.usage.percent != USAGE_UNKNOWN || answer.usage.wait > 0)
        job->usage = answer.usage;
    if (verdict->action == CODE_WAIT && is_limit_of_app(verdict))
        job->is_limited = true;
    return 0;
}

static int take_outcome(struct work *work, const struct message *outcome, json_t **ret_told,
                        struct error *error)
{
    const char *text = outcome->outcome.told;
    struct oauth_verdict *verdict = &work->verdict;
    auto_json json_t *told = NULL;
    if (check_outcome(outcome, error) < 0)
        return -1;
    *verdict = (struct oauth_verdict){
        .action = outcome->outcome.action == 0
                      ? CODE_DONE
                      : error_code_from((unsigned long)outcome->outcome.action),
        .http = (int)outcome->outcome.http,
        .provider_code = (int64_t)outcome->outcome.code,
        .subcode = (int64_t)outcome->outcome.subcode};
    (void)snprintf(verdict->trace, sizeof(verdict->trace), "%s", outcome->outcome.trace);
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s", outcome->outcome.message);
    (void)snprintf(verdict->hint, sizeof(verdict->hint), "%s", outcome->outcome.hint);
    if (json_parse(text, strlen(text), "what the provider told", &told, error) < 0 ||
        note_answer(work->job, verdict, told, error) < 0)
        return -1;
    work->scrubbed = json_number(told, "scrubbed", 0);
    work_note_step(work, (int64_t)outcome->outcome.request_us, (int64_t)outcome->outcome.answer_us);
    work->job->connection_lives = outcome->outcome.connection_lives != 0;
    work->job->was_asked = outcome->outcome.was_sent != 0;
    *ret_told = TAKE(told);
    return 0;
}

/* A grant of a list: a slot for it, or not. */
static int take_offer(struct work *work, struct order *order, const struct message *offer,
                      struct error *error)
{
    struct channel *channel = room_channel(work->job->exchange);
    const char *text = offer->offer.page;
    auto_json json_t *offered = NULL;
    auto_free char *facts = NULL;
    struct name name;
    bool take = false;
    if (!order->offer)
        return error_set(error, CODE_FAULT, "the exchange room offered what nobody asked for");
    if (json_parse(text, strlen(text), "offer", &offered, error) < 0 ||
        order->offer(order->context, offered, &name, &take, error) < 0)
        return -1;
    if (!take)
        return session_tell(work->job->exchange, channel_send(channel, pass, error), error);
    if (new_issued(work, order->slot, &name, &facts, error) < 0)
        return -1;
    int sent = channel_send(channel, take, error, .n = order->slot, .facts = facts);
    order->slot++;
    return session_tell(work->job->exchange, sent, error);
}

static int take_content(const struct order *order, const struct message *content,
                        struct error *error)
{
    if (!order->content)
        return error_set(error, CODE_FAULT, "the exchange room passes on what nobody asked for");
    return order->content(order->context, content->content.is_answer != 0,
                          content->content.content.bytes, content->content.content.size, error);
}

/* Serves the room's wishes until it tells the outcome. */
static int follow(struct work *work, struct order *order, json_t **ret_told, struct error *error)
{
    struct job *job = work->job;
    struct channel *channel = room_channel(job->exchange);
    struct deadline deadline =
        deadline_in((int64_t)job->front->config->exchange_deadline_s * 1000 + ROOM_GRACE_MS);
    for (;;) {
        struct message message;
        if (session_await(job->front, job->origin, job->exchange, deadline, error) < 0)
            return -1;
        if (channel_receive(channel, deadline, &message, error) < 0) {
            room_explain(job->exchange, error);
            return -1;
        }
        int result = 0;
        if (message.type == MESSAGE_WANT)
            result = session_hand(&job->session, &message, error);
        else if (message.type == MESSAGE_OFFER)
            result = take_offer(work, order, &message, error);
        else if (message.type == MESSAGE_CONTENT)
            result = take_content(order, &message, error);
        else if (message.type == MESSAGE_ISSUED)
            result = work_keep_issued(work, &message, error);
        else
            return take_outcome(work, &message, ret_told, error);
        if (result < 0)
            return -1;
        /* A room that only ever wants more does not run into a deadline by itself. */
        if (deadline_passed(deadline))
            return error_set(error, CODE_RETRY, "the exchange room did not answer in time");
    }
}

/* A code or a client token stands in the room that read it, and ends with it. */
static bool is_bound_to_room(const struct work *work, const struct order *order)
{
    unsigned needs = oauth_step_needs(work->job->provider, order->step);
    return (needs & (NEEDS_CODE | NEEDS_CLIENT_TOKEN)) != 0;
}

static int try_step(struct work *work, const struct order *order, json_t **ret_told,
                    struct error *error)
{
    struct job *job = work->job;
    struct order mine = *order;
    const char *origin = oauth_step_at_code_origin(job->provider, order->step)
                             ? vault_app_code_origin(&job->app)
                             : vault_app_origin(&job->app);
    bool is_over = !job->connection_lives || strcmp(origin, job->origin) != 0;
    if (is_over && is_bound_to_room(work, order)) {
        error_set(error, CODE_RETRY, "%s: the server has closed the connection",
                  oauth_step_name(order->step));
        return error_hint(error, HINT_CODE);
    }
    if ((order->slot != NO_RECORD && job_make_room(job, order->offer != NULL, error) < 0) ||
        (is_over && reconnect(job, origin, error) < 0))
        return -1;
    int result = tell_step(work, order, error);
    if (result == 0)
        result = follow(work, &mine, ret_told, error);
    if (result == 0 && job->unkept_why.code == CODE_DONE)
        return 0;
    if (job->unkept_why.code != CODE_DONE)
        *error = job->unkept_why;
    job->connection_lives = false; /* the next grant gets a room that nothing has befallen */
    return -1;
}

int work_step(struct work *work, const struct order *order, json_t **ret_told, struct error *error)
{
    struct oauth_verdict *verdict = &work->verdict;
    auto_json json_t *told = NULL;
    work->step = order->step;
    work->has_stepped = true;
    if (try_step(work, order, &told, error) < 0)
        return -1;
    bool was_asked = work->job->was_asked;
    if (!was_asked && is_bound_to_room(work, order)) {
        (void)snprintf(verdict->hint, sizeof(verdict->hint), "%s", HINT_CODE);
    } else if (!was_asked && verdict->action == CODE_RETRY) {
        json_decref(TAKE(told));
        if (try_step(work, order, &told, error) < 0)
            return -1;
    } else if (!was_asked) { /* what was told before, over the same connection, is in doubt */
        work_doubt_input(work);
    }
    if (ret_told)
        *ret_told = TAKE(told);
    return 0;
}

int work_check_issued(struct work *work, size_t slot, struct error *error)
{
    return work->verdict.action == CODE_DONE || work_row(work, slot) ? 0
                                                                     : work_verdict(work, error);
}
/* ---- moving ---- */

static int tell_move(struct work *work, size_t number, size_t slot, const struct name *name,
                     struct error *error)
{
    struct job *job = work->job;
    auto_free char *facts = NULL;
    if (tell_record(work, number, error) < 0 || new_issued(work, slot, name, &facts, error) < 0)
        return -1;
    work->issued[work->issued_count - 1].moved = work_row(work, number);
    struct channel *channel = room_channel(job->exchange);
    int sent = channel_send(channel, slot, error, .n = slot, .facts = facts);
    if (sent == 0)
        sent = channel_send(channel, reseal, error, .n = number, .slot = slot);
    return session_tell(job->exchange, sent, error);
}

int work_move(struct work *work, size_t number, size_t slot, const struct name *name,
              struct error *error)
{
    struct job *job = work->job;
    struct deadline deadline = deadline_in(TRANSFER_MS);
    struct message message;
    job->connection_lives = false; /* the next step connects again */
    if (renew_way(job, error) < 0 || transfer_start_room(job, error) < 0 ||
        tell_move(work, number, slot, name, error) < 0 ||
        transfer_expect(job, MESSAGE_ISSUED, deadline, &message, error) < 0 ||
        work_keep_issued(work, &message, error) < 0 ||
        transfer_expect(job, MESSAGE_RESEALED, deadline, &message, error) < 0)
        return -1;
    work->answer_us += (int64_t)message.resealed.clear_us;
    return 0;
}

/* ---- inspecting ---- */

int work_inspect(struct work *work, enum oauth_step step, size_t grant,
                 struct oauth_facts *ret_facts, struct error *error)
{
    const struct order order = {.step = step, .grant = grant, .slot = NO_RECORD};
    auto_json json_t *told = NULL;
    if (work_step(work, &order, &told, error) < 0)
        return -1;
    auto_answer struct oauth_answer answer = {0};
    if (oauth_answer_from_json(told, &answer, error) < 0)
        return -1;
    *ret_facts = answer.facts;
    return 0;
}
