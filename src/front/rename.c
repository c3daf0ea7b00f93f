/*
 * `grant rename`: a name stands inside the sealed record, so the record is sealed anew under the new one.
 */
#include <string.h>

#include "transfer.h"

/* What waits to be confirmed would be lost with its name, or be mistaken for the new one. */
static int check_none_waits(struct vault *vault, const struct name *name, const char *verb,
                            struct error *error)
{
    auto_record struct store_record row = {0};
    bool exists;
    if (store_record_get(vault->store, name->full, "pending", &row, &exists, error) < 0)
        return -1;
    if (!exists)
        return 0;
    error_set(error, CODE_USAGE, "'%s' has a version that waits to be confirmed", name->full);
    return error_hint(error, "p11vault %s %s", verb, name->full);
}

static int find_record(struct transfer *transfer, const struct name *from, const struct name *to,
                       struct error *error)
{
    struct job *job = &transfer->job;
    struct vault *vault = job->front->vault;
    auto_record struct store_record row = {0};
    auto_record struct store_record other = {0};
    bool exists;
    size_t number;
    if (vault_find_record(vault, from->full, "current", &row, error) < 0 ||
        check_none_waits(vault, from, oauth_confirming_verb(job->provider, from->kind), error) <
            0 ||
        job_add_record(job, &row, &number, error) < 0 ||
        store_record_get(vault->store, to->full, "current", &other, &exists, error) < 0)
        return -1;
    if (exists)
        return error_set(error, CODE_USAGE, "there is a '%s' already", to->full);
    if (check_none_waits(vault, to, "grant forget", error) < 0)
        return -1;
    transfer->moved = calloc(1, sizeof(*transfer->moved));
    if (!transfer->moved)
        return error_memory(error);
    transfer->moved->name = *to;
    return vault_next_version(vault, to->full, &transfer->moved->version, error);
}

/* The new name is there and the old one gone in one change. */
static int write_rows(struct transfer *transfer, struct error *error)
{
    struct job *job = &transfer->job;
    struct vault *vault = job->front->vault;
    const struct store_record *old = &job->records[0];
    const struct vault_retirement forgotten = {.state = "forgotten", .use = job->session.use};
    if (transfer_put(transfer, 0, error) < 0 || vault_retire(vault, old, &forgotten, error) < 0 ||
        store_record_destroy_previous(vault->store, old->name, old->version, error) < 0)
        return -1;
    return transfer_append_outcome(transfer, error);
}

static int keep(struct transfer *transfer, struct error *error)
{
    auto_change struct store *change = transfer->job.front->vault->store;
    return store_begin(change, error) < 0 || write_rows(transfer, error) < 0
               ? -1
               : store_commit(change, error);
}

static int rename_it(struct transfer *transfer, const struct name *from, const struct name *to,
                     struct error *error)
{
    struct job *job = &transfer->job;
    auto_cards struct vault_cards cards = {0};
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_find_app(job, from->app, error) < 0)
        return -1;
    transfer->kid = vault_app_kid(&job->app);
    if (find_record(transfer, from, to, error) < 0 ||
        vault_cards_find(job->front->vault, &job->head, &cards, error) < 0 ||
        transfer_intend(transfer, error) < 0)
        return -1;
    if (transfer_open(transfer, &cards, error) < 0 || transfer_sign(transfer, error) < 0 ||
        transfer_move(transfer, 0, error) < 0 || keep(transfer, error) < 0) {
        session_fail_use(&job->session, error);
        return -1;
    }
    return 0;
}

int front_rename(struct front *front, const struct name *from, const struct name *to,
                 struct error *error)
{
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = {
        .job = {.front = front, .verb = "grant rename", .session = SESSION_NONE},
        .about = from->full};
    auto_close int old_lock = -1;
    auto_close int new_lock = -1;
    if (strcmp(from->app, to->app) != 0 || strcmp(from->kind, to->kind) != 0) {
        error_set(error, CODE_USAGE, "'%s' is of another app or kind: only the label can change",
                  to->full);
        return error_hint(error, "p11vault grant rename %s %s/%s/LABEL", from->full, from->app,
                          from->kind);
    }
    if (strcmp(from->full, to->full) == 0)
        return error_set(error, CODE_USAGE, "'%s' is its name already", to->full);
    if (vault_lock(front->vault, from->full, "working on this grant", &old_lock, error) < 0 ||
        vault_lock(front->vault, to->full, "working on this grant", &new_lock, error) < 0)
        return -1;
    return rename_it(&transfer, from, to, error);
}
