/*
 * A conversation end: packets built and read in locked memory, every one checked against the table of messages.
 *
 * A packet is: version, type, then the fields.  A number is 8 bytes big endian; everything else a length of 4 bytes and
 * its bytes, a text with its NUL.
 */
#include "p11vault/ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* A peer that reads nothing any more, because its module hangs or it was stopped, must not hold us for good. */
#define SEND_SECONDS 20

struct channel {
    int descriptor;
    enum party self, peer;
    enum state state;
    bool gone; /* the peer has ended */
    struct secret *out, *in;
};

static const char *const party_names[] = {"front", "card room", "exchange room"};

int channel_new(int descriptor, enum party self, enum party peer, enum state state,
                struct channel **ret_channel, struct error *error)
{
    auto_of(channel_free) struct channel *channel = calloc(1, sizeof(*channel));
    if (!channel) {
        close(descriptor);
        return error_memory(error);
    }
    channel->descriptor = descriptor;
    const struct timeval patience = {.tv_sec = SEND_SECONDS};
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return error_errno(error, CODE_FAULT, "bound the waits of a channel");
    channel->self = self;
    channel->peer = peer;
    channel->state = state;
    if (secret_new(MESSAGE_MAX, &channel->out, error) < 0 ||
        secret_new(MESSAGE_MAX, &channel->in, error) < 0)
        return -1;
    *ret_channel = TAKE(channel);
    return 0;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->descriptor >= 0)
        close(channel->descriptor);
    secret_free(channel->out);
    secret_free(channel->in);
    free(channel);
}

enum state channel_state(const struct channel *channel)
{
    return channel->state;
}

int channel_descriptor(const struct channel *channel)
{
    return channel->descriptor;
}

/* What the person is told when the other side has gone: the card's trouble is 23, anything else may be tried again. */
static int peer_ended(struct channel *channel, struct error *error)
{
    channel->gone = true;
    return error_set(error, channel->peer == PARTY_CARD ? CODE_CARD : CODE_RETRY,
                     "the %s ended in the middle of its work", party_names[channel->peer]);
}

static int too_late(const struct channel *channel, struct error *error)
{
    return error_set(error, channel->peer == PARTY_CARD ? CODE_CARD : CODE_RETRY,
                     "the %s did not answer in time", party_names[channel->peer]);
}

static bool allowed(const struct channel *channel, const struct message_rule *rule, enum party from,
                    enum party to)
{
    return rule && rule->from == from && rule->to == to && channel->state < STATE_OVER &&
           (rule->when & (UINT32_C(1) << channel->state)) != 0;
}

static void advance(struct channel *channel, const struct message_rule *rule)
{
    if (rule->next != STATE_SAME)
        channel->state = rule->next;
}

/* ---- sending ---- */

static int put_number(struct secret *packet, uint64_t number, size_t bytes, struct error *error)
{
    uint8_t big_endian[8];
    for (size_t i = 0; i < bytes; i++)
        big_endian[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    return secret_append(packet, big_endian, bytes, error);
}

static int put_field(struct secret *packet, char kind, const struct field *field,
                     struct error *error)
{
    if (field->kind != kind)
        return error_set(error, CODE_FAULT, "field of kind '%c' where '%c' belongs", field->kind,
                         kind);
    if (kind == 'u')
        return put_number(packet, field->number, 8, error);
    const char *bytes = field->bytes;
    size_t size = field->size;
    if (kind == 's') {
        bytes = bytes ? bytes : "";
        size = strlen(bytes) + 1;
    }
    if (size > MESSAGE_MAX)
        return error_set(error, CODE_STOP, "field of %zu bytes is too long for a message", size);
    if (put_number(packet, size, 4, error) < 0)
        return -1;
    return secret_append(packet, bytes, size, error);
}

static int build(struct channel *channel, const struct message_rule *rule,
                 const struct field *fields, size_t count, struct error *error)
{
    size_t expected = strcspn(rule->fields, "f");
    if (count != expected)
        return error_set(error, CODE_FAULT, "%zu fields where %zu belong", count, expected);
    secret_clear(channel->out);
    const uint8_t head[2] = {MESSAGE_VERSION, (uint8_t)rule->type};
    if (secret_append(channel->out, head, sizeof(head), error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (put_field(channel->out, rule->fields[i], &fields[i], error) < 0)
            return -1;
    return 0;
}

static int transmit(struct channel *channel, int descriptor, struct error *error)
{
    struct iovec packet = {(void *)(uintptr_t)secret_data(channel->out), secret_size(channel->out)};
    struct msghdr header = {.msg_iov = &packet, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    if (descriptor >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(channel->descriptor, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
        return peer_ended(channel, error);
    if (sent < 0 && errno == EAGAIN) {
        channel->state = STATE_OVER;
        return too_late(channel, error);
    }
    if (sent != (ssize_t)packet.iov_len)
        return error_errno(error, CODE_FAULT, "send to the %s", party_names[channel->peer]);
    return 0;
}

int channel_send_fields(struct channel *channel, enum message_type type, const struct field *fields,
                        size_t count, int descriptor, struct error *error)
{
    const struct message_rule *rule = message_rule(type);
    if (!allowed(channel, rule, channel->self, channel->peer))
        return error_set(error, CODE_FAULT, "message '%s' to the %s is not allowed now",
                         rule ? rule->name : "?", party_names[channel->peer]);
    if (build(channel, rule, fields, count, error) < 0) {
        secret_clear(channel->out);
        return error_prefix(error, "message '%s'", rule->name);
    }
    int result = transmit(channel, descriptor, error);
    secret_clear(channel->out);
    if (result == 0)
        advance(channel, rule);
    return result;
}

void channel_send_fail(struct channel *channel, const struct error *failure)
{
    struct error ignored;
    enum message_type type =
        channel->self == PARTY_CARD ? MESSAGE_CARD_FAIL : MESSAGE_EXCHANGE_FAIL;
    (void)channel_send(channel, type, &ignored, NUMBER(failure->code), TEXT(failure->text),
                       TEXT(failure->hint));
}

/* ---- receiving ---- */

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

static bool take_field(struct cursor *cursor, char kind, struct field *ret_field)
{
    struct field field = {.kind = kind};
    if (kind == 'u') {
        if (!take_number(cursor, 8, &field.number))
            return false;
        *ret_field = field;
        return true;
    }
    uint64_t size;
    if (!take_number(cursor, 4, &size) || size > cursor->left)
        return false;
    field.bytes = cursor->at;
    field.size = (size_t)size;
    cursor->at += size;
    cursor->left -= (size_t)size;
    if (kind == 's') {
        /* A text ends with the one NUL in it. */
        if (size == 0 || memchr(field.bytes, 0, (size_t)size) != cursor->at - 1)
            return false;
        field.size--;
    }
    *ret_field = field;
    return true;
}

static bool parse(const struct channel *channel, const struct message_rule *rule,
                  struct message *ret_message)
{
    struct cursor cursor = {secret_data(channel->in) + 2, secret_size(channel->in) - 2};
    size_t count = strcspn(rule->fields, "f");
    for (size_t i = 0; i < count; i++)
        if (!take_field(&cursor, rule->fields[i], &ret_message->fields[i]))
            return false;
    ret_message->count = count;
    bool wants_descriptor = rule->fields[count] == 'f';
    return cursor.left == 0 && wants_descriptor == (ret_message->descriptor >= 0);
}

static int wait_readable(struct channel *channel, struct deadline deadline, struct error *error)
{
    struct pollfd poller = {.fd = channel->descriptor, .events = POLLIN};
    for (;;) {
        int ready = poll(&poller, 1, deadline_left(deadline));
        if (ready > 0)
            return 0;
        if (ready == 0)
            return too_late(channel, error);
        if (errno != EINTR)
            return error_errno(error, CODE_FAULT, "wait for the %s", party_names[channel->peer]);
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
        return peer_ended(channel, error);
    if (received < 0)
        return error_errno(error, CODE_FAULT, "receive from the %s", party_names[channel->peer]);
    secret_grow(channel->in, (size_t)received);
    auto_close int descriptor = received_descriptor(&header);
    if (received < 2 || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        secret_data(channel->in)[0] != MESSAGE_VERSION)
        return error_set(error, CODE_FAULT, "the %s sent a packet that is no message",
                         party_names[channel->peer]);
    *ret_descriptor = TAKE_FD(descriptor);
    return 0;
}

/* A peer's `fail` becomes our error. */
static int failure_of(const struct message *message, struct error *error)
{
    enum code code = error_code_from((unsigned long)message_number(message, 0));
    error_set(error, code == CODE_DONE ? CODE_FAULT : code, "%s", message_text(message, 1));
    return error_hint(error, "%s", message_text(message, 2));
}

int channel_receive(struct channel *channel, struct deadline deadline, struct message *ret_message,
                    struct error *error)
{
    auto_close int descriptor = -1;
    if (receive_packet(channel, deadline, &descriptor, error) < 0)
        return -1;
    const struct message_rule *rule = message_rule(secret_data(channel->in)[1]);
    if (!allowed(channel, rule, channel->peer, channel->self))
        return error_set(error, CODE_FAULT, "message '%s' from the %s is not allowed now",
                         rule ? rule->name : "?", party_names[channel->peer]);
    struct message message = {.type = rule->type, .descriptor = descriptor};
    if (!parse(channel, rule, &message))
        return error_set(error, CODE_FAULT, "message '%s' from the %s is malformed", rule->name,
                         party_names[channel->peer]);
    advance(channel, rule);
    if (rule->type == MESSAGE_CARD_FAIL || rule->type == MESSAGE_EXCHANGE_FAIL)
        return failure_of(&message, error);
    (void)TAKE_FD(descriptor);
    *ret_message = message;
    return 0;
}

int channel_expect(struct channel *channel, enum message_type type, struct deadline deadline,
                   struct message *ret_message, struct error *error)
{
    struct message message;
    if (channel_receive(channel, deadline, &message, error) < 0)
        return -1;
    if (message.type != type) {
        if (message.descriptor >= 0)
            close(message.descriptor);
        return error_set(error, CODE_FAULT, "message '%s' from the %s where '%s' belongs",
                         message_rule(message.type)->name, party_names[channel->peer],
                         message_rule(type)->name);
    }
    *ret_message = message;
    return 0;
}

bool channel_peer_gone(const struct channel *channel)
{
    return channel->gone;
}

void channel_forget(struct channel *channel)
{
    secret_clear(channel->in);
}

int channel_pair(int ret_ends[2], bool one_way, struct error *error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(error, CODE_FAULT, "make a channel");
    if (one_way && (shutdown(ends[0], SHUT_RD) < 0 || shutdown(ends[1], SHUT_WR) < 0)) {
        error_errno(error, CODE_FAULT, "make a one-way channel");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}
