/*
 * `app rekey`: another key for an app, to which its secret and all of its grants are sealed anew.  The old key and what is sealed to it
 * stay until everything is done: a run that is broken off has changed nothing and is done again.
 */
#include <stdio.h>
#include <string.h>

#include "transfer.h"

struct rekeying {
    struct transfer transfer;
    struct made made;
    uint64_t key_entry; /* about what was made */
    void (*told)(void *context, size_t done, size_t count);
    void *context;
};

static void rekeying_clear(struct rekeying *rekeying)
{
    made_clear(&rekeying->made);
    transfer_clear(&rekeying->transfer);
}

/* ---- what there is ---- */

struct names {
    const char *app;
    char (*names)[NAME_MAX_SIZE]; /* of current records */
    size_t count;
    char pending[NAME_MAX_SIZE]; /* the first that nobody has confirmed yet */
    bool is_replacing;           /* it has a current version */
};

/* Rows come by name, and the versions of a name in their order: a pending one behind the current one. */
static int note_name(void *context, const struct store_record *row, struct error *error)
{
    struct names *names = context;
    const char *last = names->count > 0 ? names->names[names->count - 1] : "";
    if (strcmp(row->app, names->app) != 0)
        return 0;
    if (strcmp(row->state, "pending") == 0 && !*names->pending) {
        (void)snprintf(names->pending, sizeof(names->pending), "%s", row->name);
        names->is_replacing = strcmp(last, row->name) == 0;
    }
    if (strcmp(row->state, "current") != 0)
        return 0;
    void *grown = realloc(names->names, (names->count + 1) * sizeof(names->names[0]));
    if (!grown)
        return error_memory(error);
    names->names = grown;
    (void)snprintf(names->names[names->count++], NAME_MAX_SIZE, "%s", row->name);
    return 0;
}

/* What makes of it a grant that can be moved: it is confirmed, or another takes its place. */
static int hint_pending(const struct names *names, const struct provider *provider,
                        struct error *error)
{
    struct name name;
    struct error ignored;
    char rest[OAUTH_HINT_MAX];
    if (name_parse_grant(names->pending, &name, &ignored) < 0)
        return -1;
    if (names->is_replacing && oauth_lengthen_step(provider, name.kind) != STEP_COUNT)
        return error_hint(error, "p11vault exchange %s", name.full);
    const struct oauth_revival *revival = oauth_revival(provider, name.kind);
    oauth_hint_fill(revival->rest, name.full, name.app, rest);
    if (names->is_replacing)
        return error_hint(error, "p11vault %s %s", revival->verb, rest);
    return error_hint(error, "p11vault %s %s; or give it up: p11vault grant forget %s",
                      revival->verb, rest, name.full);
}

static int check_pending(const struct names *names, const struct provider *provider,
                         struct error *error)
{
    if (!*names->pending)
        return 0;
    error_set(error, CODE_CONFIG,
              names->is_replacing ? "'%s' has a newer version that waits to be confirmed"
                                  : "'%s' was issued, and waits to be confirmed",
              names->pending);
    return hint_pending(names, provider, error);
}

static int take(struct job *job, const char *name, struct moved *moved, struct error *error)
{
    struct vault *vault = job->front->vault;
    struct store_record row = {0};
    size_t number;
    if (name_parse_record(name, &moved->name, error) < 0 ||
        vault_find_record(vault, name, "current", &row, error) < 0)
        return -1;
    int result = job_add_record(job, &row, &number, error);
    store_record_clear(&row);
    return result < 0 ? -1 : vault_next_version(vault, name, &moved->version, error);
}

static int take_all(struct transfer *transfer, const struct names *names, struct error *error)
{
    transfer->moved = calloc(names->count + 1, sizeof(*transfer->moved));
    if (!transfer->moved)
        return error_memory(error);
    for (size_t i = 0; i < names->count; i++)
        if (take(&transfer->job, names->names[i], &transfer->moved[i], error) < 0)
            return -1;
    return 0;
}

/* From here on nobody else works with the app: what is not there now will not come before the new key is in its place. */
static int begin(struct transfer *transfer, const char *app, struct error *error)
{
    struct job *job = &transfer->job;
    struct names names = {.app = app};
    if (job_find_app(job, app, error) < 0)
        return -1;
    int result = store_record_each(job->front->vault->store, note_name, &names, error);
    auto_free char(*owned)[NAME_MAX_SIZE] = names.names;
    (void)owned;
    if (result != 0 || check_pending(&names, job->provider, error) < 0)
        return -1;
    return take_all(transfer, &names, error);
}

/* ---- the new key ---- */

static int make_key(struct rekeying *rekeying, const struct vault_cards *cards, struct error *error)
{
    struct job *job = &rekeying->transfer.job;
    auto_change struct store *change = job->front->vault->store;
    if (session_tell_recipients(&job->session, &job->head, cards, error) < 0 ||
        session_take_made(&job->session, &MESSAGE(rekey), job->app.row.app, &rekeying->made,
                          error) < 0 ||
        store_begin(change, error) < 0 ||
        vault_append(job->front->vault, ENTRY_APP_KEY, job->app.row.app,
                     json_incref(rekeying->made.members), &rekeying->key_entry, error) < 0)
        return -1;
    rekeying->transfer.kid = rekeying->made.kid;
    return store_commit(change, error);
}

/* ---- everything at once ---- */

static int write_record(struct rekeying *rekeying, size_t number, struct error *error)
{
    struct transfer *transfer = &rekeying->transfer;
    struct job *job = &transfer->job;
    const struct vault_retirement previous = {.state = "previous", .use = job->session.use};
    if (transfer_put(transfer, number, error) < 0)
        return -1;
    return vault_retire(job->front->vault, &job->records[number], &previous, error);
}

static int write_all(struct rekeying *rekeying, struct error *error)
{
    struct job *job = &rekeying->transfer.job;
    for (size_t i = 0; i < job->record_count; i++) {
        const struct store_record *old = &job->records[i];
        if (write_record(rekeying, i, error) < 0 ||
            store_record_destroy_previous(job->front->vault->store, old->name, old->version,
                                          error) < 0)
            return -1;
    }
    struct store_app row = job->app.row;
    row.key_record = rekeying->made.record;
    row.key_entry = rekeying->key_entry;
    if (store_app_put(job->front->vault->store, &row, error) < 0)
        return -1;
    return transfer_append_outcome(&rekeying->transfer, error);
}

static int keep(struct rekeying *rekeying, struct error *error)
{
    auto_change struct store *change = rekeying->transfer.job.front->vault->store;
    return store_begin(change, error) < 0 || write_all(rekeying, error) < 0
               ? -1
               : store_commit(change, error);
}

static int move_all(struct rekeying *rekeying, struct error *error)
{
    size_t count = rekeying->transfer.job.record_count;
    for (size_t i = 0; i < count; i++) {
        if (transfer_move(&rekeying->transfer, i, error) < 0)
            return error_prefix(error, "%s", rekeying->transfer.moved[i].name.full);
        rekeying->told(rekeying->context, i + 1, count);
    }
    return 0;
}

static int rekey(struct rekeying *rekeying, struct error *error)
{
    struct transfer *transfer = &rekeying->transfer;
    struct job *job = &transfer->job;
    auto_cards struct vault_cards cards = {0};
    if (vault_cards_find(job->front->vault, &job->head, &cards, error) < 0 ||
        transfer_intend(transfer, error) < 0)
        return -1;
    if (transfer_open(transfer, &cards, error) == 0 && make_key(rekeying, &cards, error) == 0 &&
        transfer_sign(transfer, error) == 0 && move_all(rekeying, error) == 0 &&
        keep(rekeying, error) == 0)
        return 0;
    session_fail_use(&job->session, error);
    session_void_own(job->front);
    return -1;
}

int front_rekey(struct front *front, const char *app,
                void (*told)(void *context, size_t done, size_t count), void *context,
                struct error *error)
{
    __attribute__((cleanup(rekeying_clear))) struct rekeying rekeying = {
        .transfer = {.job = {.front = front,
                             .verb = "app rekey",
                             .changes_key = true,
                             .session = SESSION_NONE},
                     .about = app},
        .told = told,
        .context = context};
    auto_close int trust_lock = -1;
    if (name_check_app(app, error) < 0 || session_prepare(front, true, &trust_lock, error) < 0 ||
        begin(&rekeying.transfer, app, error) < 0)
        return -1;
    return rekey(&rekeying, error);
}
