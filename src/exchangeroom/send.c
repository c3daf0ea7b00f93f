/*
 * The request of a step: opened, built, sent, wiped.
 */
#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/http/request.h"
#include "p11vault/oauth/call.h"

/* What a step opens; wiped when the request is made. */
struct opened {
    struct secret *secret_key, *grant_key, *app_secret, *grant;
};

static void opened_clear(struct opened *opened)
{
    secret_free(TAKE(opened->secret_key));
    secret_free(TAKE(opened->grant_key));
    secret_free(TAKE(opened->app_secret));
    secret_free(TAKE(opened->grant));
}
#define auto_opened __attribute__((cleanup(opened_clear)))

/* Both keys are asked for before either record is opened: nothing stands in clear while the other rooms work. */
static int open_records(struct exchangeroom *room, struct step *step, struct opened *opened,
                        struct error *error)
{
    bool has_secret = step->secret != MESSAGE_NO_RECORD,
         has_grant = step->grant != MESSAGE_NO_RECORD;
    if (has_secret && exchangeroom_want_record(room, step->secret, &opened->secret_key, error) < 0)
        return -1;
    if (has_grant && exchangeroom_want_record(room, step->grant, &opened->grant_key, error) < 0)
        return -1;
    step->began = clock_monotonic_us();
    if (has_secret && exchangeroom_open_record(room, step->secret, opened->secret_key,
                                               &opened->app_secret, error) < 0)
        return -1;
    if (has_grant &&
        exchangeroom_open_record(room, step->grant, opened->grant_key, &opened->grant, error) < 0)
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
                                        .verifier = room->verifier};
    if (oauth_call_make(step->provider, step->step, &step->parameters, &values, &call, error) < 0)
        return -1;
    if (passage_is_of(step->step) &&
        passage_begin(step, opened.app_secret, opened.grant, error) < 0)
        return -1;
    const struct http_request request = {call.method, call.target, call.bearer, call.form};
    return http_request_write(&room->origin, &request, ret_request, error);
}

int exchangeroom_send(struct exchangeroom *room, struct step *step, struct deadline deadline,
                      struct error *error)
{
    auto_of(secret_free) struct secret *request = NULL;
    if (build(room, step, &request, error) < 0)
        return -1;
    int result = connection_send(room->connection, secret_data(request), secret_size(request),
                                 deadline, error);
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
