/*
 * What a job leaves in the store: pending before anything else happens with it, current only when it was confirmed, and
 * always with its log entries in the same change.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "p11vault/seal/jwe.h"

static int scopes_text(const struct oauth_facts *facts, char **ret_text, struct error *error)
{
    auto_json json_t *json = oauth_facts_to_json(facts);
    if (!json)
        return error_memory(error);
    return json_canonical(json_object_get(json, "scopes"), ret_text, error);
}

/* What the provider said becomes the clear columns. */
static int set_columns(struct store_record *row, const struct oauth_facts *facts,
                       struct error *error)
{
    auto_free char *scopes = NULL;
    if (scopes_text(facts, &scopes, error) < 0)
        return -1;
    free(row->scopes);
    row->scopes = TAKE(scopes);
    free(row->subject);
    row->subject = *facts->subject ? strdup(facts->subject) : NULL;
    row->valid = facts->valid;
    row->expires = facts->expires;
    row->data_expires = facts->data_expires;
    row->issued = facts->issued;
    row->checked = clock_now();
    return 0;
}

static int set_state(struct store_record *row, const char *state, struct error *error)
{
    free(row->state);
    row->state = strdup(state);
    return row->state ? 0 : error_memory(error);
}

static void set_number(json_t *members, const char *key, int64_t number, int64_t missing)
{
    if (number != missing)
        json_object_set_new(members, key, json_integer(number));
}

/* The outcome's members; `why` NULL when it went well. */
static json_t *outcome_members(const struct job *job, const char *result, const struct error *why)
{
    const struct oauth_verdict *verdict = &job->verdict;
    json_t *members = json_pack("{s:s, s:s}", "result", result, "code",
                                error_code_name(why ? why->code : CODE_DONE));
    if (!members)
        return NULL;
    if (job->stepped)
        json_object_set_new(members, "step", json_string(oauth_step_name(job->step)));
    if (why)
        json_object_set_new(members, "message", json_string(why->text));
    set_number(members, "http", verdict->http, 0);
    set_number(members, "provider_code", verdict->provider_code, 0);
    set_number(members, "subcode", verdict->subcode, 0);
    if (*verdict->trace)
        json_object_set_new(members, "trace", json_string(verdict->trace));
    set_number(members, "expires_before", job->input.expires, FACT_UNKNOWN);
    set_number(members, "expires_after", job->result.expires, FACT_UNKNOWN);
    /* Said of every use: none in clear is a fact, too. */
    json_object_set_new(members, "plaintext_us", json_integer(job->request_us + job->answer_us));
    json_object_set_new(members, "request_us", json_integer(job->request_us));
    json_object_set_new(members, "answer_us", json_integer(job->answer_us));
    set_number(members, "checkpoint", (int64_t)job->session.signed_size, 0);
    return members;
}

static int append_outcome(struct job *job, const char *result, const struct error *why,
                          struct error *error)
{
    json_t *members = outcome_members(job, result, why);
    uint64_t index;
    if (!members || json_object_set_new(members, "use", json_string(job->session.use)) < 0) {
        json_decref(members);
        return error_memory(error);
    }
    return vault_append(job->front->vault, ENTRY_OUTCOME, job->session.use, members, &index, error);
}

/* The room's word is not enough: another version would overwrite what is there, another key hide what was issued. */
static int check_issued(struct job *job, const struct message *issued, const json_t *facts,
                        struct error *error)
{
    struct jwe_header header;
    if (json_number(facts, "version", 0) != job->slot_version)
        return error_set(error, CODE_FAULT, "the exchange room issued another version");
    if (jwe_read_header(message_text(issued, 1), &header, error) < 0)
        return -1;
    if (strcmp(header.kid, vault_app_kid(&job->app)) != 0)
        return error_set(error, CODE_FAULT, "the exchange room sealed to another app key");
    return 0;
}

static int issued_row(struct job *job, const struct message *issued, struct store_record *row,
                      struct error *error)
{
    auto_json json_t *facts = NULL;
    const char *text = message_text(issued, 2);
    if (json_parse(text, strlen(text), "facts", &facts, error) < 0 ||
        check_issued(job, issued, facts, error) < 0)
        return -1;
    *row = (struct store_record){.name = strdup(job->name->full),
                                 .app = strdup(job->name->app),
                                 .kind = strdup(job->name->kind),
                                 .version = job->slot_version,
                                 .state = strdup("pending"),
                                 .jwe = strdup(message_text(issued, 1)),
                                 .expires = json_number(facts, "expires", STORE_UNKNOWN),
                                 .data_expires = STORE_UNKNOWN,
                                 .issued = json_number(facts, "issued", STORE_UNKNOWN),
                                 .checked = STORE_UNKNOWN,
                                 .valid = STORE_UNKNOWN};
    return row->name && row->app && row->kind && row->state && row->jwe ? 0 : error_memory(error);
}

int job_keep_issued(struct job *job, const struct message *issued, struct error *error)
{
    struct store *store = job->front->vault->store;
    if (job->has_issued || job->step != STEP_EXCHANGE ||
        message_number(issued, 0) != job->record_count)
        return error_set(error, CODE_FAULT, "the exchange room issued what nobody asked for");
    if (issued_row(job, issued, &job->issued, error) < 0 || store_begin(store, error) < 0)
        return -1;
    if (vault_put_record(job->front->vault, &job->issued, vault_app_kid(&job->app),
                         job->session.use, error) < 0 ||
        store_commit(store, error) < 0) {
        store_rollback(store);
        return error_prefix(error, "keep the new grant");
    }
    job->has_issued = true;
    return 0;
}

/* A ciphertext that nobody needs any more is destroyed with the state that says so. */
static int retire(struct job *job, struct store_record *row, const char *state, struct error *error)
{
    if (set_state(row, state, error) < 0)
        return -1;
    free(TAKE(row->jwe));
    return vault_change_record(job->front->vault, row, job->session.use, error);
}

/* Both records were opened when the provider was first asked: what they replaced is not needed any more. */
static int destroy_previous(struct job *job, struct error *error)
{
    struct store *store = job->front->vault->store;
    for (size_t i = JOB_SECRET; i <= JOB_GRANT; i++)
        if (store_record_destroy_previous(store, job->records[i].name, job->records[i].version,
                                          error) < 0)
            return -1;
    return 0;
}

static int promote(struct job *job, struct store_record *grant, struct error *error)
{
    struct store_record *old = &job->records[JOB_GRANT];
    if (set_columns(grant, &job->result, error) < 0 || set_columns(old, &job->input, error) < 0 ||
        set_state(grant, "current", error) < 0 || retire(job, old, "previous", error) < 0 ||
        vault_change_record(job->front->vault, grant, job->session.use, error) < 0 ||
        destroy_previous(job, error) < 0)
        return -1;
    return append_outcome(job, "done", NULL, error);
}

int job_promote(struct job *job, struct store_record *grant, struct error *error)
{
    struct store *store = job->front->vault->store;
    if (store_begin(store, error) < 0)
        return -1;
    if (promote(job, grant, error) < 0 || store_commit(store, error) < 0) {
        store_rollback(store);
        return error_prefix(error, "replace '%s'", job->name->full);
    }
    return 0;
}

int job_reject(struct job *job, struct store_record *grant, struct error *error)
{
    struct store *store = job->front->vault->store;
    if (store_begin(store, error) < 0)
        return -1;
    if (retire(job, grant, "rejected", error) < 0 || store_commit(store, error) < 0) {
        store_rollback(store);
        return -1;
    }
    return 0;
}

static int close_use(struct job *job, const char *result, const struct error *why,
                     struct error *error)
{
    struct store_record *grant = &job->records[JOB_GRANT];
    bool learned = job->input.valid != FACT_UNKNOWN;
    if (learned && (set_columns(grant, &job->input, error) < 0 ||
                    vault_change_record(job->front->vault, grant, job->session.use, error) < 0 ||
                    destroy_previous(job, error) < 0))
        return -1;
    return append_outcome(job, result, why, error);
}

int job_close(struct job *job, const char *result, const struct error *why, struct error *error)
{
    struct store *store = job->front->vault->store;
    if (store_begin(store, error) < 0)
        return -1;
    if (close_use(job, result, why, error) < 0 || store_commit(store, error) < 0) {
        store_rollback(store);
        return -1;
    }
    return 0;
}
