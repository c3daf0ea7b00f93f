/*
 * An app's key for other cards, and another key for an app: `rewrap` and `rekey`.
 */
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/scrub.h"

static int check_begin(const struct cardroom *room, struct error *error)
{
    if (!room->app_record || room->app_made || room->app_rewrapped || room->app_rekeyed ||
        room->enrolling)
        return error_set(error, CODE_FAULT, "this use is not about sealing an app key anew");
    if (room->recipient_count == 0)
        return error_set(error, CODE_CONFIG, "an app key without a card to open it");
    return 0;
}

static int tell_made(struct cardroom *room, const struct ec_point *point, const char *record,
                     struct error *error)
{
    auto_free char *jwk = NULL;
    auto_free char *kids = NULL;
    char kid[THUMBPRINT_SIZE];
    if (cardroom_public_jwk(point, kid, &jwk, error) < 0 ||
        cardroom_kids_text(room, &kids, error) < 0)
        return -1;
    return channel_send(room->inside.front, MESSAGE_MADE, error, TEXT(record), TEXT(jwk), TEXT(kid),
                        TEXT(kids));
}

/* ---- the same key ---- */

static int seal_anew(struct cardroom *room, struct error *error)
{
    auto_of(secret_free) struct secret *private = NULL;
    auto_free char *record = NULL;
    if (cardroom_unwrap(room, error) < 0)
        return -1;
    private = TAKE(room->app_private);
    if (appkey_seal(private, room->recipients, room->recipient_count, &record, error) < 0)
        return -1;
    free(room->app_record);
    room->app_record = TAKE(record);
    room->app_rewrapped = true;
    return 0;
}

/*
 * rewrap: the key of the app that was told, for the recipients that were told.  The grants that are sealed to it stay as they are; none is
 * opened, and the key is gone again when this returns.
 */
int cardroom_rewrap(struct cardroom *room, struct error *error)
{
    if (check_begin(room, error) < 0)
        return -1;
    if (room->count > 0 || room->slot_count > 0 || room->inside.keys)
        return error_set(error, CODE_FAULT, "no record is opened where an app key is sealed anew");
    if (seal_anew(room, error) < 0)
        return -1;
    scrub_stack_and_registers();
    return tell_made(room, &room->app_public, room->app_record, error);
}

/* ---- another key ---- */

/*
 * rekey: a new key beside the old one.  Records are opened with the old key, as it is unwrapped after the signature, and what is issued
 * into slots is sealed to the new one.
 */
int cardroom_rekey(struct cardroom *room, struct error *error)
{
    auto_of(secret_free) struct secret *private = NULL;
    auto_free char *jwk = NULL;
    if (check_begin(room, error) < 0 || ec_generate(&private, &room->next_public, error) < 0 ||
        cardroom_public_jwk(&room->next_public, room->next_kid, &jwk, error) < 0 ||
        appkey_seal(private, room->recipients, room->recipient_count, &room->next_record, error) <
            0)
        return -1;
    room->next_private = TAKE(private);
    room->app_rekeyed = true;
    scrub_stack_and_registers();
    return tell_made(room, &room->next_public, room->next_record, error);
}
