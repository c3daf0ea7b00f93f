/*
 * Enrolling a card: an unwrapping key that is proved by a round trip, and a signing key made on the card.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/log.h"

/* "ec:P-256", "rsa:2048" … "rsa:4096", or "" for the best the card has. */
static int parse_kind(struct cardroom *room, const char *kind, enum key_use use,
                      enum key_type *ret_type, unsigned *ret_bits, struct error *error)
{
    *ret_bits = 2048;
    if (*kind == '\0')
        return card_best_key_type(room->card, use, ret_type, error);
    if (strcmp(kind, "ec:P-256") == 0) {
        *ret_type = KEY_EC_P256;
        return 0;
    }
    static const unsigned sizes[] = {2048, 3072, 4096};
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "rsa:%u", sizes[i]);
        if (strcmp(kind, name) == 0) {
            *ret_type = KEY_RSA;
            *ret_bits = sizes[i];
            return 0;
        }
    }
    error_set(error, CODE_USAGE, "there is no kind of key '%.40s'", kind);
    return error_hint(error, "kinds of key: ec:P-256 rsa:2048 rsa:3072 rsa:4096");
}

struct label_search {
    const char *label;
    enum key_use use;
    struct card_key *found;
    bool any;
};

static int match_label(void *context, const struct card_key *key)
{
    struct label_search *search = context;
    bool fits = search->use == KEY_SIGNS ? key->can_sign : key->can_decrypt || key->can_derive;
    if (key->extractable || !fits || strcmp(key->label, search->label) != 0)
        return 0;
    *search->found = *key;
    search->any = true;
    return 1;
}

/* A key of ours from an enrolment that was cut short is taken again: cards have little room. */
static int find_or_make(struct cardroom *room, const char *kind, enum key_use use,
                        struct card_key *ret_key, struct error *error)
{
    char label[CARD_FIELD_MAX];
    const char *id = strchr(room->origin, '/');
    (void)snprintf(label, sizeof(label), "p11vault %.8s %s", id ? id + 1 : "?",
                   use == KEY_SIGNS ? "sign" : "unwrap");
    struct label_search search = {label, use, ret_key, false};
    size_t unreadable;
    if (card_each_key(room->card, match_label, &search, &unreadable, error) < 0)
        return -1;
    if (search.any)
        return 0;
    enum key_type type;
    unsigned bits;
    if (parse_kind(room, kind, use, &type, &bits, error) < 0)
        return -1;
    log_info("making a key on the card: %s", label);
    return card_make_key(room->card, type, bits, use, label, ret_key, error);
}

/* ---- the round trip ---- */

static int prove_ec(struct cardroom *room, const struct card_key *key, struct error *error)
{
    auto_of(secret_free) struct secret *ephemeral = NULL;
    auto_of(secret_free) struct secret *here = NULL;
    auto_of(secret_free) struct secret *there = NULL;
    struct ec_point point, card_point;
    memcpy(card_point.bytes, key->public.point, EC_POINT_SIZE);
    if (ec_generate(&ephemeral, &point, error) < 0 ||
        ec_agree(ephemeral, &card_point, &here, error) < 0 ||
        card_agree(room->card, key, point.bytes, &there, error) < 0)
        return -1;
    if (!secret_equals(here, secret_data(there), secret_size(there)))
        return error_set(error, CODE_CARD, "the card's ECDH gives another result than ours");
    return 0;
}

static int prove_oaep(struct cardroom *room, const struct card_key *key, const struct jwk *jwk,
                      enum oaep_hash hash, struct error *error)
{
    auto_of(secret_free) struct secret *here = NULL;
    auto_of(secret_free) struct secret *there = NULL;
    uint8_t ciphertext[RSA_MODULUS_MAX];
    size_t size, space;
    if (secret_new(CEK_SIZE, &here, error) < 0 ||
        random_bytes(secret_room(here, &space), CEK_SIZE, error) < 0)
        return -1;
    secret_grow(here, CEK_SIZE);
    if (rsa_oaep_encrypt(jwk, hash == OAEP_SHA256, here, ciphertext, &size, error) < 0 ||
        card_decrypt(room->card, key, hash, ciphertext, size, &there, error) < 0)
        return -1;
    if (!secret_equals(here, secret_data(there), secret_size(there)))
        return error_set(error, CODE_CARD, "the card decrypts to another text than was encrypted");
    return 0;
}

/* Which algorithm works: SHA-256 inside OAEP where the card can, SHA-1 only where it cannot. */
static int prove(struct cardroom *room, const struct card_key *key, const struct jwk *jwk,
                 enum appkey_alg *ret_alg, struct error *error)
{
    if (key->public.type == KEY_EC_P256) {
        *ret_alg = APPKEY_ECDH_A256KW;
        return prove_ec(room, key, error);
    }
    *ret_alg = APPKEY_RSA_OAEP_256;
    if (prove_oaep(room, key, jwk, OAEP_SHA256, error) == 0)
        return 0;
    log_info("RSA-OAEP-256 does not work on this card: %s", error->text);
    *ret_alg = APPKEY_RSA_OAEP;
    return prove_oaep(room, key, jwk, OAEP_SHA1, error);
}

/* ---- the task ---- */

static int find_unwrapping_key(struct cardroom *room, const struct message *order,
                               struct card_key *ret_key, struct error *error)
{
    struct card_uri uri;
    if (card_uri_parse(message_text(order, 1), &uri, error) < 0)
        return -1;
    if (card_uri_names_key(&uri))
        return card_find_key(room->card, &uri, ret_key, error);
    return find_or_make(room, message_text(order, 4), KEY_UNWRAPS, ret_key, error);
}

static int keep_signing_key(struct cardroom *room, const struct card_key *key, struct error *error)
{
    struct jwk jwk;
    uint8_t spki[SPKI_MAX];
    size_t size;
    if (cardroom_jwk(&key->public, &jwk, error) < 0 || jwk_to_spki(&jwk, spki, &size, error) < 0)
        return -1;
    return note_key_make(room->origin, spki, size, &room->own_sign_key, error);
}

static int tell(struct cardroom *room, const struct jwk *jwk, enum appkey_alg alg,
                struct error *error)
{
    const struct card_info *info = card_info(room->card);
    auto_json json_t *json = NULL;
    auto_free char *text = NULL;
    char vkey[NOTE_VKEY_MAX], fingerprint[NOTE_FINGERPRINT_SIZE];
    if (jwk_to_json(jwk, &json, error) < 0 || json_canonical(json, &text, error) < 0 ||
        note_key_vkey(&room->own_sign_key, vkey, error) < 0)
        return -1;
    note_key_fingerprint(&room->own_sign_key, fingerprint);
    return channel_send(room->inside.front, MESSAGE_ENROLLED, error, TEXT(info->serial),
                        TEXT(info->label), TEXT(info->model), TEXT(info->manufacturer),
                        TEXT(room->own_card_kid), TEXT(text), TEXT(appkey_alg_name(alg)),
                        TEXT(vkey), TEXT(fingerprint));
}

int cardroom_enroll(struct cardroom *room, const struct message *order, struct error *error)
{
    struct card_key unwraps, signs;
    struct jwk jwk;
    enum appkey_alg alg;
    if (cardroom_enroll_begin(room, order, error) < 0 ||
        find_unwrapping_key(room, order, &unwraps, error) < 0 ||
        cardroom_jwk(&unwraps.public, &jwk, error) < 0 ||
        prove(room, &unwraps, &jwk, &alg, error) < 0 ||
        jwk_thumbprint(&jwk, room->own_card_kid, error) < 0 ||
        find_or_make(room, "", KEY_SIGNS, &signs, error) < 0 ||
        keep_signing_key(room, &signs, error) < 0)
        return -1;
    return tell(room, &jwk, alg, error);
}
