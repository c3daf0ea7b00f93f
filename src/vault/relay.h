/*
 * relay.h: the entries of a store from the thread that reads them to one that checks them, some hundred at a time.
 *
 * Reading the store and checking what was read cost about the same, so a long log is verified in nearly half the time where
 * there is a second processor.  The reader alone calls the store; what it hands over are copies.
 */
#ifndef P11VAULT_SRC_VAULT_RELAY_H
#define P11VAULT_SRC_VAULT_RELAY_H

#include <stddef.h>

#include "p11vault/audit/merkle.h"
#include "p11vault/base/error.h"
#include "p11vault/store/store.h"

/* An entry and the nodes that the store has for what it completes, from the leaf up. */
struct relayed {
    struct store_filed filed;
    const struct digest *nodes;
    size_t node_count; /* at most MERKLE_LEVELS */
};

/* How far ahead the reader may be: so far that both have work while one waits for a processor. */
#define RELAY_BATCHES 32
#define RELAY_BATCH_ENTRIES 256 /* fewer when they are large */

struct relay;

/* Calls `check` in a thread of its own for each entry that is put, in order, until it fails.  CODE_FAULT without a thread. */
int relay_start(int (*check)(void *context, const struct relayed *entry, struct error *error),
                void *context, struct relay **ret_relay, struct error *error);

/* Hands over a copy; false: a check has failed, and no more is wanted. */
bool relay_put(struct relay *relay, const struct relayed *entry);

/* Waits until all is checked and frees the relay.  The error is that of the check that failed. */
int relay_end(struct relay *relay, struct error *error);

#endif
