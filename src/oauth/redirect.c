/*
 * redirect.c: what comes back from the login dialog.
 *
 * Anybody can send a browser to a redirect address, so nothing is believed before the state has
 * been compared: no code, and no error either, which would end the login for a reason that anybody
 * can make up.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "p11vault/base/percent.h"
#include "p11vault/oauth/dialog.h"
#include "p11vault/oauth/meta_error.h"
#include "request.h"

#define HINT_LOGIN "log in again: p11vault login NAME"
#define HINT_ASK "log in again and grant what is asked for: p11vault login NAME --rerequest"
#define HINT_AGAIN "try again in a few minutes: p11vault login NAME"
#define HINT_APP                                                                                   \
    "check permissions and redirect addresses in the app's dashboard: p11vault app show APP"

enum field {
    FIELD_CODE,
    FIELD_STATE,
    FIELD_ISSUER,
    FIELD_ERROR,
    FIELD_REASON,
    FIELD_DESCRIPTION,
    FIELD_ERROR_CODE,
    FIELD_ERROR_MESSAGE,
    FIELD_COUNT
};

static const char *const names[FIELD_COUNT] = {
    [FIELD_CODE] = "code",
    [FIELD_STATE] = "state",
    [FIELD_ISSUER] = "iss",
    [FIELD_ERROR] = "error",
    [FIELD_REASON] = "error_reason",
    [FIELD_DESCRIPTION] = "error_description",
    [FIELD_ERROR_CODE] = "error_code",
    [FIELD_ERROR_MESSAGE] = "error_message",
};

/* A value as it stands in the query; `text` NULL when it is not there. */
struct span {
    const char *text;
    size_t size;
};

void oauth_redirect_clear(struct oauth_redirect *redirect)
{
    secret_free(redirect->code);
    *redirect = (struct oauth_redirect){0};
}

/* Not the answer to this login.  Always returns false. */
static bool stray(struct oauth_verdict *verdict, const char *message)
{
    oauth_verdict_set(verdict, CODE_STOP, HINT_LOGIN, "%s", message);
    return false;
}

/* ---- the parts of the query ---- */

static bool ends_as(const char *text, size_t size, const char *end)
{
    size_t length = strlen(end);
    return size >= length && memcmp(text + size - length, end, length) == 0;
}

/* What browsers keep of the fragment that Facebook ("#_=_") and Instagram ("#_") append. */
static size_t without_leftover(const char *text, size_t size)
{
    static const char *const leftovers[] = {"#_=_", "#_", "#"};
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        if (ends_as(text, size, leftovers[i]))
            return size - strlen(leftovers[i]);
    }
    return size;
}

/* The query alone, of whatever was pasted; false when something else follows it. */
static bool find_query(const struct secret *query, struct span *ret_query)
{
    const char *text = (const char *)secret_data(query);
    size_t size = without_leftover(text, secret_size(query));
    bool whole = (size >= 7 && strncasecmp(text, "http://", 7) == 0) ||
                 (size >= 8 && strncasecmp(text, "https://", 8) == 0);
    const char *mark = whole ? memchr(text, '?', size) : NULL;
    size_t skipped = mark != NULL ? (size_t)(mark - text) + 1 : 0;
    if (!whole && size > 0 && text[0] == '?')
        skipped = 1;
    *ret_query = (struct span){text + skipped, size - skipped};
    return memchr(text, '#', size) == NULL && (!whole || mark != NULL);
}

static enum field field_named(const char *name, size_t size)
{
    for (enum field field = 0; field < FIELD_COUNT; field++) {
        if (strlen(names[field]) == size && memcmp(names[field], name, size) == 0)
            return field;
    }
    return FIELD_COUNT;
}

/* False when a parameter that matters is there twice: which one counts, two readers might see differently. */
static bool split(struct span query, struct span fields[FIELD_COUNT])
{
    const char *at = query.text;
    const char *end = query.text + query.size;
    while (at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        const char *stop = next != NULL ? next : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        const char *name_end = equals != NULL ? equals : stop;
        enum field field = field_named(at, (size_t)(name_end - at));
        if (field < FIELD_COUNT) {
            const char *value = equals != NULL ? equals + 1 : stop;
            if (fields[field].text != NULL)
                return false;
            fields[field] = (struct span){value, (size_t)(stop - value)};
        }
        at = stop + 1;
    }
    return true;
}

/* ---- what they mean ---- */

static int decodes_to(struct span span, const void *bytes, size_t size, bool *ret_same,
                      struct error *error)
{
    auto_of(secret_free) struct secret *given = NULL;
    *ret_same = false;
    if (percent_decode(span.text, span.size, &given, error) < 0)
        return -1;
    *ret_same = given != NULL && secret_equals(given, bytes, size);
    return 0;
}

static int decode_text(struct span span, char *ret_text, size_t room, struct error *error)
{
    auto_of(secret_free) struct secret *value = NULL;
    ret_text[0] = '\0';
    if (span.text == NULL)
        return 0;
    if (percent_decode(span.text, span.size, &value, error) < 0)
        return -1;
    if (value != NULL && secret_size(value) < room) {
        memcpy(ret_text, secret_data(value), secret_size(value));
        ret_text[secret_size(value)] = '\0';
    }
    return 0;
}

/* The words of RFC 6749 section 4.1.2.1, of which Meta uses the first. */
static void judge_word(const char *word, struct oauth_verdict *verdict)
{
    if (strcmp(word, "access_denied") == 0)
        oauth_verdict_set(verdict, CODE_LOGIN, HINT_ASK, "the person has declined the login");
    else if (strcmp(word, "server_error") == 0 || strcmp(word, "temporarily_unavailable") == 0)
        oauth_verdict_set(verdict, CODE_RETRY, HINT_AGAIN, "the login dialog is out of order");
    else if (strcmp(word, "invalid_scope") == 0)
        oauth_verdict_set(verdict, CODE_CONFIG, HINT_APP,
                          "the login dialog does not know a permission that was asked for");
    else if (strcmp(word, "unauthorized_client") == 0 || strcmp(word, "invalid_client") == 0)
        oauth_verdict_set(verdict, CODE_CONFIG, HINT_APP, "the app may not log people in");
    else
        oauth_verdict_set(verdict, CODE_CONFIG, HINT_APP, "the login dialog refuses the request");
}

/* {error=…} as documented, or error_code and error_message without it, as the dialog does now and then. */
static int judge_error(const struct span fields[FIELD_COUNT], struct oauth_verdict *verdict,
                       struct error *error)
{
    char word[64], number[24];
    if (decode_text(fields[FIELD_ERROR], word, sizeof(word), error) < 0 ||
        decode_text(fields[FIELD_ERROR_CODE], number, sizeof(number), error) < 0)
        return -1;
    int64_t code = 0;
    size_t digits = strspn(number, "0123456789");
    if (digits > 0 && digits <= 9 && number[digits] == '\0')
        code = strtol(number, NULL, 10);
    if (word[0] != '\0')
        judge_word(word, verdict);
    else
        meta_error_judge_dialog(code, verdict);
    verdict->provider_code = code;
    return 0;
}

static int read_code(struct span span, struct oauth_redirect *redirect, struct error *error)
{
    auto_of(secret_free) struct secret *code = NULL;
    if (percent_decode(span.text, span.size, &code, error) < 0)
        return -1;
    if (code != NULL)
        secret_cut(code, without_leftover((const char *)secret_data(code), secret_size(code)));
    size_t size = code == NULL ? 0 : secret_size(code);
    if (size == 0 || size > OAUTH_TOKEN_MAX || memchr(secret_data(code), ' ', size) != NULL) {
        (void)stray(&redirect->verdict, "the code that came back is not valid");
        return 0;
    }
    redirect->code = TAKE(code);
    return 0;
}

/* *ret_ours: the state says that it is about this login, and nobody else says that it is his. */
static int check_awaited(const struct span fields[FIELD_COUNT], const struct oauth_awaited *awaited,
                         bool *ret_ours, struct oauth_verdict *verdict, struct error *error)
{
    const struct span state = fields[FIELD_STATE], issuer = fields[FIELD_ISSUER];
    *ret_ours = false;
    if (state.text == NULL) {
        (void)stray(verdict, "what came back has no state: it does not belong to this login");
        return 0;
    }
    if (decodes_to(state, secret_data(awaited->state), secret_size(awaited->state), ret_ours,
                   error) < 0)
        return -1;
    if (!*ret_ours)
        (void)stray(verdict, "what came back has another state: it does not belong to this login");
    if (!*ret_ours || issuer.text == NULL)
        return 0;
    if (decodes_to(issuer, awaited->issuer, strlen(awaited->issuer), ret_ours, error) < 0)
        return -1;
    if (!*ret_ours)
        (void)stray(verdict, "what came back names another issuer: it is of another provider");
    return 0;
}

static int read_fields(const struct span fields[FIELD_COUNT], const struct oauth_awaited *awaited,
                       struct oauth_redirect *redirect, struct error *error)
{
    bool ours;
    if (check_awaited(fields, awaited, &ours, &redirect->verdict, error) < 0)
        return -1;
    if (!ours)
        return 0;
    if (fields[FIELD_ERROR].text != NULL || fields[FIELD_ERROR_CODE].text != NULL) {
        if (fields[FIELD_CODE].text == NULL)
            return judge_error(fields, &redirect->verdict, error);
        (void)stray(&redirect->verdict, "what came back has both a code and an error");
        return 0;
    }
    if (fields[FIELD_CODE].text == NULL) {
        (void)stray(&redirect->verdict, "what came back has neither a code nor an error");
        return 0;
    }
    return read_code(fields[FIELD_CODE], redirect, error);
}

int oauth_redirect_read(const struct secret *query, const struct oauth_awaited *awaited,
                        struct oauth_redirect *ret_redirect, struct error *error)
{
    auto_redirect struct oauth_redirect redirect = {.verdict = {.action = CODE_DONE}};
    struct span fields[FIELD_COUNT] = {0};
    struct span span;
    if (secret_size(awaited->state) == 0)
        return error_set(error, CODE_FAULT, "a login without a state");
    if (!find_query(query, &span))
        (void)stray(&redirect.verdict, "what came back is not the query of a redirect");
    else if (!split(span, fields))
        (void)stray(&redirect.verdict, "what came back names a parameter twice");
    else if (read_fields(fields, awaited, &redirect, error) < 0)
        return -1;
    *ret_redirect = redirect;
    redirect = (struct oauth_redirect){0};
    return 0;
}
