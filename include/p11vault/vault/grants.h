/*
 * grants.h: records: putting them with their log entries, and finding one that may be opened.
 */
#ifndef P11VAULT_VAULT_GRANTS_H
#define P11VAULT_VAULT_GRANTS_H

#include "p11vault/base/name.h"
#include "p11vault/vault/log.h"

/* The clear columns, as JSON for log entries and into a store row. */
json_t *vault_columns(const struct store_record *record);

/*
 * A row of a new version, of which nothing but its name is known yet.  The caller clears it, also after a failure
 * (CODE_FAULT: memory).
 */
int vault_new_row(const struct name *name, int64_t version, const char *state, const char *jwe,
                  struct store_record *ret_row, struct error *error);

/*
 * Writes a new version of a record and its seal entry, inside the change that is open.  `row` has name, app, kind,
 * version, state, jwe and the columns; digest and entry are filled here.
 */
int vault_put_record(struct vault *vault, struct store_record *row, const char *kid,
                     const char *use, struct error *error);

/* Changes state and columns of a version and writes its state entry, inside the change that is open. */
int vault_change_record(struct vault *vault, struct store_record *row, const char *use,
                        struct error *error);

/* What a version becomes that is not to be opened any more. */
struct vault_retirement {
    const char *state; /* previous, rejected, forgotten */
    const char *use;   /* that did it; NULL: none */
    bool
        keeps_bytes; /* its ciphertext stays until the version after it was opened; else it is destroyed now */
};
/*
 * Retires one version, inside the change that is open.  The row stays as it was: a change that is rolled back leaves
 * nothing behind, in memory neither.
 */
int vault_retire(struct vault *vault, const struct store_record *row,
                 const struct vault_retirement *how, struct error *error);
/* Every version of a name that is in the state `from`; *count grows by how many there were. */
int vault_retire_all(struct vault *vault, const char *name, const char *from,
                     const struct vault_retirement *how, size_t *count, struct error *error);

/*
 * Finds the newest version of a name in a state and checks it: its digest is that of its bytes, and of the newest log
 * entry about the name and version, which lies in the log's tree.  CODE_USAGE when there is none ("import it"),
 * CODE_LOG when store and log do not agree.  The caller clears the row.
 */
int vault_find_record(struct vault *vault, const char *name, const char *state,
                      struct store_record *ret_record, struct error *error);

/* The next version number of a name. */
int vault_next_version(struct vault *vault, const char *name, int64_t *ret_version,
                       struct error *error);

/* Records of uses: the intent, durable before the card is asked, and the outcome. */
int vault_intent(struct vault *vault, const char *use, json_t *members, struct error *error);
/* The same inside a change of the caller's: a batch has many intents, and one change for all of them. */
int vault_append_intent(struct vault *vault, const char *use, json_t *members, struct error *error);
int vault_outcome(struct vault *vault, const char *use, json_t *members, struct error *error);

/* That somebody was told of a grant. */
int vault_notice(struct vault *vault, const char *name, json_t *members, struct error *error);

/*
 * Closes the intents of processes that died: every use with an intent and no outcome, and no living process behind it,
 * gets the outcome `unknown`.  *ret_count says how many.
 */
int vault_close_dead_uses(struct vault *vault, size_t *ret_count, struct error *error);

#endif
