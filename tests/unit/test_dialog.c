/*
 * test_dialog.c: the login dialog's URL, every shape of what comes back, PKCE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/oauth/dialog.h"

#define CLIENT "1234567890"
#define STATE "MTIzNDU2Nzg5MDEyMzQ1Ng"
#define REDIRECT "http://127.0.0.1:8123/back"
#define REDIRECT_ENCODED "http%3A%2F%2F127.0.0.1%3A8123%2Fback"
#define ISSUER "https://www.facebook.com"
#define NONCE "bm9uY2Vub25jZW5vbmNl"
/* RFC 7636, appendix B */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static struct oauth_dialog usual(void)
{
    return (struct oauth_dialog){
        .client_id = CLIENT, .api_version = "v26.0", .redirect_uri = REDIRECT};
}

static struct secret *secret_of(const char *text)
{
    struct secret *secret;
    struct error error = {0};

    assert_int_equal(secret_new(strlen(text) + 1, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static void leads_to(const char *provider, const char *origin, const struct oauth_dialog *dialog,
                     const char *url)
{
    auto_of(secret_free) struct secret *secret = secret_of(STATE);
    auto_of(secret_free) struct secret *made = NULL;
    struct error error = {0};
    char whole[2048];

    if (oauth_dialog_url(provider_find(provider), origin, dialog, secret, &made, &error) < 0)
        fail_msg("%s: %s", url, error.text);
    snprintf(whole, sizeof(whole), "%s&state=%s", url, STATE);
    assert_int_equal(secret_size(made), strlen(whole) + 1);
    assert_string_equal((const char *)secret_data(made), whole);
}

#define BASE "client_id=" CLIENT "&redirect_uri=" REDIRECT_ENCODED "&response_type=code"

static void makes_the_urls(void **state)
{
    struct oauth_dialog dialog = usual();

    (void)state;
    leads_to("meta", NULL, &dialog, "https://www.facebook.com/v26.0/dialog/oauth?" BASE);
    leads_to("meta", "https://stand.in:8443", &dialog,
             "https://stand.in:8443/v26.0/dialog/oauth?" BASE);
    leads_to("instagram", NULL, &dialog, "https://www.instagram.com/oauth/authorize?" BASE);
    leads_to("threads", NULL, &dialog, "https://www.threads.net/oauth/authorize?" BASE);
    dialog.scopes = "threads_basic,threads_content_publish";
    leads_to("threads", NULL, &dialog,
             "https://www.threads.net/oauth/authorize?" BASE
             "&scope=threads_basic%2Cthreads_content_publish");
    dialog = usual();
    dialog.config_id = "5566";
    leads_to("meta", NULL, &dialog,
             "https://www.facebook.com/v26.0/dialog/oauth?" BASE
             "&config_id=5566&override_default_response_type=true");
    dialog = usual();
    dialog.scopes = "openid,ads_read";
    dialog.auth_type = "rerequest,reauthenticate";
    dialog.auth_nonce = NONCE;
    dialog.code_challenge = CHALLENGE;
    leads_to("meta", NULL, &dialog,
             "https://www.facebook.com/v26.0/dialog/oauth?" BASE
             "&scope=openid%2Cads_read&auth_type=rerequest%2Creauthenticate&auth_nonce=" NONCE
             "&code_challenge=" CHALLENGE "&code_challenge_method=S256");
    dialog = usual();
    dialog.auth_type = "reauthorize";
    leads_to("meta", NULL, &dialog,
             "https://www.facebook.com/v26.0/dialog/oauth?" BASE "&auth_type=reauthorize");
}

static void refused_with(const char *provider, struct oauth_dialog dialog, const char *text,
                         const char *part)
{
    auto_of(secret_free) struct secret *secret = secret_of(text);
    auto_of(secret_free) struct secret *made = NULL;
    struct error error = {0};

    assert_int_equal(
        oauth_dialog_url(provider_find(provider), NULL, &dialog, secret, &made, &error), -1);
    assert_null(made);
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
}

static void dialog_refused(const char *provider, struct oauth_dialog dialog, const char *part)
{
    refused_with(provider, dialog, STATE, part);
}

#define CHANGED(...)                                                                               \
    ((struct oauth_dialog){                                                                        \
        .client_id = CLIENT, .api_version = "v26.0", .redirect_uri = REDIRECT, __VA_ARGS__})

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static void refuses_what_cannot_be_asked_for(void **state)
{
    (void)state;
    dialog_refused("meta", CHANGED(.client_id = "x"), "the app's id");
    dialog_refused("meta", CHANGED(.api_version = "26"), "version");
    dialog_refused("meta", CHANGED(.redirect_uri = NULL), "there must be a redirect address");
    dialog_refused("meta", CHANGED(.redirect_uri = "http://example.org/"), "https");
    refused_with("meta", usual(), "", "state");
    refused_with("meta", usual(), "short", "state");
    refused_with("meta", usual(), "0123456789abcdef&x=y", "state");
    dialog_refused("meta", CHANGED(.scopes = "a b"), "scopes are words");
    dialog_refused("meta", CHANGED(.config_id = "x"), "is a number");
    dialog_refused("meta", CHANGED(.config_id = "1", .scopes = "a"), "name one of the two");
    dialog_refused("meta", CHANGED(.auth_type = "reask"), "authentication types");
    dialog_refused("meta", CHANGED(.auth_type = "rerequest,"), "authentication types");
    dialog_refused("meta", CHANGED(.auth_type = "rerequest,x"), "authentication types");
    dialog_refused("meta", CHANGED(.auth_type = "reauthenticate"), "go together");
    dialog_refused("meta", CHANGED(.auth_nonce = NONCE), "go together");
    dialog_refused("meta", CHANGED(.auth_type = "reauthenticate", .auth_nonce = "short"),
                   "16 to 31");
    dialog_refused("meta", CHANGED(.code_challenge = CHALLENGE), "scope openid");
    dialog_refused("meta", CHANGED(.code_challenge = CHALLENGE, .scopes = "openid_connect"),
                   "scope openid");
    dialog_refused("meta", CHANGED(.code_challenge = "x", .scopes = "openid"), "S256");
    dialog_refused("instagram", CHANGED(.config_id = "1"), "no configurations");
    dialog_refused("threads", CHANGED(.auth_type = "rerequest"), "no configurations");
    dialog_refused("threads", CHANGED(.code_challenge = CHALLENGE, .scopes = "openid"), "PKCE");
}
#pragma GCC diagnostic pop

/* RFC 9700 wants it from everybody; each provider takes it where its documents say so. */
static void knows_which_dialog_takes_a_challenge(void **state)
{
    static const struct {
        const char *provider, *scopes;
        bool takes;
    } cases[] = {
        {"meta", "openid", true},          {"meta", "ads_read,openid", true},
        {"meta", "ads_read", false},       {"meta", NULL, false},
        {"meta", "openid_connect", false}, {"meta", "my.openid,x", false},
        {"instagram", "openid", false},    {"threads", "openid", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct oauth_dialog dialog = {.scopes = cases[i].scopes};

        if (oauth_dialog_takes_pkce(provider_find(cases[i].provider), &dialog) != cases[i].takes)
            fail_msg("%s with %s", cases[i].provider, cases[i].scopes);
    }
}

static void knows_a_redirect_address(void **state)
{
    static const char *const right[] = {
        "https://example.org",     "https://example.org/a/b?c=d&e=%41", "https://[2001:db8::1]/",
        "http://127.0.0.1/",       "http://127.0.0.1:65535/back",       "http://[::1]:1/",
        "http://localhost:8080?x", "https://example.org:8443/",
    };
    static const char *const wrong[] = {
        "",
        "example.org",
        "HTTPS://example.org/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:80a/",
        "http://127.0.0.2/",
        "http://localhost.example.org/",
        "http://localhost@example.org/",
        "https://user:pass@example.org/",
        "https:///path",
        "https://example.org/#",
        "https://example.org/a b",
        "https://example.org/\"",
        "https://example.org/\\",
        "https://example.org/\xc3\xa9",
        "https://example.org/\n",
        "p11vault://back",
    };
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        if (oauth_redirect_uri_check(right[i], &error) < 0)
            fail_msg("%s: %s", right[i], error.text);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (oauth_redirect_uri_check(wrong[i], &error) == 0)
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(error.code, CODE_USAGE);
    }
}

/* ---- what comes back ---- */

static void read_back(const char *query, struct oauth_redirect *ret_redirect)
{
    auto_of(secret_free) struct secret *secret = secret_of(query);
    auto_of(secret_free) struct secret *awaited = secret_of(STATE);
    const struct oauth_awaited answer = {.state = awaited, .issuer = ISSUER};
    struct error error = {0};

    memset(ret_redirect, 0x5a, sizeof(*ret_redirect));
    assert_int_equal(oauth_redirect_read(secret, &answer, ret_redirect, &error), 0);
}

static void takes_the_code(void **state)
{
    static const struct {
        const char *query, *code;
    } cases[] = {
        {"code=AQDx&state=" STATE, "AQDx"},
        {"?code=AQDx&state=" STATE, "AQDx"},
        {"state=" STATE "&code=AQDx#_=_", "AQDx"},
        {"state=" STATE "&code=AQDx#_", "AQDx"},
        {"code=AQDx#_&state=" STATE "#_", ""}, /* two fragments: below */
        {"code=AQDx%23_&state=" STATE, "AQDx"},
        {"code=AQDx%23_%3D_&state=" STATE, "AQDx"},
        {"code=a%2Bb%2f%3D&state=" STATE "&other=1&other=2", "a+b/="},
        {"code=x&iss=https%3A%2F%2Fwww.facebook.com&state=" STATE, "x"},
        {"code=x&state=" STATE "&granted_scopes=ads_read%2Cemail&denied_scopes=a%20b", "x"},
        {REDIRECT "?code=AQDx&state=" STATE "#_=_", "AQDx"},
        {"https://example.org/a?code=AQDx&state=" STATE, "AQDx"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_redirect struct oauth_redirect redirect;

        read_back(cases[i].query, &redirect);
        if (cases[i].code[0] == '\0') {
            assert_int_equal(redirect.verdict.action, CODE_STOP);
            continue;
        }
        if (redirect.verdict.action != CODE_DONE)
            fail_msg("%s: %s", cases[i].query, redirect.verdict.message);
        assert_true(secret_equals(redirect.code, cases[i].code, strlen(cases[i].code)));
    }
}

/* Whoever listens goes on listening: none of these has a provider_code. */
static void leaves_what_is_not_its_own(void **state)
{
    static const struct {
        const char *query, *part;
    } cases[] = {
        {"", "no state"},
        {"?", "no state"},
        {"code=x", "no state"},
        {"code=x&state=", "another state"},
        {"code=x&state=MTIzNDU2Nzg5MDEyMzQ1Nh", "another state"},
        {"code=x&state=" STATE "x", "another state"},
        {"code=x&state=%", "another state"},
        {"error=access_denied&state=wrong", "another state"},
        {"error=access_denied", "no state"},
        {"error_code=2&error_message=x", "no state"},
        {"error_reason=user_denied&error=access_denied&error_description=Permissions+error.",
         "no state"},
        {"state=" STATE, "neither a code nor an error"},
        {"code=&state=" STATE, "is not valid"},
        {"code&state=" STATE, "is not valid"},
        {"code=a%20b&state=" STATE, "is not valid"},
        {"code=a+b&state=" STATE, "is not valid"},
        {"code=a%0d%0ab&state=" STATE, "is not valid"},
        {"code=a%00b&state=" STATE, "is not valid"},
        {"code=a%4&state=" STATE, "is not valid"},
        {"code=a%zz&state=" STATE, "is not valid"},
        {"code=%c3%a9&state=" STATE, "is not valid"},
        {"code=x&iss=https%3A%2F%2Fevil.example&state=" STATE, "another issuer"},
        {"code=x&iss=https%3A%2F%2Fwww.facebook.com%2F&state=" STATE, "another issuer"},
        {"code=x&iss=&state=" STATE, "another issuer"},
        {"error=access_denied&iss=https%3A%2F%2Fevil.example&state=" STATE, "another issuer"},
        {"code=x&iss=a&iss=a&state=" STATE, "twice"},
        {"code=x&code=x&state=" STATE, "twice"},
        {"code=x&state=" STATE "&state=" STATE, "twice"},
        {"error=access_denied&error=access_denied", "twice"},
        {"code=x&error=access_denied&state=" STATE, "both"},
        {"code=x&state=" STATE "#access_token=y", "not the query"},
        {"https://example.org/a", "not the query"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_redirect struct oauth_redirect redirect;

        read_back(cases[i].query, &redirect);
        if (redirect.verdict.action != CODE_STOP ||
            strstr(redirect.verdict.message, cases[i].part) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[i].query, error_code_name(redirect.verdict.action),
                     redirect.verdict.message);
        assert_null(redirect.code);
        assert_int_equal(redirect.verdict.provider_code, 0);
    }
}

static void judges_the_errors(void **state)
{
    static const struct {
        const char *query;
        enum code code;
        int64_t provider_code;
    } cases[] = {
        {"error_reason=user_denied&error=access_denied&error_description=Permissions+error.&"
         "state=" STATE,
         CODE_LOGIN, 0},
        {"error=access_denied&error_code=200&error_description=Permissions+error&error_reason=user_"
         "denied&state=" STATE "#_=_",
         CODE_LOGIN, 200},
        {"error_code=1349048&error_message=Can%27t+load+URL&state=" STATE, CODE_CONFIG, 1349048},
        {"error_code=100&error_message=Invalid+Scopes&state=" STATE, CODE_CONFIG, 100},
        {"error_code=191&state=" STATE, CODE_CONFIG, 191},
        {"error_code=2&error_message=x&state=" STATE, CODE_RETRY, 2},
        {"error_code=4&state=" STATE, CODE_WAIT, 4},
        {"error_code=200&state=" STATE, CODE_PERMISSION, 200},
        {"error_code=x&state=" STATE, CODE_CONFIG, 0},
        {"error_code=99999999999&state=" STATE, CODE_CONFIG, 0},
        {"error=server_error&state=" STATE, CODE_RETRY, 0},
        {"error=temporarily_unavailable&state=" STATE, CODE_RETRY, 0},
        {"error=invalid_scope&state=" STATE, CODE_CONFIG, 0},
        {"error=unauthorized_client&state=" STATE, CODE_CONFIG, 0},
        {"error=%1b%5b31m&state=" STATE, CODE_CONFIG, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_redirect struct oauth_redirect redirect;

        read_back(cases[i].query, &redirect);
        if (redirect.verdict.action != cases[i].code)
            fail_msg("%s: %s", cases[i].query, error_code_name(redirect.verdict.action));
        assert_int_equal(redirect.verdict.provider_code, cases[i].provider_code);
        assert_null(redirect.code);
    }
}

/* ---- PKCE, hints ---- */

static void makes_the_challenge_of_the_rfc(void **state)
{
    static const char *const wrong[] = {"", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX",
                                        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r wW1gFWFOEjXk"};
    auto_of(secret_free) struct secret *verifier = NULL;
    auto_of(secret_free) struct secret *made = NULL;
    char challenge[OAUTH_CHALLENGE_SIZE];
    struct error error = {0};

    (void)state;
    assert_int_equal(secret_new(256, &verifier, &error), 0);
    assert_int_equal(secret_append_text(verifier, VERIFIER, &error), 0);
    assert_int_equal(oauth_pkce_challenge(verifier, challenge, &error), 0);
    assert_string_equal(challenge, CHALLENGE);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        secret_clear(verifier);
        assert_int_equal(secret_append_text(verifier, wrong[i], &error), 0);
        assert_int_equal(oauth_pkce_challenge(verifier, challenge, &error), -1);
        assert_int_equal(error.code, CODE_USAGE);
    }
    assert_int_equal(oauth_random_text(&made, &error), 0);
    assert_int_equal(secret_size(made), 64);
    assert_int_equal(oauth_pkce_challenge(made, challenge, &error), 0);
    assert_string_not_equal(challenge, CHALLENGE);
}

static void fills_the_names_into_a_hint(void **state)
{
    static const char *const cases[][2] = {
        {"log in again: p11vault login NAME", "log in again: p11vault login ads/user/alice"},
        {"p11vault login NAME --rerequest", "p11vault login ads/user/alice --rerequest"},
        {"p11vault app show APP", "p11vault app show ads"},
        {"NAME", "ads/user/alice"},
        {"NAMES APPS UNNAME", "NAMES APPS UNNAME"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char hint[OAUTH_HINT_MAX];

        oauth_hint_fill(cases[i][0], "ads/user/alice", "ads", hint);
        assert_string_equal(hint, cases[i][1]);
    }

    char longest[400];
    char hint[OAUTH_HINT_MAX];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    oauth_hint_fill("NAME NAME", longest, "ads", hint);
    assert_int_equal(strlen(hint), OAUTH_HINT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_urls),
        cmocka_unit_test(refuses_what_cannot_be_asked_for),
        cmocka_unit_test(knows_which_dialog_takes_a_challenge),
        cmocka_unit_test(knows_a_redirect_address),
        cmocka_unit_test(takes_the_code),
        cmocka_unit_test(leaves_what_is_not_its_own),
        cmocka_unit_test(judges_the_errors),
        cmocka_unit_test(makes_the_challenge_of_the_rfc),
        cmocka_unit_test(fills_the_names_into_a_hint),
    };

    return cmocka_run_group_tests_name("dialog", tests, NULL, NULL);
}
