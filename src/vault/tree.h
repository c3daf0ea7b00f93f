/*
 * tree.h: the log's Merkle tree as it lies in the store.
 */
#ifndef P11VAULT_SRC_VAULT_TREE_H
#define P11VAULT_SRC_VAULT_TREE_H

#include "p11vault/audit/merkle.h"
#include "p11vault/vault/vault.h"

/* A merkle_read_node; the context is the vault. */
int vault_read_node(void *context, unsigned level, uint64_t position, struct digest *ret_hash,
                    struct error *error);

/* The root over the first `size` entries.  CODE_LOG when nodes are missing. */
int vault_root(struct vault *vault, uint64_t size, struct digest *ret_root, struct error *error);

#endif
