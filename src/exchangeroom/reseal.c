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

enum { OPENS, SEALS };

/* Both keys first, so that nothing stands in clear while they come. */
static int reseal(struct exchangeroom *room, struct wanted_key *keys, struct sealed *ret_sealed,
                  int64_t *ret_us, struct error *error)
{
    auto_of(secret_free) struct secret *value = NULL;
    if (exchangeroom_want(room, keys, WANTED_MAX, error) < 0)
        return -1;
    int64_t began = clock_monotonic_us();
    if (exchangeroom_open_record(room, keys[OPENS].n, keys[OPENS].secret, &value, error) < 0)
        return -1;
    const struct issue issue = {.slot = keys[SEALS].n,
                                .from = keys[OPENS].n,
                                .key = &keys[SEALS],
                                .value = value,
                                .expires = EXPIRES_UNKNOWN,
                                .machine_id = "",
                                .keeps_facts = true};
    if (exchangeroom_seal_slot(room, &issue, ret_sealed, error) < 0)
        return -1;
    secret_free(TAKE(value));
    wanted_key_clear(&keys[OPENS]);
    wanted_key_clear(&keys[SEALS]);
    scrub_stack_and_registers();
    *ret_us = clock_monotonic_us() - began;
    return 0;
}

int exchangeroom_reseal(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_sealed struct sealed sealed = {0};
    struct wanted_key keys[WANTED_MAX] = {
        [OPENS] = {.n = order->reseal.n}, [SEALS] = {.n = order->reseal.slot, .is_slot = true}};
    int64_t us = 0;
    int result = reseal(room, keys, &sealed, &us, error);
    wanted_key_clear(&keys[OPENS]);
    wanted_key_clear(&keys[SEALS]);
    if (result < 0 || exchangeroom_tell_issued(room, &sealed, error) < 0)
        return -1;
    exchangeroom_forget_records(room);
    return channel_send(room->inside.front, resealed, error, .clear_us = us);
}
