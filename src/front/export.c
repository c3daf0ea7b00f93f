/*
 * `card export` and `card enroll --from`: a card that is enrolled where it is not, on its own signed word and another card's signature.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/audit/statement.h"
#include "p11vault/pkcs11/uri.h"
#include "p11vault/seal/appkey.h"
#include "session.h"

#define EXPORT_MAX ((size_t)16 * 1024)
#define EXPORT_VERSION 1
#define VERB "card enroll"

/* ---- export ---- */

/* A card may take minutes to make an RSA key. */
static int ask(struct session *session, const struct front_keys *keys, struct message *ret_message,
               struct error *error)
{
    struct front *front = session->front;
    const struct config_module *module = front->module;
    char pin_source[PIN_SOURCE_MAX];
    struct deadline deadline = deadline_in(PIN_MS + (int64_t)module->deadline_s * 1000);
    if (session_pin_source(front, pin_source, error) < 0 ||
        session_start_room(module, -1, &session->card, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), export, error, .module = module->path,
                            .uri = keys->uri, .pin_source = pin_source, .purpose = "card export",
                            .kind = keys->kind, .sign = keys->sign);
    if (session_tell(session->card, sent, error) < 0)
        return -1;
    return session_await_login(session, pin_source, MESSAGE_EXPORTED, deadline, ret_message, error);
}

static int write_text(const struct message *exported, char **ret_text, struct error *error)
{
    const char *members = exported->exported.statement;
    auto_json json_t *card = NULL;
    if (json_parse(members, strlen(members), "what the card says", &card, error) < 0)
        return -1;
    if (json_object_set_new(card, "v", json_integer(EXPORT_VERSION)) < 0 ||
        json_object_set_new(card, "signature", json_string(exported->exported.signature)) < 0 ||
        json_object_set_new(card, "fingerprint", json_string(exported->exported.fingerprint)) < 0)
        return error_memory(error);
    return json_canonical(card, ret_text, error);
}

int front_export_card(struct front *front, const struct front_keys *keys, char **ret_text,
                      char ret_fingerprint[NOTE_FINGERPRINT_SIZE], struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    struct message message;
    session.front = front;
    if (session_check_keys(keys, error) < 0 || ask(&session, keys, &message, error) < 0 ||
        write_text(&message, ret_text, error) < 0)
        return -1;
    (void)snprintf(ret_fingerprint, NOTE_FINGERPRINT_SIZE, "%s", message.exported.fingerprint);
    return 0;
}

/* ---- reading one ---- */

void front_export_clear(struct front_export *export)
{
    json_decref(export->card);
}

static int check(json_t *file, char ret_fingerprint[NOTE_FINGERPRINT_SIZE], struct error *error)
{
    static const char *const members[] = {
        "alg",          "card",  "fingerprint", "jwk",       "kid", "label",
        "manufacturer", "model", "sign",        "signature", "v",   NULL};
    struct appkey_card card;
    auto_free char *text = NULL;
    const char *signature = json_text(file, "signature");
    const char *fingerprint = json_text(file, "fingerprint");
    if (!json_only(file, members) || json_number(file, "v", 0) != EXPORT_VERSION || !signature ||
        !fingerprint)
        return error_set(error, CODE_STOP, "it is no card export of version %d", EXPORT_VERSION);
    if (appkey_card_read(file, &card, NULL, error) < 0 ||
        statement_check(file, signature, error) < 0 || statement_text(file, &text, error) < 0)
        return -1;
    statement_fingerprint(text, ret_fingerprint);
    if (strcmp(fingerprint, ret_fingerprint) != 0)
        return error_set(error, CODE_STOP, "its fingerprint is not that of what it says");
    return 0;
}

int front_read_export(const char *path, struct front_export *ret_export, struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(EXPORT_MAX);
    auto_json json_t *file = NULL;
    char fingerprint[NOTE_FINGERPRINT_SIZE];
    if (buffer_read_file(path, EXPORT_MAX, FILE_PLAIN, &text, error) < 0)
        return -1;
    if (json_parse(buffer_text(&text), text.size, "card export", &file, error) < 0 ||
        check(file, fingerprint, error) < 0)
        return error_prefix(error, "'%s'", path);
    (void)json_object_set(file, "proof", json_object_get(file, "signature"));
    (void)json_object_del(file, "signature");
    (void)json_object_del(file, "fingerprint");
    (void)json_object_del(file, "v");
    ret_export->card = TAKE(file);
    memcpy(ret_export->fingerprint, fingerprint, sizeof(fingerprint));
    return 0;
}

/* ---- enrolling it ---- */

static int check_new(const struct vault_cards *cards, const json_t *card, struct error *error)
{
    for (size_t i = 0; i < cards->count; i++)
        if (strcmp(json_text(cards->cards[i].entry, "kid"), json_text(card, "kid")) == 0)
            return error_set(error, CODE_USAGE, "card '%s' is enrolled already",
                             json_text(card, "card"));
    return 0;
}

/* Its signing key, under this vault's name. */
static int name_key(const struct vault *vault, const json_t *card, char ret_vkey[NOTE_VKEY_MAX],
                    struct error *error)
{
    struct note_key said, key;
    if (note_key_parse(json_text(card, "sign"), &said, error) < 0 ||
        note_key_rename(&said, vault->origin, &key, error) < 0)
        return -1;
    return note_key_vkey(&key, ret_vkey, error);
}

static int write_card(struct session *session, const json_t *card, const char *vkey,
                      struct error *error)
{
    struct vault *vault = session->front->vault;
    auto_json json_t *members = json_copy((json_t *)(uintptr_t)card);
    auto_change struct store *change = vault->store;
    struct store_card row = {.serial = (char *)(uintptr_t)json_text(card, "card"),
                             .label = (char *)(uintptr_t)json_text(card, "label"),
                             .kid = (char *)(uintptr_t)json_text(card, "kid")};
    if (json_object_set_new(members, "sign", json_string(vkey)) < 0 ||
        json_object_set_new(members, "use", json_string(session->use)) < 0)
        return error_memory(error);
    if (store_begin(change, error) < 0 ||
        vault_append(vault, ENTRY_CARD, row.serial, TAKE(members), &row.entry, error) < 0 ||
        store_card_put(change, &row, error) < 0)
        return -1;
    return store_commit(change, error);
}

/* Trusted once a card that is trusted has signed for it. */
static int enroll(struct session *session, const struct signed_head *head,
                  const struct vault_cards *cards, const struct front_export *export,
                  const char *name, struct error *error)
{
    char purpose[NAME_MAX_SIZE + 64], vkey[NOTE_VKEY_MAX];
    (void)snprintf(purpose, sizeof(purpose), VERB " %s", name);
    if (name_key(session->front->vault, export->card, vkey, error) < 0 ||
        session_open(session, cards, NULL, purpose, 0, 0, error) < 0 ||
        session_tell_head(session, head, error) < 0 ||
        write_card(session, export->card, vkey, error) < 0 ||
        session_tell_tail(session, head, error) < 0 || session_sign(session, error) < 0)
        return -1;
    return vault_trust_add(session->front->vault, vkey, error);
}

int front_enroll_export(struct front *front, const struct front_export *export, struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    auto_close int trust_lock = -1;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_cards struct vault_cards cards = {0};
    char name[NAME_MAX_SIZE];
    session.front = front;
    (void)snprintf(name, sizeof(name), "%.64s %s", json_text(export->card, "card"),
                   export->fingerprint);
    if (session_prepare(front, true, &trust_lock, error) < 0 ||
        vault_signed_head(front->vault, &head, error) < 0 ||
        vault_cards_find(front->vault, &head, &cards, error) < 0 ||
        check_new(&cards, export->card, error) < 0)
        return -1;
    if (session_begin_plain_use(&session, VERB, name, error) < 0)
        return -1;
    if (enroll(&session, &head, &cards, export, name, error) < 0) {
        session_fail_use(&session, error);
        session_void_own(front);
        return -1;
    }
    return session_end_use(&session, error);
}
