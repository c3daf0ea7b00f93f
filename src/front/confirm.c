/*
 * What the provider itself says decides: of the grant that is held, before anything is done with it, and of the one that was issued,
 * before it takes its place.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

/* The provider itself says that the grant is none of ours; an answer that nobody can read says nothing. */
static bool refused(const struct oauth_verdict *verdict)
{
    return verdict->action == CODE_LOGIN ||
           (verdict->action == CODE_STOP && verdict->provider_code != 0);
}

static struct oauth_expected expectation(const struct work *work, const char *kind)
{
    return (struct oauth_expected){.provider = work->job->provider,
                                   .client_id = json_text(work->job->app.app_entry, "client_id"),
                                   .kind = kind,
                                   .step = work->issuing,
                                   .subject = work->subject,
                                   .now = clock_now()};
}

bool work_is_told_of(const struct work *work, const char *kind)
{
    const struct provider *provider = work->job->provider;
    return provider->has_debugger || strcmp(kind, provider->person_kind) == 0;
}

/* A verdict of ours takes the place of the provider's "fine", and keeps what the log says of the answer. */
static void judged(struct work *work, struct oauth_verdict *verdict)
{
    verdict->http = work->verdict.http;
    work->verdict = *verdict;
}

/*
 * Without a debugger nobody says when a grant ends but the answer that issued it.  An app token has no end, and no debugger
 * says so.
 */
static void complete(const struct work *work, const struct store_record *row,
                     struct oauth_facts *facts)
{
    if (facts->expires == FACT_UNKNOWN && strcmp(row->kind, "app") == 0)
        facts->expires = 0;
    if (work->job->provider->has_debugger)
        return;
    if (facts->expires == FACT_UNKNOWN)
        facts->expires = row->expires;
    if (facts->issued == FACT_UNKNOWN)
        facts->issued = row->issued;
}

/* Without a debugger a dead grant has no facts but that it is dead: what was known of it stays. */
static void note_dead(struct work *work, const struct store_record *row)
{
    if (work->job->provider->has_debugger || work->verdict.action != CODE_LOGIN)
        return;
    work->input.valid = 0;
    complete(work, row, &work->input);
    (void)snprintf(work->input.subject, sizeof(work->input.subject), "%s",
                   row->subject ? row->subject : "");
}

int work_check_input(struct work *work, struct error *error)
{
    const struct store_record *row = work_row(work, work->grant);
    if (!work_is_told_of(work, row->kind))
        return 0;
    if (work_inspect(work, STEP_INSPECT_INPUT, work->grant, &work->input, error) < 0)
        return -1;
    if (work->verdict.action == CODE_DONE) {
        struct oauth_verdict verdict = {0};
        const struct oauth_expected expected = expectation(work, row->kind);
        complete(work, row, &work->input);
        oauth_judge_input(&expected, &work->input, &verdict);
        if (verdict.action != CODE_DONE)
            judged(work, &verdict);
    } else {
        note_dead(work, row);
    }
    return work->verdict.action == CODE_DONE ? 0 : work_verdict(work, error);
}

/* Inspects a pending grant: the verdict says whether it is taken.  -1: the provider could not be asked. */
static int inspect_result(struct work *work, size_t number, struct error *error)
{
    const struct store_record *row = work_row(work, number);
    oauth_facts_init(&work->result);
    if (!work_is_told_of(work, row->kind)) {
        /* The answer that issued it is all there is: when it is not believed, neither is the grant. */
        if (work->verdict.action != CODE_DONE)
            return work_verdict(work, error);
        complete(work, row, &work->result);
        return 0;
    }
    if (work_inspect(work, STEP_INSPECT_RESULT, number, &work->result, error) < 0)
        return -1;
    if (work->verdict.action != CODE_DONE)
        return refused(&work->verdict) ? 0 : work_verdict(work, error);
    struct oauth_verdict verdict = {0};
    const struct oauth_expected expected = expectation(work, row->kind);
    complete(work, row, &work->result);
    oauth_judge_result(&expected, work->grant == NO_RECORD ? NULL : &work->input, &work->result,
                       &verdict);
    judged(work, &verdict);
    return 0;
}

/* The provider's word, then the person's where one is asked. */
static bool is_accepted(struct work *work, struct error *error)
{
    if (work->verdict.action != CODE_DONE) {
        (void)work_verdict(work, error);
        return false;
    }
    if (!work->agrees || work->agrees(work->context, &work->result))
        return true;
    error_set(error, CODE_USAGE, "the account was not confirmed: the grant is not kept");
    return false;
}

int work_confirm(struct work *work, size_t number, struct store_record *old, bool *ret_taken,
                 struct error *error)
{
    struct store_record *grant = work_row(work, number);
    struct error rejecting;
    *ret_taken = false;
    if (!grant)
        return error_set(error, CODE_STOP, "the provider issued nothing");
    if (inspect_result(work, number, error) < 0)
        return -1;
    if (is_accepted(work, error)) {
        *ret_taken = true;
        return work->keeps_open ? work_promote_one(work, grant, old, error)
                                : work_promote(work, grant, old, error);
    }
    if (work_retire(work, grant, "rejected", &rejecting) == 0)
        return 0;
    *error = rejecting;
    return -1;
}
