/*
 * test_meta_call.c: the requests of the family "meta", byte for byte, and where secrets stand in
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/oauth/call.h"

#define CLIENT "1234567890"
#define APP_SECRET "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define PROOF "ac6f25bb0442747491c026e9557e7a711d8168569d1ae710d9a5c16c241d320f"
#define ODD_SECRET "p&q=r+s%/#?"
#define ODD_PROOF "be899ad8bb2e9049ec953a7c3a964d96ec97a6a0535626edb1095a1f284606b5"
#define ODD_GRANT "EAA+b/c=d&e%f|g~h.i_j-k l"
#define ODD_GRANT_ENCODED "EAA%2Bb%2Fc%3Dd%26e%25f%7Cg~h.i_j-k%20l"
#define NOW INT64_C(1767225600)
#define TOKEN_MAX 16384

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    struct error error = {0};
    size_t size = strlen(text);

    assert_int_equal(secret_new(size == 0 ? 1 : size, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static struct oauth_parameters usual(void)
{
    return (struct oauth_parameters){.client_id = CLIENT, .api_version = "v26.0", .now = NOW};
}

static int make(enum oauth_step step, const struct oauth_parameters *parameters,
                const char *app_secret_text, const char *grant_text, struct oauth_call *ret_call,
                struct error *error)
{
    auto_of(secret_free) struct secret *app_secret = secret_of(app_secret_text);
    auto_of(secret_free) struct secret *grant = secret_of(grant_text);
    const struct oauth_values values = {.app_secret = app_secret, .grant = grant};

    return oauth_call_make(provider_find("meta"), step, parameters, &values, ret_call, error);
}

static void assert_holds(const struct secret *secret, const char *text)
{
    assert_non_null(secret);
    assert_int_equal(secret_size(secret), strlen(text));
    assert_memory_equal(secret_data(secret), text, strlen(text));
}

static void knows_its_providers(void **state)
{
    const struct provider *meta = provider_find("meta");

    (void)state;
    assert_non_null(meta);
    assert_string_equal(meta->name, "meta");
    assert_string_equal(meta->default_origin, "https://graph.facebook.com");
    assert_null(provider_find("Meta"));
    assert_null(provider_find(""));
    assert_string_equal(provider_names(), "meta, instagram, threads");
    assert_int_equal(oauth_lengthen_step(meta, "user"), STEP_EXCHANGE);
    assert_int_equal(oauth_lengthen_step(meta, "page"), STEP_COUNT);
    assert_int_equal(oauth_lengthen_step(meta, "system-user"), STEP_COUNT);
    assert_string_equal(oauth_step_name(STEP_INSPECT_INPUT), "inspect-input");
    assert_string_equal(oauth_step_name(STEP_EXCHANGE), "exchange");
    assert_string_equal(oauth_step_name(STEP_INSPECT_RESULT), "inspect-result");
}

static void knows_a_client_id(void **state)
{
    static const char *const wrong[] = {"",     "0",     "0123", "12a",
                                        " 123", "123\n", "-1",   "123456789012345678901"};
    const struct provider *meta = provider_find("meta");

    (void)state;
    assert_true(meta->client_id_valid("1"));
    assert_true(meta->client_id_valid("12345678901234567890"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(meta->client_id_valid(wrong[i]));
}

static void inspects_by_post(void **state)
{
    static const enum oauth_step steps[] = {STEP_INSPECT_INPUT, STEP_INSPECT_RESULT};
    struct oauth_parameters parameters = usual();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        auto_call struct oauth_call call = {0};
        struct error error = {0};

        assert_int_equal(make(steps[i], &parameters, APP_SECRET, ODD_GRANT, &call, &error), 0);
        assert_string_equal(call.method, "POST");
        assert_holds(call.target, "/v26.0/debug_token");
        assert_holds(call.bearer, CLIENT "|" APP_SECRET);
        assert_holds(call.form, "method=get&input_token=" ODD_GRANT_ENCODED
                                "&appsecret_proof=" PROOF "&appsecret_time=1767225600");
    }
}

static void inspects_by_get_when_told(void **state)
{
    struct oauth_parameters parameters = usual();
    auto_call struct oauth_call call = {0};
    struct error error = {0};

    (void)state;
    parameters.by_get = true;
    assert_int_equal(make(STEP_INSPECT_INPUT, &parameters, ODD_SECRET, ODD_GRANT, &call, &error),
                     0);
    assert_string_equal(call.method, "GET");
    assert_holds(call.target, "/v26.0/debug_token?input_token=" ODD_GRANT_ENCODED
                              "&appsecret_proof=" ODD_PROOF "&appsecret_time=1767225600");
    assert_holds(call.bearer, CLIENT "|" ODD_SECRET);
    assert_null(call.form);
}

static void exchanges_by_post(void **state)
{
    struct oauth_parameters parameters = usual();

    (void)state;
    for (int get = 0; get < 2; get++) { /* the setting is about debug_token only */
        auto_call struct oauth_call call = {0};
        struct error error = {0};

        parameters.by_get = get == 1;
        assert_int_equal(make(STEP_EXCHANGE, &parameters, ODD_SECRET, ODD_GRANT, &call, &error), 0);
        assert_string_equal(call.method, "POST");
        assert_holds(call.target, "/v26.0/oauth/access_token");
        assert_null(call.bearer);
        assert_holds(call.form, "grant_type=fb_exchange_token&client_id=" CLIENT
                                "&client_secret=p%26q%3Dr%2Bs%25%2F%23%3F"
                                "&fb_exchange_token=" ODD_GRANT_ENCODED);
    }
}

/* The largest values, every byte of which needs three in the form. */
static void has_room_for_the_largest(void **state)
{
    auto_free char *largest = malloc(TOKEN_MAX + 2);
    struct oauth_parameters parameters = usual();
    struct error error = {0};

    (void)state;
    assert_non_null(largest);
    memset(largest, '+', TOKEN_MAX + 1);
    largest[TOKEN_MAX + 1] = '\0';
    for (enum oauth_step step = STEP_INSPECT_INPUT; step <= STEP_INSPECT_RESULT; step++) {
        auto_call struct oauth_call call = {0};

        assert_int_equal(make(step, &parameters, largest + 1, largest + 1, &call, &error), 0);
        assert_in_range(secret_size(call.form), 3 * TOKEN_MAX, 6 * TOKEN_MAX + 512);
        assert_int_equal(make(step, &parameters, "x", largest, &call, &error), -1);
        assert_int_equal(error.code, CODE_STOP);
        assert_int_equal(make(step, &parameters, largest, "x", &call, &error), -1);
        assert_int_equal(error.code, CODE_STOP);
    }
}

static void refused(const struct oauth_parameters *parameters, const char *app_secret,
                    const char *grant, enum code code, const char *reason)
{
    for (enum oauth_step step = STEP_INSPECT_INPUT; step <= STEP_INSPECT_RESULT; step++) {
        struct oauth_call call = {0};
        struct error error = {0};

        assert_int_equal(make(step, parameters, app_secret, grant, &call, &error), -1);
        assert_int_equal(error.code, code);
        if (strstr(error.text, reason) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
        assert_non_null(strstr(error.text, oauth_step_name(step)));
        assert_null(call.method);
        assert_null(call.target);
        assert_null(call.bearer);
        assert_null(call.form);
    }
}

static void refuses_wrong_parameters(void **state)
{
    static const char *const versions[] = {"",          "26.0",    "v26",     "v26.",
                                           "v.0",       "v0.1",    "v26.0/",  "V26.0",
                                           "v26.0\r\n", "v26.000", "v1000.0", "v26.0?x=y"};
    struct oauth_parameters parameters = usual();

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        parameters.api_version = versions[i];
        refused(&parameters, APP_SECRET, "EAAx", CODE_CONFIG, "version of the Graph API");
    }
    parameters = usual();
    parameters.client_id = "12&client_id=3";
    refused(&parameters, APP_SECRET, "EAAx", CODE_CONFIG, "the app's id is not a number");
    parameters = usual();
    parameters.now = -1; /* would ask for the plain proof */
    refused(&parameters, APP_SECRET, "EAAx", CODE_FAULT, "before 1970");
    parameters = usual();
    refused(&parameters, "", "EAAx", CODE_STOP, "the app secret is empty");
    refused(&parameters, APP_SECRET, "", CODE_STOP, "the grant is empty");
}

static void refuses_a_strange_provider(void **state)
{
    struct provider copy = *provider_find("meta");
    struct oauth_parameters parameters = usual();
    auto_of(secret_free) struct secret *value = secret_of("x");
    const struct oauth_values values = {.app_secret = value, .grant = value};
    struct oauth_call call = {0};
    struct error error = {0};

    (void)state;
    assert_int_equal(oauth_call_make(&copy, STEP_EXCHANGE, &parameters, &values, &call, &error),
                     -1);
    assert_int_equal(error.code, CODE_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_providers),      cmocka_unit_test(knows_a_client_id),
        cmocka_unit_test(inspects_by_post),         cmocka_unit_test(inspects_by_get_when_told),
        cmocka_unit_test(exchanges_by_post),        cmocka_unit_test(has_room_for_the_largest),
        cmocka_unit_test(refuses_wrong_parameters), cmocka_unit_test(refuses_a_strange_provider),
    };

    return cmocka_run_group_tests_name("meta_call", tests, NULL, NULL);
}
