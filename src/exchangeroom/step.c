/*
 * One step: its order, then open, build, send, wipe (send.c), wait with nothing in memory, read, judge, wipe, seal (answer.c).
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/log.h"
#include "p11vault/http/response.h"
#include "p11vault/oauth/parameters.h"

void step_clear(struct step *step)
{
    json_decref(step->held);
    http_response_free(step->response);
    passage_clear(&step->passage);
    *step = (struct step){0};
}

/* What is issued and has no place to be sealed into would be lost; what is missing is found before anything is sent. */
static int check_order(struct exchangeroom *room, struct step *step, struct error *error)
{
    bool has_code = room->code != NULL;
    if (step->needs == 0)
        return error_set(error, CODE_FAULT, "unknown step");
    if ((step->needs & NEEDS_CODE) != 0 && !has_code)
        return error_set(error, CODE_FAULT, "%s: there is no code", oauth_step_name(step->step));
    if ((step->needs & NEEDS_CLIENT_TOKEN) != 0 && !room->client_token)
        return error_set(error, CODE_FAULT, "%s: there is no client token",
                         oauth_step_name(step->step));
    if ((step->needs & ISSUES_GRANT) != 0 && exchangeroom_check_slot(room, step->slot, error) < 0)
        return -1;
    return passage_check(step, error);
}

static int read_order(struct exchangeroom *room, const struct message *order, struct step *step,
                      struct error *error)
{
    uint64_t number = order->step.step;
    const char *text = order->step.parameters;
    step->provider = provider_find(order->step.provider);
    step->step = number < STEP_COUNT ? (enum oauth_step)number : STEP_COUNT;
    step->needs = step->provider ? oauth_step_needs(step->provider, step->step) : 0;
    step->secret = order->step.secret;
    step->grant = order->step.grant;
    step->slot = order->step.slot;
    if (json_parse(text, strlen(text), "parameters", &step->held, error) < 0 ||
        oauth_parameters_from_json(step->held, &step->parameters, error) < 0)
        return -1;
    step->parameters.now = clock_now();
    return check_order(room, step, error);
}

static int carry_out(struct exchangeroom *room, struct step *step, struct error *error)
{
    struct deadline deadline = deadline_in(room->step_ms);
    if (http_response_new(HTTP_BODY_MAX, &step->response, error) < 0)
        return -1;
    if (passage_is_of(step->step))
        http_response_stream(step->response, HTTP_STREAM_MAX);
    if (exchangeroom_send(room, step, deadline, error) < 0 ||
        exchangeroom_receive(room, step, deadline, error) < 0)
        return exchangeroom_tell_broken(room, step, error);
    log_info("%s: HTTP %d", oauth_step_name(step->step), http_response_status(step->response));
    return exchangeroom_take_answer(room, step, error);
}

int exchangeroom_step(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_step struct step step = {0};
    if (read_order(room, order, &step, error) < 0 || carry_out(room, &step, error) < 0)
        return -1;
    exchangeroom_forget_records(room);
    return 0;
}
