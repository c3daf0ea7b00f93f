/*
 * test_graph.c: which calls of the caller's own choice there may be, and their requests.
 */
#include "p11vault/oauth/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p11vault/oauth/call.h"

struct request {
    const char *provider, *method, *path, *fields;
    const char *target, *form; /* as they must begin; a proof follows at Meta */
};

static struct secret *secret_of(const char *text)
{
    struct secret *secret;
    struct error error;
    assert_int_equal(secret_new(strlen(text), &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static void check_begins(const struct secret *secret, const char *text, bool proved)
{
    size_t size = strlen(text);
    if (proved)
        assert_true(secret_size(secret) > size);
    else
        assert_int_equal(secret_size(secret), size);
    assert_memory_equal(secret_data(secret), text, size);
}

static void test_requests(void **state)
{
    static const struct request requests[] = {
        {"meta", "GET", "me", "", "/v26.0/me?appsecret_proof=", NULL},
        {"meta", "GET", "/v25.0/1_2/feed", "limit=5&after=x",
         "/v25.0/1_2/feed?limit=5&after=x&appsecret_proof=", NULL},
        {"meta", "POST", "me/feed", "message=a+b%26%C3%A9&x[0]=&y", "/v26.0/me/feed",
         "message=a%20b%26%C3%A9&x[0]=&y=&appsecret_proof="},
        {"meta", "DELETE", "1_2", "", "/v26.0/1_2?appsecret_proof=", NULL},
        {"meta", "GET", "%6de%2Ffeed", "", "/v26.0/me/feed?appsecret_proof=", NULL},
        {"meta", "GET", "/", "ids=1,me", "/v26.0/?ids=1%2Cme&appsecret_proof=", NULL},
        {"instagram", "GET", "me", "fields=id", "/v26.0/me?fields=id", NULL},
        {"threads", "GET", "v1.0/me", "", "/v1.0/me", NULL},
    };
    (void)state;
    auto_of(secret_free) struct secret *grant = secret_of("the-grant-of-the-test");
    auto_of(secret_free) struct secret *app_secret = secret_of("the-secret-of-the-test");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct request *request = &requests[i];
        bool is_meta = strcmp(request->provider, "meta") == 0;
        const struct oauth_parameters parameters = {.client_id = "1234567890",
                                                    .api_version = "v26.0",
                                                    .now = 1800000000,
                                                    .method = request->method,
                                                    .path = request->path,
                                                    .fields = request->fields};
        const struct oauth_values values = {.app_secret = is_meta ? app_secret : NULL,
                                            .grant = grant};
        auto_call struct oauth_call call = {0};
        struct error error = {0};
        int result = oauth_call_make(provider_find(request->provider), STEP_CALL, &parameters,
                                     &values, &call, &error);
        if (result < 0)
            fail_msg("%s: %s", request->path, error.text);
        assert_string_equal(call.method, request->method);
        check_begins(call.target, request->target, is_meta && !request->form);
        assert_true((call.form != NULL) == (request->form != NULL));
        if (request->form)
            check_begins(call.form, request->form, true);
        assert_true(secret_equals(call.bearer, "the-grant-of-the-test", 21));
    }
}

static void test_allowed(void **state)
{
    static const struct {
        const char *path, *fields;
    } calls[] = {{"me", "fields=id,name,posts.limit(2){message,created_time}"},
                 {"act_123/insights", "level=ad&time_range=%7B%22since%22%3A%222026-01-01%22%7D"},
                 {"123/subscriptions", "verify_token=x&object=page"},
                 {"me/accounts", "fields=id,tasks"},
                 {"1/comments", "message=an access_token, a secret, a batch&debug=all"},
                 {"search", "type=adinterest&q=oauth&__paging_token=1&limit=3"},
                 {"decode", ""},
                 {"1/items_batch", "requests=[]"},
                 {"me/permissions", "fields=permission,status"},
                 {"my.page-name", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct error error = {0};
        if (oauth_graph_check("POST", calls[i].path, calls[i].fields, &error) < 0)
            fail_msg("%s: %s", calls[i].path, error.text);
    }
}

#define SIXTY "a_name_of_sixty_characters_and_so_on_and_on_and_on_and_on_an"

static void test_refused(void **state)
{
    static const struct {
        const char *method, *path, *fields;
    } calls[] = {{"PUT", "me", ""},
                 {"get", "me", ""},
                 {"GET", "", ""},
                 {"GET", "oauth/access_token", ""},
                 {"GET", "v26.0/oauth/x", ""},
                 {"GET", "v26.0", ""},
                 {"GET", "x/OAUTH", ""},
                 {"GET", "%256d", ""},
                 {"GET", "%", ""},
                 {"GET", "a%00", ""},
                 {"GET", "..", ""},
                 {"GET", "me/./x", ""},
                 {"GET", "me//x", ""},
                 {"GET", "me/", ""},
                 {"GET", "me?x", ""},
                 {"GET", "1/access_tokens", ""},
                 {"GET", "1/page_access_token", ""},
                 {"GET", "me", "access_token=x"},
                 {"GET", "me", "access%5Ftoken=x"},
                 {"GET", "me", "ACCESS_TOKEN[]=x"},
                 {"GET", "me", "fields=a{b{access_token}}"},
                 {"GET", "me", "fields=%EF%BD%81ccess"},
                 {"GET", "me", "fields[0]=access_token"},
                 {"GET", "me", "fields=app_secret"},
                 {"POST", "me", "batch=%5B%5D"},
                 {"GET", "", "ids=1,debug_token"},
                 {"GET", "", "ids=1,oauth%2Faccess_token"},
                 {"GET", "me", "a.b=1"},
                 {"GET", "me", " a=1"},
                 {"GET", "me", "[a]=1"},
                 {"GET", "me", "a[=1&access_token]=2"},
                 {"GET", "me", "=1"},
                 {"GET", "me", SIXTY SIXTY SIXTY "=1"},
                 {"DELETE", "me/permissions", ""},
                 {"DELETE", "v26.0/1/Permissions/email", ""},
                 {"POST", "act_1/adbatch", ""},
                 {"POST", "", "id=1&asyncbatch=%5B%5D"},
                 {"POST", "act_1", "adbatch[0]=x"},
                 {"POST", "act_1/async_batch_requests", ""},
                 {"GET", "method/auth.getSession", ""},
                 {"POST", "1/accounts/test-users", ""},
                 {"GET", "", "ids=1,test-users"},
                 {"GET", "1", "fields=id,client_token"},
                 {"GET", "1/accounts", "fields=login_url,password"}};
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct error error = {0};
        if (oauth_graph_check(calls[i].method, calls[i].path, calls[i].fields, &error) == 0)
            fail_msg("%s %s %s is not refused", calls[i].method, calls[i].path, calls[i].fields);
        assert_int_equal(error.code, CODE_USAGE);
    }
}

static void test_where_a_list_goes_on(void **state)
{
    static const struct {
        const char *path, *next, *parameters;
        bool leads_on;
    } lists[] = {{"me/feed", "/v26.0/123/feed", "limit=25&until=7&__paging_token=x", true},
                 {"v25.0/act_1/insights", "/act_1/insights", "since=1&until=2&metric=a%2Cb", true},
                 {"search", "/v26.0/search", "after=x", true},
                 {"me/feed", "/v26.0/123/FEED", "after=x", true},
                 {"me/feed", "/v26.0/me/feed", "", false},
                 {"me/feed", "/v26.0/123/comments", "after=x", false},
                 {"me/feed", "/v26.0/123/feed/9", "after=x", false},
                 {"me/feed", "/v26.0/feed", "after=x", false},
                 {"me/feed", "/oauth/feed", "after=x", false},
                 {"me/feed", "/v26.0/123/../feed", "after=x", false},
                 {"me/feed", "", "after=x", false},
                 {"me/feed", "/v26.0/123/feed", "after=x&access_token=y", false},
                 {"me/feed", "/v26.0/123/feed", "fields=access_token", false},
                 {"me/feed", "/v26.0/123/feed", "method=delete", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (oauth_graph_leads_on(lists[i].path, lists[i].next, lists[i].parameters) !=
            lists[i].leads_on)
            fail_msg("%s?%s is wrongly judged", lists[i].next, lists[i].parameters);
}

static void test_a_list_that_has_come_to_the_present(void **state)
{
    (void)state;
    assert_true(oauth_graph_is_ahead("metric=x&since=1800000001&until=1800086401", 1800000000));
    assert_false(oauth_graph_is_ahead("metric=x&since=1800000000&until=1800086400", 1800000000));
    assert_false(oauth_graph_is_ahead("until=1900000000&since&__paging_token=x", 1800000000));
    assert_false(oauth_graph_is_ahead("since=2026-12-01", 1800000000));
    assert_false(oauth_graph_is_ahead("", 1800000000));
}

static void test_what_is_given(void **state)
{
    (void)state;
    auto_buffer struct buffer fields = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    struct error error = {0};
    char path[GRAPH_PATH_MAX];
    assert_int_equal(oauth_graph_split("me/feed?limit=2&x=%20", &fields, path, &error), 0);
    assert_string_equal(path, "me/feed");
    assert_int_equal(oauth_graph_add(&fields, "message=a b=c&d\xc3\xa9", &error), 0);
    assert_int_equal(oauth_graph_add(&fields, "empty=", &error), 0);
    assert_string_equal(buffer_text(&fields), "limit=2&x=%20&message=a%20b%3Dc%26d%C3%A9&empty=");
    assert_int_equal(oauth_graph_add(&fields, "nothing", &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_int_equal(oauth_graph_add(&fields, "mail=a@b", &error), 0);
    if (oauth_graph_add(&fields, "source=@photo.jpg", &error) == 0)
        fail_msg("the text @photo.jpg would be sent");
    assert_int_equal(error.code, CODE_USAGE);
    assert_non_null(strstr(error.hint, "PATH?NAME=%40"));
    assert_true(oauth_graph_repeats("GET"));
    assert_false(oauth_graph_repeats("POST") || oauth_graph_repeats("DELETE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_where_a_list_goes_on),
        cmocka_unit_test(test_a_list_that_has_come_to_the_present),
        cmocka_unit_test(test_what_is_given),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
