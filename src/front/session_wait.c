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

/* Where nothing is drawn a touch is said, for nothing goes on without it. */
static void say_touch(const struct session *session)
{
    const struct front *front = session->front;
    int descriptor = channel_descriptor(room_channel(session->card));
    if (session->may_want_touch && !front->waiting && front->say &&
        interrupt_wait(descriptor, SLOW_MS) == 0)
        front->say("waiting for the card: touch it if it blinks");
}

int session_expect_of_card(struct session *session, enum message_type type,
                           struct deadline deadline, struct message *ret_message,
                           struct error *error)
{
    const char *whom = session->may_want_touch ? "the card: touch it if it blinks" : "the card";
    say_touch(session);
    if (session_await(session->front, whom, session->card, deadline, error) == 0 &&
        session_expect(session->card, type, deadline, ret_message, error) == 0)
        return 0;
    if (session->may_want_touch && deadline_passed(deadline) && !*error->hint)
        error_hint(error, "touch the card when it blinks; if it is slow: deadline in its module's "
                          "section of the configuration");
    return -1;
}

void session_say_cancelled(struct error *error)
{
    if (interrupt_came())
        error_set(error, CODE_RETRY, "cancelled before a key was handed out: nothing was opened");
}
