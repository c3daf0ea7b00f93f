/*
 * merkle_proof.c: inclusion proofs.  A proof is made on the way down from the root, where each turn
 * leaves a sibling aside, and checked on the way up from the leaf, where each sibling joins again.
 */
#include "p11vault/audit/merkle.h"

#include <stdbool.h>

#include "internal.h"

uint64_t merkle_split(uint64_t size)
{
    uint64_t half = 1;
    while (half < size - half)
        half *= 2;
    return half;
}

int merkle_read_range(uint64_t start, uint64_t size, merkle_read_node *read, void *context,
                      struct digest *ret_hash, struct error *error)
{
    struct merkle_node places[MERKLE_LEVELS];
    struct merkle_frontier range = {.size = size, .count = merkle_frontier_places(size, places)};
    for (size_t i = 0; i < range.count; i++) {
        uint64_t position = (start >> places[i].level) + places[i].position;
        if (read(context, places[i].level, position, &range.nodes[i], error) < 0)
            return -1;
    }
    *ret_hash = merkle_root(&range);
    return 0;
}

void merkle_reverse(struct merkle_proof *proof)
{
    for (size_t i = 0; i < proof->count / 2; i++) {
        struct digest kept = proof->hashes[i];
        proof->hashes[i] = proof->hashes[proof->count - 1 - i];
        proof->hashes[proof->count - 1 - i] = kept;
    }
}

int merkle_prove(uint64_t index, uint64_t size, merkle_read_node *read, void *context,
                 struct merkle_proof *ret_proof, struct error *error)
{
    if (index >= size)
        return error_set(error, CODE_LOG, "entry %llu is not in a tree of %llu",
                         (unsigned long long)index, (unsigned long long)size);
    struct merkle_proof proof = {.count = 0};
    uint64_t start = 0;
    uint64_t left = size;
    while (left > 1) {
        uint64_t half = merkle_split(left);
        bool goes_left = index - start < half;
        uint64_t aside = goes_left ? start + half : start;
        uint64_t aside_size = goes_left ? left - half : half;
        if (merkle_read_range(aside, aside_size, read, context, &proof.hashes[proof.count], error) <
            0)
            return error_prefix(error, "prove entry %llu", (unsigned long long)index);
        proof.count++;
        start = goes_left ? start : start + half;
        left = goes_left ? half : left - half;
    }
    merkle_reverse(&proof);
    *ret_proof = proof;
    return 0;
}

int merkle_verify(uint64_t index, uint64_t size, const struct digest *leaf,
                  const struct merkle_proof *proof, const struct digest *root, struct error *error)
{
    if (index >= size || proof->count > MERKLE_LEVELS)
        return error_set(error, CODE_LOG, "no inclusion proof can be right for entry %llu of %llu",
                         (unsigned long long)index, (unsigned long long)size);
    struct digest hash = *leaf;
    uint64_t node = index;    /* our place on this level */
    uint64_t last = size - 1; /* the last place on it */
    bool fits = true;
    for (size_t i = 0; fits && i < proof->count; i++) {
        fits = last > 0;
        /* The last place of a level may have no sibling: it moves up until it is a right one. */
        while (node == last && (node & 1) == 0 && last > 0) {
            node >>= 1;
            last >>= 1;
        }
        if ((node & 1) != 0)
            hash = merkle_parent(&proof->hashes[i], &hash);
        else
            hash = merkle_parent(&hash, &proof->hashes[i]);
        node >>= 1;
        last >>= 1;
    }
    if (!fits || last != 0 || !digest_equal(&hash, root))
        return error_set(error, CODE_LOG,
                         "the inclusion proof of entry %llu does not lead to the "
                         "root of %llu entries",
                         (unsigned long long)index, (unsigned long long)size);
    return 0;
}
