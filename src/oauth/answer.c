/*
 * answer.c: what an answer of any family is: a redirect, nothing, no JSON, an error in one of its shapes, or what the
 * step asked for.
 */
#include "p11vault/oauth/answer.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/meta_error.h"
#include "reading.h"
#include "request.h"

#define STATUS_FINE 200
#define SHORT_BODY ((size_t)1024) /* how much of what is no JSON is looked at */

#define HINT_AGAIN "try again in a few minutes"
#define HINT_LOOK "check the configured origin and what stands between here and the provider"
#define HINT_REPORT "the provider's answers have changed: look for a newer p11vault"
#define HINT_CODE                                                                                  \
    "compare the redirect address with the app's dashboard, and see that the token is a "          \
    "long-lived one"

void oauth_facts_init(struct oauth_facts *facts)
{
    *facts = (struct oauth_facts){
        .valid = FACT_UNKNOWN,
        .expires = FACT_UNKNOWN,
        .data_expires = FACT_UNKNOWN,
        .issued = FACT_UNKNOWN,
    };
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

bool answer_wrong(struct oauth_verdict *verdict, const char *message)
{
    oauth_verdict_set(verdict, CODE_STOP, HINT_REPORT, "%s", message);
    return false;
}

unsigned reply_needs(const struct oauth_family *family, const struct oauth_reply *reply)
{
    return oauth_step_needs(&family->provider, reply->step);
}

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

/* ---- errors ---- */

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
        if (member_given(json_object_get(root, flat[i])))
            return root;
    }
    return NULL;
}

static void take_verdict(const struct oauth_verdict *verdict, struct oauth_answer *answer)
{
    struct oauth_verdict taken = *verdict;
    if (taken.trace[0] == '\0')
        meta_error_note_trace(&taken, answer->verdict.trace);
    answer->verdict = taken;
}

/*
 * An error without a body: Meta says in WWW-Authenticate, though not as RFC 6750 writes it, whether token or code is
 * meant.  False when there is no such header.
 */
static bool judge_header(const struct oauth_family *family, const struct oauth_reply *reply,
                         struct oauth_answer *answer)
{
    static const struct {
        const char *word, *error;
    } words[] = {{"\"invalid_token\"", "{\"code\":190}"},
                 {"\"invalid_code\"", "{\"code\":100,\"error_subcode\":36009}"}};
    const char *header = reply->header(reply->context, "www-authenticate");
    for (size_t i = 0; header != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (reply->status < 400 || reply->status > 401 || !strstr(header, words[i].word))
            continue;
        auto_json json_t *object = json_loads(words[i].error, 0, NULL);
        struct oauth_verdict verdict;
        meta_error_judge(&family->provider, reply->step, reply->status, object, &verdict);
        verdict.provider_code = 0; /* nobody said so */
        verdict.subcode = 0;
        take_verdict(&verdict, answer);
        return true;
    }
    return false;
}

/* Meta's front door says so with HTTP 200 at times (its own SDKs look for these words). */
static bool is_unavailable(const struct oauth_reply *reply)
{
    static const char words[] = "Service Unavailable";
    size_t size = secret_size(reply->body) < SHORT_BODY ? secret_size(reply->body) : SHORT_BODY;
    return reply->status == STATUS_FINE &&
           memmem(secret_data(reply->body), size, words, strlen(words)) != NULL;
}

static void judge_bare(const struct oauth_family *family, const struct oauth_reply *reply,
                       bool empty, struct oauth_answer *answer)
{
    if (judge_header(family, reply, answer))
        return;
    if (is_unavailable(reply))
        oauth_verdict_set(&answer->verdict, CODE_RETRY, HINT_AGAIN,
                          "the server says that it is unavailable (HTTP %d)", reply->status);
    else if (empty && reply->status == STATUS_FINE && reply->step == STEP_CLIENT_CODE)
        oauth_verdict_set(&answer->verdict, CODE_STOP, HINT_CODE,
                          "the provider gave no code, and did not say why (an empty answer)");
    else
        judge_status(reply->status, empty, &answer->verdict);
}

/* ---- what was asked for ---- */

/* What a caller has chosen to ask: whatever it is, it is what was asked for. */
static bool is_passed_on(enum oauth_step step)
{
    return step == STEP_CALL || step == STEP_BATCH;
}

static int read_step(const struct oauth_family *family, const struct oauth_reply *reply,
                     const json_t *root, struct oauth_answer *answer, struct error *error)
{
    unsigned needs = reply_needs(family, reply);
    if ((needs & ISSUES_GRANT) != 0)
        return token_answer_read(family, reply, root, answer, error);
    if ((needs & (ISSUES_PAGES | LISTS_BUSINESSES)) != 0)
        return pages_answer_read(reply, root, answer, error);
    if ((needs & YIELDS_CODE) != 0)
        return code_answer_read(reply, root, answer, error);
    if (reply->step == STEP_PERMISSIONS)
        return permissions_answer_read(root, answer, error);
    if (reply->step == STEP_INSPECT_INPUT || reply->step == STEP_INSPECT_RESULT)
        family->inspect(reply, root, answer);
    else if (!is_passed_on(reply->step) && !json_is_true(json_object_get(root, "success")))
        (void)answer_wrong(&answer->verdict, "the provider did not say that it was done");
    return 0;
}

static int judge_root(const struct oauth_family *family, const struct oauth_reply *reply,
                      const json_t *root, struct oauth_answer *answer, struct error *error)
{
    const json_t *fault = find_error(root);
    /* What a caller asked for may have members of such names: only the one shape counts there. */
    if (is_passed_on(reply->step) && reply->status == STATUS_FINE &&
        !json_is_object(json_object_get(root, "error")))
        fault = NULL;
    if (fault != NULL) {
        struct oauth_verdict verdict;
        meta_error_judge(&family->provider, reply->step, reply->status, fault, &verdict);
        take_verdict(&verdict, answer);
    } else if (reply->status >= 500 || reply->status == 408 || reply->status == 429) {
        judge_status(reply->status, false, &answer->verdict);
    } else if (json_is_false(json_object_get(root, "success"))) {
        (void)answer_wrong(&answer->verdict, "the provider says that the call failed, and not why");
    } else if (reply->status != STATUS_FINE) {
        if (!judge_header(family, reply, answer))
            oauth_verdict_set(&answer->verdict, CODE_STOP, HINT_LOOK,
                              "the server answered with HTTP %d and did not say why",
                              reply->status);
    } else {
        return read_step(family, reply, root, answer, error);
    }
    return 0;
}

/* Deletes answer a bare word now and then. */
static bool is_word(const struct secret *body, const char *word)
{
    const char *text = (const char *)secret_data(body);
    size_t size = secret_size(body);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    while (size > 0 && strchr(" \t\r\n", text[0]) != NULL) {
        text++;
        size--;
    }
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

/* What is no JSON object, and all the same an answer that some step gets.  *ret_read: it was one. */
static int read_bare(const struct oauth_family *family, const struct oauth_reply *reply,
                     struct oauth_answer *answer, bool *ret_read, struct error *error)
{
    auto_json json_t *root = NULL;
    bool ends = reply->step == STEP_TAKE_BACK || reply->step == STEP_REVOKE;
    bool token = reply->step == STEP_EXCHANGE || reply->step == STEP_CODE ||
                 reply->step == STEP_APP_TOKEN || reply->step == STEP_SESSION_INFO ||
                 reply->step == STEP_REDEEM;
    *ret_read = true;
    /* It is passed on as it is. */
    if (reply->status == STATUS_FINE && is_passed_on(reply->step) && !is_unavailable(reply))
        return 0;
    if (reply->status == STATUS_FINE && ends && is_word(reply->body, "true"))
        return 0;
    if (reply->status == STATUS_FINE && ends && is_word(reply->body, "false")) {
        (void)answer_wrong(&answer->verdict, "the provider says that the call failed, and not why");
        return 0;
    }
    if (reply->status == STATUS_FINE && token && family->provider.has_debugger &&
        query_answer_parse(reply->body, &root, error) < 0)
        return -1;
    if (root != NULL)
        return read_step(family, reply, root, answer, error);
    *ret_read = false;
    return 0;
}

static int read_body(const struct oauth_family *family, const struct oauth_reply *reply,
                     struct oauth_answer *answer, struct error *error)
{
    size_t size = secret_size(reply->body);
    auto_json json_t *root = NULL;
    struct error refused = {0};
    bool read = false;
    if (size == 0) {
        judge_bare(family, reply, true, answer);
        return 0;
    }
    if (json_parse((const char *)secret_data(reply->body), size, "answer", &root, &refused) == 0)
        return judge_root(family, reply, root, answer, error);
    if (refused.code != CODE_STOP) {
        *error = refused;
        return -1;
    }
    if (read_bare(family, reply, answer, &read, error) < 0)
        return -1;
    if (!read)
        judge_bare(family, reply, false, answer);
    return 0;
}

/* A version that has expired is served by another one, and only this header says so. */
static void note_version(const struct oauth_reply *reply, struct oauth_answer *answer)
{
    const char *used = reply->header(reply->context, "facebook-api-version");
    if (used == NULL || reply->api_version == NULL || strcmp(used, reply->api_version) == 0 ||
        strnlen(used, sizeof(answer->api_version)) == sizeof(answer->api_version) ||
        !version_valid(used))
        return;
    snprintf(answer->api_version, sizeof(answer->api_version), "%s", used);
}

/* What went in is used up, whatever came back: trying again is beginning again. */
static void hint_once_only(const struct oauth_reply *reply, struct oauth_verdict *verdict)
{
    if (verdict->action != CODE_RETRY && verdict->action != CODE_WAIT)
        return;
    const char *wait = verdict->action == CODE_RETRY ? "a few minutes" : "an hour";
    if (reply->step == STEP_CODE)
        snprintf(verdict->hint, sizeof(verdict->hint), "log in again in %s: p11vault login NAME",
                 wait);
    else
        snprintf(verdict->hint, sizeof(verdict->hint), "make a new client code in %s", wait);
}

/* What is half-read when the verdict turns bad is not passed on. */
static void drop_unless_done(struct oauth_answer *answer)
{
    if (answer->verdict.action == CODE_DONE)
        return;
    const struct oauth_answer kept = {
        .verdict = answer->verdict,
        .facts = answer->facts,
        .expires_in = FACT_UNKNOWN,
        .usage = answer->usage,
    };
    char version[sizeof(answer->api_version)];
    memcpy(version, answer->api_version, sizeof(version));
    oauth_answer_clear(answer);
    *answer = kept;
    memcpy(answer->api_version, version, sizeof(version));
}

int oauth_answer_read(const struct provider *provider, const struct oauth_reply *reply,
                      struct oauth_answer *ret_answer, struct error *error)
{
    const struct oauth_family *family = oauth_family_of(provider);
    if (family == NULL)
        return error_set(error, CODE_FAULT, "a provider that is not in the table");
    if (reply_needs(family, reply) == 0)
        return error_set(error, CODE_USAGE, "provider '%s' has no step '%s'", provider->name,
                         oauth_step_name(reply->step));
    auto_answer struct oauth_answer answer = {.expires_in = FACT_UNKNOWN};
    answer.verdict.http = reply->status;
    oauth_facts_init(&answer.facts);
    meta_error_note_trace(&answer.verdict, reply->header(reply->context, "x-fb-trace-id"));
    oauth_usage_read(reply->header, reply->context, &answer.usage);
    note_version(reply, &answer);
    if (reply->status >= 300 && reply->status <= 399)
        oauth_verdict_set(&answer.verdict, CODE_STOP, HINT_LOOK,
                          "the server answered with a redirect (%d), which is never followed",
                          reply->status);
    else if (read_body(family, reply, &answer, error) < 0)
        return error_prefix(error, "answer to %s", oauth_step_name(reply->step));
    if ((reply_needs(family, reply) & ONCE_ONLY) != 0)
        hint_once_only(reply, &answer.verdict);
    drop_unless_done(&answer);
    *ret_answer = answer;
    answer = (struct oauth_answer){0};
    return 0;
}
