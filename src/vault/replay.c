/*
 * replay.c: what a log's entries say, one by one.
 */
#include "replay.h"

#include <stdio.h>
#include <string.h>

#define FIRST_ROOM 64
#define CHECKPOINTS_MAX ((size_t)16 << 20)

int replay_begin(struct replay *replay, const char *vault_id, const char *origin,
                 const struct trust *trust, struct error *error)
{
    *replay = (struct replay){
        .vault_id = vault_id, .origin = origin, .trust = trust, .cards_changed = true};
    replay->app_keys = json_object();
    replay->granted = json_object();
    replay->table_size = FIRST_ROOM;
    replay->table = calloc(replay->table_size, sizeof(replay->table[0]));
    if (!replay->app_keys || !replay->granted || !replay->table)
        return error_memory(error);
    /* Whoever chooses names must not choose places in the table. */
    return random_bytes(&replay->seed, sizeof(replay->seed), error);
}

void replay_clear(struct replay *replay)
{
    while (replay->records) {
        struct replay_record *record = replay->records;
        replay->records = record->next;
        free(record);
    }
    free(replay->table);
    free(replay->checkpoints);
    free(replay->promises);
    json_decref(replay->app_keys);
    json_decref(replay->granted);
    *replay = (struct replay){0};
}

int replay_bad_entry(uint64_t index, struct error *error)
{
    error->code = error->code == CODE_FAULT ? CODE_FAULT : CODE_LOG;
    return error_prefix(error, "entry %llu", (unsigned long long)index);
}

struct number_text replay_number(int64_t number)
{
    struct number_text made;
    (void)snprintf(made.text, sizeof(made.text), "%lld", (long long)number);
    return made;
}

/* The array with room for one more, doubled when it is full; NULL without memory, and then it is as it was. */
static void *with_room(void *array, size_t count, size_t *room, size_t size, struct error *error)
{
    if (array && count < *room)
        return array;
    size_t more = *room == 0 ? FIRST_ROOM : 2 * *room;
    void *grown = realloc(array, more * size);
    if (!grown) {
        error_memory(error);
        return NULL;
    }
    *room = more;
    return grown;
}

/* ---- checkpoints ---- */

int replay_checkpoint(struct replay *replay, uint64_t size, const char *note, struct error *error)
{
    struct checkpoint checkpoint;
    const struct note_key *key;
    if (checkpoint_verify(note, replay->origin, replay->trust, &checkpoint, &key, error) < 0) {
        error->code = CODE_LOG;
        return error_prefix(error, "checkpoint %llu", (unsigned long long)size);
    }
    if (checkpoint.size != size)
        return error_set(error, CODE_LOG, "checkpoint %llu: its note is for %llu entries",
                         (unsigned long long)size, (unsigned long long)checkpoint.size);
    if (replay->checkpoint_count == CHECKPOINTS_MAX)
        return error_set(error, CODE_LOG, "more than %zu checkpoints", CHECKPOINTS_MAX);
    struct replay_signed *checkpoints =
        with_room(replay->checkpoints, replay->checkpoint_count, &replay->checkpoint_room,
                  sizeof(checkpoints[0]), error);
    if (!checkpoints)
        return -1;
    replay->checkpoints = checkpoints;
    checkpoints[replay->checkpoint_count++] =
        (struct replay_signed){size, checkpoint.root, (size_t)(key - replay->trust->keys)};
    return 0;
}

static int check_root(struct replay *replay, struct error *error)
{
    while (replay->next_checkpoint < replay->checkpoint_count &&
           replay->checkpoints[replay->next_checkpoint].size == replay->frontier.size) {
        struct digest root = merkle_root(&replay->frontier);
        if (!digest_equal(&root, &replay->checkpoints[replay->next_checkpoint].root))
            return error_set(error, CODE_LOG,
                             "checkpoint %llu: an entry before it was changed since it was signed",
                             (unsigned long long)replay->frontier.size);
        if (replay_check_signer(replay, &replay->checkpoints[replay->next_checkpoint], error) < 0)
            return -1;
        replay->next_checkpoint++;
    }
    return 0;
}

/* ---- records ---- */

/* FNV-1a from a random start: enough to spread names that nobody can fit to it. */
static uint64_t hash_of(const struct replay *replay, struct entry_part name,
                        struct entry_part version)
{
    uint64_t hash = replay->seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (uint8_t)name.text[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ ' ') * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < version.size; i++)
        hash = (hash ^ (uint8_t)version.text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

static bool is_key(const struct replay_record *record, struct entry_part name,
                   struct entry_part version)
{
    const char *key = record->key;
    return record->key_size == name.size + 1 + version.size &&
           memcmp(key, name.text, name.size) == 0 && key[name.size] == ' ' &&
           memcmp(key + name.size + 1, version.text, version.size) == 0;
}

/* Where it stands in the table or would stand. */
static struct replay_place *place_of(const struct replay *replay, uint64_t hash,
                                     struct entry_part name, struct entry_part version)
{
    size_t place = hash & (replay->table_size - 1);
    for (const struct replay_place *at; (at = &replay->table[place])->record != NULL;) {
        if (at->hash == hash && is_key(at->record, name, version))
            break;
        place = (place + 1) & (replay->table_size - 1);
    }
    return &replay->table[place];
}

static int grow_table(struct replay *replay, struct error *error)
{
    size_t size = 2 * replay->table_size;
    struct replay_place *table = calloc(size, sizeof(table[0]));
    if (!table)
        return error_memory(error);
    for (struct replay_record *at = replay->records; at; at = at->next) {
        size_t place = at->hash & (size - 1);
        while (table[place].record != NULL)
            place = (place + 1) & (size - 1);
        table[place] = (struct replay_place){at->hash, at};
    }
    free(replay->table);
    replay->table = table;
    replay->table_size = size;
    return 0;
}

/* A new one without anything in it but its key; NULL without memory. */
static struct replay_record *add_record(struct replay *replay, uint64_t hash,
                                        struct entry_part name, struct entry_part version,
                                        struct error *error)
{
    if (2 * replay->record_count >= replay->table_size && grow_table(replay, error) < 0)
        return NULL;
    size_t key_size = name.size + 1 + version.size;
    struct replay_record *record = calloc(1, sizeof(*record) + key_size + 1);
    if (!record) {
        error_memory(error);
        return NULL;
    }
    memcpy(record->key, name.text, name.size);
    record->key[name.size] = ' ';
    memcpy(record->key + name.size + 1, version.text, version.size);
    record->key_size = key_size;
    record->hash = hash;
    *place_of(replay, hash, name, version) = (struct replay_place){hash, record};
    if (replay->last_record)
        replay->last_record->next = record;
    else
        replay->records = record;
    replay->last_record = record;
    replay->record_count++;
    return record;
}

struct replay_record *replay_find_record(struct replay *replay, const char *name, int64_t version)
{
    struct number_text number = replay_number(version);
    struct entry_part parts[] = {{name, strlen(name)}, {number.text, strlen(number.text)}};
    return place_of(replay, hash_of(replay, parts[0], parts[1]), parts[0], parts[1])->record;
}

static void keep_short(char *kept, size_t room, struct entry_part part)
{
    size_t size = part.size < room ? part.size : room - 1;
    memcpy(kept, part.text, size);
    kept[size] = '\0';
}

static int note_record(struct replay *replay, uint64_t index, const struct entry_view *view,
                       struct error *error)
{
    struct entry_part name = entry_view_text(view, "name");
    struct entry_part version = entry_view_get(view, "version");
    struct entry_part digest = entry_view_text(view, "digest");
    uint64_t hash = hash_of(replay, name, version);
    struct replay_record *record = place_of(replay, hash, name, version)->record;
    if (view->type == ENTRY_STATE && !record)
        return error_set(error, CODE_LOG, "it is about a record that was never sealed");
    if (view->type == ENTRY_STATE && !entry_part_is(digest, record->digest))
        return error_set(error, CODE_LOG, "it names another digest than was sealed");
    if (!record)
        record = add_record(replay, hash, name, version, error);
    if (!record)
        return -1;
    record->index = index;
    keep_short(record->digest, sizeof(record->digest), digest);
    keep_short(record->state, sizeof(record->state), entry_view_text(view, "state"));
    if (view->type == ENTRY_SEAL)
        keep_short(record->kid, sizeof(record->kid), entry_view_text(view, "kid"));
    struct entry_part columns = entry_view_get(view, "columns");
    record->columns = digest_of_public(&(struct digest_part){columns.text, columns.size}, 1);
    return 0;
}

/* ---- what grants trust, and what takes it back ---- */

static int remember(json_t *map, const char *key, json_t *value, struct error *error)
{
    return json_object_set_new(map, key, value) < 0 ? error_memory(error) : 0;
}

static int note_granting(struct replay *replay, uint64_t index, const char *text, size_t size,
                         struct error *error)
{
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return -1;
    replay->cards_changed |= type == ENTRY_CARD || type == ENTRY_REMOVAL;
    if (type == ENTRY_APP_KEY && remember(replay->app_keys, json_text(entry, "kid"),
                                          json_integer((json_int_t)index), error) < 0)
        return -1;
    return remember(replay->granted, replay_number((int64_t)index).text, TAKE(entry), error);
}

static int note_outcome(struct replay *replay, uint64_t index, const struct entry_view *view,
                        struct error *error)
{
    int64_t size = entry_view_number(view, "checkpoint", -1);
    if (size < 0)
        return 0;
    struct replay_promise *promises = with_room(replay->promises, replay->promise_count,
                                                &replay->promise_room, sizeof(promises[0]), error);
    if (!promises)
        return -1;
    replay->promises = promises;
    promises[replay->promise_count++] = (struct replay_promise){(uint64_t)size, index};
    return 0;
}

/* What a card has signed for cannot be taken back behind its checkpoint. */
static int note_void(struct replay *replay, const struct entry_view *view, struct error *error)
{
    int64_t index = entry_view_number(view, "entry", -1);
    size_t met = replay->next_checkpoint;
    replay->cards_changed = true;
    if (json_object_del(replay->granted, replay_number(index).text) < 0)
        return error_set(error, CODE_LOG, "it declares void what grants no trust");
    return met > 0 && (uint64_t)index < replay->checkpoints[met - 1].size
               ? error_set(error, CODE_LOG, "it declares void what a card has signed for")
               : 0;
}

static int note_entry(struct replay *replay, uint64_t index, const struct entry_view *view,
                      const char *text, size_t size, struct error *error)
{
    switch (view->type) {
    case ENTRY_SEAL:
    case ENTRY_STATE:
        return note_record(replay, index, view, error);
    case ENTRY_CARD:
    case ENTRY_REMOVAL:
    case ENTRY_APP:
    case ENTRY_APP_KEY:
    case ENTRY_RESTORED:
        return note_granting(replay, index, text, size, error);
    case ENTRY_OUTCOME:
        return note_outcome(replay, index, view, error);
    case ENTRY_VOID:
        return note_void(replay, view, error);
    case ENTRY_VAULT:
        return index != 0 || !entry_part_is(entry_view_text(view, "vault"), replay->vault_id)
                   ? error_set(error, CODE_LOG, "it is the first entry of another vault")
                   : 0;
    case ENTRY_INTENT:
    case ENTRY_STEP:
    case ENTRY_NOTICE:
        return 0;
    }
    return 0;
}

/* What is wrong with an entry that the scanner refuses, the slow reader knows how to say. */
static int refuse(const char *text, size_t size, struct error *error)
{
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return -1;
    return error_set(error, CODE_FAULT, "the two readers of entries do not agree");
}

int replay_read(struct replay *replay, const char *text, size_t size, struct entry_view *ret_view,
                struct error *error)
{
    uint64_t index = replay->frontier.size;
    struct digest leaf = merkle_leaf(text, size);
    merkle_append(&replay->frontier, &leaf, replay->nodes, &replay->node_count);
    replay->total_nodes += replay->node_count;
    if (entry_scan(text, size, ret_view))
        return 0;
    (void)refuse(text, size, error);
    return replay_bad_entry(index, error);
}

int replay_take(struct replay *replay, const char *text, size_t size, const struct entry_view *view,
                struct error *error)
{
    uint64_t index = replay->frontier.size - 1;
    if (note_entry(replay, index, view, text, size, error) < 0)
        return replay_bad_entry(index, error);
    if (index == 0 && view->type != ENTRY_VAULT)
        return error_set(error, CODE_LOG, "entry 0 is not the first entry of a vault");
    return check_root(replay, error);
}

/* ---- the end ---- */

static bool has_checkpoint(const struct replay *replay, uint64_t size)
{
    size_t low = 0, high = replay->checkpoint_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (replay->checkpoints[middle].size == size)
            return true;
        if (replay->checkpoints[middle].size < size)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

int replay_end(struct replay *replay, struct error *error)
{
    if (replay->next_checkpoint < replay->checkpoint_count)
        return error_set(error, CODE_LOG, "checkpoint %llu: the log has only %llu entries",
                         (unsigned long long)replay->checkpoints[replay->next_checkpoint].size,
                         (unsigned long long)replay->frontier.size);
    if (replay->frontier.size == 0)
        return error_set(error, CODE_LOG, "the log is empty");
    /* An outcome names the checkpoint that was signed for its use: that one cannot be cut away unseen. */
    for (size_t i = 0; i < replay->promise_count; i++)
        if (!has_checkpoint(replay, replay->promises[i].size))
            return error_set(error, CODE_LOG,
                             "checkpoint %llu is missing: the outcome in entry %llu names it",
                             (unsigned long long)replay->promises[i].size,
                             (unsigned long long)replay->promises[i].index);
    return 0;
}

uint64_t replay_signed_size(const struct replay *replay)
{
    return replay->checkpoint_count ? replay->checkpoints[replay->checkpoint_count - 1].size : 0;
}

bool replay_unsigned_grant(const struct replay *replay, uint64_t *ret_index)
{
    uint64_t signed_size = replay_signed_size(replay);
    const char *number;
    json_t *entry;
    bool found = false;
    json_object_foreach (replay->granted, number, entry) {
        uint64_t index = strtoull(number, NULL, 10);
        if (index >= signed_size) {
            *ret_index = index;
            found = true;
        }
    }
    return found;
}

bool replay_went_on(const struct replay *replay, uint64_t *ret_index, uint64_t *ret_lost)
{
    const char *number;
    json_t *entry;
    bool found = false;
    json_object_foreach (replay->granted, number, entry) {
        uint64_t index = strtoull(number, NULL, 10);
        if (strcmp(json_text(entry, "type"), entry_type_name(ENTRY_RESTORED)) != 0 ||
            (found && index < *ret_index))
            continue;
        *ret_index = index;
        *ret_lost = (uint64_t)json_number(entry, "size", 0);
        found = true;
    }
    return found;
}
