/*
 * One end of a conversation: its life, its state by the table of messages.  send.c and receive.c are its two directions.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* A peer that reads nothing any more, because its module hangs or it was stopped, must not hold us for good. */
#define SEND_SECONDS 20

/* Packets with keys are small, and a secret of this size is hidden where the kernel can hide it, not only locked. */
#define KEYS_PACKET_MAX ((size_t)4096)

const char *channel_party(enum party party)
{
    static const char *const names[] = {"front", "card room", "exchange room"};
    return names[party];
}

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
    size_t packet_max = state == KEYS_FLOW ? KEYS_PACKET_MAX : MESSAGE_MAX;
    if (secret_new(packet_max, &channel->out, error) < 0 ||
        secret_new(packet_max, &channel->in, error) < 0)
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

int channel_peer_ended(struct channel *channel, struct error *error)
{
    channel->gone = true;
    return error_set(error, channel->peer == PARTY_CARD ? CODE_CARD : CODE_RETRY,
                     "the %s ended in the middle of its work", channel_party(channel->peer));
}

int channel_too_late(const struct channel *channel, struct error *error)
{
    return error_set(error, channel->peer == PARTY_CARD ? CODE_CARD : CODE_RETRY,
                     "the %s did not answer in time", channel_party(channel->peer));
}

bool channel_allows(const struct channel *channel, const struct message_rule *rule, enum party from,
                    enum party to)
{
    return rule && rule->from == from && rule->to == to && channel->state < STATE_OVER &&
           (rule->when & (UINT32_C(1) << channel->state)) != 0;
}

void channel_advance(struct channel *channel, const struct message_rule *rule)
{
    if (rule->next != STATE_SAME)
        channel->state = rule->next;
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
