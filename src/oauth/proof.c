/*
 * proof.c: HMAC-SHA256 from libcrypto.  Digest and digits stand in locked memory only: a proof
 * is good for five minutes to whoever has the token.
 */
#include "p11vault/oauth/proof.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/digest.h"

DEFINE_CLEANUP(EVP_MAC, EVP_MAC_free);
DEFINE_CLEANUP(EVP_MAC_CTX, EVP_MAC_CTX_free);

#define TAIL_SIZE 24 /* "|", the digits of an int64_t, NUL */

/* Appends the raw HMAC of `token` with `tail` behind it. */
static int append_hmac(const struct secret *key, const struct secret *token, const char *tail,
                       struct secret *target, struct error *error)
{
    auto_of(EVP_MAC_free) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    auto_of(EVP_MAC_CTX_free) EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_utf8_string("digest", digest, sizeof(digest) - 1),
                                     OSSL_PARAM_END};
    size_t room, size = 0;
    uint8_t *end = secret_room(target, &room);
    if (context == NULL ||
        EVP_MAC_init(context, secret_data(key), secret_size(key), parameters) != 1 ||
        EVP_MAC_update(context, secret_data(token), secret_size(token)) != 1 ||
        EVP_MAC_update(context, (const uint8_t *)tail, strlen(tail)) != 1 ||
        EVP_MAC_final(context, end, &size, room) != 1 || size != DIGEST_SIZE)
        return error_set(error, CODE_FAULT, "libcrypto makes no HMAC-SHA256");
    secret_grow(target, size);
    return 0;
}

int proof_append(const struct secret *app_secret, const struct secret *access_token, int64_t time,
                 struct secret *ret_proof, struct error *error)
{
    if (secret_size(app_secret) == 0 || secret_size(access_token) == 0)
        return error_set(error, CODE_STOP, "no proof can be made: app secret or token is empty");
    if (time < 0 && time != PROOF_PLAIN)
        return error_set(error, CODE_FAULT, "no proof can be made for a time before 1970");
    char tail[TAIL_SIZE] = "";
    if (time != PROOF_PLAIN)
        snprintf(tail, sizeof(tail), "|%" PRId64, time);

    auto_of(secret_free) struct secret *scratch = NULL;
    if (secret_new(DIGEST_SIZE + DIGEST_HEX_SIZE, &scratch, error) < 0 ||
        append_hmac(app_secret, access_token, tail, scratch, error) < 0)
        return -1;
    size_t room;
    char *digits = (char *)secret_room(scratch, &room);
    hex_encode(secret_data(scratch), DIGEST_SIZE, digits);
    secret_grow(scratch, DIGEST_HEX_SIZE - 1);
    return secret_append(ret_proof, digits, DIGEST_HEX_SIZE - 1, error);
}
