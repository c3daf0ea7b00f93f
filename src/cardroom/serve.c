/*
 * From the login to the end: what the use is about, the signature, then keys as they are asked for.
 */
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"

/* The front waits for a provider between two orders; it ends this room by closing the channel. */
#define ORDER_MS (15 * 60 * 1000)

/* Checks, signs, unwraps; the module is gone when this returns. */
static int sign_and_unwrap(struct cardroom *room, struct error *error)
{
    auto_free char *note = NULL;
    uint64_t size;
    struct error failure;
    if (cardroom_check_tail(room, error) < 0 || cardroom_sign(room, &note, &size, error) < 0)
        return -1;
    if (!room->app_made && !room->app_rewrapped && room->app_record &&
        cardroom_unwrap(room, error) < 0)
        return -1;
    cardroom_anchor_write(room, &failure);
    const char *kind = cardroom_anchor_kind(room);
    card_logout(room->card);
    card_free(TAKE(room->card));
    module_free(TAKE(room->module));
    scrub_stack_and_registers();
    log_info("logged out, module finalised");
    if (channel_send(room->inside.front, signed_head, error, .note = note, .size = size,
                     .anchor_kind = kind, .anchor_size = room->anchor.head.size,
                     .anchor_failure = failure.code == CODE_DONE ? "" : failure.text) < 0)
        return -1;
    return cardroom_tell_sealed(room, error);
}

/* A slot's key: its private half exists only until the public half is known. */
static int make_slot(struct slot *slot, struct error *error)
{
    auto_of(secret_free) struct secret *dropped = NULL;
    if (slot->made)
        return 0;
    if (ec_generate(&dropped, &slot->epk, error) < 0)
        return -1;
    slot->made = true;
    return 0;
}

/* A key that is handed, and what its record or slot is sealed with. */
struct handed {
    const struct ec_point *epk;
    struct secret *key; /* NULL: none */
};

static void handed_clear(struct handed (*handed)[2])
{
    secret_free(TAKE((*handed)[0].key));
    secret_free(TAKE((*handed)[1].key));
}

/* Records are numbered first, then slots. */
static int derive_key(struct cardroom *room, uint64_t n, struct handed *ret_handed,
                      struct error *error)
{
    if (!room->app_private || !room->inside.keys || n >= room->count + room->slot_count)
        return error_set(error, CODE_FAULT, "there is no key %llu to hand", (unsigned long long)n);
    if (n < room->count) {
        ret_handed->epk = &room->records[n].epk;
    } else {
        struct slot *slot = &room->slots[n - room->count];
        if (make_slot(slot, error) < 0)
            return -1;
        ret_handed->epk = &slot->epk;
    }
    const struct secret *private =
        n >= room->count && room->app_rekeyed ? room->next_private : room->app_private;
    return jwe_content_key(private, ret_handed->epk, &ret_handed->key, error);
}

/* Both in one packet, so that the first does not wait for the second. */
static int hand(struct cardroom *room, const struct message *order, struct error *error)
{
    static const struct ec_point no_point;
    uint64_t first = order->hand.n, second = order->hand.second;
    __attribute__((cleanup(handed_clear))) struct handed handed[2] = {{&no_point, NULL},
                                                                      {&no_point, NULL}};
    if (derive_key(room, first, &handed[0], error) < 0 ||
        (second != MESSAGE_NO_RECORD && derive_key(room, second, &handed[1], error) < 0))
        return -1;
    static const struct message_bytes none = {"", 0};
    if (channel_send(
            room->inside.keys, key, error, .n = first, .epk = {handed[0].epk->bytes, EC_POINT_SIZE},
            .content_key = {secret_data(handed[0].key), secret_size(handed[0].key)},
            .second = second,
            .second_epk = {handed[1].epk->bytes, handed[1].key ? EC_POINT_SIZE : 0},
            .second_content_key = handed[1].key ? (struct message_bytes){secret_data(handed[1].key),
                                                                         secret_size(handed[1].key)}
                                                : none) < 0)
        return -1;
    handed_clear(&handed);
    scrub_stack_and_registers();
    return channel_send(room->inside.front, handed, error, .n = first, .second = second);
}

/* The way to a new exchange room, which learns the app key first. */
static int again(struct cardroom *room, const struct message *order, struct error *error)
{
    channel_free(TAKE(room->inside.keys));
    if (channel_new(order->again.keys, PARTY_CARD, PARTY_EXCHANGE, KEYS_FLOW, &room->inside.keys,
                    error) < 0)
        return -1;
    return cardroom_name_app_key(room, error);
}

static int carry_out(struct cardroom *room, const struct message *order, struct error *error)
{
    switch (order->type) {
    case MESSAGE_CHECKPOINT:
        return cardroom_checkpoint(room, order, error);
    case MESSAGE_EXTENDS:
        return cardroom_extends(room, order, error);
    case MESSAGE_ENTRY:
        return cardroom_entry(room, order, error);
    case MESSAGE_RECIPIENT:
        return cardroom_recipient(room, order, error);
    case MESSAGE_MAKE:
        return cardroom_make(room, order, error);
    case MESSAGE_APP:
        return cardroom_app(room, order, error);
    case MESSAGE_REWRAP:
        return cardroom_rewrap(room, error);
    case MESSAGE_REKEY:
        return cardroom_rekey(room, error);
    case MESSAGE_UNLOCK:
        return cardroom_unlock(room, order, error);
    case MESSAGE_SIGN:
        return sign_and_unwrap(room, error);
    case MESSAGE_HAND:
        return hand(room, order, error);
    case MESSAGE_AGAIN:
        return again(room, order, error);
    default:
        return error_set(error, CODE_FAULT, "unexpected order");
    }
}

int cardroom_serve(struct cardroom *room, struct error *error)
{
    for (;;) {
        struct message order;
        if (channel_receive(room->inside.front, deadline_in(ORDER_MS), &order, error) < 0)
            return -1;
        if (order.type == MESSAGE_CARD_END)
            return 0;
        if (carry_out(room, &order, error) < 0)
            return -1;
    }
}
