/*
 * `exchange`: short-lived to long-lived, of one grant or of many.  What the provider says of the grant before is the
 * yardstick for what it says of the one it issues; the old one stays until the new one has been confirmed.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

/* One slot: what the exchange issues. */
#define SLOTS 1

static int find_records(struct work *work, struct error *error)
{
    struct job *job = work->job;
    const char *name = work->name.full;
    work->issuing = oauth_lengthen_step(job->provider, work->name.kind);
    if (work->issuing == STEP_COUNT)
        return error_set(error, CODE_USAGE, "a grant of kind '%s' cannot be exchanged",
                         work->name.kind);
    if (work_find(work, name, "current", true, &work->grant, error) < 0)
        return -1;
    return work_find(work, name, "pending", false, &work->pending, error);
}

/* A grant that an earlier run was issued and could not confirm is as good as one issued now. */
static int resolve_pending(struct work *work, bool *ret_taken, struct error *error)
{
    *ret_taken = false;
    if (work->pending == NO_RECORD)
        return 0;
    return work_confirm(work, work->pending, work_row(work, work->grant), ret_taken, error);
}

static int exchange(struct work *work, bool *ret_resolved, struct error *error)
{
    const struct order order = {
        .step = work->issuing, .grant = work->grant, .slot = work_slot(work, 0)};
    bool taken;
    if (work_check_input(work, error) < 0 || resolve_pending(work, ret_resolved, error) < 0)
        return -1;
    if (*ret_resolved)
        return 0;
    if (work_step(work, &order, NULL, error) < 0)
        return -1;
    if (work->verdict.action != CODE_DONE)
        return work_verdict(work, error);
    if (!work_row(work, order.slot))
        return error_set(error, CODE_STOP, "the provider issued nothing");
    if (work_confirm(work, order.slot, work_row(work, work->grant), &taken, error) < 0)
        return -1;
    return taken ? 0 : -1;
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
        .resolved = resolved};
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

/* Every grant that can be worked on gets a place; the others are told at once. */
static int begin_works(struct run *run, const struct name *names, size_t count, struct error *error)
{
    run->works = calloc(count, sizeof(*run->works));
    if (!run->works)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct work *work = &run->works[run->count];
        struct error failure;
        if (work_begin(work, &run->job, &names[i], SLOTS, &failure) < 0 ||
            find_records(work, &failure) < 0) {
            fail(run, work, &failure);
            work_abandon(work);
        } else {
            run->count++;
        }
    }
    return 0;
}

static void work_through(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct work *work = &run->works[i];
        struct error failure;
        bool resolved = false;
        if (exchange(work, &resolved, &failure) < 0)
            fail(run, work, &failure);
        else
            tell(run, &work->name, work, resolved, NULL);
    }
}

/* What fails here fails for all of them. */
static void exchange_of_app(struct run *run, const struct name *names, size_t count)
{
    struct error failure;
    if (job_begin(&run->job, names->app, &failure) < 0 ||
        begin_works(run, names, count, &failure) < 0) {
        for (size_t i = 0; i < count; i++) {
            struct error mine = failure;
            error_prefix(&mine, "%s", names[i].full);
            tell(run, &names[i], NULL, false, &mine);
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
    return strcmp(((const struct name *)one)->app, ((const struct name *)other)->app);
}

int front_exchange(struct front *front, struct name *names, size_t count, front_told *told,
                   void *context, struct error *error)
{
    struct error worst = {.code = CODE_DONE};
    if (session_prepare(front, false, NULL, error) < 0)
        return -1;
    qsort(names, count, sizeof(*names), compare_apps);
    for (size_t from = 0; from < count;) {
        size_t to = from + 1;
        while (to < count && strcmp(names[to].app, names[from].app) == 0)
            to++;
        struct run run = {.job = {.front = front, .verb = "exchange"},
                          .told = told,
                          .context = context,
                          .worst = &worst};
        exchange_of_app(&run, names + from, to - from);
        run_clear(&run);
        from = to;
    }
    if (worst.code == CODE_DONE)
        return 0;
    *error = worst;
    return -1;
}
