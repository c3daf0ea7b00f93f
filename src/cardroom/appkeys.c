/*
 * App keys: making one for the cards the signed log knows, and unwrapping one for the records of a use.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/audit/entry.h"
#include "p11vault/base/log.h"
#include "p11vault/base/name.h"

/* A card whose line was taken out of the trust file, or ended there when it was removed, opens no app any more. */
static bool is_trusted(const struct cardroom *room, const json_t *entry)
{
    struct error ignored;
    struct note_key key;
    return note_key_parse(json_text(entry, "sign"), &key, &ignored) == 0 &&
           trust_has(&room->trust, &key);
}

int cardroom_recipient(struct cardroom *room, const struct message *order, struct error *error)
{
    auto_json json_t *entry = NULL;
    struct appkey_card card;
    if (room->recipient_count == APPKEY_RECIPIENTS_MAX)
        return error_set(error, CODE_CONFIG, "more than %d cards for one app",
                         APPKEY_RECIPIENTS_MAX);
    if (cardroom_signed_entry(room, order->recipient.index, &order->recipient.entry,
                              &order->recipient.proof, "card", &entry, error) < 0)
        return -1;
    if (!is_trusted(room, entry))
        return error_set(error, CODE_LOG, "card entry %llu is of a card that is not trusted",
                         (unsigned long long)order->recipient.index);
    char *kid = room->recipient_kids[room->recipient_count];
    if (appkey_card_read(entry, &card, kid, error) < 0)
        return error_set(error, CODE_LOG, "card entry %llu is not usable",
                         (unsigned long long)order->recipient.index);
    room->recipients[room->recipient_count++] = card;
    return 0;
}

int cardroom_public_jwk(const struct ec_point *point, char ret_kid[THUMBPRINT_SIZE],
                        char **ret_text, struct error *error)
{
    struct jwk jwk = {.type = JWK_P256, .point = *point};
    auto_json json_t *json = NULL;
    if (jwk_thumbprint(&jwk, ret_kid, error) < 0 || jwk_to_json(&jwk, &json, error) < 0)
        return -1;
    return json_canonical(json, ret_text, error);
}

/* The exchange room seals to the app key that this room names. */
int cardroom_name_app_key(struct cardroom *room, struct error *error)
{
    auto_free char *jwk = NULL;
    char kid[THUMBPRINT_SIZE];
    if (!room->inside.keys)
        return 0;
    const struct ec_point *point = room->app_rekeyed ? &room->next_public : &room->app_public;
    if (cardroom_public_jwk(point, kid, &jwk, error) < 0)
        return -1;
    return channel_send(room->inside.keys, appkey, error, .jwk = jwk);
}

int cardroom_kids_text(const struct cardroom *room, char **ret_text, struct error *error)
{
    auto_json json_t *kids = json_array();
    for (size_t i = 0; i < room->recipient_count; i++)
        if (json_array_append_new(kids, json_string(room->recipient_kids[i])) < 0)
            return error_memory(error);
    return json_canonical(kids, ret_text, error);
}

int cardroom_make(struct cardroom *room, const struct message *order, struct error *error)
{
    auto_of(secret_free) struct secret *private = NULL;
    auto_free char *jwk = NULL;
    auto_free char *kids = NULL;
    if (room->app_made || room->app_record || room->enrolling)
        return error_set(error, CODE_FAULT, "this use is about an app already");
    if (name_check_app(order->make.app, error) < 0)
        return -1;
    if (room->recipient_count == 0)
        return error_set(error, CODE_CONFIG, "an app key without a card to open it");
    (void)snprintf(room->app, sizeof(room->app), "%s", order->make.app);
    if (ec_generate(&private, &room->app_public, error) < 0 ||
        cardroom_public_jwk(&room->app_public, room->app_kid, &jwk, error) < 0 ||
        appkey_seal(private, room->recipients, room->recipient_count, &room->app_record, error) <
            0 ||
        cardroom_kids_text(room, &kids, error) < 0 || cardroom_name_app_key(room, error) < 0)
        return -1;
    room->app_made = true;
    return channel_send(room->inside.front, made, error, .record = room->app_record, .jwk = jwk,
                        .kid = room->app_kid, .cards = kids);
}

int cardroom_app(struct cardroom *room, const struct message *order, struct error *error)
{
    auto_json json_t *entry = NULL;
    if (room->app_made || room->app_record || room->enrolling)
        return error_set(error, CODE_FAULT, "this use is about an app already");
    if (cardroom_signed_entry(room, order->app.index, &order->app.entry, &order->app.proof,
                              "app-key", &entry, error) < 0)
        return error_prefix(error, "app key");
    const char *record = order->app.record;
    char hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(record, strlen(record));
    digest_hex(&digest, hex);
    if (strcmp(json_text(entry, "app"), order->app.app) != 0 ||
        strcmp(json_text(entry, "digest"), hex) != 0)
        return error_set(error, CODE_LOG,
                         "app '%.64s': its app key record is not the one in the log",
                         order->app.app);
    (void)snprintf(room->app, sizeof(room->app), "%s", json_text(entry, "app"));
    (void)snprintf(room->app_kid, sizeof(room->app_kid), "%s", json_text(entry, "kid"));
    room->app_record = strdup(record);
    return room->app_record ? 0 : error_memory(error);
}

/* Before the entries, so that an intent can be matched as it is read. */
int cardroom_unlock(struct cardroom *room, const struct message *order, struct error *error)
{
    const char *jwe = order->unlock.jwe;
    struct jwe_header header;
    if (order->unlock.n != room->record_count || room->record_count >= room->count ||
        strlen(order->unlock.name) >= sizeof(room->records[0].name))
        return error_set(error, CODE_FAULT, "record %llu is not one of the %llu of this use",
                         (unsigned long long)order->unlock.n, (unsigned long long)room->count);
    if (jwe_read_header(jwe, &header, error) < 0)
        return -1;
    struct locked_record *record = &room->records[room->record_count++];
    struct digest digest = digest_of(jwe, strlen(jwe));
    (void)snprintf(record->name, sizeof(record->name), "%s", order->unlock.name);
    record->version = (int64_t)order->unlock.version;
    digest_hex(&digest, record->digest);
    record->epk = header.epk;
    memcpy(record->kid, header.kid, sizeof(record->kid));
    return 0;
}

/* ---- unwrapping ---- */

static int unwrap_content_key(struct cardroom *room, const struct appkey_recipient *recipient,
                              const struct card_key *key, struct secret **ret_content_key,
                              struct error *error)
{
    if (recipient->alg == APPKEY_ECDH_A256KW) {
        auto_of(secret_free) struct secret *shared = NULL;
        bool is_p384 = key->public.type == KEY_EC_P384;
        if (is_p384 != (recipient->epk_type == JWK_P384))
            return error_set(error, CODE_LOG, "the recipient's key is of another curve");
        const uint8_t *epk = is_p384 ? recipient->epk384.bytes : recipient->epk.bytes;
        if (card_agree(room->card, key, epk, &shared, error) < 0)
            return -1;
        return appkey_unwrap_ecdh(recipient, shared, ret_content_key, error);
    }
    auto_of(secret_free) struct secret *unwrapped = NULL;
    enum oaep_hash hash = recipient->alg == APPKEY_RSA_OAEP_256 ? OAEP_SHA256 : OAEP_SHA1;
    if (card_decrypt(room->card, key, hash, recipient->encrypted_key, recipient->encrypted_key_size,
                     &unwrapped, error) < 0)
        return -1;
    if (secret_size(unwrapped) != CEK_SIZE)
        return error_set(error, CODE_CARD, "the card unwraps to %zu bytes where a key has %d",
                         secret_size(unwrapped), CEK_SIZE);
    *ret_content_key = TAKE(unwrapped);
    return 0;
}

/* The recipient whose key is on this card. */
static int find_recipient(struct cardroom *room, const struct appkey_record *record,
                          const struct appkey_recipient **ret_recipient, struct card_key *ret_key,
                          struct error *error)
{
    for (size_t i = 0; i < record->count; i++)
        if (cardroom_find_by_kid(room, record->recipients[i].kid, ret_key, error) == 0) {
            *ret_recipient = &record->recipients[i];
            return 0;
        } else if (error->code != CODE_NO_CARD) {
            return -1;
        }
    error_set(error, CODE_NO_CARD, "card '%s %s' holds no key that opens app '%s'", room->label,
              room->serial, room->app);
    return error_hint(error, "p11vault app show %s lists its cards", room->app);
}

int cardroom_unwrap(struct cardroom *room, struct error *error)
{
    auto_free struct appkey_record *record = calloc(1, sizeof(*record));
    auto_of(secret_free) struct secret *content_key = NULL;
    const struct appkey_recipient *recipient;
    struct card_key key;
    char kid[THUMBPRINT_SIZE];
    auto_free char *jwk = NULL;
    if (!record)
        return error_memory(error);
    if (appkey_read(room->app_record, record, error) < 0 ||
        find_recipient(room, record, &recipient, &key, error) < 0 ||
        unwrap_content_key(room, recipient, &key, &content_key, error) < 0 ||
        appkey_open(room->app_record, content_key, &room->app_private, &room->app_public, error) <
            0 ||
        cardroom_public_jwk(&room->app_public, kid, &jwk, error) < 0) {
        /* The record is the one in the log: it was sealed wrongly, or the card has computed wrongly. */
        if (error->code == CODE_LOG && !*error->hint)
            error_hint(error, "run it again: the card may have failed; then p11vault audit verify");
        return error_prefix(error, "unwrap the key of app '%s'", room->app);
    }
    /* AES-GCM does not commit to its key: only the thumbprint in the signed log says that this is the app's key. */
    if (strcmp(kid, room->app_kid) != 0) {
        secret_free(TAKE(room->app_private));
        return error_set(error, CODE_LOG,
                         "app '%s': its record opens to another key than the log's", room->app);
    }
    return cardroom_name_app_key(room, error);
}
