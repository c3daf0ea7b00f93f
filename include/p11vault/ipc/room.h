/*
 * room.h: starting and ending a room: a program of ours, exec'ed by absolute path from a directory that only root or
 * this user can write, with a clean environment, and nothing open but what it is given.
 */
#ifndef P11VAULT_IPC_ROOM_H
#define P11VAULT_IPC_ROOM_H

#include <limits.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/ipc/channel.h"

#define ROOM_CHANNEL_FD 3 /* in the room: its channel to the front */
#define ROOM_KEYS_FD 4    /* in the room: its end of the one-way channel, when it has one */

/* An argument of a room: secrets may lie in memory that is not locked.  A room is told what its front was told. */
#define ROOM_UNLOCKED "--unlocked-memory"

struct room;

struct room_start {
    enum party who; /* PARTY_CARD or PARTY_EXCHANGE */
    int keys;       /* its end of the one-way channel or -1; stays with the caller, who closes it */
    bool
        inherit_input; /* standard input goes to the room (a typed or piped secret); else /dev/null */
    const char *writable; /* where the card room may write; NULL: nowhere */
    bool network;         /* the card room's module may reach the network */
    char *const *env;     /* the module's profile: "VARIABLE=VALUE" …, NULL */
};

/*
 * Where the program is: beside this one, when that directory has one (a build), else in LIBEXECDIR.  CODE_FAULT when it
 * is missing, CODE_CONFIG when others could have written it or its directory (the text names the path).
 */
int room_find_program(enum party who, char ret_path[PATH_MAX], struct error *error);

/* Starts it; fails as above. */
int room_start(const struct room_start *how, struct room **ret_room, struct error *error);

/*
 * CODE_CONFIG when this user can read the installed program of a room: it would refuse to work
 * (confine_check_start()).  For who makes something that would be left half-made.
 */
int room_check_closed(enum party who, struct error *error);

/* Tells it to end: at the terminal it first puts that back as it was. */
void room_interrupt(struct room *room);

/* Ends it: closes the channel, waits to the deadline for it to go, then kills it.  NULL is fine. */
void room_free(struct room *room);
DEFINE_CLEANUP(struct room, room_free);

struct channel *room_channel(struct room *room);

/* After a failure on the channel: when the room has ended, adds how ("killed by signal 9"). */
void room_explain(struct room *room, struct error *error);

#endif
