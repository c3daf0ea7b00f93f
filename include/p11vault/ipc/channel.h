/*
 * channel.h: one end of a conversation.  Every message sent or received is checked against the table of messages.h and
 * moves the state on; every wait has a deadline.  Packets are built and received in locked memory, those of the one-way
 * channel, which carries keys, in hidden memory where there is such (secret.h).
 */
#ifndef P11VAULT_IPC_CHANNEL_H
#define P11VAULT_IPC_CHANNEL_H

#include "p11vault/base/cleanup.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/ipc/messages.h"

struct channel;

/* Takes over the descriptor.  `state` is where the conversation begins. */
int channel_new(int descriptor, enum party self, enum party peer, enum state state,
                struct channel **ret_channel, struct error *error);
void channel_free(struct channel *channel);
DEFINE_CLEANUP(struct channel, channel_free);

enum state channel_state(const struct channel *channel);
/* The end of the conversation for a waiting poll(2); belongs to the channel. */
int channel_descriptor(const struct channel *channel);

/*
 * Sends a message: channel_send(channel, MESSAGE_HAND, &error, NUMBER(n), NUMBER(m)).  CODE_FAULT
 * when the fields do not fit the rule or the message is not allowed now; CODE_CARD or CODE_RETRY
 * ("the card room has ended") when the peer is gone.
 */
int channel_send_fields(struct channel *channel, enum message_type type, const struct field *fields,
                        size_t count, int descriptor, struct error *error);
#define channel_send(channel, type, error, ...)                                                    \
    channel_send_fields(channel, type, (const struct field[]){__VA_ARGS__},                        \
                        sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field), -1,    \
                        error)
#define channel_send_empty(channel, type, error)                                                   \
    channel_send_fields(channel, type, NULL, 0, -1, error)

/* Wipes the last received packet: for one that held a key. */
void channel_forget(struct channel *channel);

/*
 * Receives the next message.  An error message of the peer (`fail`) is turned into our error with its code, text and
 * hint, and -1 is returned.  Otherwise as channel_send(); CODE_RETRY when the deadline passes.
 */
int channel_receive(struct channel *channel, struct deadline deadline, struct message *ret_message,
                    struct error *error);

/* channel_receive() for the one type that must come now. */
int channel_expect(struct channel *channel, enum message_type type, struct deadline deadline,
                   struct message *ret_message, struct error *error);

/* Tells the front of a failure: `fail` with this error.  Its own failure is ignored: the peer is gone then. */
void channel_send_fail(struct channel *channel, const struct error *failure);

/* True when sending or receiving has found that the peer has ended. */
bool channel_peer_gone(const struct channel *channel);

/* Two connected ends, close-on-exec.  `one_way`: bytes go from ends[0] to ends[1] only. */
int channel_pair(int ret_ends[2], bool one_way, struct error *error);

#endif
