/*
 * `exchange`: short-lived to long-lived.  What the provider says of the grant before is the yardstick for what it says
 * of the one it issues; the old one stays until the new one has been confirmed.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"

void job_clear(struct job *job)
{
    room_free(job->exchange);
    for (size_t i = 0; i < JOB_RECORDS; i++)
        store_record_clear(&job->records[i]);
    store_record_clear(&job->issued);
    vault_app_clear(&job->app);
    signed_head_clear(&job->head);
    session_clear(&job->session);
}

/* ---- before the card ---- */

static int find_records(struct job *job, struct error *error)
{
    struct vault *vault = job->front->vault;
    char secret[NAME_MAX_SIZE];
    struct store_record pending = {0};
    (void)snprintf(secret, sizeof(secret), "%s/secret", job->name->app);
    if (vault_find_record(vault, secret, "current", &job->records[JOB_SECRET], error) < 0 ||
        vault_find_record(vault, job->name->full, "current", &job->records[JOB_GRANT], error) < 0)
        return -1;
    job->record_count = 2;
    if (store_record_get(vault->store, job->name->full, "pending", &pending, &job->has_pending,
                         error) < 0)
        return -1;
    if (!job->has_pending)
        return 0;
    store_record_clear(&pending);
    job->record_count = 3;
    return vault_find_record(vault, job->name->full, "pending", &job->records[JOB_PENDING], error);
}

static int find_all(struct job *job, struct error *error)
{
    struct vault *vault = job->front->vault;
    if (vault_signed_head(vault, &job->head, error) < 0 ||
        vault_app_find(vault, &job->head, job->name->app, &job->app, error) < 0)
        return -1;
    job->provider = provider_find(job->app.row.provider);
    if (!job->provider)
        return error_set(error, CODE_CONFIG, "app '%s': this program knows no provider '%s'",
                         job->name->app, job->app.row.provider);
    if (oauth_lengthen_step(job->provider, job->name->kind) != STEP_EXCHANGE)
        return error_set(error, CODE_USAGE, "a grant of kind '%s' cannot be exchanged",
                         job->name->kind);
    return find_records(job, error);
}

static json_t *intent_members(const struct job *job)
{
    auto_json json_t *opens = json_array();
    for (size_t i = 0; i < job->record_count; i++) {
        const struct store_record *row = &job->records[i];
        if (json_array_append_new(opens,
                                  json_pack("{s:s, s:I, s:s}", "name", row->name, "version",
                                            (json_int_t)row->version, "digest", row->digest)) < 0)
            return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:[s]}", "verb", "exchange", "name",
                     job->name->full, "card", job->front->card ? job->front->card : "", "origin",
                     vault_app_origin(&job->app), "opens", opens, "seals", job->name->full);
}

/* ---- the card ---- */

static int tell_app(struct job *job, struct error *error)
{
    auto_buffer struct buffer entry = BUFFER_UP_TO(STORE_ENTRY_MAX);
    auto_buffer struct buffer proof = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
    struct session *session = &job->session;
    if (vault_entry_proof(job->front->vault, job->app.row.key_entry, job->head.checkpoint.size,
                          &entry, &proof, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), MESSAGE_APP, error, TEXT(job->app.row.app),
                            TEXT(job->app.row.key_record), NUMBER(job->app.row.key_entry),
                            BYTES(entry.data, entry.size), BYTES(proof.data, proof.size));
    if (session_tell(session->card, sent, error) < 0)
        return -1;
    for (size_t i = 0; i < job->record_count; i++) {
        const struct store_record *row = &job->records[i];
        sent = channel_send(room_channel(session->card), MESSAGE_UNLOCK, error, NUMBER(i),
                            TEXT(row->name), NUMBER(row->version), TEXT(row->jwe));
        if (session_tell(session->card, sent, error) < 0)
            return -1;
    }
    return 0;
}

/* The intent once more, when the newest head covers it: a card room looks for it behind the head. */
static int repeat_intent(struct job *job, struct error *error)
{
    struct vault *vault = job->front->vault;
    uint64_t index;
    bool found;
    if (store_entry_newest(vault->store, entry_type_name(ENTRY_INTENT), job->session.use, &index,
                           &found, error) < 0)
        return -1;
    if (found && index >= job->head.checkpoint.size)
        return 0;
    return vault_intent(vault, job->session.use, intent_members(job), error);
}

/*
 * While a person typed a PIN, others may have enrolled a card or added an app: the card would take theirs for unsigned
 * if it were told the head of before.  What really is unsigned yet belongs to a run that is not over.
 */
static int renew_head(struct job *job, struct error *error)
{
    struct vault *vault = job->front->vault;
    struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    size_t granted, left;
    if (vault_count_granting(vault, job->head.checkpoint.size, &granted, error) < 0)
        return -1;
    if (granted == 0)
        return 0;
    if (vault_count_unsigned(vault, &left, error) < 0)
        return -1;
    if (left > 0) {
        error_set(error, CODE_BUSY, "another process is enrolling a card or adding an app");
        return error_hint(error, "wait for it to end, then run this again");
    }
    if (vault_signed_head(vault, &head, error) < 0)
        return -1;
    signed_head_clear(&job->head);
    job->head = head;
    return repeat_intent(job, error);
}

/* Login, connection and lock, then the signature over the intent: only after it can keys flow. */
static int open_rooms(struct job *job, struct error *error)
{
    struct session *session = &job->session;
    auto_cards struct vault_cards cards = {0};
    char purpose[NAME_MAX_SIZE + 16];
    (void)snprintf(purpose, sizeof(purpose), "exchange %s", job->name->full);
    if (vault_cards_find(job->front->vault, &job->head, &cards, error) < 0 ||
        session_make_way(session, error) < 0 ||
        session_open(session, &cards, json_object_get(job->app.key_entry, "cards"), purpose,
                     job->record_count, 1, error) < 0 ||
        job_connect(job, error) < 0 || renew_head(job, error) < 0 ||
        session_tell_head(session, &job->head, error) < 0 || tell_app(job, error) < 0 ||
        session_tell_tail(session, &job->head, error) < 0)
        return -1;
    return session_sign(session, error);
}

/* ---- the provider ---- */

/* Providers know no names of ours: a hint of theirs says NAME or APP where one belongs. */
static void verdict_hint(const struct job *job, struct error *error)
{
    char hint[OAUTH_HINT_MAX];
    oauth_hint_fill(job->verdict.hint, job->name->full, job->name->app, hint);
    if (hint[0] != '\0')
        error_hint(error, "%s", hint);
}

/* A verdict that is not CODE_DONE as the person's error. */
static int verdict_error(const struct job *job, struct error *error)
{
    const struct oauth_verdict *verdict = &job->verdict;
    error_set(error, verdict->action, "%s: %s", oauth_step_name(job->step), verdict->message);
    if (verdict->provider_code != 0)
        error_set(error, verdict->action, "%s: %s (code %lld%s%s)", oauth_step_name(job->step),
                  verdict->message, (long long)verdict->provider_code,
                  *verdict->trace ? ", trace " : "", verdict->trace);
    verdict_hint(job, error);
    return -1;
}

static struct oauth_expected expected(const struct job *job)
{
    return (struct oauth_expected){.provider = job->provider,
                                   .client_id = json_text(job->app.app_entry, "client_id"),
                                   .kind = job->name->kind,
                                   .step = STEP_EXCHANGE,
                                   .now = clock_now()};
}

static int inspect_input(struct job *job, struct error *error)
{
    if (job_step(job, STEP_INSPECT_INPUT, JOB_GRANT, &job->input, error) < 0)
        return -1;
    if (job->verdict.action == CODE_DONE) {
        struct oauth_verdict judged = {0};
        const struct oauth_expected wanted = expected(job);
        oauth_judge_input(&wanted, &job->input, &judged);
        judged.http = job->verdict.http;
        if (judged.action != CODE_DONE)
            job->verdict = judged;
    }
    return job->verdict.action == CODE_DONE ? 0 : verdict_error(job, error);
}

/* The provider itself says that the grant is none of ours; an answer that nobody can read says nothing. */
static bool refused(const struct oauth_verdict *verdict)
{
    return verdict->action == CODE_LOGIN ||
           (verdict->action == CODE_STOP && verdict->provider_code != 0);
}

/*
 * Asks what the provider says of a pending grant.  *ret_taken: it is current now.  A grant that is not taken is
 * rejected, unless the provider could not be asked: then it stays pending for the next run.
 */
static int confirm(struct job *job, size_t number, struct store_record *grant, bool *ret_taken,
                   struct error *error)
{
    *ret_taken = false;
    if (job_step(job, STEP_INSPECT_RESULT, number, &job->result, error) < 0)
        return -1;
    if (job->verdict.action != CODE_DONE && !refused(&job->verdict))
        return verdict_error(job, error);
    if (job->verdict.action == CODE_DONE) {
        struct oauth_verdict judged = {0};
        const struct oauth_expected wanted = expected(job);
        oauth_judge_result(&wanted, &job->input, &job->result, &judged);
        judged.http = job->verdict.http;
        job->verdict = judged;
    }
    if (job->verdict.action != CODE_DONE) {
        (void)verdict_error(job, error);
        struct error rejecting;
        if (job_reject(job, grant, &rejecting) < 0) {
            *error = rejecting;
            return -1;
        }
        return 0;
    }
    *ret_taken = true;
    return job_promote(job, grant, error);
}

static const struct oauth_facts nothing_known = {.valid = FACT_UNKNOWN,
                                                 .expires = FACT_UNKNOWN,
                                                 .data_expires = FACT_UNKNOWN,
                                                 .issued = FACT_UNKNOWN};

static int exchange(struct job *job, bool *ret_resolved, struct error *error)
{
    bool taken = false;
    *ret_resolved = false;
    if (inspect_input(job, error) < 0)
        return -1;
    if (job->has_pending) {
        if (confirm(job, JOB_PENDING, &job->records[JOB_PENDING], &taken, error) < 0)
            return -1;
        *ret_resolved = taken;
        if (taken)
            return 0;
        job->result = nothing_known; /* what was said of it is not said of the next one */
    }
    if (job_step(job, STEP_EXCHANGE, JOB_GRANT, NULL, error) < 0)
        return -1;
    if (job->verdict.action != CODE_DONE)
        return verdict_error(job, error);
    if (!job->has_issued)
        return error_set(error, CODE_STOP, "the provider issued nothing");
    if (confirm(job, job->record_count, &job->issued, &taken, error) < 0)
        return -1;
    return taken ? 0 : -1;
}

/* ---- the job ---- */

static int run(struct job *job, bool *ret_resolved, struct error *error)
{
    if (open_rooms(job, error) < 0)
        return -1;
    return exchange(job, ret_resolved, error);
}

/* The outcome of a failure; when even that cannot be written, the person is told both. */
static void close_failed(struct job *job, struct error *error)
{
    struct error closing;
    if (job_close(job,
                  error->code == CODE_WAIT && job->result.expires != FACT_UNKNOWN ? "not-extended"
                                                                                  : "failed",
                  error, &closing) < 0) {
        struct error first = *error;
        error_set(error, closing.code, "%s; and its outcome is not in the log: %s", first.text,
                  closing.text);
    }
}

static int carry_out(struct job *job, struct front_exchanged *ret_exchanged, struct error *error)
{
    bool resolved;
    if (session_prepare(job->front, false, NULL, error) < 0 || find_all(job, error) < 0 ||
        session_begin_use(&job->session, intent_members(job), error) < 0)
        return -1;
    if (run(job, &resolved, error) < 0) {
        close_failed(job, error);
        return -1;
    }
    (void)snprintf(ret_exchanged->subject, sizeof(ret_exchanged->subject), "%s",
                   job->result.subject);
    ret_exchanged->expires_before = job->input.expires;
    ret_exchanged->expires_after = job->result.expires;
    ret_exchanged->resolved = resolved;
    return 0;
}

int front_exchange(struct front *front, const struct name *name,
                   struct front_exchanged *ret_exchanged, struct error *error)
{
    auto_close int lock = -1;
    __attribute__((cleanup(job_clear))) struct job job = {.front = front,
                                                          .name = name,
                                                          .session = SESSION_NONE,
                                                          .input = nothing_known,
                                                          .result = nothing_known};
    job.head.note = BUFFER_UP_TO(NOTE_MAX);
    job.session.front = front;
    if (vault_lock(front->vault, name->full, "working on this grant", &lock, error) < 0 ||
        carry_out(&job, ret_exchanged, error) < 0)
        return error_prefix(error, "%s", name->full);
    return 0;
}
