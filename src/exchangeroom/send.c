/*
 * The request of a step: opened, built, sent, wiped.
 */
#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/http/request.h"
#include "p11vault/oauth/call.h"

/* What a step opens, and with which keys; wiped when the request is made. */
struct opened {
    struct wanted_key keys[WANTED_MAX];
    struct secret *app_secret, *grant;
};

static void opened_clear(struct opened *opened)
{
    for (size_t i = 0; i < WANTED_MAX; i++)
        wanted_key_clear(&opened->keys[i]);
    secret_free(TAKE(opened->app_secret));
    secret_free(TAKE(opened->grant));
}
#define auto_opened __attribute__((cleanup(opened_clear)))

static int open_records(struct exchangeroom *room, struct step *step, struct opened *opened,
                        struct error *error)
{
    struct secret **const values[] = {&opened->app_secret, &opened->grant};
    const uint64_t records[] = {step->secret, step->grant};
    size_t count = 0;
    for (size_t i = 0; i < WANTED_MAX; i++)
        if (records[i] != MESSAGE_NO_RECORD)
            opened->keys[count++].n = records[i];
    if (exchangeroom_want(room, opened->keys, count, error) < 0)
        return -1;
    step->began = clock_monotonic_us();
    for (size_t i = 0, key = 0; i < WANTED_MAX; i++)
        if (records[i] != MESSAGE_NO_RECORD &&
            exchangeroom_open_record(room, records[i], opened->keys[key++].secret, values[i],
                                     error) < 0)
            return -1;
    return 0;
}

/* The whole request in locked memory; keys and opened values are gone when this returns. */
static int build(struct exchangeroom *room, struct step *step, struct secret **ret_request,
                 struct error *error)
{
    auto_opened struct opened opened = {0};
    auto_call struct oauth_call call = {0};
    if (open_records(room, step, &opened, error) < 0)
        return -1;
    /* A client that redeems once more says that it is the same one. */
    if (step->step == STEP_REDEEM && step->grant != MESSAGE_NO_RECORD)
        step->parameters.machine_id = exchangeroom_fact(room, step->grant, "machine_id");
    const struct oauth_values values = {.app_secret = opened.app_secret,
                                        .grant = opened.grant,
                                        .code = room->code,
                                        .verifier = room->verifier,
                                        .client_token = room->client_token};
    if (oauth_call_make(step->provider, step->step, &step->parameters, &values, &call, error) < 0)
        return -1;
    if (passage_is_of(step->step) &&
        passage_begin(step, opened.app_secret, opened.grant, error) < 0)
        return -1;
    const struct http_request request = {call.method, call.target, call.bearer, call.form};
    return http_request_write(&room->origin, &request, ret_request, error);
}

/* What has come before it was asked for is no answer to what is asked next; so nothing is asked. */
static int check_quiet(struct exchangeroom *room, struct step *step, struct error *error)
{
    enum connection_found found = connection_look(room->connection);
    if (found == CONNECTION_QUIET)
        return 0;
    step->is_unasked = true;
    if (found == CONNECTION_ENDED)
        return error_set(error, CODE_RETRY, "the server closed the connection before it was asked");
    if (!room->has_asked)
        return error_set(error, CODE_RETRY, "the server answered before it was asked");
    error_set(error, CODE_STOP,
              "the server sent more than it was asked for: what it said before "
              "may have been meant for somebody else");
    return error_hint(error, "see what is true now: p11vault inspect NAME");
}

int exchangeroom_send(struct exchangeroom *room, struct step *step, struct deadline deadline,
                      struct error *error)
{
    auto_of(secret_free) struct secret *request = NULL;
    if (check_quiet(room, step, error) < 0 || build(room, step, &request, error) < 0)
        return -1;
    /* Once more, as late as can be: the keys took a while to come. */
    int result = check_quiet(room, step, error);
    if (result == 0) {
        room->has_asked = true;
        result = connection_send(room->connection, secret_data(request), secret_size(request),
                                 deadline, error);
    }
    secret_free(TAKE(request));
    /* What can be sent once only is of no use afterwards, whatever the answer is. */
    if ((step->needs & ONCE_ONLY) != 0) {
        secret_free(TAKE(room->code));
        secret_free(TAKE(room->verifier));
    }
    scrub_stack_and_registers();
    step->request_us = clock_monotonic_us() - step->began;
    step->began = 0;
    return result;
}
