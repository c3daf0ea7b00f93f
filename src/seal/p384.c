/*
 * p384.c: agreement with a card's key of P-384.  The private half of the ephemeral key lives in libcrypto alone, whose
 * allocator wipes it.
 */
#include <openssl/core_names.h>
#include <string.h>

#include "internal.h"

#define UNCOMPRESSED 0x04

int p384_to_pkey(const struct p384_point *point, EVP_PKEY **ret_pkey, struct error *error)
{
    return point_to_pkey("P-384", point->bytes, P384_POINT_SIZE, ret_pkey, error);
}

int p384_point_check(const struct p384_point *point, struct error *error)
{
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    return p384_to_pkey(point, &pkey, error);
}

/* Exactly the x coordinate, written where it stays. */
static bool derive(EVP_PKEY *own, EVP_PKEY *peer, struct secret *shared)
{
    size_t room;
    uint8_t *bytes = secret_room(shared, &room);
    size_t size = P384_SHARED_SIZE;
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (context == NULL || EVP_PKEY_derive_init(context) != 1 ||
        EVP_PKEY_derive_set_peer(context, peer) != 1 ||
        EVP_PKEY_derive(context, bytes, &size) != 1 || size != P384_SHARED_SIZE)
        return false;
    secret_grow(shared, size);
    return true;
}

int p384_agree(const struct p384_point *card, struct p384_point *ret_ephemeral,
               struct secret **ret_shared, struct error *error)
{
    auto_of(EVP_PKEY_free) EVP_PKEY *peer = NULL;
    auto_of(secret_free) struct secret *shared = NULL;
    struct p384_point ephemeral;
    size_t size = 0;
    if (p384_to_pkey(card, &peer, error) < 0 || secret_new(P384_SHARED_SIZE, &shared, error) < 0)
        return -1;
    auto_of(EVP_PKEY_free) EVP_PKEY *own = EVP_EC_gen("P-384");
    if (own == NULL ||
        EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, ephemeral.bytes,
                                        P384_POINT_SIZE, &size) != 1 ||
        size != P384_POINT_SIZE || ephemeral.bytes[0] != UNCOMPRESSED || !derive(own, peer, shared))
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot agree on a secret");
    *ret_ephemeral = ephemeral;
    *ret_shared = TAKE(shared);
    return 0;
}
