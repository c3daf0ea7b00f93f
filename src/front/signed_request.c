/*
 * `signed-request`: whether what was posted to a callback is the provider's, and of whom it speaks.  It costs a use of the card, because
 * it is signed with the app secret.
 */
#include "p11vault/oauth/signed_request.h"

#include "transfer.h"

static int begin(struct transfer *transfer, const char *app, struct error *error)
{
    struct job *job = &transfer->job;
    if (session_prepare(job->front, false, NULL, error) < 0 || job_begin(job, app, error) < 0)
        return -1;
    return transfer_intend(transfer, error);
}

static int ask(struct transfer *transfer, const char *text, struct signed_request *ret_request,
               struct error *error)
{
    struct job *job = &transfer->job;
    auto_json json_t *json = NULL;
    struct message message;
    if (job_tell_record(job, 0, &job->records[0], error) < 0)
        return -1;
    int sent =
        channel_send(room_channel(job->exchange), MESSAGE_CHECK, error, NUMBER(0), TEXT(text));
    if (session_tell(job->exchange, sent, error) < 0 ||
        transfer_expect(&transfer->job, MESSAGE_CHECKED, deadline_in(TRANSFER_MS), &message,
                        error) < 0)
        return -1;
    const char *said = message_text(&message, 0);
    transfer->clear_us = (int64_t)message_number(&message, 1);
    if (json_parse(said, strlen(said), "signed request", &json, error) < 0)
        return -1;
    return signed_request_from_json(json, ret_request, error);
}

static int close_use(struct transfer *transfer, struct error *error)
{
    auto_change struct store *change = transfer->job.front->vault->store;
    return store_begin(change, error) < 0 || transfer_append_outcome(transfer, error) < 0
               ? -1
               : store_commit(change, error);
}

int front_check_signed_request(struct front *front, const char *app, const char *text,
                               struct signed_request *ret_request, struct error *error)
{
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = {
        .job = {.front = front, .verb = "signed-request", .session = SESSION_NONE}, .about = app};
    auto_cards struct vault_cards cards = {0};
    if (name_check_app(app, error) < 0 || begin(&transfer, app, error) < 0)
        return -1;
    if (vault_cards_find(front->vault, &transfer.job.head, &cards, error) == 0 &&
        transfer_open(&transfer, &cards, error) == 0 && transfer_sign(&transfer, error) == 0 &&
        ask(&transfer, text, ret_request, error) == 0 && close_use(&transfer, error) == 0)
        return 0;
    session_fail_use(&transfer.job.session, error);
    return -1;
}
