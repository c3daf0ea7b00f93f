/*
 * Waiting for a room: after a second the person sees for whom, and a signal that is held ends it.
 */
#include "p11vault/base/interrupt.h"
#include "session.h"

int session_await(const struct front *front, const char *whom, struct room *room,
                  struct deadline deadline, struct error *error)
{
    int descriptor = channel_descriptor(room_channel(room));
    int left = deadline_left(deadline);
    bool draws = front && front->waiting && left > SLOW_MS;
    int ready = interrupt_wait(descriptor, draws ? SLOW_MS : left);
    if (ready == 0 && draws) {
        front->waiting(whom);
        ready = interrupt_wait(descriptor, deadline_left(deadline));
        front->waiting(NULL);
    }
    if (ready >= 0)
        return 0;
    room_interrupt(room);
    return error_set(error, CODE_RETRY, "interrupted by a signal");
}

int session_expect_of_card(struct session *session, enum message_type type,
                           struct deadline deadline, struct message *ret_message,
                           struct error *error)
{
    if (session_await(session->front, "the card", session->card, deadline, error) < 0)
        return -1;
    return session_expect(session->card, type, deadline, ret_message, error);
}

void session_say_cancelled(struct error *error)
{
    if (interrupt_came())
        error_set(error, CODE_RETRY, "cancelled before a key was handed out: nothing was opened");
}
