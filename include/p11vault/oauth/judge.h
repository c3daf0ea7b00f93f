/*
 * judge.h: what an inspection proves of a grant, and what becomes of one that was issued.  What the
 * provider did not say is never taken for granted, and an error answer proves nothing of a grant
 * but, with a few codes, that it is dead.
 *
 * A family without a debugger says only whose grant it is: the caller puts the record's expiry into
 * the facts of the input and that of the token answer into those of the result; the app is not
 * asked for.
 */
#ifndef P11VAULT_OAUTH_JUDGE_H
#define P11VAULT_OAUTH_JUDGE_H

#include "p11vault/oauth/answer.h"

/*
 * An expiry that is further away is not believed: none of the providers gives one, and "never" is
 * said as 0.
 */
#define OAUTH_EXPIRY_SECONDS_MAX (INT64_C(100) * 365 * 86400)

struct oauth_expected {
    const struct provider *provider;
    const char *client_id;
    const char *kind;     /* of the grant that is judged */
    enum oauth_step step; /* oauth_decide(): the one that issued it */
    const char *subject;  /* whose it is known to be; of a page's grant the page; NULL: not known */
    int64_t now;
};

/*
 * What an inspection brought: the verdict on the answer, and the facts in it, which can stand
 * beside an error.
 */
struct oauth_said {
    const struct oauth_verdict *verdict;
    const struct oauth_facts *facts;
};

/* What is known of the grant that is held. */
enum oauth_standing {
    STANDING_UNASKED, /* nothing but what the store says */
    STANDING_ALIVE,   /* the provider says that it is ours and valid */
    STANDING_DEAD,    /* it says that it is not valid, or that its end has passed */
    STANDING_UNKNOWN, /* the answer proves nothing, or is about somebody else's grant */
};

/*
 * Judges the inspection of a grant that is held: of this app and subject, alive, of its kind.  The
 * verdict is CODE_DONE when it is STANDING_ALIVE, CODE_LOGIN when it is dead, CODE_STOP when it is
 * of another app, subject or kind, or that is not said; for an error answer it is that of the
 * answer.
 */
enum oauth_standing oauth_judge_input(const struct oauth_expected *expected,
                                      const struct oauth_said *said,
                                      struct oauth_verdict *ret_verdict);

/* The grant that an issued one would replace; its expiry as far as it is known. */
struct oauth_old {
    enum oauth_standing standing;
    int64_t expires;
};

enum grant_fate {
    FATE_WAIT,    /* nothing is proved: it stays pending, with its ciphertext */
    FATE_PROMOTE, /* it is ours and takes the place of the old one */
    FATE_ASK_OLD, /* ours; ends no later than the old one, as the store has it: inspect that one */
    FATE_SURPLUS, /* it is ours; the old one is proved to be alive and ends no sooner */
    FATE_REJECT,  /* it is proved to be of another app or subject, or to be dead */
};

/*
 * What becomes of a grant that waits to be confirmed, by what its inspection brought.  `old` is
 * NULL when it would replace none.  What was lengthened or renewed (STEP_EXCHANGE, STEP_REFRESH)
 * must end later than the old one (0 counts as latest), unless that one is dead; what any other
 * step issued replaces the old one whatever its end.  The verdict is CODE_DONE with FATE_PROMOTE;
 * CODE_WAIT "not-extended" with FATE_SURPLUS and FATE_ASK_OLD; else it says what is missing, or is
 * that of the error answer.
 */
enum grant_fate oauth_decide(const struct oauth_expected *expected, const struct oauth_old *old,
                             const struct oauth_said *issued, struct oauth_verdict *ret_verdict);

/*
 * The kind that a debugger's `type` names; NULL for one that it does not know, or for a family
 * without a debugger.
 */
const char *oauth_kind_said(const struct provider *provider, const struct oauth_facts *facts);

/*
 * Whether a grant may end within a day, as what a login gives at first does (Meta: after one or two
 * hours).
 */
bool oauth_is_short_lived(const struct oauth_facts *facts, int64_t now);

#endif
