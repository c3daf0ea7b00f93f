/*
 * test_relay.c: entries from one thread to another: all of them, as they were, in order, and none behind one that was refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../src/vault/relay.h"

#define NEVER UINT64_MAX

/* What the other thread has seen; looked at when it has ended. */
struct seen {
    uint64_t count, refused;
    size_t size; /* that each text must have */
};

static char large[STORE_ENTRY_MAX];

/* An entry whose parts all say its index. */
static void make(uint64_t index, size_t size, char subject[32], struct digest nodes[MERKLE_LEVELS],
                 struct relayed *ret_entry)
{
    size_t count = index % MERKLE_LEVELS + 1;
    memset(large, 'a' + (int)(index % 26), size);
    memset(nodes, (int)(index % 251), count * sizeof(nodes[0]));
    snprintf(subject, 32, "%llu", (unsigned long long)index);
    *ret_entry = (struct relayed){
        .filed = {.index = index, .text = large, .size = size, .type = "t", .subject = subject},
        .nodes = nodes,
        .node_count = count};
}

static int check(void *context, const struct relayed *entry, struct error *error)
{
    struct seen *seen = context;
    const struct store_filed *filed = &entry->filed;
    uint64_t index = seen->count;
    if (index == seen->refused)
        return error_set(error, CODE_LOG, "entry %llu", (unsigned long long)index);
    const uint8_t *last = entry->nodes[entry->node_count - 1].bytes;
    if (filed->index != index || filed->size != seen->size || strcmp(filed->type, "t") != 0 ||
        strtoull(filed->subject, NULL, 10) != index ||
        entry->node_count != index % MERKLE_LEVELS + 1 || last[DIGEST_SIZE - 1] != index % 251 ||
        filed->text[0] != 'a' + (int)(index % 26) ||
        memcmp(filed->text, filed->text + 1, filed->size - 1) != 0)
        return error_set(error, CODE_FAULT, "entry %llu is another", (unsigned long long)index);
    seen->count++;
    return 0;
}

/* How many were taken. */
static uint64_t put_all(struct seen *seen, uint64_t count, int expected, struct error *error)
{
    struct relay *relay;
    uint64_t index = 0;
    assert_int_equal(relay_start(check, seen, &relay, error), 0);
    for (bool is_wanted = true; is_wanted && index < count; index++) {
        char subject[32];
        struct digest nodes[MERKLE_LEVELS];
        struct relayed entry;
        make(index, seen->size, subject, nodes, &entry);
        is_wanted = relay_put(relay, &entry);
    }
    assert_int_equal(relay_end(relay, error), expected);
    return index;
}

static void test_all_arrive(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t count;
    } rows[] = {{300, 0}, {300, 1}, {300, 256}, {300, 50000}, {1, 5000}, {STORE_ENTRY_MAX, 200}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = {.refused = NEVER, .size = rows[i].size};
        struct error error;
        put_all(&seen, rows[i].count, 0, &error);
        assert_int_equal(seen.count, rows[i].count);
    }
}

/* The first, in the middle, and the last, which is found only when the reader has ended. */
static void test_refused(void **state)
{
    (void)state;
    static const uint64_t refused[] = {0, 1, 255, 256, 4000, 49999};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct seen seen = {.refused = refused[i], .size = 300};
        struct error error;
        char text[32];
        uint64_t taken = put_all(&seen, 50000, -1, &error);
        snprintf(text, sizeof(text), "entry %llu", (unsigned long long)refused[i]);
        assert_string_equal(error.text, text);
        assert_int_equal(error.code, CODE_LOG);
        assert_int_equal(seen.count, refused[i]);
        /* The reader learns of it before long. */
        assert_true(taken <= refused[i] + (RELAY_BATCHES + 1) * RELAY_BATCH_ENTRIES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_arrive),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
