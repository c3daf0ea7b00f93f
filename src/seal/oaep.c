/*
 * oaep.c: RSA-OAEP (RFC 8017 section 7.1) to a card's key, with an empty label and the same
 * hash inside the mask generation as JOSE has it.
 */
#include <openssl/rsa.h>
#include <string.h>

#include "internal.h"
#include "p11vault/seal/appkey.h"

static bool encrypt(EVP_PKEY *pkey, const EVP_MD *digest, const struct secret *plaintext,
                    uint8_t *ret_ciphertext, size_t *ret_size)
{
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    return context != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1 &&
           EVP_PKEY_encrypt(context, ret_ciphertext, ret_size, secret_data(plaintext),
                            secret_size(plaintext)) == 1;
}

int rsa_oaep_encrypt(const struct jwk *key, int sha256, const struct secret *plaintext,
                     uint8_t ret_ciphertext[RSA_MODULUS_MAX], size_t *ret_size, struct error *error)
{
    if (key->type != JWK_RSA)
        return error_set(error, CODE_STOP, "RSA-OAEP needs an RSA key");
    const EVP_MD *digest = sha256 ? EVP_sha256() : EVP_sha1();
    size_t overhead = 2 * (size_t)EVP_MD_get_size(digest) + 2;
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    if (jwk_to_pkey(key, &pkey, error) < 0)
        return error_prefix(error, "RSA-OAEP");
    if (secret_size(plaintext) > key->modulus_size - overhead)
        return error_set(error, CODE_STOP, "RSA-OAEP: more than this key can encrypt");
    uint8_t ciphertext[RSA_MODULUS_MAX];
    size_t size = sizeof(ciphertext);
    if (!encrypt(pkey, digest, plaintext, ciphertext, &size) || size != key->modulus_size)
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot encrypt to an RSA key");
    memcpy(ret_ciphertext, ciphertext, size);
    *ret_size = size;
    return 0;
}
