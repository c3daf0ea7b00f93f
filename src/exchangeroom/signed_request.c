/*
 * Whether a signed request is the provider's, by a room that was never connected: nothing of the app secret leaves it but that.
 */
#include "p11vault/oauth/signed_request.h"

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"

static int check(struct exchangeroom *room, uint64_t n, const struct secret *text,
                 struct signed_request *ret_request, int64_t *ret_us, struct error *error)
{
    auto_wanted struct wanted_key key = {.n = n};
    auto_of(secret_free) struct secret *app_secret = NULL;
    if (exchangeroom_want(room, &key, 1, error) < 0)
        return -1;
    int64_t began = clock_monotonic_us();
    if (exchangeroom_open_record(room, n, key.secret, &app_secret, error) < 0)
        return -1;
    int result = signed_request_check(app_secret, text, ret_request, error);
    secret_free(TAKE(app_secret));
    scrub_stack_and_registers();
    *ret_us = clock_monotonic_us() - began;
    return result;
}

/* check: n of secret, signed request */
int exchangeroom_check_signed(struct exchangeroom *room, const struct message *order,
                              struct error *error)
{
    auto_of(secret_free) struct secret *text = NULL;
    auto_json json_t *json = NULL;
    auto_free char *said = NULL;
    struct signed_request request;
    int64_t us;
    if (secret_new(SIGNED_REQUEST_MAX, &text, error) < 0 ||
        secret_append_text(text, message_text(order, 1), error) < 0 ||
        check(room, message_number(order, 0), text, &request, &us, error) < 0)
        return -1;
    json = signed_request_to_json(&request);
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &said, error) < 0)
        return -1;
    exchangeroom_forget_records(room);
    return channel_send(room->inside.front, MESSAGE_CHECKED, error, TEXT(said), NUMBER(us));
}
