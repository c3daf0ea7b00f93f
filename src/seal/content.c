/*
 * content.c: A256GCM over a payload, with the protected header as additional data.  The
 * plaintext exists in struct secret only; when the tag is wrong, what was decrypted is wiped
 * unseen.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"

#define SIZE_LIMIT SECRET_MAX /* far below INT_MAX, which libcrypto counts in */

void content_clear(struct content *content)
{
    free(content->ciphertext);
    content->ciphertext = NULL;
    content->size = 0;
}

static int check_sizes(const struct secret *key, struct piece aad, size_t size, struct error *error)
{
    if (secret_size(key) != CEK_SIZE)
        return error_set(error, CODE_STOP, "a content key must have %d bytes", CEK_SIZE);
    if (size == 0 || size > SIZE_LIMIT || aad.size > SIZE_LIMIT)
        return error_set(error, CODE_STOP, "a payload is empty or too long");
    return 0;
}

static bool encrypt(const struct secret *key, struct piece aad, const struct secret *payload,
                    struct content *content)
{
    auto_of(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const uint8_t *header = (const uint8_t *)aad.text;
    int written = 0;
    int last = 0;
    return context != NULL &&
           EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, secret_data(key), content->iv) ==
               1 &&
           EVP_EncryptUpdate(context, NULL, &written, header, (int)aad.size) == 1 &&
           EVP_EncryptUpdate(context, content->ciphertext, &written, secret_data(payload),
                             (int)content->size) == 1 &&
           (size_t)written == content->size &&
           EVP_EncryptFinal_ex(context, content->ciphertext + written, &last) == 1 && last == 0 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CONTENT_TAG_SIZE, content->tag) == 1;
}

int content_seal(const struct secret *key, struct piece aad, const struct secret *payload,
                 struct content *ret_content, struct error *error)
{
    auto_content struct content content = {.size = secret_size(payload)};
    if (check_sizes(key, aad, content.size, error) < 0 ||
        random_bytes(content.iv, CONTENT_IV_SIZE, error) < 0)
        return -1;
    content.ciphertext = malloc(content.size);
    if (content.ciphertext == NULL)
        return error_memory(error);
    if (!encrypt(key, aad, payload, &content))
        return crypto_fail(error, CODE_FAULT, "libcrypto cannot encrypt");
    *ret_content = content;
    content.ciphertext = NULL;
    return 0;
}

static bool decrypt(const struct secret *key, struct piece aad, const struct content *content,
                    uint8_t *ret_plaintext)
{
    auto_of(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const uint8_t *header = (const uint8_t *)aad.text;
    void *tag = (void *)(uintptr_t)content->tag;
    int written = 0;
    int last = 0;
    return context != NULL &&
           EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, secret_data(key), content->iv) ==
               1 &&
           EVP_DecryptUpdate(context, NULL, &written, header, (int)aad.size) == 1 &&
           EVP_DecryptUpdate(context, ret_plaintext, &written, content->ciphertext,
                             (int)content->size) == 1 &&
           (size_t)written == content->size &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CONTENT_TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(context, ret_plaintext + written, &last) == 1 && last == 0;
}

int content_open(const struct secret *key, struct piece aad, const struct content *content,
                 struct secret **ret_payload, struct error *error)
{
    auto_of(secret_free) struct secret *payload = NULL;
    if (check_sizes(key, aad, content->size, error) < 0 ||
        secret_new(content->size, &payload, error) < 0)
        return -1;
    size_t room;
    if (!decrypt(key, aad, content, secret_room(payload, &room)))
        return crypto_fail(error, CODE_STOP, "a payload is not what was sealed");
    secret_grow(payload, content->size);
    *ret_payload = TAKE(payload);
    return 0;
}

static int decode_exactly(struct piece text, uint8_t *ret_bytes, size_t size, const char *what,
                          struct error *error)
{
    size_t decoded;
    if (base64url_decode(text.text, text.size, ret_bytes, size, &decoded, error) < 0)
        return error_prefix(error, "%s", what);
    if (decoded != size)
        return error_set(error, CODE_STOP, "%s must have %zu bytes", what, size);
    return 0;
}

int content_decode(struct piece iv, struct piece ciphertext, struct piece tag, size_t maximum,
                   struct content *ret_content, struct error *error)
{
    auto_content struct content content = {0};
    if (decode_exactly(iv, content.iv, CONTENT_IV_SIZE, "initialisation vector", error) < 0 ||
        decode_exactly(tag, content.tag, CONTENT_TAG_SIZE, "tag", error) < 0)
        return -1;
    if (ciphertext.size == 0 || ciphertext.size > BASE64URL_SIZE(maximum))
        return error_set(error, CODE_STOP, "ciphertext is empty or too long");
    size_t room = ciphertext.size < maximum ? ciphertext.size : maximum;
    content.ciphertext = malloc(room);
    if (content.ciphertext == NULL)
        return error_memory(error);
    if (base64url_decode(ciphertext.text, ciphertext.size, content.ciphertext, room, &content.size,
                         error) < 0)
        return error_prefix(error, "ciphertext");
    *ret_content = content;
    content.ciphertext = NULL;
    return 0;
}
