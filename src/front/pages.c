/*
 * `pages`: every page grant of a person's grant.  Each is kept as it comes, confirmed, and takes its place on its own; one that
 * fails stops no other, and a run that was broken off can be done again.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

#define SLOTS JOB_RECORDS_MAX
#define LISTS_MAX 1000 /* answers, of which some may be empty */

/* A page of the list that is being read: its grants, issued but not confirmed yet. */
struct listed {
    struct name name;
    char label[FACT_TEXT_MAX], tasks[256];
    size_t slot;
    int lock;
    struct store_record old;
};

struct paging {
    struct job job;
    struct work work;
    front_page_told *told;
    void *context;
    struct listed listed[OAUTH_PAGES_MAX];
    size_t count;
    size_t repeated; /* pages of this answer that an earlier one had */
    size_t next_slot;
    char seals[NAME_MAX_SIZE];
    struct error worst;
};

static void forget_listed(struct paging *paging)
{
    for (size_t i = 0; i < paging->count; i++) {
        store_record_clear(&paging->listed[i].old);
        cleanup_close(&paging->listed[i].lock);
    }
    paging->count = 0;
}

static void paging_free(struct paging *paging)
{
    if (!paging)
        return;
    forget_listed(paging);
    work_clear(&paging->work);
    job_clear(&paging->job);
    free(paging);
}
DEFINE_CLEANUP(struct paging, paging_free);

static void tell(struct paging *paging, const struct listed *listed, const struct error *failure)
{
    const struct front_page page = {&listed->name, listed->label, listed->tasks, failure};
    if (failure && failure->code > paging->worst.code)
        paging->worst = *failure;
    paging->told(paging->context, &page);
}

/* ---- what is offered ---- */

static void name_page(struct listed *listed, const char *app, const json_t *offered)
{
    struct error ignored;
    char full[NAME_MAX_SIZE];
    (void)snprintf(full, sizeof(full), "%s/page/%s", app, json_text(offered, "id"));
    *listed = (struct listed){.lock = -1};
    (void)snprintf(listed->label, sizeof(listed->label), "%s", json_text(offered, "label"));
    (void)snprintf(listed->tasks, sizeof(listed->tasks), "%s", json_text(offered, "tasks"));
    /* An id is digits: as a label it fits. */
    (void)name_parse_grant(full, &listed->name, &ignored);
}

static bool is_offer(const json_t *offered)
{
    return json_text(offered, "id") && json_text(offered, "label") && json_text(offered, "tasks");
}

/* A list that changes while it is read may bring a page twice. */
static bool is_repeated(const struct work *work, const char *name)
{
    for (size_t i = 0; i < work->issued_count; i++)
        if (work->issued[i].is_kept && strcmp(work->issued[i].name.full, name) == 0)
            return true;
    return false;
}

/* A page that another process works on, or that store and log do not agree on, is told and let go. */
static int take_offer(void *context, const json_t *offered, struct name *ret_name, bool *ret_take,
                      struct error *error)
{
    struct paging *paging = context;
    struct vault *vault = paging->job.front->vault;
    struct error failure;
    if (!is_offer(offered) || paging->count == OAUTH_PAGES_MAX)
        return error_set(error, CODE_FAULT, "the exchange room offers what is no page");
    struct listed *listed = &paging->listed[paging->count];
    name_page(listed, paging->work.name.app, offered);
    if (is_repeated(&paging->work, listed->name.full)) {
        paging->repeated++;
        return 0;
    }
    if (paging->next_slot == work_slot(&paging->work, SLOTS))
        return error_set(error, CODE_STOP, "the list has more than %d pages", SLOTS);
    if (vault_lock(vault, listed->name.full, "working on this grant", &listed->lock, &failure) <
            0 ||
        work_find_old(&paging->work, listed->name.full, "current", &listed->old, &failure) < 0) {
        error_prefix(&failure, "%s", listed->name.full);
        tell(paging, listed, &failure);
        cleanup_close(&listed->lock);
        return 0;
    }
    listed->slot = paging->next_slot++;
    paging->count++;
    *ret_name = listed->name;
    *ret_take = true;
    return 0;
}

/* ---- one answer of the list ---- */

static int confirm_listed(struct paging *paging, struct error *error)
{
    struct work *work = &paging->work;
    for (size_t i = 0; i < paging->count; i++) {
        struct listed *listed = &paging->listed[i];
        struct error failure;
        bool taken;
        work->subject = listed->name.label;
        if (work_confirm(work, listed->slot, listed->old.name ? &listed->old : NULL, &taken,
                         &failure) < 0) {
            /* It stays pending.  Where the provider cannot be asked now, the next one would fare no better. */
            *error = failure;
            return error_prefix(error, "%s", listed->name.full);
        }
        if (!taken)
            error_prefix(&failure, "%s", listed->name.full);
        tell(paging, listed, taken ? NULL : &failure);
    }
    forget_listed(paging);
    return 0;
}

static int read_list(struct paging *paging, struct error *error)
{
    struct work *work = &paging->work;
    char cursor[OAUTH_CURSOR_MAX] = "";
    size_t lists = 0;
    do {
        auto_json json_t *told = NULL;
        auto_answer struct oauth_answer answer = {0};
        const struct order order = {.step = STEP_PAGES,
                                    .grant = work->grant,
                                    .slot = paging->next_slot,
                                    .offer = take_offer,
                                    .context = paging,
                                    .parameters = {.cursor = cursor}};
        paging->repeated = 0;
        if (work_step(work, &order, &told, error) < 0)
            return -1;
        if (work->verdict.action != CODE_DONE)
            return work_verdict(work, error);
        bool is_new = paging->count > 0 || paging->repeated == 0;
        if (oauth_answer_from_json(told, &answer, error) < 0 || confirm_listed(paging, error) < 0)
            return -1;
        if (*answer.cursor && (!is_new || ++lists == LISTS_MAX))
            return error_set(error, CODE_STOP, "the provider's list of pages has no end");
        (void)snprintf(cursor, sizeof(cursor), "%s", answer.cursor);
    } while (*cursor);
    return 0;
}

/* ---- the job ---- */

static int begin(struct paging *paging, const struct name *from, struct error *error)
{
    struct job *job = &paging->job;
    struct work *work = &paging->work;
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, from->app, error) < 0 || work_begin(work, job, from, SLOTS, error) < 0)
        return -1;
    if (oauth_step_needs(job->provider, STEP_PAGES) == 0 || strcmp(from->kind, "user") != 0)
        return error_set(error, CODE_USAGE, "only a user grant of Meta has pages");
    (void)snprintf(paging->seals, sizeof(paging->seals), "%s/page/*", from->app);
    work->seals = paging->seals;
    work->issuing = STEP_PAGES;
    work->keeps_open = true;
    return work_find(work, from->full, "current", true, &work->grant, error);
}

static int run(struct paging *paging, const struct name *from, struct error *error)
{
    struct work *work = &paging->work;
    if (begin(paging, from, error) < 0 || job_open(&paging->job, work, 1, NULL, error) < 0 ||
        work_check_input(work, error) < 0)
        return -1;
    paging->next_slot = work_slot(work, 0);
    if (read_list(paging, error) < 0)
        return -1;
    if (paging->worst.code == CODE_DONE)
        return work_close(work, "done", NULL, error);
    *error = paging->worst;
    return -1;
}

int front_pages(struct front *front, const struct name *from, front_page_told *told, void *context,
                struct error *error)
{
    auto_of(paging_free) struct paging *paging = calloc(1, sizeof(*paging));
    if (!paging)
        return error_memory(error);
    paging->job = (struct job){.front = front, .verb = "pages", .session = SESSION_NONE};
    paging->work = WORK_NONE;
    paging->told = told;
    paging->context = context;
    if (run(paging, from, error) == 0)
        return 0;
    work_fail(&paging->work, error);
    return error_prefix(error, "%s", from->full);
}
