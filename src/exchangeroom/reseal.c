/*
 * A record sealed anew, under another name or to another key, by a room that was never connected: the value and what is known of it stay.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/confine/confine.h"

/* shut */
int exchangeroom_shut(struct exchangeroom *room, struct error *error)
{
    (void)room;
    if (CONFINE_WALLS && confine_lock(error) < 0)
        return error_prefix(error, "lock the exchange room");
    return 0;
}

/* Both keys first, so that nothing stands in clear while they come. */
static int reseal(struct exchangeroom *room, uint64_t n, uint64_t slot, struct slot_key *slot_key,
                  struct sealed *ret_sealed, int64_t *ret_us, struct error *error)
{
    auto_of(secret_free) struct secret *key = NULL;
    auto_of(secret_free) struct secret *value = NULL;
    if (exchangeroom_want_record(room, n, &key, error) < 0 ||
        exchangeroom_want_slot(room, slot, slot_key, error) < 0)
        return -1;
    int64_t began = clock_monotonic_us();
    if (exchangeroom_open_record(room, n, key, &value, error) < 0)
        return -1;
    const struct issue issue = {.slot = slot,
                                .from = n,
                                .key = slot_key,
                                .value = value,
                                .expires = EXPIRES_UNKNOWN,
                                .machine_id = "",
                                .keeps_facts = true};
    if (exchangeroom_seal_slot(room, &issue, ret_sealed, error) < 0)
        return -1;
    secret_free(TAKE(value));
    secret_free(TAKE(slot_key->secret));
    scrub_stack_and_registers();
    *ret_us = clock_monotonic_us() - began;
    return 0;
}

/* reseal: n of record, n of slot */
int exchangeroom_reseal(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_sealed struct sealed sealed = {0};
    struct slot_key slot_key = {0};
    int64_t us = 0;
    int result = reseal(room, message_number(order, 0), message_number(order, 1), &slot_key,
                        &sealed, &us, error);
    secret_free(slot_key.secret);
    if (result < 0 || exchangeroom_tell_issued(room, &sealed, error) < 0)
        return -1;
    exchangeroom_forget_records(room);
    return channel_send(room->inside.front, MESSAGE_RESEALED, error, NUMBER(us));
}
