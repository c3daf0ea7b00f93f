/*
 * judge.c: what an inspection proves of a grant.  Proof that it is somebody else's, or dead, is
 * looked for first, also in what stands beside an error; then what must be said is held against
 * what is.
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

static bool has_expired(const struct oauth_facts *facts, int64_t now)
{
    return facts->expires != FACT_UNKNOWN && facts->expires != 0 && facts->expires <= now;
}

/* Not an end that lies too far ahead, or before the beginning. */
static bool is_believable(const struct oauth_facts *facts, int64_t now)
{
    bool has_end = facts->expires != FACT_UNKNOWN && facts->expires != 0;
    bool is_near = facts->expires <= now + OAUTH_EXPIRY_SECONDS_MAX;
    return is_near && !(has_end && facts->expires < facts->issued);
}

/* A page's grant acts as the page, whoever it was made from. */
static const char *subject_said(const struct oauth_expected *expected,
                                const struct oauth_facts *facts)
{
    return is_kind(expected, "page") ? facts->profile : facts->subject;
}

/*
 * Sets the verdict and returns true when the provider says that the grant is another app's, or
 * somebody else's.
 */
static bool is_of_another(const struct oauth_expected *expected, const struct oauth_facts *facts,
                          const char *which, struct oauth_verdict *verdict)
{
    const char *subject = subject_said(expected, facts);
    const char *hint = strcmp(which, "stored") == 0 ? HINT_OTHER : HINT_INSPECT;
    if (expected->provider->has_debugger && facts->app_id[0] != '\0' &&
        strcmp(facts->app_id, expected->client_id) != 0)
        oauth_verdict_set(verdict, CODE_STOP, hint, "the %s token belongs to another app", which);
    else if (expected->subject != NULL && subject[0] != '\0' && !is_kind(expected, "app") &&
             strcmp(subject, expected->subject) != 0)
        oauth_verdict_set(verdict, CODE_STOP, hint,
                          is_kind(expected, "page") ? "the %s token is for another page"
                                                    : "the %s token belongs to another user",
                          which);
    else
        return false;
    return true;
}

/* Sets the verdict and returns false when the provider did not say whose grant it is. */
static bool names_app(const struct oauth_expected *expected, const struct oauth_facts *facts,
                      const char *which, struct oauth_verdict *verdict)
{
    if (!expected->provider->has_debugger || facts->app_id[0] != '\0')
        return true;
    oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                      "the provider did not say which app the %s token belongs to", which);
    return false;
}

/* An app token is nobody's, and of a session-info token it is not known what is said. */
static bool names_subject(const struct oauth_expected *expected, const struct oauth_facts *facts,
                          const char *which, struct oauth_verdict *verdict)
{
    if (is_kind(expected, "app") || is_kind(expected, "session") ||
        subject_said(expected, facts)[0] != '\0')
        return true;
    oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                      is_kind(expected, "page")
                          ? "the provider did not say which page the %s token is for"
                          : "the provider did not say whose the %s token is",
                      which);
    return false;
}

static bool has_believable_end(const struct oauth_expected *expected,
                               const struct oauth_facts *facts, const char *which,
                               struct oauth_verdict *verdict)
{
    char date[CLOCK_TEXT_SIZE];
    if (is_believable(facts, expected->now))
        return true;
    clock_date(facts->expires, date);
    oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                      "the provider says that the %s token expires on %s, which is not believed",
                      which, date);
    return false;
}

/* ---- the grant that is held ---- */

/* Without a debugger, a call that the grant authorises is refused because of the grant. */
static bool denies_input(const struct oauth_expected *expected, const struct oauth_said *said)
{
    return said->facts->valid == 0 ||
           (!expected->provider->has_debugger && said->verdict->action == CODE_LOGIN);
}

static enum oauth_standing judge_facts(const struct oauth_expected *expected,
                                       const struct oauth_facts *input,
                                       struct oauth_verdict *verdict)
{
    const char *type = type_for(expected);
    char date[CLOCK_TEXT_SIZE];
    if (!names_app(expected, input, "stored", verdict))
        return STANDING_UNKNOWN;
    clock_date(input->expires, date);
    /* Of one that is valid now the end cannot be past: then this machine's clock is ahead. */
    if (input->valid != 1 && has_expired(input, expected->now)) {
        oauth_verdict_set(verdict, CODE_LOGIN, HINT_LOGIN, "token expired on %s", date);
        return STANDING_DEAD;
    }
    if (input->valid == 0) {
        oauth_verdict_set(verdict, CODE_LOGIN, HINT_LOGIN,
                          "the provider says that the token is not valid");
        return STANDING_DEAD;
    }
    if (input->valid != 1)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whether the token is valid");
    else if (type != NULL && strcasecmp(input->type, type) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_OTHER, "the stored token is %s, not %s",
                          words_for(input->type), words_for(type));
    else if (names_subject(expected, input, "stored", verdict) &&
             has_believable_end(expected, input, "stored", verdict))
        return STANDING_ALIVE;
    return STANDING_UNKNOWN;
}

enum oauth_standing oauth_judge_input(const struct oauth_expected *expected,
                                      const struct oauth_said *said,
                                      struct oauth_verdict *ret_verdict)
{
    *ret_verdict = *said->verdict;
    if (is_of_another(expected, said->facts, "stored", ret_verdict))
        return STANDING_UNKNOWN;
    if (ret_verdict->action == CODE_DONE)
        return judge_facts(expected, said->facts, ret_verdict);
    return denies_input(expected, said) ? STANDING_DEAD : STANDING_UNKNOWN;
}

/* ---- a grant that was issued ---- */

/*
 * 190 and its elder form 102 with these subcodes end a token for good; with others a person can
 * bring it back to life.
 */
static bool is_final(const struct oauth_verdict *verdict)
{
    if (verdict->provider_code != 190 && verdict->provider_code != 102)
        return false;
    switch (verdict->subcode) {
    case 0:
    case 458: /* the user has removed the app */
    case 460: /* the password was changed */
    case 463: /* it has expired */
    case 467: /* it was revoked */
        return true;
    default:
        return false;
    }
}

/*
 * Whether the provider says of this very token that it is dead: a debugger by is_valid, where an
 * error beside that does not say otherwise; a family without one by refusing the call that the
 * token authorises.
 */
static bool is_proved_dead(const struct oauth_expected *expected, const struct oauth_said *issued)
{
    const struct oauth_verdict *verdict = issued->verdict;
    bool is_refused = verdict->action == CODE_LOGIN || verdict->action == CODE_STOP;
    if (verdict->action == CODE_DONE)
        return issued->facts->valid == 0;
    if (!is_refused || !is_final(verdict))
        return false;
    return expected->provider->has_debugger ? issued->facts->valid == 0
                                            : verdict->http >= 400 && verdict->http < 500;
}

/* Alive, of the kind that was asked for, and all of that said. */
static bool is_sound(const struct oauth_expected *expected, const struct oauth_facts *issued,
                     struct oauth_verdict *verdict)
{
    const char *type = type_for(expected);
    if (!names_app(expected, issued, "issued", verdict) ||
        !names_subject(expected, issued, "issued", verdict))
        return false;
    if (type != NULL && strcasecmp(issued->type, type) != 0)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the issued token is of another kind than was asked for");
    else if (issued->valid != 1)
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say whether the token it issued is valid");
    else if (has_expired(issued, expected->now))
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the token that the provider issued has expired already");
    else
        return has_believable_end(expected, issued, "issued", verdict);
    return false;
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

/*
 * The renewed form of another one is worth having when it lives longer, or when the other one is
 * dead.
 */
static enum grant_fate compare_ends(const struct oauth_old *old, const struct oauth_facts *issued,
                                    struct oauth_verdict *verdict)
{
    if (issued->expires == FACT_UNKNOWN) {
        oauth_verdict_set(verdict, CODE_STOP, HINT_INSPECT,
                          "the provider did not say when the token it issued expires");
        return FATE_WAIT;
    }
    if (later(issued->expires, old->expires) || old->standing == STANDING_DEAD)
        return FATE_PROMOTE;
    oauth_verdict_set(verdict, CODE_WAIT, "",
                      "not-extended: the issued token expires no later than the old one");
    if (old->standing == STANDING_UNASKED)
        return FATE_ASK_OLD;
    return old->standing == STANDING_ALIVE ? FATE_SURPLUS : FATE_WAIT;
}

enum grant_fate oauth_decide(const struct oauth_expected *expected, const struct oauth_old *old,
                             const struct oauth_said *issued, struct oauth_verdict *ret_verdict)
{
    bool renews = expected->step == STEP_EXCHANGE || expected->step == STEP_REFRESH;
    *ret_verdict = *issued->verdict;
    if (is_of_another(expected, issued->facts, "issued", ret_verdict))
        return FATE_REJECT;
    if (is_proved_dead(expected, issued)) {
        if (ret_verdict->action == CODE_DONE)
            oauth_verdict_set(ret_verdict, CODE_STOP, HINT_INSPECT,
                              "the provider says that the token it issued is not valid");
        return FATE_REJECT;
    }
    if (ret_verdict->action != CODE_DONE || !is_sound(expected, issued->facts, ret_verdict))
        return FATE_WAIT;
    return renews && old != NULL ? compare_ends(old, issued->facts, ret_verdict) : FATE_PROMOTE;
}

const char *oauth_kind_said(const struct provider *provider, const struct oauth_facts *facts)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (provider->has_debugger && strcasecmp(kinds[i].type, facts->type) == 0)
            return kinds[i].kind;
    return NULL;
}

bool oauth_is_short_lived(const struct oauth_facts *facts, int64_t now)
{
    return facts->expires == FACT_UNKNOWN || (facts->expires != 0 && facts->expires < now + DAY);
}
