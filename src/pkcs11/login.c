/*
 * login.c: the PIN: what is checked before a try is spent, the one try, and what its failure means.
 */
#include "internal.h"

#include <string.h>

#define UNLOCK_HINT                                                                                \
    "unlock it with the card's own tool and its SO PIN or PUK: docs/runbook.md, Forgotten PIN"
#define PIN_SIZE_MAX 255 /* no card takes more; typed PINs are not longer either */

const char *card_pin_fault(const struct card_info *info, const struct secret *pin)
{
    const uint8_t *bytes = secret_data(pin);
    size_t size = secret_size(pin);

    /* An empty PIN is never sent: some cards take it for a login without one. */
    if (size == 0)
        return "is empty";
    if (size < info->pin_min)
        return "is shorter than the card allows";
    /* Some modules give 0 or nonsense for the maximum. */
    if (size > PIN_SIZE_MAX ||
        (info->pin_max >= info->pin_min && info->pin_max > 0 && size > info->pin_max))
        return "is longer than the card allows";
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return "holds a control character";
    }
    return NULL;
}

static int refuse(const struct card *card, const char *why, const char *hint, struct error *error)
{
    error_set(error, CODE_PIN_LOCKED, "%s", why);
    error_hint(error, "%s", hint);
    return card_prefix(card, error);
}

int card_may_login(const struct card *card, bool attended, struct error *error)
{
    struct card_info info = {0};
    /* Asked anew: the card may have been used by others since it was opened. */
    CK_RV rv = module_slot_info(card->module, card->slot, &info);

    if (rv != CKR_OK)
        return card_fail(card, rv, "C_GetTokenInfo", error);
    if (info.pin_locked)
        return refuse(card, "PIN is locked", UNLOCK_HINT, error);
    if (info.pin_final_try)
        return refuse(card, "one wrong PIN more locks it, so it is not tried here",
                      "log in once with the card's own tool, such as pkcs11-tool --login --test",
                      error);
    if (info.pin_count_low && !attended)
        return refuse(card, "a wrong PIN was given before, so the PIN from pin-source is not tried",
                      "run the same command at a terminal with --ask-pin", error);
    return 0;
}

/*
 * Says no more than the card does: a card that shows no flags may still be one try from being
 * locked.
 */
static int fail_wrong(struct card *card, struct error *error)
{
    struct card_info info = {0};
    CK_RV rv = module_slot_info(card->module, card->slot, &info);

    if (rv == CKR_OK)
        card->info = info;
    if (rv == CKR_OK && info.pin_locked)
        error_set(error, CODE_PIN_LOCKED, "PIN is wrong, and it is locked now");
    else if (rv == CKR_OK && info.pin_final_try)
        error_set(error, CODE_PIN_WRONG, "PIN is wrong, one try is left");
    else if (rv == CKR_OK && info.pin_count_low)
        error_set(error, CODE_PIN_WRONG, "PIN is wrong, the card warns that tries are running low");
    else
        error_set(error, CODE_PIN_WRONG, "PIN is wrong");
    return card_prefix(card, error);
}

static int fail_login(struct card *card, CK_RV rv, struct error *error)
{
    switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
        return fail_wrong(card, error);
    case CKR_PIN_LOCKED:
        return refuse(card, "PIN is locked", UNLOCK_HINT, error);
    case CKR_USER_PIN_NOT_INITIALIZED:
        error_set(error, CODE_CARD, "no PIN has been set yet: %s", ckr_name(rv));
        return card_prefix(card, error);
    case CKR_PIN_EXPIRED:
        error_set(error, CODE_CARD, "PIN must be changed first: %s", ckr_name(rv));
        return card_prefix(card, error);
    case CKR_GENERAL_ERROR:
    case CKR_DEVICE_ERROR:
        error_set(error, CODE_CARD, "C_Login failed: %s (a wrong PIN is not ruled out)",
                  ckr_name(rv));
        error_hint(error, "see that the card is in its reader before you give the PIN again");
        return card_prefix(card, error);
    default:
        return card_fail(card, rv, "C_Login", error);
    }
}

/* A module that says "already logged in" is believed only when the session's state agrees. */
static bool is_user_session(struct card *card)
{
    CK_SESSION_INFO session = {0};

    return card->module->calls->C_GetSessionInfo(card->session, &session) == CKR_OK &&
           session.state == CKS_RW_USER_FUNCTIONS;
}

int card_check_pin(const struct card *card, const struct secret *pin, struct error *error)
{
    const char *fault = NULL;

    if (card->session == CK_INVALID_HANDLE)
        return card_check_ready(card, error);
    if (card->logged_in) {
        error_set(error, CODE_FAULT, "somebody is logged in already");
        return card_prefix(card, error);
    }
    if (pin == NULL && !card->info.pin_pad) {
        error_set(error, CODE_USAGE, "its reader has no PIN pad");
        return card_prefix(card, error);
    }
    fault = pin == NULL ? NULL : card_pin_fault(&card->info, pin);
    if (fault != NULL) {
        error_set(error, CODE_PIN_WRONG, "PIN %s; no try was spent", fault);
        return card_prefix(card, error);
    }
    return 0;
}

enum pin_verdict card_pin_verdict(const struct card *card)
{
    return card->verdict;
}

static enum pin_verdict verdict_of(CK_RV rv)
{
    /* Return values that come before a card has looked at any PIN. */
    static const CK_RV before[] = {
        CKR_TOKEN_NOT_PRESENT,        CKR_TOKEN_NOT_RECOGNIZED,
        CKR_SESSION_HANDLE_INVALID,   CKR_SESSION_CLOSED,
        CKR_SESSION_READ_ONLY_EXISTS, CKR_USER_PIN_NOT_INITIALIZED,
        CKR_USER_TYPE_INVALID,        CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
        CKR_USER_TOO_MANY_TYPES,      CKR_CRYPTOKI_NOT_INITIALIZED,
        CKR_FUNCTION_NOT_SUPPORTED,   CKR_OPERATION_ACTIVE,
    };

    static const CK_RV rejected[] = {
        CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED, CKR_PIN_EXPIRED,
    };

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        if (before[i] == rv)
            return PIN_NOT_LOOKED_AT;
    }
    for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++) {
        if (rejected[i] == rv)
            return PIN_REJECTED;
    }
    return PIN_UNCLEAR;
}

/* Whether a key is there that will want the PIN again: only then is it kept, until the logout. */
static bool has_asking_key(struct card *card)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_ALWAYS_AUTHENTICATE, &yes, sizeof(yes)},
    };
    CK_OBJECT_HANDLE objects[KEYS_MAX];
    size_t count = 0;
    CK_ULONG found = 1;
    CK_FUNCTION_LIST *calls = card->module->calls;

    if (calls->C_FindObjectsInit(card->session, wanted, 2) != CKR_OK)
        return false;
    while (found > 0 && count < KEYS_MAX) {
        if (calls->C_FindObjects(card->session, objects + count, KEYS_MAX - count, &found) !=
                CKR_OK ||
            found > KEYS_MAX - count)
            break;
        count += found;
    }
    calls->C_FindObjectsFinal(card->session);
    /* A module that does not look at an attribute that it does not know finds every key: each is asked. */
    for (size_t i = 0; i < count; i++) {
        if (key_flag(card, objects[i], CKA_ALWAYS_AUTHENTICATE, false))
            return true;
    }
    return false;
}

int card_keep_pin(struct card *card, const struct secret *pin, struct error *error)
{
    auto_of(secret_free) struct secret *kept = NULL;

    if (pin == NULL || !has_asking_key(card))
        return 0;
    if (secret_new(secret_size(pin), &kept, error) < 0 ||
        secret_append(kept, secret_data(pin), secret_size(pin), error) < 0)
        return -1;
    card->pin = TAKE(kept);
    return 0;
}

/*
 * The same PIN, which the card has just accepted, given for one use of one key.  When the card refuses it now, it is
 * forgotten: a second try could be one too many.
 */
CK_RV card_login_again(struct card *card, const struct card_key *key)
{
    CK_RV rv = CKR_OK;

    if (!key->asks_each_time)
        return CKR_OK;
    if (card->pin == NULL && !card->info.pin_pad)
        return CKR_USER_NOT_LOGGED_IN;
    rv = card->module->calls->C_Login(card->session, CKU_CONTEXT_SPECIFIC,
                                      card->pin == NULL ? NULL
                                                        : module_bytes(secret_data(card->pin)),
                                      card->pin == NULL ? 0 : secret_size(card->pin));
    /* Some modules (NSS, opencryptoki) ignore the attribute and know no such login: they have looked at no PIN. */
    if (rv == CKR_USER_ALREADY_LOGGED_IN || rv == CKR_USER_TYPE_INVALID)
        return CKR_OK;
    if (rv != CKR_OK)
        secret_free(TAKE(card->pin));
    return rv;
}

int card_login(struct card *card, const struct secret *pin, struct error *error)
{
    CK_RV rv = CKR_OK;

    if (card_check_pin(card, pin, error) < 0)
        return -1;
    rv = card->module->calls->C_Login(card->session, CKU_USER,
                                      pin == NULL ? NULL : module_bytes(secret_data(pin)),
                                      pin == NULL ? 0 : secret_size(pin));
    if (rv != CKR_OK && !(rv == CKR_USER_ALREADY_LOGGED_IN && is_user_session(card))) {
        card->verdict = verdict_of(rv);
        return fail_login(card, rv, error);
    }
    card->verdict = PIN_ACCEPTED;
    card->logged_in = true;
    return 0;
}

bool card_pin_is_factory(const struct card *card, const struct secret *pin)
{
    /* Rutoken (all models), YubiKey's PIV and OpenPGP cards. */
    static const char *const known[] = {"12345678", "123456"};

    if (card->info.pin_default)
        return true;
    for (size_t i = 0; pin != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        if (secret_equals(pin, known[i], strlen(known[i])))
            return true;
    }
    return false;
}

void card_logout(struct card *card)
{
    secret_free(TAKE(card->pin));
    if (!card->logged_in)
        return;
    card->module->calls->C_Logout(card->session);
    card->logged_in = false;
}
