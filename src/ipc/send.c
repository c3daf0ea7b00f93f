/*
 * Sending: a packet is built in locked memory, sent whole and wiped.
 *
 * A packet is: version, type, then the fields.  A number is 8 bytes big endian; everything else a length of 4 bytes and
 * its bytes, a text with its NUL.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int put_number(struct secret *packet, uint64_t number, size_t bytes, struct error *error)
{
    uint8_t big_endian[8];
    for (size_t i = 0; i < bytes; i++)
        big_endian[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    return secret_append(packet, big_endian, bytes, error);
}

static int put_bytes(struct secret *packet, const void *bytes, size_t size, struct error *error)
{
    if (size > MESSAGE_MAX)
        return error_set(error, CODE_STOP, "%zu bytes are too long for a message", size);
    if (put_number(packet, size, 4, error) < 0)
        return -1;
    return secret_append(packet, bytes, size, error);
}

static int put_field(struct secret *packet, const struct message_field *field, const void *place,
                     struct error *error)
{
    if (field->kind == 'u')
        return put_number(packet, *(const uint64_t *)place, 8, error);
    if (field->kind == 's') {
        const char *text = *(const char *const *)place;
        return text ? put_bytes(packet, text, strlen(text) + 1, error)
                    : error_set(error, CODE_FAULT, "nothing is said");
    }
    const struct message_bytes *bytes = place;
    return put_bytes(packet, bytes->bytes, bytes->size, error);
}

/* *ret_descriptor: what travels beside it, or -1. */
static int build(struct channel *channel, const struct message_rule *rule,
                 const struct message *message, int *ret_descriptor, struct error *error)
{
    const uint8_t head[2] = {MESSAGE_VERSION, (uint8_t)rule->type};
    *ret_descriptor = -1;
    secret_clear(channel->out);
    if (secret_append(channel->out, head, sizeof(head), error) < 0)
        return -1;
    for (const struct message_field *field = rule->fields(); field->kind; field++) {
        const void *place = (const char *)message + field->offset;
        if (field->kind == 'f')
            *ret_descriptor = *(const int *)place;
        else if (put_field(channel->out, field, place, error) < 0)
            return error_prefix(error, "%s", field->name);
    }
    return 0;
}

static ssize_t transmit_with(const struct channel *channel, int descriptor)
{
    struct iovec packet = {(void *)(uintptr_t)secret_data(channel->out), secret_size(channel->out)};
    struct msghdr header = {.msg_iov = &packet, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    header.msg_control = &control;
    header.msg_controllen = sizeof(control);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    return sendmsg(channel->descriptor, &header, MSG_NOSIGNAL);
}

/* sendmsg(2) only with a descriptor: a locked room has it no more, because it can name an address. */
static int transmit(struct channel *channel, int descriptor, struct error *error)
{
    size_t size = secret_size(channel->out);
    ssize_t sent;
    do
        sent = descriptor >= 0
                   ? transmit_with(channel, descriptor)
                   : send(channel->descriptor, secret_data(channel->out), size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
        return channel_peer_ended(channel, error);
    if (sent < 0 && errno == EAGAIN) {
        channel->state = STATE_OVER;
        return channel_too_late(channel, error);
    }
    if (sent != (ssize_t)size)
        return error_errno(error, CODE_FAULT, "send to the %s", channel_party(channel->peer));
    return 0;
}

int channel_send_message(struct channel *channel, const struct message *message,
                         struct error *error)
{
    const struct message_rule *rule = message_rule(message->type);
    int descriptor;
    if (!channel_allows(channel, rule, channel->self, channel->peer))
        return error_set(error, CODE_FAULT, "message '%s' to the %s is not allowed now",
                         rule ? rule->name : "?", channel_party(channel->peer));
    if (build(channel, rule, message, &descriptor, error) < 0) {
        secret_clear(channel->out);
        return error_prefix(error, "message '%s'", rule->name);
    }
    int result = transmit(channel, descriptor, error);
    secret_clear(channel->out);
    if (result == 0)
        channel_advance(channel, rule);
    return result;
}

void channel_send_fail(struct channel *channel, const struct error *failure)
{
    struct error ignored;
    if (channel->self == PARTY_CARD)
        (void)channel_send(channel, card_fail, &ignored, .code = failure->code,
                           .text = failure->text, .hint = failure->hint);
    else
        (void)channel_send(channel, exchange_fail, &ignored, .code = failure->code,
                           .text = failure->text, .hint = failure->hint);
}
