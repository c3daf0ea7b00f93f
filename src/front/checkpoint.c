/*
 * `audit checkpoint`: a use that opens nothing.  What is signed is the log itself, with the intent for it as its last entry.
 */
#include "session.h"

#define VERB "audit checkpoint"
#define NAME "log"

static int sign(struct session *session, const struct signed_head *head,
                const struct vault_cards *cards, struct error *error)
{
    if (session_open(session, cards, NULL, VERB " " NAME, 0, 0, error) < 0 ||
        session_tell_head(session, head, error) < 0 || session_tell_tail(session, head, error) < 0)
        return -1;
    return session_sign(session, error);
}

int front_checkpoint(struct front *front, uint64_t *ret_size, struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_cards struct vault_cards cards = {0};
    session.front = front;
    if (session_prepare(front, false, NULL, error) < 0 ||
        vault_signed_head(front->vault, &head, error) < 0 ||
        vault_cards_find(front->vault, &head, &cards, error) < 0)
        return -1;
    if (session_begin_plain_use(&session, VERB, NAME, error) < 0)
        return -1;
    if (sign(&session, &head, &cards, error) < 0) {
        session_fail_use(&session, error);
        return -1;
    }
    *ret_size = session.signed_size;
    return session_end_use(&session, error);
}
