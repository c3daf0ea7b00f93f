/*
 * unescape.c: the escapes of JSON (RFC 8259, section 7), one byte after the other, as UTF-8.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"

#define REPLACEMENT 0xfffd /* half of a pair, or no escape */

static size_t put(uint8_t *to, unsigned value)
{
    if (value < 0x80) {
        to[0] = (uint8_t)value;
        return 1;
    }
    size_t size = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, value >>= 6)
        to[i] = (uint8_t)(0x80 | (value & 0x3f));
    to[0] = (uint8_t)(0xf00 >> size | value);
    return size;
}

/* The first half of a pair that no second one follows. */
static size_t put_half(struct unescape *unescape, uint8_t *to)
{
    bool is_half = unescape->high != 0;
    unescape->high = 0;
    return is_half ? put(to, REPLACEMENT) : 0;
}

static size_t put_unit(struct unescape *unescape, uint8_t *to)
{
    unsigned value = unescape->value, high = unescape->high;
    bool is_high = value >= 0xd800 && value < 0xdc00, is_low = value >= 0xdc00 && value < 0xe000;
    if (is_low && high != 0) {
        unescape->high = 0;
        return put(to, 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00));
    }
    size_t size = put_half(unescape, to);
    if (is_high) {
        unescape->high = value;
        return size;
    }
    return size + put(to + size, is_low ? REPLACEMENT : value);
}

static uint8_t meaning(uint8_t letter)
{
    static const char letters[] = "bfnrt", means[] = "\b\f\n\r\t";
    const char *at = letter == 0 ? NULL : strchr(letters, letter);
    return at ? (uint8_t)means[at - letters] : letter;
}

size_t unescape_push(struct unescape *unescape, uint8_t byte, uint8_t ret_bytes[UNESCAPED_MAX])
{
    int digit = hex_digit((char)byte);
    if (unescape->digits == 0 && byte == '\\') {
        unescape->digits = 1;
        return 0;
    }
    if (unescape->digits == 1 && byte == 'u') {
        unescape->digits = 2;
        unescape->value = 0;
        return 0;
    }
    if (unescape->digits > 1 && digit >= 0) {
        unescape->value = unescape->value << 4 | (unsigned)digit;
        if (++unescape->digits < 6)
            return 0;
        unescape->digits = 0;
        return put_unit(unescape, ret_bytes);
    }
    size_t size = put_half(unescape, ret_bytes);
    if (unescape->digits > 1)
        size += put(ret_bytes + size, REPLACEMENT);
    ret_bytes[size++] = unescape->digits == 1 ? meaning(byte) : byte;
    unescape->digits = 0;
    return size;
}
