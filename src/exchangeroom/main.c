/*
 * p11vault-exchange: the exchange room.  Started by p11vault, with its channel as descriptor 3 and, when keys are to
 * flow, the end of the card room's one-way channel as descriptor 4.
 */
#include "exchangeroom.h"
#include "p11vault/confine/confine.h"

/* A person may be asked for the card's PIN between two orders. */
#define ORDER_MS (5 * 60 * 1000)

/* Its channels, one connection and what a name is resolved by; libcurl with its libraries takes some ten MiB. */
#define DESCRIPTORS_MAX 64
#define DATA_MAX ((size_t)512 << 20)

static void clear(struct exchangeroom *room)
{
    connection_free(room->connection);
    secret_free(room->typed);
    buffer_clear(&room->body);
    secret_free(room->code);
    secret_free(room->verifier);
    secret_free(room->client_token);
    exchangeroom_forget_records(room);
}

static int carry_out(struct exchangeroom *room, const struct message *order, struct error *error)
{
    switch (order->type) {
    case MESSAGE_READ:
        return exchangeroom_read(room, order, error);
    case MESSAGE_SEAL:
        return exchangeroom_seal(room, order, error);
    case MESSAGE_CLIENT_TOKEN:
        return exchangeroom_client_token(room, order, error);
    case MESSAGE_LOGIN:
        return exchangeroom_login(room, order, error);
    case MESSAGE_CONNECT:
        return exchangeroom_connect(room, order, error);
    case MESSAGE_SHUT:
        return exchangeroom_shut(room, error);
    case MESSAGE_RESEAL:
        return exchangeroom_reseal(room, order, error);
    case MESSAGE_CHECK:
        return exchangeroom_check_signed(room, order, error);
    case MESSAGE_PIECE:
        return exchangeroom_piece(room, order, error);
    case MESSAGE_VERIFY:
        return exchangeroom_verify(room, order, error);
    case MESSAGE_RECORD:
        return exchangeroom_record(room, order, error);
    case MESSAGE_SLOT:
        return exchangeroom_slot(room, order, error);
    case MESSAGE_STEP:
        return exchangeroom_step(room, order, error);
    default:
        return error_set(error, CODE_FAULT, "unexpected order");
    }
}

static int work(void *context, struct error *error)
{
    struct exchangeroom *room = context;
    /* Until its lock it reads files, and writes none. */
    if (confine_limits(DESCRIPTORS_MAX, DATA_MAX, error) < 0 ||
        (CONFINE_WALLS && confine_writing(NULL, 0, error) < 0))
        return -1;
    for (;;) {
        struct message order;
        if (channel_receive(room->inside.front, deadline_in(ORDER_MS), &order, error) < 0)
            return -1;
        if (order.type == MESSAGE_EXCHANGE_END)
            return 0;
        if (carry_out(room, &order, error) < 0)
            return -1;
    }
}

int main(int count, char **arguments)
{
    struct exchangeroom room = {.inside = {.program = "p11vault-exchange",
                                           .self = PARTY_EXCHANGE,
                                           .other = PARTY_CARD,
                                           .begin = EXCHANGE_NEW,
                                           .work = work,
                                           .context = &room}};
    int result = inside_run(&room.inside, count, arguments);
    clear(&room);
    return result;
}
