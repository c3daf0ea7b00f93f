/*
 * base64url without padding and base64 with padding, canonical in both directions.
 */
#include "p11vault/base/base64.h"

#include <stdbool.h>

static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char plain_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int encode(struct buffer *buffer, const uint8_t *bytes, size_t size, const char *alphabet,
                  bool padded, struct error *error)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t group = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        if (group > 1)
            bits |= (uint32_t)bytes[i + 1] << 8;
        if (group > 2)
            bits |= bytes[i + 2];
        char text[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                        group > 1 ? alphabet[bits >> 6 & 63] : '=',
                        group > 2 ? alphabet[bits & 63] : '='};
        if (buffer_put(buffer, text, padded ? 4 : group + 1, error) < 0)
            return -1;
    }
    return 0;
}

int base64url_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error)
{
    return encode(buffer, bytes, size, url_alphabet, false, error);
}

int base64_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error)
{
    return encode(buffer, bytes, size, plain_alphabet, true, error);
}

static int digit_value(char digit, bool url)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == (url ? '-' : '+'))
        return 62;
    if (digit == (url ? '_' : '/'))
        return 63;
    return -1;
}

/* `size` counts digits only, without padding. */
static int decode(const char *text, size_t size, bool url, uint8_t *ret_bytes, size_t room,
                  size_t *ret_size, struct error *error)
{
    size_t tail = size % 4;
    size_t bytes = size / 4 * 3 + (tail ? tail - 1 : 0);
    if (tail == 1)
        return error_set(error, CODE_STOP, "base64 text has an impossible length");
    if (bytes > room)
        return error_set(error, CODE_STOP, "base64 text is longer than %zu bytes", room);
    uint32_t bits = 0;
    size_t written = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text[i], url);
        if (value < 0)
            return error_set(error, CODE_STOP, "base64 text has a bad character at %zu", i + 1);
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret_bytes[written++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0)
        return error_set(error, CODE_STOP, "base64 text has stray bits at its end");
    *ret_size = written;
    return 0;
}

int base64url_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room,
                     size_t *ret_size, struct error *error)
{
    return decode(text, size, true, ret_bytes, room, ret_size, error);
}

int base64_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room, size_t *ret_size,
                  struct error *error)
{
    if (size % 4 != 0)
        return error_set(error, CODE_STOP, "base64 text lacks its padding");
    size_t digits = size;
    while (digits > 0 && size - digits < 2 && text[digits - 1] == '=')
        digits--;
    return decode(text, digits, false, ret_bytes, room, ret_size, error);
}
