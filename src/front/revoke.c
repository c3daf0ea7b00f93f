/*
 * `revoke`: at the provider, then here; and `grant forget` for what is dead there already.
 */
#include <string.h>

#include "job.h"

struct revoking {
    struct job job;
    struct work work;
};

static void revoking_clear(struct revoking *revoking)
{
    work_clear(&revoking->work);
    job_clear(&revoking->job);
}

/* A permission alone is the person's to take back. */
static enum oauth_step ending_step(const struct provider *provider, const struct name *name,
                                   const char *permission)
{
    enum oauth_step step = oauth_end_step(provider, name->kind);
    return permission && step != STEP_TAKE_BACK ? STEP_COUNT : step;
}

static int begin(struct revoking *revoking, const struct name *name, const char *permission,
                 enum oauth_step *ret_step, struct error *error)
{
    struct job *job = &revoking->job;
    struct work *work = &revoking->work;
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, name->app, error) < 0 || work_begin(work, job, name, 0, error) < 0)
        return -1;
    *ret_step = ending_step(job->provider, name, permission);
    if (*ret_step == STEP_COUNT) {
        error_set(error, CODE_USAGE, "%s has no call that ends a grant of kind '%s'",
                  job->provider->name, name->kind);
        return error_hint(error,
                          "end it in the provider's own settings, then: p11vault grant "
                          "forget %s",
                          name->full);
    }
    return work_find(work, name->full, "current", true, &work->grant, error);
}

static int end_it(struct revoking *revoking, const struct name *name, const char *permission,
                  struct error *error)
{
    struct work *work = &revoking->work;
    enum oauth_step step;
    if (begin(revoking, name, permission, &step, error) < 0 ||
        job_open(&revoking->job, work, 1, NULL, error) < 0)
        return -1;
    const struct order order = {.step = step,
                                .grant = work->grant,
                                .slot = NO_RECORD,
                                .parameters = {.permission = permission}};
    if (work_step(work, &order, NULL, error) < 0)
        return -1;
    if (work->verdict.action != CODE_DONE)
        return work_verdict(work, error);
    if (!permission && work_forget(work, error) < 0)
        return -1;
    return work_close(work, "done", NULL, error);
}

int front_revoke(struct front *front, const struct name *name, const char *permission,
                 struct error *error)
{
    __attribute__((cleanup(revoking_clear))) struct revoking revoking = {
        .job = {.front = front, .verb = "revoke", .session = SESSION_NONE}, .work = WORK_NONE};
    if (end_it(&revoking, name, permission, error) == 0)
        return 0;
    work_fail(&revoking.work, error);
    return error_prefix(error, "%s", name->full);
}

/* ---- forgetting ---- */

/* Every version that can still be opened; what is known of them stays in the log. */
static int forget_all(struct vault *vault, const struct name *name, struct error *error)
{
    const struct vault_retirement forgotten = {.state = "forgotten"};
    auto_change struct store *change = vault->store;
    size_t count = 0;
    int64_t next;
    if (store_begin(change, error) < 0 ||
        vault_retire_all(vault, name->full, "pending", &forgotten, &count, error) < 0 ||
        vault_retire_all(vault, name->full, "current", &forgotten, &count, error) < 0)
        return -1;
    if (count == 0)
        return error_set(error, CODE_USAGE, "there is no '%s' in this vault", name->full);
    if (vault_next_version(vault, name->full, &next, error) < 0 ||
        store_record_destroy_previous(change, name->full, next, error) < 0)
        return -1;
    return store_commit(change, error);
}

int front_forget(struct front *front, const struct name *name, struct error *error)
{
    auto_close int lock = -1;
    auto_close int app_lock = -1;
    struct vault *vault = front->vault;
    vault_take_unkept(vault, front->say);
    if (vault_lock(vault, name->full, "working on this grant", &lock, error) < 0 ||
        vault_lock_app(vault, name->app, false, &app_lock, error) < 0 ||
        vault_check_seen(vault, error) < 0 ||
        store_reserve(vault->store, STORE_ROOM_CHANGE, error) < 0)
        return -1;
    return forget_all(vault, name, error);
}
