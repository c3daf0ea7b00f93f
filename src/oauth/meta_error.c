/*
 * meta_error.c: the table of Graph API errors.
 *
 * The same code means different things in different places: 190 on debug_token itself is about our
 * app's id and secret, which authorise that call; 190 on the exchange, or inside debug_token's
 * data, is about the grant.  A row therefore names its places; the first row that fits decides.
 * The provider's own text is looked at for codes 1 and 100 only, which say nothing without it,
 * and is never passed on.
 */
#include "p11vault/oauth/meta_error.h"

#include <string.h>

#include "internal.h"
#include "p11vault/base/json.h"

enum place {
    INSPECT = 1,     /* debug_token itself, for the input and for the result */
    EXCHANGE = 2,    /* the token endpoint */
    INPUT_DATA = 4,  /* inside debug_token's data, of the grant we hold */
    RESULT_DATA = 8, /* the same, of the grant that was issued */
    GRANT = EXCHANGE | INPUT_DATA | RESULT_DATA,
    ANYWHERE = INSPECT | GRANT,
};

#define ANY_SUBCODE (-1) /* also none at all */
#define SERVER_FAULT 500 /* HTTP statuses from here on */
#define TOO_MANY 429
#define TRACE_SIZE_MAX 31 /* an app secret has 32 characters */
#define TEXT_SCAN_MAX 512 /* how much of the provider's text is looked at */

struct row {
    unsigned places;
    int status;          /* 0, or the least HTTP status */
    int64_t first, last; /* codes */
    int64_t subcode;
    enum code action;
    const char *message, *hint;
    const char *text; /* NULL, or what the provider's text must contain */
};

#define ROW(places, code, subcode, action, message, hint)                                          \
    {                                                                                              \
        places, 0, code, code, subcode, action, message, hint, NULL                                \
    }
#define RANGE(places, first, last, action, message, hint)                                          \
    {                                                                                              \
        places, 0, first, last, ANY_SUBCODE, action, message, hint, NULL                           \
    }
#define ROW_TEXT(places, code, text, action, message, hint)                                        \
    {                                                                                              \
        places, 0, code, code, ANY_SUBCODE, action, message, hint, text                            \
    }

#define HINT_AGAIN "try again in a few minutes"
#define HINT_LATER "wait an hour, then try again"
#define HINT_LOGIN "log in again and import the new token: p11vault import NAME"
#define HINT_FACEBOOK "log in at facebook.com and do what it asks, then: p11vault import NAME"
#define HINT_SECRET                                                                                \
    "compare id and secret with the app's dashboard, then: p11vault app set-secret APP"
#define HINT_APP_ID "compare the app's id with its dashboard: p11vault app show APP"
#define HINT_DASHBOARD "check permissions and app review in the app's dashboard"
#define HINT_CONSENT "log in again, grant every permission asked for, then: p11vault import NAME"
#define HINT_VERSION "set api-version in [meta] of the configuration to a current version"
#define HINT_METHOD "set debug-token = get in [meta] of the configuration"
#define HINT_CLOCK "set this machine's clock; if it is right: p11vault app set-secret APP"
#define HINT_OTHER "import a token that this app was given: p11vault import NAME"
#define HINT_LOOK "look at the token in Meta's Access Token Debugger, then: p11vault import NAME"

static const struct row rows[] = {
    /* Faults at the provider, and code 1, which on the token endpoint means our secret. */
    RANGE(ANYWHERE, -2, -1, CODE_RETRY, "the provider has a fault inside", HINT_AGAIN),
    ROW(ANYWHERE, 1, 99, CODE_STOP, "the provider finds a parameter wrong or the request too heavy",
        ""),
    ROW_TEXT(EXCHANGE, 1, "client secret", CODE_CONFIG, "the app secret is wrong", HINT_SECRET),
    {EXCHANGE, SERVER_FAULT, 1, 1, ANY_SUBCODE, CODE_RETRY, "the provider has an unknown fault",
     HINT_AGAIN, NULL},
    ROW(EXCHANGE, 1, ANY_SUBCODE, CODE_CONFIG,
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
    RANGE(ANYWHERE, 200, 299, CODE_PERMISSION, "a permission or an accepted term of use is missing",
          HINT_CONSENT),

    /* Code 100: by its text, else by where it stands. */
    ROW_TEXT(ANYWHERE, 100, "appsecret_proof", CODE_CONFIG,
             "the provider does not accept the appsecret_proof", HINT_CLOCK),
    ROW_TEXT(INSPECT, 100, "Viewing App", CODE_STOP, "the token belongs to another app",
             HINT_OTHER),
    ROW_TEXT(INSPECT, 100, "nsupported", CODE_CONFIG,
             "the provider does not take debug_token by this HTTP method", HINT_METHOD),
    ROW(INSPECT, 100, 33, CODE_CONFIG, "the provider does not take debug_token in this way",
        HINT_METHOD),
    ROW(INSPECT, 100, ANY_SUBCODE, CODE_STOP,
        "debug_token refuses the token, most likely as one of another app", HINT_OTHER),
    ROW(GRANT, 100, 33, CODE_PERMISSION, "the token may not see what the call is about",
        HINT_CONSENT),
    ROW(EXCHANGE, 100, 36009, CODE_LOGIN, "the authorisation code was used already", HINT_LOGIN),
    ROW(GRANT, 100, ANY_SUBCODE, CODE_STOP, "the provider refuses a parameter of the call",
        HINT_LOOK),

    /* Our app. */
    ROW(ANYWHERE, 101, ANY_SUBCODE, CODE_CONFIG, "the provider does not know the app's id",
        HINT_APP_ID),
    ROW(ANYWHERE, 104, ANY_SUBCODE, CODE_CONFIG,
        "the provider misses a token or finds its signature wrong", HINT_SECRET),
    ROW(INSPECT, 190, ANY_SUBCODE, CODE_CONFIG, "the app's id or the app secret is wrong",
        HINT_SECRET),
    ROW(ANYWHERE, 191, ANY_SUBCODE, CODE_CONFIG, "the redirect address is not one of the app's",
        "compare it with the addresses in the app's dashboard"),
    ROW(ANYWHERE, 2500, ANY_SUBCODE, CODE_CONFIG,
        "the provider does not know the path of the call, or wants a token with it", HINT_VERSION),
    ROW(ANYWHERE, 2635, ANY_SUBCODE, CODE_CONFIG, "the version of the Graph API is too old",
        HINT_VERSION),

    /* The grant. */
    ROW(GRANT, 190, 458, CODE_LOGIN, "the user has removed the app", HINT_LOGIN),
    ROW(GRANT, 190, 459, CODE_LOGIN, "the user is held up by a security check at facebook.com",
        HINT_FACEBOOK),
    ROW(GRANT, 190, 460, CODE_LOGIN,
        "the user has changed the password, or the provider has ended the session", HINT_LOGIN),
    ROW(GRANT, 190, 463, CODE_LOGIN, "the token has expired", HINT_LOGIN),
    ROW(GRANT, 190, 464, CODE_LOGIN, "the user's account is not confirmed", HINT_FACEBOOK),
    ROW(GRANT, 190, 467, CODE_LOGIN, "the token was revoked, or the user has logged out",
        HINT_LOGIN),
    ROW(GRANT, 190, 483, CODE_LOGIN, "the user must consent to something first", HINT_FACEBOOK),
    ROW(GRANT, 190, 492, CODE_LOGIN, "the user has lost the role on the page of this token",
        HINT_LOGIN),
    ROW(GRANT, 190, 493, CODE_LOGIN, "the user has not used the app for more than 90 days",
        HINT_LOGIN),
    ROW(RESULT_DATA, 190, ANY_SUBCODE, CODE_STOP,
        "the provider does not accept the token that it has just issued", HINT_LOOK),
    ROW(GRANT, 190, ANY_SUBCODE, CODE_LOGIN, "the provider does not accept the token", HINT_LOGIN),
    ROW(ANYWHERE, 412, ANY_SUBCODE, CODE_LOGIN, "the user has not installed the app", HINT_LOGIN),
    ROW(INSPECT, 450, ANY_SUBCODE, CODE_CONFIG, "the app token is not accepted", HINT_SECRET),
    ROW(INSPECT, 452, ANY_SUBCODE, CODE_CONFIG, "the app token is not accepted", HINT_SECRET),
    ROW(GRANT, 450, ANY_SUBCODE, CODE_LOGIN, "the session of the token has expired", HINT_LOGIN),
    ROW(GRANT, 452, ANY_SUBCODE, CODE_LOGIN, "the session of the token is not valid", HINT_LOGIN),
    ROW(ANYWHERE, 463, ANY_SUBCODE, CODE_LOGIN, "the device login was not confirmed in time",
        HINT_LOGIN),

    /* Not to be tried again. */
    ROW(ANYWHERE, 368, 1390008, CODE_STOP, "the provider blocks the user for acting too fast",
        "do nothing with this user for a day"),
    ROW(ANYWHERE, 368, 4854002, CODE_STOP, "the provider wants the user to confirm an identity",
        HINT_FACEBOOK),
    ROW(ANYWHERE, 368, 1404082, CODE_STOP, "the provider blocks the request as a repetition", ""),
    ROW(ANYWHERE, 368, ANY_SUBCODE, CODE_STOP, "the provider blocks the action by its policies",
        "do nothing with this user for a day"),
    ROW(ANYWHERE, 506, ANY_SUBCODE, CODE_STOP, "the provider finds the post a duplicate", ""),
    ROW(ANYWHERE, 1609005, ANY_SUBCODE, CODE_STOP, "the provider could not read a link", ""),
};

struct fault {
    unsigned place;
    int status;
    int64_t code, subcode;
    const char *text; /* "" for none */
};

static bool fits(const struct row *row, const struct fault *fault)
{
    /* 102 is the elder form of 190, with the same subcodes. */
    int64_t code = fault->code == 102 ? 190 : fault->code;
    return (row->places & fault->place) != 0 && row->first <= code && code <= row->last &&
           (row->subcode == ANY_SUBCODE || row->subcode == fault->subcode) &&
           fault->status >= row->status &&
           (row->text == NULL || strstr(fault->text, row->text) != NULL);
}

static const struct row *find_row(const struct fault *fault)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (fits(&rows[i], fault))
            return &rows[i];
    }
    return NULL;
}

/* An error that is not in the table: the HTTP status says what is left to say. */
static void judge_unknown(int status, struct oauth_verdict *verdict)
{
    if (status >= SERVER_FAULT)
        oauth_verdict_set(verdict, CODE_RETRY, HINT_AGAIN, "the provider has a fault (HTTP %d)",
                          status);
    else if (status == TOO_MANY)
        oauth_verdict_set(verdict, CODE_WAIT, HINT_LATER, "calls come too fast (HTTP %d)", status);
    else
        oauth_verdict_set(verdict, CODE_STOP, "look the code up in the provider's documents",
                          "the provider reports an error that is not known here (HTTP %d)", status);
}

void meta_error_note_trace(struct oauth_verdict *verdict, const char *trace)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-_";
    if (trace == NULL)
        return;
    size_t size = strnlen(trace, TRACE_SIZE_MAX + 1);
    if (size == 0 || size > TRACE_SIZE_MAX || strspn(trace, allowed) != size)
        return;
    memcpy(verdict->trace, trace, size + 1);
}

/* The first of two members that is a number, or a string of digits; 0 when neither is. */
static int64_t number_of(const json_t *object, const char *key, const char *other_key)
{
    int64_t number;
    if (json_loose_number(object, key, &number) || json_loose_number(object, other_key, &number))
        return number;
    return 0;
}

static void judge(unsigned place, int status, const json_t *error_object,
                  struct oauth_verdict *ret_verdict)
{
    struct oauth_verdict verdict = {.http = status};
    struct fault fault = {
        .place = place,
        .status = status,
        .code = number_of(error_object, "code", "error_code"),
        .subcode = number_of(error_object, "error_subcode", "subcode"),
    };
    const char *text = json_text(error_object, "message");
    fault.text = text == NULL || strnlen(text, TEXT_SCAN_MAX) == TEXT_SCAN_MAX ? "" : text;
    verdict.provider_code = fault.code;
    verdict.subcode = fault.subcode;
    meta_error_note_trace(&verdict, json_text(error_object, "fbtrace_id"));

    const struct row *row = find_row(&fault);
    bool transient = json_is_true(json_object_get(error_object, "is_transient"));
    /* A limit that passes by itself is still a limit: trying again soon would prolong it. */
    if (transient && (row == NULL || row->action != CODE_WAIT))
        oauth_verdict_set(&verdict, CODE_RETRY, HINT_AGAIN,
                          "the provider has a fault that it calls temporary");
    else if (row != NULL)
        oauth_verdict_set(&verdict, row->action, row->hint, "%s", row->message);
    else
        judge_unknown(status, &verdict);
    *ret_verdict = verdict;
}

void meta_error_judge_grant(enum oauth_step step, int http_status, const json_t *error_object,
                            struct oauth_verdict *ret_verdict)
{
    judge(step == STEP_INSPECT_RESULT ? RESULT_DATA : INPUT_DATA, http_status, error_object,
          ret_verdict);
}

void meta_error_judge(enum oauth_step step, int http_status, const json_t *error_object,
                      struct oauth_verdict *ret_verdict)
{
    /* Only errors about a grant, inside debug_token's data, spell the subcode's name like this. */
    bool in_data = json_object_get(error_object, "subcode") != NULL;
    if (step == STEP_EXCHANGE)
        judge(EXCHANGE, http_status, error_object, ret_verdict);
    else if (in_data)
        meta_error_judge_grant(step, http_status, error_object, ret_verdict);
    else
        judge(INSPECT, http_status, error_object, ret_verdict);
}
