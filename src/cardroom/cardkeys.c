/*
 * The card's keys by what they are: found by their public half, used to sign the checkpoint.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/log.h"

int cardroom_jwk(const struct public_key *key, struct jwk *ret_jwk, struct error *error)
{
    struct jwk jwk = {0};
    if (key->type == KEY_EC_P256) {
        jwk.type = JWK_P256;
        memcpy(jwk.point.bytes, key->point, EC_POINT_SIZE);
    } else if (key->type == KEY_EC_P384) {
        jwk.type = JWK_P384;
        memcpy(jwk.point384.bytes, key->point, P384_POINT_SIZE);
    } else {
        jwk.type = JWK_RSA;
        if (key->modulus_size > sizeof(jwk.modulus) || key->exponent_size > sizeof(jwk.exponent))
            return error_set(error, CODE_CARD, "RSA key is too long");
        memcpy(jwk.modulus, key->modulus, key->modulus_size);
        jwk.modulus_size = key->modulus_size;
        memcpy(jwk.exponent, key->exponent, key->exponent_size);
        jwk.exponent_size = key->exponent_size;
    }
    *ret_jwk = jwk;
    return 0;
}

/* ---- the unwrapping key ---- */

struct kid_search {
    const char *kid;
    struct card_key *found;
    bool any;
};

static int match_kid(void *context, const struct card_key *key)
{
    struct kid_search *search = context;
    struct error ignored;
    struct jwk jwk;
    char kid[THUMBPRINT_SIZE];
    if (cardroom_jwk(&key->public, &jwk, &ignored) < 0 || jwk_thumbprint(&jwk, kid, &ignored) < 0 ||
        strcmp(kid, search->kid) != 0)
        return 0;
    *search->found = *key;
    search->any = true;
    return 1;
}

int cardroom_find_by_kid(struct cardroom *room, const char *kid, struct card_key *ret_key,
                         struct error *error)
{
    struct kid_search search = {kid, ret_key, false};
    size_t unreadable;
    if (card_each_key(room->card, match_kid, &search, &unreadable, error) < 0)
        return -1;
    if (!search.any)
        return error_set(error, CODE_NO_CARD, "the key that opens this app is not on the card");
    return 0;
}

/* ---- the signing key ---- */

struct sign_search {
    struct cardroom *room;
    struct card_key *found;
    const struct note_key *key;
};

static bool same_key(const struct note_key *key, const uint8_t *spki, size_t size)
{
    return key->spki_size == size && memcmp(key->spki, spki, size) == 0;
}

/* A key that signs for this vault: made in this session, or in the trust file and of no card that was removed. */
static int match_sign(void *context, const struct card_key *key)
{
    struct sign_search *search = context;
    struct cardroom *room = search->room;
    struct error ignored;
    struct jwk jwk;
    uint8_t spki[SPKI_MAX];
    size_t size;
    if (!key->can_sign || cardroom_jwk(&key->public, &jwk, &ignored) < 0 ||
        jwk_to_spki(&jwk, spki, &size, &ignored) < 0)
        return 0;
    if (room->enrolling) {
        if (same_key(&room->own_sign_key, spki, size))
            search->key = &room->own_sign_key;
    } else {
        /* A line that is behind another of the same key was enrolled later, and says how it signs now. */
        for (size_t i = 0; i < room->trust.count; i++)
            if (room->trust.until[i] == 0 && same_key(&room->trust.keys[i], spki, size))
                search->key = &room->trust.keys[i];
    }
    if (!search->key)
        return 0;
    *search->found = *key;
    return 1;
}

static int find_signing_key(struct cardroom *room, struct card_key *ret_key,
                            const struct note_key **ret_note_key, struct error *error)
{
    struct sign_search search = {room, ret_key, NULL};
    size_t unreadable;
    if (card_each_key(room->card, match_sign, &search, &unreadable, error) < 0)
        return -1;
    if (!search.key) {
        error_set(error, CODE_CONFIG,
                  "card '%s %s' has no signing key that the trust file knows for this vault",
                  room->label, room->serial);
        return error_hint(error, "p11vault card enroll 'pkcs11:serial=%s'", room->serial);
    }
    *ret_note_key = search.key;
    return 0;
}

/* What the module signed must verify here before anybody relies on it. */
static int check_note(const char *note, const struct note_key *key, struct error *error)
{
    size_t text_size;
    if (note_verify(note, strlen(note), key, 1, &text_size, NULL, error) < 0) {
        error->code = CODE_CARD;
        return error_prefix(error, "the card's signature does not verify");
    }
    return 0;
}

enum key_padding cardroom_padding(const struct note_key *key)
{
    return key->type == NOTE_RSA_PSS ? KEY_PSS : KEY_PKCS1;
}

int cardroom_sign(struct cardroom *room, char **ret_note, uint64_t *ret_size, struct error *error)
{
    struct checkpoint checkpoint = {.size = room->frontier.size,
                                    .root = merkle_root(&room->frontier)};
    struct card_key key;
    const struct note_key *note_key;
    char text[CHECKPOINT_TEXT_MAX];
    uint8_t signature[NOTE_SIGNATURE_MAX];
    size_t signature_size;
    auto_free char *note = NULL;
    (void)snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s", room->origin);
    if (checkpoint_text(&checkpoint, text, error) < 0 ||
        find_signing_key(room, &key, &note_key, error) < 0 ||
        card_sign(room->card, &key, cardroom_padding(note_key), text, strlen(text), signature,
                  &signature_size, error) < 0 ||
        note_compose(text, note_key, signature, signature_size, &note, error) < 0 ||
        check_note(note, note_key, error) < 0)
        return error_prefix(error, "sign the log");
    log_info("signed checkpoint %llu", (unsigned long long)checkpoint.size);
    *ret_note = TAKE(note);
    *ret_size = checkpoint.size;
    return 0;
}
