/*
 * A grant of which only the provider can tell the kind: kept first under the name that was given,
 * then under a free one of its own kind.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

#define SPARES_MAX 99

/* The label itself, then LABEL-2, LABEL-3, …, cut where that would be too long. */
static int name_spare(const struct name *name, const char *kind, unsigned number,
                      struct name *ret_spare, struct error *error)
{
    char full[NAME_MAX_SIZE];
    if (number == 1)
        (void)snprintf(full, sizeof(full), "%s/%s/%s", name->app, kind, name->label);
    else
        (void)snprintf(full, sizeof(full), "%s/%s/%.*s-%u", name->app, kind, NAME_PART_MAX - 3,
                       name->label, number);
    return name_parse_grant(full, ret_spare, error);
}

/* Nothing is current under it and nothing waits, and nobody else is about to take it. */
static int take_if_free(struct work *work, const struct name *spare, bool *ret_taken,
                        struct error *error)
{
    static const char *const states[] = {"current", "pending"};
    struct vault *vault = work->job->front->vault;
    auto_close int lock = -1;
    struct error busy;
    *ret_taken = false;
    if (vault_lock(vault, spare->full, "working on this grant", &lock, &busy) < 0)
        return 0;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        auto_record struct store_record row = {0};
        bool exists;
        if (store_record_get(vault->store, spare->full, states[i], &row, &exists, error) < 0)
            return -1;
        if (exists)
            return 0;
    }
    work->spare = *spare;
    work->spare_lock = TAKE_FD(lock);
    *ret_taken = true;
    return 0;
}

int work_reserve_kind(struct work *work, const char *kind, struct error *error)
{
    for (unsigned number = 1; number <= SPARES_MAX; number++) {
        struct name spare;
        bool taken;
        if (name_spare(&work->name, kind, number, &spare, error) < 0 ||
            take_if_free(work, &spare, &taken, error) < 0)
            return -1;
        if (taken)
            return 0;
    }
    error_set(error, CODE_USAGE, "no free name of kind '%s' for what may be issued", kind);
    return error_hint(error, "take another label");
}

static void say_moved(const struct work *work)
{
    char text[2 * NAME_MAX_SIZE + NAME_PART_MAX + 64];
    (void)snprintf(text, sizeof(text),
                   "%s: the provider issued a grant of kind '%s': it becomes %s", work->name.full,
                   work->spare.kind, work->spare.full);
    if (work->job->front->say)
        work->job->front->say(text);
}

int work_settle_kind(struct work *work, size_t *number, size_t slot, struct error *error)
{
    const struct provider *provider = work->job->provider;
    if (work_inspect(work, STEP_INSPECT_RESULT, *number, &work->result, error) < 0)
        return -1;
    if (work->result.valid == 0)
        return 0;
    if (work->verdict.action != CODE_DONE)
        return work_verdict(work, error);
    const char *kind = oauth_kind_said(provider, &work->result);
    if (kind && strcmp(kind, work->name.kind) == 0)
        return 0;
    if (!kind || strcmp(kind, work->spare.kind) != 0)
        return error_set(error, CODE_STOP,
                         "the provider issued a grant of kind neither '%s' nor '%s'",
                         work->name.kind, work->spare.kind);
    if (work_move(work, *number, slot, &work->spare, error) < 0)
        return error_prefix(error, "keep it as '%s'", work->spare.full);
    say_moved(work);
    work->name = work->spare;
    *number = slot;
    return 0;
}
