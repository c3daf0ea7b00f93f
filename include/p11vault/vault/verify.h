/*
 * verify.h: `audit verify`: everything the log can prove, from the store (or a copy) and public keys alone.
 *
 * Checked: every entry's form and hash, every stored tree node, every checkpoint against the tree and the trust file,
 * entries that grant trust are signed or void, every record against its seal entry and its clear columns against the
 * newest entry about it, every outcome's checkpoint is there, and the newest head seen on this machine.
 */
#ifndef P11VAULT_VAULT_VERIFY_H
#define P11VAULT_VAULT_VERIFY_H

#include "p11vault/vault/vault.h"

struct verify_report {
    uint64_t entries, signed_entries, checkpoints, records;
};

/* CODE_LOG with the first bad place ("entry 5: …", "record 'ads/user/alice' version 2: …", "checkpoint 8: …"). */
int vault_verify(struct vault *vault, struct verify_report *ret_report, struct error *error);

#endif
