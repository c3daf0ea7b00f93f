/*
 * p11vault-exchange: the exchange room.  Started by p11vault, with its channel as descriptor 3 and, when keys are to
 * flow, the end of the card room's one-way channel as descriptor 4.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/log.h"
#include "p11vault/confine/confine.h"
#include "p11vault/ipc/room.h"

/* A person may be asked for the card's PIN between two orders. */
#define ORDER_MS (5 * 60 * 1000)

static void clear(struct exchangeroom *room)
{
    connection_free(room->connection);
    channel_free(room->keys);
    channel_free(room->front);
    secret_free(room->typed);
    for (size_t i = 0; i < room->ordered_count; i++) {
        struct ordered *ordered = &room->ordered[i];
        free(ordered->app);
        free(ordered->name);
        free(ordered->kind);
        free(ordered->jwe);
        json_decref(ordered->facts);
    }
}

static int take_channels(struct exchangeroom *room, struct error *error)
{
    if (fcntl(ROOM_CHANNEL_FD, F_GETFD) < 0) {
        error_set(error, CODE_USAGE, "this program is started by p11vault, not by hand");
        return error_hint(error, "p11vault --help");
    }
    if (channel_new(ROOM_CHANNEL_FD, PARTY_EXCHANGE, PARTY_FRONT, EXCHANGE_NEW, &room->front,
                    error) < 0)
        return -1;
    if (fcntl(ROOM_KEYS_FD, F_GETFD) < 0)
        return 0;
    return channel_new(ROOM_KEYS_FD, PARTY_EXCHANGE, PARTY_CARD, KEYS_FLOW, &room->keys, error);
}

static int carry_out(struct exchangeroom *room, const struct message *order, struct error *error)
{
    switch (order->type) {
    case MESSAGE_READ:
        return exchangeroom_read(room, order, error);
    case MESSAGE_SEAL:
        return exchangeroom_seal(room, order, error);
    case MESSAGE_CONNECT:
        return exchangeroom_connect(room, order, error);
    case MESSAGE_RECORD:
        return exchangeroom_record(room, order, error);
    case MESSAGE_SLOT:
        return exchangeroom_slot(room, order, error);
    case MESSAGE_STEP:
        return exchangeroom_step(room, order, error);
    default:
        return error_set(error, CODE_FAULT, "an order that is none");
    }
}

static int serve(struct exchangeroom *room, struct error *error)
{
    for (;;) {
        struct message order;
        if (channel_receive(room->front, deadline_in(ORDER_MS), &order, error) < 0)
            return -1;
        if (order.type == MESSAGE_EXCHANGE_END)
            return 0;
        if (carry_out(room, &order, error) < 0)
            return -1;
    }
}

int main(int count, char **arguments)
{
    struct error error;
    struct exchangeroom room = {0};
    log_start("p11vault-exchange", count > 1 && strcmp(arguments[1], "-v") == 0);
    int result = confine_process(true, &error);
    if (result == 0)
        result = confine_descriptors(ROOM_KEYS_FD + 1, &error);
    if (result == 0)
        result = secret_heap_install(&error);
    if (result == 0)
        result = take_channels(&room, &error);
    if (result == 0)
        result = serve(&room, &error);
    if (result < 0 && room.front && !channel_peer_gone(room.front))
        channel_send_fail(room.front, &error);
    else if (result < 0)
        fprintf(stderr, "p11vault-exchange: error: %s\n", error.text);
    clear(&room);
    return result < 0 ? (int)error.code : 0;
}
