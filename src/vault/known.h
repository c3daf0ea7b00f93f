/*
 * known.h: the newest entry about each record that can be opened, the uses without an outcome, and the entries about cards, so that not
 * every use reads the whole log again.
 *
 * That no newer entry is there cannot be proved by inclusion: somebody must have read them all.  This machine has, up to some checkpoint,
 * and keeps what it found with the root of what it read in `trust.VAULTID.records`, beside the trust file, where a writer of the store
 * cannot reach.  From there on the entries are read and proved as ever.
 */
#ifndef P11VAULT_SRC_VAULT_KNOWN_H
#define P11VAULT_SRC_VAULT_KNOWN_H

#include "p11vault/vault/log.h"

struct vault_known;
void vault_known_free(struct vault_known *known);

/*
 * The entry, proved, that is the newest about this version of a record; *ret_entry NULL when the log knows none that could be
 * opened ("current" or "pending").  CODE_LOG when the log is not the one that was signed.  The caller drops the entry.
 */
int vault_known_record(struct vault *vault, const struct signed_head *head, const char *name,
                       int64_t version, uint64_t *ret_index, json_t **ret_entry,
                       struct error *error);

/* Calls `each` for the uses that have an intent and no outcome, in no order; stops when it returns non-zero. */
int vault_known_open_uses(struct vault *vault, const struct signed_head *head,
                          int (*each)(void *context, const char *use, struct error *error),
                          void *context, struct error *error);

/*
 * Calls `each` for the entries of type `card` or `removal` that the head covers, the oldest first, void or not; stops with -1 when it
 * fails.  None is left out: what the store's columns say an entry is about stands outside its hash, so it is not asked here.
 */
int vault_known_cards(struct vault *vault, const struct signed_head *head, enum entry_type type,
                      int (*each)(void *context, uint64_t index, struct error *error),
                      void *context, struct error *error);

#endif
