/*
 * Nodes of the tree from the store, and the roots that they make.
 */
#include "tree.h"

int vault_read_node(void *context, unsigned level, uint64_t position, struct digest *ret_hash,
                    struct error *error)
{
    struct vault *vault = context;
    return store_node_get(vault->store, level, position, ret_hash, error);
}

int vault_root(struct vault *vault, uint64_t size, struct digest *ret_root, struct error *error)
{
    struct merkle_frontier frontier;
    if (merkle_load(size, vault_read_node, vault, &frontier, error) < 0)
        return -1;
    *ret_root = merkle_root(&frontier);
    return 0;
}
