/*
 * Records and keys: a key is asked for at the last moment, used once and wiped.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/clock.h"

/* The front passes the wish on to the card room: a local way, but the front may be busy writing to disk. */
#define KEY_MS 30000

static void ordered_free(struct ordered *ordered)
{
    if (!ordered)
        return;
    free(ordered->app);
    free(ordered->name);
    free(ordered->kind);
    jwe_free(ordered->jwe);
    json_decref(ordered->facts);
    free(ordered);
}
DEFINE_CLEANUP(struct ordered, ordered_free);

void exchangeroom_forget_records(struct exchangeroom *room)
{
    while (room->ordered) {
        struct ordered *first = room->ordered;
        room->ordered = first->next;
        ordered_free(first);
    }
    room->ordered_count = 0;
}

static struct ordered *look_up(const struct exchangeroom *room, uint64_t n, bool is_slot)
{
    struct ordered *ordered = room->ordered;
    while (ordered && (ordered->n != n || ordered->is_slot != is_slot))
        ordered = ordered->next;
    return ordered;
}

/* What was issued into a slot is opened later as the record of the same number. */
static int new_ordered(struct exchangeroom *room, uint64_t n, bool is_slot,
                       struct ordered **ret_ordered, struct error *error)
{
    if (look_up(room, n, is_slot))
        return error_set(error, CODE_FAULT, "record %llu is ordered twice", (unsigned long long)n);
    if (room->ordered_count == ROOM_RECORDS_MAX)
        return error_set(error, CODE_FAULT, "more than %d records", ROOM_RECORDS_MAX);
    struct ordered *ordered = calloc(1, sizeof(*ordered));
    if (!ordered)
        return error_memory(error);
    ordered->n = n;
    ordered->is_slot = is_slot;
    *ret_ordered = ordered;
    return 0;
}

static void keep(struct exchangeroom *room, struct ordered *ordered)
{
    ordered->next = room->ordered;
    room->ordered = ordered;
    room->ordered_count++;
}

int exchangeroom_record(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_of(ordered_free) struct ordered *ordered = NULL;
    char digest[DIGEST_HEX_SIZE];
    const char *jwe = order->record.jwe;
    struct digest actual = digest_of(jwe, strlen(jwe));
    digest_hex(&actual, digest);
    if (strcmp(digest, order->record.digest) != 0)
        return error_set(error, CODE_LOG, "record '%s' is not the one that was ordered",
                         order->record.name);
    if (new_ordered(room, order->record.n, false, &ordered, error) < 0)
        return -1;
    ordered->app = strdup(order->record.app);
    ordered->name = strdup(order->record.name);
    ordered->kind = strdup(order->record.kind);
    ordered->version = (int64_t)order->record.version;
    if (!ordered->app || !ordered->name || !ordered->kind)
        return error_memory(error);
    /* All that needs no key is done now, so that little is left for the time when it is there. */
    if (jwe_read(jwe, &ordered->jwe, error) < 0)
        return error_prefix(error, "open '%s'", ordered->name);
    keep(room, TAKE(ordered));
    return 0;
}

int exchangeroom_slot(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_of(ordered_free) struct ordered *ordered = NULL;
    auto_json json_t *facts = NULL;
    const char *text = order->slot.facts;
    if (json_parse(text, strlen(text), "facts", &facts, error) < 0 ||
        new_ordered(room, order->slot.n, true, &ordered, error) < 0)
        return -1;
    ordered->facts = TAKE(facts);
    keep(room, TAKE(ordered));
    return 0;
}

static int find_ordered(const struct exchangeroom *room, uint64_t n, bool is_slot,
                        const struct ordered **ret_ordered, struct error *error)
{
    *ret_ordered = look_up(room, n, is_slot);
    if (!*ret_ordered)
        return error_set(error, CODE_FAULT, "%s %llu was not ordered", is_slot ? "slot" : "record",
                         (unsigned long long)n);
    return 0;
}

int exchangeroom_check_slot(struct exchangeroom *room, uint64_t n, struct error *error)
{
    const struct ordered *ordered;
    return find_ordered(room, n, true, &ordered, error);
}

int exchangeroom_wait_app_key(struct exchangeroom *room, struct error *error)
{
    struct message message;
    if (room->app_known)
        return 0;
    if (!room->inside.keys)
        return error_set(error, CODE_FAULT, "there is no card room to name the app key");
    if (channel_expect(room->inside.keys, MESSAGE_APPKEY, deadline_in(KEY_MS), &message, error) < 0)
        return -1;
    return exchangeroom_take_app_key(room, message.appkey.jwk, error);
}

void wanted_key_clear(struct wanted_key *key)
{
    secret_free(TAKE(key->secret));
}

/* One of the keys of a packet. */
static int take_key(uint64_t n, struct message_bytes epk, struct message_bytes content_key,
                    struct wanted_key *key, struct error *error)
{
    if (n != key->n || epk.size != EC_POINT_SIZE || content_key.size != CEK_SIZE)
        return error_set(error, CODE_FAULT, "key %llu is not the one that was asked for",
                         (unsigned long long)n);
    if (secret_new(CEK_SIZE, &key->secret, error) < 0)
        return -1;
    memcpy(key->epk.bytes, epk.bytes, EC_POINT_SIZE);
    return secret_append(key->secret, content_key.bytes, CEK_SIZE, error);
}

int exchangeroom_want(struct exchangeroom *room, struct wanted_key *keys, size_t count,
                      struct error *error)
{
    const struct ordered *ordered;
    struct message message;
    for (size_t i = 0; i < count; i++)
        if (find_ordered(room, keys[i].n, keys[i].is_slot, &ordered, error) < 0)
            return -1;
    if (count == 0)
        return 0;
    uint64_t second = count > 1 ? keys[1].n : MESSAGE_NO_RECORD;
    if (exchangeroom_wait_app_key(room, error) < 0 ||
        channel_send(room->inside.front, want, error, .n = keys[0].n, .second = second) < 0 ||
        channel_expect(room->inside.keys, MESSAGE_KEY, deadline_in(KEY_MS), &message, error) < 0)
        return -1;
    const struct message_key *told = &message.key;
    if (take_key(told->n, told->epk, told->content_key, &keys[0], error) < 0 ||
        (count > 1 &&
         take_key(told->second, told->second_epk, told->second_content_key, &keys[1], error) < 0))
        return -1;
    channel_forget(room->inside.keys);
    return 0;
}

int exchangeroom_open_record(struct exchangeroom *room, uint64_t n, const struct secret *key,
                             struct secret **ret_value, struct error *error)
{
    auto_of(secret_free) struct secret *payload = NULL;
    auto_of(secret_free) struct secret *value = NULL;
    auto_json json_t *facts = NULL;
    struct ordered *ordered = look_up(room, n, false);
    if (!ordered)
        return error_set(error, CODE_FAULT, "record %llu was not ordered", (unsigned long long)n);
    const struct record_expectation expected = {ordered->app, ordered->name, ordered->kind,
                                                ordered->version,
                                                *room->origin.text ? room->origin.text : NULL};
    if (jwe_open_read(ordered->jwe, key, &payload, error) < 0 ||
        record_split(payload, &facts, &value, error) < 0 ||
        record_check(facts, &expected, error) < 0)
        return error_prefix(error, "open '%s'", ordered->name);
    json_decref(ordered->facts);
    ordered->facts = TAKE(facts);
    *ret_value = TAKE(value);
    return 0;
}

const char *exchangeroom_fact(const struct exchangeroom *room, uint64_t n, const char *key)
{
    const struct ordered *ordered = look_up(room, n, false);
    return ordered ? json_text(ordered->facts, key) : NULL;
}

/*
 * What the front says of a slot is no secret's own word: a new grant may go nowhere that the one may not which brought it
 * about.  Where none did (a device login), it may go where it came from.
 */
static int check_origins(const struct exchangeroom *room, const json_t *slot, uint64_t from,
                         struct error *error)
{
    const struct ordered *opened = NULL;
    const json_t *origin;
    size_t index;
    if (from != MESSAGE_NO_RECORD && find_ordered(room, from, false, &opened, error) < 0)
        return -1;
    auto_json json_t *own = json_pack("[s]", room->origin.text);
    const json_t *allowed = opened ? json_object_get(opened->facts, "origins") : own;
    json_array_foreach (json_object_get(slot, "origins"), index, origin) {
        size_t i = 0;
        while (i < json_array_size(allowed) && !json_equal(json_array_get(allowed, i), origin))
            i++;
        if (i == json_array_size(allowed))
            return error_set(error, CODE_STOP,
                             "it would be allowed to go where the old one is not");
    }
    return 0;
}

/* What is known of a value and does not depend on what it is called or sealed to. */
static int copy_facts(const json_t *opened, json_t *facts, struct error *error)
{
    static const char *const kept[] = {"expires", "issued", "machine_id", "provider"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *fact = json_object_get(opened, kept[i]);
        if (fact && json_object_set(facts, kept[i], fact) < 0)
            return error_memory(error);
    }
    return 0;
}

/* The facts of the slot, with what the answer adds to them. */
static int complete_facts(const json_t *told, const struct issue *issue, json_t **ret_facts,
                          struct error *error)
{
    auto_json json_t *facts = json_deep_copy(told);
    if (facts && issue->keeps_facts) {
        *ret_facts = TAKE(facts);
        return 0;
    }
    if (!facts || json_object_set_new(facts, "issued", json_integer(clock_now())) < 0 ||
        (issue->expires != EXPIRES_UNKNOWN &&
         json_object_set_new(facts, "expires", json_integer(issue->expires)) < 0) ||
        (*issue->machine_id &&
         json_object_set_new(facts, "machine_id", json_string(issue->machine_id)) < 0))
        return error_memory(error);
    *ret_facts = TAKE(facts);
    return 0;
}

int exchangeroom_seal_slot(struct exchangeroom *room, const struct issue *issue,
                           struct sealed *ret_sealed, struct error *error)
{
    const struct ordered *ordered;
    auto_of(secret_free) struct secret *payload = NULL;
    auto_json json_t *facts = NULL;
    auto_free char *jwe = NULL;
    auto_free char *text = NULL;
    struct jwe_header header = {.epk = issue->key->epk};
    if (find_ordered(room, issue->slot, true, &ordered, error) < 0)
        return -1;
    if (check_origins(room, ordered->facts, issue->from, error) < 0)
        return error_prefix(error, "seal what was issued");
    memcpy(header.kid, room->app_kid, sizeof(header.kid));
    const struct ordered *source = issue->keeps_facts ? look_up(room, issue->from, false) : NULL;
    if (complete_facts(ordered->facts, issue, &facts, error) < 0 ||
        (source && copy_facts(source->facts, facts, error) < 0) ||
        record_compose(facts, issue->value, &payload, error) < 0 ||
        jwe_seal(&header, issue->key->secret, payload, &jwe, error) < 0)
        return error_prefix(error, "seal what was issued");
    /* It says which client this is: the front has no use for it. */
    (void)json_object_del(facts, "machine_id");
    if (json_canonical(facts, &text, error) < 0)
        return error_prefix(error, "seal what was issued");
    *ret_sealed = (struct sealed){issue->slot, TAKE(jwe), TAKE(text)};
    return 0;
}

int exchangeroom_tell_issued(struct exchangeroom *room, const struct sealed *sealed,
                             struct error *error)
{
    return channel_send(room->inside.front, issued, error, .n = sealed->slot, .jwe = sealed->jwe,
                        .facts = sealed->facts);
}

void sealed_clear(struct sealed *sealed)
{
    free(sealed->jwe);
    free(sealed->facts);
    *sealed = (struct sealed){0};
}
