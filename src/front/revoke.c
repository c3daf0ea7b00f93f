/*
 * `revoke`: at the provider, then here; and `grant forget` for what is dead there already.
 */
#include <string.h>

#include "companions.h"
#include "job.h"

struct revoking {
    struct job job;
    struct work work;
    struct store_record *others; /* that end with it */
    int *locks;
    size_t count;
};

static void revoking_clear(struct revoking *revoking)
{
    for (size_t i = 0; i < revoking->count; i++) {
        store_record_clear(&revoking->others[i]);
        cleanup_close(&revoking->locks[i]);
    }
    free(revoking->others);
    free(revoking->locks);
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

/* Those of which it is known, each with its lock: nobody renews one meanwhile. */
static int find_others(struct revoking *revoking, const struct name *name, enum oauth_step step,
                       struct error *error)
{
    struct vault *vault = revoking->job.front->vault;
    auto_companions struct companions companions = {0};
    if (companions_find(vault, name, revoking->job.provider, step, &companions, error) < 0)
        return -1;
    revoking->others = calloc(companions.count + 1, sizeof(revoking->others[0]));
    revoking->locks = calloc(companions.count + 1, sizeof(revoking->locks[0]));
    if (!revoking->others || !revoking->locks)
        return error_memory(error);
    for (size_t i = 0; i < companions.count; i++) {
        const struct companion *companion = &companions.list[i];
        if (!companion->is_certain)
            continue;
        revoking->locks[revoking->count++] = -1;
        size_t last = revoking->count - 1;
        if (vault_lock(vault, companion->name, "working on this grant", &revoking->locks[last],
                       error) < 0 ||
            vault_find_record(vault, companion->name, "current", &revoking->others[last], error) <
                0)
            return error_prefix(error, "%s, which ends with it", companion->name);
    }
    return 0;
}

static int end_it(struct revoking *revoking, const struct name *name, const char *permission,
                  struct error *error)
{
    struct work *work = &revoking->work;
    enum oauth_step step;
    if (begin(revoking, name, permission, &step, error) < 0 ||
        (!permission && find_others(revoking, name, step, error) < 0) ||
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
    if (!permission && work_forget(work, revoking->others, revoking->count, error) < 0)
        return -1;
    return work_close(work, "done", NULL, error);
}

int front_companions(struct front *front, const struct name *name, front_companion_told *told,
                     void *context, struct error *error)
{
    auto_companions struct companions companions = {0};
    struct store_app app = {0};
    bool found;
    if (store_app_get(front->vault->store, name->app, &app, &found, error) < 0)
        return -1;
    const struct provider *provider = found ? provider_find(app.provider) : NULL;
    store_app_clear(&app);
    if (!provider)
        return 0; /* what is wrong is said by who needs the app */
    if (companions_find(front->vault, name, provider, oauth_end_step(provider, name->kind),
                        &companions, error) < 0)
        return -1;
    for (size_t i = 0; i < companions.count; i++)
        told(context, companions.list[i].name, companions.list[i].is_certain);
    return 0;
}

int front_revoke(struct front *front, const struct name *name, const char *permission,
                 front_companion_told *told, void *context, struct error *error)
{
    __attribute__((cleanup(revoking_clear))) struct revoking revoking = {
        .job = {.front = front, .verb = "revoke", .session = SESSION_NONE}, .work = WORK_NONE};
    if (end_it(&revoking, name, permission, error) == 0) {
        for (size_t i = 0; i < revoking.count; i++)
            told(context, revoking.others[i].name, true);
        return 0;
    }
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
    if (vault_check_seen(vault, error) < 0)
        return -1;
    vault_take_unkept(vault, front->say);
    if (vault_lock(vault, name->full, "working on this grant", &lock, error) < 0 ||
        vault_lock_app(vault, name->app, false, &app_lock, error) < 0 ||
        store_reserve(vault->store, STORE_ROOM_CHANGE, error) < 0)
        return -1;
    return forget_all(vault, name, error);
}
