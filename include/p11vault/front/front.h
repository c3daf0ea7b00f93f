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

/* The version of its API that a provider answered with in place of the one it was asked for. */
struct front_version {
    const char *provider;
    char asked[16], served[16]; /* "" when no answer of this run had another version */
};

/* What every job needs. */
struct front {
    const struct config *config;
    struct vault *vault;
    const struct config_module *module;
    const char *card; /* --card SERIAL or NULL: any trusted card that is there */
    bool ask_pin;     /* --ask-pin: do not take the PIN from the module's file */
    /* Tells the person what happens while it happens; NULL: nobody is told. */
    void (*say)(const char *text);
    struct front_version version; /* what the jobs of this run have seen */
    /* Draws who is waited for, over itself; NULL: nobody any more.  NULL: nothing is drawn. */
    void (*waiting)(const char *whom);
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
    bool again; /* it was trusted already, with the same keys */
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
    const char
        *lost_scopes; /* had since its last login, and not any more: a list (oauth/scopes.h), "" */
    bool resolved;    /* a grant issued by an interrupted run was confirmed instead */
    bool endless;     /* it never expires: nothing was exchanged */
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

/* What a login has brought; valid during the call. */
struct front_logged_in {
    const struct name *name; /* that it gets: another than was given when its kind is another */
    const struct oauth_facts *facts;
    const char *missing; /* asked for and not granted: a list (oauth/scopes.h); NULL: not known */
};

/* How a person logs in.  Texts are "" or NULL where there is none. */
struct front_login {
    const char *scopes, *config_id, *auth_type;
    const char *redirect_uri; /* as it is registered at the provider */
    unsigned port;    /* of the loopback address that takes the answer; 0: the person pastes it */
    unsigned seconds; /* how long a person may take */
    bool by_device;   /* the device flow, not a browser */
    const char *client_token_file; /* for it; NULL: typed at the terminal, or standard input */
    void *context;
    /*
     * Opens the dialog's address, which stands in locked memory and is wiped afterwards: whoever
     * knows the state in it can answer in the provider's place.
     */
    int (*open)(void *context, const char *url, struct error *error);
    /* Tells what to type where, and for how many seconds that holds. */
    void (*device)(void *context, const char *user_code, const char *address, int64_t seconds);
    /* Asked before it is kept; false: it is not. */
    bool (*agrees)(void *context, const struct front_logged_in *logged_in);
};
/*
 * A person logs in at the provider; the grant is exchanged to a long-lived one, confirmed, and
 * takes the place of the old one.  The card is asked when the code has come.
 *
 * With a configuration (Meta's Login for Business) the provider decides of what kind the grant is.
 * One of another kind than the name's is kept under a free name of its kind; the one of that name
 * stays as it is.  What an earlier such login was issued and could not be asked about is settled
 * first, without a person.
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
    const struct name *name; /* NULL: of a page without a grant, or of a list */
    const char *label, *tasks;
    const struct error *failure;
};
struct front_pages {
    bool of_businesses; /* also those of the person's businesses, and of their clients */
    void (*told)(void *context, const struct front_page *page);
    void *context;
};
/*
 * Every page grant of a person's grant, each confirmed and kept once; `error` is the gravest
 * failure.  CODE_PERMISSION also when no page is listed and there must be some.  *ret_note has a
 * text, and a hint, when there may be more pages.
 */
int front_pages(struct front *front, const struct name *from, const struct front_pages *what,
                struct error *ret_note, struct error *error);

/*
 * What the provider says of a grant; the clear columns are brought up to date.  The facts are known
 * also when it is dead. *ret_lost gets the scopes that it has had since its last login, and has not
 * now: a list (oauth/scopes.h), "" for none.
 */
int front_inspect(struct front *front, const struct name *name, struct oauth_facts *ret_facts,
                  struct buffer *ret_lost, struct error *error);

/* What the person has granted and declined.  The caller clears the answer. */
int front_permissions(struct front *front, const struct name *name, struct oauth_answer *ret_answer,
                      struct error *error);

/* One call of the caller's own choice: see oauth/graph.h; or a batch of them, see oauth/batch.h. */
struct front_call {
    const char *method, *path, *fields; /* the fields are a form */
    bool paginate;                      /* go on to the end of the list */
    const char *batch;                  /* in its canonical form, in place of all of these; NULL */
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
 * What only reads is asked for again when the provider has a passing fault; nothing else is, and no
 * batch.  The answer of a call that failed is written, too.  Of a batch the gravest failure is the
 * error.
 */
int front_call(struct front *front, const struct name *name, const struct front_call *what,
               struct front_called *ret_called, struct error *error);

/*
 * A grant that ends together with another; not `is_certain`: if it is of the same person, which
 * nobody has asked.
 */
typedef void front_companion_told(void *context, const char *name, bool is_certain);
/* Which grants end with this one when it is revoked; nobody is asked. */
int front_companions(struct front *front, const struct name *name, front_companion_told *told,
                     void *context, struct error *error);

/*
 * Takes one permission back, or (NULL) ends the grant at the provider: a person's by de-authorising
 * the app.  A grant that is ended is forgotten here; those that are certain to have ended with it
 * are told, and known to be dead.
 */
int front_revoke(struct front *front, const struct name *name, const char *permission,
                 front_companion_told *told, void *context, struct error *error);

/*
 * Whether a signed request, as it is posted to a deauthorise or data-deletion callback, is signed with the app's secret, and
 * what it says.  CODE_STOP when it is not; CODE_USAGE when it is longer than SIGNED_REQUEST_MAX bytes.
 */
int front_check_signed_request(struct front *front, const char *app, const char *text,
                               struct signed_request *ret_request, struct error *error);

/*
 * Whether a body, as it was posted to a webhook, is signed with the app's secret; `signature` is
 * the value of its header X-Hub-Signature-256.  CODE_STOP when it is not, or is malformed (which
 * needs no card).
 */
int front_verify_webhook(struct front *front, const char *app, const char *signature,
                         const void *body, size_t size, struct error *error);

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
