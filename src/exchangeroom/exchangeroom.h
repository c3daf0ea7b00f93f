/*
 * exchangeroom.h: inside p11vault-exchange, the only program that sees an opened secret.
 *
 * Either it never connects and only reads and seals what a person typed; or it connects, locks itself for good, and then
 * carries out steps: ask for a key, open, build, send, wipe, wait with nothing in memory, read, seal, wipe.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_EXCHANGEROOM_H
#define P11VAULT_SRC_EXCHANGEROOM_EXCHANGEROOM_H

#include <jansson.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"
#include "p11vault/http/connection.h"
#include "p11vault/inside/inside.h"
#include "p11vault/oauth/provider.h"
#include "p11vault/seal/jwe.h"
#include "p11vault/seal/record.h"

#define ROOM_RECORDS_MAX 64

/* A sealed record as ordered, or a slot for one that may be issued. */
struct ordered {
    struct ordered *next;
    uint64_t n;
    bool is_slot;
    char digest[DIGEST_HEX_SIZE];
    char *app, *name, *kind;
    int64_t version;
    struct jwe *jwe;
    json_t *facts; /* of a slot; of a record once it was opened */
};

/* What a slot is sealed with. */
struct slot_key {
    struct ec_point epk;
    struct secret *secret;
};

/* What was issued, as the front is to keep it. */
struct sealed {
    char *jwe, *facts;
};

struct exchangeroom {
    struct inside inside; /* its channels: the front's, and the one-way one from the card room */

    struct secret *typed;

    struct connection *connection;
    struct origin origin;
    int64_t step_ms;

    bool app_known;
    struct ec_point app_key;
    char app_kid[THUMBPRINT_SIZE];

    struct ordered *ordered;
    size_t ordered_count;
};

/* Reading and sealing (read_and_seal.c). */
int exchangeroom_read(struct exchangeroom *room, const struct message *order, struct error *error);
int exchangeroom_seal(struct exchangeroom *room, const struct message *order, struct error *error);
/* Takes an app key by its public JWK. */
int exchangeroom_take_app_key(struct exchangeroom *room, const char *jwk, struct error *error);

/* Connecting and the lock (connect.c). */
int exchangeroom_connect(struct exchangeroom *room, const struct message *order,
                         struct error *error);

/* Records and keys (records.c). */
int exchangeroom_record(struct exchangeroom *room, const struct message *order,
                        struct error *error);
int exchangeroom_slot(struct exchangeroom *room, const struct message *order, struct error *error);
void exchangeroom_forget_records(struct exchangeroom *room);
/* Slot n was ordered. */
int exchangeroom_check_slot(struct exchangeroom *room, uint64_t n, struct error *error);
/* Waits for the card room's app key when it is not known yet. */
int exchangeroom_wait_app_key(struct exchangeroom *room, struct error *error);
/* Asks for the key of record n. */
int exchangeroom_want_record(struct exchangeroom *room, uint64_t n, struct secret **ret_key,
                             struct error *error);
/* Opens record n and checks that it is the one ordered: its value. */
int exchangeroom_open_record(struct exchangeroom *room, uint64_t n, const struct secret *key,
                             struct secret **ret_value, struct error *error);
/* Asks for the key of slot n. */
int exchangeroom_want_slot(struct exchangeroom *room, uint64_t n, struct slot_key *ret_key,
                           struct error *error);
/* Seals a value into slot n with its expiry added; it may go where record `from` may go. */
int exchangeroom_seal_slot(struct exchangeroom *room, uint64_t n, uint64_t from,
                           const struct slot_key *key, const struct secret *value, int64_t expires,
                           struct sealed *ret_sealed, struct error *error);

/* One step (step.c). */
int exchangeroom_step(struct exchangeroom *room, const struct message *order, struct error *error);

#endif
