/*
 * pkce.c: proof key for code exchange (RFC 7636), S256, and the random text that it and a state are
 * made of.
 */
#include <string.h>

#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"
#include "p11vault/oauth/dialog.h"

#define VERIFIER_MIN 43
#define VERIFIER_MAX 128
#define RANDOM_SIZE 32

int oauth_random_text(struct secret **ret_text, struct error *error)
{
    auto_of(secret_free) struct secret *bytes = NULL;
    auto_of(secret_free) struct secret *text = NULL;
    size_t room;
    if (secret_new(RANDOM_SIZE, &bytes, error) < 0 ||
        secret_new(2 * RANDOM_SIZE + 1, &text, error) < 0 ||
        random_bytes(secret_room(bytes, &room), RANDOM_SIZE, error) < 0)
        return -1;
    secret_grow(bytes, RANDOM_SIZE);
    hex_encode(secret_data(bytes), RANDOM_SIZE, (char *)secret_room(text, &room));
    secret_grow(text, 2 * (size_t)RANDOM_SIZE);
    *ret_text = TAKE(text);
    return 0;
}

static bool verifier_valid(const uint8_t *bytes, size_t size)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    if (size < VERIFIER_MIN || size > VERIFIER_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (memchr(allowed, bytes[i], sizeof(allowed) - 1) == NULL)
            return false;
    }
    return true;
}

int oauth_pkce_challenge(const struct secret *verifier, char ret_challenge[OAUTH_CHALLENGE_SIZE],
                         struct error *error)
{
    if (!verifier_valid(secret_data(verifier), secret_size(verifier)))
        return error_set(error, CODE_USAGE, "a PKCE verifier has 43 to 128 unreserved characters");
    struct digest digest = digest_of(secret_data(verifier), secret_size(verifier));
    auto_buffer struct buffer text = BUFFER_UP_TO(OAUTH_CHALLENGE_SIZE);
    if (base64url_put(&text, digest.bytes, sizeof(digest.bytes), error) < 0)
        return -1;
    memcpy(ret_challenge, buffer_text(&text), OAUTH_CHALLENGE_SIZE);
    return 0;
}
