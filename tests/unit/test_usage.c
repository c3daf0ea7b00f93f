/*
 * test_usage.c: Meta's usage headers, with its own samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/oauth/usage.h"

struct headers {
    const char *name, *value;
};

static const char *look_up(void *context, const char *name)
{
    for (const struct headers *header = context; header->name; header++)
        if (strcmp(header->name, name) == 0)
            return header->value;
    return NULL;
}

static void expect(struct headers *headers, int percent, int64_t wait)
{
    struct oauth_usage usage;
    oauth_usage_read(look_up, headers, &usage);
    assert_int_equal(usage.percent, percent);
    assert_int_equal(usage.wait, wait);
}

static void test_none(void **state)
{
    (void)state;
    struct headers none[] = {{NULL, NULL}};
    struct headers other[] = {{"x-app", "{\"call_count\":99}"}, {NULL, NULL}};
    struct headers empty[] = {{"x-app-usage", ""}, {"x-page-usage", "{}"}, {NULL, NULL}};
    expect(none, USAGE_UNKNOWN, 0);
    expect(other, USAGE_UNKNOWN, 0);
    expect(empty, USAGE_UNKNOWN, 0);
}

static void test_app(void **state)
{
    (void)state;
    struct headers app[] = {
        {"x-app-usage", "{\"call_count\":28,\"total_time\":25,\"total_cputime\":31}"},
        {NULL, NULL}};
    struct headers zero[] = {{"x-app-usage", "{\"call_count\": 0}"}, {NULL, NULL}};
    expect(app, 31, 0);
    expect(zero, 0, 0);
}

static void test_account(void **state)
{
    (void)state;
    struct headers account[] = {{"x-ad-account-usage",
                                 "{\"acc_id_util_pct\":9.67,\"reset_time_duration\":100,"
                                 "\"ads_api_access_tier\":\"standard_access\"}"},
                                {NULL, NULL}};
    expect(account, 9, 100);
}

/* The same id twice, as in Meta's sample: neither hides the other. */
static void test_repeated_key(void **state)
{
    (void)state;
    struct headers business[] = {
        {"x-business-use-case-usage",
         "{\"66782684\":[{\"type\":\"ads_management\",\"call_count\":95,\"total_cputime\":20,"
         "\"total_time\":20,\"estimated_time_to_regain_access\":19}],"
         "\"66782684\":[{\"type\":\"ads_insights\",\"call_count\":4,\"total_cputime\":2,"
         "\"total_time\":3,\"estimated_time_to_regain_access\":0}]}"},
        {"x-app-usage", "{\"call_count\":50}"},
        {NULL, NULL}};
    expect(business, 95, 19 * 60);
}

static void test_hostile(void **state)
{
    (void)state;
    struct headers huge[] = {{"x-app-usage", "{\"call_count\":99999999999999999999}"},
                             {"x-page-usage", "{\"estimated_time_to_regain_access\":"
                                              "99999999999999999999}"},
                             {NULL, NULL}};
    struct headers wrong[] = {
        {"x-app-usage", "{\"call_count\":-5,\"total_time\":\"x\"}\"call_count\""}, {NULL, NULL}};
    expect(huge, 1000, USAGE_WAIT_MAX);
    expect(wrong, USAGE_UNKNOWN, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),    cmocka_unit_test(test_app),
        cmocka_unit_test(test_account), cmocka_unit_test(test_repeated_key),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
