/*
 * `pages`: every page grant of a person's grant.  Each is kept as it comes, confirmed, and takes its place on its own; one that
 * fails stops no other, and a run that was broken off can be done again.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/oauth/listing.h"
#include "pages.h"

static void paging_free(struct paging *paging)
{
    if (!paging)
        return;
    paging_forget_listed(paging);
    while (paging->waiting_count > 0)
        paging_release(&paging->waiting[--paging->waiting_count]);
    json_decref(paging->seen);
    json_decref(paging->withheld);
    work_clear(&paging->work);
    job_clear(&paging->job);
    free(paging);
}
DEFINE_CLEANUP(struct paging, paging_free);

/* ---- one page ---- */

void paging_release(struct listed *listed)
{
    store_record_clear(&listed->old);
    cleanup_close(&listed->lock);
    listed->lock = -1;
}

void paging_tell(struct paging *paging, struct listed *listed, const struct error *failure)
{
    struct front_page page = {.failure = failure};
    if (listed) {
        listed->is_told = true;
        page.name = &listed->name;
        page.label = listed->label;
        page.tasks = listed->tasks;
    }
    paging->failed_pages += failure && listed;
    paging->failed_lists += failure && !listed;
    if (failure && failure->code > paging->worst.code)
        paging->worst = *failure;
    paging->what->told(paging->what->context, &page);
}

void paging_tell_failed(struct paging *paging, struct listed *listed, struct error *failure)
{
    error_prefix(failure, "%s", listed->name.full);
    paging_tell(paging, listed, failure);
    paging_release(listed);
}

int paging_begin_page(struct paging *paging, struct listed *listed, struct error *error)
{
    struct work *work = &paging->work;
    const char *name = listed->name.full;
    if (vault_lock(paging->job.front->vault, name, "working on this grant", &listed->lock, error) <
            0 ||
        work_find_old(work, name, "current", &listed->old, error) < 0)
        return -1;
    return listed->old.name ? work_check_subject(work, &listed->old, listed->name.label, error) : 0;
}

int paging_confirm(struct paging *paging, struct listed *listed, enum grant_fate *ret_fate,
                   struct error *error)
{
    struct work *work = &paging->work;
    struct error failure;
    work->subject = listed->name.label;
    if (work_confirm(work, listed->number, listed->old.name ? &listed->old : NULL, ret_fate,
                     &failure) == 0)
        return 0;
    if (failure.code == CODE_STOP || failure.code == CODE_LOGIN) {
        /* One that an earlier run has left makes way for another one, and is not missed. */
        if (*ret_fate != FATE_REJECT || listed->number >= paging->job.record_count)
            paging_tell_failed(paging, listed, &failure);
        return 0;
    }
    *error = failure;
    return error_prefix(error, "%s", listed->name.full);
}

/* ---- what is missing ---- */

/* A verdict on the lists, with the names in its hint. */
static int say_verdict(const struct paging *paging, const struct oauth_verdict *verdict,
                       struct error *error)
{
    char hint[OAUTH_HINT_MAX];
    const struct name *from = &paging->work.name;
    error_set(error, verdict->action, "%s", verdict->message);
    oauth_hint_fill(verdict->hint, from->full, from->app, hint);
    return *hint ? error_hint(error, "%s", hint) : -1;
}

/* A page that one list has without a grant may have come from another list with one. */
static void tell_withheld(struct paging *paging)
{
    const char *id;
    json_t *label;
    json_object_foreach (paging->withheld, id, label) {
        struct oauth_verdict verdict;
        struct listed listed;
        struct error failure;
        if (json_object_get(paging->seen, id))
            continue;
        paging_name(&listed, paging->work.name.app, id, json_string_value(label), "");
        oauth_listing_withheld(&paging->work.input, paging->what->of_businesses, &verdict);
        (void)say_verdict(paging, &verdict, &failure);
        error_prefix(&failure, "%s%s%s%s", listed.name.full, *listed.label ? " (" : "",
                     listed.label, *listed.label ? ")" : "");
        paging_tell(paging, &listed, &failure);
        paging->withheld_count++;
    }
}

/* The reason goes into the log; each was told already. */
static int fail_with_worst(struct paging *paging, size_t pages, struct error *error)
{
    work_fail(&paging->work, &paging->worst);
    /* One that an earlier run has left need not be in a list any more. */
    if (paging->failed_pages > 0)
        return error_set(error, paging->worst.code, "%zu of %zu pages were not kept",
                         paging->failed_pages,
                         pages < paging->failed_pages ? paging->failed_pages : pages);
    return error_set(error, paging->worst.code, "%zu list%s of pages could not be read",
                     paging->failed_lists, paging->failed_lists == 1 ? "" : "s");
}

/*
 * What the lists were short of: an error, or (`note`, with the code CODE_DONE) something to be
 * said.
 */
static int judge_lists(struct paging *paging, struct error *note, struct error *error)
{
    struct oauth_verdict verdict;
    tell_withheld(paging);
    const struct oauth_listing listing = {.of_businesses = paging->what->of_businesses,
                                          .pages = json_object_size(paging->seen) +
                                                   paging->withheld_count,
                                          .total = paging->total};
    if (paging->worst.code != CODE_DONE)
        return fail_with_worst(paging, listing.pages, error);
    oauth_listing_judge(&paging->work.input, &listing, &verdict);
    if (verdict.action != CODE_DONE)
        return say_verdict(paging, &verdict, error);
    (void)say_verdict(paging, &verdict, note);
    return 0;
}

/* ---- the job ---- */

static int begin(struct paging *paging, const struct name *from, struct error *error)
{
    struct job *job = &paging->job;
    struct work *work = &paging->work;
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, from->app, error) < 0 || work_begin(work, job, from, PAGE_SLOTS, error) < 0)
        return -1;
    if (oauth_step_needs(job->provider, STEP_PAGES) == 0 || strcmp(from->kind, "user") != 0)
        return error_set(error, CODE_USAGE, "only a user grant of Meta has pages");
    (void)snprintf(paging->seals, sizeof(paging->seals), "%s/page/*", from->app);
    work->seals = paging->seals;
    work->issuing = STEP_PAGES;
    work->keeps_open = true;
    if (work_find(work, from->full, "current", true, &work->grant, error) < 0)
        return -1;
    return paging_find_waiting(paging, error);
}

static int check_grant(struct paging *paging, struct error *error)
{
    struct oauth_verdict verdict;
    if (work_check_input(&paging->work, error) < 0)
        return -1;
    oauth_listing_may(&paging->work.input, paging->what->of_businesses, &verdict);
    return verdict.action == CODE_DONE ? 0 : say_verdict(paging, &verdict, error);
}

static int run(struct paging *paging, const struct name *from, struct error *note,
               struct error *error)
{
    struct work *work = &paging->work;
    if (begin(paging, from, error) < 0 || job_open(&paging->job, work, 1, NULL, error) < 0 ||
        paging_confirm_waiting(paging, error) < 0 || check_grant(paging, error) < 0)
        return -1;
    paging->next_slot = work_slot(work, 0);
    if (paging_read(paging, error) < 0 || judge_lists(paging, note, error) < 0)
        return -1;
    return work_close(work, "done", NULL, error);
}

int front_pages(struct front *front, const struct name *from, const struct front_pages *what,
                struct error *ret_note, struct error *error)
{
    auto_of(paging_free) struct paging *paging = calloc(1, sizeof(*paging));
    struct error note = {.code = CODE_DONE};
    if (!paging)
        return error_memory(error);
    paging->job = (struct job){.front = front, .verb = "pages", .session = SESSION_NONE};
    paging->work = WORK_NONE;
    paging->what = what;
    paging->seen = json_object();
    paging->withheld = json_object();
    if (!paging->seen || !paging->withheld)
        return error_memory(error);
    if (run(paging, from, &note, error) == 0) {
        *ret_note = note;
        return 0;
    }
    work_fail(&paging->work, error);
    return error_prefix(error, "%s", from->full);
}
