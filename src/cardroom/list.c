/*
 * `card list` and the making of a SoftHSM card: the tasks that need no log.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/log.h"
#include "p11vault/pin/typed.h"

#define SOFT_PIN_BYTES 12

static const char *pin_state(const struct card_info *info)
{
    if (info->pin_locked)
        return "PIN locked";
    if (!info->pin_set)
        return "no PIN set";
    if (info->pin_final_try)
        return "one PIN try left";
    if (info->pin_count_low)
        return "a wrong PIN was given";
    if (info->pin_default)
        return "PIN is the factory's: change it";
    return "PIN ok";
}

struct listing {
    struct cardroom *room;
    uint64_t count;
    struct error *error;
};

static int tell_card(void *context, const struct card_info *info)
{
    struct listing *listing = context;
    listing->count++;
    return channel_send(listing->room->inside.front, found, listing->error, .serial = info->serial,
                        .label = info->label, .model = info->model,
                        .manufacturer = info->manufacturer, .pin_state = pin_state(info),
                        .can = info->can);
}

int cardroom_list(struct cardroom *room, const struct message *order, struct error *error)
{
    if (module_load(order->list.module, &room->module, error) < 0)
        return -1;
    struct listing listing = {room, 0, error};
    if (module_each_card(room->module, tell_card, &listing, error) != 0)
        return -1;
    return channel_send(room->inside.front, listed, error, .count = listing.count);
}

/* A PIN of random digits, so that it can also be typed. */
static int make_pin(struct secret **ret_pin, struct error *error)
{
    auto_of(secret_free) struct secret *pin = NULL;
    auto_of(secret_free) struct secret *random = NULL;
    size_t room;
    if (secret_new(SOFT_PIN_BYTES, &pin, error) < 0 ||
        secret_new(SOFT_PIN_BYTES, &random, error) < 0 ||
        random_bytes(secret_room(random, &room), SOFT_PIN_BYTES, error) < 0)
        return -1;
    secret_grow(random, SOFT_PIN_BYTES);
    for (size_t i = 0; i < SOFT_PIN_BYTES; i++) {
        char digit = (char)('0' + secret_data(random)[i] % 10);
        if (secret_append(pin, &digit, 1, error) < 0)
            return -1;
    }
    *ret_pin = TAKE(pin);
    return 0;
}

static int write_pin(const char *directory, const char *name, const struct secret *pin,
                     struct error *error)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return error_set(error, CODE_CONFIG, "'%s': the path is too long", directory);
    return buffer_write_file(path, secret_data(pin), secret_size(pin), 0600, error);
}

int cardroom_format(struct cardroom *room, const struct message *order, struct error *error)
{
    auto_of(secret_free) struct secret *pin = NULL;
    auto_of(secret_free) struct secret *so_pin = NULL;
    struct card_info info;
    const char *directory = order->format.directory;
    if (make_pin(&pin, error) < 0 || make_pin(&so_pin, error) < 0 ||
        module_load(order->format.module, &room->module, error) < 0 ||
        write_pin(directory, "pin", pin, error) < 0 ||
        write_pin(directory, "so-pin", so_pin, error) < 0 ||
        module_format_card(room->module, order->format.label, so_pin, pin, &info, error) < 0)
        return -1;
    return channel_send(room->inside.front, formatted, error, .serial = info.serial,
                        .label = info.label);
}
