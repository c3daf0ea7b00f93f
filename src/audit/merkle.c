/*
 * merkle.c: growing the tree.  Appending a leaf is like adding one to a binary number: each carry
 * joins two subtrees of the same size.
 */
#include "p11vault/audit/merkle.h"

#include <stdbool.h>
#include <string.h>

static const uint8_t leaf_prefix = 0x00;
static const uint8_t parent_prefix = 0x01;

struct digest merkle_leaf(const void *entry, size_t size)
{
    const struct digest_part parts[] = {{&leaf_prefix, 1}, {entry, size}};
    return digest_of_public(parts, 2);
}

struct digest merkle_parent(const struct digest *left, const struct digest *right)
{
    /* In one piece: each piece costs a call, and there are as many parents as entries. */
    uint8_t message[1 + 2 * DIGEST_SIZE] = {parent_prefix};
    memcpy(message + 1, left->bytes, DIGEST_SIZE);
    memcpy(message + 1 + DIGEST_SIZE, right->bytes, DIGEST_SIZE);
    return digest_of_public(&(struct digest_part){message, sizeof(message)}, 1);
}

static bool has_level(uint64_t size, unsigned level)
{
    return (size >> level & 1) != 0;
}

size_t merkle_frontier_places(uint64_t size, struct merkle_node ret_places[MERKLE_LEVELS])
{
    size_t count = 0;
    uint64_t start = 0;
    for (unsigned level = MERKLE_LEVELS; level-- > 0;) {
        if (!has_level(size, level))
            continue;
        ret_places[count++] = (struct merkle_node){.level = level, .position = start >> level};
        start += UINT64_C(1) << level;
    }
    return count;
}

void merkle_append(struct merkle_frontier *frontier, const struct digest *leaf,
                   struct merkle_node ret_nodes[MERKLE_LEVELS], size_t *ret_count)
{
    struct digest hash = *leaf;
    unsigned level = 0;
    size_t count = 0;
    if (ret_nodes != NULL)
        ret_nodes[count] = (struct merkle_node){0, frontier->size, hash};
    count++;
    /* The bound is never reached: a log of 2^63 entries cannot be had, and is not read either. */
    while (level < MERKLE_LEVELS - 1 && has_level(frontier->size, level)) {
        hash = merkle_parent(&frontier->nodes[--frontier->count], &hash);
        level++;
        if (ret_nodes != NULL)
            ret_nodes[count] = (struct merkle_node){level, frontier->size >> level, hash};
        count++;
    }
    frontier->nodes[frontier->count++] = hash;
    frontier->size++;
    if (ret_count != NULL)
        *ret_count = count;
}

struct digest merkle_root(const struct merkle_frontier *frontier)
{
    if (frontier->count == 0)
        return digest_of("", 0);
    struct digest root = frontier->nodes[frontier->count - 1];
    for (size_t i = frontier->count - 1; i-- > 0;)
        root = merkle_parent(&frontier->nodes[i], &root);
    return root;
}

int merkle_load(uint64_t size, merkle_read_node *read, void *context,
                struct merkle_frontier *ret_frontier, struct error *error)
{
    struct merkle_node places[MERKLE_LEVELS];
    struct merkle_frontier frontier = {.size = size, .count = merkle_frontier_places(size, places)};
    for (size_t i = 0; i < frontier.count; i++) {
        if (read(context, places[i].level, places[i].position, &frontier.nodes[i], error) < 0)
            return error_prefix(error, "load the tree of %llu entries", (unsigned long long)size);
    }
    *ret_frontier = frontier;
    return 0;
}
