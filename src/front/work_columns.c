/*
 * What an inspection leaves in the clear columns of a grant, and what stands beside them in its log
 * entry.  An error answer, or one about somebody else's grant, leaves nothing but that the grant is
 * dead, when it says so.
 */
#include <string.h>

#include "job.h"

#define LOST_SCOPES_MAX 64 /* an entry has 32 KiB, also for the scopes that are left */

static int scopes_text(const struct oauth_facts *facts, char **ret_text, struct error *error)
{
    auto_json json_t *json = oauth_facts_to_json(facts);
    if (!json)
        return error_memory(error);
    return json_canonical(json_object_get(json, "scopes"), ret_text, error);
}

int work_set_columns(const struct work *work, struct store_record *row,
                     const struct oauth_facts *facts, struct error *error)
{
    auto_free char *scopes = NULL;
    if (*facts->subject && store_text_set(&row->subject, facts->subject, error) < 0)
        return -1;
    /* Others do not say them. */
    if (work->job->provider->has_debugger) {
        if (scopes_text(facts, &scopes, error) < 0)
            return -1;
        free(row->scopes);
        row->scopes = TAKE(scopes);
    }
    row->valid = facts->valid;
    row->expires = facts->expires;
    row->data_expires = facts->data_expires;
    row->issued = facts->issued;
    row->checked = clock_now();
    return 0;
}

/*
 * Of a grant that is dead nothing else is changed that was known: an error answer leaves out most
 * of it.
 */
static int set_dead(struct store_record *row, const struct oauth_facts *facts, struct error *error)
{
    if (!row->subject && *facts->subject &&
        store_text_set(&row->subject, facts->subject, error) < 0)
        return -1;
    if (facts->expires != FACT_UNKNOWN && (row->expires == STORE_UNKNOWN || facts->valid != 0))
        row->expires = facts->expires;
    if (facts->valid != FACT_UNKNOWN)
        row->valid = facts->valid;
    return 0;
}

/* ---- scopes that are gone ---- */

int work_find_lost(struct work *work, const struct store_record *old, const char *has,
                   struct error *error)
{
    auto_json json_t *remarks = NULL;
    auto_free char *said = NULL;
    auto_free char *missed = NULL;
    buffer_clear(&work->lost);
    if (!work->job->provider->has_debugger)
        return 0;
    if (vault_remarks(work->job->front->vault, old, &remarks, error) < 0)
        return -1;
    const json_t *before = json_object_get(remarks, "lost_scopes");
    if (before && json_canonical(before, &missed, error) < 0)
        return -1;
    if (work->standing == STANDING_ALIVE && scopes_text(&work->input, &said, error) < 0)
        return -1;
    if (oauth_scopes_missing(missed, has, &work->lost, error) < 0 ||
        oauth_scopes_missing(old->scopes, has, &work->lost, error) < 0)
        return -1;
    return oauth_scopes_missing(said, has, &work->lost, error);
}

int work_set_lost(json_t *members, const struct work *work)
{
    if (work->lost.size == 0)
        return 0;
    json_t *list = oauth_scopes_to_json(buffer_text(&work->lost));
    while (json_array_size(list) > LOST_SCOPES_MAX)
        (void)json_array_remove(list, json_array_size(list) - 1);
    return json_object_set_new(members, "lost_scopes", list);
}

json_t *work_new_remarks(const struct work *work, const char *kind, const char *profile)
{
    auto_json json_t *remarks = json_object();
    if (!remarks || work_set_lost(remarks, work) < 0 ||
        (strcmp(kind, "page") == 0 && *profile &&
         json_object_set_new(remarks, "profile", json_string(profile)) < 0))
        return NULL;
    return TAKE(remarks);
}

int work_copy_inspected(const struct work *work, const struct store_record *row,
                        struct store_record *ret_row, struct error *error)
{
    auto_record struct store_record copy = {0};
    if (store_record_copy(row, &copy, error) < 0 ||
        (work->standing == STANDING_ALIVE &&
         work_set_columns(work, &copy, &work->input, error) < 0) ||
        (work->standing == STANDING_DEAD && set_dead(&copy, &work->input, error) < 0))
        return -1;
    *ret_row = copy;
    copy = (struct store_record){0};
    return 0;
}

int work_keep_inspected(struct work *work, const struct store_record *grant, struct error *error)
{
    struct vault *vault = work->job->front->vault;
    auto_record struct store_record row = {0};
    auto_json json_t *remarks = NULL;
    auto_free char *has = NULL;
    if (work->standing == STANDING_ALIVE) {
        if (scopes_text(&work->input, &has, error) < 0 ||
            work_find_lost(work, grant, has, error) < 0)
            return -1;
        remarks = work_new_remarks(work, grant->kind, work->input.profile);
    } else if (vault_remarks(vault, grant, &remarks, error) < 0) {
        return -1;
    }
    if (!remarks)
        return error_memory(error);
    if (work_copy_inspected(work, grant, &row, error) < 0)
        return -1;
    return vault_change_record(vault, &row, remarks, work->use, error);
}
