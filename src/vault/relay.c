/*
 * relay.c: a ring of batches between two threads.  A batch belongs to the reader until it is passed and to the checker until it is
 * done, so the lock guards two counters and not what is in the batches.
 */
#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_ENTRY (STORE_ENTRY_MAX + MERKLE_LEVELS * sizeof(struct digest) + 1024)
#define BATCH_BYTES ((size_t)64 * 1024 + LARGEST_ENTRY)

struct batch {
    struct relayed entries[RELAY_BATCH_ENTRIES];
    size_t count;
    char bytes[BATCH_BYTES]; /* that the entries point to */
    size_t used;
};

struct relay {
    int (*check)(void *context, const struct relayed *entry, struct error *error);
    void *context;
    struct error error; /* the checker's, until it has ended */
    pthread_t checker;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t passed, done; /* batches, of all */
    bool is_ended, has_failed;
    struct batch batches[RELAY_BATCHES];
};

/* ---- the checker ---- */

/* Waits for the next batch; NULL: there is none, and none will come. */
static struct batch *next_batch(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    while (relay->done == relay->passed && !relay->is_ended)
        pthread_cond_wait(&relay->moved, &relay->lock);
    struct batch *batch =
        relay->done < relay->passed ? &relay->batches[relay->done % RELAY_BATCHES] : NULL;
    pthread_mutex_unlock(&relay->lock);
    return batch;
}

static void finish_batch(struct relay *relay, bool has_failed)
{
    pthread_mutex_lock(&relay->lock);
    relay->done++;
    relay->has_failed = has_failed;
    pthread_cond_signal(&relay->moved);
    pthread_mutex_unlock(&relay->lock);
}

static int check_batch(struct relay *relay, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (relay->check(relay->context, &batch->entries[i], &relay->error) < 0)
            return -1;
    return 0;
}

static void *run_checker(void *argument)
{
    struct relay *relay = argument;
    bool has_failed = false;
    for (struct batch *batch; !has_failed && (batch = next_batch(relay)) != NULL;) {
        has_failed = check_batch(relay, batch) < 0;
        finish_batch(relay, has_failed);
    }
    return NULL;
}

/* Signals stay with the thread that expects them. */
static int start_checker(struct relay *relay)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int number = pthread_create(&relay->checker, NULL, run_checker, relay);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

int relay_start(int (*check)(void *context, const struct relayed *entry, struct error *error),
                void *context, struct relay **ret_relay, struct error *error)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return error_memory(error);
    relay->check = check;
    relay->context = context;
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->moved, NULL);
    errno = start_checker(relay);
    if (errno != 0) {
        error_errno(error, CODE_FAULT, "start a thread");
        free(relay);
        return -1;
    }
    *ret_relay = relay;
    return 0;
}

/* ---- the reader ---- */

/* Passes the batch that is being filled, and waits until there is room for the next. */
static bool pass_batch(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->passed++;
    pthread_cond_signal(&relay->moved);
    while (relay->passed - relay->done == RELAY_BATCHES && !relay->has_failed)
        pthread_cond_wait(&relay->moved, &relay->lock);
    bool is_wanted = !relay->has_failed;
    struct batch *batch = &relay->batches[relay->passed % RELAY_BATCHES];
    pthread_mutex_unlock(&relay->lock);
    if (is_wanted)
        batch->count = batch->used = 0;
    return is_wanted;
}

static const void *keep(struct batch *batch, const void *bytes, size_t size)
{
    char *kept = batch->bytes + batch->used;
    memcpy(kept, bytes, size);
    batch->used += size;
    return kept;
}

bool relay_put(struct relay *relay, const struct relayed *entry)
{
    struct batch *batch = &relay->batches[relay->passed % RELAY_BATCHES];
    const struct store_filed *filed = &entry->filed;
    batch->entries[batch->count++] = (struct relayed){
        .filed = {.index = filed->index,
                  .text = keep(batch, filed->text, filed->size),
                  .size = filed->size,
                  .type = keep(batch, filed->type, strlen(filed->type) + 1),
                  .subject = keep(batch, filed->subject, strlen(filed->subject) + 1)},
        .nodes = keep(batch, entry->nodes, entry->node_count * sizeof(entry->nodes[0])),
        .node_count = entry->node_count};
    bool is_full =
        batch->count == RELAY_BATCH_ENTRIES || sizeof(batch->bytes) - batch->used < LARGEST_ENTRY;
    return !is_full || pass_batch(relay);
}

int relay_end(struct relay *relay, struct error *error)
{
    pthread_mutex_lock(&relay->lock);
    relay->passed++; /* what is in it, though it be nothing */
    relay->is_ended = true;
    pthread_cond_signal(&relay->moved);
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->checker, NULL);
    bool has_failed = relay->has_failed;
    if (has_failed)
        *error = relay->error;
    pthread_cond_destroy(&relay->moved);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
    return has_failed ? -1 : 0;
}
