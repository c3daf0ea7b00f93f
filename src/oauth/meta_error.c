/*
 * meta_error.c: finds the row of an error, and says what is left to say where there is none.
 *
 * The provider's own text is looked at where a code says nothing without it: 1 and 100, Instagram's flat errors, device
 * logins.
 */
#include "p11vault/oauth/meta_error.h"

#include <string.h>

#include "internal.h"
#include "meta_error_rows.h"
#include "p11vault/base/json.h"

#define HINT_AGAIN "try again in a few minutes"
#define HINT_LATER "wait an hour, then try again"

#define STATUS_TOO_MANY 429
#define TRACE_SIZE_MAX 31 /* an app secret has 32 characters */
#define TEXT_SCAN_MAX 512 /* how much of the provider's text is looked at */

struct fault {
    unsigned place;
    int status;
    int64_t code, subcode;
    const char *text; /* "" for none */
};

static bool fits(const struct error_row *row, const struct fault *fault)
{
    /* 102 is the elder form of 190, with the same subcodes. */
    int64_t code = fault->code == 102 ? 190 : fault->code;
    return (row->places & fault->place) != 0 && row->first <= code && code <= row->last &&
           (row->subcode == ANY_SUBCODE || row->subcode == fault->subcode) &&
           fault->status >= row->status &&
           (row->text == NULL || strstr(fault->text, row->text) != NULL);
}

static const struct error_row *find_row(const struct fault *fault)
{
    for (size_t i = 0; i < error_row_count; i++) {
        if (fits(&error_rows[i], fault))
            return &error_rows[i];
    }
    return NULL;
}

/* An error that is not in the table: the HTTP status says what is left to say. */
static void judge_unknown(int status, struct oauth_verdict *verdict)
{
    if (status >= STATUS_SERVER_FAULT)
        oauth_verdict_set(verdict, CODE_RETRY, HINT_AGAIN, "the provider has a fault (HTTP %d)",
                          status);
    else if (status == STATUS_TOO_MANY)
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

/* The provider's own text, which is looked at and never passed on. */
static const char *text_of(const json_t *error_object)
{
    static const char *const keys[] = {"message", "error_message", "error"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *text = json_text(error_object, keys[i]);
        if (text != NULL)
            return strnlen(text, TEXT_SCAN_MAX) == TEXT_SCAN_MAX ? "" : text;
    }
    return "";
}

/* Some answers about a device login have the words of RFC 8628 section 3.5 and no subcode. */
static int64_t device_subcode(const char *text)
{
    static const struct {
        const char *word;
        int64_t subcode;
    } words[] = {{"authorization_pending", DEVICE_PENDING},
                 {"slow_down", DEVICE_SLOW_DOWN},
                 {"authorization_declined", DEVICE_DECLINED},
                 {"access_denied", DEVICE_DECLINED},
                 {"code_expired", DEVICE_EXPIRED},
                 {"expired_token", DEVICE_EXPIRED}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(text, words[i].word) != NULL)
            return words[i].subcode;
    }
    return 0;
}

/*
 * Without a code the type is all that is said.  An OAuthException is about what authorises the
 * call, as 190 is.
 */
static const struct error_row *find_row_by_type(const struct fault *fault,
                                                const json_t *error_object)
{
    const char *type = json_text(error_object, "type");
    struct fault typed = *fault;
    if (fault->code != 0 || fault->status >= STATUS_SERVER_FAULT || type == NULL ||
        strcmp(type, "OAuthException") != 0)
        return NULL;
    typed.code = 190;
    return find_row(&typed);
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
    fault.text = text_of(error_object);
    if (place == DEVICE && fault.subcode == 0)
        fault.subcode = device_subcode(fault.text);
    verdict.provider_code = fault.code;
    verdict.subcode = fault.subcode;
    meta_error_note_trace(&verdict, json_text(error_object, "fbtrace_id"));

    const struct error_row *row = find_row(&fault);
    if (row == NULL)
        row = find_row_by_type(&fault, error_object);
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

static unsigned place_of(const struct provider *provider, enum oauth_step step)
{
    switch ((int)step) {
    case STEP_INSPECT_INPUT:
        return provider->has_debugger ? INSPECT : INPUT_DATA;
    case STEP_INSPECT_RESULT:
        return provider->has_debugger ? INSPECT : RESULT_DATA;
    case STEP_EXCHANGE:
    case STEP_REFRESH:
    case STEP_SESSION_INFO:
        return EXCHANGE;
    case STEP_CODE:
    case STEP_REDEEM:
        return CODE;
    case STEP_APP_TOKEN:
        return CLIENT;
    case STEP_DEVICE_START:
    case STEP_DEVICE_POLL:
        return DEVICE;
    default:
        return GRAPH;
    }
}

void meta_error_judge(const struct provider *provider, enum oauth_step step, int http_status,
                      const json_t *error_object, struct oauth_verdict *ret_verdict)
{
    unsigned place = place_of(provider, step);
    /* Only errors about a grant, inside debug_token's data, spell the subcode's name like this. */
    if (place == INSPECT && json_object_get(error_object, "subcode") != NULL)
        meta_error_judge_grant(step, http_status, error_object, ret_verdict);
    else
        judge(place, http_status, error_object, ret_verdict);
}

void meta_error_judge_dialog(int64_t code, struct oauth_verdict *ret_verdict)
{
    const struct fault fault = {.place = DIALOG, .code = code, .text = ""};
    const struct error_row *row = find_row(&fault);
    struct oauth_verdict verdict = {.provider_code = code};
    if (row != NULL)
        oauth_verdict_set(&verdict, row->action, row->hint, "%s", row->message);
    else
        oauth_verdict_set(&verdict, CODE_CONFIG, "look the code up in the provider's documents",
                          "the login dialog refuses the request");
    *ret_verdict = verdict;
}
