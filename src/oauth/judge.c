/*
 * judge.c: are the facts of a grant what they must be before it is used, and is an issued grant what was asked for?
 */
#include "p11vault/oauth/judge.h"

#include <string.h>
#include <strings.h>

#include "internal.h"
#include "p11vault/base/clock.h"

#define HINT_OTHER "check which token is meant; then import it: p11vault import NAME"
#define HINT_LOGIN "log in again: p11vault login NAME"
#define HINT_INSPECT "look at the token in the provider's own debugger, then: p11vault login NAME"

/* What debug_token calls the kinds; a session's has no type that is known. */
static const struct {
    const char *kind, *type, *words;
} kinds[] = {
    {"user", "USER", "a user token"},
    {"page", "PAGE", "a page token"},
    {"app", "APP", "an app token"},
    {"system-user", "SYSTEM_USER", "a system user's token"},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const char *words_for(const char *type)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcasecmp(kinds[i].type, type) == 0)
            return kinds[i].words;
    }
    return type[0] == '\0' ? "of a kind the provider did not say" : "of an unknown kind";
}

/* NULL: any type will do. */
static const char *type_for(const struct oauth_expected *expected)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (expected->provider->has_debugger && strcmp(kinds[i].kind, expected->kind) == 0)
            return kinds[i].type;
    }
    return NULL;
}

static bool is_kind(const struct oauth_expected *expected, const char *kind)
{
    return strcmp(expected->kind, kind) == 0;
}

static bool expired(const struct oauth_facts *facts, int64_t now)
{
    return facts->expires != FACT_UNKNOWN && facts->expires != 0 && facts->expires <= now;
}

/* Sets the verdict and returns false when the grant is not of this app. */
static bool judge_app(const struct oauth_expected *expected, const struct oauth_facts *facts,
                      const char *which, struct oauth_verdict *verdict)
{
    if (!expected->provider->has_debugger)
        return true;
    if (facts->app_id[0] == '\0')
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say which app the %s token belongs to", which);
    else if (strcmp(facts->app_id, expected->client_id) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_OTHER, "the %s token belongs to another app",
                          which);
    else
        return true;
    return false;
}

/*
 * Whose it is.  An app token is nobody's, and of a session-info token it is not known what is said.  A page's grant
 * acts as the page, whoever it was made from.
 */
static bool judge_subject(const struct oauth_expected *expected, const struct oauth_facts *facts,
                          const char *which, struct oauth_verdict *verdict)
{
    bool page = is_kind(expected, "page");
    const char *said = page ? facts->profile : facts->subject;
    if (is_kind(expected, "app") || is_kind(expected, "session"))
        return true;
    if (said[0] == '\0')
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          page ? "the provider did not say which page the %s token is for"
                               : "the provider did not say whose the %s token is",
                          which);
    else if (expected->subject != NULL && strcmp(said, expected->subject) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_OTHER,
                          page ? "the %s token is for another page"
                               : "the %s token belongs to another user",
                          which);
    else
        return true;
    return false;
}

void oauth_judge_input(const struct oauth_expected *expected, const struct oauth_facts *input,
                       struct oauth_verdict *ret_verdict)
{
    const char *type = type_for(expected);
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (!judge_app(expected, input, "stored", ret_verdict))
        return;
    char date[CLOCK_TEXT_SIZE];
    clock_date(input->expires, date);
    /* Of one that is valid now the end cannot be past: then this machine's clock is ahead. */
    if (input->valid != 1 && expired(input, expected->now))
        oauth_verdict_set(ret_verdict, CODE_LOGIN, HINT_LOGIN, "token expired on %s", date);
    else if (input->valid == 0)
        oauth_verdict_set(ret_verdict, CODE_LOGIN, HINT_LOGIN,
                          "the provider says that the token is not valid");
    else if (input->valid != 1)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whether the token is valid");
    else if (type != NULL && strcasecmp(input->type, type) != 0)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_OTHER, "the stored token is %s, not %s",
                          words_for(input->type), words_for(type));
    else
        (void)judge_subject(expected, input, "stored", ret_verdict);
}

/*
 * True when `result` ends later than `input`.  Never (0) is latest, and any known end is later than
 * one the provider did not tell.
 */
static bool later(int64_t result, int64_t input)
{
    if (input == 0)
        return false;
    return result == 0 || result > input;
}

/* The issued grant by itself: alive, of the kind that was asked for. */
static bool judge_issued(const struct oauth_expected *expected, const struct oauth_facts *result,
                         struct oauth_verdict *verdict)
{
    const char *type = type_for(expected);
    if (type != NULL && strcasecmp(result->type, type) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token is of another kind than was asked for");
    else if (result->valid != 1)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          result->valid == 0
                              ? "the provider says that the token it issued is not valid"
                              : "the provider did not say whether the token it issued is valid");
    else
        return true;
    return false;
}

/* A grant that is not the renewed form of another one. */
static void judge_new(const struct oauth_expected *expected, const struct oauth_facts *input,
                      const struct oauth_facts *result, struct oauth_verdict *verdict)
{
    if (!judge_issued(expected, result, verdict) ||
        !judge_subject(expected, result, "issued", verdict))
        return;
    bool derived = expected->step == STEP_SESSION_INFO && input != NULL;
    if (expired(result, expected->now))
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the token that the provider issued has expired already");
    else if (derived && result->subject[0] != '\0' && strcmp(result->subject, input->subject) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token belongs to another user");
}

/* Beside the grant it was made from: the same app, the same user. */
static bool judge_same(const struct oauth_expected *expected, const struct oauth_facts *input,
                       const struct oauth_facts *result, struct oauth_verdict *verdict)
{
    if (strcmp(result->app_id, input->app_id) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token belongs to another app than the old one");
    else if (!judge_subject(expected, result, "issued", verdict))
        return false;
    else if (strcmp(result->subject, input->subject) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token belongs to another user");
    else if (strcasecmp(result->type, input->type) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token is of another kind than the old one");
    else
        return true;
    return false;
}

static void judge_renewed(const struct oauth_expected *expected, const struct oauth_facts *input,
                          const struct oauth_facts *result, struct oauth_verdict *verdict)
{
    if (!judge_same(expected, input, result, verdict) || !judge_issued(expected, result, verdict))
        return;
    if (result->expires == FACT_UNKNOWN)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say when the token it issued expires");
    else if (!later(result->expires, input->expires))
        oauth_verdict_set(verdict, CODE_WAIT, "",
                          "not-extended: the issued token expires no later than the old one");
}

void oauth_judge_result(const struct oauth_expected *expected, const struct oauth_facts *input,
                        const struct oauth_facts *result, struct oauth_verdict *ret_verdict)
{
    bool renews = expected->step == STEP_EXCHANGE || expected->step == STEP_REFRESH;
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (!judge_app(expected, result, "issued", ret_verdict))
        return;
    if (renews && input != NULL)
        judge_renewed(expected, input, result, ret_verdict);
    else
        judge_new(expected, input, result, ret_verdict);
}
