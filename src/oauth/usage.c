/*
 * usage.c: numbers behind certain names, wherever they stand in a header.
 */
#include "p11vault/oauth/usage.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60

static const struct {
    const char *name;
    int seconds; /* 0: a percentage; else what one of the number is worth */
} numbers[] = {
    {"\"call_count\"", 0},          {"\"total_time\"", 0},
    {"\"total_cputime\"", 0},       {"\"acc_id_util_pct\"", 0},
    {"\"app_id_util_pct\"", 0},     {"\"estimated_time_to_regain_access\"", MINUTE},
    {"\"reset_time_duration\"", 1},
};

static const char *const headers[] = {
    "x-app-usage",
    "x-page-usage",
    "x-ad-account-usage",
    "x-business-use-case-usage",
    "x-fb-ads-insights-throttle",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The whole part of the highest number behind a name; 0 when there is none.  Percentages have fractions in some headers. */
static int64_t highest(const char *text, const char *name, int *ret_found)
{
    int64_t found = 0;
    for (const char *at = strstr(text, name); at; at = strstr(at, name)) {
        at += strlen(name);
        at += strspn(at, " :");
        if (*at < '0' || *at > '9')
            continue;
        long long number = strtoll(at, NULL, 10);
        *ret_found = 1;
        if (number > found)
            found = number;
    }
    return found;
}

/* The wait that is said counts when a quota is used up; the time until a window ends is said all the while. */
static void note(const char *text, struct oauth_usage *usage)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int has_any = 0;
        int64_t number = highest(text, numbers[i].name, &has_any);
        if (!has_any)
            continue;
        if (numbers[i].seconds == 0) {
            int percent = number > USAGE_PERCENT_MAX ? USAGE_PERCENT_MAX : (int)number;
            usage->percent = percent > usage->percent ? percent : usage->percent;
            continue;
        }
        int64_t most = USAGE_WAIT_MAX / numbers[i].seconds;
        int64_t wait = (number > most ? most : number) * numbers[i].seconds;
        usage->wait = wait > usage->wait ? wait : usage->wait;
    }
}

void oauth_usage_read(const char *(*header)(void *context, const char *name), void *context,
                      struct oauth_usage *ret_usage)
{
    struct oauth_usage usage = {USAGE_UNKNOWN, 0};
    for (size_t i = 0; i < COUNT(headers); i++) {
        const char *text = header(context, headers[i]);
        if (text)
            note(text, &usage);
    }
    *ret_usage = usage;
}
