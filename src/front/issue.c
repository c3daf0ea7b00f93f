/*
 * `issue`: the other grants of a provider's system, each made from the app itself or from a grant that is held.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

#define SLOTS 1

struct issuing {
    const struct front_issue *what;
    struct job job;
    struct work work;
    struct store_record old;
};

static void issuing_clear(struct issuing *issuing)
{
    store_record_clear(&issuing->old);
    work_clear(&issuing->work);
    job_clear(&issuing->job);
}

/* ---- which step ---- */

static const struct {
    const char *kind, *from; /* from "": the app itself */
    bool is_narrow;
    enum oauth_step step;
} ways[] = {
    {"app", "", false, STEP_APP_TOKEN},
    {"session", "user", false, STEP_SESSION_INFO},
    {"user", "user", false, STEP_REDEEM},
    {"page", "user", false, STEP_PAGES},
    {"system-user", "system-user", false, STEP_SYSTEM_USER},
    {"system-user", "user", false, STEP_SYSTEM_USER},
    {"system-user", "system-user", true, STEP_NARROW},
    {"system-user", "user", true, STEP_NARROW},
};

/* The step that leads from one kind to the other, in this family. */
static int find_way(const struct provider *provider, const struct name *name,
                    const struct front_issue *what, enum oauth_step *ret_step, struct error *error)
{
    const char *from = what->from ? what->from->kind : "";
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].kind, name->kind) == 0 && strcmp(ways[i].from, from) == 0 &&
            ways[i].is_narrow == what->is_narrow && oauth_step_needs(provider, ways[i].step) != 0) {
            *ret_step = ways[i].step;
            return 0;
        }
    if (!*from) {
        error_set(error, CODE_USAGE, "%s issues no grant of kind '%s' to an app by itself",
                  provider->name, name->kind);
        return error_hint(error, "p11vault issue %s --from %s/KIND/LABEL", name->full, name->app);
    }
    return error_set(error, CODE_USAGE, "%s makes no grant of kind '%s' from one of kind '%s'",
                     provider->name, name->kind, from);
}

static int check_from(const struct name *name, const struct name *from, struct error *error)
{
    if (!from)
        return 0;
    if (strcmp(name->app, from->app) != 0)
        return error_set(error, CODE_USAGE, "'%s' is of another app", from->full);
    if (strcmp(name->full, from->full) == 0)
        return error_set(error, CODE_USAGE, "a grant cannot be made from itself");
    return 0;
}

/* What the step cannot do without is missing before the card is asked. */
static int check_given(enum oauth_step step, const struct front_issue *what, struct error *error)
{
    if (step == STEP_REDEEM && !what->redirect_uri)
        return error_set(error, CODE_USAGE,
                         "a client's redirect address is missing: --redirect, as the app's "
                         "dashboard has it");
    if (step == STEP_SYSTEM_USER && !what->subject)
        return error_set(error, CODE_USAGE, "the system user's id is missing: --user-id");
    return 0;
}

static bool is_page(const struct work *work)
{
    return work->issuing == STEP_PAGES;
}

/* Whose it must be: the one it is for, or the one whose grant it is made from. */
static const char *expected_subject(const struct issuing *issuing)
{
    const struct work *work = &issuing->work;
    const struct name *from = issuing->what->from;
    if (is_page(work))
        return work->name.label;
    if (work->issuing == STEP_SYSTEM_USER)
        return issuing->what->subject;
    if (!from || (strcmp(from->kind, work->name.kind) != 0 && work->issuing != STEP_SESSION_INFO))
        return NULL;
    return work->job->records[work->source].subject;
}

/*
 * A grant of somebody else under the same name is not replaced, and what waits under it is not
 * given up for one.
 */
static int check_subject(struct issuing *issuing, struct error *error)
{
    struct work *work = &issuing->work;
    const struct store_record *old = &issuing->old, *waiting = work_row(work, work->pending);
    work->subject = expected_subject(issuing);
    if (old->name && !work->subject)
        work->subject = old->subject;
    if (old->name && work_check_subject(work, old, work->subject, error) < 0)
        return -1;
    return waiting ? work_check_subject(work, waiting, work->subject, error) : 0;
}

static int find_records(struct issuing *issuing, const struct name *name, struct error *error)
{
    struct work *work = &issuing->work;
    const struct name *from = issuing->what->from;
    /* What a client was told to call itself stands in its old grant. */
    if (work->issuing == STEP_REDEEM &&
        work_find(work, name->full, "current", false, &work->grant, error) < 0)
        return -1;
    if ((from && work_find(work, from->full, "current", true, &work->source, error) < 0) ||
        work_find(work, name->full, "pending", false, &work->pending, error) < 0 ||
        work_find_old(work, name->full, "current", &issuing->old, error) < 0)
        return -1;
    return check_subject(issuing, error);
}

static int begin(struct issuing *issuing, const struct name *name, struct error *error)
{
    struct job *job = &issuing->job;
    struct work *work = &issuing->work;
    const struct name *from = issuing->what->from;
    if (check_from(name, from, error) < 0 || session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, name->app, error) < 0 || work_begin(work, job, name, SLOTS, error) < 0 ||
        find_way(job->provider, name, issuing->what, &work->issuing, error) < 0 ||
        check_given(work->issuing, issuing->what, error) < 0)
        return -1;
    return find_records(issuing, name, error);
}

/* ---- the provider ---- */

static int step(struct work *work, struct order *order, struct error *error)
{
    if (work_step(work, order, NULL, error) < 0)
        return -1;
    return work_check_issued(work, order->slot, error);
}

/* A client's code stays in the exchange room: it is redeemed there, as that client would. */
static int get_code(struct issuing *issuing, struct error *error)
{
    struct work *work = &issuing->work;
    struct order order = {.step = STEP_CLIENT_CODE,
                          .grant = work->source,
                          .slot = NO_RECORD,
                          .parameters = {.redirect_uri = issuing->what->redirect_uri}};
    return work->issuing == STEP_REDEEM ? step(work, &order, error) : 0;
}

static int only_offer(void *context, const json_t *offered, struct name *ret_name, bool *ret_take,
                      struct error *error)
{
    const struct name *name = context;
    const char *id = json_text(offered, "id");
    (void)error;
    *ret_take = id && strcmp(id, name->label) == 0;
    *ret_name = *name;
    return 0;
}

static int issue(struct issuing *issuing, struct error *error)
{
    const struct front_issue *what = issuing->what;
    struct work *work = &issuing->work;
    struct order order = {.step = work->issuing,
                          .grant = work->issuing == STEP_REDEEM ? work->grant : work->source,
                          .slot = work_slot(work, 0),
                          .offer = is_page(work) ? only_offer : NULL,
                          .context = &work->name,
                          .parameters = {.subject = what->subject,
                                         .page = is_page(work) ? work->name.label : NULL,
                                         .scopes = what->scopes,
                                         .assets = what->assets,
                                         .redirect_uri = what->redirect_uri,
                                         .sixty_days = what->sixty_days}};
    struct store_record *old = issuing->old.name ? &issuing->old : NULL;
    enum grant_fate fate;
    bool resolved;
    if (work_resolve(work, old, work->issuing, &resolved, error) < 0)
        return -1;
    if (resolved) {
        work_say_resolved(work, work->name.full);
        return 0;
    }
    if (get_code(issuing, error) < 0 || step(work, &order, error) < 0)
        return -1;
    return work_confirm(work, order.slot, old, &fate, error);
}

int front_issue(struct front *front, const struct name *name, const struct front_issue *what,
                struct oauth_facts *ret_facts, struct error *error)
{
    __attribute__((cleanup(issuing_clear))) struct issuing issuing = {
        .what = what,
        .job = {.front = front, .verb = "issue", .session = SESSION_NONE},
        .work = WORK_NONE};
    if (begin(&issuing, name, error) == 0 &&
        job_open(&issuing.job, &issuing.work, 1, NULL, error) == 0 && issue(&issuing, error) == 0) {
        *ret_facts = issuing.work.result;
        return 0;
    }
    work_fail(&issuing.work, error);
    return error_prefix(error, "%s", name->full);
}
