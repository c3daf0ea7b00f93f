/*
 * card.c: chooses the one card, and keeps one session with it.
 */
#include "internal.h"

#include <string.h>

#include "p11vault/base/buffer.h"

#define LIST_MAX ((size_t)600) /* bytes of an error that a list of cards may take */

int card_prefix(const struct card *card, struct error *error)
{
    return error_prefix(error, "card '%s %s'", card->info.label, card->info.serial);
}

/* NULL where only the value itself can be told. */
static const char *hint_of(CK_RV rv)
{
    switch (rv) {
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
        return "put the card back and run the command again";
    /* OpenSC says this of a card that is taken out in the middle of a call. */
    case CKR_GENERAL_ERROR:
    case CKR_DEVICE_ERROR:
    case CKR_FUNCTION_FAILED:
        return "see that the card is in its reader, then run the command again";
    case CKR_DEVICE_MEMORY:
        return "the card is full; what is on it is shown by: pkcs11-tool --login --list-objects";
    default:
        return NULL;
    }
}

int card_fail(const struct card *card, CK_RV rv, const char *call, struct error *error)
{
    const char *hint = hint_of(rv);

    error_set(error, CODE_CARD, "%s failed: %s", call, ckr_name(rv));
    if (hint != NULL)
        error_hint(error, "%s", hint);
    return card_prefix(card, error);
}

int card_fail_open(struct card *card, CK_RV rv, const char *call, struct error *error)
{
    card->module->calls->C_CloseSession(card->session);
    card->session = CK_INVALID_HANDLE;
    card->logged_in = false;
    secret_free(TAKE(card->pin));
    return card_fail(card, rv, call, error);
}

int card_check_ready(const struct card *card, struct error *error)
{
    if (card->session == CK_INVALID_HANDLE) {
        error_set(error, CODE_CARD, "its session was closed after an earlier failure");
        return card_prefix(card, error);
    }
    if (!card->logged_in) {
        error_set(error, CODE_FAULT, "nobody is logged in");
        return card_prefix(card, error);
    }
    return 0;
}

static bool field_fits(const char *wanted, const char *is)
{
    return wanted[0] == '\0' || strcmp(wanted, is) == 0;
}

static bool card_fits(const struct card_info *info, const struct card_uri *uris, size_t count)
{
    if (!info->initialised || info->internal)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (field_fits(uris[i].label, info->label) && field_fits(uris[i].serial, info->serial) &&
            field_fits(uris[i].model, info->model) &&
            field_fits(uris[i].manufacturer, info->manufacturer))
            return true;
    }
    return false;
}

/*
 * A list that has become too long for a message ends where it is: the error of the buffer is not an
 * error here.
 */
static void put_card(struct buffer *list, const struct card_info *info)
{
    struct error too_long;

    buffer_put_format(list, &too_long, "%s'%s' (serial %s)", list->size > 0 ? ", " : "",
                      info->label, info->serial);
}

static void put_field(struct buffer *text, const char *name, const char *value)
{
    struct error too_long;

    if (value[0] != '\0')
        buffer_put_format(text, &too_long, " %s '%s'", name, value);
}

/* "serial '12' or token 'a' model 'b'" */
static void describe(const struct card_uri *uris, size_t count, struct buffer *text)
{
    struct error too_long;

    for (size_t i = 0; i < count; i++) {
        size_t before = 0;

        if (i > 0)
            buffer_put_text(text, " or", &too_long);
        before = text->size;
        put_field(text, "serial", uris[i].serial);
        put_field(text, "token", uris[i].label);
        put_field(text, "model", uris[i].model);
        put_field(text, "manufacturer", uris[i].manufacturer);
        if (text->size == before)
            buffer_put_text(text, " any card", &too_long);
    }
}

static void fail_none(const struct scan *scan, const struct card_uri *uris, size_t count,
                      struct error *error)
{
    auto_buffer struct buffer wanted = BUFFER_UP_TO(LIST_MAX / 2);
    auto_buffer struct buffer found = BUFFER_UP_TO(LIST_MAX);

    describe(uris, count, &wanted);
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->slots[i].info.initialised && !scan->slots[i].info.internal)
            put_card(&found, &scan->slots[i].info);
    }
    bool none = found.size == 0;
    error_set(error, CODE_NO_CARD, "no card %s%s%s%s%s%s", none ? "found; wanted:" : "fits",
              buffer_text(&wanted), none ? "" : "; found: ", none ? "" : buffer_text(&found),
              scan->unreadable == CKR_OK ? "" : "; one reader cannot be read: ",
              scan->unreadable == CKR_OK ? "" : ckr_name(scan->unreadable));
    error_hint(error, "put the card in; what is there is shown by: p11vault card list");
}

static void fail_several(const struct scan *scan, const struct card_uri *uris, size_t count,
                         struct error *error)
{
    auto_buffer struct buffer wanted = BUFFER_UP_TO(LIST_MAX / 2);
    auto_buffer struct buffer found = BUFFER_UP_TO(LIST_MAX);

    describe(uris, count, &wanted);
    for (size_t i = 0; i < scan->count; i++) {
        if (card_fits(&scan->slots[i].info, uris, count))
            put_card(&found, &scan->slots[i].info);
    }
    error_set(error, CODE_NO_CARD, "more than one card fits%s: %s", buffer_text(&wanted),
              buffer_text(&found));
    error_hint(
        error,
        "choose one by its serial: --card SERIAL, or 'pkcs11:serial=SERIAL' to enrol it; the "
        "serials are shown by: p11vault card list");
}

/* NULL, with the error set, when none or several fit. */
static const struct slot *choose(const struct scan *scan, const struct card_uri *uris, size_t count,
                                 struct error *error)
{
    const struct slot *chosen = NULL;

    for (size_t i = 0; i < scan->count; i++) {
        if (!card_fits(&scan->slots[i].info, uris, count))
            continue;
        if (chosen != NULL) {
            fail_several(scan, uris, count, error);
            return NULL;
        }
        chosen = &scan->slots[i];
    }
    if (chosen == NULL)
        fail_none(scan, uris, count, error);
    return chosen;
}

int card_open(struct module *module, const struct card_uri *uris, size_t count,
              struct card **ret_card, struct error *error)
{
    struct scan scan = {.count = 0};
    auto_of(card_free) struct card *card = NULL;
    const struct slot *slot = NULL;
    CK_RV rv = CKR_OK;

    if (module_scan(module, &scan, error) < 0)
        return -1;
    slot = choose(&scan, uris, count, error);
    if (slot == NULL)
        return -1;
    card = calloc(1, sizeof(*card));
    if (card == NULL)
        return error_memory(error);
    card->module = module;
    card->slot = slot->id;
    card->info = slot->info;
    rv = module->calls->C_OpenSession(card->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                      &card->session);
    if (rv != CKR_OK) {
        card->session = CK_INVALID_HANDLE;
        return card_fail(card, rv, "C_OpenSession", error);
    }
    *ret_card = TAKE(card);
    return 0;
}

void card_free(struct card *card)
{
    if (card == NULL)
        return;
    card_logout(card);
    card->module->calls->C_CloseAllSessions(card->slot);
    free(card);
}

const struct card_info *card_info(const struct card *card)
{
    return &card->info;
}

bool card_is_named(const struct card *card, const struct card_uri *uri)
{
    return card_fits(&card->info, uri, 1);
}

bool card_may_want_touch(const struct card_info *info)
{
    /* OpenSC's word for all PIV cards; Yubico's own module, and OpenSC for its OpenPGP cards. */
    return strcmp(info->manufacturer, "piv_II") == 0 || strstr(info->manufacturer, "Yubico");
}

bool card_is_usable(const struct card *card)
{
    return card->session != CK_INVALID_HANDLE;
}
