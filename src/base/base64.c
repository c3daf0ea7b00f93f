/*
 * base64.c: one encoder and one decoder for both alphabets.  A text has exactly one meaning and a
 * meaning exactly one text: that is what digests and signatures over encoded text rely on.
 */
#include "p11vault/base/base64.h"

#include <stdbool.h>

struct variant {
    char sixty_two;
    char sixty_three;
    bool padded;
};

static const struct variant url_variant = {'-', '_', false};
static const struct variant plain_variant = {'+', '/', true};

static char digit_of(const struct variant *variant, uint32_t value)
{
    if (value < 26)
        return (char)('A' + value);
    if (value < 52)
        return (char)('a' + value - 26);
    if (value < 62)
        return (char)('0' + value - 52);
    return value == 62 ? variant->sixty_two : variant->sixty_three;
}

/* 0 to 63, or -1 for a character outside the alphabet. */
static int value_of(const struct variant *variant, char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == variant->sixty_two)
        return 62;
    return digit == variant->sixty_three ? 63 : -1;
}

/* One to three bytes as two to four digits and the padding; returns how many characters. */
static size_t encode_group(const struct variant *variant, const uint8_t *bytes, size_t size,
                           char ret_digits[4])
{
    uint32_t bits = (uint32_t)bytes[0] << 16;
    if (size > 1)
        bits |= (uint32_t)bytes[1] << 8;
    if (size > 2)
        bits |= bytes[2];
    for (size_t i = 0; i < 4; i++)
        ret_digits[i] = i <= size ? digit_of(variant, bits >> (18 - 6 * i) & 63) : '=';
    return variant->padded ? 4 : size + 1;
}

static int encode(const struct variant *variant, struct buffer *buffer, const uint8_t *bytes,
                  size_t size, struct error *error)
{
    size_t before = buffer->size;
    while (size > 0) {
        size_t group = size < 3 ? size : 3;
        char digits[4];
        size_t count = encode_group(variant, bytes, group, digits);
        if (buffer_put(buffer, digits, count, error) < 0) {
            buffer->size = before;
            if (buffer->data != NULL)
                buffer->data[before] = '\0';
            return error_prefix(error, "encode base64");
        }
        bytes += group;
        size -= group;
    }
    return 0;
}

static int refuse(struct error *error)
{
    return error_set(error, CODE_STOP, "not canonical base64");
}

/* `size` counts the digits alone, without padding. */
static int decode(const struct variant *variant, const char *digits, size_t size,
                  uint8_t *ret_bytes, size_t room, size_t *ret_size, struct error *error)
{
    if (size % 4 == 1)
        return refuse(error);
    size_t total = size / 4 * 3 + (size % 4 == 0 ? 0 : size % 4 - 1);
    if (total > room)
        return error_set(error, CODE_STOP, "base64 of %zu bytes does not fit into %zu", total,
                         room);
    uint32_t bits = 0;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        int value = value_of(variant, digits[i]);
        if (value < 0)
            return refuse(error);
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            ret_bytes[written++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    /* The last digit of a short group has bits that belong to no byte: they must be zero. */
    uint32_t stray = size % 4 == 2 ? 15 : size % 4 == 3 ? 3 : 0;
    if ((bits & stray) != 0)
        return refuse(error);
    *ret_size = written;
    return 0;
}

int base64url_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error)
{
    return encode(&url_variant, buffer, bytes, size, error);
}

int base64_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error)
{
    return encode(&plain_variant, buffer, bytes, size, error);
}

int base64url_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room,
                     size_t *ret_size, struct error *error)
{
    return decode(&url_variant, text, size, ret_bytes, room, ret_size, error);
}

int base64_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t room, size_t *ret_size,
                  struct error *error)
{
    if (size % 4 != 0)
        return refuse(error);
    for (size_t padding = 0; padding < 2 && size > 0 && text[size - 1] == '='; padding++)
        size--;
    return decode(&plain_variant, text, size, ret_bytes, room, ret_size, error);
}
