/*
 * test_oauth_call.c: the requests of every step of every family, byte for byte, and parameters that try to leave their
 * place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/oauth/call.h"

#define CLIENT "1234567890"
#define APP_SECRET "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define GRANT "EAA+b/c=d"
#define GRANT_ENCODED "EAA%2Bb%2Fc%3Dd"
#define CLIENT_TOKEN "c1e2"
#define CODE "AQD&x=1"
#define CODE_ENCODED "AQD%26x%3D1"
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define NOW INT64_C(1767225600)
#define PROVED                                                                                     \
    "appsecret_proof=5d7900d0384b96d2d6ab5f784ffda8ae9bedb6bd2643142c76b5e08d6f5f1787"             \
    "&appsecret_time=1767225600"
#define PROVED_CALLER                                                                              \
    "appsecret_proof=6db4a2069c8f42a1ee3c3f55afb3ae6fe96e5c00c2dcb42a39732cd6e2bddc38"             \
    "&appsecret_time=1767225600"
#define REDIRECT "https://example.org/back?x=1"
#define REDIRECT_ENCODED "https%3A%2F%2Fexample.org%2Fback%3Fx%3D1"

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    struct error error = {0};

    if (text == NULL)
        return NULL;
    assert_int_equal(secret_new(strlen(text) + 1, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

/* Which values are given: exactly what the step says it needs, and a verifier or caller when named. */
static int make(const char *provider, enum oauth_step step,
                const struct oauth_parameters *parameters, const char *verifier_text,
                const char *caller_text, struct oauth_call *ret_call, struct error *error)
{
    const struct provider *family = provider_find(provider);
    unsigned needs = oauth_step_needs(family, step);
    auto_of(secret_free) struct secret *app_secret =
        secret_of((needs & NEEDS_APP_SECRET) != 0 ? APP_SECRET : NULL);
    auto_of(secret_free) struct secret *grant =
        secret_of((needs & NEEDS_GRANT) != 0 ? GRANT : NULL);
    auto_of(secret_free) struct secret *code = secret_of((needs & NEEDS_CODE) != 0 ? CODE : NULL);
    auto_of(secret_free) struct secret *verifier = secret_of(verifier_text);
    auto_of(secret_free) struct secret *caller = secret_of(caller_text);
    auto_of(secret_free) struct secret *client_token =
        secret_of((needs & NEEDS_CLIENT_TOKEN) != 0 ? CLIENT_TOKEN : NULL);
    const struct oauth_values values = {app_secret, grant, code, verifier, client_token, caller};
    struct oauth_parameters all = *parameters;

    all.client_id = all.client_id ? all.client_id : CLIENT;
    all.api_version = all.api_version ? all.api_version : family->default_version;
    all.now = NOW;
    return oauth_call_make(family, step, &all, &values, ret_call, error);
}

static void assert_holds(const struct secret *secret, const char *text)
{
    char held[4096];

    if (text == NULL) {
        assert_null(secret);
        return;
    }
    assert_non_null(secret);
    assert_in_range(secret_size(secret), 0, sizeof(held) - 1);
    memcpy(held, secret_data(secret), secret_size(secret));
    held[secret_size(secret)] = '\0';
    assert_string_equal(held, text);
}

static const struct {
    const char *provider;
    enum oauth_step step;
    struct oauth_parameters parameters;
    const char *verifier, *caller;
    const char *method, *target, *bearer, *form;
} requests[] = {
    /* Meta's token endpoint */
    {"meta",
     STEP_EXCHANGE,
     {.kind = "user"},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=fb_exchange_token&client_id=" CLIENT "&client_secret=" APP_SECRET
     "&fb_exchange_token=" GRANT_ENCODED},
    {"meta",
     STEP_EXCHANGE,
     {.kind = "system-user"},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=fb_exchange_token&client_id=" CLIENT "&client_secret=" APP_SECRET
     "&fb_exchange_token=" GRANT_ENCODED "&set_token_expires_in_60_days=true"},
    {"meta",
     STEP_CODE,
     {.redirect_uri = REDIRECT},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=authorization_code&client_id=" CLIENT "&client_secret=" APP_SECRET
     "&redirect_uri=" REDIRECT_ENCODED "&code=" CODE_ENCODED},
    {"meta",
     STEP_CODE,
     {0},
     VERIFIER,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=authorization_code&client_id=" CLIENT "&client_secret=" APP_SECRET
     "&code=" CODE_ENCODED "&code_verifier=" VERIFIER},
    {"meta",
     STEP_APP_TOKEN,
     {0},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=client_credentials&client_id=" CLIENT "&client_secret=" APP_SECRET},
    {"meta",
     STEP_SESSION_INFO,
     {0},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "grant_type=fb_attenuate_token&client_id=" CLIENT "&fb_exchange_token=" GRANT_ENCODED},
    {"meta",
     STEP_REDEEM,
     {.redirect_uri = REDIRECT, .machine_id = "mAch-1_x"},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "client_id=" CLIENT "&redirect_uri=" REDIRECT_ENCODED "&code=" CODE_ENCODED
     "&machine_id=mAch-1_x"},
    {"meta",
     STEP_REDEEM,
     {.redirect_uri = REDIRECT},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/access_token",
     NULL,
     "client_id=" CLIENT "&redirect_uri=" REDIRECT_ENCODED "&code=" CODE_ENCODED},
    /* Meta's other issuers */
    {"meta",
     STEP_SYSTEM_USER,
     {.subject = "100012", .scopes = "ads_read,ads_management", .sixty_days = true},
     NULL,
     NULL,
     "POST",
     "/v26.0/100012/access_tokens",
     GRANT,
     PROVED "&business_app=" CLIENT "&scope=ads_read%2Cads_management"
            "&set_token_expires_in_60_days=true"},
    {"meta",
     STEP_SYSTEM_USER,
     {.subject = "100012"},
     NULL,
     NULL,
     "POST",
     "/v26.0/100012/access_tokens",
     GRANT,
     PROVED "&business_app=" CLIENT},
    {"meta",
     STEP_NARROW,
     {.subject = "77", .scopes = "ads_read", .assets = "1,22"},
     NULL,
     NULL,
     "POST",
     "/v26.0/77/system_user_access_tokens",
     GRANT,
     PROVED "&scope=ads_read&asset=1%2C22"},
    {"meta",
     STEP_NARROW,
     {.subject = "77", .fetch_only = true, .sixty_days = true},
     NULL,
     NULL,
     "POST",
     "/v26.0/77/system_user_access_tokens",
     GRANT,
     PROVED "&fetch_only=true&set_token_expires_in_60_days=true"},
    {"meta",
     STEP_CLIENT_CODE,
     {.redirect_uri = REDIRECT},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/client_code",
     GRANT,
     "method=get&client_id=" CLIENT "&client_secret=" APP_SECRET "&redirect_uri=" REDIRECT_ENCODED
     "&" PROVED},
    {"meta",
     STEP_CLIENT_CODE,
     {.redirect_uri = REDIRECT, .by_get = true},
     NULL,
     NULL,
     "GET",
     "/v26.0/oauth/client_code?client_id=" CLIENT "&client_secret=" APP_SECRET
     "&redirect_uri=" REDIRECT_ENCODED "&" PROVED,
     GRANT,
     NULL},
    {"meta",
     STEP_DEVICE_START,
     {.scopes = "a,b"},
     NULL,
     NULL,
     "POST",
     "/v26.0/device/login",
     NULL,
     "access_token=" CLIENT "%7Cc1e2&scope=a%2Cb"},
    {"meta",
     STEP_DEVICE_POLL,
     {0},
     NULL,
     NULL,
     "POST",
     "/v26.0/device/login_status",
     NULL,
     "access_token=" CLIENT "%7Cc1e2&code=" CODE_ENCODED},
    /* Meta, about a grant */
    {"meta",
     STEP_PAGES,
     {0},
     NULL,
     NULL,
     "POST",
     "/v26.0/me/accounts",
     GRANT,
     "method=get&fields=id%2Cname%2Caccess_token%2Ctasks&limit=25&" PROVED},
    {"meta",
     STEP_PAGES,
     {.subject = "42", .cursor = "QVFI+/=_-", .by_get = true},
     NULL,
     NULL,
     "GET",
     "/v26.0/42/accounts?fields=id%2Cname%2Caccess_token%2Ctasks&limit=25"
     "&after=QVFI%2B%2F%3D_-&" PROVED,
     GRANT,
     NULL},
    {"meta",
     STEP_PAGES,
     {.page = "1353269864728879", .by_get = true},
     NULL,
     NULL,
     "GET",
     "/v26.0/1353269864728879?fields=id%2Cname%2Caccess_token&" PROVED,
     GRANT,
     NULL},
    {"meta",
     STEP_PAGES,
     {.subject = "33", .edge = "owned_pages"},
     NULL,
     NULL,
     "POST",
     "/v26.0/33/owned_pages",
     GRANT,
     "method=get&fields=id%2Cname%2Caccess_token%2Ctasks&limit=25&" PROVED},
    {"meta",
     STEP_PAGES,
     {.subject = "33", .edge = "client_pages", .cursor = "QVFI", .by_get = true},
     NULL,
     NULL,
     "GET",
     "/v26.0/33/client_pages?fields=id%2Cname%2Caccess_token%2Ctasks&limit=25&after=QVFI&" PROVED,
     GRANT,
     NULL},
    {"meta",
     STEP_BUSINESSES,
     {.cursor = "QVFI"},
     NULL,
     NULL,
     "POST",
     "/v26.0/me/businesses",
     GRANT,
     "method=get&fields=id%2Cname&limit=25&after=QVFI&" PROVED},
    {"meta",
     STEP_PERMISSIONS,
     {0},
     NULL,
     NULL,
     "POST",
     "/v26.0/me/permissions",
     GRANT,
     "method=get&" PROVED},
    {"meta",
     STEP_TAKE_BACK,
     {.permission = "ads_read"},
     NULL,
     NULL,
     "POST",
     "/v26.0/me/permissions/ads_read",
     GRANT,
     "method=delete&" PROVED},
    {"meta",
     STEP_TAKE_BACK,
     {.subject = "42", .permission = ""},
     NULL,
     NULL,
     "POST",
     "/v26.0/42/permissions",
     GRANT,
     "method=delete&" PROVED},
    {"meta",
     STEP_REVOKE,
     {.kind = "system-user"},
     NULL,
     NULL,
     "POST",
     "/v26.0/oauth/revoke",
     GRANT,
     "method=get&client_id=" CLIENT "&client_secret=" APP_SECRET "&revoke_token=" GRANT_ENCODED
     "&" PROVED},
    {"meta",
     STEP_REVOKE,
     {.by_get = true},
     NULL,
     "EAAcaller",
     "GET",
     "/v26.0/oauth/revoke?client_id=" CLIENT "&client_secret=" APP_SECRET
     "&revoke_token=" GRANT_ENCODED "&" PROVED_CALLER,
     "EAAcaller",
     NULL},
    /* Instagram */
    {"instagram",
     STEP_CODE,
     {.redirect_uri = REDIRECT},
     NULL,
     NULL,
     "POST",
     "/oauth/access_token",
     NULL,
     "client_id=" CLIENT "&client_secret=" APP_SECRET
     "&grant_type=authorization_code&redirect_uri=" REDIRECT_ENCODED "&code=" CODE_ENCODED},
    {"instagram",
     STEP_EXCHANGE,
     {0},
     NULL,
     NULL,
     "GET",
     "/access_token?grant_type=ig_exchange_token&client_secret=" APP_SECRET
     "&access_token=" GRANT_ENCODED,
     NULL,
     NULL},
    {"instagram",
     STEP_REFRESH,
     {.kind = "instagram"},
     NULL,
     NULL,
     "GET",
     "/refresh_access_token?grant_type=ig_refresh_token&access_token=" GRANT_ENCODED,
     NULL,
     NULL},
    {"instagram",
     STEP_INSPECT_INPUT,
     {0},
     NULL,
     NULL,
     "GET",
     "/v26.0/me?fields=id%2Cuser_id",
     GRANT,
     NULL},
    {"instagram",
     STEP_INSPECT_RESULT,
     {.by_get = true},
     NULL,
     NULL,
     "GET",
     "/v26.0/me?fields=id%2Cuser_id",
     GRANT,
     NULL},
    /* Threads */
    {"threads",
     STEP_CODE,
     {.redirect_uri = REDIRECT},
     NULL,
     NULL,
     "POST",
     "/oauth/access_token",
     NULL,
     "client_id=" CLIENT "&client_secret=" APP_SECRET
     "&grant_type=authorization_code&redirect_uri=" REDIRECT_ENCODED "&code=" CODE_ENCODED},
    {"threads",
     STEP_EXCHANGE,
     {.kind = "threads"},
     NULL,
     NULL,
     "GET",
     "/access_token?grant_type=th_exchange_token&client_secret=" APP_SECRET
     "&access_token=" GRANT_ENCODED,
     NULL,
     NULL},
    {"threads",
     STEP_REFRESH,
     {0},
     NULL,
     NULL,
     "GET",
     "/refresh_access_token?grant_type=th_refresh_token&access_token=" GRANT_ENCODED,
     NULL,
     NULL},
    {"threads",
     STEP_APP_TOKEN,
     {.kind = "app"},
     NULL,
     NULL,
     "POST",
     "/oauth/access_token",
     NULL,
     "grant_type=client_credentials&client_id=" CLIENT "&client_secret=" APP_SECRET},
    {"threads",
     STEP_APP_TOKEN,
     {.by_get = true},
     NULL,
     NULL,
     "GET",
     "/oauth/access_token?grant_type=client_credentials&client_id=" CLIENT
     "&client_secret=" APP_SECRET,
     NULL,
     NULL},
    {"threads", STEP_INSPECT_INPUT, {0}, NULL, NULL, "GET", "/v1.0/me?fields=id", GRANT, NULL},
};

static void makes_every_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        auto_call struct oauth_call call = {0};
        struct error error = {0};

        if (make(requests[i].provider, requests[i].step, &requests[i].parameters,
                 requests[i].verifier, requests[i].caller, &call, &error) < 0)
            fail_msg("%s %s: %s", requests[i].provider, oauth_step_name(requests[i].step),
                     error.text);
        assert_string_equal(call.method, requests[i].method);
        assert_holds(call.target, requests[i].target);
        assert_holds(call.bearer, requests[i].bearer);
        assert_holds(call.form, requests[i].form);
    }
}

/* PKCE alone: no app secret is opened, none is sent. */
static void exchanges_a_code_without_a_secret(void **state)
{
    auto_of(secret_free) struct secret *code = secret_of(CODE);
    auto_of(secret_free) struct secret *verifier = secret_of(VERIFIER);
    const struct oauth_parameters parameters = {.client_id = CLIENT, .api_version = "v26.0"};
    struct oauth_values values = {.code = code, .verifier = verifier};
    auto_call struct oauth_call call = {0};
    struct error error = {0};

    (void)state;
    assert_int_equal(
        oauth_call_make(provider_find("meta"), STEP_CODE, &parameters, &values, &call, &error), 0);
    assert_holds(call.form, "grant_type=authorization_code&client_id=" CLIENT "&code=" CODE_ENCODED
                            "&code_verifier=" VERIFIER);
    values.verifier = NULL;
    oauth_call_clear(&call);
    assert_int_equal(
        oauth_call_make(provider_find("meta"), STEP_CODE, &parameters, &values, &call, &error), -1);
    assert_non_null(strstr(error.text, "the app secret is empty"));
}

static void refused(const char *provider, enum oauth_step step, struct oauth_parameters parameters,
                    enum code code, const char *part)
{
    struct oauth_call call = {0};
    struct error error = {0};

    if (make(provider, step, &parameters, NULL, NULL, &call, &error) == 0)
        fail_msg("%s %s was made: %s", provider, oauth_step_name(step), part);
    assert_int_equal(error.code, code);
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
    assert_null(call.target);
    assert_null(call.bearer);
    assert_null(call.form);
}

#define WITH(...) ((struct oauth_parameters){__VA_ARGS__})

static void refuses_what_leaves_its_place(void **state)
{
    static const char *const ids[] = {
        "me", "1/accounts", "-1", "1?x", "1 2", "1\r\n", "123456789012345678901234567890123"};
    static const char *const lists[] = {",", "a,", ",a", "a,,b", "a b", "a&b=c", "a/b", "a\n"};
    static const char *const cursors[] = {"a&access_token=x", "a b", "a%41", "a\n", "a#b", "\x7f"};
    static const char *const uris[] = {"http://example.org/",
                                       "ftp://example.org/",
                                       "https://",
                                       "https://a b/",
                                       "https://example.org/#f",
                                       "javascript:alert(1)",
                                       "http://127.0.0.1.example.org/",
                                       "https://user@example.org/"};

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        refused("meta", STEP_PAGES, WITH(.subject = ids[i]), CODE_USAGE, "is a number");
        refused("meta", STEP_PAGES, WITH(.page = ids[i]), CODE_USAGE, "is a number");
        refused("meta", STEP_SYSTEM_USER, WITH(.subject = ids[i]), CODE_USAGE, "is a number");
        refused("meta", STEP_NARROW, WITH(.subject = "1", .assets = ids[i]), CODE_USAGE, "assets");
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        refused("meta", STEP_DEVICE_START, WITH(.scopes = lists[i]), CODE_USAGE,
                "scopes are words");
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++)
        refused("meta", STEP_PAGES, WITH(.cursor = cursors[i]), CODE_USAGE, "the cursor");
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
        refused("meta", STEP_CODE, WITH(.redirect_uri = uris[i]), CODE_USAGE, "redirect address");
    refused("meta", STEP_PAGES, WITH(.subject = "1", .edge = "access_tokens"), CODE_USAGE,
            "owned_pages and client_pages");
    refused("meta", STEP_PAGES, WITH(.subject = "1", .edge = "owned_pages/x"), CODE_USAGE,
            "owned_pages and client_pages");
    refused("meta", STEP_PAGES, WITH(.edge = "owned_pages"), CODE_USAGE, "id of the business");
    refused("meta", STEP_BUSINESSES, WITH(.subject = "me/x"), CODE_USAGE, "is a number");
    refused("threads", STEP_BUSINESSES, WITH(.subject = "1"), CODE_USAGE, "no such step");
    refused("meta", STEP_TAKE_BACK, WITH(.permission = "a/b"), CODE_USAGE, "one word");
    refused("meta", STEP_TAKE_BACK, WITH(.permission = "a,b"), CODE_USAGE, "one word");
    refused("meta", STEP_REDEEM, WITH(.redirect_uri = REDIRECT, .machine_id = "a&b"), CODE_USAGE,
            "machine id");
    refused("meta", STEP_PAGES, WITH(.client_id = "0"), CODE_CONFIG, "not a number");
    refused("instagram", STEP_REFRESH, WITH(.client_id = "x"), CODE_CONFIG, "not a number");
    refused("threads", STEP_INSPECT_INPUT, WITH(.api_version = "v1.0/x"), CODE_CONFIG, "version");
}

/* It was read from a file: there may be anything in it. */
static void refuses_what_is_no_client_token(void **state)
{
    static const char *const wrong[] = {"", "a|b", "a b", "a&b", "c1e2%00", "c1e2="};
    const struct oauth_parameters parameters = {.client_id = CLIENT, .api_version = "v26.0"};
    auto_of(secret_free) struct secret *code = secret_of(CODE);

    (void)state;
    for (size_t i = 0; i <= sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_of(secret_free) struct secret *token =
            secret_of(i < sizeof(wrong) / sizeof(wrong[0]) ? wrong[i] : NULL);
        const struct oauth_values values = {.code = code, .client_token = token};
        auto_call struct oauth_call call = {0};
        struct error error = {0};

        assert_int_equal(oauth_call_make(provider_find("meta"),
                                         i % 2 ? STEP_DEVICE_START : STEP_DEVICE_POLL, &parameters,
                                         &values, &call, &error),
                         -1);
        assert_non_null(strstr(error.text, "the client token is"));
    }
}

/* A front that was taken over need not say what every front says. */
static void refuses_what_no_front_leaves_out(void **state)
{
    static const struct oauth_parameters bare[] = {{.api_version = "v26.0"}, {.client_id = CLIENT}};
    const struct oauth_values values = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        auto_call struct oauth_call call = {0};
        struct error error = {0};
        assert_int_equal(
            oauth_call_make(provider_find("meta"), STEP_PAGES, &bare[i], &values, &call, &error),
            -1);
        assert_int_equal(error.code, CODE_CONFIG);
    }
}

static void refuses_what_is_missing(void **state)
{
    (void)state;
    refused("meta", STEP_SYSTEM_USER, WITH(0), CODE_USAGE, "there must be the id of the system");
    refused("meta", STEP_NARROW, WITH(0), CODE_USAGE,
            "there must be the id of the client business");
    refused("meta", STEP_CLIENT_CODE, WITH(0), CODE_USAGE, "there must be a redirect address");
    refused("meta", STEP_REDEEM, WITH(0), CODE_USAGE, "there must be the redirect address");
    refused("instagram", STEP_CODE, WITH(0), CODE_USAGE, "there must be the redirect address");
}

static void refuses_steps_and_kinds_that_are_none(void **state)
{
    (void)state;
    for (enum oauth_step step = 0; step <= STEP_COUNT; step++) {
        if (oauth_step_needs(provider_find("meta"), step) == 0)
            refused("meta", step, WITH(0), CODE_USAGE, "provider 'meta' has no such step");
        if (oauth_step_needs(provider_find("instagram"), step) == 0)
            refused("instagram", step, WITH(0), CODE_USAGE, "'instagram' has no such step");
        if (oauth_step_needs(provider_find("threads"), step) == 0)
            refused("threads", step, WITH(0), CODE_USAGE, "'threads' has no such step");
    }
    refused("meta", STEP_EXCHANGE, WITH(.kind = "page"), CODE_USAGE, "'page' cannot be renewed");
    refused("meta", STEP_EXCHANGE, WITH(.kind = "app"), CODE_USAGE, "'app' cannot be renewed");
    refused("meta", STEP_EXCHANGE, WITH(.kind = "session"), CODE_USAGE, "cannot be renewed");
    refused("meta", STEP_PAGES, WITH(.kind = "threads"), CODE_USAGE, "no grants of kind 'threads'");
    refused("meta", STEP_REVOKE, WITH(.kind = "app"), CODE_USAGE, "ends with the app secret only");
    refused("instagram", STEP_REFRESH, WITH(.kind = "user"), CODE_USAGE,
            "no grants of kind 'user'");
    refused("threads", STEP_EXCHANGE, WITH(.kind = "app"), CODE_USAGE, "'app' cannot be renewed");
    refused("threads", STEP_INSPECT_INPUT, WITH(.kind = "app"), CODE_USAGE, "says nothing of");
}

/* ---- the tables ---- */

static void knows_its_families(void **state)
{
    const struct provider *meta = provider_find("meta");
    const struct provider *instagram = provider_find("instagram");
    const struct provider *threads = provider_find("threads");

    (void)state;
    assert_string_equal(meta->dialog_origin, "https://www.facebook.com");
    assert_true(meta->has_debugger);
    assert_null(meta->code_origin);
    assert_string_equal(instagram->default_origin, "https://graph.instagram.com");
    assert_string_equal(instagram->code_origin, "https://api.instagram.com");
    assert_string_equal(instagram->dialog_origin, "https://www.instagram.com");
    assert_false(instagram->has_debugger);
    assert_string_equal(threads->default_origin, "https://graph.threads.net");
    assert_null(threads->code_origin);
    assert_string_equal(threads->default_version, "v1.0");
    assert_false(threads->has_debugger);
    for (enum oauth_step step = 0; step < STEP_COUNT; step++) {
        assert_int_equal(oauth_step_at_code_origin(instagram, step), step == STEP_CODE);
        assert_false(oauth_step_at_code_origin(meta, step));
        assert_false(oauth_step_at_code_origin(threads, step));
        assert_string_not_equal(oauth_step_name(step), "unknown");
        for (enum oauth_step other = 0; other < step; other++)
            assert_string_not_equal(oauth_step_name(step), oauth_step_name(other));
    }
    assert_string_equal(oauth_step_name(STEP_COUNT), "unknown");
}

static void knows_the_kinds(void **state)
{
    static const struct {
        const char *provider, *kind;
        bool known;
        enum oauth_step lengthen, renew;
    } kinds[] = {
        {"meta", "user", true, STEP_EXCHANGE, STEP_EXCHANGE},
        {"meta", "page", true, STEP_COUNT, STEP_COUNT},
        {"meta", "system-user", true, STEP_COUNT, STEP_EXCHANGE},
        {"meta", "app", true, STEP_COUNT, STEP_COUNT},
        {"meta", "session", true, STEP_COUNT, STEP_COUNT},
        {"meta", "instagram", false, STEP_COUNT, STEP_COUNT},
        {"meta", "", false, STEP_COUNT, STEP_COUNT},
        {"instagram", "instagram", true, STEP_EXCHANGE, STEP_REFRESH},
        {"instagram", "user", false, STEP_COUNT, STEP_COUNT},
        {"threads", "threads", true, STEP_EXCHANGE, STEP_REFRESH},
        {"threads", "app", true, STEP_COUNT, STEP_COUNT},
        {"threads", "page", false, STEP_COUNT, STEP_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct provider *provider = provider_find(kinds[i].provider);

        assert_int_equal(oauth_kind_known(provider, kinds[i].kind), kinds[i].known);
        assert_int_equal(oauth_lengthen_step(provider, kinds[i].kind), kinds[i].lengthen);
        assert_int_equal(oauth_renew_step(provider, kinds[i].kind), kinds[i].renew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_every_request),
        cmocka_unit_test(exchanges_a_code_without_a_secret),
        cmocka_unit_test(refuses_what_leaves_its_place),
        cmocka_unit_test(refuses_what_no_front_leaves_out),
        cmocka_unit_test(refuses_what_is_no_client_token),
        cmocka_unit_test(refuses_what_is_missing),
        cmocka_unit_test(refuses_steps_and_kinds_that_are_none),
        cmocka_unit_test(knows_its_families),
        cmocka_unit_test(knows_the_kinds),
    };

    return cmocka_run_group_tests_name("oauth_call", tests, NULL, NULL);
}
