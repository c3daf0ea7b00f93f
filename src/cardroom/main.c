/*
 * p11vault-card: the card room.  Started by p11vault, with its channel as descriptor 3 and, when keys are to flow, the
 * way to the exchange room as descriptor 4.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/log.h"
#include "p11vault/confine/confine.h"
#include "p11vault/ipc/room.h"

/* The first order comes at once; whoever starts this by hand gets an answer, not a hanging process. */
#define FIRST_ORDER_MS 30000

void cardroom_clear(struct cardroom *room)
{
    card_free(room->card);
    module_free(room->module);
    channel_free(room->exchange);
    channel_free(room->front);
    secret_free(room->app_private);
    free(room->app_record);
    free(room->records);
    free(room->slots);
}

static int take_channels(struct cardroom *room, struct error *error)
{
    if (fcntl(ROOM_CHANNEL_FD, F_GETFD) < 0) {
        error_set(error, CODE_USAGE, "this program is started by p11vault, not by hand");
        return error_hint(error, "p11vault --help");
    }
    if (channel_new(ROOM_CHANNEL_FD, PARTY_CARD, PARTY_FRONT, CARD_NEW, &room->front, error) < 0)
        return -1;
    if (fcntl(ROOM_KEYS_FD, F_GETFD) < 0)
        return 0;
    return channel_new(ROOM_KEYS_FD, PARTY_CARD, PARTY_EXCHANGE, KEYS_FLOW, &room->exchange,
                       error);
}

static int run_task(struct cardroom *room, struct error *error)
{
    struct message order;
    if (channel_receive(room->front, deadline_in(FIRST_ORDER_MS), &order, error) < 0)
        return -1;
    switch (order.type) {
    case MESSAGE_LIST:
        return cardroom_list(room, &order, error);
    case MESSAGE_FORMAT:
        return cardroom_format(room, &order, error);
    case MESSAGE_ENROLL:
        return cardroom_enroll(room, &order, error) < 0 ? -1 : cardroom_serve(room, error);
    case MESSAGE_OPEN:
        return cardroom_open(room, &order, error) < 0 ? -1 : cardroom_serve(room, error);
    default:
        return 0;
    }
}

int main(int count, char **arguments)
{
    struct error error;
    struct cardroom room = {0};
    log_start("p11vault-card", count > 1 && strcmp(arguments[1], "-v") == 0);
    int result = confine_process(true, &error);
    if (result == 0)
        result = confine_descriptors(ROOM_KEYS_FD + 1, &error);
    if (result == 0)
        result = secret_heap_install(&error);
    if (result == 0)
        result = take_channels(&room, &error);
    if (result == 0)
        result = run_task(&room, &error);
    if (result < 0 && room.front && !channel_peer_gone(room.front))
        channel_send_fail(room.front, &error);
    else if (result < 0)
        fprintf(stderr, "p11vault-card: error: %s\n", error.text);
    cardroom_clear(&room);
    return result < 0 ? (int)error.code : 0;
}
