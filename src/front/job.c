/*
 * A job from its app to the signature: what may be opened is named in intents, the card signs over them, and only then can
 * keys flow.
 */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/interrupt.h"
#include "p11vault/seal/jwe.h"

void job_clear(struct job *job)
{
    room_free(job->exchange);
    unkept_free(job->unkept);
    for (size_t i = 0; i < job->record_count; i++)
        store_record_clear(&job->records[i]);
    free(job->records);
    vault_app_clear(&job->app);
    signed_head_clear(&job->head);
    session_clear(&job->session);
}

int job_add_record(struct job *job, struct store_record *row, size_t *ret_number,
                   struct error *error)
{
    size_t most = job->changes_key ? REKEY_RECORDS_MAX : JOB_RECORDS_MAX;
    if (job->record_count == most)
        return error_set(error, CODE_USAGE, "more than %zu records for one use of the card", most);
    void *grown = realloc(job->records, (job->record_count + 1) * sizeof(job->records[0]));
    if (!grown)
        return error_memory(error);
    job->records = grown;
    job->records[job->record_count] = *row;
    *row = (struct store_record){0};
    *ret_number = job->record_count++;
    return 0;
}

void job_drop_records(struct job *job, size_t count)
{
    while (job->record_count > count)
        store_record_clear(&job->records[--job->record_count]);
}

int job_find_app(struct job *job, const char *app, struct error *error)
{
    struct vault *vault = job->front->vault;
    job->head.note = BUFFER_UP_TO(NOTE_MAX);
    job->session = SESSION_NONE;
    job->session.front = job->front;
    job->usage.percent = USAGE_UNKNOWN;
    if (vault_lock_app(vault, app, job->changes_key, &job->session.app_lock, error) < 0 ||
        vault_signed_head(vault, &job->head, error) < 0 ||
        vault_app_find(vault, &job->head, app, &job->app, error) < 0)
        return -1;
    job->origin = vault_app_origin(&job->app);
    job->provider = provider_find(job->app.row.provider);
    if (!job->provider)
        return error_set(error, CODE_CONFIG, "app '%s': this program knows no provider '%s'", app,
                         job->app.row.provider);
    return 0;
}

int job_begin(struct job *job, const char *app, struct error *error)
{
    auto_record struct store_record row = {0};
    char secret[NAME_MAX_SIZE];
    size_t number;
    (void)snprintf(secret, sizeof(secret), "%s/secret", app);
    if (job_find_app(job, app, error) < 0 ||
        vault_find_record(job->front->vault, secret, "current", &row, error) < 0)
        return -1;
    return job_add_record(job, &row, &number, error);
}

int job_check_issued(const struct message *issued, const struct name *name, int64_t version,
                     const char *kid, json_t **ret_facts, struct error *error)
{
    auto_json json_t *facts = NULL;
    struct jwe_header header;
    const char *text = issued->issued.facts;
    if (json_parse(text, strlen(text), "facts", &facts, error) < 0 ||
        jwe_read_header(issued->issued.jwe, &header, error) < 0)
        return -1;
    const char *sealed = json_text(facts, "name");
    if (!sealed || strcmp(sealed, name->full) != 0 || json_number(facts, "version", 0) != version)
        return error_set(error, CODE_FAULT, "the exchange room sealed another record");
    if (strcmp(header.kid, kid) != 0)
        return error_set(error, CODE_FAULT, "the exchange room sealed to another app key");
    if (ret_facts)
        *ret_facts = TAKE(facts);
    return 0;
}

int job_make_room(struct job *job, bool is_list, struct error *error)
{
    struct vault *vault = job->front->vault;
    size_t room = is_list ? UNKEPT_ROOM_LIST : UNKEPT_ROOM_GRANT;
    if (job->unkept && unkept_room(job->unkept) < room)
        unkept_free(TAKE(job->unkept));
    if (store_reserve(vault->store, is_list ? STORE_ROOM_LIST : STORE_ROOM_GRANT, error) == 0 &&
        (job->unkept || unkept_new(vault, job->session.use, room, &job->unkept, error) == 0))
        return 0;
    job->is_stuck = true;
    return error_prefix(error, "not asked, because the new grant could not be kept");
}

/* ---- intents ---- */

static int append_opened(json_t *opens, const struct job *job, size_t number)
{
    const struct store_record *row = &job->records[number];
    return json_array_append_new(opens, json_pack("{s:s, s:I, s:s}", "name", row->name, "version",
                                                  (json_int_t)row->version, "digest", row->digest));
}

/* `batch` NULL: the work is the job's only one. */
static json_t *intent_members(const struct work *work, const char *batch)
{
    const struct job *job = work->job;
    auto_json json_t *opens = json_array();
    if (append_opened(opens, job, 0) < 0)
        return NULL;
    for (size_t i = 0; i < work->record_count; i++)
        if (append_opened(opens, job, work->first_record + i) < 0)
            return NULL;
    const char *spare = *work->spare.full ? work->spare.full : NULL;
    json_t *seals = *work->seals ? json_pack("[s, s*]", work->seals, spare) : json_array();
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:o, s:s*, s:s*}", "verb", job->verb, "name",
                     work->name.full, "card", job->front->card ? job->front->card : "", "origin",
                     job->origin, "opens", opens, "seals", seals, "batch", batch, "call",
                     *work->call ? work->call : NULL);
}

static int append_intents(struct job *job, struct work *works, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (vault_new_use(works[i].use, error) < 0 ||
            vault_append_intent(job->front->vault, works[i].use,
                                intent_members(&works[i], job->session.use), error) < 0)
            return -1;
    return 0;
}

/* All of them in one change: each change waits for the disk. */
static int write_intents(struct job *job, struct work *works, size_t count, struct error *error)
{
    if (count == 1) {
        if (session_begin_use(&job->session, intent_members(works, NULL), error) < 0)
            return -1;
        memcpy(works->use, job->session.use, USE_SIZE);
        works->is_open = true;
        return 0;
    }
    auto_change struct store *change = job->front->vault->store;
    if (session_begin_batch(&job->session, error) < 0 || store_begin(change, error) < 0 ||
        append_intents(job, works, count, error) < 0 || store_commit(change, error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        works[i].is_open = true;
    return 0;
}

/* The intents once more that the newest head covers: a card room looks for them behind the head. */
static int repeat_intents(struct job *job, const struct work *works, size_t count,
                          struct error *error)
{
    struct vault *vault = job->front->vault;
    const char *batch = count == 1 ? NULL : job->session.use;
    for (size_t i = 0; i < count; i++) {
        uint64_t index;
        bool found;
        if (store_entry_newest(vault->store, entry_type_name(ENTRY_INTENT), works[i].use, &index,
                               &found, error) < 0)
            return -1;
        if ((!found || index < job->head.checkpoint.size) &&
            vault_intent(vault, works[i].use, intent_members(&works[i], batch), error) < 0)
            return -1;
    }
    return 0;
}

/*
 * While a person typed a PIN, others may have enrolled a card or added an app: the card would take theirs for unsigned
 * if it were told the head of before.  What really is unsigned yet belongs to a run that is not over.
 */
static int renew_head(struct job *job, const struct work *works, size_t count, struct error *error)
{
    struct vault *vault = job->front->vault;
    struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    size_t granted, left;
    if (vault_count_granting(vault, job->head.checkpoint.size, "", &granted, error) < 0)
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
    return repeat_intents(job, works, count, error);
}

/* ---- the card ---- */

int job_tell_records(struct job *job, struct error *error)
{
    struct session *session = &job->session;
    if (session_tell_app(session, &job->head, &job->app, error) < 0)
        return -1;
    for (size_t i = 0; i < job->record_count; i++) {
        const struct store_record *row = &job->records[i];
        int sent = channel_send(room_channel(session->card), unlock, error, .n = i,
                                .name = row->name, .version = row->version, .jwe = row->jwe);
        if (session_tell(session->card, sent, error) < 0)
            return -1;
    }
    return 0;
}

int job_tell_record(struct job *job, size_t n, const struct store_record *row, struct error *error)
{
    int sent = channel_send(room_channel(job->exchange), record, error, .n = n,
                            .digest = row->digest, .app = row->app, .name = row->name,
                            .kind = row->kind, .version = row->version, .jwe = row->jwe);
    return session_tell(job->exchange, sent, error);
}

/*
 * Login, connection and lock, then the signature over the intents: only after it can keys flow.  A room that waits with a
 * login's code connects last: it can do so once only, and servers soon close a connection on which nothing is asked.
 */
static int open_rooms(struct job *job, struct work *works, size_t count, struct room *exchange,
                      struct error *error)
{
    struct session *session = &job->session;
    auto_cards struct vault_cards cards = {0};
    char purpose[NAME_MAX_SIZE + 64];
    if (count == 1)
        (void)snprintf(purpose, sizeof(purpose), "%s %s", job->verb, works->name.full);
    else
        (void)snprintf(purpose, sizeof(purpose), "%s %zu grants of %s", job->verb, count,
                       job->app.row.app);
    if (vault_cards_find(job->front->vault, &job->head, &cards, error) < 0 ||
        (!exchange && session_make_way(session, error) < 0) ||
        session_open(session, &cards, json_object_get(job->app.key_entry, "cards"), purpose,
                     job->record_count, job->slot_count, error) < 0 ||
        (!exchange && job_connect(job, NULL, job->origin, error) < 0) ||
        renew_head(job, works, count, error) < 0 ||
        session_tell_head(session, &job->head, error) < 0 || job_tell_records(job, error) < 0 ||
        session_tell_tail(session, &job->head, error) < 0 || session_sign(session, error) < 0)
        return -1;
    return exchange ? job_connect(job, exchange, job->origin, error) : 0;
}

int job_open(struct job *job, struct work *works, size_t count, struct room *exchange,
             struct error *error)
{
    job->exchange = exchange; /* ours from here on, whatever happens */
    if (write_intents(job, works, count, error) < 0)
        return -1;
    if (open_rooms(job, works, count, exchange, error) < 0 || interrupt_came()) {
        session_say_cancelled(error);
        return -1;
    }
    /* From here on a key may be handed out: what ends now has an outcome that nobody knows. */
    interrupt_release();
    return 0;
}
