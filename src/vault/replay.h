/*
 * replay.h: a log from its first entry on: the tree that it makes, the checkpoints that it must meet, and what its entries say of
 * records, apps and cards.  Where the entries come from, a store or an export, is the caller's.
 */
#ifndef P11VAULT_SRC_VAULT_REPLAY_H
#define P11VAULT_SRC_VAULT_REPLAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/audit/checkpoint.h"
#include "p11vault/audit/entry.h"
#include "p11vault/audit/merkle.h"
#include "p11vault/base/json.h"
#include "p11vault/vault/verify.h"

/* What the log says of one version of a record: the newest entry about it. */
struct replay_record {
    struct replay_record *next; /* in the order in which they were sealed */
    uint64_t hash;              /* of the key */
    uint64_t index;             /* of that entry */
    char digest[DIGEST_HEX_SIZE];
    char state[16];
    struct digest columns; /* SHA-256 of the clear columns as they are written */
    char kid[64];          /* of the app key that it is sealed to */
    bool found;            /* a row was compared with it */
    size_t key_size;
    char key[]; /* "NAME VERSION" */
};

/* The hash again, so that the records that are passed over need not be fetched. */
struct replay_place {
    uint64_t hash;
    struct replay_record *record; /* NULL: free */
};

struct replay_signed {
    uint64_t size;
    struct digest root;
    size_t key; /* that has signed: its place in the trust file's list */
};

struct replay_promise {
    uint64_t size, index; /* of a checkpoint, and of the outcome that names it */
};

struct replay {
    const char *vault_id, *origin;
    const struct trust *trust;
    struct merkle_frontier frontier;
    struct merkle_node nodes[MERKLE_LEVELS]; /* that the newest entry has completed */
    size_t node_count;
    uint64_t total_nodes;

    struct replay_signed *checkpoints; /* verified, by size */
    size_t checkpoint_count, checkpoint_room, next_checkpoint;
    struct replay_promise *promises;
    size_t promise_count, promise_room;

    struct replay_record *records, *last_record;
    size_t record_count;
    struct replay_place *table; /* by hash */
    size_t table_size;
    uint64_t seed;

    json_t *app_keys; /* kid → index of its entry */
    json_t *granted;  /* index as text → entry that grants trust and was not declared void */

    bool cards_changed;                 /* since this was found: */
    int64_t removed_by[TRUST_KEYS_MAX]; /* the entry that removed each key's card; -1: it counts */
};

/* `origin` and `trust` are used until the end; `vault_id` is what entry 0 must say. */
int replay_begin(struct replay *replay, const char *vault_id, const char *origin,
                 const struct trust *trust, struct error *error);
void replay_clear(struct replay *replay);
#define auto_replay __attribute__((cleanup(replay_clear)))

/* All checkpoints, by size, before the first entry.  CODE_LOG, "checkpoint N: …". */
int replay_checkpoint(struct replay *replay, uint64_t size, const char *note, struct error *error);

/*
 * The next entry, in two steps.  First its bytes: hashed into the tree (the nodes it completes are in replay->nodes), and its form.
 * Then what it says, and the root when a checkpoint is reached.  CODE_LOG, "entry N: …".  The view is valid as long as the text.
 */
int replay_read(struct replay *replay, const char *text, size_t size, struct entry_view *ret_view,
                struct error *error);
int replay_take(struct replay *replay, const char *text, size_t size, const struct entry_view *view,
                struct error *error);

/* Behind the last entry: every checkpoint was met, and those that outcomes name are there. */
int replay_end(struct replay *replay, struct error *error);

/* What is known of a version of a record; NULL: nothing. */
struct replay_record *replay_find_record(struct replay *replay, const char *name, int64_t version);

/* How many entries the last checkpoint covers; 0: there is none. */
uint64_t replay_signed_size(const struct replay *replay);

/* The last entry that grants trust and that no checkpoint covers; false: there is none. */
bool replay_unsigned_grant(const struct replay *replay, uint64_t *ret_index);

/* The newest entry by which the log goes on without a lost head, and the size of that; false: there is none. */
bool replay_went_on(const struct replay *replay, uint64_t *ret_index, uint64_t *ret_lost);

/* Whether the key of a checkpoint that was met now is of a card that the entries before it have removed (replay_cards.c).  CODE_LOG. */
int replay_check_signer(struct replay *replay, const struct replay_signed *checkpoint,
                        struct error *error);

/* Puts "entry N: " before the error and makes it the log's. */
int replay_bad_entry(uint64_t index, struct error *error);

struct number_text {
    char text[24];
};
struct number_text replay_number(int64_t number);

/* What it came to, but for the records (verify.c). */
void verify_report_fill(struct verify_report *report, const struct replay *replay);

#endif
