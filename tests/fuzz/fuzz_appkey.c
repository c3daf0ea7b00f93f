/*
 * fuzz_appkey.c: what a writer of the store can put in an app key record's place.  The first
 * byte says what the rest is: 'a' a record, 'p' an opened private JWK, 'k' a public JWK.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/seal/internal.h"
#include "p11vault/base/json.h"
#include "p11vault/seal/appkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct secret *secret_of(const void *bytes, size_t size)
{
    struct error error;
    struct secret *secret = NULL;
    must(secret_new(size == 0 ? 1 : size, &secret, &error) == 0);
    must(secret_append(secret, bytes, size, &error) == 0);
    return secret;
}

/* 32 times one character: the seeds' content key is of 'k', what the card agreed on of 'z'. */
static struct secret *fixed_secret(int character)
{
    char bytes[CEK_SIZE];
    memset(bytes, character, sizeof(bytes));
    return secret_of(bytes, sizeof(bytes));
}

static void check_recipient(const struct appkey_recipient *recipient)
{
    struct error error = {0};
    must(jwk_thumbprint_valid(recipient->kid, strlen(recipient->kid)));
    if (recipient->alg != APPKEY_ECDH_A256KW) {
        must(recipient->encrypted_key_size >= 256);
        must(recipient->encrypted_key_size <= RSA_MODULUS_MAX);
        return;
    }
    must(recipient->encrypted_key_size == KEYWRAP_SIZE);
    must(ec_point_check(&recipient->epk, &error) == 0);
    auto_of(secret_free) struct secret *shared = fixed_secret('z');
    auto_of(secret_free) struct secret *key = NULL;
    if (appkey_unwrap_ecdh(recipient, shared, &key, &error) == 0)
        must(secret_size(key) == CEK_SIZE);
    else
        must(error.code == CODE_LOG && key == NULL);
}

static void fuzz_record(const char *text)
{
    struct error error = {0};
    struct appkey_record record;
    struct ec_point public;
    auto_of(secret_free) struct secret *key = fixed_secret('k');
    auto_of(secret_free) struct secret *private = NULL;
    bool read = appkey_read(text, &record, &error) == 0;
    must(read || error.code == CODE_LOG);
    if (read) {
        must(record.count >= 1 && record.count <= APPKEY_RECIPIENTS_MAX);
        for (size_t i = 0; i < record.count; i++)
            check_recipient(&record.recipients[i]);
    }
    if (appkey_open(text, key, &private, &public, &error) == 0)
        must(read && secret_size(private) == EC_SCALAR_SIZE);
    else
        must(error.code == CODE_LOG && private == NULL);
}

/* There is one text for a private key: what can be read is what would be written. */
static void fuzz_private(const char *text, size_t size)
{
    struct error error = {0};
    struct ec_point public;
    auto_of(secret_free) struct secret *json = secret_of(text, size);
    auto_of(secret_free) struct secret *private = NULL;
    auto_of(secret_free) struct secret *written = NULL;
    if (jwk_private_read(json, &private, &public, &error) < 0) {
        must(error.code == CODE_STOP && private == NULL);
        return;
    }
    must(jwk_private_write(private, &written, &error) == 0);
    must(secret_equals(written, text, size));
}

static void fuzz_public(const char *text, size_t size)
{
    struct error error = {0};
    struct jwk key;
    struct jwk again;
    uint8_t der[SPKI_MAX];
    size_t der_size;
    auto_json json_t *json = NULL;
    auto_json json_t *written = NULL;
    if (json_parse(text, size, "key", &json, &error) < 0)
        return;
    if (jwk_from_json(json, &key, &error) < 0) {
        must(error.code == CODE_STOP);
        return;
    }
    must(jwk_to_json(&key, &written, &error) == 0);
    must(json_equal(json, written));
    must(jwk_from_json(written, &again, &error) == 0);
    must(jwk_to_spki(&key, der, &der_size, &error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 2 * APPKEY_MAX)
        return 0;
    auto_free char *text = strndup((const char *)data + 1, size - 1);
    must(text != NULL);
    if (data[0] == 'a')
        fuzz_record(text);
    if (data[0] == 'p')
        fuzz_private((const char *)data + 1, size - 1);
    if (data[0] == 'k')
        fuzz_public((const char *)data + 1, size - 1);
    return 0;
}
