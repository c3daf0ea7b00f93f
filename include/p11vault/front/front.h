/*
 * front.h: the front's side of the rooms: the jobs that verbs order.
 *
 * A job starts the rooms it needs, tells them what the signed log says, and keeps what they answer.  Keys and secrets do
 * not pass through here: between the rooms there is a way of their own, and what comes back is sealed.
 */
#ifndef P11VAULT_FRONT_FRONT_H
#define P11VAULT_FRONT_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "p11vault/vault/apps.h"
#include "p11vault/vault/grants.h"

/* What every job needs. */
struct front {
    const struct config *config;
    struct vault *vault;
    const struct config_module *module;
    const char *card; /* --card SERIAL or NULL: any trusted card that is there */
    bool ask_pin;     /* --ask-pin: do not take the PIN from the module's file */
    /* Tells the person what happens while it happens; NULL: nobody is told. */
    void (*say)(const char *text);
};

/* ---- cards ---- */

struct front_card {
    const char *serial, *label, *model, *manufacturer, *pin;
};
/* Every card the module has; the texts are valid during the call. */
int front_list_cards(const struct config_module *module,
                     int (*each)(void *context, const struct front_card *), void *context,
                     struct error *error);

/* Makes a SoftHSM card in DIRECTORY: its PIN files stand there (0600).  The module's profile must be in the config. */
int front_format_card(const struct config_module *module, const char *directory, const char *label,
                      struct error *error);

struct front_enrolled {
    char serial[128], label[128], alg[32], vkey[NOTE_VKEY_MAX], fingerprint[NOTE_FINGERPRINT_SIZE];
};
/* Enrols a card: `uri` may name a key on it; `key` is the kind to make otherwise, "" for the best. */
int front_enroll(struct front *front, const char *uri, const char *key,
                 struct front_enrolled *ret_enrolled, struct error *error);

/* ---- apps and grants ---- */

struct front_new_app {
    const char *app, *provider, *client_id, *origin; /* origin in normal form */
    const char *secret_file;                         /* NULL: terminal or standard input */
};
/* *ret_cards: how many cards can open it. */
int front_add_app(struct front *front, const struct front_new_app *what, size_t *ret_cards,
                  struct error *error);

/* Seals a new app secret in place of the old one; no card is needed. */
int front_set_secret(struct front *front, const char *app, const char *secret_file,
                     struct error *error);

/* Seals a token got elsewhere as a new current version; no card is needed. */
int front_import(struct front *front, const struct name *name, const char *token_file,
                 struct error *error);

/* What came of one grant; valid during the call. */
struct front_exchanged {
    const struct name *name;
    const struct error *failure; /* NULL: it went well */
    const char *subject;
    int64_t expires_before, expires_after; /* seconds, 0 never, STORE_UNKNOWN */
    bool resolved; /* a grant issued by an interrupted run was confirmed instead */
};
typedef void front_told(void *context, const struct front_exchanged *exchanged);
/*
 * Short-lived to long-lived, verified before the old one is replaced; one login to the card an app, however many grants.
 * `names` (different ones) are sorted by app.  Each grant is told when it is through.  On failure the old grant is untouched and its error says what
 * to do (CODE_WAIT: the provider gave no later expiry); `error` is the gravest of them.
 */
int front_exchange(struct front *front, struct name *names, size_t count, front_told *told,
                   void *context, struct error *error);

#endif
