/*
 * fuzz_sieve.c: any bytes as an answer, in pieces of any size, or as the body of an item of a
 * batch.  Bytes 1 to 8 of the input stand for the known value in a disguise.  Whatever comes out
 * holds no window of it: not as it is, not behind one or two layers of escapes, nor in a body
 * behind the third.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/buffer.h"
#include "p11vault/sieve/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUE "zQ8canaryValueOfAGrant0123456789ABCDEFabcdef-_x"
#define ANSWER_MAX ((size_t)1 << 18)
#define PLAIN 20
#define HEX 40

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void put(struct buffer *buffer, const void *bytes, size_t size)
{
    struct error error;
    must(buffer_put(buffer, bytes, size, &error) == 0);
}

/* Each character of the value behind these marks, in hexadecimal. */
static void put_each(struct buffer *answer, const char *before)
{
    char text[32];
    for (const char *at = VALUE; *at; at++)
        put(answer, text, (size_t)snprintf(text, sizeof(text), "%s%02x", before, (unsigned)*at));
}

static void base64(const uint8_t *bytes, size_t size, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i + 3 <= size; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        for (int at = 18; at >= 0; at -= 6)
            put(out, &digits[group >> at & 63], 1);
    }
}

static void put_value(struct buffer *answer, int how)
{
    if (how == 1)
        put(answer, VALUE, strlen(VALUE));
    else if (how == 2)
        put_each(answer, "\\u00");
    else if (how == 3)
        put_each(answer, "%");
    else if (how == 4)
        put_each(answer, "");
    else if (how == 5)
        put_each(answer, "%25");
    else if (how == 6)
        base64((const uint8_t *)VALUE, strlen(VALUE), answer);
    else if (how == 7)
        base64((const uint8_t *)"x" VALUE, strlen(VALUE) + 1, answer);
    else
        base64((const uint8_t *)"xy" VALUE, strlen(VALUE) + 2, answer);
}

/* ---- the look at what came out, by the simplest means ---- */

static bool all_hex(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] >= 0x80 || !isxdigit(bytes[i]))
            return false;
    return true;
}

static void unescape(const struct buffer *from, struct buffer *to)
{
    for (size_t at = 0; at < from->size;) {
        const uint8_t *here = from->data + at;
        size_t left = from->size - at;
        char digits[5] = "";
        size_t taken = 1;
        uint8_t byte = *here;
        if (byte == '%' && left >= 3 && all_hex(here + 1, 2)) {
            memcpy(digits, here + 1, 2);
            taken = 3;
        } else if (byte == '\\' && left >= 6 && here[1] == 'u' && all_hex(here + 2, 4)) {
            memcpy(digits, here + 2, 4);
            taken = 6;
        } else if (byte == '\\' && left >= 2 && (here[1] == '\\' || here[1] == '/')) {
            byte = here[1];
            taken = 2;
        }
        if (*digits)
            byte = (uint8_t)strtoul(digits, NULL, 16);
        put(to, &byte, 1);
        at += taken;
    }
}

static void look(const struct buffer *out)
{
    auto_buffer struct buffer lower = BUFFER_UP_TO(ANSWER_MAX * 2);
    for (size_t i = 0; i < out->size; i++) {
        uint8_t byte = (uint8_t)tolower(out->data[i]);
        put(&lower, &byte, 1);
    }
    for (size_t i = 0; i + PLAIN <= strlen(VALUE); i++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(64);
        char hex[HEX + 1];
        for (size_t at = 0; at < PLAIN; at++)
            (void)sprintf(hex + 2 * at, "%02x", (unsigned)VALUE[i + at]);
        base64((const uint8_t *)&VALUE[i], 18, &text);
        must(!memmem(buffer_text(out), out->size, &VALUE[i], PLAIN));
        must(!memmem(buffer_text(&lower), lower.size, hex, HEX));
        must(!memmem(buffer_text(out), out->size, text.data, text.size));
    }
}

/* ---- one input ---- */

static int take_item(void *context, int status, const struct secret *body, struct error *error)
{
    (void)context;
    (void)error;
    must(status <= 9999 && secret_size(body) <= ANSWER_MAX);
    return 0;
}

/* The answer in a string of JSON, as a batch has it. */
static void put_in_batch(const struct buffer *answer, struct buffer *batch)
{
    char text[8];
    put(batch, "[{\"code\":200,\"body\":\"", 22);
    for (size_t i = 0; i < answer->size; i++) {
        uint8_t byte = answer->data[i];
        if (byte < ' ' || byte == '"' || byte == '\\')
            put(batch, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", byte));
        else
            put(batch, &byte, 1);
    }
    put(batch, "\"},null]", 8);
}

static int gather(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    return buffer_put(context, bytes, size, error);
}

static struct sieve *make(void)
{
    struct error error;
    struct sieve *sieve;
    struct secret *value;
    must(sieve_new(strlen(VALUE), &sieve, &error) == 0);
    must(secret_new(strlen(VALUE), &value, &error) == 0);
    must(secret_append_text(value, VALUE, &error) == 0);
    must(sieve_add(sieve, value, &error) == 0);
    secret_free(value);
    return sieve;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buffer struct buffer answer = BUFFER_UP_TO(ANSWER_MAX);
    auto_buffer struct buffer out = BUFFER_UP_TO(ANSWER_MAX * 2);
    auto_buffer struct buffer once = BUFFER_UP_TO(ANSWER_MAX * 2);
    auto_buffer struct buffer twice = BUFFER_UP_TO(ANSWER_MAX * 2);
    auto_buffer struct buffer thrice = BUFFER_UP_TO(ANSWER_MAX * 2);
    auto_buffer struct buffer batch = BUFFER_UP_TO(ANSWER_MAX * 2);
    struct error error;
    if (size < 1 || size > 512)
        return 0;
    size_t piece = (data[0] & 0x7fU) + 1;
    bool in_batch = data[0] >= 0x80;
    for (size_t i = 1; i < size; i++) {
        if (data[i] >= 1 && data[i] <= 8)
            put_value(&answer, data[i]);
        else
            put(&answer, &data[i], 1);
    }
    auto_of(sieve_free) struct sieve *sieve = make();
    if (in_batch) {
        must(sieve_expect_batch(sieve, take_item, &error) == 0);
        put_in_batch(&answer, &batch);
    }
    const struct buffer *all = in_batch ? &batch : &answer;
    for (size_t at = 0; at < all->size; at += piece) {
        size_t now = all->size - at < piece ? all->size - at : piece;
        must(sieve_feed(sieve, all->data + at, now, gather, &out, &error) == 0);
    }
    must(sieve_end(sieve, gather, &out, &error) == 0);
    unescape(&out, &once);
    unescape(&once, &twice);
    look(&out);
    look(&once);
    look(&twice);
    unescape(&twice, &thrice);
    if (in_batch)
        look(&thrice);
    return 0;
}
