/*
 * test_webhook.c: whose body it is that was posted to a webhook.
 */
#include "p11vault/oauth/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define APP_SECRET "5ecretOfTheAppInThisTest01234567"
#define BODY "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"message\":\"caf\\u00e9\"}]}"
/* openssl dgst -sha256 -hmac APP_SECRET of BODY and of nothing */
#define OF_BODY "b4377aa6ac5fcf9a6feaa11a9a169cb7d53f6f5535013036be9a0f75d239a8d8"
#define OF_NOTHING "c0e6821e940597b10a21520c720dec34434f0e50386f5a508da8980c0d7de87e"

static int check(const char *key, const char *signature, const char *body, size_t size,
                 struct error *error)
{
    auto_of(secret_free) struct secret *secret = NULL;
    struct error making;
    assert_int_equal(secret_new(64, &secret, &making), 0);
    assert_int_equal(secret_append_text(secret, key, &making), 0);
    return webhook_check(secret, signature, body, size, error);
}

static void test_genuine(void **state)
{
    struct error error;
    (void)state;
    assert_int_equal(check(APP_SECRET, "sha256=" OF_BODY, BODY, strlen(BODY), &error), 0);
    assert_int_equal(check(APP_SECRET, "sha256=" OF_NOTHING, "", 0, &error), 0);
}

static void test_forged(void **state)
{
    static const struct {
        const char *key, *signature, *body;
    } cases[] = {{APP_SECRET "x", "sha256=" OF_BODY, BODY},
                 {APP_SECRET, "sha256=" OF_BODY, BODY " "},
                 {APP_SECRET, "sha256=" OF_BODY, "{\"object\":\"page\"}"},
                 {APP_SECRET, "sha256=" OF_NOTHING, BODY},
                 {"", "sha256=" OF_BODY, BODY}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        if (check(cases[i].key, cases[i].signature, cases[i].body, strlen(cases[i].body), &error) ==
            0)
            fail_msg("a forged body counts (%zu)", i);
        assert_int_equal(error.code, CODE_STOP);
    }
}

static void test_malformed(void **state)
{
    static const char *const signatures[] = {"",
                                             "sha256=",
                                             OF_BODY,
                                             "sha1=" OF_BODY,
                                             "sha256=" OF_BODY "0",
                                             "sha256= " OF_BODY,
                                             "SHA256=" OF_BODY,
                                             "sha256=g" OF_NOTHING,
                                             "X-Hub-Signature-256: sha256=" OF_BODY};
    (void)state;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        struct error error;
        struct digest digest;
        assert_int_equal(webhook_read_signature(signatures[i], &digest, &error), -1);
        assert_int_equal(error.code, CODE_STOP);
        assert_non_null(strstr(error.hint, "X-Hub-Signature-256"));
        assert_int_equal(check(APP_SECRET, signatures[i], BODY, strlen(BODY), &error), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
