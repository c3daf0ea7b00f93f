/*
 * Moving records: the card room hands their keys as for any use, and the exchange room, locked and unconnected, seals them anew.
 */
#include "transfer.h"

#include <stdio.h>
#include <string.h>

#include "typing.h"

#define INTENT_RECORDS 60 /* an entry lists at most 64 */

void transfer_clear(struct transfer *transfer)
{
    for (size_t i = 0; transfer->moved && i < transfer->job.record_count; i++)
        free(transfer->moved[i].jwe);
    free(transfer->moved);
    job_clear(&transfer->job);
}

/* ---- intents ---- */

static json_t *intent_members(const struct transfer *transfer, size_t first, size_t count)
{
    const struct job *job = &transfer->job;
    auto_json json_t *opens = json_array();
    auto_json json_t *seals = json_array();
    for (size_t i = first; i < first + count; i++) {
        const struct store_record *row = &job->records[i];
        json_array_append_new(opens, json_pack("{s:s, s:I, s:s}", "name", row->name, "version",
                                               (json_int_t)row->version, "digest", row->digest));
        if (transfer->moved)
            json_array_append_new(seals, json_string(transfer->moved[i].name.full));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "verb", job->verb, "name", transfer->about,
                     "card", job->front->card ? job->front->card : "", "origin", "", "opens", opens,
                     "seals", seals);
}

int transfer_intend(struct transfer *transfer, struct error *error)
{
    struct job *job = &transfer->job;
    for (size_t first = 0; first < job->record_count; first += INTENT_RECORDS) {
        size_t left = job->record_count - first;
        json_t *members =
            intent_members(transfer, first, left < INTENT_RECORDS ? left : INTENT_RECORDS);
        int result = first == 0 ? session_begin_use(&job->session, members, error)
                                : vault_intent(job->front->vault, job->session.use, members, error);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* ---- the rooms ---- */

int transfer_start_room(struct job *job, struct error *error)
{
    const struct room_start how = {
        .who = PARTY_EXCHANGE, .keys = job->session.keys_out, .inherit_input = false, .env = NULL};
    if (room_start(&how, &job->exchange, error) < 0)
        return -1;
    close(TAKE_FD(job->session.keys_out));
    return session_tell(job->exchange, channel_send(room_channel(job->exchange), shut, error),
                        error);
}

int transfer_open(struct transfer *transfer, const struct vault_cards *cards, struct error *error)
{
    struct job *job = &transfer->job;
    struct session *session = &job->session;
    char purpose[NAME_MAX_SIZE + 64];
    (void)snprintf(purpose, sizeof(purpose), "%s %s", job->verb, transfer->about);
    if (session_make_way(session, error) < 0 ||
        session_open(session, cards, json_object_get(job->app.key_entry, "cards"), purpose,
                     job->record_count, transfer->moved ? job->record_count : 0, error) < 0 ||
        transfer_start_room(job, error) < 0 || session_tell_head(session, &job->head, error) < 0)
        return -1;
    return job_tell_records(job, error);
}

int transfer_sign(struct transfer *transfer, struct error *error)
{
    struct job *job = &transfer->job;
    if (session_tell_tail(&job->session, &job->head, error) < 0)
        return -1;
    return session_sign(&job->session, error);
}

/* ---- one record ---- */

static int tell(struct transfer *transfer, size_t number, struct error *error)
{
    struct job *job = &transfer->job;
    const struct store_record *row = &job->records[number];
    const struct moved *moved = &transfer->moved[number];
    struct channel *channel = room_channel(job->exchange);
    auto_free char *text = NULL;
    auto_json json_t *facts = typing_facts(&moved->name, moved->version, job->provider->name,
                                           json_object_get(job->app.app_entry, "origins"));
    if (!facts)
        return error_memory(error);
    if (json_canonical(facts, &text, error) < 0)
        return -1;
    uint64_t slot = job->record_count + number;
    if (job_tell_record(job, number, row, error) < 0)
        return -1;
    int sent = channel_send(channel, slot, error, .n = slot, .facts = text);
    if (sent == 0)
        sent = channel_send(channel, reseal, error, .n = number, .slot = slot);
    return session_tell(job->exchange, sent, error);
}

static int take_issued(struct transfer *transfer, size_t number, const struct message *issued,
                       struct error *error)
{
    struct moved *moved = &transfer->moved[number];
    if (moved->jwe || issued->issued.n != transfer->job.record_count + number)
        return error_set(error, CODE_FAULT, "the exchange room sealed what nobody asked for");
    if (job_check_issued(issued, &moved->name, moved->version, transfer->kid, NULL, error) < 0)
        return -1;
    return store_text_set(&moved->jwe, issued->issued.jwe, error);
}

int transfer_expect(struct job *job, enum message_type type, struct deadline deadline,
                    struct message *ret_message, struct error *error)
{
    for (;;) {
        if (channel_receive(room_channel(job->exchange), deadline, ret_message, error) < 0) {
            room_explain(job->exchange, error);
            return -1;
        }
        if (ret_message->type == type)
            return 0;
        if (ret_message->type != MESSAGE_WANT)
            return error_set(error, CODE_FAULT, "the exchange room does what nobody asked for");
        if (session_hand(&job->session, ret_message, error) < 0)
            return -1;
        if (deadline_passed(deadline))
            return error_set(error, CODE_FAULT, "the exchange room did not answer in time");
    }
}

int transfer_move(struct transfer *transfer, size_t number, struct error *error)
{
    struct deadline deadline = deadline_in(TRANSFER_MS);
    struct message message;
    if (tell(transfer, number, error) < 0 ||
        transfer_expect(&transfer->job, MESSAGE_ISSUED, deadline, &message, error) < 0 ||
        take_issued(transfer, number, &message, error) < 0 ||
        transfer_expect(&transfer->job, MESSAGE_RESEALED, deadline, &message, error) < 0)
        return -1;
    transfer->clear_us += (int64_t)message.resealed.clear_us;
    return 0;
}

/* ---- what stands in the store afterwards ---- */

int transfer_put(const struct transfer *transfer, size_t number, struct error *error)
{
    const struct job *job = &transfer->job;
    const struct store_record *old = &job->records[number];
    const struct moved *moved = &transfer->moved[number];
    auto_record struct store_record row = {0};
    auto_json json_t *remarks = NULL;
    if (vault_new_row(&moved->name, moved->version, "current", moved->jwe, &row, error) < 0 ||
        store_text_set(&row.subject, old->subject, error) < 0 ||
        store_text_set(&row.scopes, old->scopes, error) < 0 ||
        vault_remarks(job->front->vault, old, &remarks, error) < 0)
        return -1;
    row.expires = old->expires;
    row.data_expires = old->data_expires;
    row.issued = old->issued;
    row.checked = old->checked;
    row.valid = old->valid;
    return vault_put_record(job->front->vault, &row, transfer->kid, remarks, job->session.use,
                            error);
}

int transfer_append_outcome(struct transfer *transfer, struct error *error)
{
    struct job *job = &transfer->job;
    json_t *members =
        json_pack("{s:s, s:s, s:s, s:I}", "use", job->session.use, "result", "done", "code",
                  error_code_name(CODE_DONE), "plaintext_us", (json_int_t)transfer->clear_us);
    uint64_t index;
    if (!members)
        return error_memory(error);
    if (job->session.signed_size > 0)
        json_object_set_new(members, "checkpoint",
                            json_integer((json_int_t)job->session.signed_size));
    return vault_append(job->front->vault, ENTRY_OUTCOME, job->session.use, members, &index, error);
}
