/*
 * internal.h: what the two directions of a channel share.
 */
#ifndef P11VAULT_SRC_IPC_INTERNAL_H
#define P11VAULT_SRC_IPC_INTERNAL_H

#include "p11vault/ipc/channel.h"

struct channel {
    int descriptor;
    enum party self, peer;
    enum state state;
    bool gone; /* the peer has ended */
    struct secret *out, *in;
};

/* "front", "card room", "exchange room". */
const char *channel_party(enum party party);

/* What the person is told when the other side has gone or is late: the card's trouble is 23, else it may be tried again. */
int channel_peer_ended(struct channel *channel, struct error *error);
int channel_too_late(const struct channel *channel, struct error *error);

/* The table of messages: whether a message may travel now, and what state follows. */
bool channel_allows(const struct channel *channel, const struct message_rule *rule, enum party from,
                    enum party to);
void channel_advance(struct channel *channel, const struct message_rule *rule);

#endif
