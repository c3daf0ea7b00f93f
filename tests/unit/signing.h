/*
 * signing.h: keys in software, and notes signed with them, for tests of what cards sign otherwise.
 */
#ifndef P11VAULT_TESTS_UNIT_SIGNING_H
#define P11VAULT_TESTS_UNIT_SIGNING_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/audit/note.h"

struct signer {
    EVP_PKEY *private;
    uint8_t spki[1200];
    size_t spki_size;
    struct note_key key;
};

/* Takes the private key over; only its public half is computed, the note key is not made yet. */
static inline struct signer signer_of(EVP_PKEY *private)
{
    struct signer signer = {.private = private};
    unsigned char *at = signer.spki;
    assert_non_null(private);
    int size = i2d_PUBKEY(private, NULL);
    assert_in_range(size, 1, sizeof(signer.spki));
    assert_int_equal(i2d_PUBKEY(private, &at), size);
    signer.spki_size = (size_t)size;
    return signer;
}

static inline void signer_name(struct signer *signer, const char *name)
{
    struct error error = {0};
    if (note_key_make(name, signer->spki, signer->spki_size, &signer->key, &error) < 0)
        fail_msg("%s", error.text);
}

static inline struct signer signer_ec(const char *name)
{
    struct signer signer = signer_of(EVP_EC_gen("P-256"));
    signer_name(&signer, name);
    return signer;
}

static inline struct signer signer_rsa(const char *name)
{
    struct signer signer = signer_of(EVP_RSA_gen(2048));
    signer_name(&signer, name);
    return signer;
}

static inline struct signer signer_pss(const char *name)
{
    struct error error;
    struct signer signer = signer_rsa(name);
    assert_int_equal(note_key_use_pss(&signer.key, &error), 0);
    return signer;
}

static inline void signer_drop(struct signer *signer)
{
    EVP_PKEY_free(signer->private);
    signer->private = NULL;
}

/* What PSS signatures here have; a test may change it. */
static int signer_salt = 32;

static inline size_t signer_sign(const struct signer *signer, const char *text,
                                 uint8_t ret_signature[NOTE_SIGNATURE_MAX])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    size_t size = NOTE_SIGNATURE_MAX;
    assert_non_null(context);
    assert_int_equal(EVP_DigestSignInit(context, &parameters, EVP_sha256(), NULL, signer->private),
                     1);
    if (signer->key.type == NOTE_RSA_PSS) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, signer_salt), 1);
    }
    assert_int_equal(
        EVP_DigestSign(context, ret_signature, &size, (const unsigned char *)text, strlen(text)),
        1);
    EVP_MD_CTX_free(context);
    return size;
}

/* The text as a note; the caller frees it.  Inlined, gcc 12 takes its result for a pointer to the local variable. */
static __attribute__((noinline, unused)) char *signer_note(const struct signer *signer,
                                                           const char *text)
{
    uint8_t signature[NOTE_SIGNATURE_MAX];
    size_t size = signer_sign(signer, text, signature);
    char *note = NULL;
    struct error error = {0};
    if (note_compose(text, &signer->key, signature, size, &note, &error) < 0)
        fail_msg("%s", error.text);
    return note;
}

#endif
