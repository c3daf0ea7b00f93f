/*
 * needles.c: every window of eight bytes of every form stands in one hash table, behind two bitmaps that answer most
 * look-ups, so they grow with what is looked for.  Wherever a window stands, it has a word of four bytes at a multiple
 * of four: the first bitmap has all words, and is asked about each fourth place only.  The second has the windows.
 * Windows with fewer than four different bytes are left out: they would match padding.
 */
#include "needles.h"

#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WORD 4
#define FILTER_PLACES 16 /* bits a window: a look-up that finds nothing seldom goes on */
#define DIFFERENT 4
#define LINE_MAX_SIZE (64 * 1024)

struct place {
    uint64_t window;
    uint32_t form; /* counted from one; 0: an empty place */
    uint32_t offset;
};

struct needles {
    struct form *forms;
    size_t count;
    size_t longest;
    size_t first; /* the first form of the needle that was added last */
    struct place *table;
    size_t mask;
    uint8_t *words, *windows; /* the bitmaps */
    unsigned bits;            /* of a hash that are the number of a bit in them */
};

static void *must(void *pointer)
{
    if (pointer == NULL)
        err(2, "memory");
    return pointer;
}

static void wipe_and_free(uint8_t *bytes, size_t size)
{
    explicit_bzero(bytes, size);
    free(bytes);
}

static uint64_t window_at(const uint8_t *bytes)
{
    uint64_t window;
    memcpy(&window, bytes, WINDOW);
    return window;
}

static uint64_t mix(uint64_t window)
{
    return window * UINT64_C(0x9e3779b97f4a7c15);
}

/* Where these bytes have their bit. */
static size_t word_bit(const struct needles *needles, const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, WORD);
    return mix(word) >> (64 - needles->bits);
}

static size_t window_bit(const struct needles *needles, const uint8_t *bytes)
{
    return mix(window_at(bytes)) >> (64 - needles->bits);
}

static bool has(const uint8_t *bitmap, size_t bit)
{
    return (bitmap[bit / 8] >> bit % 8 & 1) != 0;
}

static void set(uint8_t *bitmap, size_t bit)
{
    bitmap[bit / 8] |= (uint8_t)(1 << bit % 8);
}

/* ---- forms ---- */

/* Takes the bytes over.  A form that looks like an earlier one of the same needle adds nothing. */
static void add_form(struct needles *needles, const char *needle, const char *name, uint8_t *bytes,
                     size_t size, size_t least)
{
    for (size_t i = needles->first; i < needles->count; i++) {
        const struct form *form = &needles->forms[i];
        if (form->size == size && memcmp(form->bytes, bytes, size) == 0) {
            wipe_and_free(bytes, size);
            return;
        }
    }
    needles->forms = must(realloc(needles->forms, (needles->count + 1) * sizeof(*needles->forms)));
    needles->forms[needles->count++] =
        (struct form){must(strdup(needle)), name, bytes, size, least, strcmp(name, "percent") == 0};
    if (size > needles->longest)
        needles->longest = size;
}

static void add_raw(struct needles *needles, const char *needle, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = must(malloc(size));
    uint8_t *reversed = must(malloc(size));
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < size; i++)
        reversed[i] = bytes[size - 1 - i];
    add_form(needles, needle, "raw", copy, size, WINDOW);
    add_form(needles, needle, "reversed", reversed, size, WINDOW); /* a number of libcrypto's */
}

static void add_hex(struct needles *needles, const char *needle, const uint8_t *bytes, size_t size,
                    const char *name, const char *digits)
{
    uint8_t *text = must(malloc(2 * size));
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = (uint8_t)digits[bytes[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
    }
    add_form(needles, needle, name, text, 2 * size, 2 * WINDOW);
}

static void add_percent(struct needles *needles, const char *needle, const uint8_t *bytes,
                        size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *text = must(malloc(3 * size));
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < 0x80 && (isalnum(bytes[i]) || strchr("-._~", bytes[i] ? bytes[i] : ' '))) {
            text[used++] = bytes[i];
        } else {
            text[used++] = '%';
            text[used++] = (uint8_t)digits[bytes[i] >> 4];
            text[used++] = (uint8_t)digits[bytes[i] & 15];
        }
    }
    add_form(needles, needle, "percent", text, used, WINDOW);
}

/* The characters that depend on the needle alone when `before` other bytes stand before it. */
static void add_base64(struct needles *needles, const char *needle, const uint8_t *bytes,
                       size_t size, size_t before, const char *name, const char *last_two)
{
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t first = (before * 8 + 5) / 6;
    size_t end = (before + size) * 8 / 6;
    uint8_t *text = must(malloc(end - first));
    for (size_t i = first; i < end; i++) {
        unsigned value = 0;
        for (size_t bit = 6 * i - 8 * before, j = 0; j < 6; j++, bit++)
            value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
        text[i - first] = (uint8_t)(value < 62 ? common[value] : last_two[value - 62]);
    }
    add_form(needles, needle, name, text, end - first, 10);
}

static void add_needle(struct needles *needles, const char *name, const uint8_t *bytes, size_t size)
{
    needles->first = needles->count;
    add_raw(needles, name, bytes, size);
    add_percent(needles, name, bytes, size);
    for (size_t before = 0; before < 3; before++) {
        add_base64(needles, name, bytes, size, before, "base64", "+/");
        add_base64(needles, name, bytes, size, before, "base64url", "-_");
    }
    add_hex(needles, name, bytes, size, "hex", "0123456789abcdef");
    add_hex(needles, name, bytes, size, "HEX", "0123456789ABCDEF");
}

/* ---- the table ---- */

static bool is_telling(const uint8_t *bytes)
{
    int different = 0;
    for (int i = 0; i < WINDOW; i++)
        different += memchr(bytes, bytes[i], i) == NULL;
    return different >= DIFFERENT;
}

static void enter(struct needles *needles, size_t form, size_t offset)
{
    const uint8_t *bytes = needles->forms[form].bytes + offset;
    if (!is_telling(bytes))
        return;
    uint64_t window = window_at(bytes);
    size_t at = mix(window) >> 20 & needles->mask;
    set(needles->windows, window_bit(needles, bytes));
    for (size_t i = 0; i < WORD; i++)
        set(needles->words, word_bit(needles, bytes + i));
    while (needles->table[at].form != 0)
        at = (at + 1) & needles->mask;
    needles->table[at] = (struct place){window, (uint32_t)form + 1, (uint32_t)offset};
}

static void build_table(struct needles *needles)
{
    size_t windows = 0, places = 1024;
    for (size_t i = 0; i < needles->count; i++)
        windows += needles->forms[i].size;
    while (places < 2 * windows)
        places *= 2;
    for (needles->bits = 16; (size_t)1 << needles->bits < FILTER_PLACES * windows;)
        needles->bits++;
    needles->table = must(calloc(places, sizeof(*needles->table)));
    needles->mask = places - 1;
    needles->words = must(calloc(((size_t)1 << needles->bits) / 8, 1));
    needles->windows = must(calloc(((size_t)1 << needles->bits) / 8, 1));
    for (size_t i = 0; i < needles->count; i++)
        for (size_t j = 0; j + WINDOW <= needles->forms[i].size; j++)
            enter(needles, i, j);
}

/* How many bytes of the secret stand whole in this part of a percent-encoded form. */
static size_t percent_count(const struct form *form, size_t offset, size_t size)
{
    size_t count = 0, end = offset + size;
    bool in_first = offset > 0 && form->bytes[offset - 1] == '%';
    for (size_t i = offset + (in_first ? 2 : offset > 1 && form->bytes[offset - 2] == '%'); i < end;
         i++, count++) {
        if (form->bytes[i] != '%')
            continue;
        i += 2;
        if (i >= end)
            break;
    }
    return count;
}

static bool is_enough(const struct form *form, size_t offset, size_t size)
{
    return size >= form->least && (!form->escaped || percent_count(form, offset, size) >= WINDOW);
}

/* The part of the form around a window: what is at `at` stands `offset` bytes into the form. */
static struct match part_around(const struct form *form, size_t offset, const uint8_t *at,
                                size_t before, size_t left)
{
    struct match part = {form, 0, WINDOW};
    while (part.size < left && offset + part.size < form->size &&
           at[part.size] == form->bytes[offset + part.size])
        part.size++;
    while (part.before < before && part.before < offset &&
           *(at - part.before - 1) == form->bytes[offset - part.before - 1])
        part.before++;
    part.size += part.before;
    if (!is_enough(form, offset - part.before, part.size))
        part.size = 0;
    return part;
}

size_t needles_next(const struct needles *needles, const uint8_t *bytes, size_t at, size_t end)
{
    while (at < end) {
        size_t word = (at + WORD - 1) / WORD * WORD;
        if (!has(needles->words, word_bit(needles, bytes + word))) {
            at = word + 1; /* all windows that begin before have this word */
            continue;
        }
        for (; at <= word && at < end; at++)
            if (has(needles->windows, window_bit(needles, bytes + at)))
                return at;
    }
    return end;
}

bool needles_match(const struct needles *needles, const uint8_t *at, size_t before, size_t left,
                   struct match *ret_match)
{
    uint64_t window = window_at(at);
    struct match best = {NULL, 0, 0};
    for (size_t i = mix(window) >> 20 & needles->mask; needles->table[i].form != 0;
         i = (i + 1) & needles->mask) {
        const struct place *place = &needles->table[i];
        if (place->window != window)
            continue;
        struct match part =
            part_around(&needles->forms[place->form - 1], place->offset, at, before, left);
        if (part.size > best.size)
            best = part;
    }
    *ret_match = best;
    return best.form != NULL;
}

size_t needles_longest(const struct needles *needles)
{
    return needles->longest;
}

/* ---- the file ---- */

static size_t unhex(char *text)
{
    size_t size = 0;
    unsigned value;
    for (; text[2 * size] != '\0'; size++) {
        if (sscanf(text + 2 * size, "%2x", &value) != 1 || text[2 * size + 1] == '\0')
            errx(2, "a needle is not written in hex");
        ((uint8_t *)text)[size] = (uint8_t)value;
    }
    return size;
}

struct needles *needles_read(const char *path)
{
    struct needles *needles = must(calloc(1, sizeof(*needles)));
    char name[64], *text = must(malloc(LINE_MAX_SIZE));
    FILE *file = fopen(path, "re");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) < 0)
        err(2, "%s", path);
    if ((status.st_mode & 077) != 0)
        errx(2, "%s: others than its owner may read it", path);
    while (fscanf(file, "%63s %65535s", name, text) == 2) {
        size_t size = unhex(text);
        if (size < WINDOW)
            errx(2, "%s: a needle of fewer than %d bytes", name, WINDOW);
        add_needle(needles, name, (const uint8_t *)text, size);
    }
    if (!feof(file) || needles->count == 0)
        errx(2, "%s: not lines of a name and hex", path);
    fclose(file);
    wipe_and_free((uint8_t *)text, LINE_MAX_SIZE);
    build_table(needles);
    return needles;
}

void needles_free(struct needles *needles)
{
    for (size_t i = 0; i < needles->count; i++) {
        free(needles->forms[i].needle);
        wipe_and_free(needles->forms[i].bytes, needles->forms[i].size);
    }
    free(needles->forms);
    free(needles->words);
    free(needles->windows);
    wipe_and_free((uint8_t *)needles->table, (needles->mask + 1) * sizeof(*needles->table));
    free(needles);
}
