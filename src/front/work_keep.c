/*
 * What a work leaves in the store: pending before anything else happens with it, current only when it was confirmed, and
 * always with its log entries in the same change.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

static void set_number(json_t *members, const char *key, int64_t number, int64_t missing)
{
    if (number != missing)
        json_object_set_new(members, key, json_integer(number));
}

/* The outcome's members; `why` NULL when it went well. */
static json_t *outcome_members(const struct work *work, const char *result, const struct error *why)
{
    const struct oauth_verdict *verdict = &work->verdict;
    json_t *members = json_pack("{s:s, s:s, s:s}", "use", work->use, "result", result, "code",
                                error_code_name(why ? why->code : CODE_DONE));
    if (!members)
        return NULL;
    if (work->has_stepped)
        json_object_set_new(members, "step", json_string(oauth_step_name(work->step)));
    if (why)
        json_object_set_new(members, "message", json_string(why->text));
    set_number(members, "http", verdict->http, 0);
    set_number(members, "provider_code", verdict->provider_code, 0);
    set_number(members, "subcode", verdict->subcode, 0);
    if (*verdict->trace)
        json_object_set_new(members, "trace", json_string(verdict->trace));
    set_number(members, "expires_before", work->input.expires, FACT_UNKNOWN);
    set_number(members, "expires_after", work->result.expires, FACT_UNKNOWN);
    (void)work_set_lost(members, work);
    /* Said of every use: none in clear is a fact, too. */
    json_object_set_new(members, "plaintext_us", json_integer(work->request_us + work->answer_us));
    json_object_set_new(members, "request_us", json_integer(work->request_us));
    json_object_set_new(members, "answer_us", json_integer(work->answer_us));
    set_number(members, "checkpoint", (int64_t)work->job->session.signed_size, 0);
    return members;
}

static int append_outcome(struct work *work, const char *result, const struct error *why,
                          struct error *error)
{
    json_t *members = outcome_members(work, result, why);
    uint64_t index;
    if (!members)
        return error_memory(error);
    return vault_append(work->job->front->vault, ENTRY_OUTCOME, work->use, members, &index, error);
}

static int append_steps(struct work *work, struct error *error)
{
    json_t *step;
    size_t number;
    uint64_t index;
    json_array_foreach (work->steps, number, step)
        if (vault_append(work->job->front->vault, ENTRY_STEP, work->use, json_deep_copy(step),
                         &index, error) < 0)
            return -1;
    return 0;
}

void work_note_step(struct work *work, int64_t request_us, int64_t answer_us)
{
    const struct oauth_verdict *verdict = &work->verdict;
    json_t *members =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I}", "use", work->use, "step",
                  oauth_step_name(work->step), "origin", work->job->origin, "code",
                  error_code_name(verdict->action), "http", verdict->http, "request_us",
                  (json_int_t)request_us, "answer_us", (json_int_t)answer_us);
    if (!members)
        return;
    set_number(members, "provider_code", verdict->provider_code, 0);
    set_number(members, "subcode", verdict->subcode, 0);
    if (*verdict->trace)
        json_object_set_new(members, "trace", json_string(verdict->trace));
    if (*work->call)
        json_object_set_new(members, "call", json_string(work->call));
    set_number(members, "scrubbed", work->scrubbed, 0);
    json_array_append_new(work->steps, members);
    work->request_us += request_us;
    work->answer_us += answer_us;
}

static int try_change(struct work *work,
                      int (*change)(struct work *work, void *context, struct error *error),
                      void *context, struct error *error)
{
    auto_change struct store *open = work->job->front->vault->store;
    if (store_begin(open, error) < 0 || append_steps(work, error) < 0 ||
        change(work, context, error) < 0 || store_commit(open, error) < 0)
        return -1;
    json_array_clear(work->steps);
    return 0;
}

/* A ciphertext that nobody needs any more is destroyed with the state that says so. */
static int retire(struct work *work, const struct store_record *row, const char *state,
                  struct error *error)
{
    const struct vault_retirement how = {.state = state, .use = work->use};
    return vault_retire(work->job->front->vault, row, &how, error);
}

/*
 * One change of the store: `change` inside it, all of it or nothing; and before it in the log, what
 * the provider has answered since the last one.  What fails once is tried again, because some
 * errors pass; after that the job is stuck.
 */
static int in_one_change(struct work *work,
                         int (*change)(struct work *work, void *context, struct error *error),
                         void *context, struct error *error)
{
    if (try_change(work, change, context, error) == 0 ||
        try_change(work, change, context, error) == 0)
        return 0;
    work->job->is_stuck = true;
    return -1;
}

/* ---- what was issued ---- */

static json_t *new_remarks(const struct work *work, const struct issued *issued)
{
    return work_new_remarks(work, issued->name.kind, issued->name.label);
}

static int issued_row(const struct work *work, const struct issued *issued,
                      const struct message *message, struct store_record *row, struct error *error)
{
    auto_json json_t *facts = NULL;
    if (job_check_issued(message, &issued->name, issued->version, vault_app_kid(&work->job->app),
                         &facts, error) < 0 ||
        vault_new_row(&issued->name, issued->version, "pending", message->issued.jwe, row, error) <
            0)
        return -1;
    row->expires = json_number(facts, "expires", STORE_UNKNOWN);
    row->issued = json_number(facts, "issued", STORE_UNKNOWN);
    return 0;
}

/*
 * Whose it must be goes with it: a later run may have to confirm it when nobody can say that any
 * more.
 */
static int put_issued(struct work *work, void *context, struct error *error)
{
    struct issued *issued = context;
    bool is_page = strcmp(issued->name.kind, "page") == 0;
    auto_json json_t *remarks = new_remarks(work, issued);
    if (!remarks)
        return error_memory(error);
    if (!is_page && store_text_set(&issued->row.subject, work->subject, error) < 0)
        return -1;
    if (vault_put_record(work->job->front->vault, &issued->row, vault_app_kid(&work->job->app),
                         remarks, work->use, error) < 0)
        return -1;
    if (!issued->moved)
        return 0;
    if (retire(work, issued->moved, "previous", error) < 0)
        return -1;
    return store_text_set(&issued->moved->state, "previous", error);
}

/*
 * `why` the store has not taken it becomes the step's error.  The step goes on: a list may hold
 * more.
 */
static int put_aside(struct work *work, const struct issued *issued, struct error *why,
                     struct error *error)
{
    struct job *job = work->job;
    auto_json json_t *remarks = new_remarks(work, issued);
    if (!remarks)
        return error_memory(error);
    if (unkept_put(job->unkept, &issued->row, vault_app_kid(&job->app), remarks, work->use, error) <
        0)
        return error_prefix(error, "%s; the new grant is lost", why->text);
    job->unkept_why = *why;
    error_prefix(&job->unkept_why, "keep the new grant in the store");
    error_hint(&job->unkept_why, "fix that: the next run takes the grant from %.300s",
               unkept_path(job->unkept));
    return 0;
}

int work_keep_issued(struct work *work, const struct message *message, struct error *error)
{
    struct issued *issued = work->issued_count > 0 ? &work->issued[work->issued_count - 1] : NULL;
    struct error why;
    if (!issued || issued->is_kept || message->issued.n != issued->slot)
        return error_set(error, CODE_FAULT, "the exchange room issued what nobody asked for");
    if (issued_row(work, issued, message, &issued->row, error) < 0)
        return -1;
    issued->is_kept = true;
    if (in_one_change(work, put_issued, issued, &why) == 0)
        return 0;
    if (!issued->moved)
        return put_aside(work, issued, &why, error);
    /* The one it was to take the place of still waits in the store. */
    issued->is_kept = false;
    *error = why;
    return -1;
}

/* ---- current, previous, rejected ---- */

/* Both records were opened when the provider was first asked: what they replaced is not needed any more. */
static int destroy_previous(struct work *work, struct error *error)
{
    const size_t opened[] = {0, work->grant, work->source};
    struct store *store = work->job->front->vault->store;
    for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++) {
        if (opened[i] == NO_RECORD)
            continue;
        const struct store_record *row = &work->job->records[opened[i]];
        if (store_record_destroy_previous(store, row->name, row->version, error) < 0)
            return -1;
    }
    return 0;
}

/* What earlier runs were issued and could not confirm: there is a newer one now. */
static int retire_pending(struct work *work, const char *name, struct error *error)
{
    const struct vault_retirement how = {.state = "previous", .use = work->use};
    size_t count = 0;
    return vault_retire_all(work->job->front->vault, name, "pending", &how, &count, error);
}

struct promotion {
    struct store_record *grant, *old;
    bool is_last; /* the use is closed with it */
};

/*
 * Another one that is replaced was not looked at, and a person may have given the new one less on
 * purpose.
 */
static int replace(struct work *work, struct store_record *grant, const struct store_record *old,
                   struct error *error)
{
    auto_record struct store_record inspected = {0};
    if (!grant->scopes && store_text_set(&grant->scopes, old->scopes, error) < 0)
        return -1;
    if (old != work_row(work, work->grant))
        return retire(work, old, "previous", error);
    if (work_find_lost(work, old, grant->scopes, error) < 0 ||
        work_copy_inspected(work, old, &inspected, error) < 0)
        return -1;
    return retire(work, &inspected, "previous", error);
}

static int promote(struct work *work, void *context, struct error *error)
{
    const struct promotion *promotion = context;
    struct store_record *grant = promotion->grant, *old = promotion->old;
    if (work_set_columns(work, grant, &work->result, error) < 0 ||
        store_text_set(&grant->state, "current", error) < 0)
        return -1;
    if (old && replace(work, grant, old, error) < 0)
        return -1;
    auto_json json_t *remarks = work_new_remarks(work, grant->kind, work->result.profile);
    if (!remarks)
        return error_memory(error);
    if (vault_change_record(work->job->front->vault, grant, remarks, work->use, error) < 0 ||
        retire_pending(work, grant->name, error) < 0)
        return -1;
    if (!promotion->is_last)
        return 0;
    return destroy_previous(work, error) < 0 ? -1 : append_outcome(work, "done", NULL, error);
}

int work_promote(struct work *work, struct store_record *grant, struct store_record *old,
                 struct error *error)
{
    struct promotion promotion = {grant, old, true};
    if (in_one_change(work, promote, &promotion, error) < 0)
        return error_prefix(error, "replace '%s'", grant->name);
    work->is_open = false;
    return 0;
}

int work_promote_one(struct work *work, struct store_record *grant, struct store_record *old,
                     struct error *error)
{
    struct promotion promotion = {grant, old, false};
    if (in_one_change(work, promote, &promotion, error) < 0)
        return error_prefix(error, "replace '%s'", grant->name);
    return 0;
}

static int reject_it(struct work *work, void *context, struct error *error)
{
    return retire(work, context, "rejected", error);
}

int work_reject(struct work *work, struct store_record *grant, struct error *error)
{
    return in_one_change(work, reject_it, grant, error);
}

struct forgetting {
    struct store_record *others;
    size_t count;
};

/* The row itself stays as it is: a change that fails is tried again. */
static int note_ended(struct work *work, const struct store_record *row, struct error *error)
{
    struct vault *vault = work->job->front->vault;
    struct store_record ended = *row;
    auto_json json_t *remarks = NULL;
    if (vault_remarks(vault, row, &remarks, error) < 0)
        return -1;
    ended.valid = 0;
    ended.checked = clock_now();
    return vault_change_record(vault, &ended, remarks, work->use, error);
}

/* No version of it can be opened any more. */
static int forget_it(struct work *work, void *context, struct error *error)
{
    const struct store_record *grant = work_row(work, work->grant);
    const struct forgetting *forgetting = context;
    if (retire(work, grant, "forgotten", error) < 0 || retire_pending(work, grant->name, error) < 0)
        return -1;
    for (size_t i = 0; i < forgetting->count; i++)
        if (note_ended(work, &forgetting->others[i], error) < 0)
            return -1;
    return store_record_destroy_previous(work->job->front->vault->store, grant->name,
                                         grant->version, error);
}

int work_forget(struct work *work, struct store_record *others, size_t count, struct error *error)
{
    struct forgetting forgetting = {others, count};
    if (in_one_change(work, forget_it, &forgetting, error) < 0)
        return -1;
    work->grant = NO_RECORD; /* the outcome must not bring it back */
    return 0;
}

/* ---- the end ---- */

struct ending {
    const char *result;
    const struct error *why;
};

static int end(struct work *work, void *context, struct error *error)
{
    const struct ending *ending = context;
    bool is_known = work->standing == STANDING_ALIVE || work->standing == STANDING_DEAD;
    if (work->grant != NO_RECORD && is_known &&
        work_keep_inspected(work, work_row(work, work->grant), error) < 0)
        return -1;
    /* What one that is dead has replaced may still be wanted. */
    if (work->standing == STANDING_ALIVE && destroy_previous(work, error) < 0)
        return -1;
    return append_outcome(work, ending->result, ending->why, error);
}

int work_close(struct work *work, const char *result, const struct error *why, struct error *error)
{
    struct ending ending = {result, why};
    if (in_one_change(work, end, &ending, error) < 0)
        return -1;
    work->is_open = false;
    return 0;
}

void work_fail(struct work *work, struct error *failure)
{
    struct error closing;
    bool is_same = failure->code == CODE_WAIT && work->result.expires != FACT_UNKNOWN;
    if (!work->is_open)
        return;
    if (work_close(work, is_same ? "not-extended" : "failed", failure, &closing) < 0) {
        struct error first = *failure;
        error_set(failure, closing.code, "%s; and its outcome is not in the log: %s", first.text,
                  closing.text);
        error_hint(failure, "%s", *first.hint ? first.hint : closing.hint);
    }
}
