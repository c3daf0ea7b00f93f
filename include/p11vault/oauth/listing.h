/*
 * listing.h: what a list of pages that came short says: which permission is missing, and where the
 * other pages are.
 *
 * me/accounts lists the pages that a person has a role on.  Pages that belong to a business are
 * often not among them, or without a token: those are listed by the business, to grants with
 * business_management.
 *
 * Sources: Meta, "User Accounts", "Business Owned Pages", "Business Client Pages" and the
 * permissions reference.
 */
#ifndef P11VAULT_OAUTH_LISTING_H
#define P11VAULT_OAUTH_LISTING_H

#include "p11vault/oauth/answer.h"

struct oauth_listing {
    bool of_businesses; /* the pages of businesses were asked for, too */
    size_t pages;       /* different ones that were listed, with and without a grant */
    int64_t total;      /* as many as the provider counts; 0: not said */
};

/*
 * Before anything is listed, by what is known of the grant: CODE_DONE, or CODE_PERMISSION for want
 * of business_management.
 */
void oauth_listing_may(const struct oauth_facts *facts, bool of_businesses,
                       struct oauth_verdict *ret_verdict);

/* Of a page that was listed without a grant: CODE_PERMISSION. */
void oauth_listing_withheld(const struct oauth_facts *facts, bool of_businesses,
                            struct oauth_verdict *ret_verdict);

/*
 * Of all lists: CODE_DONE, with a message when there may be more pages; CODE_PERMISSION when there
 * must be some and none was listed.  What must be there is what the provider counts, and what the
 * grant names as granted.
 */
void oauth_listing_judge(const struct oauth_facts *facts, const struct oauth_listing *listing,
                         struct oauth_verdict *ret_verdict);

#endif
