/*
 * judge.h: are the facts of a grant what they must be?  What the provider did not say is never taken for granted.
 *
 * A family without a debugger says only whose grant it is: the caller puts the record's expiry into the facts of the
 * input and that of the token answer into those of the result; the app is not asked for.
 */
#ifndef P11VAULT_OAUTH_JUDGE_H
#define P11VAULT_OAUTH_JUDGE_H

#include "p11vault/oauth/answer.h"

struct oauth_expected {
    const struct provider *provider;
    const char *client_id;
    const char *kind;     /* of the grant that is judged */
    enum oauth_step step; /* oauth_judge_result(): the one that issued it */
    const char *subject;  /* a page's id, a system user's id; NULL: not known */
    int64_t now;
};

/*
 * Input: of this app, alive, of its kind.  CODE_DONE, CODE_LOGIN (dead or expired) or CODE_STOP (another app or kind,
 * or not said).
 */
void oauth_judge_input(const struct oauth_expected *expected, const struct oauth_facts *input,
                       struct oauth_verdict *ret_verdict);

/*
 * Result: of this app, alive, of its kind.  What was lengthened or renewed (STEP_EXCHANGE, STEP_REFRESH): the same user
 * as the input, and an expiry that is known and later (0 counts as latest), else CODE_WAIT "not-extended".  A page's
 * grant and a system user's: of `subject`.  `input` is NULL where the step had none.
 */
void oauth_judge_result(const struct oauth_expected *expected, const struct oauth_facts *input,
                        const struct oauth_facts *result, struct oauth_verdict *ret_verdict);

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
