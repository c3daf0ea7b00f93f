/*
 * digest.c: SHA-256 and random bytes from libcrypto, hexadecimal by hand.
 */
#include "p11vault/base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

struct digest digest_of_parts(const struct digest_part *parts, size_t count)
{
    struct digest digest;
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fine = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; fine && i < count; i++)
        fine = EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
    fine = fine && EVP_DigestFinal_ex(context, digest.bytes, &size) == 1 && size == DIGEST_SIZE;
    EVP_MD_CTX_free(context);
    /* Without digests no record and no log entry can be told from another: there is no going on. */
    if (!fine)
        abort();
    return digest;
}

struct digest digest_of_public(const struct digest_part *parts, size_t count)
{
    static EVP_MD_CTX *context;
    static EVP_MD *algorithm;
    struct digest digest;
    unsigned size = 0;
    if (context == NULL) {
        context = EVP_MD_CTX_new();
        algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    }
    bool fine =
        context != NULL && algorithm != NULL && EVP_DigestInit_ex2(context, algorithm, NULL) == 1;
    for (size_t i = 0; fine && i < count; i++)
        fine = EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
    fine = fine && EVP_DigestFinal_ex(context, digest.bytes, &size) == 1 && size == DIGEST_SIZE;
    if (!fine)
        abort();
    return digest;
}

struct digest digest_of(const void *bytes, size_t size)
{
    return digest_of_parts(&(struct digest_part){bytes, size}, 1);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

void hex_encode(const void *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[byte[i] >> 4];
        ret_text[2 * i + 1] = digits[byte[i] & 15];
    }
    ret_text[2 * size] = '\0';
}

int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool hex_decode(const char *text, uint8_t *ret_bytes, size_t size)
{
    if (strnlen(text, 2 * size + 1) != 2 * size)
        return false;
    for (size_t i = 0; i < 2 * size; i++) {
        if (hex_digit(text[i]) < 0 || (text[i] >= 'A' && text[i] <= 'F'))
            return false;
    }
    for (size_t i = 0; i < size; i++)
        ret_bytes[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return true;
}

void digest_hex(const struct digest *digest, char ret_text[DIGEST_HEX_SIZE])
{
    hex_encode(digest->bytes, DIGEST_SIZE, ret_text);
}

bool digest_parse(const char *text, struct digest *ret_digest)
{
    return hex_decode(text, ret_digest->bytes, DIGEST_SIZE);
}

int random_bytes(void *ret_bytes, size_t size, struct error *error)
{
    if (size > INT_MAX || RAND_bytes(ret_bytes, (int)size) != 1)
        return error_set(error, CODE_FAULT, "libcrypto gives no random bytes");
    return 0;
}
