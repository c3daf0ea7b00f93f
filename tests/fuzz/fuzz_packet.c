/*
 * Packets between the programs: one byte names who receives and in which state, the rest is what a taken-over peer sends.
 * Whatever is accepted has every field within the packet, and every text ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p11vault/ipc/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    enum party self, peer;
    enum state first, last;
} ends[] = {
    {PARTY_FRONT, PARTY_CARD, CARD_NEW, CARD_HANDING},
    {PARTY_CARD, PARTY_FRONT, CARD_NEW, CARD_HANDING},
    {PARTY_FRONT, PARTY_EXCHANGE, EXCHANGE_NEW, EXCHANGE_MOVING},
    {PARTY_EXCHANGE, PARTY_FRONT, EXCHANGE_NEW, EXCHANGE_MOVING},
    {PARTY_EXCHANGE, PARTY_CARD, KEYS_FLOW, KEYS_FLOW},
};

static volatile size_t sum;

/* Reads every byte that a reader of the message may read: a sanitizer sees one that is not its own. */
static void read_all(const struct message *message)
{
    const struct message_rule *rule = message_rule(message->type);
    for (const struct message_field *field = rule->fields(); field->kind; field++) {
        const void *place = (const char *)message + field->offset;
        const struct message_bytes *bytes = place;
        if (field->kind == 's')
            sum += strlen(*(const char *const *)place);
        for (size_t i = 0; (field->kind == 'b' || field->kind == 'k') && i < bytes->size; i++)
            sum += ((const uint8_t *)bytes->bytes)[i];
        if (field->kind == 'f')
            abort(); /* none was sent */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    struct message message;
    struct channel *channel;
    int pair[2];
    if (size < 2 || size > MESSAGE_MAX)
        return 0;
    size_t end = data[0] % (sizeof(ends) / sizeof(ends[0]));
    unsigned states = ends[end].last - ends[end].first + 1;
    enum state state = ends[end].first + (data[0] / (sizeof(ends) / sizeof(ends[0]))) % states;
    if (channel_pair(pair, false, &error) < 0 ||
        channel_new(pair[0], ends[end].self, ends[end].peer, state, &channel, &error) < 0)
        abort();
    if (send(pair[1], data + 1, size - 1, MSG_NOSIGNAL) != (ssize_t)(size - 1))
        abort();
    if (channel_receive(channel, deadline_in(0), &message, &error) == 0)
        read_all(&message);
    channel_free(channel);
    close(pair[1]);
    return 0;
}
