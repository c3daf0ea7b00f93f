/*
 * needles.c: known values as a set of keyed hashes, one for each window, so that no value need stand in memory while an
 * answer is awaited.
 *
 * A window has so many bytes that finding one by trying is out of reach even for an app secret of hexadecimal digits.
 * The key hinders tables made beforehand.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"

#define GROUP 3 /* bytes of a value that four characters of base64 stand for */

/* ---- the hash ---- */

static uint64_t rotate(uint64_t word, int bits)
{
    return (word << bits) | (word >> (64 - bits));
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

uint64_t siphash(const uint64_t key[2], const uint8_t *bytes, size_t size)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    size_t whole = size - size % 8;
    for (size_t i = 0; i < whole; i += 8)
        absorb(v, little_endian(bytes + i, 8));
    absorb(v, little_endian(bytes + whole, size % 8) | (uint64_t)size << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the set ---- */

size_t needles_window(enum form form)
{
    static const size_t windows[FORMS] = {WINDOW_PLAIN, WINDOW_HEX, WINDOW_BASE64};
    return windows[form];
}

/* Never 0; the form is in it, since the same text may stand for two things. */
static uint64_t hash(const struct needles *needles, enum form form, const uint8_t *window)
{
    const uint64_t key[2] = {needles->key[0] ^ (uint64_t)form, needles->key[1]};
    uint64_t sum = siphash(key, window, needles_window(form));
    return sum == 0 ? 1 : sum;
}

static uint64_t look(const struct needles *needles, size_t place)
{
    uint64_t word;
    memcpy(&word, secret_data(needles->table) + place * sizeof(word), sizeof(word));
    return word;
}

/* Where it stands or would stand. */
static size_t find(const struct needles *needles, uint64_t sum)
{
    size_t place = (size_t)sum & (needles->places - 1);
    for (uint64_t there; (there = look(needles, place)) != 0 && there != sum;)
        place = (place + 1) & (needles->places - 1);
    return place;
}

int needles_init(struct needles *needles, size_t values_size, struct error *error)
{
    size_t room;
    /* One window a byte and form at most; some places stay free, so that looking for what is not there ends soon. */
    size_t windows = FORMS * values_size + 1;
    needles->places = 512;
    while (needles->places * 7 / 8 < windows)
        needles->places *= 2;
    if (random_bytes(needles->key, sizeof(needles->key), error) < 0 ||
        secret_new(needles->places * sizeof(uint64_t), &needles->table, error) < 0)
        return -1;
    uint8_t *bytes = secret_room(needles->table, &room);
    memset(bytes, 0, needles->places * sizeof(uint64_t));
    secret_grow(needles->table, needles->places * sizeof(uint64_t));
    return 0;
}

void needles_clear(struct needles *needles)
{
    secret_free(needles->table);
    *needles = (struct needles){0};
}

static int put(struct needles *needles, enum form form, const uint8_t *window, struct error *error)
{
    uint64_t sum = hash(needles, form, window);
    size_t place = find(needles, sum);
    if (look(needles, place) == sum)
        return 0;
    if (needles->count == needles->places * 7 / 8)
        return error_set(error, CODE_FAULT, "more is to be scrubbed than was said");
    /* The table is ours: it was made full of places. */
    memcpy((uint8_t *)(uintptr_t)secret_data(needles->table) + place * sizeof(sum), &sum,
           sizeof(sum));
    needles->count++;
    return 0;
}

bool needles_have(const struct needles *needles, enum form form, const uint8_t *window)
{
    return needles->count > 0 && look(needles, find(needles, hash(needles, form, window))) != 0;
}

/* ---- the forms of a value ---- */

static void to_hex(const uint8_t *bytes, uint8_t window[WINDOW_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < WINDOW_HEX / 2; i++) {
        window[2 * i] = (uint8_t)digits[bytes[i] >> 4];
        window[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
    }
}

static void to_base64(const uint8_t *bytes, uint8_t window[WINDOW_BASE64])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < WINDOW_BASE64 / 4; i++) {
        uint32_t group = (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 |
                         (uint32_t)bytes[3 * i + 2];
        for (int digit = 0; digit < 4; digit++)
            window[4 * i + (size_t)digit] = (uint8_t)digits[group >> (18 - 6 * digit) & 63];
    }
}

/*
 * A window at every byte.  In base64 that is each of the three places at which the value can begin within a group, and
 * within each of them a window at every group.
 */
int needles_add(struct needles *needles, const struct secret *value, struct error *error)
{
    const uint8_t *bytes = secret_data(value);
    size_t size = secret_size(value);
    uint8_t window[WINDOW_MAX] = {0};
    if (size < SIEVE_VALUE_MIN)
        return error_set(error, CODE_STOP,
                         "a secret of fewer than %d characters cannot be scrubbed from an answer",
                         SIEVE_VALUE_MIN);
    for (size_t i = 0; i < size; i++)
        needles->in_value[bytes[i]] = true;
    for (size_t i = 0; i + WINDOW_PLAIN <= size; i++) {
        to_hex(bytes + i, window);
        if (put(needles, FORM_PLAIN, bytes + i, error) < 0 ||
            put(needles, FORM_HEX, window, error) < 0)
            return -1;
    }
    for (size_t i = 0; i + WINDOW_BASE64 / 4 * GROUP <= size; i++) {
        to_base64(bytes + i, window);
        if (put(needles, FORM_BASE64, window, error) < 0)
            return -1;
    }
    return 0;
}
