/*
 * judge.c: are the facts of a grant what they must be before it is exchanged, and did the exchange
 * give what it should?  What the provider did not say is never taken for granted.
 */
#include "p11vault/oauth/judge.h"

#include <string.h>

#include "internal.h"
#include "p11vault/base/clock.h"

#define HINT_OTHER "check which token is meant; then import it: p11vault import NAME"
#define HINT_LOGIN "log in again and import the new token: p11vault import NAME"
#define HINT_INSPECT "look at the token in the provider's own debugger, then: p11vault import NAME"

/* Our own words for the types that are not exchanged. */
static const struct {
    const char *type, *words;
} other_types[] = {
    {"PAGE", "a page token"},
    {"APP", "an app token"},
    {"SYSTEM_USER", "a system user's token"},
};

static const char *words_for(const char *type)
{
    for (size_t i = 0; i < sizeof(other_types) / sizeof(other_types[0]); i++) {
        if (strcasecmp(other_types[i].type, type) == 0)
            return other_types[i].words;
    }
    return type[0] == '\0' ? "of a kind the provider did not say" : "of an unknown kind";
}

static bool expired(const struct oauth_facts *facts, int64_t now)
{
    return facts->expires != FACT_UNKNOWN && facts->expires != 0 && facts->expires <= now;
}

/* Sets the verdict and returns false when the grant is not of this app. */
static bool judge_app(const struct oauth_facts *facts, const char *client_id, const char *which,
                      struct oauth_verdict *verdict)
{
    if (facts->app_id[0] == '\0')
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say which app the %s token belongs to", which);
    else if (strcmp(facts->app_id, client_id) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_OTHER, "the %s token belongs to another app",
                          which);
    else
        return true;
    return false;
}

void oauth_judge_input(const struct oauth_expected *expected, const struct oauth_facts *input,
                       struct oauth_verdict *ret_verdict)
{
    const char *client_id = expected->client_id;
    int64_t now = expected->now;
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (!judge_app(input, client_id, "stored", ret_verdict))
        return;
    char date[CLOCK_TEXT_SIZE];
    clock_date(input->expires, date);
    if (expired(input, now))
        oauth_verdict_set(ret_verdict, CODE_LOGIN, HINT_LOGIN, "token expired on %s", date);
    else if (input->valid == 0)
        oauth_verdict_set(ret_verdict, CODE_LOGIN, HINT_LOGIN,
                          "the provider says that the token is not valid");
    else if (input->valid != 1)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whether the token is valid");
    else if (strcasecmp(input->type, "USER") != 0)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_OTHER,
                          "the stored token is %s; only a user token can be exchanged",
                          words_for(input->type));
    else if (input->subject[0] == '\0')
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whose token it is");
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

void oauth_judge_result(const struct oauth_expected *expected, const struct oauth_facts *input,
                        const struct oauth_facts *result, struct oauth_verdict *ret_verdict)
{
    const char *client_id = expected->client_id;
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (!judge_app(result, client_id, "issued", ret_verdict))
        return;
    if (strcmp(result->app_id, input->app_id) != 0)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token belongs to another app than the old one");
    else if (result->subject[0] == '\0')
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whose the issued token is");
    else if (strcmp(result->subject, input->subject) != 0)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token belongs to another user");
    else if (strcasecmp(result->type, input->type) != 0)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token is of another kind than the old one");
    else if (result->valid != 1)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          result->valid == 0
                              ? "the provider says that the token it issued is not valid"
                              : "the provider did not say whether the token it issued is valid");
    else if (result->expires == FACT_UNKNOWN)
        oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say when the token it issued expires");
    else if (!later(result->expires, input->expires))
        oauth_verdict_set(ret_verdict, CODE_WAIT, "",
                          "not-extended: the issued token expires no later than the old one");
}
