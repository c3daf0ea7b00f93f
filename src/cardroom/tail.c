/*
 * The log as told: the newest signed head, then every entry behind it.  The new head is computed here from those very
 * entries, so what is signed contains them and is consistent with what was signed before.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/audit/entry.h"

/*
 * An enrolment that was cut short may have left this card's own key in the trust file before the first checkpoint was
 * kept.  With any other key there, a log without a checkpoint has been cut off.
 */
static bool trusts_another_card(const struct cardroom *room)
{
    const struct note_key *own = &room->own_sign_key;
    for (size_t i = 0; i < room->trust.count; i++) {
        const struct note_key *key = &room->trust.keys[i];
        if (!room->enrolling || key->spki_size != own->spki_size ||
            memcmp(key->spki, own->spki, own->spki_size) != 0)
            return true;
    }
    return false;
}

int cardroom_checkpoint(struct cardroom *room, const struct message *order, struct error *error)
{
    const char *note = order->checkpoint.note;
    const struct message_bytes *nodes = &order->checkpoint.frontier;
    if (room->head_known)
        return error_set(error, CODE_FAULT, "a second checkpoint");
    room->head_known = true;
    if (*note == '\0') {
        if (trusts_another_card(room))
            return error_set(error, CODE_LOG,
                             "the log has no checkpoint although this vault has trusted cards");
        return nodes->size == 0 ? 0 : error_set(error, CODE_LOG, "a tree without a checkpoint");
    }
    if (checkpoint_verify(note, room->origin, &room->trust, &room->head, NULL, error) < 0)
        return error_prefix(error, "the last checkpoint");
    struct merkle_node places[MERKLE_LEVELS];
    size_t count = merkle_frontier_places(room->head.size, places);
    if (nodes->size != count * DIGEST_SIZE)
        return error_set(error, CODE_LOG, "the log's tree does not fit its last checkpoint");
    room->frontier.size = room->head.size;
    room->frontier.count = count;
    if (count > 0)
        memcpy(room->frontier.nodes, nodes->bytes, nodes->size);
    struct digest root = merkle_root(&room->frontier);
    if (!digest_equal(&root, &room->head.root)) {
        error_set(error, CODE_LOG, "the log was changed since checkpoint %llu was signed",
                  (unsigned long long)room->head.size);
        return error_hint(error, "p11vault audit verify");
    }
    cardroom_anchor_meet(room);
    return 0;
}

/* The person typed the PIN to have this very card removed. */
static bool is_removal_asked_for(const struct cardroom *room, const json_t *entry)
{
    static const char verb[] = "card remove ";
    return strncmp(room->purpose, verb, strlen(verb)) == 0 &&
           strcmp(room->purpose + strlen(verb), json_text(entry, "card")) == 0;
}

/* The person typed the PIN to go on from an older store. */
static bool is_acceptance_asked_for(const struct cardroom *room)
{
    return strcmp(room->purpose, "audit accept an older log") == 0;
}

static bool is_own(const struct cardroom *room, enum entry_type type, const json_t *entry)
{
    const char *app = json_text(entry, "app");
    const char *kid = json_text(entry, "kid");
    if (type == ENTRY_CARD)
        return room->enrolling ? kid && strcmp(kid, room->own_card_kid) == 0
                               : cardroom_is_vouched_for(room, entry);
    if (type == ENTRY_REMOVAL)
        return is_removal_asked_for(room, entry);
    if (type == ENTRY_RESTORED)
        return is_acceptance_asked_for(room);
    bool makes_key = room->app_made || room->app_rewrapped || room->app_rekeyed;
    if (!makes_key || !app || strcmp(app, room->app) != 0)
        return false;
    if (type == ENTRY_APP)
        return room->app_made;
    char hex[DIGEST_HEX_SIZE];
    const char *record = room->app_rekeyed ? room->next_record : room->app_record;
    const char *own_kid = room->app_rekeyed ? room->next_kid : room->app_kid;
    struct digest digest = digest_of(record, strlen(record));
    digest_hex(&digest, hex);
    const char *logged = json_text(entry, "digest");
    return kid && strcmp(kid, own_kid) == 0 && logged && strcmp(logged, hex) == 0;
}

static int note_granting(struct cardroom *room, uint64_t index, enum entry_type type,
                         const json_t *entry, struct error *error)
{
    if (room->granting_count == GRANTING_MAX)
        return error_set(error, CODE_LOG, "too many unsigned entries that grant trust");
    bool own = is_own(room, type, entry);
    bool gives_up = own && type == ENTRY_RESTORED && cardroom_anchor_is_named(room, entry);
    room->granting[room->granting_count++] = (struct granting){index, own, gives_up};
    return 0;
}

/*
 * Struck off, so that any number of runs that failed leaves room for this one.  What a card has signed for cannot be taken back: such a
 * declaration would count where a checkpoint between the two is cut away.
 */
static int note_void(struct cardroom *room, uint64_t at, const json_t *entry, struct error *error)
{
    uint64_t index = (uint64_t)json_number(entry, "entry", -1);
    if (index < room->head.size) {
        error_set(error, CODE_LOG, "entry %llu declares void what a card has signed for",
                  (unsigned long long)at);
        return error_hint(error, "p11vault audit show");
    }
    for (size_t i = 0; i < room->granting_count; i++)
        if (room->granting[i].index == index)
            room->granting[i--] = room->granting[--room->granting_count];
    return 0;
}

/* The person typed the PIN for a purpose: an intent to do something else is not this use's. */
static bool is_for_purpose(const struct cardroom *room, const json_t *entry)
{
    char purpose[PURPOSE_SIZE];
    int size = snprintf(purpose, sizeof(purpose), "%s %s", json_text(entry, "verb"),
                        json_text(entry, "name"));
    return size > 0 && size < (int)sizeof(purpose) && strcmp(purpose, room->purpose) == 0;
}

/* Of several grants the person was told how many: the verb is each intent's, the count is checked at the end. */
static bool is_part_of_purpose(const struct cardroom *room, const json_t *entry)
{
    const char *verb = json_text(entry, "verb");
    size_t size = strlen(verb);
    return strncmp(room->purpose, verb, size) == 0 && room->purpose[size] == ' ';
}

static bool is_whole_purpose(const struct cardroom *room)
{
    char rest[PURPOSE_SIZE];
    if (room->batch_count == 0)
        return true;
    (void)snprintf(rest, sizeof(rest), " %zu grants of %s", room->batch_count, room->app);
    size_t size = strlen(rest), whole = strlen(room->purpose);
    return whole > size && strcmp(room->purpose + whole - size, rest) == 0;
}

/* Each intent of a batch is a use with an outcome of its own. */
static int note_batch_use(struct cardroom *room, const json_t *entry, struct error *error)
{
    void *grown = realloc(room->batch_uses, (room->batch_count + 1) * sizeof(room->batch_uses[0]));
    if (!grown)
        return error_memory(error);
    room->batch_uses = grown;
    (void)snprintf(room->batch_uses[room->batch_count++], USE_TEXT_SIZE, "%s",
                   json_text(entry, "use"));
    return 0;
}

/* By name, version and digest.  Intents name records in the order in which they were told, so the next is looked at first. */
static void note_intended(struct cardroom *room, const json_t *item)
{
    for (size_t i = 0; i < room->record_count; i++) {
        size_t number = (room->next_intended + i) % room->record_count;
        struct locked_record *record = &room->records[number];
        if (strcmp(record->name, json_text(item, "name")) != 0 ||
            record->version != json_number(item, "version", -1) ||
            strcmp(record->digest, json_text(item, "digest")) != 0)
            continue;
        record->intended = true;
        room->next_intended = number + 1;
        return;
    }
}

/* Marks the records that this intent names. */
static int note_intent(struct cardroom *room, const json_t *entry, struct error *error)
{
    const json_t *opens = json_object_get(entry, "opens");
    const json_t *item;
    size_t index;
    bool in_batch = json_object_get(entry, "batch") != NULL;
    if (in_batch ? !is_part_of_purpose(room, entry) : !is_for_purpose(room, entry))
        return 0;
    room->intent_seen = true;
    if (in_batch && note_batch_use(room, entry, error) < 0)
        return -1;
    json_array_foreach (opens, index, item)
        note_intended(room, item);
    return 0;
}

/* Whether what this entry is about is this use, or one of its batch. */
static bool is_ours(const struct cardroom *room, const json_t *entry)
{
    const char *batch = json_text(entry, "batch"), *use = json_text(entry, "use");
    const char *whole = batch ? batch : use;
    if (*room->use && whole && strcmp(whole, room->use) == 0)
        return true;
    for (size_t i = 0; use && i < room->batch_count; i++)
        if (strcmp(use, room->batch_uses[i]) == 0)
            return true;
    return false;
}

int cardroom_entry(struct cardroom *room, const struct message *order, struct error *error)
{
    const struct message_bytes *bytes = &order->entry.entry;
    uint64_t index = order->entry.index;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    size_t nodes;
    if (!room->head_known || index != room->frontier.size)
        return error_set(error, CODE_LOG, "entry %llu where entry %llu belongs",
                         (unsigned long long)index, (unsigned long long)room->frontier.size);
    if (entry_read(bytes->bytes, bytes->size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    struct digest leaf = merkle_leaf(bytes->bytes, bytes->size);
    merkle_append(&room->frontier, &leaf, NULL, &nodes);
    cardroom_anchor_meet(room);
    if (entry_grants_trust(type))
        return note_granting(room, index, type, entry, error);
    if (type == ENTRY_VOID)
        return note_void(room, index, entry, error);
    if (type == ENTRY_OUTCOME && is_ours(room, entry))
        room->use_closed = true;
    return type == ENTRY_INTENT && is_ours(room, entry) ? note_intent(room, entry, error) : 0;
}

int cardroom_signed_entry(struct cardroom *room, uint64_t index, const struct message_bytes *entry,
                          const struct message_bytes *proof, const char *type, json_t **ret_entry,
                          struct error *error)
{
    struct merkle_proof path = {.count = proof->size / DIGEST_SIZE};
    auto_json json_t *parsed = NULL;
    enum entry_type found;
    if (!room->head_known || proof->size % DIGEST_SIZE != 0 || path.count > MERKLE_LEVELS)
        return error_set(error, CODE_LOG, "malformed inclusion proof");
    if (path.count > 0)
        memcpy(path.hashes, proof->bytes, proof->size);
    struct digest leaf = merkle_leaf(entry->bytes, entry->size);
    if (merkle_verify(index, room->head.size, &leaf, &path, &room->head.root, error) < 0 ||
        entry_read(entry->bytes, entry->size, &found, &parsed, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (strcmp(entry_type_name(found), type) != 0)
        return error_set(error, CODE_LOG, "entry %llu is no '%s' entry", (unsigned long long)index,
                         type);
    *ret_entry = TAKE(parsed);
    return 0;
}

int cardroom_check_tail(const struct cardroom *room, struct error *error)
{
    if (!room->head_known)
        return error_set(error, CODE_FAULT, "nothing is known of the log");
    if (cardroom_anchor_check(room, error) < 0)
        return -1;
    bool own_seen =
        !room->enrolling && !room->app_made && !room->app_rewrapped && !room->app_rekeyed;
    for (size_t i = 0; i < room->granting_count; i++) {
        if (!room->granting[i].own) {
            error_set(
                error, CODE_LOG,
                "entry %llu grants trust and was never signed: this card does not sign for it",
                (unsigned long long)room->granting[i].index);
            return error_hint(error, "p11vault audit show");
        }
        own_seen = true;
    }
    if (!own_seen)
        return error_set(error, CODE_LOG, "what this session made is not in the log");
    if (!room->enrolling && !room->intent_seen)
        return error_set(error, CODE_LOG, "no intent in the log names this use");
    if (!is_whole_purpose(room))
        return error_set(error, CODE_LOG, "the intents in the log are not those the PIN was for");
    if (room->use_closed)
        return error_set(error, CODE_LOG, "this use has an outcome already");
    if (room->record_count != room->count)
        return error_set(error, CODE_LOG, "%zu records where the use is for %llu",
                         room->record_count, (unsigned long long)room->count);
    for (size_t i = 0; i < room->record_count; i++) {
        const struct locked_record *record = &room->records[i];
        if (!record->intended)
            return error_set(error, CODE_LOG, "no intent names record '%s' version %lld",
                             record->name, (long long)record->version);
        if (strcmp(record->kid, room->app_kid) != 0)
            return error_set(error, CODE_LOG, "record '%s' is sealed to another app", record->name);
    }
    return 0;
}
