/*
 * meta_answer.c: the answers of the Graph API.
 *
 * Numbers may come as numbers or as strings of digits; everything else must have the one type it
 * is documented with.  What a provider may put into our facts is held to a narrow alphabet, since
 * facts end up in the log and on terminals.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/meta_error.h"

#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define ID_DIGITS_MAX 32
#define STATUS_FINE 200

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define HINT_AGAIN "try again in a few minutes"
#define HINT_LOOK "check the configured origin and what stands between here and the provider"
#define HINT_REPORT "the provider's answers have changed: look for a newer p11vault"

/* Without an answer in JSON, the HTTP status is all there is. */
static void judge_status(int status, bool empty, struct oauth_verdict *verdict)
{
    if (status >= 500 || status == 408)
        oauth_verdict_set(verdict, CODE_RETRY, HINT_AGAIN, "the server is out of order (HTTP %d)",
                          status);
    else if (status == 429)
        oauth_verdict_set(verdict, CODE_WAIT, "wait an hour, then try again",
                          "calls come too fast for the server (HTTP %d)", status);
    else
        oauth_verdict_set(verdict, CODE_STOP, HINT_LOOK, "answer is %s (HTTP %d)",
                          empty ? "empty" : "not JSON", status);
}

/* The verdict on what is JSON, but not what was asked for.  Always returns false. */
static bool wrong(struct oauth_verdict *verdict, const char *message)
{
    oauth_verdict_set(verdict, CODE_STOP, HINT_REPORT, "%s", message);
    return false;
}

static bool given(const json_t *member)
{
    return member != NULL && !json_is_null(member);
}

/*
 * Texts and numbers of facts.  They return false when the member is there and is not what it must
 * be; a missing member leaves the fact unknown.
 */

static bool copy_text(const json_t *member, const char *allowed, size_t maximum,
                      char ret_text[FACT_TEXT_MAX])
{
    if (!json_is_string(member))
        return false;
    const char *text = json_string_value(member);
    size_t size = json_string_length(member);
    if (size == 0 || size > maximum || strspn(text, allowed) != size)
        return false;
    memcpy(ret_text, text, size + 1);
    return true;
}

static bool read_id(const json_t *data, const char *key, char ret_text[FACT_TEXT_MAX])
{
    const json_t *member = json_object_get(data, key);
    if (!given(member))
        return true;
    if (!json_is_integer(member))
        return copy_text(member, DIGITS, ID_DIGITS_MAX, ret_text);
    if (json_integer_value(member) < 0)
        return false;
    snprintf(ret_text, FACT_TEXT_MAX, "%" PRId64, (int64_t)json_integer_value(member));
    return true;
}

static bool read_time(const json_t *data, const char *key, int64_t *ret_time)
{
    int64_t time;
    if (!given(json_object_get(data, key)))
        return true;
    if (!json_loose_number(data, key, &time) || time < 0 || time > TIME_MAX)
        return false;
    *ret_time = time;
    return true;
}

static bool read_type(const json_t *data, char ret_type[FACT_TEXT_MAX])
{
    const json_t *member = json_object_get(data, "type");
    return !given(member) || copy_text(member, LETTERS "_", 31, ret_type);
}

static bool read_valid(const json_t *data, int *ret_valid)
{
    const json_t *member = json_object_get(data, "is_valid");
    if (!given(member))
        return true;
    if (!json_is_boolean(member))
        return false;
    *ret_valid = json_is_true(member) ? 1 : 0;
    return true;
}

static bool read_scopes(const json_t *data, struct oauth_facts *facts)
{
    const json_t *scopes = json_object_get(data, "scopes");
    if (!given(scopes))
        return true;
    if (!json_is_array(scopes) || json_array_size(scopes) > FACT_SCOPES_MAX)
        return false;
    size_t index;
    json_t *scope;
    json_array_foreach (scopes, index, scope) {
        if (!copy_text(scope, LETTERS DIGITS "_.:-", FACT_TEXT_MAX - 1, facts->scopes[index]))
            return false;
    }
    facts->scope_count = json_array_size(scopes);
    return true;
}

static bool read_facts(const json_t *data, struct oauth_facts *facts, struct oauth_verdict *verdict)
{
    if (!read_id(data, "app_id", facts->app_id))
        return wrong(verdict, "debug_token's app_id is not an id");
    if (!read_id(data, "user_id", facts->subject))
        return wrong(verdict, "debug_token's user_id is not an id");
    if (!read_type(data, facts->type))
        return wrong(verdict, "debug_token's type is not a word");
    if (!read_valid(data, &facts->valid))
        return wrong(verdict, "debug_token's is_valid is neither true nor false");
    if (!read_time(data, "expires_at", &facts->expires))
        return wrong(verdict, "debug_token's expires_at is not a time");
    if (!read_time(data, "data_access_expires_at", &facts->data_expires))
        return wrong(verdict, "debug_token's data_access_expires_at is not a time");
    if (!read_time(data, "issued_at", &facts->issued))
        return wrong(verdict, "debug_token's issued_at is not a time");
    if (!read_scopes(data, facts))
        return wrong(verdict, "debug_token's scopes are not a list of at most 64 words");
    return true;
}

void meta_inspection_read(const struct oauth_reply *reply, const json_t *root,
                          struct oauth_answer *answer)
{
    const json_t *data = json_object_get(root, "data");
    if (!json_is_object(data)) {
        wrong(&answer->verdict, json_is_array(data) ? "debug_token's data is a list, not an object"
                                                    : "debug_token's answer has no data");
        return;
    }
    if (!read_facts(data, &answer->facts, &answer->verdict)) {
        oauth_facts_init(&answer->facts);
        return;
    }
    const json_t *error = json_object_get(data, "error");
    if (!given(error))
        return;
    if (!json_is_object(error)) {
        wrong(&answer->verdict, "debug_token's data has an error that is not an object");
        return;
    }
    struct oauth_verdict verdict;
    meta_error_judge_grant(reply->step, reply->status, error, &verdict);
    if (verdict.trace[0] == '\0')
        meta_error_note_trace(&verdict, answer->verdict.trace);
    answer->verdict = verdict;
}

/* A token is what fits into an HTTP header: printable ASCII without a space. */
static bool token_valid(const char *token, size_t size)
{
    if (size == 0 || size > OAUTH_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    }
    return true;
}

/* Seconds; 0 is said of tokens without an end and leaves it to debug_token to say so. */
static bool read_lifetime(const json_t *root, int64_t *ret_seconds)
{
    const char *key = given(json_object_get(root, "expires_in")) ? "expires_in" : "expires";
    int64_t seconds = 0;
    if (!read_time(root, key, &seconds))
        return false;
    if (seconds > 0)
        *ret_seconds = seconds;
    return true;
}

static int read_exchange(const json_t *root, struct oauth_answer *answer, struct error *error)
{
    const json_t *token = json_object_get(root, "access_token");
    const json_t *type = json_object_get(root, "token_type");
    const char *problem = NULL;
    if (given(type) &&
        (!json_is_string(type) || strcasecmp(json_string_value(type), "bearer") != 0))
        problem = "the issued token is not a bearer token";
    else if (!given(token))
        problem = "the answer has no access token";
    else if (!json_is_string(token) ||
             !token_valid(json_string_value(token), json_string_length(token)))
        problem = "the issued token is not 1 to 16384 printable characters";
    else if (!read_lifetime(root, &answer->expires_in))
        problem = "the answer's expires_in is not a number of seconds";
    if (problem != NULL) {
        wrong(&answer->verdict, problem);
        return 0;
    }
    if (secret_new(json_string_length(token), &answer->grant, error) < 0)
        return -1;
    return secret_append(answer->grant, json_string_value(token), json_string_length(token), error);
}

/*
 * The object that describes an error, or NULL.  Besides {"error": {…}} there are the flat shapes
 * {"error_type", "code", …}, {"error_code", …} and {"error": "word", "error_description": …}.
 */
static const json_t *find_error(const json_t *root)
{
    static const char *const flat[] = {
        "error",         "error_code",   "error_type",       "error_msg",
        "error_message", "error_reason", "error_description"};
    const json_t *error = json_object_get(root, "error");
    if (json_is_object(error))
        return error;
    for (size_t i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        if (given(json_object_get(root, flat[i])))
            return root;
    }
    return NULL;
}

static int judge_root(const struct oauth_family *family, const struct oauth_reply *reply,
                      const json_t *root, struct oauth_answer *answer, struct error *error)
{
    const json_t *fault = find_error(root);
    if (fault != NULL) {
        struct oauth_verdict verdict;
        meta_error_judge(reply->step, reply->status, fault, &verdict);
        if (verdict.trace[0] == '\0')
            meta_error_note_trace(&verdict, answer->verdict.trace);
        answer->verdict = verdict;
    } else if (reply->status >= 500 || reply->status == 408 || reply->status == 429) {
        judge_status(reply->status, false, &answer->verdict);
    } else if (json_is_false(json_object_get(root, "success"))) {
        wrong(&answer->verdict, "the provider says that the call failed, and not why");
    } else if (reply->status != STATUS_FINE) {
        oauth_verdict_set(&answer->verdict, CODE_STOP, HINT_LOOK,
                          "the server answered with HTTP %d and did not say why", reply->status);
    } else if (reply->step == STEP_EXCHANGE) {
        return read_exchange(root, answer, error);
    } else {
        family->inspect(reply, root, answer);
    }
    return 0;
}

static int read_reply(const struct oauth_family *family, const struct oauth_reply *reply,
                      struct oauth_answer *answer, struct error *error)
{
    struct oauth_verdict *verdict = &answer->verdict;
    meta_error_note_trace(verdict, reply->header(reply->context, "x-fb-trace-id"));
    if (reply->status >= 300 && reply->status <= 399) {
        oauth_verdict_set(verdict, CODE_STOP, HINT_LOOK,
                          "the server answered with a redirect (%d), which is never followed",
                          reply->status);
        return 0;
    }
    size_t size = secret_size(reply->body);
    if (size == 0) {
        judge_status(reply->status, true, verdict);
        return 0;
    }
    auto_json json_t *root = NULL;
    struct error refused = {0};
    if (json_parse((const char *)secret_data(reply->body), size, "answer", &root, &refused) < 0) {
        if (refused.code != CODE_STOP) {
            *error = refused;
            return -1;
        }
        judge_status(reply->status, false, verdict);
        return 0;
    }
    return judge_root(family, reply, root, answer, error);
}

void profile_inspection_read(const struct oauth_reply *reply, const json_t *root,
                             struct oauth_answer *answer)
{
    (void)reply, (void)root;
    wrong(&answer->verdict, "the answer has no profile");
}

void oauth_answer_clear(struct oauth_answer *answer)
{
    secret_free(answer->grant);
    secret_free(answer->code);
    for (size_t i = 0; i < answer->page_count; i++)
        secret_free(answer->pages[i].grant);
    free(answer->pages);
    free(answer->permissions);
    *answer = (struct oauth_answer){0};
}

int oauth_answer_read(const struct provider *provider, const struct oauth_reply *reply,
                      struct oauth_answer *ret_answer, struct error *error)
{
    const struct oauth_family *family = oauth_family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    auto_answer struct oauth_answer answer = {.expires_in = FACT_UNKNOWN};
    answer.verdict.http = reply->status;
    oauth_facts_init(&answer.facts);
    if (read_reply(family, reply, &answer, error) < 0)
        return error_prefix(error, "answer to %s", oauth_step_name(reply->step));
    *ret_answer = answer;
    answer = (struct oauth_answer){0};
    return 0;
}

void oauth_facts_init(struct oauth_facts *facts)
{
    *facts = (struct oauth_facts){
        .valid = FACT_UNKNOWN,
        .expires = FACT_UNKNOWN,
        .data_expires = FACT_UNKNOWN,
        .issued = FACT_UNKNOWN,
    };
}
