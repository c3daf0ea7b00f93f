/*
 * meta_error_rows.c: the table of errors, from Meta's "Handle Errors", the Marketing API error reference, and what the
 * field has seen.  The first row that fits decides.  Subcodes that mean one thing only stand first:
 * they decide whatever the code.
 */
#include "meta_error_rows.h"

#include <stdint.h>

#define ANY_CODE INT64_MIN, INT64_MAX

#define ROW(places, code, subcode, action, message, hint)                                          \
    {                                                                                              \
        places, 0, code, code, subcode, action, message, hint, NULL                                \
    }
#define RANGE(places, first, last, action, message, hint)                                          \
    {                                                                                              \
        places, 0, first, last, ANY_SUBCODE, action, message, hint, NULL                           \
    }
#define SUBCODE(places, subcode, action, message, hint)                                            \
    {                                                                                              \
        places, 0, ANY_CODE, subcode, action, message, hint, NULL                                  \
    }
#define ROW_TEXT(places, code, text, action, message, hint)                                        \
    {                                                                                              \
        places, 0, code, code, ANY_SUBCODE, action, message, hint, text                            \
    }

#define HINT_AGAIN "try again in a few minutes"
#define HINT_LATER "wait an hour, then try again"
#define HINT_NEWER "this is a fault of p11vault: look for a newer version"
#define HINT_LOGIN "log in again: p11vault login NAME"
#define HINT_FACEBOOK "log in at facebook.com and do what it asks, then: p11vault login NAME"
#define HINT_SECRET                                                                                \
    "compare id and secret with the app's dashboard, then: p11vault app set-secret APP"
#define HINT_APP_ID "compare the app's id with its dashboard: p11vault app show APP"
#define HINT_DASHBOARD "check permissions and app review in the app's dashboard"
#define HINT_REACTIVATE "reactivate the app in its dashboard"
#define HINT_TESTER                                                                                \
    "add the account as a tester in the app's dashboard, and accept the invitation in the account"
#define HINT_ADDRESS "add this machine's address to the server IP allow list in the app's dashboard"
#define HINT_CONSENT "log in again and grant what is asked for: p11vault login NAME --rerequest"
#define HINT_VERSION "set api-version in [meta] of the configuration to a current version"
#define HINT_PATH "check the path; when that is right: api-version in [meta] of the configuration"
#define HINT_METHOD "set debug-token = get in [meta] of the configuration"
#define HINT_CLOCK "set this machine's clock; if it is right: p11vault app set-secret APP"
#define HINT_OTHER "import a token that this app was given: p11vault import NAME"
#define HINT_LOOK "look at the token in Meta's Access Token Debugger, then: p11vault login NAME"
#define HINT_INACTIVE "log in again: p11vault login NAME --reauthorize"
#define HINT_ROLE                                                                                  \
    "get the role on the page back, then list the pages of its user again: p11vault pages"
#define HINT_REDIRECT "compare it with the addresses in the app's dashboard"
#define HINT_NAMED "check the ids, permissions and assets that were named"
#define HINT_DEVICE "start again: p11vault login NAME --device"
#define HINT_CLIENT_TOKEN                                                                          \
    "compare the client token with the app's dashboard, and see that device login is on there"

#define CODE_REFUSED                                                                               \
    "the provider does not take the code: it was used, has expired, or belongs to another login"

const struct error_row error_rows[] = {
    /* Subcodes.  Those of a device login, since 17 and 463 mean something else everywhere else. */
    SUBCODE(DEVICE, DEVICE_PENDING, CODE_WAIT, "the device login is not confirmed yet", HINT_AGAIN),
    SUBCODE(DEVICE, DEVICE_SLOW_DOWN, CODE_WAIT,
            "the provider is asked too often about a device login", HINT_AGAIN),
    SUBCODE(DEVICE, DEVICE_EXPIRED, CODE_LOGIN, "the device login was not confirmed in time",
            HINT_DEVICE),
    SUBCODE(DEVICE, DEVICE_DECLINED, CODE_LOGIN, "the person has declined the device login",
            HINT_DEVICE),
    /* Those of a grant's end, which come with 190, 102, 230, and without a code. */
    SUBCODE(GRANT, 458, CODE_LOGIN, "the user has removed the app", HINT_LOGIN),
    SUBCODE(GRANT, 459, CODE_LOGIN, "the user is held up by a security check at facebook.com",
            HINT_FACEBOOK),
    SUBCODE(GRANT, 460, CODE_LOGIN,
            "the user has changed the password, or the provider has ended the session", HINT_LOGIN),
    SUBCODE(GRANT, 463, CODE_LOGIN, "the token has expired", HINT_LOGIN),
    SUBCODE(GRANT, 464, CODE_LOGIN, "the user's account is not confirmed", HINT_FACEBOOK),
    SUBCODE(GRANT, 467, CODE_LOGIN, "the token was revoked, or the user has logged out",
            HINT_LOGIN),
    SUBCODE(GRANT, 483, CODE_LOGIN, "the user must consent to something first", HINT_FACEBOOK),
    SUBCODE(GRANT, 492, CODE_LOGIN, "the user has lost the role on the page of this token",
            HINT_ROLE),
    SUBCODE(GRANT, 493, CODE_LOGIN, "the user has not used the app for more than 90 days",
            HINT_INACTIVE),
    SUBCODE(EXCHANGE | CODE, 36009, CODE_LOGIN, "the authorisation code was used already",
            HINT_LOGIN),
    /* Those of a policy's block. */
    SUBCODE(ANYWHERE, 1390008, CODE_STOP, "the provider blocks the user for acting too fast",
            "do nothing with this user for a day"),
    SUBCODE(ANYWHERE, 4854002, CODE_STOP, "the provider wants the user to confirm an identity",
            HINT_FACEBOOK),
    SUBCODE(ANYWHERE, 1404082, CODE_STOP, "the provider blocks the request as a repetition", ""),

    /* Faults at the provider, and code 1, which on the token endpoint means our secret. */
    RANGE(ANYWHERE, -2, -1, CODE_RETRY, "the provider has a fault inside", HINT_AGAIN),
    ROW(ANYWHERE, 1, 99, CODE_STOP, "the provider finds a parameter wrong or the request too heavy",
        ""),
    ROW_TEXT(EXCHANGE | CODE | CLIENT | GRAPH, 1, "client secret", CODE_CONFIG,
             "the app secret is wrong", HINT_SECRET),
    ROW_TEXT(EXCHANGE | CODE | CLIENT, 1, "not specified", CODE_FAULT,
             "the call lacks a parameter that the provider wants", HINT_NEWER),
    ROW_TEXT(EXCHANGE | CODE | CLIENT, 1, "nknown error", CODE_RETRY,
             "the provider has an unknown fault", HINT_AGAIN),
    {EXCHANGE | CODE | CLIENT, STATUS_SERVER_FAULT, 1, 1, ANY_SUBCODE, CODE_RETRY,
     "the provider has an unknown fault", HINT_AGAIN, NULL},
    ROW(EXCHANGE | CODE | CLIENT, 1, ANY_SUBCODE, CODE_CONFIG,
        "the provider refuses the app at its token endpoint, most likely for a wrong app secret",
        HINT_SECRET),
    ROW(ANYWHERE, 1, ANY_SUBCODE, CODE_RETRY, "the provider has an unknown fault", HINT_AGAIN),
    ROW(ANYWHERE, 2, ANY_SUBCODE, CODE_RETRY, "the provider's service is down for the moment",
        HINT_AGAIN),
    ROW(ANYWHERE, 960, ANY_SUBCODE, CODE_RETRY, "the provider could not run its batch", HINT_AGAIN),
    ROW(ANYWHERE, 2642, ANY_SUBCODE, CODE_RETRY, "the provider's list has moved on meanwhile",
        "start the listing again"),

    /* Limits. */
    ROW(ANYWHERE, 4, ANY_SUBCODE, CODE_WAIT, "the app has used up its calls for now", HINT_LATER),
    ROW(ANYWHERE, 9, ANY_SUBCODE, CODE_WAIT, "calls come too fast for the provider", HINT_LATER),
    ROW(ANYWHERE, 17, 1349172, CODE_WAIT, "the provider is asked too often about a device login",
        HINT_AGAIN),
    ROW(ANYWHERE, 17, ANY_SUBCODE, CODE_WAIT, "the user's calls are used up for now", HINT_LATER),
    ROW(ANYWHERE, 31, ANY_SUBCODE, CODE_WAIT, "the device login is not confirmed yet", HINT_AGAIN),
    ROW(ANYWHERE, 32, ANY_SUBCODE, CODE_WAIT, "the page's calls are used up for now", HINT_LATER),
    ROW(ANYWHERE, 341, ANY_SUBCODE, CODE_WAIT, "the app has reached a temporary limit", HINT_LATER),
    ROW(ANYWHERE, 613, ANY_SUBCODE, CODE_WAIT, "calls come faster than this call allows",
        HINT_LATER),
    RANGE(ANYWHERE, 80000, 80099, CODE_WAIT, "a limit of this business use case is reached",
          HINT_LATER),

    /* Permissions. */
    ROW(ANYWHERE, 3, ANY_SUBCODE, CODE_PERMISSION, "the app lacks the capability for this call",
        HINT_DASHBOARD),
    ROW(ANYWHERE, 10, ANY_SUBCODE, CODE_PERMISSION,
        "a permission was not granted or was taken back", HINT_CONSENT),
    ROW_TEXT(ANYWHERE, 200, "API access", CODE_CONFIG,
             "the app's access to the API is deactivated or blocked", HINT_REACTIVATE),
    RANGE(ANYWHERE, 200, 299, CODE_PERMISSION, "a permission or an accepted term of use is missing",
          HINT_CONSENT),

    /* Code 100: by its text, else by where it stands. */
    ROW_TEXT(ANYWHERE, 100, "appsecret_proof", CODE_CONFIG,
             "the provider does not accept the appsecret_proof", HINT_CLOCK),
    ROW_TEXT(INSPECT, 100, "Viewing App", CODE_STOP, "the token belongs to another app",
             HINT_OTHER),
    ROW_TEXT(INSPECT, 100, "nsupported", CODE_CONFIG,
             "the provider does not take debug_token by this HTTP method", HINT_METHOD),
    ROW_TEXT(GRAPH | CLIENT, 100, "method type", CODE_CONFIG,
             "the provider does not take this call by this HTTP method", HINT_METHOD),
    ROW(INSPECT, 100, 33, CODE_CONFIG, "the provider does not take debug_token in this way",
        HINT_METHOD),
    ROW(INSPECT, 100, ANY_SUBCODE, CODE_STOP,
        "debug_token refuses the token, most likely as one of another app", HINT_OTHER),
    ROW(GRANT, 100, 33, CODE_PERMISSION, "the token may not see what the call is about",
        HINT_CONSENT),
    ROW_TEXT(CODE, 100, "redirect_uri", CODE_CONFIG,
             "the redirect address is not the one of the login, or not one of the app's",
             HINT_REDIRECT),
    ROW(CODE, 100, ANY_SUBCODE, CODE_LOGIN, CODE_REFUSED, HINT_LOGIN),
    ROW(CLIENT, 100, ANY_SUBCODE, CODE_CONFIG, "the app's id or the app secret is wrong",
        HINT_SECRET),
    ROW(DEVICE, 100, ANY_SUBCODE, CODE_CONFIG, "the provider refuses a device login of this app",
        HINT_CLIENT_TOKEN),
    ROW(DIALOG, 100, ANY_SUBCODE, CODE_CONFIG,
        "the login dialog refuses a permission or a parameter", HINT_DASHBOARD),
    ROW(GRAPH, 100, ANY_SUBCODE, CODE_STOP, "the provider refuses a parameter of the call",
        HINT_NAMED),
    ROW(GRANT, 100, ANY_SUBCODE, CODE_STOP, "the provider refuses a parameter of the call",
        HINT_LOOK),

    /* Our app. */
    ROW(ANYWHERE, 5, ANY_SUBCODE, CODE_CONFIG,
        "the provider refuses calls of this app from this machine's address", HINT_ADDRESS),
    ROW(ANYWHERE, 101, ANY_SUBCODE, CODE_CONFIG, "the provider does not know the app's id",
        HINT_APP_ID),
    ROW(ANYWHERE, 104, ANY_SUBCODE, CODE_CONFIG,
        "the provider misses a token or finds its signature wrong", HINT_SECRET),
    ROW(INSPECT | CLIENT, 190, ANY_SUBCODE, CODE_CONFIG, "the app's id or the app secret is wrong",
        HINT_SECRET),
    ROW(ANYWHERE, 191, ANY_SUBCODE, CODE_CONFIG, "the redirect address is not one of the app's",
        HINT_REDIRECT),
    ROW_TEXT(GRAPH, 2500, "nknown path", CODE_CONFIG,
             "the provider does not know the path of the call", HINT_PATH),
    ROW(ANYWHERE, 2500, ANY_SUBCODE, CODE_CONFIG,
        "the provider does not know the path of the call, or wants a token with it", HINT_VERSION),
    ROW(ANYWHERE, 2635, ANY_SUBCODE, CODE_CONFIG, "the version of the Graph API is too old",
        HINT_VERSION),

    ROW(DEVICE, 190, ANY_SUBCODE, CODE_CONFIG, "the app's client token is wrong",
        HINT_CLIENT_TOKEN),

    /* Instagram, of an app that is not live. */
    ROW_TEXT(ANYWHERE, 403, "not a developer", CODE_CONFIG,
             "the account is not a developer or tester of the app", HINT_TESTER),
    ROW_TEXT(ANYWHERE, 400, "Developer Role", CODE_CONFIG,
             "the account is not a developer or tester of the app", HINT_TESTER),

    /* The code. */
    ROW(CODE, 190, ANY_SUBCODE, CODE_LOGIN, CODE_REFUSED, HINT_LOGIN),
    ROW_TEXT(CODE, 400, "redirect_uri", CODE_CONFIG,
             "the redirect address is not the one of the login, or not one of the app's",
             HINT_REDIRECT),
    ROW_TEXT(CODE, 400, "platform app", CODE_CONFIG, "the provider does not know the app's id",
             HINT_APP_ID),
    ROW_TEXT(CODE, 400, "lient", CODE_CONFIG, "the app's id or the app secret is wrong",
             HINT_SECRET),
    ROW(CODE, 400, ANY_SUBCODE, CODE_LOGIN, CODE_REFUSED, HINT_LOGIN),
    ROW_TEXT(CODE, 0, "invalid_grant", CODE_LOGIN, CODE_REFUSED, HINT_LOGIN),
    ROW_TEXT(CODE | CLIENT, 0, "invalid_client", CODE_CONFIG,
             "the app's id or the app secret is wrong", HINT_SECRET),

    /* The grant. */
    ROW(RESULT_DATA, 190, ANY_SUBCODE, CODE_STOP,
        "the provider does not accept the token that it has just issued", HINT_LOOK),
    ROW(GRANT, 190, ANY_SUBCODE, CODE_LOGIN, "the provider does not accept the token", HINT_LOGIN),
    ROW(ANYWHERE, 412, ANY_SUBCODE, CODE_LOGIN, "the user has not installed the app", HINT_LOGIN),
    ROW(INSPECT, 450, ANY_SUBCODE, CODE_CONFIG, "the app token is not accepted", HINT_SECRET),
    ROW(INSPECT, 452, ANY_SUBCODE, CODE_CONFIG, "the app token is not accepted", HINT_SECRET),
    ROW(GRANT, 450, ANY_SUBCODE, CODE_LOGIN, "the session of the token has expired", HINT_LOGIN),
    ROW(GRANT, 452, ANY_SUBCODE, CODE_LOGIN, "the session of the token is not valid", HINT_LOGIN),
    ROW(ANYWHERE, 463, ANY_SUBCODE, CODE_LOGIN, "the device login was not confirmed in time",
        HINT_DEVICE),

    /* Not to be tried again. */
    ROW(ANYWHERE, 368, ANY_SUBCODE, CODE_STOP, "the provider blocks the action by its policies",
        "do nothing with this user for a day"),
    ROW(ANYWHERE, 506, ANY_SUBCODE, CODE_STOP, "the provider finds the post a duplicate", ""),
    ROW(ANYWHERE, 1609005, ANY_SUBCODE, CODE_STOP, "the provider could not read a link", ""),
};

const size_t error_row_count = sizeof(error_rows) / sizeof(error_rows[0]);
