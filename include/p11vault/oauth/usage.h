/*
 * usage.h: how much of its quota an app has used, from the headers that Graph sends once there is enough traffic:
 * X-App-Usage, X-Page-Usage, X-Ad-Account-Usage, X-Business-Use-Case-Usage, X-FB-Ads-Insights-Throttle.
 *
 * Source: Meta, "Rate Limits".  Meta's own sample repeats a key of an object, so the headers are not read as objects: the
 * highest of all numbers of a kind counts, whoever's they are.
 */
#ifndef P11VAULT_OAUTH_USAGE_H
#define P11VAULT_OAUTH_USAGE_H

#include <stdint.h>

#define USAGE_UNKNOWN (-1)
#define USAGE_PERCENT_MAX 1000
#define USAGE_WAIT_MAX (INT64_C(7) * 86400)

struct oauth_usage {
    int percent;  /* 0 to USAGE_PERCENT_MAX of the tightest quota; USAGE_UNKNOWN */
    int64_t wait; /* seconds until calls are taken again, at most USAGE_WAIT_MAX; 0: not said */
};

/* `header` looks up a response header and gives NULL when it is absent. */
void oauth_usage_read(const char *(*header)(void *context, const char *name), void *context,
                      struct oauth_usage *ret_usage);

#endif
