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
 * What the newest entry about a row says beside its columns, as an object of its own: `profile` and
 * `lost_scopes` (docs/formats.md); {} for neither.  The caller drops it.  CODE_LOG when that entry
 * cannot be read or is about another row.
 */
int vault_remarks(struct vault *vault, const struct store_record *row, json_t **ret_remarks,
                  struct error *error);

/*
 * Writes a new version of a record and its seal entry, inside the change that is open.  `row` has
 * name, app, kind, version, state, jwe and the columns; digest and entry are filled here.
 * `remarks` (NULL: none) as vault_remarks() gives them; other members of it are left out.
 */
int vault_put_record(struct vault *vault, struct store_record *row, const char *kid,
                     const json_t *remarks, const char *use, struct error *error);

/* Changes state and columns of a version and writes its state entry, inside the change that is open. */
int vault_change_record(struct vault *vault, struct store_record *row, const json_t *remarks,
                        const char *use, struct error *error);

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

#endif
