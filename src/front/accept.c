/*
 * `audit accept`: an older store is gone on with, because the newer one is lost for good.  Each head that was seen and that the
 * log does not contain is named in an entry, and the card signs for those entries alone when the person was asked the PIN
 * for exactly this.
 */
#include <string.h>

#include "p11vault/vault/lost.h"
#include "session.h"

#define VERB "audit accept"
#define NAME "an older log" /* the card room knows these words (tail.c) */

static bool is_among(const struct checkpoint *head, const struct front_lost *lost)
{
    for (size_t i = 0; i < lost->count; i++)
        if (lost->heads[i].head.size == head->size &&
            digest_equal(&lost->heads[i].head.root, &head->root))
            return true;
    return false;
}

static int find(struct session *session, struct front_lost *lost, struct error *error)
{
    struct vault *vault = session->front->vault;
    const struct checkpoint *anchor = &session->anchor;
    bool contains = true;
    if (vault_find_lost(vault, lost->heads, &lost->count, error) < 0 ||
        (anchor->size > 0 && vault_contains(vault, anchor, &contains, error) < 0))
        return -1;
    /* The card looks for its own head: which of the others is the same it does not know. */
    if (!contains && !is_among(anchor, lost))
        lost->heads[lost->count++] = (struct vault_lost){*anchor, "card"};
    if (lost->count == 0)
        return error_set(error, CODE_USAGE,
                         "nothing is lost: the log contains every head that was seen");
    return 0;
}

static int append(struct session *session, const struct front_lost *lost, struct error *error)
{
    struct vault *vault = session->front->vault;
    auto_change struct store *change = vault->store;
    if (store_begin(change, error) < 0)
        return -1;
    for (size_t i = 0; i < lost->count; i++)
        if (vault_append_lost(vault, &lost->heads[i], session->serial, session->use, error) < 0)
            return -1;
    return store_commit(change, error);
}

static int accept_lost(struct session *session, const struct signed_head *head,
                       const struct vault_cards *cards, struct front_lost *lost,
                       struct error *error)
{
    if (session_open(session, cards, NULL, VERB " " NAME, 0, 0, error) < 0 ||
        find(session, lost, error) < 0 || append(session, lost, error) < 0 ||
        session_tell_head(session, head, error) < 0 || session_tell_tail(session, head, error) < 0)
        return -1;
    return session_sign(session, error);
}

int front_accept(struct front *front, struct front_lost *ret_lost, struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    auto_close int trust_lock = -1;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_cards struct vault_cards cards = {0};
    struct front_lost lost = {.count = 0};
    session.front = front;
    if (session_prepare_older(front, &trust_lock, error) < 0 ||
        vault_signed_head(front->vault, &head, error) < 0 ||
        vault_cards_find(front->vault, &head, &cards, error) < 0)
        return -1;
    if (session_begin_plain_use(&session, VERB, NAME, error) < 0)
        return -1;
    if (accept_lost(&session, &head, &cards, &lost, error) < 0) {
        session_fail_use(&session, error);
        session_void_own(front);
        return -1;
    }
    lost.signed_size = session.signed_size;
    if (session_end_use(&session, error) < 0)
        return -1;
    *ret_lost = lost;
    return 0;
}
