/*
 * One connection.  It never blocks: whoever is slow, or says nothing, waits alone.
 */
#include "loopback_visit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define VISIT_MS 10000
#define LEAVE_MS 1000
#define FIRST_SIZE ((size_t)4096)

void visit_begin(struct visit *visit, int descriptor, uint64_t number)
{
    *visit = (struct visit){.state = VISIT_READING,
                            .descriptor = descriptor,
                            .number = number,
                            .deadline = deadline_in(VISIT_MS),
                            .answer = BUFFER_UP_TO(RESULT_PAGE_MAX)};
}

void visit_end(struct visit *visit)
{
    if (visit->state == VISIT_NONE)
        return;
    close(visit->descriptor);
    secret_free(visit->head);
    buffer_clear(&visit->answer);
    *visit = (struct visit){.state = VISIT_NONE};
}

short visit_events(const struct visit *visit)
{
    if (visit->state == VISIT_NONE)
        return 0;
    return visit->state == VISIT_WRITING ? POLLOUT : POLLIN;
}

static bool may_come_later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* A few KiB do for most; much locked memory for eight that say little would be too much where it is scarce. */
static int make_room(struct visit *visit, struct error *error)
{
    auto_of(secret_free) struct secret *larger = NULL;
    if (!visit->head)
        return secret_new(FIRST_SIZE, &visit->head, error);
    if (secret_size(visit->head) < FIRST_SIZE || secret_capacity(visit->head) >= LOOPBACK_HEAD_MAX)
        return 0;
    if (secret_new(LOOPBACK_HEAD_MAX, &larger, error) < 0 ||
        secret_append_secret(larger, visit->head, error) < 0)
        return -1;
    secret_free(visit->head);
    visit->head = TAKE(larger);
    return 0;
}

static int receive(struct visit *visit, struct error *error)
{
    size_t room;
    if (make_room(visit, error) < 0)
        return -1;
    uint8_t *bytes = secret_room(visit->head, &room);
    ssize_t got = recv(visit->descriptor, bytes, room, 0);
    if (got > 0)
        secret_grow(visit->head, (size_t)got);
    else if (got == 0 || !may_come_later())
        visit_end(visit);
    return 0;
}

int visit_read(struct visit *visit, const struct loopback_place *place,
               enum loopback_request *ret_request, bool *ret_too_long, struct error *error)
{
    size_t at = 0, size = 0;
    *ret_request = REQUEST_PARTIAL;
    *ret_too_long = false;
    if (deadline_passed(visit->deadline))
        visit_end(visit);
    if (visit->state == VISIT_NONE)
        return 0;
    if (receive(visit, error) < 0)
        return -1;
    if (visit->state == VISIT_NONE)
        return 0;
    *ret_request = loopback_request_read(visit->head, place, &at, &size);
    if (*ret_request == REQUEST_PARTIAL) {
        *ret_too_long = secret_size(visit->head) == LOOPBACK_HEAD_MAX;
    } else if (*ret_request == REQUEST_VISIT) {
        secret_cut(visit->head, at + size);
        secret_drop_front(visit->head, at);
    } else {
        secret_clear(visit->head);
    }
    return 0;
}

int visit_answer(struct visit *visit, enum result_page page, struct error *error)
{
    secret_free(TAKE(visit->head));
    if (result_page_put(page, &visit->answer, error) < 0)
        return -1;
    visit->state = VISIT_WRITING;
    visit->deadline = deadline_in(VISIT_MS);
    visit_go_on(visit);
    return 0;
}

static void send_some(struct visit *visit)
{
    ssize_t sent = send(visit->descriptor, visit->answer.data + visit->sent,
                        visit->answer.size - visit->sent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (!may_come_later())
            visit_end(visit);
        return;
    }
    visit->sent += (size_t)sent;
    if (visit->sent < visit->answer.size)
        return;
    (void)shutdown(visit->descriptor, SHUT_WR);
    visit->state = VISIT_LEAVING;
    visit->deadline = deadline_in(LEAVE_MS);
}

/* What it still says is dropped inside the kernel (MSG_TRUNC); what lay unread would make the end a reset. */
static void see_off(struct visit *visit)
{
    uint8_t nothing[4096];
    ssize_t got = recv(visit->descriptor, nothing, sizeof(nothing), MSG_TRUNC);
    if (got == 0 || (got < 0 && !may_come_later()))
        visit_end(visit);
}

void visit_go_on(struct visit *visit)
{
    if (deadline_passed(visit->deadline))
        visit_end(visit);
    if (visit->state == VISIT_WRITING)
        send_some(visit);
    else if (visit->state == VISIT_LEAVING)
        see_off(visit);
}
