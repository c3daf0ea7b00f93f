/*
 * card.h: one PKCS#11 module, one card in it, one session, one login.  Only p11vault-card links this.
 *
 * Exactly one module is loaded, by its absolute path.  Nothing here ever retries a login, and no slot number is
 * remembered: a card is known by its serial.
 */
#ifndef P11VAULT_PKCS11_CARD_H
#define P11VAULT_PKCS11_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/pkcs11/uri.h"

struct module; /* a loaded, initialised PKCS#11 module */
struct card;   /* an open session with one card of it */

#define CARD_CAN_MAX 128

/* What C_GetTokenInfo says; texts without their padding, control characters replaced by '?'. */
struct card_info {
    char label[CARD_FIELD_MAX];
    char serial[CARD_FIELD_MAX];
    char model[CARD_FIELD_MAX];
    char manufacturer[CARD_FIELD_MAX];
    bool initialised;   /* the card has been formatted */
    bool internal;      /* the module's own, for what needs no card: neither listed nor chosen */
    bool pin_set;       /* a user PIN exists */
    bool pin_count_low; /* a wrong PIN was given since the last right one */
    bool pin_final_try; /* one wrong PIN more locks it */
    bool pin_locked;
    bool pin_default; /* must be changed */
    bool pin_pad;     /* the PIN is typed at the reader */
    unsigned long pin_min, pin_max;
    char can[CARD_CAN_MAX]; /* what it says it can do, in words; only told by module_each_card() */
};

/* What the module is told at C_Initialize, where it wants to be told (NSS); part of its profile. */
#define MODULE_INIT_VARIABLE "P11VAULT_MODULE_INIT"

/* Loads and initialises.  CODE_CONFIG when the file cannot be loaded, CODE_CARD when C_Initialize fails. */
int module_load(const char *path, struct module **ret_module, struct error *error);
/* C_Finalize.  After this nothing the module held is reachable through it.  NULL is fine. */
void module_free(struct module *module);
DEFINE_CLEANUP(struct module, module_free);

/* Calls `each` for every formatted card present; stops when it returns non-zero and returns that. */
int module_each_card(struct module *module, int (*each)(void *context, const struct card_info *),
                     void *context, struct error *error);

/*
 * Finds the one card that fits any of the `count` URIs and opens a read-write session with it.
 * CODE_NO_CARD when none or several fit: the error says what was looked for, and lists what was found (label and
 * serial of each card); the hint names the command that chooses.
 */
int card_open(struct module *module, const struct card_uri *uris, size_t count,
              struct card **ret_card, struct error *error);
/* Logs out if logged in, closes all sessions.  NULL is fine.  Before module_free(). */
void card_free(struct card *card);
DEFINE_CLEANUP(struct card, card_free);

const struct card_info *card_info(const struct card *card);
/* Whether it is the card that a URI names, or the URI names none. */
bool card_is_named(const struct card *card, const struct card_uri *uri);
/* Whether it may blink and wait for a touch, by its maker: nothing in PKCS#11 says so. */
bool card_may_want_touch(const struct card_info *info);
/* False once an operation broke off in its midst: the session with it is closed then, and nothing more can be done. */
bool card_is_usable(const struct card *card);

/*
 * The rules that need no PIN: CODE_PIN_LOCKED when the PIN is locked, when one wrong try would lock it, or, with
 * nobody at the terminal (`attended` false), when a wrong PIN was given before.  To be asked before a PIN is.
 */
int card_may_login(const struct card *card, bool attended, struct error *error);

/*
 * One C_Login with this PIN (NULL: at the reader's own pad).  Exactly one try.  CODE_PIN_WRONG (the text says how
 * many tries are left where the card tells, and never guesses), CODE_PIN_LOCKED, CODE_CARD.  The length is checked
 * against the card's limits first, so that a typing slip costs no try.
 */
int card_login(struct card *card, const struct secret *pin, struct error *error);

/*
 * After a login: when the card has a key that asks each time (CKA_ALWAYS_AUTHENTICATE), keeps the PIN for its one use,
 * until the logout or until the card refuses it.  Otherwise does nothing.
 */
int card_keep_pin(struct card *card, const struct secret *pin, struct error *error);

/* The checks of card_login() that cost no try, alone. */
int card_check_pin(const struct card *card, const struct secret *pin, struct error *error);

/*
 * What the card said of the PIN at card_login().  PIN_UNCLEAR: it failed in the middle of it, and may have counted a try.
 */
enum pin_verdict { PIN_REJECTED, PIN_ACCEPTED, PIN_NOT_LOOKED_AT, PIN_UNCLEAR };
enum pin_verdict card_pin_verdict(const struct card *card);

void card_logout(struct card *card);

/*
 * True for a PIN that cards leave the factory with: the card says so, or it is one that makers print in their manuals.
 * OpenSC tells nothing about it, so the values are looked at, too.
 */
bool card_pin_is_factory(const struct card *card, const struct secret *pin);

/* Random bytes of the card are not used: libcrypto's generator is. */

/*
 * Formats a new card in the first unformatted slot (SoftHSM): label, SO PIN, user PIN.  CODE_CARD when the module
 * has no such slot.
 */
int module_format_card(struct module *module, const char *label, const struct secret *so_pin,
                       const struct secret *user_pin, struct card_info *ret_info,
                       struct error *error);

/* "CKR_PIN_LOCKED", or "CKR 0x…" for one without a name. */
const char *ckr_name(unsigned long rv);

#endif
