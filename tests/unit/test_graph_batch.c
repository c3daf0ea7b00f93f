/*
 * test_graph_batch.c: which batches there may be, and their request.
 */
#include "p11vault/oauth/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/oauth/call.h"
#include "p11vault/oauth/graph.h"

#define FIRST "{\"method\":\"GET\",\"relative_url\":\"me/feed\",\"name\":\"a\"}"
#define GET(url) "{\"method\":\"GET\",\"relative_url\":\"" url "\"}"
#define POST(body) "{\"method\":\"POST\",\"relative_url\":\"me/feed\",\"body\":\"" body "\"}"

static int read_batch(const char *text, struct oauth_batch *batch, char **ret_text,
                      struct error *error)
{
    *error = (struct error){0};
    return oauth_batch_read(text, strlen(text), batch, ret_text, error);
}

static void test_allowed(void **state)
{
    static const char *const batches[] = {
        "[" GET("me") "]",
        "[" GET("/v26.0/me?fields=id,name&limit=5") "," POST(
            "message=a b&link=https%3A%2F%2Fa") "]",
        "[" FIRST "," GET("?ids={result=a:$.data.*.id}&fields=id") "]",
        "[" FIRST "," GET("{result=a:$.data[0].id}/comments") "," POST("to={result=a:$[*].id}") "]",
        "[" FIRST ",{\"method\":\"DELETE\",\"relative_url\":\"1_2\",\"depends_on\":\"a\"}]",
        "[" POST("message={\\\"result\\\": 5}") "]",
        "[" POST("message=caf\\u00e9 {results=1}") "]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        struct oauth_batch batch;
        struct error error;
        if (read_batch(batches[i], &batch, NULL, &error) < 0)
            fail_msg("%s: %s", batches[i], error.text);
    }
}

static void test_refused(void **state)
{
    static const char *const batches[] = {
        "",
        "{}",
        "[]",
        "[1]",
        "[null]",
        "[{}]",
        "[{\"method\":\"GET\"}]",
        "[{\"relative_url\":\"me\"}]",
        "[{\"method\":\"GET\",\"method\":\"POST\",\"relative_url\":\"me\"}]",
        "[{\"method\":\"PUT\",\"relative_url\":\"me\"}]",
        "[{\"method\":5,\"relative_url\":\"me\"}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"body\":\"a=b\"}]",
        "[{\"method\":\"POST\",\"relative_url\":\"me\",\"body\":{\"a\":\"b\"}}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"access_token\":\"x\"}]",
        "[{\"method\":\"POST\",\"relative_url\":\"me/photos\",\"attached_files\":\"a\"}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"headers\":{\"Authorization\":\"x\"}}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"omit_response_on_success\":1}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"name\":\"a b\"}]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"name\":\"\"}]",
        "[" FIRST "," FIRST "]",
        "[{\"method\":\"GET\",\"relative_url\":\"me\",\"depends_on\":\"a\"}," FIRST "]",
        /* each item as a call */
        "[" GET("me") "," GET("oauth/access_token") "]",
        "[" GET("https://graph.facebook.com/me") "]",
        "[" GET("") "]",
        "[" GET("me?fields=access_token") "]",
        "[" GET("me?access_token=x") "]",
        "[" GET("me?method=delete") "]",
        "[" GET("me?batch=[]") "]",
        "[" GET("?batch=[]") "]",
        "[" POST("access_token=x") "]",
        "[" POST("a=b&appsecret_proof=x") "]",
        "[" POST("batch=%5B%5D") "]",
        "[{\"method\":\"DELETE\",\"relative_url\":\"me/permissions\"}]",
        "[" GET("me#?access_token=x") "]",
        "[" GET("me\\n/feed") "]",
        /* what is taken from others */
        "[" FIRST "," POST("message={result=a:$.data.*.access_token}") "]",
        "[" FIRST "," POST("message={result=a:$}") "]",
        "[" FIRST "," POST("message={result=a:$.data.*}") "]",
        "[" FIRST "," POST("message={result=a:$..id}") "]",
        "[" FIRST "," POST("message={result=a:$.data[?(@.x)].id}") "]",
        "[" FIRST "," POST("message={result=a:$.data['access_token'].id}") "]",
        "[" FIRST "," POST("message={result=a:$.client_id}") "]",
        "[" FIRST "," POST("message={result=a:$.id.access_token}") "]",
        "[" FIRST "," POST("message={result=a:$.idx}") "]",
        "[" FIRST "," POST("message={result=a:$[id]}") "]",
        "[" FIRST "," POST("message={result=b:$.id}") "]",
        "[" POST("message={result=a:$.id}") "," FIRST "]",
        "[" FIRST "," POST("message={result=a:$.id") "]",
        "[" FIRST "," POST("message=%7Bresult=a:$.access_token%7D") "]",
        "[" FIRST "," POST("message={%72esult=a:$.access_token}") "]",
        "[" FIRST "," POST("message={ result = a:$.access_token}") "]",
        "[" FIRST "," POST("message={RESULT=a:$.access_token}") "]",
        "[" FIRST "," GET("{result=a:$.data.*.access_token}/feed") "]",
        "[" FIRST "," GET("%7Bresult=a:$.id%7D/feed") "]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        struct oauth_batch batch;
        struct error error;
        if (read_batch(batches[i], &batch, NULL, &error) == 0)
            fail_msg("not refused: %s", batches[i]);
        assert_int_equal(error.code, CODE_USAGE);
    }
}

static void test_limits(void **state)
{
    auto_free char *text = malloc(80000);
    struct oauth_batch batch;
    struct error error;
    (void)state;
    assert_non_null(text);
    for (size_t count = 50; count <= 51; count++) {
        char *to = text + sprintf(text, "[");
        for (size_t i = 0; i < count; i++)
            to += sprintf(to, "%s" GET("me/a_path_of_some_length"), i > 0 ? "," : "");
        (void)sprintf(to, "]");
        assert_int_equal(read_batch(text, &batch, NULL, &error), count == 50 ? 0 : -1);
    }
    assert_non_null(strstr(error.text, "1 to 50 calls, and this has 51"));
    assert_true(strlen(batch.summary) < sizeof(batch.summary));
    (void)sprintf(text, "[" POST("a=%024576d") "]", 7);
    assert_int_equal(read_batch(text, &batch, NULL, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
}

static void test_what_is_known(void **state)
{
    struct oauth_batch batch;
    struct error error;
    auto_free char *text = NULL;
    (void)state;
    assert_int_equal(
        read_batch(
            "[ " FIRST ", " GET(
                "{result=a:$.id}/likes?limit=5") ",\n"
                                                 "{\"method\":\"DELETE\",\"relative_url\":\"1_2\","
                                                 "\"omit_response_on_success\":true},"
                                                 "{\"omit_response_on_success\":false,\"name\":"
                                                 "\"b\","
                                                 "\"relative_url\":\"me\",\"method\":\"GET\"} ]",
            &batch, &text, &error),
        0);
    assert_int_equal(batch.count, 4);
    assert_string_equal(batch.summary, "batch of 4: GET me/feed, GET {result=a:$.id}/likes, "
                                       "DELETE 1_2, GET me");
    assert_true(batch.may_be_null[0] && !batch.may_be_null[1] && batch.may_be_null[2]);
    assert_false(batch.may_be_null[3]);
    assert_memory_equal(text, "[{\"method\":\"GET\",\"name\":\"a\",", 28);
    assert_null(strchr(text, ' '));
}

static struct secret *secret_of(const char *text)
{
    struct secret *secret;
    struct error error;
    assert_int_equal(secret_new(strlen(text), &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static int make(const char *provider, const char *text, struct oauth_call *call,
                struct error *error)
{
    auto_of(secret_free) struct secret *grant = secret_of("the-grant-of-the-test");
    auto_of(secret_free) struct secret *app_secret = secret_of("the-secret-of-the-test");
    const struct oauth_values values = {.app_secret = app_secret, .grant = grant};
    const struct oauth_parameters parameters = {
        .client_id = "1234567890", .api_version = "v26.0", .now = 1800000000, .fields = text};
    return oauth_call_make(provider_find(provider), STEP_BATCH, &parameters, &values, call, error);
}

static void test_request(void **state)
{
    static const char form[] = "batch=%5B%7B%22method%22%3A%22GET%22%2C%22relative_url%22%3A%22me"
                               "%22%7D%5D&appsecret_proof=";
    struct error error = {0};
    (void)state;
    auto_call struct oauth_call call = {0};
    assert_int_equal(make("meta", "[" GET("me") "]", &call, &error), 0);
    assert_string_equal(call.method, "POST");
    assert_true(secret_equals(call.target, "/v26.0", 6));
    assert_true(secret_equals(call.bearer, "the-grant-of-the-test", 21));
    assert_memory_equal(secret_data(call.form), form, sizeof(form) - 1);
    auto_call struct oauth_call none = {0};
    assert_int_equal(make("meta", "[" GET("oauth/x") "]", &none, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_int_equal(make("meta", NULL, &none, &error), -1);
    assert_int_equal(make("instagram", "[" GET("me") "]", &none, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_what_is_known),
        cmocka_unit_test(test_request),
    };
    return cmocka_run_group_tests_name("graph_batch", tests, NULL, NULL);
}
