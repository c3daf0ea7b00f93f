/*
 * merkle.h: the Merkle tree of RFC 6962 section 2.1 (SHA-256), without I/O.
 *
 * A tree is kept as the hashes of its perfect subtrees: node (level, position) covers the entries
 * position * 2^level … (position + 1) * 2^level - 1, and exists once those are all there.  Nodes never change.
 */
#ifndef P11VAULT_AUDIT_MERKLE_H
#define P11VAULT_AUDIT_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/error.h"

#define MERKLE_LEVELS 64

/* The perfect subtrees that a tree of `size` entries is made of: one per set bit of the size, largest first. */
struct merkle_frontier {
    uint64_t size;
    struct digest nodes[MERKLE_LEVELS];
    size_t count;
};

struct merkle_node {
    unsigned level;
    uint64_t position;
    struct digest hash;
};

/* SHA-256(0x00 || entry), SHA-256(0x01 || left || right). */
struct digest merkle_leaf(const void *entry, size_t size);
struct digest merkle_parent(const struct digest *left, const struct digest *right);

/* The (level, position) of each frontier node for a size, largest first; returns how many. */
size_t merkle_frontier_places(uint64_t size, struct merkle_node ret_places[MERKLE_LEVELS]);

/*
 * Adds a leaf.  The nodes completed by it (the leaf itself and the parents it closes) are written to `ret_nodes`,
 * *ret_count of them, for the store to keep; NULL when nobody keeps them.
 */
void merkle_append(struct merkle_frontier *frontier, const struct digest *leaf,
                   struct merkle_node ret_nodes[MERKLE_LEVELS], size_t *ret_count);

/* The root; SHA-256("") for an empty tree. */
struct digest merkle_root(const struct merkle_frontier *frontier);

/* Reads one node from wherever the tree is kept. */
typedef int merkle_read_node(void *context, unsigned level, uint64_t position,
                             struct digest *ret_hash, struct error *error);

/* The frontier of a tree of `size` entries whose nodes can be read. */
int merkle_load(uint64_t size, merkle_read_node *read, void *context,
                struct merkle_frontier *ret_frontier, struct error *error);

/* Inclusion proof (RFC 6962 2.1.1) for entry `index` in the tree of `size`, bottom to top. */
struct merkle_proof {
    struct digest hashes[MERKLE_LEVELS];
    size_t count;
};
int merkle_prove(uint64_t index, uint64_t size, merkle_read_node *read, void *context,
                 struct merkle_proof *ret_proof, struct error *error);

/* CODE_LOG when the proof does not lead from the leaf at `index` to the root of the tree of `size`. */
int merkle_verify(uint64_t index, uint64_t size, const struct digest *leaf,
                  const struct merkle_proof *proof, const struct digest *root, struct error *error);

/*
 * Consistency proof (RFC 6962 2.1.2) that the tree of `first` entries is the beginning of the tree of `second`; empty when one of
 * them is empty or both are one.  CODE_LOG, "the log was forked", when it does not lead to both roots.
 */
int merkle_prove_consistency(uint64_t first, uint64_t second, merkle_read_node *read, void *context,
                             struct merkle_proof *ret_proof, struct error *error);
int merkle_verify_consistency(uint64_t first, uint64_t second, const struct merkle_proof *proof,
                              const struct digest *first_root, const struct digest *second_root,
                              struct error *error);

#endif
