/*
 * Jobs about cards: listing them, making a SoftHSM one, enrolling one.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/pkcs11/uri.h"
#include "session.h"

#define LISTED_FIELDS 6
#define LISTED_TEXT_SIZE 256
#define LIST_SECONDS 5

/* The texts go to a terminal, and a module may have written them. */
static int tell_found(const struct message *message,
                      int (*each)(void *context, const struct front_card *), void *context)
{
    const struct message_found *found = &message->found;
    const char *const said[LISTED_FIELDS] = {found->serial,       found->label,     found->model,
                                             found->manufacturer, found->pin_state, found->can};
    char texts[LISTED_FIELDS][LISTED_TEXT_SIZE];
    for (size_t i = 0; i < LISTED_FIELDS; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%s", said[i]);
        error_clean(texts[i]);
    }
    const struct front_card card = {texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
    return each(context, &card);
}

int front_list_cards(const struct config_module *module,
                     int (*each)(void *context, const struct front_card *), void *context,
                     struct error *error)
{
    auto_of(room_free) struct room *room = NULL;
    /* A module that takes longer to say what is there does not answer: the others' cards are waited for. */
    int seconds = module->deadline_s < LIST_SECONDS ? module->deadline_s : LIST_SECONDS;
    struct deadline deadline = deadline_in((int64_t)seconds * 1000);
    if (session_start_room(module, -1, &room, error) < 0)
        return -1;
    struct channel *channel = room_channel(room);
    int sent = channel_send(channel, list, error, .module = module->path);
    if (session_tell(room, sent, error) < 0)
        return -1;
    for (;;) {
        struct message message;
        if (channel_receive(channel, deadline, &message, error) < 0) {
            room_explain(room, error);
            return -1;
        }
        if (message.type == MESSAGE_LISTED)
            return 0;
        if (tell_found(&message, each, context) != 0)
            return error_set(error, CODE_FAULT, "the list was cut short");
        if (deadline_passed(deadline))
            return error_set(error, CODE_CARD, "the card room did not answer in time");
    }
}

int front_format_card(const struct config_module *module, const char *directory, const char *label,
                      struct error *error)
{
    auto_of(room_free) struct room *room = NULL;
    struct message message;
    if (session_start_room(module, -1, &room, error) < 0)
        return -1;
    int sent = channel_send(room_channel(room), format, error, .module = module->path,
                            .directory = directory, .label = label);
    if (session_tell(room, sent, error) < 0)
        return -1;
    return session_expect(room, MESSAGE_FORMATTED, session_deadline(module), &message, error);
}

/* ---- enrolment ---- */

static int write_card(struct front *front, const struct message *enrolled,
                      const struct session *session, struct error *error)
{
    auto_change struct store *change = front->vault->store;
    struct store_card card = {.serial = (char *)(uintptr_t)enrolled->enrolled.serial,
                              .label = (char *)(uintptr_t)enrolled->enrolled.label,
                              .kid = (char *)(uintptr_t)enrolled->enrolled.kid};
    const char *jwk_text = enrolled->enrolled.jwk;
    json_t *jwk = NULL;
    if (json_parse(jwk_text, strlen(jwk_text), "card's key", &jwk, error) < 0)
        return -1;
    auto_json json_t *members =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s}", "card", card.serial, "label",
                  card.label, "model", enrolled->enrolled.model, "manufacturer",
                  enrolled->enrolled.manufacturer, "kid", card.kid, "jwk", jwk, "alg",
                  enrolled->enrolled.alg, "sign", enrolled->enrolled.vkey, "use", session->use);
    if (store_begin(change, error) < 0 ||
        vault_append(front->vault, ENTRY_CARD, card.serial, TAKE(members), &card.entry, error) <
            0 ||
        store_card_put(change, &card, error) < 0)
        return -1;
    return store_commit(change, error);
}

int session_check_keys(const struct front_keys *keys, struct error *error)
{
    struct card_uri uri;
    if (card_uri_parse(keys->uri, &uri, error) < 0)
        return -1;
    if (!*keys->sign)
        return 0;
    if (card_uri_parse(keys->sign, &uri, error) < 0)
        return error_prefix(error, "--sign");
    if (!card_uri_names_key(&uri)) {
        error_set(error, CODE_USAGE, "--sign names no key");
        return error_hint(error, "by its id or label: --sign 'pkcs11:id=%%02'");
    }
    return 0;
}

static int ask_to_enroll(struct session *session, const struct front_keys *keys,
                         struct message *ret_message, struct error *error)
{
    struct front *front = session->front;
    const struct config_module *module = front->module;
    char pin_source[PIN_SOURCE_MAX];
    if (session_pin_source(front, pin_source, error) < 0 ||
        session_start_room(module, -1, &session->card, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), enroll, error, .module = module->path,
                            .uri = keys->uri, .pin_source = pin_source, .purpose = "enrol",
                            .kind = keys->kind, .sign = keys->sign, .origin = front->vault->origin,
                            .trust = front->config->trust);
    if (session_tell(session->card, sent, error) < 0)
        return -1;
    /* A card may take minutes to make an RSA key. */
    struct deadline deadline = deadline_in(PIN_MS + (int64_t)module->deadline_s * 1000);
    return session_await_login(session, pin_source, MESSAGE_ENROLLED, deadline, ret_message, error);
}

static void keep_enrolled(const struct message *message, struct front_enrolled *enrolled)
{
    (void)snprintf(enrolled->serial, sizeof(enrolled->serial), "%s", message->enrolled.serial);
    (void)snprintf(enrolled->label, sizeof(enrolled->label), "%s", message->enrolled.label);
    (void)snprintf(enrolled->alg, sizeof(enrolled->alg), "%s", message->enrolled.alg);
    (void)snprintf(enrolled->vkey, sizeof(enrolled->vkey), "%s", message->enrolled.vkey);
    (void)snprintf(enrolled->fingerprint, sizeof(enrolled->fingerprint), "%s",
                   message->enrolled.fingerprint);
}

/* A signature by this key is there: whoever reads the trust file later can rely on that. */
static int trust(struct session *session, const char *vkey, const struct message *message,
                 struct error *error)
{
    struct vault *vault = session->front->vault;
    struct trust new_key = {.count = 1};
    if (note_key_parse(vkey, &new_key.keys[0], error) < 0 ||
        vault_check_note(vault, &new_key, message->signed_head.note, message->signed_head.size,
                         error) < 0)
        return error_prefix(error, "the new card's checkpoint");
    return vault_trust_add(vault, vkey, error);
}

/* Signed by the new card itself; the trust file is told first, or nobody could check that signature. */
static int sign_enrolment(struct session *session, const struct signed_head *head, const char *vkey,
                          struct error *error)
{
    struct message message;
    struct room *card = session->card;
    if (session_tell_head(session, head, error) < 0 || session_tell_tail(session, head, error) < 0)
        return -1;
    int sent = channel_send(room_channel(card), sign, error);
    if (session_tell(card, sent, error) < 0 ||
        session_expect_of_card(session, MESSAGE_SIGNED, session_deadline(session->front->module),
                               &message, error) < 0 ||
        trust(session, vkey, &message, error) < 0)
        return -1;
    session->signed_size = message.signed_head.size;
    if (vault_keep_checkpoint(session->front->vault, message.signed_head.note, session->signed_size,
                              NULL, error) < 0)
        return -1;
    session_note_anchor(session, &message);
    return 0;
}

/* With both keys: another signing key would be news for the trust file. */
static bool is_trusted(struct vault *vault, const struct signed_head *head, const char *kid,
                       const char *vkey)
{
    struct error ignored;
    auto_cards struct vault_cards cards = {0};
    if (vault_cards_find(vault, head, &cards, &ignored) < 0)
        return false;
    for (size_t i = 0; i < cards.count; i++) {
        const json_t *entry = cards.cards[i].entry;
        if (strcmp(json_text(entry, "kid"), kid) == 0 &&
            strcmp(json_text(entry, "sign"), vkey) == 0)
            return true;
    }
    return false;
}

static int enroll(struct session *session, const struct signed_head *head,
                  const struct front_keys *keys, struct front_enrolled *enrolled,
                  struct error *error)
{
    struct message message;
    if (ask_to_enroll(session, keys, &message, error) < 0)
        return -1;
    keep_enrolled(&message, enrolled);
    enrolled->again = is_trusted(session->front->vault, head, message.enrolled.kid, enrolled->vkey);
    if (session_take_anchor(session, message.enrolled.serial, message.enrolled.anchor, error) < 0)
        return -1;
    if (write_card(session->front, &message, session, error) < 0)
        return -1;
    return sign_enrolment(session, head, enrolled->vkey, error);
}

int front_enroll(struct front *front, const struct front_keys *keys,
                 struct front_enrolled *ret_enrolled, struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    auto_close int trust_lock = -1;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    struct front_enrolled enrolled;
    session.front = front;
    /* It goes into the log, so what must not stand there, a PIN above all, is refused here. */
    if (session_check_keys(keys, error) < 0 ||
        session_prepare(front, true, &trust_lock, error) < 0 ||
        vault_signed_head(front->vault, &head, error) < 0)
        return -1;
    if (session_begin_plain_use(&session, "card enroll", keys->uri, error) < 0)
        return -1;
    if (enroll(&session, &head, keys, &enrolled, error) < 0) {
        session_fail_use(&session, error);
        session_void_own(front);
        return -1;
    }
    if (session_end_use(&session, error) < 0)
        return -1;
    *ret_enrolled = enrolled;
    return 0;
}
