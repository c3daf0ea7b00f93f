/*
 * test_merkle.c: the tree against known roots and against the recursive definitions of RFC 6962,
 * written down here a second time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "p11vault/audit/merkle.h"

#define LEAVES ((size_t)130)

/* ---- the definitions of the RFC, word for word ---- */

static struct digest naive_root(const struct digest *leaves, size_t count)
{
    if (count == 0)
        return digest_of("", 0);
    if (count == 1)
        return leaves[0];
    size_t split = 1;
    while (split * 2 < count)
        split *= 2;
    struct digest left = naive_root(leaves, split);
    struct digest right = naive_root(leaves + split, count - split);
    uint8_t bytes[1 + 2 * DIGEST_SIZE] = {0x01};
    memcpy(bytes + 1, left.bytes, DIGEST_SIZE);
    memcpy(bytes + 1 + DIGEST_SIZE, right.bytes, DIGEST_SIZE);
    return digest_of(bytes, sizeof(bytes));
}

static void naive_path(size_t index, const struct digest *leaves, size_t count,
                       struct merkle_proof *proof)
{
    if (count == 1)
        return;
    size_t split = 1;
    while (split * 2 < count)
        split *= 2;
    if (index < split) {
        naive_path(index, leaves, split, proof);
        proof->hashes[proof->count++] = naive_root(leaves + split, count - split);
    } else {
        naive_path(index - split, leaves + split, count - split, proof);
        proof->hashes[proof->count++] = naive_root(leaves, split);
    }
}

static struct digest leaf_number(size_t number)
{
    uint8_t entry[3] = {0x00, (uint8_t)number, (uint8_t)(number >> 8)};
    return digest_of(entry, sizeof(entry));
}

/* ---- a tree whose nodes are kept in memory ---- */

struct kept {
    struct digest leaves[LEAVES];
    struct merkle_node nodes[2 * LEAVES];
    size_t count;
    struct merkle_frontier frontier;
};

static struct kept kept;

static int read_kept(void *context, unsigned level, uint64_t position, struct digest *ret_hash,
                     struct error *error)
{
    const struct kept *tree = context;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].level == level && tree->nodes[i].position == position) {
            *ret_hash = tree->nodes[i].hash;
            return 0;
        }
    }
    return error_set(error, CODE_LOG, "no node %u/%llu", level, (unsigned long long)position);
}

static void keep_leaf(struct kept *tree, const struct digest *leaf)
{
    struct merkle_node nodes[MERKLE_LEVELS];
    size_t count = 0;
    merkle_append(&tree->frontier, leaf, nodes, &count);
    memcpy(tree->nodes + tree->count, nodes, count * sizeof(nodes[0]));
    tree->count += count;
}

static int grow(void **state)
{
    (void)state;
    memset(&kept, 0, sizeof(kept));
    for (size_t i = 0; i < LEAVES; i++) {
        kept.leaves[i] = leaf_number(i);
        keep_leaf(&kept, &kept.leaves[i]);
    }
    return 0;
}

static void assert_digest(const struct digest *actual, const char *expected)
{
    char hex[DIGEST_HEX_SIZE];
    digest_hex(actual, hex);
    assert_string_equal(hex, expected);
}

/* ---- known answers ---- */

static void test_known_roots(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        size_t size;
        const char *root;
    } steps[] = {
        {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct merkle_frontier frontier = {.size = 0};
    struct digest root = merkle_root(&frontier);
    assert_digest(&root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct digest leaf = merkle_leaf(steps[i].entry, steps[i].size);
        merkle_append(&frontier, &leaf, NULL, NULL);
        root = merkle_root(&frontier);
        assert_digest(&root, steps[i].root);
    }
}

static void test_hashes_have_their_prefix(void **state)
{
    (void)state;
    static const char entry[] = "entry";
    struct digest leaf = merkle_leaf(entry, 5);
    struct digest expected = digest_of("\0entry", 6);
    assert_true(digest_equal(&leaf, &expected));
    uint8_t bytes[1 + 2 * DIGEST_SIZE] = {0x01};
    struct digest left = digest_of("l", 1);
    struct digest right = digest_of("r", 1);
    memcpy(bytes + 1, left.bytes, DIGEST_SIZE);
    memcpy(bytes + 1 + DIGEST_SIZE, right.bytes, DIGEST_SIZE);
    struct digest parent = merkle_parent(&left, &right);
    expected = digest_of(bytes, sizeof(bytes));
    assert_true(digest_equal(&parent, &expected));
}

/* ---- every size ---- */

static void test_roots(void **state)
{
    (void)state;
    struct merkle_frontier frontier = {.size = 0};
    for (size_t size = 0; size <= LEAVES; size++) {
        struct digest root = merkle_root(&frontier);
        struct digest expected = naive_root(kept.leaves, size);
        assert_true(digest_equal(&root, &expected));
        assert_int_equal(frontier.size, size);
        assert_int_equal(frontier.count, __builtin_popcountll(size));
        if (size < LEAVES)
            merkle_append(&frontier, &kept.leaves[size], NULL, NULL);
    }
}

/* Every perfect subtree is given out once, with the hash of what it covers. */
static void test_nodes(void **state)
{
    (void)state;
    size_t expected = 0;
    for (unsigned level = 0; LEAVES >> level > 0; level++) {
        for (uint64_t position = 0; position < LEAVES >> level; position++) {
            struct digest hash;
            struct error error = {0};
            assert_int_equal(read_kept(&kept, level, position, &hash, &error), 0);
            struct digest naive = naive_root(kept.leaves + (position << level), (size_t)1 << level);
            assert_true(digest_equal(&hash, &naive));
            expected++;
        }
    }
    assert_int_equal(kept.count, expected);
}

static void test_places(void **state)
{
    (void)state;
    struct merkle_node places[MERKLE_LEVELS];
    assert_int_equal(merkle_frontier_places(0, places), 0);
    assert_int_equal(merkle_frontier_places(11, places), 3); /* 8 + 2 + 1 */
    assert_int_equal(places[0].level, 3);
    assert_int_equal(places[0].position, 0);
    assert_int_equal(places[1].level, 1);
    assert_int_equal(places[1].position, 4);
    assert_int_equal(places[2].level, 0);
    assert_int_equal(places[2].position, 10);
    assert_int_equal(merkle_frontier_places(UINT64_MAX, places), MERKLE_LEVELS);
    assert_int_equal(places[0].level, 63);
    assert_true(places[63].position == UINT64_MAX - 1);
}

static void test_load(void **state)
{
    (void)state;
    for (size_t size = 0; size <= LEAVES; size++) {
        struct merkle_frontier frontier = {.size = 0};
        struct error error = {0};
        assert_int_equal(merkle_load(size, read_kept, &kept, &frontier, &error), 0);
        struct digest root = merkle_root(&frontier);
        struct digest expected = naive_root(kept.leaves, size);
        assert_true(digest_equal(&root, &expected));
        /* What was loaded can be appended to. */
        if (size < LEAVES) {
            merkle_append(&frontier, &kept.leaves[size], NULL, NULL);
            root = merkle_root(&frontier);
            expected = naive_root(kept.leaves, size + 1);
            assert_true(digest_equal(&root, &expected));
        }
    }
}

static void test_load_without_nodes(void **state)
{
    (void)state;
    struct merkle_frontier frontier = {.size = 77};
    struct error error = {0};
    assert_int_equal(merkle_load(LEAVES + 1, read_kept, &kept, &frontier, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "load the tree of 131 entries: no node 0/130");
    assert_int_equal(frontier.size, 77);
}

/* ---- proofs ---- */

static struct merkle_proof prove(uint64_t index, uint64_t size)
{
    struct merkle_proof proof = {.count = 0};
    struct error error = {0};
    if (merkle_prove(index, size, read_kept, &kept, &proof, &error) < 0)
        fail_msg("%s", error.text);
    return proof;
}

static void test_proofs(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LEAVES; size++) {
        struct digest root = naive_root(kept.leaves, size);
        for (size_t index = 0; index < size; index++) {
            struct error error = {0};
            struct merkle_proof expected = {.count = 0};
            struct merkle_proof proof = prove(index, size);
            naive_path(index, kept.leaves, size, &expected);
            assert_int_equal(proof.count, expected.count);
            assert_memory_equal(proof.hashes, expected.hashes, proof.count * DIGEST_SIZE);
            assert_int_equal(merkle_verify(index, size, &kept.leaves[index], &proof, &root, &error),
                             0);
        }
    }
}

static void refuse(uint64_t index, uint64_t size, const struct digest *leaf,
                   const struct merkle_proof *proof, const struct digest *root)
{
    struct error error = {0};
    assert_int_equal(merkle_verify(index, size, leaf, proof, root, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
}

/* Every change of a hash, of the leaf, of the root and of the number of hashes. */
static void test_changed_proofs(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 8, 13, 64, 65, 127, 130};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t size = sizes[i];
        struct digest root = naive_root(kept.leaves, size);
        for (size_t index = 0; index < size; index++) {
            struct digest leaf = kept.leaves[index];
            const struct merkle_proof good = prove(index, size);
            struct merkle_proof bad = good;
            for (size_t j = 0; j < good.count; j++) {
                bad.hashes[j].bytes[index % DIGEST_SIZE] ^= 1;
                refuse(index, size, &leaf, &bad, &root);
                bad = good;
            }
            if (good.count > 0) {
                bad.count--;
                refuse(index, size, &leaf, &bad, &root);
                memcpy(bad.hashes, good.hashes + 1, bad.count * sizeof(bad.hashes[0]));
                refuse(index, size, &leaf, &bad, &root);
            }
            bad = good;
            bad.hashes[bad.count++] = root;
            refuse(index, size, &leaf, &bad, &root);
            struct digest other = root;
            other.bytes[31] ^= 0x80;
            refuse(index, size, &leaf, &good, &other);
            leaf.bytes[0] ^= 1;
            refuse(index, size, &leaf, &good, &root);
        }
    }
}

/* A proof proves one place in a tree of one size. */
static void test_proofs_for_another_place(void **state)
{
    (void)state;
    for (size_t size = 2; size <= 40; size++) {
        struct digest root = naive_root(kept.leaves, size);
        for (size_t index = 0; index < size; index++) {
            struct merkle_proof proof = prove(index, size);
            for (size_t other = 0; other < size + 3; other++) {
                if (other != index)
                    refuse(other, size, &kept.leaves[index], &proof, &root);
            }
            struct digest larger = naive_root(kept.leaves, size + 1);
            refuse(index, size + 1, &kept.leaves[index], &proof, &larger);
            refuse(index, size, &kept.leaves[index], &proof, &larger);
        }
    }
}

static void test_impossible_proofs(void **state)
{
    (void)state;
    struct digest root = naive_root(kept.leaves, 0);
    struct merkle_proof proof = {.count = 0};
    struct error error = {0};
    refuse(0, 0, &root, &proof, &root);
    refuse(1, 1, &kept.leaves[0], &proof, &kept.leaves[0]);
    proof.count = MERKLE_LEVELS + 1;
    refuse(0, UINT64_MAX, &kept.leaves[0], &proof, &root);
    proof.count = 7;
    assert_int_equal(merkle_prove(5, 5, read_kept, &kept, &proof, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_int_equal(merkle_prove(0, 0, read_kept, &kept, &proof, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    /* The tree has 130 entries; this one needs a node behind them. */
    error = (struct error){0};
    assert_int_equal(merkle_prove(3, 131, read_kept, &kept, &proof, &error), -1);
    assert_string_equal(error.text, "prove entry 3: no node 0/130");
    assert_int_equal(proof.count, 7);
}

/* ---- sizes that no store will see ---- */

/* All leaves are alike, so a node's hash depends on its level only. */
static int read_alike(void *context, unsigned level, uint64_t position, struct digest *ret_hash,
                      struct error *error)
{
    const uint64_t *size = context;
    if (level >= MERKLE_LEVELS || position > (*size - 1) >> level ||
        *size - (position << level) < UINT64_C(1) << level)
        return error_set(error, CODE_FAULT, "node %u/%llu is beyond the tree", level,
                         (unsigned long long)position);
    struct digest hash = leaf_number(0);
    for (unsigned i = 0; i < level; i++)
        hash = merkle_parent(&hash, &hash);
    *ret_hash = hash;
    return 0;
}

static void test_large_trees(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        UINT64_C(1) << 32,
        (UINT64_C(1) << 40) + 1,
        UINT64_C(0x7fffffffffffffff),
        UINT64_C(1) << 63,
        UINT64_C(0x8000000000000001),
        UINT64_C(0xaaaaaaaaaaaaaaab),
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    struct digest leaf = leaf_number(0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t size = sizes[i];
        uint64_t indexes[] = {0, 1, size / 3, size / 2, size - 2, size - 1};
        struct merkle_frontier frontier;
        struct error error = {0};
        if (merkle_load(size, read_alike, &size, &frontier, &error) < 0)
            fail_msg("%s", error.text);
        struct digest root = merkle_root(&frontier);
        for (size_t j = 0; j < sizeof(indexes) / sizeof(indexes[0]); j++) {
            struct merkle_proof proof;
            if (merkle_prove(indexes[j], size, read_alike, &size, &proof, &error) < 0 ||
                merkle_verify(indexes[j], size, &leaf, &proof, &root, &error) < 0)
                fail_msg("%s", error.text);
            proof.hashes[proof.count - 1].bytes[7] ^= 1;
            refuse(indexes[j], size, &leaf, &proof, &root);
        }
    }
}

/* The longest carry there can be: all subtrees of a tree of 2^63 - 1 entries become one. */
static void test_longest_carry(void **state)
{
    (void)state;
    uint64_t size = INT64_MAX;
    struct merkle_frontier frontier;
    struct merkle_node nodes[MERKLE_LEVELS];
    struct error error = {0};
    size_t count = 0;
    struct digest leaf = leaf_number(0);
    struct digest expected;
    assert_int_equal(merkle_load(size, read_alike, &size, &frontier, &error), 0);
    merkle_append(&frontier, &leaf, nodes, &count);
    assert_int_equal(count, MERKLE_LEVELS);
    assert_int_equal(frontier.count, 1);
    assert_true(frontier.size == UINT64_C(1) << 63);
    assert_int_equal(nodes[63].level, 63);
    assert_int_equal(nodes[63].position, 0);
    size++;
    assert_int_equal(read_alike(&size, 63, 0, &expected, &error), 0);
    assert_true(digest_equal(&nodes[63].hash, &expected));
}

/* ---- consistency ---- */

/* PROOF and SUBPROOF, word for word. */
static void naive_subproof(size_t first, const struct digest *leaves, size_t count, bool whole,
                           struct merkle_proof *proof)
{
    if (first == count) {
        if (!whole)
            proof->hashes[proof->count++] = naive_root(leaves, count);
        return;
    }
    size_t split = 1;
    while (split * 2 < count)
        split *= 2;
    if (first <= split) {
        naive_subproof(first, leaves, split, whole, proof);
        proof->hashes[proof->count++] = naive_root(leaves + split, count - split);
    } else {
        naive_subproof(first - split, leaves + split, count - split, false, proof);
        proof->hashes[proof->count++] = naive_root(leaves, split);
    }
}

/* Every pair of sizes: the proof of the definition, it holds, and with one bit changed it does not. */
static void test_consistency(void **state)
{
    (void)state;
    struct error error = {0};
    for (size_t second = 1; second <= LEAVES; second += second < 40 ? 1 : 9) {
        struct digest second_root = naive_root(kept.leaves, second);
        for (size_t first = 0; first <= second; first++) {
            struct digest first_root = naive_root(kept.leaves, first);
            struct merkle_proof proof, expected = {.count = 0};
            assert_int_equal(
                merkle_prove_consistency(first, second, read_kept, &kept, &proof, &error), 0);
            if (first > 0)
                naive_subproof(first, kept.leaves, second, true, &expected);
            assert_int_equal(proof.count, expected.count);
            assert_memory_equal(proof.hashes, expected.hashes, proof.count * DIGEST_SIZE);
            assert_int_equal(
                merkle_verify_consistency(first, second, &proof, &first_root, &second_root, &error),
                0);
            for (size_t i = 0; i < proof.count; i++) {
                proof.hashes[i].bytes[i] ^= 1;
                assert_int_equal(merkle_verify_consistency(first, second, &proof, &first_root,
                                                           &second_root, &error),
                                 -1);
                assert_int_equal(error.code, CODE_LOG);
                proof.hashes[i].bytes[i] ^= 1;
            }
        }
    }
}

/* Other roots, other sizes, proofs that are too short or too long. */
static void test_inconsistency(void **state)
{
    (void)state;
    struct error error = {0};
    for (size_t first = 1; first < 20; first++) {
        struct digest roots[] = {naive_root(kept.leaves, first), naive_root(kept.leaves + 1, first),
                                 naive_root(kept.leaves, 20), naive_root(kept.leaves + 1, 20)};
        struct merkle_proof proof;
        assert_int_equal(merkle_prove_consistency(first, 20, read_kept, &kept, &proof, &error), 0);
        assert_int_equal(merkle_verify_consistency(first, 20, &proof, &roots[1], &roots[2], &error),
                         -1);
        assert_int_equal(merkle_verify_consistency(first, 20, &proof, &roots[0], &roots[3], &error),
                         -1);
        proof.count--;
        assert_int_equal(merkle_verify_consistency(first, 20, &proof, &roots[0], &roots[2], &error),
                         -1);
        proof.count += 2;
        proof.hashes[proof.count - 1] = roots[0];
        assert_int_equal(merkle_verify_consistency(first, 20, &proof, &roots[0], &roots[2], &error),
                         -1);
    }
    struct merkle_proof none = {.count = 0};
    struct digest root = naive_root(kept.leaves, 5);
    assert_int_equal(merkle_prove_consistency(6, 5, read_kept, &kept, &none, &error), -1);
    assert_int_equal(merkle_verify_consistency(6, 5, &none, &root, &root, &error), -1);
    none.count = MERKLE_LEVELS + 1;
    assert_int_equal(merkle_verify_consistency(4, 5, &none, &root, &root, &error), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_inconsistency),
        cmocka_unit_test(test_known_roots),
        cmocka_unit_test(test_hashes_have_their_prefix),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_load_without_nodes),
        cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_changed_proofs),
        cmocka_unit_test(test_proofs_for_another_place),
        cmocka_unit_test(test_impossible_proofs),
        cmocka_unit_test(test_large_trees),
        cmocka_unit_test(test_longest_carry),
    };
    return cmocka_run_group_tests_name("merkle", tests, grow, NULL);
}
