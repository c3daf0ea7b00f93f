/*
 * What the provider itself says decides: of the grant that is held, before anything is done with it, and of the one that was issued,
 * before it takes its place.  oauth/judge.h says what is proof.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

bool work_is_told_of(const struct work *work, const char *kind)
{
    const struct provider *provider = work->job->provider;
    return provider->has_debugger || strcmp(kind, provider->person_kind) == 0;
}

/* ---- whose it must be ---- */

int work_known_subject(const struct work *work, const struct store_record *row,
                       char ret_subject[FACT_TEXT_MAX], struct error *error)
{
    auto_json json_t *remarks = NULL;
    bool is_page = strcmp(row->kind, "page") == 0;
    if (vault_remarks(work->job->front->vault, row, &remarks, error) < 0)
        return -1;
    const char *known = is_page ? json_text(remarks, "profile") : row->subject;
    (void)snprintf(ret_subject, FACT_TEXT_MAX, "%s", known ? known : "");
    return 0;
}

int work_check_subject(const struct work *work, const struct store_record *old, const char *wanted,
                       struct error *error)
{
    char known[FACT_TEXT_MAX];
    if (work_known_subject(work, old, known, error) < 0)
        return -1;
    if (!*known || !wanted || strcmp(known, wanted) == 0)
        return 0;
    error_set(error, CODE_STOP, "'%s' is of %s, not of %s", old->name, known, wanted);
    return error_hint(
        error, "take another name; or give the old grant up: p11vault grant forget %s", old->name);
}

/*
 * What was asked for; else what the store knows of the grant that it comes from and would replace;
 * else what was known when it was issued.
 */
static int find_subject(struct work *work, const struct store_record *grant,
                        const struct store_record *old, char ret_subject[FACT_TEXT_MAX],
                        struct error *error)
{
    ret_subject[0] = '\0';
    if (work->subject) {
        (void)snprintf(ret_subject, FACT_TEXT_MAX, "%s", work->subject);
        return 0;
    }
    if (old && old == work_row(work, work->grant) &&
        work_known_subject(work, old, ret_subject, error) < 0)
        return -1;
    return *ret_subject ? 0 : work_known_subject(work, grant, ret_subject, error);
}

static struct oauth_expected expectation(const struct work *work, const char *kind,
                                         const char *subject)
{
    return (struct oauth_expected){.provider = work->job->provider,
                                   .client_id = json_text(work->job->app.app_entry, "client_id"),
                                   .kind = kind,
                                   .step = work->issuing,
                                   .subject = *subject ? subject : NULL,
                                   .now = clock_now()};
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

/* ---- the grant that is held ---- */

/* Without a debugger a dead grant has no facts but that it is dead: what was known of it stays. */
static void note_dead(struct work *work, const struct store_record *row)
{
    if (work->job->provider->has_debugger)
        return;
    work->input.valid = 0;
    complete(work, row, &work->input);
    if (!*work->input.subject && row->subject)
        (void)snprintf(work->input.subject, sizeof(work->input.subject), "%s", row->subject);
}

int work_check_input(struct work *work, struct error *error)
{
    const struct store_record *row = work_row(work, work->grant);
    char subject[FACT_TEXT_MAX];
    struct oauth_verdict verdict;
    if (!work_is_told_of(work, row->kind) || work->standing == STANDING_ALIVE)
        return 0;
    if (work_known_subject(work, row, subject, error) < 0 ||
        work_inspect(work, STEP_INSPECT_INPUT, work->grant, &work->input, error) < 0)
        return -1;
    const struct oauth_expected expected = expectation(work, row->kind, subject);
    const struct oauth_said said = {&work->verdict, &work->input};
    if (work->verdict.action == CODE_DONE)
        complete(work, row, &work->input);
    work->standing = oauth_judge_input(&expected, &said, &verdict);
    work->verdict = verdict;
    if (work->standing == STANDING_DEAD)
        note_dead(work, row);
    return work->standing == STANDING_ALIVE ? 0 : work_verdict(work, error);
}

/* ---- what was issued ---- */

/* The old one as oauth_decide() wants it; NULL where the issued one is no renewed form of it. */
static const struct oauth_old *find_old(struct work *work, const struct store_record *old,
                                        struct oauth_old *known)
{
    if (!old || old != work_row(work, work->grant))
        return NULL;
    known->standing = work->standing;
    known->expires = work->standing == STANDING_ALIVE ? work->input.expires : old->expires;
    return known;
}

/*
 * By what the provider says of it; of the old one only when the fate hangs on that one, too.  The
 * verdict is that on the issued one. -1: it could not be asked.
 */
static int decide(struct work *work, size_t number, const struct store_record *old,
                  enum grant_fate *ret_fate, struct error *error)
{
    const struct store_record *grant = work_row(work, number);
    struct oauth_verdict verdict = {.action = CODE_DONE};
    struct error ignored;
    char subject[FACT_TEXT_MAX];
    oauth_facts_init(&work->result);
    *ret_fate = FATE_WAIT;
    if (!work_is_told_of(work, grant->kind)) {
        /* The answer that issued it is all there is: when it is not believed, neither is the grant. */
        if (work->verdict.action != CODE_DONE)
            return work_verdict(work, error);
        *ret_fate = FATE_PROMOTE;
        complete(work, grant, &work->result);
        return 0;
    }
    if (find_subject(work, grant, old, subject, error) < 0 ||
        work_inspect(work, STEP_INSPECT_RESULT, number, &work->result, error) < 0)
        return -1;
    const struct oauth_expected expected = expectation(work, grant->kind, subject);
    const struct oauth_verdict answered = work->verdict;
    const struct oauth_said said = {&answered, &work->result};
    struct oauth_old known;
    if (answered.action == CODE_DONE)
        complete(work, grant, &work->result);
    *ret_fate = oauth_decide(&expected, find_old(work, old, &known), &said, &verdict);
    if (*ret_fate == FATE_ASK_OLD) {
        if (work_check_input(work, &ignored) < 0 && work->standing == STANDING_UNASKED)
            work->standing = STANDING_UNKNOWN;
        *ret_fate = oauth_decide(&expected, find_old(work, old, &known), &said, &verdict);
        work->step = STEP_INSPECT_RESULT;
    }
    work->verdict = verdict;
    return 0;
}

/* A person's word ends what a login has brought: also the short-lived grant on the way. */
static int refuse_all(struct work *work, struct error *error)
{
    struct error refusing;
    for (size_t i = 0; i < work->issued_count; i++) {
        struct issued *issued = &work->issued[i];
        bool is_pending = issued->is_kept && strcmp(issued->row.state, "pending") == 0;
        if (is_pending && work_reject(work, &issued->row, &refusing) < 0) {
            *error = refusing;
            return -1;
        }
    }
    return error_set(error, CODE_USAGE, "the account was not confirmed: the grant is not kept");
}

/* A login with a configuration gives one of two kinds, and may have ended before it was known which. */
static bool is_of_other_kind(const struct work *work, const char *kind)
{
    const struct provider *provider = work->job->provider;
    const char *person = provider->person_kind, *business = provider->business_kind;
    const char *said = oauth_kind_said(provider, &work->result);
    if (!said || !business)
        return false;
    return (strcmp(kind, person) == 0 && strcmp(said, business) == 0) ||
           (strcmp(kind, business) == 0 && strcmp(said, person) == 0);
}

/* Nothing is lost by an answer that proves nothing. */
static int leave_waiting(const struct work *work, const struct store_record *grant,
                         struct error *error)
{
    struct error said = *error;
    error_set(error, said.code, "%s; the new token waits to be confirmed", said.text);
    if (is_of_other_kind(work, grant->kind))
        return error_hint(error, "go on with it: p11vault login %s --config-id ID", grant->name);
    if (*said.hint)
        return error_hint(error, "%s", said.hint);
    return error_hint(error, "ask about it again: p11vault %s %s",
                      oauth_confirming_verb(work->job->provider, grant->kind), grant->name);
}

int work_confirm(struct work *work, size_t number, struct store_record *old,
                 enum grant_fate *ret_fate, struct error *error)
{
    struct store_record *grant = work_row(work, number);
    struct error rejecting;
    *ret_fate = FATE_WAIT;
    if (!grant)
        return error_set(error, CODE_STOP, "the provider issued nothing");
    if (decide(work, number, old, ret_fate, error) < 0)
        return -1;
    if (*ret_fate == FATE_PROMOTE) {
        if (work->agrees && !work->agrees(work->context, &work->result)) {
            *ret_fate = FATE_REJECT;
            return refuse_all(work, error);
        }
        if ((work->keeps_open ? work_promote_one : work_promote)(work, grant, old, error) == 0)
            return 0;
        *ret_fate = FATE_WAIT;
        return -1;
    }
    (void)work_verdict(work, error);
    if (*ret_fate == FATE_WAIT)
        return leave_waiting(work, grant, error);
    if (work_reject(work, grant, &rejecting) < 0)
        *error = rejecting;
    return -1;
}

int work_resolve(struct work *work, struct store_record *old, enum oauth_step issuing,
                 bool *ret_resolved, struct error *error)
{
    const enum oauth_step wanted = work->issuing;
    enum grant_fate fate;
    struct error checking;
    auto_record struct store_record other = {0};
    bool waits;
    *ret_resolved = false;
    if (work->pending == NO_RECORD)
        return 0;
    work->issuing = issuing;
    int result = work_confirm(work, work->pending, old, &fate, error);
    work->issuing = wanted;
    *ret_resolved = result == 0;
    if (result == 0 || (fate != FATE_SURPLUS && fate != FATE_REJECT))
        return result;
    oauth_facts_init(&work->result);
    if (store_record_get(work->job->front->vault->store, work->name.full, "pending", &other, &waits,
                         &checking) < 0) {
        *error = checking;
        return -1;
    }
    return waits ? -1 : 0;
}
