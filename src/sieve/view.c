/*
 * view.c: looking for needles in the answer as it is and as it reads behind one and two layers of escapes: \u0041, \/
 * and the like of JSON, %41 of URLs.  Every character of a view knows where in the answer it begins.
 */
#include <ctype.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"

/* ---- a view ---- */

static uint8_t normal_hex(uint8_t byte)
{
    return (uint8_t)tolower(byte);
}

static uint8_t normal_base64(uint8_t byte)
{
    return byte == '-' ? '+' : byte == '_' ? '/' : byte;
}

static bool belongs(const struct needles *needles, enum form form, uint8_t byte)
{
    if (form == FORM_PLAIN)
        return needles->in_value[byte];
    if (byte >= 0x80)
        return false;
    if (form == FORM_HEX)
        return isxdigit(byte) != 0;
    return isalnum(byte) || (byte != 0 && strchr("+/-_", byte));
}

static void note(struct hit *hit, bool is_known, uint64_t from)
{
    if (hit->found && hit->from <= from)
        return;
    *hit = (struct hit){true, is_known, from};
}

static void check(const struct view *view, const struct needles *needles, enum form form,
                  struct hit *hit)
{
    size_t size = needles_window(form);
    const uint8_t *last = view->ring + RING + view->at + 1 - size;
    uint8_t window[WINDOW_MAX] = {0};
    if (view->run[form] < size || view->since_escape >= size)
        return;
    for (size_t i = 0; i < size; i++)
        window[i] = form == FORM_HEX      ? normal_hex(last[i])
                    : form == FORM_BASE64 ? normal_base64(last[i])
                                          : last[i];
    if (needles_have(needles, form, window))
        note(hit, true, view->from[(view->at + RING + 1 - size) % RING]);
}

/* `is_escape`: the character stood as an escape in the view before this one. */
static void view_push(struct view *view, const struct needles *needles, uint8_t byte, uint64_t from,
                      bool is_escape, struct hit *hit)
{
    view->at = (view->at + 1) % RING;
    view->ring[view->at] = view->ring[view->at + RING] = byte;
    view->from[view->at] = from;
    view->since_escape = is_escape ? 0 : view->since_escape + 1;
    for (int form = 0; form < FORMS; form++) {
        view->run[form] = belongs(needles, form, byte) ? view->run[form] + 1 : 0;
        check(view, needles, form, hit);
    }
}

/* ---- a layer of escapes ---- */

static void show(struct looking *looking, const struct needles *needles, size_t layer, uint8_t byte,
                 uint64_t from, bool is_escape, struct hit *hit);

static bool all_hex(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (hex_digit((char)bytes[i]) < 0)
            return false;
    return true;
}

enum reading { READING_ON, READING_DONE, READING_NONE };

static enum reading read_short(uint8_t letter, uint8_t *ret_byte)
{
    static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *at = letter == 0 ? NULL : strchr(letters, letter);
    if (!at)
        return READING_NONE;
    *ret_byte = (uint8_t)means[at - letters];
    return READING_DONE;
}

/* What the characters in hand stand for.  Other than ASCII is none of ours: it comes as 0xFF. */
static enum reading read_escape(const struct decoder *decoder, uint8_t *ret_byte)
{
    const uint8_t *bytes = decoder->pending;
    bool is_percent = bytes[0] == '%';
    if (decoder->size < 2)
        return READING_ON;
    if (!is_percent && bytes[1] != 'u')
        return read_short(bytes[1], ret_byte);
    size_t before = is_percent ? 1 : 2, digits = is_percent ? 2 : 4;
    if (!all_hex(bytes + before, decoder->size - before))
        return READING_NONE;
    if (decoder->size < before + digits)
        return READING_ON;
    unsigned value = 0;
    for (size_t i = before; i < decoder->size; i++)
        value = value << 4 | (unsigned)hex_digit((char)bytes[i]);
    *ret_byte = value < 0x80 ? (uint8_t)value : 0xff;
    return READING_DONE;
}

static void decode(struct looking *looking, const struct needles *needles, size_t layer,
                   uint8_t byte, uint64_t from, struct hit *hit)
{
    struct decoder *decoder = &looking->decoders[layer - 1];
    uint8_t means = 0;
    if (decoder->size == 0 && byte != '%' && byte != '\\') {
        show(looking, needles, layer, byte, from, false, hit);
        return;
    }
    decoder->pending[decoder->size] = byte;
    decoder->from[decoder->size++] = from;
    enum reading reading = read_escape(decoder, &means);
    if (reading == READING_ON)
        return;
    struct decoder taken = *decoder;
    decoder->size = 0;
    if (reading == READING_DONE) {
        show(looking, needles, layer, means, taken.from[0], true, hit);
        return;
    }
    /* It was none: its first character stands for itself, and the others may begin another. */
    show(looking, needles, layer, taken.pending[0], taken.from[0], false, hit);
    for (size_t i = 1; i < taken.size; i++)
        decode(looking, needles, layer, taken.pending[i], taken.from[i], hit);
}

/* One character of a view; the view behind it sees it, too. */
static void show(struct looking *looking, const struct needles *needles, size_t layer, uint8_t byte,
                 uint64_t from, bool is_escape, struct hit *hit)
{
    uint64_t begins;
    view_push(&looking->views[layer], needles, byte, from, layer == 0 || is_escape, hit);
    if (layer + 1 < VIEWS) {
        decode(looking, needles, layer + 1, byte, from, hit);
        return;
    }
    if (alike_push(&looking->alike, byte, from, &begins))
        note(hit, false, begins);
    if (coded_push(looking->codings, byte, from, &begins))
        note(hit, false, begins);
}

void looking_push(struct looking *looking, const struct needles *needles, uint8_t byte,
                  uint64_t place, struct hit *hit)
{
    *hit = (struct hit){0};
    show(looking, needles, 0, byte, place, true, hit);
}
