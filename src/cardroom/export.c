/*
 * A card that is enrolled where it is not: what it says of itself, signed by itself, and what another card signs for on that word.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/audit/statement.h"
#include "p11vault/base/base64.h"

/* ---- export ---- */

static int describe(const struct cardroom *room, const struct own_keys *keys, json_t **ret_card,
                    struct error *error)
{
    const struct card_info *info = card_info(room->card);
    char vkey[NOTE_VKEY_MAX];
    json_t *jwk;
    if (note_key_vkey(&room->own_sign_key, vkey, error) < 0 ||
        jwk_to_json(&keys->jwk, &jwk, error) < 0)
        return -1;
    *ret_card =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "alg", appkey_alg_name(keys->alg),
                  "card", info->serial, "label", info->label, "model", info->model, "manufacturer",
                  info->manufacturer, "kid", room->own_card_kid, "jwk", jwk, "sign", vkey);
    return *ret_card ? 0 : error_memory(error);
}

/* What the module signed must verify here before anybody relies on it. */
static int sign(struct cardroom *room, const struct own_keys *keys, const json_t *card,
                const char *text, struct buffer *ret_signature, struct error *error)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t size;
    if (card_sign(room->card, &keys->signs, cardroom_padding(&room->own_sign_key), text,
                  strlen(text), signature, &size, error) < 0 ||
        base64_put(ret_signature, signature, size, error) < 0)
        return -1;
    if (statement_check(card, buffer_text(ret_signature), error) < 0) {
        error->code = CODE_CARD;
        return -1;
    }
    return 0;
}

static int tell(struct cardroom *room, const struct own_keys *keys, struct error *error)
{
    auto_json json_t *card = NULL;
    auto_free char *members = NULL;
    auto_free char *text = NULL;
    auto_buffer struct buffer signature = BUFFER_UP_TO(STATEMENT_SIGNATURE_MAX);
    char fingerprint[NOTE_FINGERPRINT_SIZE];
    if (describe(room, keys, &card, error) < 0 || json_canonical(card, &members, error) < 0 ||
        statement_text(card, &text, error) < 0 ||
        sign(room, keys, card, text, &signature, error) < 0)
        return error_prefix(error, "sign what the card says of itself");
    statement_fingerprint(text, fingerprint);
    return channel_send(room->inside.front, exported, error,
                        .serial = card_info(room->card)->serial, .statement = members,
                        .signature = buffer_text(&signature), .fingerprint = fingerprint);
}

int cardroom_export(struct cardroom *room, const struct message *order, struct error *error)
{
    struct wanted_keys wanted;
    struct own_keys keys;
    const struct message_export *said = &order->export;
    const struct newcomer card = {said->module, said->pin_source, said->purpose, STATEMENT_NAME,
                                  NULL,         &wanted.unwraps};
    if (cardroom_wanted_keys(said->uri, said->kind, said->sign, &wanted, error) < 0 ||
        cardroom_enroll_begin(room, &card, error) < 0 ||
        cardroom_take_keys(room, &wanted, &keys, error) < 0)
        return -1;
    return tell(room, &keys, error);
}

/* ---- enrolment elsewhere ---- */

/* The signing key's name is this vault's. */
static bool is_for_vault(const struct cardroom *room, const json_t *entry)
{
    struct error ignored;
    struct note_key key;
    return note_key_parse(json_text(entry, "sign"), &key, &ignored) == 0 &&
           strcmp(key.name, room->origin) == 0;
}

bool cardroom_is_vouched_for(const struct cardroom *room, const json_t *entry)
{
    struct error ignored;
    struct appkey_card card;
    auto_free char *text = NULL;
    char fingerprint[NOTE_FINGERPRINT_SIZE], purpose[PURPOSE_SIZE];
    const char *proof = json_text(entry, "proof");
    if (!proof || appkey_card_read(entry, &card, NULL, &ignored) < 0 ||
        !is_for_vault(room, entry) || statement_check(entry, proof, &ignored) < 0 ||
        statement_text(entry, &text, &ignored) < 0)
        return false;
    statement_fingerprint(text, fingerprint);
    int size = snprintf(purpose, sizeof(purpose), "card enroll %s %s", json_text(entry, "card"),
                        fingerprint);
    return size > 0 && size < (int)sizeof(purpose) && strcmp(purpose, room->purpose) == 0;
}
