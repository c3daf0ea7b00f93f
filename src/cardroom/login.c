/*
 * Opening the card for a use: the module, the card, the PIN, one login.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"
#include "p11vault/pin/pinentry.h"
#include "p11vault/pin/typed.h"

#define PIN_TYPING_MS 120000
#define SOURCE_MAX 4096
#define PINENTRY "pinentry:" /* before the path of a program that asks */
#define ANSWER_MS 30000      /* the front may wait for another login to this card */
#define URIS_MAX 64

static int keep_text(char *ret_text, size_t room, const char *text, const char *what,
                     struct error *error)
{
    if (strlen(text) >= room)
        return error_set(error, CODE_FAULT, "%s is too long", what);
    memcpy(ret_text, text, strlen(text) + 1);
    return 0;
}

/* The reader does not say what its pad asks for; where there is no terminal, the person sees the pad alone. */
static void point_to_pad(const struct card_info *info, const char *purpose, uint64_t count)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "type the PIN for %s %s at its reader (%s, %llu use%s)",
                   info->label, info->serial, purpose, (unsigned long long)count,
                   count == 1 ? "" : "s");
    error_clean(text); /* the purpose is the front's word */
    typed_tell(text);
}

static int ask_pin(const struct card_info *info, const char *source, const char *purpose,
                   uint64_t count, struct secret **ret_pin, struct error *error)
{
    char prompt[512];
    struct deadline deadline = deadline_in(PIN_TYPING_MS);
    (void)snprintf(prompt, sizeof(prompt), "PIN for %s %s (%s, %llu use%s): ", info->label,
                   info->serial, purpose, (unsigned long long)count, count == 1 ? "" : "s");
    error_clean(prompt); /* the purpose is the front's word */
    if (*source)
        return pinentry_ask(source + strlen(PINENTRY), prompt, PIN_MAX, deadline, ret_pin, error);
    if (typed_ask(prompt, PIN_MAX, deadline, ret_pin, error) == 0)
        return 0;
    if (error->code == CODE_CONFIG)
        error_hint(error, "run it at a terminal, or give the module a pin-source in the "
                          "configuration");
    return -1;
}

/* Told to the person who has just typed it and to nobody else: in a job's log it would be the PIN itself. */
static void warn_of_factory_pin(const struct cardroom *room, const struct secret *pin)
{
    char text[256];
    if (!card_pin_is_factory(room->card, pin))
        return;
    (void)snprintf(text, sizeof(text),
                   "warning: card '%s %s' has the PIN that it left the factory with: "
                   "pkcs11-tool --login --change-pin",
                   room->label, room->serial);
    typed_tell(text);
}

/*
 * Before a PIN that nobody types is tried, the front writes down that it will be: should this
 * process or the machine end in the middle of it, no other run tries the same PIN again.  That
 * waits for a lock and for the disk.
 */
static int announce(struct cardroom *room, struct error *error)
{
    struct message message;
    if (channel_send(room->inside.front, trying, error, .serial = room->serial) < 0)
        return -1;
    return channel_expect(room->inside.front, MESSAGE_TRY, deadline_in(ANSWER_MS), &message, error);
}

/* After the login, and before what the card is asked next: the front knows whom it waits for. */
static int tell_tried(struct cardroom *room, int result, enum pin_verdict verdict,
                      struct error *error)
{
    struct error ignored;
    int told =
        channel_send(room->inside.front, tried, result < 0 ? &ignored : error, .verdict = verdict);
    return told < 0 ? -1 : result;
}

static int read_pin_file(const struct cardroom *room, const char *source, struct secret **ret_pin,
                         struct error *error)
{
    if (typed_file(source, PIN_MAX, ret_pin, error) == 0)
        return card_check_pin(room->card, *ret_pin, error);
    if (error->code == CODE_USAGE) /* nobody has typed this */
        error->code = CODE_CONFIG;
    return error_prefix(error, "card '%s %s': PIN", room->label, room->serial);
}

/* Announced first and read then: while the front writes, nothing of the PIN is in memory. */
static int log_in_from_file(struct cardroom *room, const char *source, struct secret **ret_pin,
                            struct error *error)
{
    enum pin_verdict verdict = PIN_NOT_LOOKED_AT;
    if (announce(room, error) < 0)
        return -1;
    int result = read_pin_file(room, source, ret_pin, error);
    if (result == 0) {
        result = card_login(room->card, *ret_pin, error);
        verdict = card_pin_verdict(room->card);
    }
    return tell_tried(room, result, verdict, error);
}

static int log_in_attended(struct cardroom *room, const char *source, const char *purpose,
                           uint64_t count, struct secret **ret_pin, struct error *error)
{
    const struct card_info *info = card_info(room->card);
    if (info->pin_pad)
        point_to_pad(info, purpose, count);
    else if (ask_pin(info, source, purpose, count, ret_pin, error) < 0)
        return error_prefix(error, "card '%s %s': PIN", room->label, room->serial);
    int result = card_login(room->card, *ret_pin, error);
    if (result == 0)
        warn_of_factory_pin(room, *ret_pin);
    return tell_tried(room, result, card_pin_verdict(room->card), error);
}

int cardroom_login(struct cardroom *room, const char *pin_source, const char *purpose,
                   uint64_t count, struct error *error)
{
    const struct card_info *info = card_info(room->card);
    (void)snprintf(room->serial, sizeof(room->serial), "%s", info->serial);
    (void)snprintf(room->label, sizeof(room->label), "%s", info->label);
    auto_of(secret_free) struct secret *pin = NULL;
    char source[SOURCE_MAX]; /* the order is forgotten when the front answers */
    bool attended = *pin_source == '\0' || strncmp(pin_source, PINENTRY, strlen(PINENTRY)) == 0;
    if (keep_text(source, sizeof(source), pin_source, "PIN source", error) < 0 ||
        card_may_login(room->card, attended, error) < 0)
        return -1;
    int result = attended ? log_in_attended(room, source, purpose, count, &pin, error)
                          : log_in_from_file(room, source, &pin, error);
    if (result == 0 && pin)
        result = card_keep_pin(room->card, pin, error);
    secret_free(TAKE(pin));
    scrub_stack_and_registers();
    if (result < 0) {
        if (!attended && error->code == CODE_PIN_WRONG)
            error_hint(error, "correct %s, then run the same command once with --ask-pin", source);
        return -1;
    }
    log_info("logged in to card %s", room->serial);
    return channel_send(room->inside.front, logged_in, error,
                        .may_want_touch = card_may_want_touch(info));
}

static int read_trust(struct cardroom *room, const char *path, struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
    if (access(path, F_OK) < 0 && room->enrolling)
        return 0;
    if (buffer_read_file(path, TRUST_FILE_MAX, FILE_TRUSTED, &text, error) < 0 ||
        trust_parse(buffer_text(&text), text.size, room->origin, &room->trust, error) < 0)
        return error_prefix(error, "trust file");
    return 0;
}

/* One URI a line. */
static int parse_uris(const char *text, struct card_uri *ret_uris, size_t *ret_count,
                      struct error *error)
{
    auto_free char *copy = strdup(text);
    char *rest = copy;
    size_t count = 0;
    if (!copy)
        return error_memory(error);
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        if (count == URIS_MAX)
            return error_set(error, CODE_FAULT, "more than %d cards", URIS_MAX);
        if (card_uri_parse(line, &ret_uris[count++], error) < 0)
            return -1;
    }
    *ret_count = count;
    return 0;
}

/*
 * Records open with the one card that is there, and two are an error.  For a signature alone any trusted card will do:
 * the first that is there, in the order of their enrolment.
 */
static int open_card(struct cardroom *room, const struct card_uri *uris, size_t count,
                     struct error *error)
{
    if (room->count > 0)
        return card_open(room->module, uris, count, &room->card, error);
    for (size_t i = 0; i < count; i++) {
        if (card_open(room->module, &uris[i], 1, &room->card, error) == 0)
            return 0;
        if (error->code != CODE_NO_CARD)
            return -1;
    }
    /* None is there: this says so of all of them. */
    return card_open(room->module, uris, count, &room->card, error);
}

int cardroom_open(struct cardroom *room, const struct message *order, struct error *error)
{
    auto_free struct card_uri *uris = calloc(URIS_MAX, sizeof(*uris));
    size_t uri_count = 0;
    char anchor[CHECKPOINT_TEXT_MAX];
    if (!uris)
        return error_memory(error);
    room->count = order->open.count;
    room->slot_count = order->open.slots;
    if (room->count > RECORDS_MAX || room->slot_count > SLOTS_MAX)
        return error_set(error, CODE_FAULT, "too many records for one use");
    room->records = calloc(room->count + 1, sizeof(*room->records));
    room->slots = calloc(room->slot_count + 1, sizeof(*room->slots));
    if (!room->records || !room->slots)
        return error_memory(error);
    if (keep_text(room->use, sizeof(room->use), order->open.use, "use", error) < 0 ||
        keep_text(room->purpose, sizeof(room->purpose), order->open.purpose, "purpose", error) <
            0 ||
        keep_text(room->origin, sizeof(room->origin), order->open.origin, "origin", error) < 0 ||
        read_trust(room, order->open.trust, error) < 0 ||
        parse_uris(order->open.uris, uris, &uri_count, error) < 0 ||
        module_load(order->open.module, &room->module, error) < 0 ||
        open_card(room, uris, uri_count, error) < 0 ||
        cardroom_login(room, order->open.pin_source, order->open.purpose, 1, error) < 0 ||
        cardroom_anchor_read(room, anchor, error) < 0)
        return -1;
    return channel_send(room->inside.front, ready, error, .serial = room->serial,
                        .label = room->label, .anchor = anchor);
}

/* A card is known by its serial: two without one would be taken for the same. */
static int check_serial(const struct card_info *info, struct error *error)
{
    if (card_serial_tells(info->serial))
        return 0;
    error_set(error, CODE_CONFIG,
              "card '%s' has no serial number of its own but '%s', so it cannot be told from "
              "another such card",
              info->label, info->serial);
    return error_hint(error, "a PIV card gets one with its CHUID: yubico-piv-tool -a set-chuid, or "
                             "ykman piv objects generate chuid");
}

int cardroom_enroll_begin(struct cardroom *room, const struct newcomer *card, struct error *error)
{
    room->enrolling = true;
    if (keep_text(room->origin, sizeof(room->origin), card->origin, "origin", error) < 0 ||
        (card->trust && read_trust(room, card->trust, error) < 0) ||
        module_load(card->module, &room->module, error) < 0 ||
        card_open(room->module, card->uri, 1, &room->card, error) < 0 ||
        check_serial(card_info(room->card), error) < 0)
        return -1;
    return cardroom_login(room, card->pin_source, card->purpose, 1, error);
}
