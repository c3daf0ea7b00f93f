/*
 * What the card room is told: the signed head, apps and cards with their proofs, every entry behind the head; and what it is asked
 * for then.
 */
#include "session.h"

#include <string.h>

/* ---- the log ---- */

int session_tell_head(struct session *session, const struct signed_head *head, struct error *error)
{
    auto_buffer struct buffer nodes = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
    if (vault_frontier(session->front->vault, head->checkpoint.size, &nodes, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), checkpoint, error,
                            .note = buffer_text(&head->note), .frontier = {nodes.data, nodes.size});
    if (session_tell(session->card, sent, error) < 0)
        return -1;
    return session_tell_extension(session, head, error);
}

int session_tell_recipients(struct session *session, const struct signed_head *head,
                            const struct vault_cards *cards, struct error *error)
{
    for (size_t i = 0; i < cards->count; i++) {
        auto_buffer struct buffer entry = BUFFER_UP_TO(STORE_ENTRY_MAX);
        auto_buffer struct buffer proof = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
        uint64_t index = cards->cards[i].index;
        if (vault_entry_proof(session->front->vault, index, head->checkpoint.size, &entry, &proof,
                              error) < 0)
            return -1;
        int sent =
            channel_send(room_channel(session->card), recipient, error, .index = index,
                         .entry = {entry.data, entry.size}, .proof = {proof.data, proof.size});
        if (session_tell(session->card, sent, error) < 0)
            return -1;
    }
    return 0;
}

int session_tell_app(struct session *session, const struct signed_head *head,
                     const struct vault_app *app, struct error *error)
{
    auto_buffer struct buffer entry = BUFFER_UP_TO(STORE_ENTRY_MAX);
    auto_buffer struct buffer proof = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
    if (vault_entry_proof(session->front->vault, app->row.key_entry, head->checkpoint.size, &entry,
                          &proof, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), app, error, .app = app->row.app,
                            .record = app->row.key_record, .index = app->row.key_entry,
                            .entry = {entry.data, entry.size}, .proof = {proof.data, proof.size});
    return session_tell(session->card, sent, error);
}

static int tell_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    struct session *session = context;
    struct room *card = session->card;
    int sent =
        channel_send(room_channel(card), entry, error, .index = index, .entry = {text, size});
    if (session_tell(card, sent, error) < 0)
        return -1;
    session->told = index + 1;
    return 0;
}

/*
 * Another process may have enrolled a card or changed an app since the head was read: the card
 * would take what that one wrote for trust that nobody has signed.  Behind the telling, so that
 * everything that was told has been looked at.
 */
static int check_alone(struct session *session, const struct signed_head *head, struct error *error)
{
    size_t count;
    if (vault_count_granting(session->front->vault, head->checkpoint.size, session->use, &count,
                             error) < 0)
        return -1;
    if (count == 0)
        return 0;
    error_set(error, CODE_BUSY, "another process is enrolling a card or changing an app");
    return error_hint(error, "wait for it to end, then run this again");
}

int session_tell_tail(struct session *session, const struct signed_head *head, struct error *error)
{
    uint64_t first = session->told > 0 ? session->told : head->checkpoint.size;
    if (store_entry_each(session->front->vault->store, first, tell_entry, session, error) != 0)
        return -1;
    return check_alone(session, head, error);
}

int session_hand(struct session *session, const struct message *want, struct error *error)
{
    uint64_t first = want->want.n, second = want->want.second;
    struct message message;
    int sent = channel_send(room_channel(session->card), hand, error, .n = first, .second = second);
    if (session_tell(session->card, sent, error) < 0 ||
        session_expect(session->card, MESSAGE_HANDED, session_deadline(session->front->module),
                       &message, error) < 0)
        return -1;
    if (message.handed.n != first || message.handed.second != second)
        return error_set(error, CODE_FAULT, "the card room handed another key");
    return 0;
}

/* ---- app keys ---- */

void made_clear(struct made *made)
{
    free(made->record);
    free(made->kid);
    json_decref(made->members);
}

/* The members of the entry about it, and its kid. */
static int keep_made(struct made *made, const char *app, const struct session *session,
                     const char *hex, const char *jwk_text, const char *kid, const char *cards,
                     struct error *error)
{
    auto_json json_t *jwk = json_loads(jwk_text, JSON_REJECT_DUPLICATES, NULL);
    auto_json json_t *kids = json_loads(cards, JSON_REJECT_DUPLICATES, NULL);
    if (!jwk || !kids)
        return error_set(error, CODE_FAULT, "the card room named no key or no cards");
    made->kid = strdup(kid);
    made->members = json_pack("{s:s, s:s, s:O, s:s, s:O, s:s}", "app", app, "kid", kid, "jwk", jwk,
                              "digest", hex, "cards", kids, "use", session->use);
    return made->kid && made->members ? 0 : error_memory(error);
}

static void digest_text(const char *record, char ret_hex[DIGEST_HEX_SIZE])
{
    struct digest digest = digest_of(record, strlen(record));
    digest_hex(&digest, ret_hex);
}

int session_take_made(struct session *session, const struct message *order, const char *app,
                      struct made *ret_made, struct error *error)
{
    struct message message;
    char hex[DIGEST_HEX_SIZE];
    int sent = channel_send_message(room_channel(session->card), order, error);
    if (session_tell(session->card, sent, error) < 0 ||
        session_expect_of_card(session, MESSAGE_MADE, session_deadline(session->front->module),
                               &message, error) < 0)
        return -1;
    digest_text(message.made.record, hex);
    ret_made->record = strdup(message.made.record);
    return ret_made->record ? keep_made(ret_made, app, session, hex, message.made.jwk,
                                        message.made.kid, message.made.cards, error)
                            : error_memory(error);
}

int session_rewrap(struct session *session, const char *app, struct made *ret_made,
                   struct error *error)
{
    struct message message;
    int sent = channel_send(room_channel(session->card), rewrap, error);
    if (session_tell(session->card, sent, error) < 0 ||
        session_expect_of_card(session, MESSAGE_REWRAPPED, session_deadline(session->front->module),
                               &message, error) < 0)
        return -1;
    return keep_made(ret_made, app, session, message.rewrapped.digest, message.rewrapped.jwk,
                     message.rewrapped.kid, message.rewrapped.cards, error);
}

/* It must be the one whose digest is in the log now. */
static int take_sealed(struct session *session, struct made *made, struct error *error)
{
    struct message message;
    char hex[DIGEST_HEX_SIZE];
    if (session_expect(session->card, MESSAGE_SEALED, session_deadline(session->front->module),
                       &message, error) < 0)
        return -1;
    digest_text(message.sealed.record, hex);
    if (strcmp(hex, json_text(made->members, "digest")) != 0)
        return error_set(error, CODE_FAULT, "the card room told another record than it had named");
    made->record = strdup(message.sealed.record);
    return made->record ? 0 : error_memory(error);
}

/* ---- the signature ---- */

int session_sign_sealed(struct session *session, struct made *made, struct store_app *row,
                        struct error *error)
{
    struct message message;
    int sent = channel_send(room_channel(session->card), sign, error);
    if (session_tell(session->card, sent, error) < 0 ||
        session_expect_of_card(session, MESSAGE_SIGNED, session_deadline(session->front->module),
                               &message, error) < 0)
        return -1;
    auto_free char *note = strdup(message.signed_head.note);
    uint64_t size = message.signed_head.size;
    if (!note)
        return error_memory(error);
    session_note_anchor(session, &message);
    /* A checkpoint over the digest of a record that never came would leave the app without the one it names. */
    if (made && take_sealed(session, made, error) < 0)
        return -1;
    if (made)
        row->key_record = made->record;
    if (vault_keep_checkpoint(session->front->vault, note, size, row, error) < 0)
        return -1;
    session->signed_size = size;
    return 0;
}

int session_sign(struct session *session, struct error *error)
{
    return session_sign_sealed(session, NULL, NULL, error);
}
