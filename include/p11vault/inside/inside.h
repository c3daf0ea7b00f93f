/*
 * inside.h: how the inside of a room begins and ends: walls first, wiping allocators, its channels; then its work; and
 * when that fails, one `fail` message to the front.
 */
#ifndef P11VAULT_INSIDE_INSIDE_H
#define P11VAULT_INSIDE_INSIDE_H

#include "p11vault/ipc/channel.h"

struct inside {
    const char *program; /* "p11vault-card" */
    enum party self,
        other;            /* who this room is, and who is at the other end of the one-way channel */
    enum state begin;     /* of its conversation with the front */
    const char *writable; /* filled before `work`: the argument of --writable or NULL */
    bool network;         /* filled before `work`: the room was started with --network */
    struct channel *front; /* filled before `work` */
    struct channel *keys;  /* the one-way channel, NULL when the room was given none */
    int (*work)(void *context, struct error *error);
    void *context;
};

/* Runs a room; returns what main() returns.  Frees both channels, also when `work` has put another in place of `keys`. */
int inside_run(struct inside *inside, int count, char **arguments);

#endif
