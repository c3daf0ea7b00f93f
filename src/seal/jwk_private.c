/*
 * jwk_private.c: the private JWK of an app key.  It has one form only, with every member at a
 * fixed place, so it is written and read inside locked memory without a JSON library ever
 * holding the scalar.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/seal/jwk.h"

#define NUMBER_SIZE ((size_t)32)
#define NUMBER_TEXT BASE64URL_SIZE(NUMBER_SIZE)

#define BEFORE_D "{\"crv\":\"P-256\",\"d\":\""
#define BEFORE_X "\",\"kty\":\"EC\",\"x\":\""
#define BEFORE_Y "\",\"y\":\""
#define BEHIND "\"}"

_Static_assert(sizeof(BEFORE_D BEFORE_X BEFORE_Y BEHIND) - 1 + 3 * NUMBER_TEXT == JWK_PRIVATE_SIZE,
               "the size in internal.h must be that of the text");

/*
 * Base64url into a secret.  The buffer is a window on the secret's own room: it is full-grown
 * from the start and so never moves.  The byte kept back is for the NUL that every buffer ends
 * with.
 */
static int put_number(struct secret *json, const uint8_t *number, struct error *error)
{
    size_t room;
    uint8_t *bytes = secret_room(json, &room);
    if (room <= NUMBER_TEXT)
        return error_set(error, CODE_FAULT, "no room for a private key");
    struct buffer window = {.data = bytes, .capacity = NUMBER_TEXT, .maximum = NUMBER_TEXT};
    if (base64url_put(&window, number, NUMBER_SIZE, error) < 0)
        return -1;
    secret_grow(json, window.size);
    return 0;
}

int jwk_private_write(const struct secret *private_scalar, struct secret **ret_json,
                      struct error *error)
{
    struct ec_point public;
    auto_of(secret_free) struct secret *json = NULL;
    if (ec_public(private_scalar, &public, error) < 0 ||
        secret_new(JWK_PRIVATE_SIZE, &json, error) < 0)
        return -1;
    const uint8_t *x = public.bytes + 1;
    if (secret_append_text(json, BEFORE_D, error) < 0 ||
        put_number(json, secret_data(private_scalar), error) < 0 ||
        secret_append_text(json, BEFORE_X, error) < 0 || put_number(json, x, error) < 0 ||
        secret_append_text(json, BEFORE_Y, error) < 0 ||
        put_number(json, x + NUMBER_SIZE, error) < 0 || secret_append_text(json, BEHIND, error) < 0)
        return -1;
    *ret_json = TAKE(json);
    return 0;
}

static bool skip_text(const char **at, const char *text)
{
    size_t size = strlen(text);
    bool equal = memcmp(*at, text, size) == 0;
    *at += size;
    return equal;
}

static bool take_number(const char **at, uint8_t ret_number[NUMBER_SIZE])
{
    struct error ignored;
    size_t size;
    bool good = base64url_decode(*at, NUMBER_TEXT, ret_number, NUMBER_SIZE, &size, &ignored) == 0;
    *at += NUMBER_TEXT;
    return good;
}

/* The three numbers of a text that has the right size. */
static bool take_numbers(const struct secret *json, uint8_t *ret_d, struct ec_point *ret_point)
{
    const char *at = (const char *)secret_data(json);
    ret_point->bytes[0] = 0x04;
    return skip_text(&at, BEFORE_D) && take_number(&at, ret_d) && skip_text(&at, BEFORE_X) &&
           take_number(&at, ret_point->bytes + 1) && skip_text(&at, BEFORE_Y) &&
           take_number(&at, ret_point->bytes + 1 + NUMBER_SIZE) && skip_text(&at, BEHIND);
}

int jwk_private_read(const struct secret *json, struct secret **ret_private_scalar,
                     struct ec_point *ret_public, struct error *error)
{
    auto_of(secret_free) struct secret *scalar = NULL;
    if (secret_new(EC_SCALAR_SIZE, &scalar, error) < 0)
        return -1;
    size_t room;
    struct ec_point written;
    if (secret_size(json) != JWK_PRIVATE_SIZE ||
        !take_numbers(json, secret_room(scalar, &room), &written))
        return error_set(error, CODE_STOP, "not a private app key");
    secret_grow(scalar, EC_SCALAR_SIZE);
    struct ec_point computed;
    if (ec_public(scalar, &computed, error) < 0)
        return -1;
    if (memcmp(written.bytes, computed.bytes, EC_POINT_SIZE) != 0)
        return error_set(error, CODE_STOP, "the two halves of a private app key do not match");
    *ret_private_scalar = TAKE(scalar);
    *ret_public = computed;
    return 0;
}
