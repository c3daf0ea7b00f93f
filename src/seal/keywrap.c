/*
 * keywrap.c: one content key under one wrapping key, RFC 3394 with the initial value of its
 * section 2.2.3.1.
 */
#include <string.h>

#include "internal.h"

static int check_keys(const struct secret *wrapping_key, size_t size, size_t expected,
                      struct error *error)
{
    if (secret_size(wrapping_key) != CEK_SIZE || size != expected)
        return error_set(error, CODE_STOP, "key wrap: not a key of %d bytes", CEK_SIZE);
    return 0;
}

/* libcrypto refuses wrapping modes unless they are asked for by name and by flag. */
static EVP_CIPHER_CTX *wrap_context(void)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL)
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    return context;
}

int keywrap_wrap(const struct secret *wrapping_key, const struct secret *content_key,
                 uint8_t ret_wrapped[KEYWRAP_SIZE], struct error *error)
{
    if (check_keys(wrapping_key, secret_size(content_key), CEK_SIZE, error) < 0)
        return -1;
    auto_of(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = wrap_context();
    uint8_t wrapped[KEYWRAP_SIZE];
    int written = 0;
    int last = 0;
    if (context == NULL ||
        EVP_EncryptInit_ex(context, EVP_aes_256_wrap(), NULL, secret_data(wrapping_key), NULL) !=
            1 ||
        EVP_EncryptUpdate(context, wrapped, &written, secret_data(content_key), CEK_SIZE) != 1 ||
        written != KEYWRAP_SIZE || EVP_EncryptFinal_ex(context, wrapped + written, &last) != 1 ||
        last != 0)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot wrap a key");
    memcpy(ret_wrapped, wrapped, KEYWRAP_SIZE);
    return 0;
}

int keywrap_unwrap(const struct secret *wrapping_key, const uint8_t *wrapped, size_t size,
                   struct secret **ret_content_key, struct error *error)
{
    auto_of(secret_free) struct secret *key = NULL;
    /* Room for as much as goes in: libcrypto may use the output as its work space. */
    if (check_keys(wrapping_key, size, KEYWRAP_SIZE, error) < 0 ||
        secret_new(KEYWRAP_SIZE, &key, error) < 0)
        return -1;
    auto_of(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = wrap_context();
    if (context == NULL ||
        EVP_DecryptInit_ex(context, EVP_aes_256_wrap(), NULL, secret_data(wrapping_key), NULL) != 1)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot unwrap a key");
    size_t room;
    uint8_t *bytes = secret_room(key, &room);
    int written = 0;
    if (EVP_DecryptUpdate(context, bytes, &written, wrapped, KEYWRAP_SIZE) != 1 ||
        written != CEK_SIZE)
        return crypto_fail(error, CODE_STOP, "a wrapped key is not what was wrapped");
    secret_grow(key, CEK_SIZE);
    *ret_content_key = TAKE(key);
    return 0;
}
