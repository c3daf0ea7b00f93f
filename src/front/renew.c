/*
 * `exchange` and `refresh`: grants that live longer, one or many.  What the provider says of the grant before is the
 * yardstick for what it says of the one it issues; the old one stays until the new one has been confirmed.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "p11vault/base/interrupt.h"

/* One slot: what the provider issues. */
#define SLOTS 1

/* Grants of one login: each has one record or two, and the app its secret.  More of them are another job. */
#define WORKS_MAX ((JOB_RECORDS_MAX - 1) / 2)

/* An app's calls beyond this share of its quota are left to those who need them more. */
#define BUDGET_PERCENT 75

/* The step that makes a grant of this kind live longer; STEP_COUNT: there is none. */
static enum oauth_step lengthening(const struct work *work)
{
    const struct provider *provider = work->job->provider;
    enum oauth_step step = oauth_lengthen_step(provider, work->name.kind);
    return step != STEP_COUNT ? step : oauth_renew_step(provider, work->name.kind);
}

/* Which step is wanted; STEP_COUNT: it is looked at only. */
static int choose_step(struct work *work, enum front_renewal how, struct error *error)
{
    work->issuing = STEP_COUNT;
    if (how == FRONT_REFRESH)
        work->issuing = oauth_renew_step(work->job->provider, work->name.kind);
    if (how != FRONT_EXCHANGE)
        return 0;
    work->issuing = lengthening(work);
    if (work->issuing == STEP_COUNT)
        return error_set(error, CODE_USAGE, "a grant of kind '%s' cannot be exchanged",
                         work->name.kind);
    return 0;
}

static int find_records(struct work *work, enum front_renewal how, struct error *error)
{
    const char *name = work->name.full;
    if (choose_step(work, how, error) < 0)
        return -1;
    if (work_find(work, name, "pending", false, &work->pending, error) < 0)
        return -1;
    /* Of a first login that was broken off there is only what waits. */
    bool must_exist = work->pending == NO_RECORD;
    return work_find(work, name, "current", must_exist, &work->grant, error);
}

/*
 * A grant that an earlier run was issued and could not confirm is as good as one issued now, and
 * judged as that: also where the one it is to replace would only be looked at.  That one may have
 * ended since: it is not asked first.
 */
static int resolve_pending(struct work *work, bool *ret_resolved, struct error *error)
{
    struct store_record *old = work_row(work, work->grant);
    if (old && work->pending != NO_RECORD)
        work->input.expires = old->expires;
    if (work_resolve(work, old, lengthening(work), ret_resolved, error) < 0)
        return -1;
    return *ret_resolved || old ? 0 : -1;
}

/* It is alive, and the provider has been asked today; nothing more can be done for it. */
static int only_checked(struct work *work, struct error *error)
{
    work->result = work->input;
    return work_close(work, "done", NULL, error);
}

/* A token for 60 days would be worse, and would live on beside it. */
static bool is_endless(const struct work *work)
{
    return work->standing == STANDING_ALIVE && work->input.expires == 0;
}

static int renew(struct work *work, bool *ret_resolved, struct error *error)
{
    const struct order order = {
        .step = work->issuing, .grant = work->grant, .slot = work_slot(work, 0)};
    enum grant_fate fate;
    if (resolve_pending(work, ret_resolved, error) < 0)
        return -1;
    if (*ret_resolved)
        return 0;
    if (work_check_input(work, error) < 0)
        return -1;
    if (work->issuing == STEP_COUNT || is_endless(work))
        return only_checked(work, error);
    work->subject = *work->input.subject ? work->input.subject : NULL;
    if (work_step(work, &order, NULL, error) < 0 || work_check_issued(work, order.slot, error) < 0)
        return -1;
    /* Where its answer is in doubt, so is what the provider said before over the same connection. */
    if (work->verdict.action != CODE_DONE)
        work_doubt_input(work);
    return work_confirm(work, order.slot, work_row(work, work->grant), &fate, error);
}

/* ---- one app's grants ---- */

struct run {
    struct job job;
    struct work *works;
    size_t count;
    front_told *told;
    void *context;
    struct error *worst;
};

static void run_clear(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        work_clear(&run->works[i]);
    free(run->works);
    job_clear(&run->job);
}

/* `work` NULL: it never began. */
static void tell(struct run *run, const struct name *name, const struct work *work, bool resolved,
                 const struct error *failure)
{
    const struct front_exchanged exchanged = {
        .name = name,
        .failure = failure,
        .subject = work ? work->result.subject : "",
        .expires_before = work ? work->input.expires : STORE_UNKNOWN,
        .expires_after = work ? work->result.expires : STORE_UNKNOWN,
        .lost_scopes = work ? buffer_text(&work->lost) : "",
        .resolved = resolved,
        .endless = work && work->issuing != STEP_COUNT && !resolved && is_endless(work)};
    if (failure && failure->code > run->worst->code)
        *run->worst = *failure;
    run->told(run->context, &exchanged);
}

/* A grant that fails stops no other, but for what all of them need. */
static void fail(struct run *run, struct work *work, struct error *failure)
{
    work_fail(work, failure);
    error_prefix(failure, "%s", work->name.full);
    tell(run, &work->name, work, false, failure);
}

/* Whether another process has replaced it before its lock was ours; then it is told as it is now. */
static int is_replaced(struct work *work, int64_t version, bool *ret_replaced, struct error *error)
{
    struct store_record row = {0};
    bool found;
    *ret_replaced = false;
    if (version == 0)
        return 0;
    if (store_record_get(work->job->front->vault->store, work->name.full, "current", &row, &found,
                         error) < 0)
        return -1;
    if (found && row.version != version) {
        *ret_replaced = true;
        work->result.expires = row.expires;
        (void)snprintf(work->result.subject, sizeof(work->result.subject), "%s",
                       row.subject ? row.subject : "");
    }
    store_record_clear(&row);
    return 0;
}

/* Every grant that can be worked on gets a place; the others are told at once. */
static int begin_works(struct run *run, const struct front_wanted *wanted, size_t count,
                       struct error *error)
{
    run->works = calloc(count, sizeof(*run->works));
    if (!run->works)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct work *work = &run->works[run->count];
        struct error failure;
        bool replaced;
        if (work_begin(work, &run->job, &wanted[i].name, SLOTS, &failure) < 0 ||
            is_replaced(work, wanted[i].version, &replaced, &failure) < 0 ||
            (!replaced && find_records(work, wanted[i].how, &failure) < 0)) {
            fail(run, work, &failure);
            work_abandon(work);
        } else if (replaced) {
            tell(run, &work->name, work, false, NULL);
            work_abandon(work);
        } else {
            run->count++;
        }
    }
    return 0;
}

/* Calls while an app is at its limit only prolong it: the rest of its grants wait. */
static bool must_wait(const struct run *run, struct error *failure)
{
    const struct job *job = &run->job;
    if (!job->is_limited && job->usage.percent < BUDGET_PERCENT)
        return false;
    if (job->is_limited)
        error_set(failure, CODE_WAIT, "the app has reached a limit: not asked");
    else
        error_set(failure, CODE_WAIT, "the app has used %d %% of its calls: not asked",
                  job->usage.percent);
    int64_t minutes = job->usage.wait > 0 ? (job->usage.wait + 59) / 60 : 60;
    error_hint(failure, "run it again in %lld minutes: what is done stays done",
               (long long)minutes);
    return true;
}

/* What the provider would issue could not be kept. */
static bool is_stuck(const struct run *run, struct error *failure)
{
    if (!run->job.is_stuck)
        return false;
    error_set(failure, CODE_LOG, "the store takes no changes now: not asked");
    error_hint(failure, "fix that, then run it again: what is done stays done");
    return true;
}

static void work_through(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct work *work = &run->works[i];
        struct error failure;
        bool resolved = false;
        if (is_stuck(run, &failure) || must_wait(run, &failure) ||
            renew(work, &resolved, &failure) < 0)
            fail(run, work, &failure);
        else
            tell(run, &work->name, work, resolved, NULL);
    }
}

/* What fails here fails for all of them. */
static void renew_of_app(struct run *run, const struct front_wanted *wanted, size_t count)
{
    struct error failure;
    if (is_stuck(run, &failure) || job_begin(&run->job, wanted->name.app, &failure) < 0 ||
        begin_works(run, wanted, count, &failure) < 0) {
        for (size_t i = 0; i < count; i++) {
            struct error mine = failure;
            error_prefix(&mine, "%s", wanted[i].name.full);
            tell(run, &wanted[i].name, NULL, false, &mine);
        }
    } else if (run->count > 0 && job_open(&run->job, run->works, run->count, NULL, &failure) < 0) {
        for (size_t i = 0; i < run->count; i++) {
            struct error mine = failure;
            fail(run, &run->works[i], &mine);
        }
    } else {
        work_through(run);
    }
}

static int compare_apps(const void *one, const void *other)
{
    const struct front_wanted *first = one, *second = other;
    return strcmp(first->name.app, second->name.app);
}

int front_renew(struct front *front, const char *verb, struct front_wanted *wanted, size_t count,
                front_told *told, void *context, struct error *error)
{
    struct error worst = {.code = CODE_DONE};
    bool is_stuck = false;
    if (session_prepare(front, false, NULL, error) < 0)
        return count == 1 ? error_prefix(error, "%s", wanted->name.full) : -1;
    qsort(wanted, count, sizeof(*wanted), compare_apps);
    for (size_t from = 0; from < count;) {
        size_t to = from + 1;
        while (to < count && to - from < WORKS_MAX &&
               strcmp(wanted[to].name.app, wanted[from].name.app) == 0)
            to++;
        struct run run = {
            .job = {.front = front, .verb = verb, .session = SESSION_NONE, .is_stuck = is_stuck},
            .told = told,
            .context = context,
            .worst = &worst};
        renew_of_app(&run, wanted + from, to - from);
        is_stuck = run.job.is_stuck;
        run_clear(&run);
        from = interrupt_came() ? count : to;
    }
    if (worst.code == CODE_DONE)
        return 0;
    *error = worst;
    return -1;
}
