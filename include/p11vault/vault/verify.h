/*
 * verify.h: `audit verify`: everything the log can prove, from the store (or a copy) and public keys alone.
 *
 * Checked: every entry's form and hash, every stored tree node, every checkpoint against the tree and the trust file,
 * entries that grant trust are signed or void, every record against its seal entry and its clear columns against the
 * newest entry about it, every outcome's checkpoint is there, and the newest head seen on this machine.
 */
#ifndef P11VAULT_VAULT_VERIFY_H
#define P11VAULT_VAULT_VERIFY_H

#include <stdbool.h>

#include "p11vault/vault/vault.h"

struct verify_report {
    uint64_t entries, signed_entries, checkpoints, records;
    /* An entry that would grant trust and that no card has signed: nobody believes it, but somebody has written it. */
    bool has_unsigned_grant;
    uint64_t unsigned_grant;
    /* The newest entry by which the log goes on from an older store, and how many entries the lost head has. */
    bool goes_on;
    uint64_t went_on, lost;
    uint64_t seen; /* of an export: the newest head that this machine has seen, when it is newer; else 0 */
};

/* CODE_LOG with the first bad place ("entry 5: …", "record 'ads/user/alice' version 2: …", "checkpoint 8: …"). */
int vault_verify(struct vault *vault, struct verify_report *ret_report, struct error *error);
/* The same for a store that may be older than what this machine has seen. */
int vault_verify_older(struct vault *vault, struct verify_report *ret_report, struct error *error);

/*
 * The same from a directory of tiles (export.h): entries, tiles and checkpoints against each other and the trust file of the
 * configuration, and the head that this machine has seen.  It holds no records, apps and cards.  CODE_LOG names the file.
 */
int vault_verify_export(const struct config *config, const char *directory,
                        struct verify_report *ret_report, struct error *error);

/* Whether a directory is one of tiles: it has a checkpoint and no store. */
bool vault_is_export(const char *directory);

#endif
