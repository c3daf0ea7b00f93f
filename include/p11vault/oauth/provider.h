/*
 * provider.h: provider families as pure tables and functions, without I/O: which kinds of grants a family has, which
 * steps lead from one to the other, what each step needs.  call.h makes a step's one HTTPS request, answer.h reads what
 * comes back, judge.h compares what is said of a grant with what must be so, dialog.h is the part a person's browser does.
 *
 * Sources: Meta's documents on access tokens, debug_token, login security (appsecret_proof) and error handling, on
 * Instagram Login and on Threads; what they leave open is a parameter, never an automatic fallback.
 */
#ifndef P11VAULT_OAUTH_PROVIDER_H
#define P11VAULT_OAUTH_PROVIDER_H

#include <stdbool.h>

/* The numbers travel between the rooms: new steps go to the end. */
enum oauth_step {
    STEP_INSPECT_INPUT, /* what the provider says of the grant we hold */
    STEP_EXCHANGE, /* a grant in, one that lives longer out; also renews a system user's for 60 days */
    STEP_INSPECT_RESULT, /* what it says of the grant it issued */
    STEP_CODE,           /* an authorisation code in, a short-lived grant out */
    STEP_REFRESH,        /* a long-lived grant in, its renewed form out (Instagram, Threads) */
    STEP_PAGES,          /* one page of the list of page grants of a user grant */
    STEP_APP_TOKEN,      /* client credentials in, an app token out */
    STEP_SYSTEM_USER,    /* an administrator's grant in, a grant of another system user out */
    STEP_NARROW, /* a business grant in, one with fewer scopes out (system_user_access_tokens) */
    STEP_SESSION_INFO, /* a user grant in, a session-info token out (fb_attenuate_token) */
    STEP_CLIENT_CODE,  /* a long-lived grant in, a code for one more client out */
    STEP_REDEEM,       /* such a code in, the client's own grant out */
    STEP_DEVICE_START, /* nothing in, a device code out */
    STEP_DEVICE_POLL,  /* the device code in, a grant out once the person has confirmed */
    STEP_PERMISSIONS,  /* what the person has granted and declined */
    STEP_TAKE_BACK,    /* one permission is taken back, or (none named) the app is de-authorised */
    STEP_REVOKE,       /* the grant is ended (oauth/revoke) */
    STEP_CALL,         /* a call of the caller's own choice (graph.h); its answer is passed on */
    STEP_BATCH,        /* several of them in one request (batch.h) */
    STEP_BUSINESSES,   /* one page of the list of the businesses that a person has a role in */
    STEP_COUNT         /* how many there are; also: no step */
};

const char *oauth_step_name(enum oauth_step step); /* "inspect-input", "exchange", …; "unknown" */

/* What a step opens and what it yields: bits of oauth_step_needs(). */
enum {
    NEEDS_APP_SECRET = 1,
    NEEDS_GRANT = 2,
    NEEDS_CODE = 4, /* a code or device code that the room holds */
    ISSUES_GRANT = 8,
    ISSUES_PAGES = 16,
    YIELDS_CODE = 32,         /* a code or device code that stays in the room */
    ONCE_ONLY = 64,           /* must never be sent a second time: what went in is used up */
    NEEDS_CLIENT_TOKEN = 128, /* that the room has read */
    LISTS_BUSINESSES = 256,
};

/* A family's own rules. */
struct provider {
    const char *name;           /* "meta", "instagram", "threads" */
    const char *default_origin; /* where its API calls go: "https://graph.facebook.com" */
    const char
        *code_origin; /* where a code is exchanged; NULL: the same ("https://api.instagram.com") */
    const char *dialog_origin;   /* where a person logs in; only ever opened by a browser */
    const char *default_version; /* of its API: "v26.0"; Threads has "v1.0" */
    const char *person_kind;     /* the kind of a person's grant: "user", "instagram", "threads" */
    const char *business_kind; /* that a login configuration can give instead; NULL: it has none */
    const char *pkce_scope;    /* with which its dialog takes PKCE; NULL: with none */
    bool has_debugger; /* inspection says app, expiry and validity; else only whose grant it is */
    bool (*client_id_valid)(const char *client_id);
};

/* NULL when there is none of that name. */
const struct provider *provider_find(const char *name);
/* "meta, instagram, threads": what there is, for messages. */
const char *provider_names(void);

/* Whether the family has grants of this kind (words of base/name.h). */
bool oauth_kind_known(const struct provider *provider, const char *kind);
/*
 * The step that makes a short-lived grant of this kind a long-lived one, and the one that renews it later; STEP_COUNT:
 * none.  A page's grant and an app token are not renewed: they are made anew from what they came from.
 */
enum oauth_step oauth_lengthen_step(const struct provider *provider, const char *kind);
enum oauth_step oauth_renew_step(const struct provider *provider, const char *kind);

/*
 * What brings a dead grant of a kind back: words, the verb, and what stands behind the verb, for oauth_hint_fill().  Other
 * words in capitals are for the person to fill in.  A constant.
 */
struct oauth_revival {
    const char *words, *verb, *rest;
};
const struct oauth_revival *oauth_revival(const struct provider *provider, const char *kind);

/*
 * The verb that confirms a grant of this kind that waits: "exchange", or "refresh" where there is
 * nothing to exchange.
 */
const char *oauth_confirming_verb(const struct provider *provider, const char *kind);

/* The step that ends a grant of this kind at the provider; STEP_COUNT: it has no call for that. */
enum oauth_step oauth_end_step(const struct provider *provider, const char *kind);

/* Whether such a step ends other grants of the same person, if they are of this kind. */
bool oauth_ends_too(const struct provider *provider, enum oauth_step step, const char *kind);

/* What a step needs and yields for this family (bits above).  0: the family has no such step. */
unsigned oauth_step_needs(const struct provider *provider, enum oauth_step step);
/* Whether the step goes to the code origin. */
bool oauth_step_at_code_origin(const struct provider *provider, enum oauth_step step);

#endif
