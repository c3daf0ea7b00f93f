/*
 * hmac.c: HMAC-SHA256 from libcrypto.
 */
#include "hmac.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "p11vault/base/digest.h"

DEFINE_CLEANUP(EVP_MAC, EVP_MAC_free);
DEFINE_CLEANUP(EVP_MAC_CTX, EVP_MAC_CTX_free);

int hmac_append(const struct secret *key, const void *bytes, size_t size, const char *tail,
                struct secret *target, struct error *error)
{
    auto_of(EVP_MAC_free) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    auto_of(EVP_MAC_CTX_free) EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_utf8_string("digest", digest, sizeof(digest) - 1),
                                     OSSL_PARAM_END};
    size_t room, written = 0;
    uint8_t *end = secret_room(target, &room);
    if (context == NULL ||
        EVP_MAC_init(context, secret_data(key), secret_size(key), parameters) != 1 ||
        EVP_MAC_update(context, bytes, size) != 1 ||
        EVP_MAC_update(context, (const uint8_t *)tail, strlen(tail)) != 1 ||
        EVP_MAC_final(context, end, &written, room) != 1 || written != DIGEST_SIZE)
        return error_set(error, CODE_FAULT, "libcrypto makes no HMAC-SHA256");
    secret_grow(target, written);
    return 0;
}
