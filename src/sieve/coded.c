/*
 * coded.c: base64 and hexadecimal, decoded from every character at which they may begin, so that a
 * token of anybody is known by its look there as well.  What was no coding brings bytes that look
 * like nothing.
 */
#include <ctype.h>

#include "internal.h"
#include "p11vault/base/digest.h"

#define OF_BASE64 4 /* the codings before it are base64, the others hexadecimal */

static int base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    if (byte == '+' || byte == '-')
        return 62;
    return byte == '/' || byte == '_' ? 63 : -1;
}

static bool push(struct coding *coding, int digit, unsigned width, uint64_t from,
                 uint64_t *ret_from)
{
    uint64_t begins = coding->count > 0 ? coding->from : from;
    coding->bits = coding->bits << width | (unsigned)digit;
    coding->count += width;
    coding->from = begins;
    if (coding->count < 8)
        return false;
    coding->count -= 8;
    coding->from = from;
    return alike_push(&coding->alike, (uint8_t)(coding->bits >> coding->count), begins, ret_from);
}

static bool push_one(struct coding *coding, int digit, unsigned width, unsigned skip, uint64_t from,
                     uint64_t *ret_from)
{
    if (digit < 0 && !coding->has_begun)
        return false;
    coding->has_begun = digit >= 0;
    if (digit < 0) {
        coding->bits = coding->count = coding->skipped = 0;
        return alike_push(&coding->alike, '\0', from, ret_from);
    }
    if (coding->skipped < skip) {
        coding->skipped++;
        return false;
    }
    return push(coding, digit, width, from, ret_from);
}

bool coded_push(struct coding codings[CODINGS], uint8_t byte, uint64_t from, uint64_t *ret_from)
{
    int base64 = base64_digit(byte), hex = hex_digit((char)byte);
    uint64_t begins;
    bool found = false;
    for (unsigned i = 0; i < CODINGS; i++) {
        bool is_base64 = i < OF_BASE64;
        if (!push_one(&codings[i], is_base64 ? base64 : hex, is_base64 ? 6 : 4,
                      is_base64 ? i : i - OF_BASE64, from, &begins))
            continue;
        if (!found || begins < *ret_from)
            *ret_from = begins;
        found = true;
    }
    return found;
}
