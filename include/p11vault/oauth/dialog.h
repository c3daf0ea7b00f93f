/*
 * dialog.h: the login that a person's browser does: the dialog's URL, what comes back in the redirect, PKCE.
 */
#ifndef P11VAULT_OAUTH_DIALOG_H
#define P11VAULT_OAUTH_DIALOG_H

#include "p11vault/base/buffer.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/answer.h"

#define OAUTH_REDIRECT_URI_MAX 2000
#define OAUTH_DIALOG_URL_MAX ((size_t)16 * 1024)

/* Texts are "" or NULL where there is none. */
struct oauth_dialog {
    const char *client_id;
    const char *api_version; /* Meta only */
    const char *redirect_uri;
    const char *scopes;         /* comma-separated */
    const char *config_id;      /* digits: Login for Business; in place of scopes */
    const char *auth_type;      /* comma-separated: rerequest, reauthorize, reauthenticate */
    const char *auth_nonce;     /* with reauthenticate: 16 to 31 letters, digits, "-", "_" */
    const char *code_challenge; /* PKCE, S256: where oauth_dialog_takes_pkce() */
};

/*
 * Whether the dialog takes a challenge (RFC 7636) for what is asked for.  RFC 9700, section 2.1.1,
 * wants one from every client; Meta documents it for OpenID Connect alone, Instagram and Threads
 * not at all.
 */
bool oauth_dialog_takes_pkce(const struct provider *provider, const struct oauth_dialog *dialog);

/*
 * The URL for the browser, with a NUL behind it, in a new secret that the caller frees: whoever
 * knows `state` (16 to 128 letters, digits, "-", "_", from a random number) can answer in the
 * provider's place.  `dialog_origin` NULL: the family's.  CODE_USAGE for what cannot be asked for.
 */
int oauth_dialog_url(const struct provider *provider, const char *dialog_origin,
                     const struct oauth_dialog *dialog, const struct secret *state,
                     struct secret **ret_url, struct error *error);

/*
 * A redirect address: https, or http to 127.0.0.1, [::1] or localhost; printable ASCII without a fragment.  CODE_USAGE
 * with what is wrong.
 */
int oauth_redirect_uri_check(const char *redirect_uri, struct error *error);

/* What came back. */
struct oauth_redirect {
    /*
     * CODE_DONE: `code` is there.  CODE_STOP without a provider_code: not the answer to this login (wrong or no state,
     * a parameter twice, malformed): whoever listens goes on listening.  Else the login is over: CODE_LOGIN (declined),
     * CODE_CONFIG, CODE_PERMISSION, CODE_RETRY, CODE_WAIT, CODE_STOP.
     */
    struct oauth_verdict verdict;
    struct secret *code;
};

/* What an answer to this login must bring back. */
struct oauth_awaited {
    const struct secret *state;
    const char *issuer; /* the dialog's origin: compared with `iss` where that is sent (RFC 9207) */
};

void oauth_redirect_clear(struct oauth_redirect *redirect);
#define auto_redirect __attribute__((cleanup(oauth_redirect_clear)))

/*
 * Reads the query of a redirect, with or without "?" before it, or the whole address as a person
 * pastes it.  The state is compared in constant time; without it nothing is believed, an error as
 * little as a code (RFC 6749, section 4.1.2.1: both bring it back).  Fails for want of memory only.
 */
int oauth_redirect_read(const struct secret *query, const struct oauth_awaited *awaited,
                        struct oauth_redirect *ret_redirect, struct error *error);

/*
 * 256 random bits as 64 hexadecimal digits: a state, or a verifier of PKCE (RFC 7636).  The caller
 * frees it.
 */
int oauth_random_text(struct secret **ret_text, struct error *error);
#define OAUTH_CHALLENGE_SIZE 44 /* with its NUL */
/* The S256 challenge of a verifier (43 to 128 of A-Z a-z 0-9 - . _ ~, else CODE_USAGE). */
int oauth_pkce_challenge(const struct secret *verifier, char ret_challenge[OAUTH_CHALLENGE_SIZE],
                         struct error *error);

#endif
