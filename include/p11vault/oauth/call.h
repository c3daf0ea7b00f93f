/*
 * call.h: from a step, its parameters and opened values to one HTTPS request.
 *
 * Secrets travel in a form or in the Authorization header.  Only where a family documents nothing but GET (the exchange
 * and the refresh of Instagram and Threads), and with by_get, do they stand in the target; the target is a secret for that.
 */
#ifndef P11VAULT_OAUTH_CALL_H
#define P11VAULT_OAUTH_CALL_H

#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/provider.h"

#define OAUTH_TOKEN_MAX ((size_t)16 * 1024) /* bytes of a grant, a code or an app secret */
#define OAUTH_PAGES_LIMIT 25                /* pages that are asked for at once */

/* Texts are "" or NULL where a step has none. */
struct oauth_parameters {
    const char *client_id;
    const char *api_version; /* "v26.0" */
    int64_t now;             /* seconds, for appsecret_time */
    /* The documented GET where POST with method=get is unproved: debug_token, client_code, revoke, lists, Threads' app token. */
    bool by_get;
    const char *redirect_uri; /* as oauth_redirect_uri_check() (dialog.h) takes it */
    const char *scopes;       /* comma-separated */
    const char *cursor;       /* of a page of a list */
    const char *subject; /* digits: user, system user or business the step is about; none: me */
    const char *page;    /* digits: STEP_PAGES asks for this page alone */
    /* STEP_PAGES: "owned_pages" or "client_pages" of the business `subject`; none: a user's own. */
    const char *edge;
    const char *permission;   /* STEP_TAKE_BACK; none: all, which de-authorises the app */
    const char *machine_id;   /* STEP_REDEEM: what an earlier redemption gave */
    const char *assets;       /* comma-separated ids: STEP_NARROW */
    const char *kind;         /* of the grant that goes in; none: the family's person_kind */
    /* STEP_CALL (graph.h): the fields are a form; STEP_BATCH (batch.h): they are the batch. */
    const char *method, *path, *fields;
    bool sixty_days; /* set_token_expires_in_60_days: STEP_SYSTEM_USER, STEP_NARROW */
    bool fetch_only; /* STEP_NARROW: read back the grant that exists already */
};

/* Opened values: valid during the call only; NULL where the step needs none. */
struct oauth_values {
    const struct secret *app_secret;
    const struct secret *grant;
    const struct secret *code;     /* authorisation code, client code, device code */
    const struct secret *verifier; /* PKCE (RFC 7636) or NULL; with it a code needs no app secret */
    const struct secret *client_token; /* device login */
    const struct secret
        *caller; /* STEP_REVOKE: the grant to call with; NULL: the one that is revoked */
};

/*
 * A client token stands behind the client id and "|": letters, digits, "-" and "_", else
 * CODE_USAGE.
 */
int oauth_client_token_check(const struct secret *client_token, struct error *error);

/* One request; the parts are what http/request.h takes. */
struct oauth_call {
    const char *method;
    struct secret *target;
    struct secret *bearer; /* NULL: none */
    struct secret *form;   /* NULL: none */
};

void oauth_call_clear(struct oauth_call *call);
#define auto_call __attribute__((cleanup(oauth_call_clear)))

/*
 * Builds the request of a step.  Every parameter is checked so that it cannot leave its place; app ids, versions and
 * values that cannot be are CODE_CONFIG and CODE_STOP, a step or kind that the family does not have and a malformed
 * parameter of a command are CODE_USAGE.  appsecret_proof in its timed form goes with every call to Meta that carries
 * an access token and whose step opens the app secret, oauth/access_token left out.
 */
int oauth_call_make(const struct provider *provider, enum oauth_step step,
                    const struct oauth_parameters *parameters, const struct oauth_values *values,
                    struct oauth_call *ret_call, struct error *error);

#endif
