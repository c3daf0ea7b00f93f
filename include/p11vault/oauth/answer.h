/*
 * answer.h: from an answer of a provider to a grant, a code, facts, or a verdict with one operator action.
 */
#ifndef P11VAULT_OAUTH_ANSWER_H
#define P11VAULT_OAUTH_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/provider.h"
#include "p11vault/oauth/usage.h"

/* What a provider says of a grant.  Texts "" and numbers FACT_UNKNOWN when it did not say. */
#define FACT_UNKNOWN (-1)
#define FACT_SCOPES_MAX 128 /* ENTRY_TEXTS_MAX: all of them stand in the log */
#define FACT_TEXT_MAX 128
#define FACT_GRANULAR_MAX 4096

struct oauth_facts {
    char app_id[FACT_TEXT_MAX];
    char application[FACT_TEXT_MAX]; /* the app's name: a label, see struct oauth_page */
    char type[FACT_TEXT_MAX];        /* "USER", "PAGE", … as the provider writes it */
    char subject[FACT_TEXT_MAX];     /* the user id; digits as text, ids pass 2^53 */
    char profile[FACT_TEXT_MAX]; /* the page or Instagram account that the grant acts as; digits */
    int valid;                   /* 1, 0, FACT_UNKNOWN */
    int64_t expires;             /* seconds; 0: never */
    int64_t data_expires;        /* 0: none */
    int64_t issued;
    char scopes[FACT_SCOPES_MAX][FACT_TEXT_MAX];
    size_t scope_count;
    /* "ads_management=12,34 pages_show_list=5 public_profile": scopes with the assets they are for; no "=": all. */
    char granular[FACT_GRANULAR_MAX];
    bool granular_cut; /* the provider named more than fits */
    /* metadata of the login: "" also when it is not of a few plain characters */
    char sso[FACT_TEXT_MAX], auth_type[FACT_TEXT_MAX];
    char auth_nonce[FACT_TEXT_MAX]; /* that of the dialog, with auth_type reauthenticate */
};

/* Facts of which nothing is known. */
void oauth_facts_init(struct oauth_facts *facts);

/* One outcome, one action.  `message` is our own text; nothing the provider wrote is in it. */
struct oauth_verdict {
    enum code action; /* CODE_DONE: the step did what it should */
    int http;
    int64_t provider_code, subcode; /* 0: none */
    char trace
        [FACT_TEXT_MAX]; /* fbtrace_id: letters, digits, "-", "_"; under 32, as an app secret has 32 */
    char message[256];
    char hint[256]; /* NAME stands for the grant's name, APP for the app's: oauth_hint_fill() */
};

/*
 * STEP_DEVICE_POLL: the two subcodes of CODE_WAIT that mean "poll on": after `interval` seconds, or after five seconds
 * more than before.  The verdict has them however the provider said so.
 */
#define DEVICE_PENDING 1349174
#define DEVICE_SLOW_DOWN 1349172

#define OAUTH_HINT_MAX 512
/* The hint with the words NAME and APP replaced; cut where it does not fit. */
void oauth_hint_fill(const char *hint, const char *name, const char *app,
                     char ret_text[OAUTH_HINT_MAX]);

/*
 * A page's grant as an item of a list.  A label is UTF-8 without control characters, cut to fit, and "" when a word in
 * it is as long as a secret: what a hostile server echoes must not get onto a terminal.
 */
struct oauth_page {
    char id[FACT_TEXT_MAX];
    char label[FACT_TEXT_MAX];
    char tasks[256];      /* "ANALYZE,ADVERTISE,…" */
    bool has_grant;       /* false: the provider gave none for this page; businesses have none */
    struct secret *grant; /* taken out once it is sealed */
};
#define OAUTH_PAGES_MAX 50 /* of one answer; see OAUTH_PAGES_LIMIT */

struct oauth_permission {
    char name[FACT_TEXT_MAX];
    char status[32]; /* "granted", "declined", "expired" */
};
#define OAUTH_PERMISSIONS_MAX 128

#define OAUTH_CURSOR_MAX 1024
#define OAUTH_NEXT_MAX 4096

struct oauth_answer {
    struct oauth_verdict verdict;
    struct oauth_facts
        facts; /* inspection; what a token answer says besides the token (subject, scopes, times) */
    struct secret *grant; /* ISSUES_GRANT */
    struct secret *code;  /* YIELDS_CODE */
    int64_t
        expires_in; /* of grant or device code: seconds, FACT_UNKNOWN when the provider did not say */
    struct oauth_page *pages; /* ISSUES_PAGES, LISTS_BUSINESSES */
    size_t page_count;
    int64_t total; /* items that the provider counts in the whole list; 0: none, or not said */
    char cursor
        [OAUTH_CURSOR_MAX]; /* of the list's next page, "" at its end; an empty page may have one */
    struct oauth_permission *permissions; /* STEP_PERMISSIONS */
    size_t permission_count;
    int64_t scrubbed; /* STEP_CALL, STEP_BATCH: places of the answer that were not passed on */
    bool has_next;    /* STEP_CALL: the answer is a list that goes on */
    char next[OAUTH_NEXT_MAX]; /* a form for the call of its next page; "": no call leads there */
    char user_code[32];        /* device login: what the person types at verification_uri */
    char verification_uri[FACT_TEXT_MAX];
    int64_t interval; /* seconds between polls, at least 5 */
    char machine_id[FACT_TEXT_MAX];
    char api_version
        [16]; /* that which the provider used, when it is not the one asked for; else "" */
    struct oauth_usage usage; /* of its quotas, whatever the verdict */
};

void oauth_answer_clear(struct oauth_answer *answer);
#define auto_answer __attribute__((cleanup(oauth_answer_clear)))

/* An answer as it came. */
struct oauth_reply {
    enum oauth_step step;
    int status;
    const char *(*header)(void *context, const char *name); /* NULL when it is absent */
    void *context;
    const struct secret *body;
    const char *api_version; /* what was asked for; NULL: not compared */
};

/*
 * Judges an answer.  Fails only for want of memory, and with CODE_USAGE for a step the family does not have: an answer
 * that is no JSON, empty, a redirect or an error is a verdict.
 */
int oauth_answer_read(const struct provider *provider, const struct oauth_reply *reply,
                      struct oauth_answer *ret_answer, struct error *error);

#endif
