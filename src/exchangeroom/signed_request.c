/*
 * Whether a signed request, or what was posted to a webhook, is the provider's, by a room that was
 * never connected: nothing of the app secret leaves it but that.
 */
#include "p11vault/oauth/signed_request.h"

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/webhook.h"

/* What is looked at: a signed request, or a body (else NULL) with a signature beside it. */
struct question {
    const struct secret *request;
    const char *signature;
    const struct buffer *body;
};

static int look(const struct secret *app_secret, const struct question *question,
                struct signed_request *ret_request, struct error *error)
{
    if (!question->body)
        return signed_request_check(app_secret, question->request, ret_request, error);
    return webhook_check(app_secret, question->signature, buffer_text(question->body),
                         question->body->size, error);
}

static int check(struct exchangeroom *room, uint64_t n, const struct question *question,
                 struct signed_request *ret_request, int64_t *ret_us, struct error *error)
{
    auto_wanted struct wanted_key key = {.n = n};
    auto_of(secret_free) struct secret *app_secret = NULL;
    if (exchangeroom_want(room, &key, 1, error) < 0)
        return -1;
    int64_t began = clock_monotonic_us();
    if (exchangeroom_open_record(room, n, key.secret, &app_secret, error) < 0)
        return -1;
    int result = look(app_secret, question, ret_request, error);
    secret_free(TAKE(app_secret));
    scrub_stack_and_registers();
    *ret_us = clock_monotonic_us() - began;
    return result;
}

static int tell_checked(struct exchangeroom *room, json_t *said, int64_t us, struct error *error)
{
    auto_json json_t *json = said;
    auto_free char *text = NULL;
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    exchangeroom_forget_records(room);
    return channel_send(room->inside.front, checked, error, .payload = text, .clear_us = us);
}

int exchangeroom_check_signed(struct exchangeroom *room, const struct message *order,
                              struct error *error)
{
    auto_of(secret_free) struct secret *text = NULL;
    struct signed_request request;
    int64_t us;
    if (secret_new(SIGNED_REQUEST_MAX, &text, error) < 0 ||
        secret_append_text(text, order->check.request, error) < 0)
        return -1;
    const struct question question = {.request = text};
    if (check(room, order->check.secret, &question, &request, &us, error) < 0)
        return -1;
    return tell_checked(room, signed_request_to_json(&request), us, error);
}

/* The whole body comes before the secret is opened. */
int exchangeroom_piece(struct exchangeroom *room, const struct message *order, struct error *error)
{
    room->body.maximum = WEBHOOK_BODY_MAX;
    return buffer_put(&room->body, order->piece.body.bytes, order->piece.body.size, error);
}

int exchangeroom_verify(struct exchangeroom *room, const struct message *order, struct error *error)
{
    const struct question question = {.signature = order->verify.signature, .body = &room->body};
    struct signed_request none;
    int64_t us;
    if (check(room, order->verify.secret, &question, &none, &us, error) < 0)
        return -1;
    buffer_clear(&room->body);
    return tell_checked(room, json_object(), us, error);
}
