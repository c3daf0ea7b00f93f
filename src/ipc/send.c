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

int channel_send_fields(struct channel *channel, enum message_type type, const struct field *fields,
                        size_t count, int descriptor, struct error *error)
{
    const struct message_rule *rule = message_rule(type);
    if (!channel_allows(channel, rule, channel->self, channel->peer))
        return error_set(error, CODE_FAULT, "message '%s' to the %s is not allowed now",
                         rule ? rule->name : "?", channel_party(channel->peer));
    if (build(channel, rule, fields, count, error) < 0) {
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
    enum message_type type =
        channel->self == PARTY_CARD ? MESSAGE_CARD_FAIL : MESSAGE_EXCHANGE_FAIL;
    (void)channel_send(channel, type, &ignored, NUMBER(failure->code), TEXT(failure->text),
                       TEXT(failure->hint));
}
