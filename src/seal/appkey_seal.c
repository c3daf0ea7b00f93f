/*
 * appkey_seal.c: writes an app key record.  One fresh content key encrypts the private JWK once
 * and is itself encrypted to every card.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"
#include "p11vault/seal/appkey.h"

#define PROTECTED "{\"cty\":\"jwk+json\",\"enc\":\"A256GCM\"}"

static const char *const names[] = {
    [APPKEY_ECDH_A256KW] = "ECDH-ES+A256KW",
    [APPKEY_RSA_OAEP_256] = "RSA-OAEP-256",
    [APPKEY_RSA_OAEP] = "RSA-OAEP",
};

const char *appkey_alg_name(enum appkey_alg alg)
{
    return names[alg];
}

int appkey_alg_from(const char *name, enum appkey_alg *ret_alg)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_alg = (enum appkey_alg)i;
            return 0;
        }
    }
    return -1;
}

int appkey_card_read(const json_t *said, struct appkey_card *ret_card,
                     char ret_kid[THUMBPRINT_SIZE], struct error *error)
{
    struct appkey_card card;
    char thumbprint[THUMBPRINT_SIZE];
    const char *alg = json_text(said, "alg");
    const char *kid = json_text(said, "kid");
    if (!alg || !kid || appkey_alg_from(alg, &card.alg) < 0)
        return error_set(error, CODE_STOP, "a card's key without its kid and algorithm");
    if (jwk_from_json(json_object_get(said, "jwk"), &card.key, error) < 0 ||
        jwk_thumbprint(&card.key, thumbprint, error) < 0)
        return -1;
    if (strcmp(thumbprint, kid) != 0)
        return error_set(error, CODE_STOP, "a card's key whose kid is another's");
    if ((card.key.type == JWK_RSA) == (card.alg == APPKEY_ECDH_A256KW))
        return error_set(error, CODE_STOP, "a card's key that cannot do its algorithm");
    *ret_card = card;
    if (ret_kid)
        memcpy(ret_kid, thumbprint, sizeof(thumbprint));
    return 0;
}

static int put_base64(json_t *object, const char *name, const void *bytes, size_t size,
                      struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(APPKEY_MAX);
    if (base64url_put(&text, bytes, size, error) < 0)
        return -1;
    return json_object_set_new(object, name, json_string(buffer_text(&text))) < 0
               ? error_memory(error)
               : 0;
}

/* ECDH-ES+A256KW: an ephemeral key for this card alone, which the header names. */
static int agree(const struct jwk *card, struct jwk *ret_epk, struct secret **ret_shared,
                 struct error *error)
{
    auto_of(secret_free) struct secret *ephemeral = NULL;
    *ret_epk = (struct jwk){.type = card->type};
    if (card->type == JWK_P384)
        return p384_agree(&card->point384, &ret_epk->point384, ret_shared, error);
    if (ec_generate(&ephemeral, &ret_epk->point, error) < 0)
        return -1;
    return ec_agree(ephemeral, &card->point, ret_shared, error);
}

static int wrap_ecdh(const struct jwk *card, const struct secret *content_key, json_t *header,
                     uint8_t ret_encrypted[KEYWRAP_SIZE], struct error *error)
{
    struct jwk epk;
    auto_of(secret_free) struct secret *shared = NULL;
    auto_of(secret_free) struct secret *wrapping_key = NULL;
    if (agree(card, &epk, &shared, error) < 0 ||
        ec_concat_kdf(shared, names[APPKEY_ECDH_A256KW], &wrapping_key, error) < 0 ||
        keywrap_wrap(wrapping_key, content_key, ret_encrypted, error) < 0)
        return -1;
    json_t *json = NULL;
    if (jwk_to_json(&epk, &json, error) < 0)
        return -1;
    return json_object_set_new(header, "epk", json) < 0 ? error_memory(error) : 0;
}

static int check_card(const struct appkey_card *card, struct error *error)
{
    if ((unsigned)card->alg >= sizeof(names) / sizeof(names[0]))
        return error_set(error, CODE_FAULT, "a card without an algorithm");
    if ((card->alg == APPKEY_ECDH_A256KW) == (card->key.type == JWK_RSA))
        return error_set(error, CODE_STOP, "%s does not fit the card's key", names[card->alg]);
    return 0;
}

/* One recipient: {"encrypted_key", "header": {"alg", "epk", "kid"}}. */
static int add_recipient(json_t *recipients, const struct appkey_card *card,
                         const struct secret *content_key, struct error *error)
{
    char kid[THUMBPRINT_SIZE];
    if (check_card(card, error) < 0 || jwk_thumbprint(&card->key, kid, error) < 0)
        return -1;
    json_t *header = json_pack("{s:s, s:s}", "alg", names[card->alg], "kid", kid);
    auto_json json_t *recipient = json_pack("{s:o}", "header", header);
    if (recipient == NULL)
        return error_memory(error);
    uint8_t encrypted[RSA_MODULUS_MAX];
    size_t size = KEYWRAP_SIZE;
    if (card->alg == APPKEY_ECDH_A256KW) {
        if (wrap_ecdh(&card->key, content_key, header, encrypted, error) < 0)
            return -1;
    } else if (rsa_oaep_encrypt(&card->key, card->alg == APPKEY_RSA_OAEP_256, content_key,
                                encrypted, &size, error) < 0) {
        return -1;
    }
    if (put_base64(recipient, "encrypted_key", encrypted, size, error) < 0)
        return -1;
    return json_array_append_new(recipients, TAKE(recipient)) < 0 ? error_memory(error) : 0;
}

static int check_distinct(const struct appkey_card *cards, size_t count, struct error *error)
{
    if (count == 0 || count > APPKEY_RECIPIENTS_MAX)
        return error_set(error, CODE_STOP, "%zu cards where 1 to %d are allowed", count,
                         APPKEY_RECIPIENTS_MAX);
    char kids[APPKEY_RECIPIENTS_MAX][THUMBPRINT_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (jwk_thumbprint(&cards[i].key, kids[i], error) < 0)
            return -1;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(kids[i], kids[j]) == 0)
                return error_set(error, CODE_STOP, "the same card twice");
        }
    }
    return 0;
}

/* The private JWK under the content key: members protected, iv, ciphertext, tag. */
static int put_content(json_t *record, const struct secret *app_private,
                       const struct secret *content_key, struct error *error)
{
    auto_of(secret_free) struct secret *payload = NULL;
    auto_content struct content content = {0};
    if (put_base64(record, "protected", PROTECTED, strlen(PROTECTED), error) < 0 ||
        jwk_private_write(app_private, &payload, error) < 0)
        return -1;
    const json_t *protected = json_object_get(record, "protected");
    struct piece aad = {json_string_value(protected), json_string_length(protected)};
    if (content_seal(content_key, aad, payload, &content, error) < 0 ||
        put_base64(record, "iv", content.iv, CONTENT_IV_SIZE, error) < 0 ||
        put_base64(record, "tag", content.tag, CONTENT_TAG_SIZE, error) < 0)
        return -1;
    return put_base64(record, "ciphertext", content.ciphertext, content.size, error);
}

static int make_content_key(struct secret **ret_content_key, struct error *error)
{
    auto_of(secret_free) struct secret *key = NULL;
    size_t room;
    if (secret_new(CEK_SIZE, &key, error) < 0 ||
        random_bytes(secret_room(key, &room), CEK_SIZE, error) < 0)
        return -1;
    secret_grow(key, CEK_SIZE);
    *ret_content_key = TAKE(key);
    return 0;
}

int appkey_seal(const struct secret *app_private, const struct appkey_card *cards, size_t count,
                char **ret_record, struct error *error)
{
    auto_of(secret_free) struct secret *content_key = NULL;
    auto_json json_t *record = json_pack("{s:[]}", "recipients");
    if (record == NULL)
        return error_memory(error);
    if (check_distinct(cards, count, error) < 0 || make_content_key(&content_key, error) < 0 ||
        put_content(record, app_private, content_key, error) < 0)
        return error_prefix(error, "seal an app key");
    for (size_t i = 0; i < count; i++) {
        if (add_recipient(json_object_get(record, "recipients"), &cards[i], content_key, error) < 0)
            return error_prefix(error, "seal an app key to card %zu", i + 1);
    }
    return json_canonical(record, ret_record, error);
}
