/*
 * Receiving: a packet is read into locked memory and checked against the table of messages before anybody sees a field.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is left of the packet that is being read. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool take_number(struct cursor *cursor, size_t bytes, uint64_t *ret_number)
{
    if (cursor->left < bytes)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | cursor->at[i];
    cursor->at += bytes;
    cursor->left -= bytes;
    *ret_number = number;
    return true;
}

static bool take_field(struct cursor *cursor, char kind, void *place)
{
    uint64_t size;
    if (kind == 'u')
        return take_number(cursor, 8, place);
    if (!take_number(cursor, 4, &size) || size > cursor->left)
        return false;
    const struct message_bytes bytes = {cursor->at, (size_t)size};
    cursor->at += size;
    cursor->left -= (size_t)size;
    if (kind != 's') {
        *(struct message_bytes *)place = bytes;
        return true;
    }
    /* A text ends with the one NUL in it. */
    *(const char **)place = bytes.bytes;
    return size > 0 && memchr(bytes.bytes, 0, (size_t)size) == cursor->at - 1;
}

/* `descriptor` came with it, or is -1. */
static bool parse(const struct channel *channel, const struct message_rule *rule, int descriptor,
                  struct message *ret_message)
{
    struct cursor cursor = {secret_data(channel->in) + 2, secret_size(channel->in) - 2};
    bool wants_descriptor = false;
    for (const struct message_field *field = rule->fields(); field->kind; field++) {
        void *place = (char *)ret_message + field->offset;
        if (field->kind == 'f') {
            wants_descriptor = true;
            *(int *)place = descriptor;
        } else if (!take_field(&cursor, field->kind, place)) {
            return false;
        }
    }
    return cursor.left == 0 && wants_descriptor == (descriptor >= 0);
}

static int wait_readable(struct channel *channel, struct deadline deadline, struct error *error)
{
    struct pollfd poller = {.fd = channel->descriptor, .events = POLLIN};
    for (;;) {
        int ready = poll(&poller, 1, deadline_left(deadline));
        if (ready > 0)
            return 0;
        if (ready == 0)
            return channel_too_late(channel, error);
        if (errno != EINTR)
            return error_errno(error, CODE_FAULT, "wait for the %s", channel_party(channel->peer));
    }
}

static int received_descriptor(struct msghdr *header)
{
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    int descriptor = -1;
    if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
        rights->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&descriptor, CMSG_DATA(rights), sizeof(int));
    return descriptor;
}

/* One packet into `in`; *ret_descriptor is what came with it or -1. */
static int receive_packet(struct channel *channel, struct deadline deadline, int *ret_descriptor,
                          struct error *error)
{
    if (wait_readable(channel, deadline, error) < 0)
        return -1;
    secret_clear(channel->in);
    size_t room;
    struct iovec packet = {secret_room(channel->in, &room), 0};
    packet.iov_len = room;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    /* Without the padding, where a second descriptor would fit in unseen. */
    struct msghdr header = {.msg_iov = &packet,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = CMSG_LEN(sizeof(int))};
    /* A peer that ended with orders unread resets the socket once; what it said before that can still be read. */
    bool reset = false;
    ssize_t received;
    for (;;) {
        received = recvmsg(channel->descriptor, &header, MSG_CMSG_CLOEXEC);
        if (received >= 0 || (errno != EINTR && (errno != ECONNRESET || reset)))
            break;
        reset = errno == ECONNRESET;
    }
    if (received == 0 || (received < 0 && errno == ECONNRESET))
        return channel_peer_ended(channel, error);
    if (received < 0)
        return error_errno(error, CODE_FAULT, "receive from the %s", channel_party(channel->peer));
    secret_grow(channel->in, (size_t)received);
    auto_close int descriptor = received_descriptor(&header);
    if (received < 2 || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        secret_data(channel->in)[0] != MESSAGE_VERSION)
        return error_set(error, CODE_FAULT, "the %s sent a packet that is not a message",
                         channel_party(channel->peer));
    *ret_descriptor = TAKE_FD(descriptor);
    return 0;
}

/* A peer's failure becomes our error. */
static int failure_of(uint64_t said, const char *text, const char *hint, struct error *error)
{
    enum code code = error_code_from((unsigned long)said);
    error_set(error, code == CODE_DONE ? CODE_FAULT : code, "%s", text);
    return error_hint(error, "%s", hint);
}

int channel_receive(struct channel *channel, struct deadline deadline, struct message *ret_message,
                    struct error *error)
{
    auto_close int descriptor = -1;
    if (receive_packet(channel, deadline, &descriptor, error) < 0)
        return -1;
    const struct message_rule *rule = message_rule(secret_data(channel->in)[1]);
    if (!channel_allows(channel, rule, channel->peer, channel->self))
        return error_set(error, CODE_FAULT, "message '%s' from the %s is not allowed now",
                         rule ? rule->name : "?", channel_party(channel->peer));
    struct message message = {.type = rule->type};
    if (!parse(channel, rule, descriptor, &message))
        return error_set(error, CODE_FAULT, "message '%s' from the %s is malformed", rule->name,
                         channel_party(channel->peer));
    channel_advance(channel, rule);
    if (rule->type == MESSAGE_CARD_FAIL)
        return failure_of(message.card_fail.code, message.card_fail.text, message.card_fail.hint,
                          error);
    if (rule->type == MESSAGE_EXCHANGE_FAIL)
        return failure_of(message.exchange_fail.code, message.exchange_fail.text,
                          message.exchange_fail.hint, error);
    (void)TAKE_FD(descriptor);
    *ret_message = message;
    return 0;
}

/* A message that is not wanted may have brought a descriptor. */
static void refuse_message(const struct message *message)
{
    for (const struct message_field *field = message_rule(message->type)->fields(); field->kind;
         field++)
        if (field->kind == 'f')
            close(*(const int *)((const char *)message + field->offset));
}

int channel_expect(struct channel *channel, enum message_type type, struct deadline deadline,
                   struct message *ret_message, struct error *error)
{
    struct message message;
    if (channel_receive(channel, deadline, &message, error) < 0)
        return -1;
    if (message.type != type) {
        refuse_message(&message);
        return error_set(error, CODE_FAULT, "message '%s' from the %s where '%s' belongs",
                         message_rule(message.type)->name, channel_party(channel->peer),
                         message_rule(type)->name);
    }
    *ret_message = message;
    return 0;
}
