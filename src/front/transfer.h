/*
 * transfer.h: records that are opened by an exchange room that was never connected: to be sealed anew, to another app key or
 * under another name, or (nothing is `moved`) only to be used.
 */
#ifndef P11VAULT_SRC_FRONT_TRANSFER_H
#define P11VAULT_SRC_FRONT_TRANSFER_H

#include "job.h"

/* One record that moves: from the job's record of the same number. */
struct moved {
    struct name name; /* that it gets */
    int64_t version;
    char *jwe; /* as it was sealed anew */
};

struct transfer {
    struct job job;
    struct moved *moved; /* one a record of the job, or NULL */
    int64_t clear_us;
    const char *kid;   /* of the app key that they are sealed to */
    const char *about; /* what the intent is about: an app or a grant */
};

void transfer_clear(struct transfer *transfer);

/* Writes the intents, at most 60 records each, all of one use. */
int transfer_intend(struct transfer *transfer, struct error *error);

/* Starts a job's exchange room, locked and without a connection. */
int transfer_start_room(struct job *job, struct error *error);

/* Starts both rooms, tells the card room head, app and records: it waits for what else there is to tell. */
int transfer_open(struct transfer *transfer, const struct vault_cards *cards, struct error *error);

/* Tells the entries behind the head and has the log signed. */
int transfer_sign(struct transfer *transfer, struct error *error);

#define TRANSFER_MS 30000 /* one record */

/* The next message of the exchange room, which is of that type; what keys it wants in between are handed. */
int transfer_expect(struct job *job, enum message_type type, struct deadline deadline,
                    struct message *ret_message, struct error *error);

/* Moves one record; its new JWE is then in `moved`. */
int transfer_move(struct transfer *transfer, size_t number, struct error *error);

/*
 * Puts what was moved into the store, current, with all that is known of the old one, inside the
 * change that is open.
 */
int transfer_put(const struct transfer *transfer, size_t number, struct error *error);

/* The outcome that closes the use, inside the change that is open: all went well. */
int transfer_append_outcome(struct transfer *transfer, struct error *error);

#endif
