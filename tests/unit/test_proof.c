/*
 * test_proof.c: appsecret_proof against the values that other clients publish.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/oauth/proof.h"

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    struct error error = {0};
    size_t size = strlen(text);

    assert_int_equal(secret_new(size == 0 ? 1 : size, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static const struct {
    const char *token, *app_secret;
    int64_t time;
    const char *proof;
} vectors[] = {
    {"foo_token", "foo_secret", PROOF_PLAIN,
     "df4256903ba4e23636cc142117aa632133d75c642bd2a68955be1443bd14deb9"},
    {"123|foo_secret", "foo_secret", PROOF_PLAIN,
     "de753c58fd58b03afca2340bbaeb4ecf987b5de4c09e39a63c944dd25efbc234"},
    {"long_token", "foo_secret", PROOF_PLAIN,
     "7e91300ea91be4166282611d4fc700b473466f3ea2981dafbf492fc096995bf1"},
    {"foo_token", "shhhhh!is.my.secret", PROOF_PLAIN,
     "796ba0d8a6b339e476a7b166a9e8ac0a395f7de736dc37de5f2f4397f5854eb8"},
    {"abc123", "xyz789", PROOF_PLAIN,
     "4dad02ff1693df832f9c183fe400fc4f601360be06514acb4a73edb783eec345"},
    {"helloWorld", "PRIE7$oG2uS-Yf17kEnUEpi5hvW/#AFo", PROOF_PLAIN,
     "cb064987988fcd658470d6a24f1c68f6d7982c80ab9efb08cb8c84ef88fd03e1"},
    {"foo_token", "foo_secret", 1700000000,
     "3a7876b8be7ac378e1d8f0c9aa6f39831d7601f7a96a6d11b72aebf8acffcb23"},
};

static void gives_the_published_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        auto_of(secret_free) struct secret *token = secret_of(vectors[i].token);
        auto_of(secret_free) struct secret *app_secret = secret_of(vectors[i].app_secret);
        auto_of(secret_free) struct secret *proof = NULL;
        struct error error = {0};

        assert_int_equal(secret_new(64, &proof, &error), 0);
        assert_int_equal(proof_append(app_secret, token, vectors[i].time, proof, &error), 0);
        assert_int_equal(secret_size(proof), 64);
        assert_memory_equal(secret_data(proof), vectors[i].proof, 64);
    }
}

static void appends_behind_what_is_there(void **state)
{
    auto_of(secret_free) struct secret *token = secret_of("foo_token");
    auto_of(secret_free) struct secret *app_secret = secret_of("foo_secret");
    auto_of(secret_free) struct secret *target = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(secret_new(100, &target, &error), 0);
    assert_int_equal(secret_append_text(target, "proof=", &error), 0);
    assert_int_equal(proof_append(app_secret, token, PROOF_PLAIN, target, &error), 0);
    assert_int_equal(secret_size(target), 70);
    assert_memory_equal(secret_data(target), "proof=df4256", 12);
}

static void refused(const char *app_secret_text, const char *token_text, int64_t time,
                    size_t capacity, enum code code)
{
    auto_of(secret_free) struct secret *token = secret_of(token_text);
    auto_of(secret_free) struct secret *app_secret = secret_of(app_secret_text);
    auto_of(secret_free) struct secret *target = NULL;
    struct error error = {0};

    assert_int_equal(secret_new(capacity, &target, &error), 0);
    assert_int_equal(proof_append(app_secret, token, time, target, &error), -1);
    assert_int_equal(error.code, code);
    assert_int_equal(secret_size(target), 0);
    assert_null(strstr(error.text, "foo_"));
}

static void refuses_what_makes_no_proof(void **state)
{
    (void)state;
    refused("", "foo_token", PROOF_PLAIN, 64, CODE_STOP);
    refused("foo_secret", "", PROOF_PLAIN, 64, CODE_STOP);
    refused("foo_secret", "foo_token", -2, 64, CODE_FAULT);
    refused("foo_secret", "foo_token", PROOF_PLAIN, 63, CODE_STOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_values),
        cmocka_unit_test(appends_behind_what_is_there),
        cmocka_unit_test(refuses_what_makes_no_proof),
    };

    return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
