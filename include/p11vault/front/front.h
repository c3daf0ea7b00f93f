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

#include "p11vault/oauth/answer.h"
#include "p11vault/oauth/signed_request.h"
#include "p11vault/vault/apps.h"
#include "p11vault/vault/grants.h"
#include "p11vault/vault/lost.h"

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
    const char *serial, *label, *model, *manufacturer, *pin, *can;
};
/* Every card the module has, within five seconds; the texts are valid during the call. */
int front_list_cards(const struct config_module *module,
                     int (*each)(void *context, const struct front_card *), void *context,
                     struct error *error);

/* True when the PIN of the card's pin-source was rejected, so that it is not tried unattended. */
bool front_pin_rejected(const struct config *config, const char *serial);

/* Makes a SoftHSM card in DIRECTORY: its PIN files stand there (0600).  The module's profile must be in the config. */
int front_format_card(const struct config_module *module, const char *directory, const char *label,
                      struct error *error);

struct front_enrolled {
    char serial[128], label[128], alg[32], vkey[NOTE_VKEY_MAX], fingerprint[NOTE_FINGERPRINT_SIZE];
};
/* Which card, and which keys of it. */
struct front_keys {
    const char *uri;  /* may name the key that unwraps */
    const char *sign; /* names the key that signs; "": it is made on the card */
    const char *kind; /* of key, to make where none is named; "": the best */
};
int front_enroll(struct front *front, const struct front_keys *keys,
                 struct front_enrolled *ret_enrolled, struct error *error);

/*
 * What a card says of itself for who enrols it where it is not (docs/formats.md), signed by its own signing key: both keys are found or
 * made, and the one that unwraps is proved, as at an enrolment.  `front` needs no vault.  The caller frees the text.
 */
int front_export_card(struct front *front, const struct front_keys *keys, char **ret_text,
                      char ret_fingerprint[NOTE_FINGERPRINT_SIZE], struct error *error);

/* Such a text, read and its signature checked. */
struct front_export {
    json_t *card; /* the members of its entry, but for those of the enrolment */
    char fingerprint[NOTE_FINGERPRINT_SIZE]; /* which a person has compared */
};
void front_export_clear(struct front_export *export);
/* CODE_CONFIG when the file cannot be read, CODE_STOP when it is no export or not signed by the card it is about. */
int front_read_export(const char *path, struct front_export *ret_export, struct error *error);
/*
 * Enrols the card that a text is about: a card that is trusted and here signs for it, and its person sees the fingerprint in the PIN's
 * prompt.  Nobody has proved here that the key unwraps.  CODE_USAGE when the card is trusted already.
 */
int front_enroll_export(struct front *front, const struct front_export *export,
                        struct error *error);

/*
 * Trusts a card no more, with all of its keys: what it signs counts no further (vault_trust_end), and every app that it opens is sealed
 * anew to the others, one login to another card each; `told` is called for every app that is done.  With `lost` what it could open is marked exposed.  A run that was broken off can be done again.
 * CODE_CONFIG when no other card is left.
 */
int front_remove_card(struct front *front, const char *serial, bool lost,
                      void (*told)(void *context, const char *app), void *context,
                      struct error *error);

/* ---- apps and grants ---- */

/*
 * Another key for an app: its secret and its grants are sealed anew to it, all of them or (on failure) none.  `told` hears how many are done.
 * It protects no copy of the store that was taken before.
 */
int front_rekey(struct front *front, const char *app,
                void (*told)(void *context, size_t done, size_t count), void *context,
                struct error *error);

/* Seals an app's key anew to all trusted cards, for one that was enrolled since.  *ret_cards: how many there are. */
int front_reseal(struct front *front, const char *app, size_t *ret_cards, struct error *error);

struct front_new_app {
    const char *app, *provider, *client_id;
    const char *origin;      /* where its calls go, in normal form */
    const char *code_origin; /* where a login's code is exchanged; the same text: there, too */
    const char *secret_file; /* NULL: terminal or standard input */
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

/* What is wanted for a grant: that it lives longer for the first time, again, or that it is looked at. */
enum front_renewal { FRONT_EXCHANGE, FRONT_REFRESH, FRONT_CHECK };
struct front_wanted {
    struct name name;
    enum front_renewal how; /* what cannot be refreshed is looked at */
    int64_t version;        /* that was current when this was decided; 0: whichever is */
};

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
 * Each as wanted, verified before the old one is replaced; one login to the card an app, however many grants.
 * `wanted` (different names) is sorted by app; `verb` is what the log and the PIN's prompt say.  Each grant is told when it is through.  On failure the old grant is untouched and its error says what
 * to do (CODE_WAIT: the provider gave no later expiry); `error` is the gravest of them.  One that another process has
 * replaced since it was decided is told as it is now, without a call.
 */
int front_renew(struct front *front, const char *verb, struct front_wanted *wanted, size_t count,
                front_told *told, void *context, struct error *error);

/* How a person logs in.  Texts are "" or NULL where there is none. */
struct front_login {
    const char *scopes, *config_id, *auth_type;
    const char *redirect_uri; /* as it is registered at the provider */
    unsigned port;    /* of the loopback address that takes the answer; 0: the person pastes it */
    unsigned seconds; /* how long a person may take */
    const char *client_token; /* the device flow, with this client token; NULL: in a browser */
    void *context;
    /* Opens the dialog's address, which holds no secret. */
    int (*open)(void *context, const char *url, struct error *error);
    /* Tells what to type where, and for how many seconds that holds. */
    void (*device)(void *context, const char *user_code, const char *address, int64_t seconds);
    /* Whose grant it is; false: it is not kept. */
    bool (*agrees)(void *context, const struct oauth_facts *facts);
};
/*
 * A person logs in at the provider; the grant is exchanged to a long-lived one, confirmed, and takes the place of the old one.  The
 * card is asked when the code has come.
 */
int front_login(struct front *front, const struct name *name, const struct front_login *what,
                struct error *error);

/* A grant that comes from another one, or from the app itself. */
struct front_issue {
    const struct name *from; /* NULL: an app token */
    const char *subject;     /* id of the system user or, with `is_narrow`, of the business; NULL */
    const char *scopes, *assets;
    const char *redirect_uri; /* for a client of its own, as it is registered at the provider */
    bool is_narrow, sixty_days;
};
/* The kind of `name` decides.  The facts are what the provider says of the new grant. */
int front_issue(struct front *front, const struct name *name, const struct front_issue *what,
                struct oauth_facts *ret_facts, struct error *error);

/* One page's grant; valid during the call.  `failure` NULL: it is kept as `name`. */
struct front_page {
    const struct name *name;
    const char *label, *tasks;
    const struct error *failure;
};
typedef void front_page_told(void *context, const struct front_page *page);
/* Every page grant of a person's grant, each confirmed and kept; `error` is the gravest failure. */
int front_pages(struct front *front, const struct name *from, front_page_told *told, void *context,
                struct error *error);

/* What the provider says of a grant; the clear columns are brought up to date.  The facts are known also when it is dead. */
int front_inspect(struct front *front, const struct name *name, struct oauth_facts *ret_facts,
                  struct error *error);

/* What the person has granted and declined.  The caller clears the answer. */
int front_permissions(struct front *front, const struct name *name, struct oauth_answer *ret_answer,
                      struct error *error);

/* One call of the caller's own choice: see oauth/graph.h. */
struct front_call {
    const char *method, *path, *fields; /* the fields are a form */
    bool paginate;                      /* go on to the end of the list */
    /* Takes scrubbed bytes of an answer as they come; then that it is whole. */
    int (*write)(void *context, const void *bytes, size_t size, struct error *error);
    int (*end)(void *context, struct error *error);
    void *context;
};
struct front_called {
    int http;         /* of the last answer; 0: there was none */
    int64_t scrubbed; /* places in the answers that held a token or secret */
};
/*
 * What only reads is asked for again when the provider has a passing fault; nothing else is.  The answer of a call that
 * failed is written, too.
 */
int front_call(struct front *front, const struct name *name, const struct front_call *what,
               struct front_called *ret_called, struct error *error);

/*
 * Takes one permission back, or (NULL) ends the grant at the provider: a person's by de-authorising the app.  A grant that is
 * ended is forgotten here.
 */
int front_revoke(struct front *front, const struct name *name, const char *permission,
                 struct error *error);

/*
 * Whether a signed request, as it is posted to a deauthorise or data-deletion callback, is signed with the app's secret, and
 * what it says.  CODE_STOP when it is not; CODE_USAGE when it is longer than SIGNED_REQUEST_MAX bytes.
 */
int front_check_signed_request(struct front *front, const char *app, const char *text,
                               struct signed_request *ret_request, struct error *error);

/* Has the log signed as it is now; *ret_size is how many entries that covers. */
int front_checkpoint(struct front *front, uint64_t *ret_size, struct error *error);

/*
 * Goes on from a store that is older than a head that was seen: each is named in an entry, which the card signs when the person
 * was asked the PIN for this.  CODE_USAGE when nothing is lost.
 */
struct front_lost {
    struct vault_lost heads[LOST_MAX];
    size_t count;
    uint64_t signed_size;
};
int front_accept(struct front *front, struct front_lost *ret_lost, struct error *error);

/* Another label for a grant; the record is sealed anew under it. */
int front_rename(struct front *front, const struct name *from, const struct name *to,
                 struct error *error);

/* Forgets a grant that is dead at the provider; no card is needed. */
int front_forget(struct front *front, const struct name *name, struct error *error);

#endif
