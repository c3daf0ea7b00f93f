/*
 * One grant of a job: its lock, its records, the grants that are issued for it.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

void work_clear(struct work *work)
{
    for (size_t i = 0; i < work->issued_count; i++)
        store_record_clear(&work->issued[i].row);
    free(work->issued);
    json_decref(work->steps);
    buffer_clear(&work->lost);
    cleanup_close(&work->lock);
    cleanup_close(&work->spare_lock);
    *work = WORK_NONE;
}

void work_doubt_input(struct work *work)
{
    if (work->subject == work->input.subject)
        work->subject = NULL;
    oauth_facts_init(&work->input);
    work->standing = STANDING_UNASKED;
}

int work_begin(struct work *work, struct job *job, const struct name *name, size_t slots,
               struct error *error)
{
    *work = WORK_NONE;
    work->job = job;
    work->name = *name;
    work->seals = slots > 0 ? work->name.full : "";
    work->issuing = STEP_COUNT;
    work->lost = BUFFER_UP_TO((size_t)3 * FACT_SCOPES_MAX * FACT_TEXT_MAX);
    oauth_facts_init(&work->input);
    oauth_facts_init(&work->result);
    work->first_record = job->record_count;
    work->first_slot = job->slot_count;
    work->slot_count = slots;
    job->slot_count += slots;
    work->issued = calloc(slots + 1, sizeof(*work->issued));
    work->steps = json_array();
    if (!work->issued || !work->steps)
        return error_memory(error);
    return vault_lock(job->front->vault, name->full, "working on this grant", &work->lock, error);
}

void work_abandon(struct work *work)
{
    work->job->slot_count = work->first_slot;
    job_drop_records(work->job, work->first_record);
    work_clear(work);
}

int work_find_old(struct work *work, const char *name, const char *state,
                  struct store_record *ret_row, struct error *error)
{
    struct vault *vault = work->job->front->vault;
    struct store_record row = {0};
    bool exists;
    if (store_record_get(vault->store, name, state, &row, &exists, error) < 0)
        return -1;
    store_record_clear(&row);
    *ret_row = (struct store_record){0};
    return exists ? vault_find_record(vault, name, state, ret_row, error) : 0;
}

int work_find(struct work *work, const char *name, const char *state, bool must_exist,
              size_t *ret_number, struct error *error)
{
    auto_record struct store_record row = {0};
    *ret_number = NO_RECORD;
    if ((must_exist ? vault_find_record(work->job->front->vault, name, state, &row, error)
                    : work_find_old(work, name, state, &row, error)) < 0)
        return -1;
    if (!row.name)
        return 0;
    if (job_add_record(work->job, &row, ret_number, error) < 0)
        return -1;
    work->record_count++;
    return 0;
}

void work_say_resolved(const struct work *work, const char *name)
{
    char text[NAME_MAX_SIZE + 64];
    (void)snprintf(text, sizeof(text),
                   "%s: the grant issued to an interrupted run is now confirmed", name);
    if (work->job->front->say)
        work->job->front->say(text);
}

size_t work_slot(const struct work *work, size_t slot)
{
    return work->job->record_count + work->first_slot + slot;
}

struct store_record *work_row(struct work *work, size_t number)
{
    if (number < work->job->record_count)
        return &work->job->records[number];
    for (size_t i = 0; i < work->issued_count; i++)
        if (work->issued[i].slot == number && work->issued[i].is_kept)
            return &work->issued[i].row;
    return NULL;
}

/* ---- verdicts ---- */

/*
 * Nobody can log in for a page's grant or an app token: what it was made from is meant, or how it is made again.
 */
static int hint(const struct work *work, struct error *error)
{
    const struct job *job = work->job;
    const char *template = work->verdict.hint, *name = work->name.full;
    char text[OAUTH_HINT_MAX], anew[OAUTH_HINT_MAX];
    if (work->source != NO_RECORD)
        name = job->records[work->source].name;
    else if (strstr(template, "p11vault login NAME") &&
             strcmp(work->name.kind, job->provider->person_kind) != 0) {
        const struct oauth_revival *revival = oauth_revival(job->provider, work->name.kind);
        (void)snprintf(anew, sizeof(anew), "%s: p11vault %s %s", revival->words, revival->verb,
                       revival->rest);
        template = anew;
    }
    oauth_hint_fill(template, name, work->name.app, text);
    return *text ? error_hint(error, "%s", text) : -1;
}

int work_verdict(const struct work *work, struct error *error)
{
    const struct oauth_verdict *verdict = &work->verdict;
    error_set(error, verdict->action, "%s: %s", oauth_step_name(work->step), verdict->message);
    if (verdict->provider_code != 0)
        error_set(error, verdict->action, "%s: %s (code %lld%s%s)", oauth_step_name(work->step),
                  verdict->message, (long long)verdict->provider_code,
                  *verdict->trace ? ", trace " : "", verdict->trace);
    return hint(work, error);
}
