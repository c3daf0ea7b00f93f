/*
 * Enrolling a card: an unwrapping key that is proved by a round trip, and a signing key.  Either is
 * one that a URI names, or is made on the card.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/log.h"

#define ANOTHER_KIND_HINT                                                                          \
    "enrol a key of another kind, if the card has EC: p11vault card enroll --key ec:P-256"

/* A kind of key as --key names it; with "" the card's best is made, and any that is there is taken. */
struct kind {
    const char *name;
    enum key_type type;
    unsigned bits; /* RSA */
};

static const struct kind kinds[] = {
    {"", KEY_EC_P256, 0},        {"ec:P-256", KEY_EC_P256, 0}, {"ec:P-384", KEY_EC_P384, 0},
    {"rsa:2048", KEY_RSA, 2048}, {"rsa:3072", KEY_RSA, 3072},  {"rsa:4096", KEY_RSA, 4096},
};

static int find_kind(const char *name, const struct kind **ret_kind, struct error *error)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *ret_kind = &kinds[i];
            return 0;
        }
    error_set(error, CODE_USAGE, "there is no kind of key '%.40s'", name);
    return error_hint(error, "kinds of key: ec:P-256 ec:P-384 rsa:2048 rsa:3072 rsa:4096");
}

static bool is_of_kind(const struct public_key *key, const struct kind *kind)
{
    return *kind->name == '\0' || (key->type == kind->type &&
                                   (key->type != KEY_RSA || key->modulus_size * 8 == kind->bits));
}

struct label_search {
    const char *label;
    enum key_use use;
    const struct kind *kind;
    struct card_key *found;
    bool any;
};

static int match_label(void *context, const struct card_key *key)
{
    struct label_search *search = context;
    bool fits = search->use == KEY_SIGNS ? key->can_sign
                                         : key->can_decrypt || key->can_unwrap || key->can_derive;
    if (key->extractable || !fits || strcmp(key->label, search->label) != 0 ||
        !is_of_kind(&key->public, search->kind))
        return 0;
    *search->found = *key;
    search->any = true;
    return 1;
}

/* A key of ours from an enrolment that was cut short is taken again: cards have little room. */
static int find_or_make(struct cardroom *room, const struct kind *kind, enum key_use use,
                        struct card_key *ret_key, struct error *error)
{
    char label[CARD_FIELD_MAX];
    const char *id = strchr(room->origin, '/');
    (void)snprintf(label, sizeof(label), "p11vault %.8s %s", id ? id + 1 : "?",
                   use == KEY_SIGNS ? "sign" : "unwrap");
    struct label_search search = {label, use, kind, ret_key, false};
    size_t unreadable;
    if (card_each_key(room->card, match_label, &search, &unreadable, error) < 0)
        return -1;
    if (search.any)
        return 0;
    enum key_type type = kind->type;
    if (*kind->name == '\0' && card_best_key_type(room->card, use, &type, error) < 0)
        return -1;
    log_info("making a key on the card: %s", label);
    return card_make_key(room->card, type, kind->bits ? kind->bits : KEY_RSA_BITS_MIN, use, label,
                         ret_key, error);
}

/* ---- the round trip ---- */

/* Both sides of an agreement with a key on the card. */
static int agree(struct cardroom *room, const struct card_key *key, const struct jwk *jwk,
                 struct secret **ret_here, struct secret **ret_there, struct error *error)
{
    auto_of(secret_free) struct secret *ephemeral = NULL;
    struct p384_point point384;
    struct ec_point point;
    if (jwk->type == JWK_P384)
        return p384_agree(&jwk->point384, &point384, ret_here, error) < 0
                   ? -1
                   : card_agree(room->card, key, point384.bytes, ret_there, error);
    if (ec_generate(&ephemeral, &point, error) < 0 ||
        ec_agree(ephemeral, &jwk->point, ret_here, error) < 0)
        return -1;
    return card_agree(room->card, key, point.bytes, ret_there, error);
}

static int prove_ec(struct cardroom *room, const struct card_key *key, const struct jwk *jwk,
                    struct error *error)
{
    auto_of(secret_free) struct secret *here = NULL;
    auto_of(secret_free) struct secret *there = NULL;
    if (agree(room, key, jwk, &here, &there, error) < 0)
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

/*
 * Which algorithm works: SHA-256 inside OAEP where the card can, SHA-1 only where it cannot.  A card that takes the order
 * and refuses the work has lost its session, and cannot be asked for the other any more.
 */
static int prove(struct cardroom *room, const struct card_key *key, const struct jwk *jwk,
                 enum appkey_alg *ret_alg, struct error *error)
{
    if (key->public.type != KEY_RSA) {
        *ret_alg = APPKEY_ECDH_A256KW;
        return prove_ec(room, key, jwk, error);
    }
    *ret_alg = APPKEY_RSA_OAEP_256;
    if (prove_oaep(room, key, jwk, OAEP_SHA256, error) == 0)
        return 0;
    if (!card_is_usable(room->card))
        return *error->hint ? -1 : error_hint(error, ANOTHER_KIND_HINT);
    log_info("RSA-OAEP-256 does not work on this card: %s", error->text);
    *ret_alg = APPKEY_RSA_OAEP;
    return prove_oaep(room, key, jwk, OAEP_SHA1, error);
}

/* ---- the task ---- */

static int find_unwrapping_key(struct cardroom *room, const struct card_uri *uri,
                               const struct kind *kind, struct card_key *ret_key,
                               struct error *error)
{
    if (card_uri_names_key(uri))
        return card_find_key(room->card, uri, KEY_UNWRAPS, ret_key, error);
    if (find_or_make(room, kind, KEY_UNWRAPS, ret_key, error) == 0)
        return 0;
    return *kind->name ? -1 : card_offer_keys(room->card, KEY_UNWRAPS, NULL, error);
}

/* A card on which only its administrator makes keys, as with PIV, has one that is to be named. */
static int find_signing_key(struct cardroom *room, const struct wanted_keys *wanted,
                            const struct kind *kind, const struct card_key *unwraps,
                            struct card_key *ret_key, struct error *error)
{
    if (!wanted->is_sign_named)
        return find_or_make(room, kind, KEY_SIGNS, ret_key, error) == 0
                   ? 0
                   : card_offer_keys(room->card, KEY_SIGNS, unwraps, error);
    if (!card_is_named(room->card, &wanted->signs))
        return error_set(error, CODE_USAGE, "--sign names a key that is not on card '%s %s'",
                         room->label, room->serial);
    if (card_find_key(room->card, &wanted->signs, KEY_SIGNS, ret_key, error) < 0) {
        card_offer_keys(room->card, KEY_SIGNS, unwraps, error);
        return error_prefix(error, "--sign");
    }
    if (ret_key->handle != unwraps->handle)
        return 0;
    error_set(error, CODE_USAGE, "--sign names the key that unwraps; another one has to sign");
    return card_offer_keys(room->card, KEY_SIGNS, unwraps, error);
}

static int keep_signing_key(struct cardroom *room, const struct card_key *key, struct error *error)
{
    struct jwk jwk;
    uint8_t spki[SPKI_MAX];
    size_t size;
    enum key_padding padding;
    if (cardroom_jwk(&key->public, &jwk, error) < 0 || jwk_to_spki(&jwk, spki, &size, error) < 0 ||
        card_find_padding(room->card, key, &padding, error) < 0 ||
        note_key_make(room->origin, spki, size, &room->own_sign_key, error) < 0)
        return -1;
    if (padding == KEY_PKCS1)
        return 0;
    log_info("the signing key does PSS and not PKCS#1 v1.5");
    return note_key_use_pss(&room->own_sign_key, error);
}

static int tell(struct cardroom *room, const struct jwk *jwk, enum appkey_alg alg,
                const char *anchor, struct error *error)
{
    const struct card_info *info = card_info(room->card);
    auto_json json_t *json = NULL;
    auto_free char *text = NULL;
    char vkey[NOTE_VKEY_MAX], fingerprint[NOTE_FINGERPRINT_SIZE];
    if (jwk_to_json(jwk, &json, error) < 0 || json_canonical(json, &text, error) < 0 ||
        note_key_vkey(&room->own_sign_key, vkey, error) < 0)
        return -1;
    note_key_fingerprint(&room->own_sign_key, fingerprint);
    return channel_send(room->inside.front, enrolled, error, .serial = info->serial,
                        .label = info->label, .model = info->model,
                        .manufacturer = info->manufacturer, .kid = room->own_card_kid, .jwk = text,
                        .alg = appkey_alg_name(alg), .vkey = vkey, .fingerprint = fingerprint,
                        .anchor = anchor);
}

int cardroom_wanted_keys(const char *uri, const char *kind, const char *sign,
                         struct wanted_keys *ret_wanted, struct error *error)
{
    const struct kind *ignored;
    (void)snprintf(ret_wanted->kind, sizeof(ret_wanted->kind), "%s", kind);
    ret_wanted->is_sign_named = *sign != '\0';
    if (find_kind(kind, &ignored, error) < 0 ||
        card_uri_parse(uri, &ret_wanted->unwraps, error) < 0)
        return -1;
    return *sign ? card_uri_parse(sign, &ret_wanted->signs, error) : 0;
}

int cardroom_take_keys(struct cardroom *room, const struct wanted_keys *wanted,
                       struct own_keys *ret_keys, struct error *error)
{
    const struct kind *kind;
    struct own_keys keys;
    if (find_kind(wanted->kind, &kind, error) < 0 ||
        find_unwrapping_key(room, &wanted->unwraps, kind, &keys.unwraps, error) < 0 ||
        cardroom_jwk(&keys.unwraps.public, &keys.jwk, error) < 0 ||
        prove(room, &keys.unwraps, &keys.jwk, &keys.alg, error) < 0 ||
        jwk_thumbprint(&keys.jwk, room->own_card_kid, error) < 0 ||
        find_signing_key(room, wanted, kind->type == KEY_EC_P384 ? kind : &kinds[0], &keys.unwraps,
                         &keys.signs, error) < 0 ||
        keep_signing_key(room, &keys.signs, error) < 0)
        return -1;
    *ret_keys = keys;
    return 0;
}

int cardroom_enroll(struct cardroom *room, const struct message *order, struct error *error)
{
    struct wanted_keys wanted;
    struct own_keys keys;
    char anchor[CHECKPOINT_TEXT_MAX];
    const struct message_enroll *said = &order->enroll;
    const struct newcomer card = {said->module, said->pin_source, said->purpose,
                                  said->origin, said->trust,      &wanted.unwraps};
    if (cardroom_wanted_keys(said->uri, said->kind, said->sign, &wanted, error) < 0 ||
        cardroom_enroll_begin(room, &card, error) < 0 ||
        cardroom_anchor_read(room, anchor, error) < 0 ||
        cardroom_take_keys(room, &wanted, &keys, error) < 0)
        return -1;
    return tell(room, &keys.jwk, keys.alg, anchor, error);
}
