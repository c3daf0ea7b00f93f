/*
 * merkle_consistency.c: that one tree is the beginning of another.  A proof is made on the way down to the place where the
 * smaller tree ends, and checked on the way up, where both roots are made from it at the same time.
 */
#include "p11vault/audit/merkle.h"

#include <stdbool.h>

#include "internal.h"

int merkle_prove_consistency(uint64_t first, uint64_t second, merkle_read_node *read, void *context,
                             struct merkle_proof *ret_proof, struct error *error)
{
    struct merkle_proof proof = {.count = 0};
    uint64_t start = 0, left = second, ends = first;
    bool whole = true; /* what is left begins where the smaller tree begins: its root is known */
    if (first > second)
        return error_set(error, CODE_LOG, "a tree of %llu entries is not a prefix of one of %llu",
                         (unsigned long long)first, (unsigned long long)second);
    while (first > 0 && ends < left) {
        uint64_t half = merkle_split(left);
        bool goes_left = ends <= half;
        uint64_t aside = goes_left ? start + half : start;
        uint64_t aside_size = goes_left ? left - half : half;
        if (merkle_read_range(aside, aside_size, read, context, &proof.hashes[proof.count], error) <
            0)
            return error_prefix(error, "prove consistency");
        proof.count++;
        whole = whole && goes_left;
        start = goes_left ? start : start + half;
        ends = goes_left ? ends : ends - half;
        left = goes_left ? half : left - half;
    }
    if (!whole &&
        merkle_read_range(start, left, read, context, &proof.hashes[proof.count++], error) < 0)
        return error_prefix(error, "prove consistency");
    merkle_reverse(&proof);
    *ret_proof = proof;
    return 0;
}

/* RFC 9162 section 2.1.4.2, for first < second and a first that is not 0. */
static bool leads_to_both(uint64_t first, uint64_t second, const struct merkle_proof *proof,
                          const struct digest *first_root, const struct digest *second_root)
{
    uint64_t node = first - 1, last = second - 1;
    size_t at = 0;
    while ((node & 1) != 0) {
        node >>= 1;
        last >>= 1;
    }
    /* A smaller tree that is perfect is a node of the larger one: its root stands for itself. */
    bool perfect = node == 0;
    if (!perfect && proof->count == 0)
        return false;
    struct digest small = perfect ? *first_root : proof->hashes[at++];
    struct digest large = small;
    for (; at < proof->count; at++) {
        if (last == 0)
            return false;
        if ((node & 1) != 0 || node == last) {
            small = merkle_parent(&proof->hashes[at], &small);
            large = merkle_parent(&proof->hashes[at], &large);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            large = merkle_parent(&large, &proof->hashes[at]);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && digest_equal(&small, first_root) && digest_equal(&large, second_root);
}

int merkle_verify_consistency(uint64_t first, uint64_t second, const struct merkle_proof *proof,
                              const struct digest *first_root, const struct digest *second_root,
                              struct error *error)
{
    bool holds = first <= second && proof->count <= MERKLE_LEVELS;
    if (holds && first == second)
        holds = proof->count == 0 && digest_equal(first_root, second_root);
    else if (holds && first == 0)
        holds = proof->count == 0;
    else if (holds)
        holds = leads_to_both(first, second, proof, first_root, second_root);
    if (holds)
        return 0;
    return error_set(
        error, CODE_LOG,
        "the log was forked: its %llu entries do not begin with the %llu that were signed before",
        (unsigned long long)second, (unsigned long long)first);
}
