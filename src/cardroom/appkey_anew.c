/*
 * An app's key for other cards, and another key for an app: `rewrap` and `rekey`.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/scrub.h"

/* The person typed the PIN to have this app's key sealed anew: alone, or because a card is removed. */
static bool is_asked_for(const struct cardroom *room, const char *verb)
{
    static const char removal[] = "card remove ";
    char purpose[PURPOSE_SIZE];
    (void)snprintf(purpose, sizeof(purpose), "%s %s", verb, room->app);
    return strcmp(room->purpose, purpose) == 0 ||
           (strcmp(verb, "app reseal") == 0 &&
            strncmp(room->purpose, removal, strlen(removal)) == 0);
}

static int check_begin(const struct cardroom *room, const char *verb, struct error *error)
{
    if (!room->app_record || room->app_made || room->app_rewrapped || room->app_rekeyed ||
        room->enrolling)
        return error_set(error, CODE_FAULT, "this use is not about sealing an app key anew");
    if (!is_asked_for(room, verb))
        return error_set(error, CODE_LOG, "the PIN was not for sealing the key of app '%s' anew",
                         room->app);
    if (room->recipient_count == 0)
        return error_set(error, CODE_CONFIG, "an app key without a card to open it");
    return 0;
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

/* What the log has to say of the record before it leaves this room. */
static int tell_rewrapped(struct cardroom *room, struct error *error)
{
    auto_free char *jwk = NULL;
    auto_free char *kids = NULL;
    char kid[THUMBPRINT_SIZE], hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(room->app_record, strlen(room->app_record));
    digest_hex(&digest, hex);
    if (cardroom_public_jwk(&room->app_public, kid, &jwk, error) < 0 ||
        cardroom_kids_text(room, &kids, error) < 0)
        return -1;
    return channel_send(room->inside.front, rewrapped, error, .digest = hex, .jwk = jwk, .kid = kid,
                        .cards = kids);
}

/*
 * rewrap: the key of the app that was told, for the recipients that were told.  The grants that are sealed to it stay as they are; none is
 * opened, and the key is gone again when this returns.  An intent of this use must have been told before; the record itself follows
 * the signature over intent and digest, so that nobody gets the key for another card without a trace.
 */
int cardroom_rewrap(struct cardroom *room, struct error *error)
{
    if (check_begin(room, "app reseal", error) < 0)
        return -1;
    if (room->count > 0 || room->slot_count > 0 || room->inside.keys)
        return error_set(error, CODE_FAULT, "no record is opened where an app key is sealed anew");
    if (!room->intent_seen || room->use_closed)
        return error_set(error, CODE_LOG, "no intent in the log names this use");
    if (seal_anew(room, error) < 0)
        return -1;
    scrub_stack_and_registers();
    return tell_rewrapped(room, error);
}

int cardroom_tell_sealed(struct cardroom *room, struct error *error)
{
    return room->app_rewrapped
               ? channel_send(room->inside.front, sealed, error, .record = room->app_record)
               : 0;
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
    auto_free char *kids = NULL;
    if (check_begin(room, "app rekey", error) < 0 ||
        ec_generate(&private, &room->next_public, error) < 0 ||
        cardroom_public_jwk(&room->next_public, room->next_kid, &jwk, error) < 0 ||
        appkey_seal(private, room->recipients, room->recipient_count, &room->next_record, error) <
            0 ||
        cardroom_kids_text(room, &kids, error) < 0)
        return -1;
    room->next_private = TAKE(private);
    room->app_rekeyed = true;
    scrub_stack_and_registers();
    return channel_send(room->inside.front, made, error, .record = room->next_record, .jwk = jwk,
                        .kid = room->next_kid, .cards = kids);
}
