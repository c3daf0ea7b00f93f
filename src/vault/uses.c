/*
 * Uses: each has an intent, durable before the card is asked, and an outcome, also when its process died.
 */
#include "p11vault/vault/uses.h"

#include <stdio.h>
#include <string.h>

#include "known.h"

static int append_use(struct vault *vault, enum entry_type type, const char *member,
                      const char *subject, json_t *members, struct error *error)
{
    auto_json json_t *owned = members;
    uint64_t index;
    if (!owned || json_object_set_new(owned, member, json_string(subject)) < 0)
        return error_memory(error);
    return vault_append(vault, type, subject, TAKE(owned), &index, error);
}

static int append_alone(struct vault *vault, enum entry_type type, const char *member,
                        const char *subject, json_t *members, struct error *error)
{
    auto_json json_t *owned = members;
    auto_change struct store *change = vault->store;
    if (store_begin(change, error) < 0 ||
        append_use(vault, type, member, subject, TAKE(owned), error) < 0)
        return -1;
    return store_commit(change, error);
}

int vault_intent(struct vault *vault, const char *use, json_t *members, struct error *error)
{
    return append_alone(vault, ENTRY_INTENT, "use", use, members, error);
}

int vault_append_intent(struct vault *vault, const char *use, json_t *members, struct error *error)
{
    return append_use(vault, ENTRY_INTENT, "use", use, members, error);
}

int vault_outcome(struct vault *vault, const char *use, json_t *members, struct error *error)
{
    return append_alone(vault, ENTRY_OUTCOME, "use", use, members, error);
}

int vault_notice(struct vault *vault, const char *name, json_t *members, struct error *error)
{
    return append_alone(vault, ENTRY_NOTICE, "name", name, members, error);
}

#define DEAD_MAX 256 /* that are closed in one change */

struct dead_search {
    struct vault *vault;
    char uses[DEAD_MAX][USE_SIZE];
    size_t count;
};

/* The uses of a batch live as long as the batch. */
static int lock_of_use(struct vault *vault, const char *use, char ret_lock[USE_SIZE + 8],
                       struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    auto_json json_t *intent = NULL;
    enum entry_type type;
    uint64_t index;
    bool found;
    if (store_entry_newest(vault->store, entry_type_name(ENTRY_INTENT), use, &index, &found,
                           error) < 0)
        return -1;
    if (found && (store_entry_get(vault->store, index, &text, error) < 0 ||
                  entry_read(buffer_text(&text), text.size, &type, &intent, error) < 0))
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    const char *batch = intent ? json_text(intent, "batch") : NULL;
    (void)snprintf(ret_lock, USE_SIZE + 8, "use-%s", batch ? batch : use);
    return 0;
}

/* A use whose lock can be had has no living process behind it. */
static int note_dead(void *context, const char *use, struct error *error)
{
    struct dead_search *search = context;
    struct error ignored;
    char lock[USE_SIZE + 8];
    auto_close int descriptor = -1;
    if (search->count == DEAD_MAX || strlen(use) != USE_SIZE - 1)
        return 0;
    if (lock_of_use(search->vault, use, lock, error) < 0)
        return -1;
    if (vault_lock(search->vault, lock, "using it", &descriptor, &ignored) < 0)
        return 0;
    /* It may have ended in good order since it was listed. */
    uint64_t index;
    bool answered;
    if (store_entry_newest(search->vault->store, entry_type_name(ENTRY_OUTCOME), use, &index,
                           &answered, error) < 0)
        return -1;
    if (!answered)
        memcpy(search->uses[search->count++], use, USE_SIZE);
    return 0;
}

/* Another process may have found the same dead use: one outcome is enough. */
static int close_dead(struct vault *vault, const char *use, struct error *error)
{
    json_t *members = json_pack("{s:s, s:s, s:s, s:s}", "use", use, "result", "unknown", "code",
                                "fault", "message", "the run ended before its outcome was known");
    uint64_t index;
    bool answered;
    int result = store_entry_newest(vault->store, entry_type_name(ENTRY_OUTCOME), use, &index,
                                    &answered, error);
    if (result == 0 && !answered)
        result = vault_append(vault, ENTRY_OUTCOME, use, json_incref(members), &index, error);
    json_decref(members);
    return result;
}

static int close_found(struct dead_search *search, struct error *error)
{
    struct vault *vault = search->vault;
    auto_change struct store *change = vault->store;
    if (search->count == 0)
        return 0;
    if (store_begin(change, error) < 0)
        return -1;
    for (size_t i = 0; i < search->count; i++)
        if (close_dead(vault, search->uses[i], error) < 0)
            return -1;
    if (store_commit(change, error) < 0)
        return -1;
    for (size_t i = 0; i < search->count; i++) {
        char lock[USE_SIZE + 8];
        if (lock_of_use(vault, search->uses[i], lock, error) < 0)
            return -1;
        vault_lock_forget(vault, lock);
    }
    return 0;
}

int vault_close_dead_uses(struct vault *vault, size_t *ret_count, struct error *error)
{
    size_t closed = 0;
    struct dead_search search;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    if (vault_signed_head(vault, &head, error) < 0)
        return -1;
    do {
        search = (struct dead_search){.vault = vault};
        if (vault_known_open_uses(vault, &head, note_dead, &search, error) < 0 ||
            close_found(&search, error) < 0)
            return -1;
        closed += search.count;
    } while (search.count == DEAD_MAX);
    *ret_count = closed;
    return 0;
}
