/*
 * `signed-request` and `webhook verify`: whether what was posted to a callback or a webhook is the
 * provider's.  It costs a use of the card, because it is signed with the app secret.
 */
#include "p11vault/oauth/signed_request.h"

#include "p11vault/oauth/webhook.h"
#include "transfer.h"

#define PIECE_MAX ((size_t)48 * 1024)

/* What the exchange room is asked: a body in pieces (NULL: none), then a text. */
struct question {
    enum message_type type;
    const char *text;
    const uint8_t *body;
    size_t size;
};

static int begin(struct transfer *transfer, const char *app, struct error *error)
{
    struct job *job = &transfer->job;
    if (session_prepare(job->front, false, NULL, error) < 0 || job_begin(job, app, error) < 0)
        return -1;
    return transfer_intend(transfer, error);
}

static int send_question(struct channel *channel, const struct question *question,
                         struct error *error)
{
    for (size_t at = 0; at < question->size;) {
        size_t size = question->size - at < PIECE_MAX ? question->size - at : PIECE_MAX;
        if (channel_send(channel, piece, error, .body = {question->body + at, size}) < 0)
            return -1;
        at += size;
    }
    if (question->type == MESSAGE_VERIFY)
        return channel_send(channel, verify, error, .secret = 0, .signature = question->text);
    return channel_send(channel, check, error, .secret = 0, .request = question->text);
}

static int ask(struct transfer *transfer, const struct question *question, json_t **ret_said,
               struct error *error)
{
    struct job *job = &transfer->job;
    struct message message;
    if (job_tell_record(job, 0, &job->records[0], error) < 0)
        return -1;
    int sent = send_question(room_channel(job->exchange), question, error);
    if (session_tell(job->exchange, sent, error) < 0 ||
        transfer_expect(&transfer->job, MESSAGE_CHECKED, deadline_in(TRANSFER_MS), &message,
                        error) < 0)
        return -1;
    const char *said = message.checked.payload;
    transfer->clear_us = (int64_t)message.checked.clear_us;
    return json_parse(said, strlen(said), "what the exchange room has checked", ret_said, error);
}

static int close_use(struct transfer *transfer, struct error *error)
{
    auto_change struct store *change = transfer->job.front->vault->store;
    return store_begin(change, error) < 0 || transfer_append_outcome(transfer, error) < 0
               ? -1
               : store_commit(change, error);
}

/* *ret_said is the caller's. */
static int check(struct front *front, const char *verb, const char *app,
                 const struct question *question, json_t **ret_said, struct error *error)
{
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = {
        .job = {.front = front, .verb = verb, .session = SESSION_NONE}, .about = app};
    auto_cards struct vault_cards cards = {0};
    auto_json json_t *said = NULL;
    if (name_check_app(app, error) < 0 || begin(&transfer, app, error) < 0)
        return -1;
    if (vault_cards_find(front->vault, &transfer.job.head, &cards, error) == 0 &&
        transfer_open(&transfer, &cards, error) == 0 && transfer_sign(&transfer, error) == 0 &&
        ask(&transfer, question, &said, error) == 0 && close_use(&transfer, error) == 0) {
        *ret_said = TAKE(said);
        return 0;
    }
    session_fail_use(&transfer.job.session, error);
    return -1;
}

int front_check_signed_request(struct front *front, const char *app, const char *text,
                               struct signed_request *ret_request, struct error *error)
{
    const struct question question = {.type = MESSAGE_CHECK, .text = text};
    auto_json json_t *said = NULL;
    if (check(front, "signed-request", app, &question, &said, error) < 0)
        return -1;
    return signed_request_from_json(said, ret_request, error);
}

int front_verify_webhook(struct front *front, const char *app, const char *signature,
                         const void *body, size_t size, struct error *error)
{
    const struct question question = {MESSAGE_VERIFY, signature, body, size};
    auto_json json_t *said = NULL;
    struct digest digest;
    if (webhook_read_signature(signature, &digest, error) < 0)
        return -1;
    return check(front, "webhook verify", app, &question, &said, error);
}
