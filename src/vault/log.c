/*
 * Appending to the log, reading on from an entry, and proofs under its signed head.
 */
#include "p11vault/vault/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/base64.h"
#include "p11vault/base/clock.h"
#include "tree.h"
#include "who.h"

static int put_nodes(struct vault *vault, const struct merkle_node *nodes, size_t count,
                     struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (store_node_put(vault->store, nodes[i].level, nodes[i].position, &nodes[i].hash, error) <
            0)
            return -1;
    return 0;
}

int vault_append(struct vault *vault, enum entry_type type, const char *subject, json_t *members,
                 uint64_t *ret_index, struct error *error)
{
    auto_json json_t *owned = members;
    char now[CLOCK_TEXT_SIZE];
    clock_text(clock_now(), now);
    if (!owned || json_object_set_new(owned, "time", json_string(now)) < 0 ||
        json_object_set_new(owned, "who", who_acts()) < 0)
        return error_memory(error);
    auto_free char *text = NULL;
    uint64_t size;
    struct merkle_frontier frontier;
    if (entry_write(type, owned, &text, error) < 0 ||
        store_log_size(vault->store, &size, error) < 0 ||
        merkle_load(size, vault_read_node, vault, &frontier, error) < 0)
        return error_prefix(error, "append to the log");
    struct digest leaf = merkle_leaf(text, strlen(text));
    struct merkle_node nodes[MERKLE_LEVELS];
    size_t count;
    merkle_append(&frontier, &leaf, nodes, &count);
    if (store_entry_put(vault->store, size, entry_type_name(type), subject, text, strlen(text),
                        error) < 0 ||
        put_nodes(vault, nodes, count, error) < 0)
        return error_prefix(error, "append to the log");
    forward_add(vault->forward, size, entry_type_name(type), text);
    *ret_index = size;
    return 0;
}

int vault_frontier(struct vault *vault, uint64_t size, struct buffer *ret_bytes,
                   struct error *error)
{
    struct merkle_frontier frontier;
    if (merkle_load(size, vault_read_node, vault, &frontier, error) < 0)
        return -1;
    return buffer_put(ret_bytes, frontier.nodes, frontier.count * DIGEST_SIZE, error);
}

int vault_entry_proof(struct vault *vault, uint64_t index, uint64_t size, struct buffer *ret_entry,
                      struct buffer *ret_proof, struct error *error)
{
    struct merkle_proof proof;
    if (store_entry_get(vault->store, index, ret_entry, error) < 0 ||
        merkle_prove(index, size, vault_read_node, vault, &proof, error) < 0)
        return -1;
    return buffer_put(ret_proof, proof.hashes, proof.count * DIGEST_SIZE, error);
}

int vault_consistency(struct vault *vault, uint64_t first, uint64_t second,
                      struct buffer *ret_proof, struct error *error)
{
    struct merkle_proof proof;
    if (merkle_prove_consistency(first, second, vault_read_node, vault, &proof, error) < 0)
        return -1;
    return buffer_put(ret_proof, proof.hashes, proof.count * DIGEST_SIZE, error);
}

int vault_proof_text(struct vault *vault, const struct signed_head *head, uint64_t index,
                     struct buffer *ret_text, struct error *error)
{
    struct merkle_proof proof;
    uint64_t size = head->checkpoint.size, entries;
    if (store_log_size(vault->store, &entries, error) < 0)
        return -1;
    if (index >= entries) {
        error_set(error, CODE_USAGE, "there is no entry %llu: the log has %llu, from 0 on",
                  (unsigned long long)index, (unsigned long long)entries);
        return error_hint(error, "p11vault audit show");
    }
    if (index >= size) {
        error_set(error, CODE_LOG, "entry %llu is not signed: there are %llu signed entries",
                  (unsigned long long)index, (unsigned long long)size);
        return error_hint(error, "p11vault audit checkpoint");
    }
    if (merkle_prove(index, size, vault_read_node, vault, &proof, error) < 0 ||
        buffer_put_format(ret_text, error, "c2sp.org/tlog-proof@v1\nindex %llu\n",
                          (unsigned long long)index) < 0)
        return -1;
    for (size_t i = 0; i < proof.count; i++)
        if (base64_put(ret_text, proof.hashes[i].bytes, DIGEST_SIZE, error) < 0 ||
            buffer_put_text(ret_text, "\n", error) < 0)
            return -1;
    return buffer_put_format(ret_text, error, "\n%s", buffer_text(&head->note));
}

/* ---- reading on from an entry ---- */

struct walk {
    const struct checkpoint *head;
    uint64_t end; /* the entries before this one are read */
    struct merkle_frontier frontier;
    int (*each)(void *context, uint64_t index, const char *text, size_t size, struct error *error);
    void *context;
};

#define WALKED 1 /* the end was reached before that of the log */

static int changed(const struct checkpoint *head, struct error *error)
{
    error_set(error, CODE_LOG, "the log was changed since checkpoint %llu was signed",
              (unsigned long long)head->size);
    return error_hint(error, "p11vault audit verify");
}

static int walk_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    struct walk *walk = context;
    struct digest leaf = merkle_leaf(text, size);
    size_t nodes;
    if (index >= walk->end)
        return WALKED;
    merkle_append(&walk->frontier, &leaf, NULL, &nodes);
    if (walk->frontier.size == walk->head->size) {
        struct digest root = merkle_root(&walk->frontier);
        if (!digest_equal(&root, &walk->head->root))
            return changed(walk->head, error);
    }
    return walk->each(walk->context, index, text, size, error) == 0 ? 0 : -1;
}

static int walk_to(struct vault *vault, struct walk *walk, uint64_t first, struct error *error)
{
    if (merkle_load(first, vault_read_node, vault, &walk->frontier, error) < 0 ||
        store_entry_each(vault->store, first, walk_entry, walk, error) < 0)
        return -1;
    return walk->frontier.size < walk->head->size ? changed(walk->head, error) : 0;
}

int vault_walk(struct vault *vault, const struct signed_head *head, uint64_t first,
               int (*each)(void *context, uint64_t index, const char *text, size_t size,
                           struct error *error),
               void *context, struct error *error)
{
    struct walk walk = {
        .head = &head->checkpoint, .end = UINT64_MAX, .each = each, .context = context};
    return walk_to(vault, &walk, first, error);
}

/* ---- consistency ---- */

static int check_consistency(struct vault *vault, const struct checkpoint *first,
                             const struct checkpoint *second, struct error *error)
{
    struct merkle_proof proof;
    if (merkle_prove_consistency(first->size, second->size, vault_read_node, vault, &proof, error) <
        0)
        return -1;
    return merkle_verify_consistency(first->size, second->size, &proof, &first->root, &second->root,
                                     error);
}

/* The first checkpoint that covers an entry: signed by a trusted card, and a beginning of the newest one's log. */
static int first_covering(struct vault *vault, const struct signed_head *head, uint64_t index,
                          struct checkpoint *ret_checkpoint, struct error *error)
{
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct checkpoint checkpoint;
    uint64_t size;
    if (store_checkpoint_from(vault->store, index + 1, &size, &note, error) < 0)
        return -1;
    if (size == 0 || size >= head->checkpoint.size) {
        *ret_checkpoint = head->checkpoint;
        return 0;
    }
    if (checkpoint_verify(buffer_text(&note), vault->origin, &vault->trust, &checkpoint, NULL,
                          error) < 0)
        return error_prefix(error, "checkpoint %llu", (unsigned long long)size);
    if (checkpoint.size != size)
        return error_set(error, CODE_LOG, "checkpoint %llu: its note is for %llu entries",
                         (unsigned long long)size, (unsigned long long)checkpoint.size);
    if (check_consistency(vault, &checkpoint, &head->checkpoint, error) < 0)
        return error_prefix(error, "checkpoint %llu", (unsigned long long)size);
    *ret_checkpoint = checkpoint;
    return 0;
}

struct void_search {
    uint64_t index;
    bool found;
};

static int note_void(void *context, uint64_t index, const char *text, size_t size,
                     struct error *error)
{
    static const char mark[] = "\"type\":\"void\"";
    struct void_search *search = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (!memmem(text, size, mark, sizeof(mark) - 1))
        return 0;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (type == ENTRY_VOID && (uint64_t)json_number(entry, "entry", -1) == search->index)
        search->found = true;
    return 0;
}

static int never_signed(uint64_t index, struct error *error)
{
    error_set(error, CODE_LOG, "entry %llu was never signed by a card", (unsigned long long)index);
    return error_hint(error, "p11vault audit verify");
}

/*
 * A card signs over an entry that would grant trust when another run wrote it and it was declared void before: only
 * together with that declaration is it what the card has signed.  So the declaration stands between the entry and the first
 * checkpoint over it, and what comes behind that one need not be read: that it is a beginning of the newest one is proved.
 */
int vault_is_void(struct vault *vault, const struct signed_head *head, uint64_t index,
                  bool *ret_void, struct error *error)
{
    struct checkpoint first;
    struct void_search search = {.index = index};
    if (index >= head->checkpoint.size)
        return never_signed(index, error);
    if (first_covering(vault, head, index, &first, error) < 0)
        return -1;
    struct walk walk = {.head = &first, .end = first.size, .each = note_void, .context = &search};
    if (walk_to(vault, &walk, index, error) < 0)
        return -1;
    *ret_void = search.found;
    return 0;
}

static int check_not_void(struct vault *vault, const struct signed_head *head, uint64_t index,
                          struct error *error)
{
    bool is_void;
    if (vault_is_void(vault, head, index, &is_void, error) < 0)
        return -1;
    if (!is_void)
        return 0;
    error_set(error, CODE_LOG, "entry %llu was declared void: no card has signed for it",
              (unsigned long long)index);
    return error_hint(error, "p11vault audit verify");
}

int vault_signed_entry(struct vault *vault, const struct signed_head *head, uint64_t index,
                       enum entry_type type, json_t **ret_entry, struct error *error)
{
    uint64_t size = head->checkpoint.size;
    if (index >= size)
        return never_signed(index, error);
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    struct merkle_proof proof;
    auto_json json_t *entry = NULL;
    enum entry_type found;
    if (store_entry_get(vault->store, index, &text, error) < 0 ||
        merkle_prove(index, size, vault_read_node, vault, &proof, error) < 0)
        return -1;
    struct digest leaf = merkle_leaf(text.data, text.size);
    if (merkle_verify(index, size, &leaf, &proof, &head->checkpoint.root, error) < 0 ||
        entry_read(buffer_text(&text), text.size, &found, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (found != type)
        return error_set(error, CODE_LOG, "entry %llu is a '%s' entry where a '%s' entry belongs",
                         (unsigned long long)index, entry_type_name(found), entry_type_name(type));
    if (entry_grants_trust(type) && check_not_void(vault, head, index, error) < 0)
        return -1;
    *ret_entry = TAKE(entry);
    return 0;
}
