/*
 * The answer to a batch: each item is judged as the answer to a call, and the gravest of them is
 * the verdict on all.
 */
#include <stdio.h>
#include <string.h>

#include "exchangeroom.h"

static const char *no_header(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

/* Nothing came of it: it was left out because it succeeded, or nobody knows. */
static int judge_null(bool may_be, struct oauth_verdict *verdict)
{
    *verdict = (struct oauth_verdict){.action = may_be ? CODE_DONE : CODE_RETRY};
    (void)snprintf(verdict->message, sizeof(verdict->message), "the provider gave no answer");
    (void)snprintf(verdict->hint, sizeof(verdict->hint),
                   "check whether it was done before you call it again");
    return 0;
}

static int judge_body(const struct step *step, int status, const struct secret *body,
                      struct oauth_verdict *verdict, struct error *error)
{
    const struct oauth_reply reply = {
        .step = STEP_CALL, .status = status, .header = no_header, .body = body};
    auto_answer struct oauth_answer answer = {0};
    if (oauth_answer_read(step->provider, &reply, &answer, error) < 0)
        return -1;
    *verdict = answer.verdict;
    return 0;
}

int batch_take_item(struct step *step, int status, const struct secret *body, struct error *error)
{
    struct batch *batch = &step->passage.batch;
    struct oauth_verdict verdict;
    size_t number = batch->come++;
    if (number >= batch->asked.count)
        return 0;
    bool is_null = status == 0 && secret_size(body) == 0;
    if ((is_null ? judge_null(batch->asked.may_be_null[number], &verdict)
                 : judge_body(step, status, body, &verdict, error)) < 0)
        return -1;
    if (verdict.action <= batch->worst.action)
        return 0;
    batch->worst = verdict;
    (void)snprintf(batch->worst.message, sizeof(verdict.message), "call %zu of %zu: %.200s",
                   number + 1, batch->asked.count, verdict.message);
    return 0;
}

void batch_judge(const struct batch *batch, struct oauth_verdict *verdict)
{
    int http = verdict->http;
    *verdict = batch->worst;
    verdict->http = http;
    if (batch->come == batch->asked.count)
        return;
    verdict->action = CODE_STOP;
    (void)snprintf(verdict->message, sizeof(verdict->message),
                   "the provider gave %zu answers to %zu calls", batch->come, batch->asked.count);
    (void)snprintf(verdict->hint, sizeof(verdict->hint),
                   "check which were done before you call them again");
}
