/*
 * listing.c: lists of pages that came short.
 */
#include "p11vault/oauth/listing.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"

#define LIST "pages_show_list"
#define BUSINESSES "business_management"

#define HINT_LIST "grant it: p11vault login NAME --rerequest --scope " LIST
#define HINT_BUSINESSES "grant it: p11vault login NAME --rerequest --scope " LIST "," BUSINESSES
#define HINT_OF_BUSINESSES "list the pages of businesses, too: p11vault pages NAME --business"
#define HINT_BOTH                                                                                  \
    "pages of a business need " BUSINESSES ": p11vault login NAME --rerequest --scope " LIST       \
    "," BUSINESSES ", then: p11vault pages NAME --business"
#define HINT_ROLE                                                                                  \
    "give the person a task on the page in the business's settings, and choose the page at: "      \
    "p11vault login NAME --rerequest"

/* False also where the provider names no permission at all. */
static bool lacks(const struct oauth_facts *facts, const char *scope)
{
    for (size_t i = 0; i < facts->scope_count; i++)
        if (strcmp(facts->scopes[i], scope) == 0)
            return false;
    return facts->scope_count > 0;
}

/*
 * How many pages the person has chosen for the app: "pages_show_list=12,34" among the granular
 * scopes.
 */
static int64_t chosen_pages(const struct oauth_facts *facts)
{
    static const char key[] = LIST "=";
    const char *at = facts->granular;
    while (*at != '\0' && strncmp(at, key, strlen(key)) != 0) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    if (*at == '\0')
        return 0;
    int64_t count = 1;
    for (at += strlen(key); *at != '\0' && *at != ' '; at++)
        count += *at == ',';
    return count;
}

/* Where the pages are that were not listed. */
static const char *hint_of_more(const struct oauth_facts *facts, bool of_businesses)
{
    if (of_businesses)
        return HINT_ROLE;
    return lacks(facts, BUSINESSES) ? HINT_BOTH : HINT_OF_BUSINESSES;
}

void oauth_listing_may(const struct oauth_facts *facts, bool of_businesses,
                       struct oauth_verdict *ret_verdict)
{
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (of_businesses && lacks(facts, BUSINESSES))
        oauth_verdict_set(ret_verdict, CODE_PERMISSION, HINT_BUSINESSES,
                          "businesses cannot be listed: the permission " BUSINESSES
                          " was not granted");
}

void oauth_listing_withheld(const struct oauth_facts *facts, bool of_businesses,
                            struct oauth_verdict *ret_verdict)
{
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    oauth_verdict_set(ret_verdict, CODE_PERMISSION, hint_of_more(facts, of_businesses),
                      "the provider lists this page without a token");
}

/* "2 pages are listed, although the person chose 5". */
static void say_short(const struct oauth_listing *listing, int64_t chosen, enum code action,
                      const char *hint, struct oauth_verdict *verdict)
{
    bool counts = listing->total > chosen;
    char listed[48] = "no page is";
    if (listing->pages > 0)
        (void)snprintf(listed, sizeof(listed), "%zu page%s", listing->pages,
                       listing->pages == 1 ? " is" : "s are");
    oauth_verdict_set(verdict, action, hint, "%s listed, although %s %lld", listed,
                      counts ? "the provider counts" : "the person chose",
                      (long long)(counts ? listing->total : chosen));
}

void oauth_listing_judge(const struct oauth_facts *facts, const struct oauth_listing *listing,
                         struct oauth_verdict *ret_verdict)
{
    int64_t chosen = chosen_pages(facts);
    int64_t pages = (int64_t)listing->pages;
    const char *more = hint_of_more(facts, listing->of_businesses);
    *ret_verdict = (struct oauth_verdict){.action = CODE_DONE};
    if (pages == 0 && lacks(facts, LIST))
        oauth_verdict_set(ret_verdict, CODE_PERMISSION, HINT_LIST,
                          "no page is listed: the permission " LIST " was not granted");
    else if (pages < chosen || pages < listing->total)
        say_short(listing, chosen, pages == 0 ? CODE_PERMISSION : CODE_DONE, more, ret_verdict);
    else if (pages == 0)
        oauth_verdict_set(ret_verdict, CODE_DONE, listing->of_businesses ? "" : more, "no pages");
}
