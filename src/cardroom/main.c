/*
 * p11vault-card: the card room.  Started by p11vault, with its channel as descriptor 3 and, when keys are to flow, the
 * way to the exchange room as descriptor 4.
 */
#include "cardroom.h"
#include "p11vault/confine/confine.h"

/* The first order comes at once; whoever starts this by hand gets an answer, not a hanging process. */
#define FIRST_ORDER_MS 30000

/* A card in files has one open for each object, and a file that locks it. */
#define DESCRIPTORS_MAX 256

static void clear(struct cardroom *room)
{
    card_free(room->card);
    module_free(room->module);
    secret_free(room->app_private);
    secret_free(room->next_private);
    free(room->next_record);
    free(room->app_record);
    free(room->batch_uses);
    free(room->records);
    free(room->slots);
}

/* Before a module is loaded: what its profile does not ask for is not there. */
static int build_walls(const struct inside *inside, struct error *error)
{
    if (confine_limits(DESCRIPTORS_MAX, 0, error) < 0)
        return -1;
    if (!CONFINE_WALLS)
        return 0;
    const char *const places[] = {inside->writable};
    if (confine_writing(places, inside->writable ? 1 : 0, error) < 0)
        return error_prefix(error, "'writable' of the module");
    return inside->network ? confine_calls(error) : confine_offline(error);
}

static int work(void *context, struct error *error)
{
    struct cardroom *room = context;
    struct message order;
    if (build_walls(&room->inside, error) < 0)
        return -1;
    if (channel_receive(room->inside.front, deadline_in(FIRST_ORDER_MS), &order, error) < 0)
        return -1;
    switch (order.type) {
    case MESSAGE_LIST:
        return cardroom_list(room, &order, error);
    case MESSAGE_FORMAT:
        return cardroom_format(room, &order, error);
    case MESSAGE_ENROLL:
        return cardroom_enroll(room, &order, error) < 0 ? -1 : cardroom_serve(room, error);
    case MESSAGE_EXPORT:
        return cardroom_export(room, &order, error);
    case MESSAGE_OPEN:
        return cardroom_open(room, &order, error) < 0 ? -1 : cardroom_serve(room, error);
    default:
        return 0;
    }
}

int main(int count, char **arguments)
{
    struct cardroom room = {.inside = {.program = "p11vault-card",
                                       .self = PARTY_CARD,
                                       .other = PARTY_EXCHANGE,
                                       .begin = CARD_NEW,
                                       .work = work,
                                       .context = &room}};
    int result = inside_run(&room.inside, count, arguments);
    clear(&room);
    return result;
}
