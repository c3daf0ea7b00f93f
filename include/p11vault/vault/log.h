/*
 * log.h: the vault's log: appending entries with their tree nodes, the signed head, proofs.
 */
#ifndef P11VAULT_VAULT_LOG_H
#define P11VAULT_VAULT_LOG_H

#include "p11vault/audit/merkle.h"
#include "p11vault/vault/vault.h"

/*
 * Appends one entry inside the change that is open.  "time" and "who" are added to `members`, whose reference is taken.
 * `subject` is what the entry is about (a name, an app, a serial, a use id).
 */
int vault_append(struct vault *vault, enum entry_type type, const char *subject, json_t *members,
                 uint64_t *ret_index, struct error *error);

/* The newest checkpoint, verified with the trust file.  size 0 and note "" when there is none yet. */
struct signed_head {
    struct checkpoint checkpoint;
    struct buffer note;
};
void signed_head_clear(struct signed_head *head);
#define auto_head __attribute__((cleanup(signed_head_clear)))
int vault_signed_head(struct vault *vault, struct signed_head *ret_head, struct error *error);

/* The frontier of the tree at a size: `ret_bytes` gets 32 bytes a node. */
int vault_frontier(struct vault *vault, uint64_t size, struct buffer *ret_bytes,
                   struct error *error);

/* The entry at `index` with its inclusion proof in the tree of `size` (32 bytes a hash). */
int vault_entry_proof(struct vault *vault, uint64_t index, uint64_t size, struct buffer *ret_entry,
                      struct buffer *ret_proof, struct error *error);

/* The proof (RFC 6962 2.1.2) that the first `first` entries are the beginning of the first `second` (32 bytes a hash). */
int vault_consistency(struct vault *vault, uint64_t first, uint64_t second,
                      struct buffer *ret_proof, struct error *error);

/*
 * The proof that an entry is in the log, as c2sp.org/tlog-proof has it: index, inclusion proof, the signed head.  CODE_LOG when
 * the head does not cover the entry.
 */
#define PROOF_TEXT_MAX (NOTE_MAX + 4096)
int vault_proof_text(struct vault *vault, const struct signed_head *head, uint64_t index,
                     struct buffer *ret_text, struct error *error);

/*
 * Calls `each` for the entries from `first` to the end and proves on the way that those below the signed head are the
 * signed ones, none left out: what `each` learned counts when this returns 0.
 */
int vault_walk(struct vault *vault, const struct signed_head *head, uint64_t first,
               int (*each)(void *context, uint64_t index, const char *text, size_t size,
                           struct error *error),
               void *context, struct error *error);

/*
 * Whether an entry that would grant trust was declared void before a card signed over it.  CODE_LOG when the head does not cover it: then
 * nothing is decided yet.
 */
int vault_is_void(struct vault *vault, const struct signed_head *head, uint64_t index,
                  bool *ret_void, struct error *error);

/*
 * Reads an entry and proves it against the signed head; the caller drops it.  CODE_LOG when it is not covered, is of
 * another type, does not fit the head, or would grant trust but was declared void.
 */
int vault_signed_entry(struct vault *vault, const struct signed_head *head, uint64_t index,
                       enum entry_type type, json_t **ret_entry, struct error *error);

/* Whether a note is a checkpoint by one of these keys over the first `size` entries of this very log.  CODE_LOG. */
int vault_check_note(struct vault *vault, const struct trust *trust, const char *note,
                     uint64_t size, struct error *error);

/*
 * Keeps a checkpoint that a card has signed, and beside the trust file as the newest head seen on
 * this machine; checked first, because one that does not verify would shut the vault.  `row` is of
 * an app whose key it signs for, sealed anew: it takes the place of the one that is there in the
 * same change (NULL: none).
 */
int vault_keep_checkpoint(struct vault *vault, const char *note, uint64_t size,
                          const struct store_app *row, struct error *error);

/* The newest head this machine has seen ("" when none), and where it is kept (caller frees). */
int vault_seen_head(struct vault *vault, struct buffer *ret_note, struct error *error);

/*
 * Refuses a store that is older than the newest head seen on this machine (CODE_LOG, "the store was rolled back") or has other
 * entries than that one ("the log was forked").
 */
int vault_check_seen(struct vault *vault, struct error *error);

#define ROLLED_BACK_HINT                                                                           \
    "find the newer store, or compare: p11vault audit verify; lost for good: p11vault audit accept"

/* Whether another verified checkpoint is a beginning of this store's log.  CODE_LOG: it is longer, or another one ("forked"). */
int vault_check_same_log(struct vault *vault, const struct checkpoint *other, struct error *error);

/* Refuses, before a card is asked, when the newest head could not be kept afterwards: CODE_CONFIG. */
int vault_check_head_writable(struct vault *vault, struct error *error);

#endif
