/*
 * The exchange room of a job: connecting it, telling it the records, one step after the other.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "p11vault/base/log.h"
#include "typing.h"

/* The room's own deadline ends first, with a better message. */
#define ROOM_GRACE_MS 5000

#define HTTP_STATUS_MAX 999
#define CLEAR_US_MAX (UINT64_C(3600) * 1000000)

static int tell_record(struct job *job, uint64_t n, const struct store_record *row,
                       struct error *error)
{
    int sent = channel_send(room_channel(job->exchange), MESSAGE_RECORD, error, NUMBER(n),
                            TEXT(row->digest), TEXT(row->app), TEXT(row->name), TEXT(row->kind),
                            NUMBER(row->version), TEXT(row->jwe));
    return session_tell(job->exchange, sent, error);
}

/* The facts that whatever is issued will be sealed with. */
static int tell_slot(struct job *job, struct error *error)
{
    auto_free char *text = NULL;
    if (vault_next_version(job->front->vault, job->name->full, &job->slot_version, error) < 0)
        return -1;
    auto_json json_t *facts = typing_facts(job->name, job->slot_version, job->provider->name,
                                           json_object_get(job->app.app_entry, "origins"));
    if (!facts)
        return error_memory(error);
    if (json_canonical(facts, &text, error) < 0)
        return -1;
    int sent = channel_send(room_channel(job->exchange), MESSAGE_SLOT, error,
                            NUMBER(job->record_count), TEXT(text));
    return session_tell(job->exchange, sent, error);
}

int job_connect(struct job *job, struct error *error)
{
    const struct config *config = job->front->config;
    const char *origin = vault_app_origin(&job->app);
    struct message message;
    const struct room_start how = {
        .who = PARTY_EXCHANGE, .keys = job->session.keys_out, .inherit_input = false, .env = NULL};
    if (room_start(&how, &job->exchange, error) < 0)
        return -1;
    close(TAKE_FD(job->session.keys_out));
    int64_t connect_ms = (int64_t)config->connect_deadline_s * 1000;
    int sent = channel_send(room_channel(job->exchange), MESSAGE_CONNECT, error, TEXT(origin),
                            TEXT(config_ca(config, origin)), NUMBER(connect_ms),
                            NUMBER((int64_t)config->exchange_deadline_s * 1000));
    if (session_tell(job->exchange, sent, error) < 0 ||
        session_expect(job->exchange, MESSAGE_CONNECTED, deadline_in(connect_ms + ROOM_GRACE_MS),
                       &message, error) < 0)
        return -1;
    log_info("connected to %s, %s", message_text(&message, 0), message_text(&message, 1));
    job->connection_lives = true;
    return 0;
}

static int tell_records(struct job *job, struct error *error)
{
    for (size_t i = 0; i < job->record_count; i++)
        if (tell_record(job, i, &job->records[i], error) < 0)
            return -1;
    job->records_told = true;
    return tell_slot(job, error);
}

/* The connection ended before the work did: a new room, and a new way for the keys. */
static int reconnect(struct job *job, struct error *error)
{
    struct session *session = &job->session;
    room_free(TAKE(job->exchange));
    if (session_make_way(session, error) < 0)
        return -1;
    int sent = channel_send_fields(room_channel(session->card), MESSAGE_AGAIN, NULL, 0,
                                   session->keys_in, error);
    close(TAKE_FD(session->keys_in));
    if (session_tell(session->card, sent, error) < 0)
        return -1;
    log_info("connecting again");
    job->records_told = job->issued_told = false;
    return job_connect(job, error);
}

/* The log takes no other: a room that tells one could keep its outcome out of it. */
static int check_outcome(const struct message *outcome, struct error *error)
{
    static const char trace[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *text = message_text(outcome, 5);
    if (message_number(outcome, 2) > HTTP_STATUS_MAX || message_number(outcome, 9) > CLEAR_US_MAX ||
        message_number(outcome, 10) > CLEAR_US_MAX || strspn(text, trace) != strlen(text))
        return error_set(error, CODE_FAULT, "the exchange room told an outcome that cannot be");
    return 0;
}

static int take_outcome(struct job *job, const struct message *outcome,
                        struct oauth_facts *ret_facts, struct error *error)
{
    auto_json json_t *facts = NULL;
    const char *text = message_text(outcome, 8);
    if (check_outcome(outcome, error) < 0)
        return -1;
    job->verdict = (struct oauth_verdict){
        .action = message_number(outcome, 1) == 0
                      ? CODE_DONE
                      : error_code_from((unsigned long)message_number(outcome, 1)),
        .http = (int)message_number(outcome, 2),
        .provider_code = (int64_t)message_number(outcome, 3),
        .subcode = (int64_t)message_number(outcome, 4)};
    (void)snprintf(job->verdict.trace, sizeof(job->verdict.trace), "%s", message_text(outcome, 5));
    (void)snprintf(job->verdict.message, sizeof(job->verdict.message), "%s",
                   message_text(outcome, 6));
    (void)snprintf(job->verdict.hint, sizeof(job->verdict.hint), "%s", message_text(outcome, 7));
    job->request_us += (int64_t)message_number(outcome, 9);
    job->answer_us += (int64_t)message_number(outcome, 10);
    job->connection_lives = message_number(outcome, 11) != 0;
    if (json_parse(text, strlen(text), "facts", &facts, error) < 0)
        return -1;
    return ret_facts ? oauth_facts_from_json(facts, ret_facts, error) : 0;
}

/* Serves the room's wishes until it tells the outcome. */
static int follow(struct job *job, struct oauth_facts *ret_facts, struct error *error)
{
    struct channel *channel = room_channel(job->exchange);
    struct deadline deadline =
        deadline_in((int64_t)job->front->config->exchange_deadline_s * 1000 + ROOM_GRACE_MS);
    for (;;) {
        struct message message;
        if (channel_receive(channel, deadline, &message, error) < 0) {
            room_explain(job->exchange, error);
            return -1;
        }
        int result = 0;
        if (message.type == MESSAGE_WANT)
            result = session_hand(&job->session, message_number(&message, 0), error);
        else if (message.type == MESSAGE_ISSUED)
            result = job_keep_issued(job, &message, error);
        else
            return take_outcome(job, &message, ret_facts, error);
        if (result < 0)
            return -1;
        /* A room that only ever wants more does not run into a deadline by itself. */
        if (deadline_passed(deadline))
            return error_set(error, CODE_RETRY, "the exchange room did not answer in time");
    }
}

int job_step(struct job *job, enum oauth_step step, size_t grant, struct oauth_facts *ret_facts,
             struct error *error)
{
    const struct config *config = job->front->config;
    job->step = step;
    job->stepped = true;
    if (!job->connection_lives && reconnect(job, error) < 0)
        return -1;
    if (!job->records_told && tell_records(job, error) < 0)
        return -1;
    /* What was issued is opened as a record from now on. */
    if (grant == job->record_count && !job->issued_told) {
        if (tell_record(job, grant, &job->issued, error) < 0)
            return -1;
        job->issued_told = true;
    }
    int sent =
        channel_send(room_channel(job->exchange), MESSAGE_STEP, error, TEXT(job->provider->name),
                     NUMBER(step), TEXT(json_text(job->app.app_entry, "client_id")),
                     TEXT(config->meta_version), NUMBER(config->debug_token_get),
                     NUMBER(JOB_SECRET), NUMBER(grant), NUMBER(job->record_count));
    if (session_tell(job->exchange, sent, error) < 0)
        return -1;
    return follow(job, ret_facts, error);
}
