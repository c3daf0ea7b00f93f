/*
 * One use of a card, from its intent to the signature and the keys.
 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/interrupt.h"
#include "p11vault/base/log.h"
#include "p11vault/base/percent.h"
#include "p11vault/vault/unkept.h"
#include "pin_guard.h"

void session_clear(struct session *session)
{
    room_free(session->card);
    cleanup_close(&session->keys_in);
    cleanup_close(&session->keys_out);
    if (session->use_lock >= 0) {
        char lock[USE_SIZE + 8];
        (void)snprintf(lock, sizeof(lock), "use-%s", session->use);
        vault_lock_forget(session->front->vault, lock);
        close(session->use_lock);
    }
    cleanup_close(&session->app_lock);
    *session = SESSION_NONE;
}

struct deadline session_deadline(const struct config_module *module)
{
    return deadline_in((int64_t)module->deadline_s * 1000);
}

int session_start_room(const struct config_module *module, int keys, struct room **ret_room,
                       struct error *error)
{
    const struct room_start how = {.who = PARTY_CARD,
                                   .keys = keys,
                                   .inherit_input = false,
                                   .writable = module->writable,
                                   .network = module->network,
                                   .env = module->env};
    return room_start(&how, ret_room, error);
}

int session_tell(struct room *room, int sent, struct error *error)
{
    struct message message;
    struct error said;
    if (sent == 0)
        return 0;
    /* It may have failed while we were still talking: then its last words are waiting. */
    if (channel_peer_gone(room_channel(room)) &&
        channel_receive(room_channel(room), deadline_in(0), &message, &said) < 0 && *said.text &&
        said.code != CODE_FAULT && channel_state(room_channel(room)) == STATE_OVER)
        *error = said;
    else
        room_explain(room, error);
    return -1;
}

int session_expect(struct room *room, enum message_type type, struct deadline deadline,
                   struct message *ret_message, struct error *error)
{
    if (session_await(NULL, "", room, deadline, error) < 0)
        return -1;
    if (channel_expect(room_channel(room), type, deadline, ret_message, error) == 0)
        return 0;
    room_explain(room, error);
    return -1;
}

/* ---- the login ---- */

int session_pin_source(const struct front *front, char ret_source[PIN_SOURCE_MAX],
                       struct error *error)
{
    static const char credential[] = CONFIG_CREDENTIAL;
    const struct config_module *module = front->module;
    const char *source = module->pin_source && !front->ask_pin ? module->pin_source : "";
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    bool named = strncmp(source, credential, strlen(credential)) == 0;
    int size = 0;
    if (*source == '\0' && module->pinentry) {
        size = snprintf(ret_source, PIN_SOURCE_MAX, PINENTRY "%s", module->pinentry);
    } else if (!named) {
        size = snprintf(ret_source, PIN_SOURCE_MAX, "%s", source);
    } else if (!directory || *directory != '/') {
        error_set(error, CODE_CONFIG, "there is no credential '%s': $CREDENTIALS_DIRECTORY is %s",
                  source + strlen(credential), directory ? "no absolute path" : "not set");
        return error_hint(error, "in the service's unit: LoadCredentialEncrypted=%s",
                          source + strlen(credential));
    } else {
        size =
            snprintf(ret_source, PIN_SOURCE_MAX, "%s/%s", directory, source + strlen(credential));
    }
    return size < PIN_SOURCE_MAX ? 0 : error_set(error, CODE_CONFIG, "pin-source is too long");
}

/* The note says already that it is tried.  Where the order never goes out, it is not. */
static int order_try(struct room *card, int guard, struct error *error)
{
    struct error ignored;
    int sent = interrupt_came() ? error_set(error, CODE_RETRY, "interrupted by a signal")
                                : channel_send(room_channel(card), try, error);
    if (session_tell(card, sent, error) == 0)
        return 0;
    (void)pin_guard_end(guard, PIN_NOT_LOOKED_AT, &ignored);
    return -1;
}

/* The PIN is about to be tried with nobody there. */
static int let_try(struct session *session, const char *source, struct error *error)
{
    struct message message;
    char serial[PIN_SOURCE_MAX];
    struct room *card = session->card;
    auto_close int guard = -1;
    struct deadline deadline = session_deadline(session->front->module);
    if (session_expect(card, MESSAGE_TRYING, deadline, &message, error) < 0)
        return -1;
    (void)snprintf(serial, sizeof(serial), "%s", message.trying.serial);
    if (pin_guard_begin(session->front, serial, source, &guard, error) < 0)
        return -1;
    if (order_try(card, guard, error) < 0 ||
        session_expect_of_card(session, MESSAGE_TRIED, deadline, &message, error) < 0)
        return -1;
    uint64_t verdict = message.tried.verdict;
    if (verdict > PIN_UNCLEAR)
        return error_set(error, CODE_FAULT, "the card room said nothing of the PIN it tried");
    return pin_guard_end(guard, (enum pin_verdict)verdict, error);
}

/* Until a person has typed it nothing is drawn over the prompt. */
static int await_try(struct session *session, const char *source, bool attended,
                     struct deadline deadline, struct error *error)
{
    struct message message;
    return attended ? session_expect(session->card, MESSAGE_TRIED, deadline, &message, error)
                    : let_try(session, source, error);
}

/* Each answer to a login names the card. */
static const char *serial_said(const struct message *answer)
{
    return answer->type == MESSAGE_ENROLLED   ? answer->enrolled.serial
           : answer->type == MESSAGE_EXPORTED ? answer->exported.serial
                                              : answer->ready.serial;
}

int session_await_login(struct session *session, const char *source, enum message_type type,
                        struct deadline deadline, struct message *ret_message, struct error *error)
{
    bool attended = *source == '\0' || strncmp(source, PINENTRY, strlen(PINENTRY)) == 0;
    struct message logged_in;
    if (await_try(session, source, attended, deadline, error) < 0 ||
        session_expect(session->card, MESSAGE_LOGGED_IN, deadline, &logged_in, error) < 0) {
        session_say_cancelled(error);
        return -1;
    }
    session->may_want_touch = logged_in.logged_in.may_want_touch != 0;
    if (session_expect_of_card(session, type, deadline, ret_message, error) < 0) {
        session_say_cancelled(error);
        return -1;
    }
    if (attended)
        pin_guard_vouch(session->front, serial_said(ret_message));
    return 0;
}

/* ---- before a job ---- */

/* What a run left unsigned that died in the middle is void; another living run is left alone. */
static int void_unsigned(struct front *front, const char *words, struct error *error)
{
    size_t count;
    auto_change struct store *change = front->vault->store;
    if (store_begin(change, error) < 0 || vault_void_unsigned(front->vault, &count, error) < 0 ||
        store_commit(change, error) < 0)
        return -1;
    if (count > 0 && words && front->say)
        front->say(words);
    return 0;
}

void session_void_own(struct front *front)
{
    struct error ignored;
    if (void_unsigned(front, NULL, &ignored) < 0)
        log_info("left to the next run: %s", ignored.text);
}

static int prepare(struct front *front, bool grants_trust, int *ret_trust_lock, struct error *error)
{
    struct vault *vault = front->vault;
    auto_close int lock = -1;
    size_t dead;
    if (vault_check_head_writable(vault, error) < 0 ||
        store_reserve(vault->store, STORE_ROOM_CHANGE, error) < 0)
        return -1;
    if (vault_lock(vault, "trust", "enrolling a card or adding an app", &lock, error) < 0) {
        /* Its entries are not signed yet, so no card would sign the log for us now. */
        struct error busy = *error;
        size_t count = 0;
        if (!grants_trust && vault_count_unsigned(vault, &count, error) < 0)
            return -1;
        *error = busy;
        if (grants_trust || count > 0)
            return -1;
    } else if (void_unsigned(front,
                             "an earlier run ended before a card had signed: what it added is void",
                             error) < 0) {
        return -1;
    }
    if (vault_close_dead_uses(vault, &dead, error) < 0)
        return -1;
    if (dead > 0 && front->say)
        front->say("an earlier run ended in the middle: its outcome is logged as unknown");
    if (grants_trust && ret_trust_lock)
        *ret_trust_lock = TAKE_FD(lock);
    return 0;
}

int session_prepare(struct front *front, bool grants_trust, int *ret_trust_lock,
                    struct error *error)
{
    if (vault_check_seen(front->vault, error) < 0 ||
        prepare(front, grants_trust, ret_trust_lock, error) < 0)
        return -1;
    vault_take_unkept(front->vault, front->say);
    return 0;
}

int session_prepare_older(struct front *front, int *ret_trust_lock, struct error *error)
{
    return prepare(front, true, ret_trust_lock, error);
}

/* ---- a use ---- */

int session_begin_batch(struct session *session, struct error *error)
{
    char lock[USE_SIZE + 8];
    struct vault *vault = session->front->vault;
    /* What has an intent gets an outcome, also when somebody thinks better of it at the prompt. */
    if (interrupt_hold(error) < 0 || vault_new_use(session->use, error) < 0)
        return -1;
    (void)snprintf(lock, sizeof(lock), "use-%s", session->use);
    return vault_lock(vault, lock, "using it", &session->use_lock, error);
}

int session_begin_use(struct session *session, json_t *members, struct error *error)
{
    auto_json json_t *owned = members;
    if (!owned)
        return error_memory(error);
    if (session_begin_batch(session, error) < 0)
        return -1;
    return vault_intent(session->front->vault, session->use, TAKE(owned), error);
}

int session_begin_plain_use(struct session *session, const char *verb, const char *name,
                            struct error *error)
{
    const char *card = session->front->card;
    return session_begin_use(session,
                             json_pack("{s:s, s:s, s:s, s:s, s:[], s:[]}", "verb", verb, "name",
                                       name, "card", card ? card : "", "origin", "", "opens",
                                       "seals"),
                             error);
}

int session_end_use(struct session *session, struct error *error)
{
    json_t *members =
        json_pack("{s:s, s:s, s:I}", "result", "done", "code", error_code_name(CODE_DONE),
                  "checkpoint", (json_int_t)session->signed_size);
    return vault_outcome(session->front->vault, session->use, members, error);
}

void session_fail_use(struct session *session, const struct error *failure)
{
    struct error ignored;
    if (session->use_lock < 0)
        return;
    json_t *members = json_pack("{s:s, s:s, s:s}", "result", "failed", "code",
                                error_code_name(failure->code), "message", failure->text);
    if (members && session->signed_size > 0)
        json_object_set_new(members, "checkpoint", json_integer((json_int_t)session->signed_size));
    if (vault_outcome(session->front->vault, session->use, members, &ignored) < 0 &&
        session->front->say)
        session->front->say("this failure could not be written to the log");
}

/* ---- opening the card ---- */

static int put_uri(struct buffer *uris, const char *serial, struct error *error)
{
    if (buffer_put_text(uris, "pkcs11:serial=", error) < 0 ||
        percent_put(uris, serial, strlen(serial), "", error) < 0)
        return -1;
    return buffer_put_text(uris, "\n", error);
}

static bool is_recipient(const json_t *kids, const char *kid)
{
    const json_t *item;
    size_t index;
    if (!kids)
        return true;
    json_array_foreach (kids, index, item)
        if (strcmp(json_string_value(item), kid) == 0)
            return true;
    return false;
}

/* The cards that will do, as URIs: trusted, a recipient, and the one that --card names. */
static int choose_cards(const struct front *front, const struct vault_cards *cards,
                        const json_t *kids, struct buffer *uris, struct error *error)
{
    for (size_t i = 0; i < cards->count; i++) {
        const json_t *entry = cards->cards[i].entry;
        const char *serial = json_text(entry, "card");
        if (front->card && strcmp(front->card, serial) != 0)
            continue;
        if (is_recipient(kids, json_text(entry, "kid")) && put_uri(uris, serial, error) < 0)
            return -1;
    }
    if (uris->size > 0)
        return 0;
    error_set(error, CODE_NO_CARD,
              front->card ? "card '%s' is not a trusted card that opens this"
                          : "no trusted card opens this%s",
              front->card ? front->card : "");
    return error_hint(error, "p11vault app show lists an app's cards; p11vault card enroll");
}

int session_make_way(struct session *session, struct error *error)
{
    int ends[2];
    if (channel_pair(ends, true, error) < 0)
        return -1;
    session->keys_in = ends[0];
    session->keys_out = ends[1];
    return 0;
}

int session_open(struct session *session, const struct vault_cards *cards, const json_t *kids,
                 const char *purpose, size_t count, size_t slots, struct error *error)
{
    struct front *front = session->front;
    const struct config_module *module = front->module;
    char pin_source[PIN_SOURCE_MAX];
    auto_buffer struct buffer uris = BUFFER_UP_TO(16384);
    auto_close int way = TAKE_FD(session->keys_in);
    struct message message;
    if (session_pin_source(front, pin_source, error) < 0 ||
        choose_cards(front, cards, kids, &uris, error) < 0 ||
        session_start_room(module, way, &session->card, error) < 0)
        return -1;
    struct channel *channel = room_channel(session->card);
    int sent = channel_send(channel, open, error, .module = module->path,
                            .uris = buffer_text(&uris), .pin_source = pin_source,
                            .purpose = purpose, .count = count, .slots = slots, .use = session->use,
                            .origin = front->vault->origin, .trust = front->config->trust);
    struct deadline deadline = *pin_source == '/' ? session_deadline(module) : deadline_in(PIN_MS);
    if (session_tell(session->card, sent, error) < 0 ||
        session_await_login(session, pin_source, MESSAGE_READY, deadline, &message, error) < 0)
        return -1;
    log_info("card %s is ready", message.ready.serial);
    return session_take_anchor(session, message.ready.serial, message.ready.anchor, error);
}
