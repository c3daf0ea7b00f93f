/*
 * note.c: joining and taking apart signed notes.  A note is judged as a whole: one line that is not
 * as it must be, or one failing signature by a key we know, spoils all of it.
 */
#include "p11vault/audit/note.h"

#include <stdbool.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"

#define MARK "\xe2\x80\x94 " /* an em dash and a space begin a signature line */
#define MARK_SIZE (sizeof(MARK) - 1)
#define ID_SIZE 4
#define DECODED_MAX (NOTE_MAX / 4 * 3)

/* ---- characters ---- */

size_t note_character(const char *text, size_t size, uint32_t *ret_point)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *bytes = (const uint8_t *)text;
    if (size == 0)
        return 0;
    uint8_t lead = bytes[0];
    if (lead < 0x80) {
        *ret_point = lead;
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (length > size)
        return 0;
    uint32_t point = lead & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3fU);
    }
    if (point < lowest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

/* The white space of Unicode beyond the control characters of ASCII. */
static bool is_space(uint32_t point)
{
    return point == ' ' || point == 0x85 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
           point == 0x202f || point == 0x205f || point == 0x3000;
}

bool note_name_valid(const char *name, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t point;
        size_t length = note_character(name + at, size - at, &point);
        if (length == 0 || point < 0x20 || point == '+' || is_space(point))
            return false;
        at += length;
    }
    return size > 0;
}

static bool is_text(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t point;
        size_t length = note_character(text + at, size - at, &point);
        if (length == 0 || (point < 0x20 && point != '\n'))
            return false;
        at += length;
    }
    return size > 0 && text[size - 1] == '\n';
}

/* ---- composing ---- */

static void put_id(uint32_t id, uint8_t ret_bytes[ID_SIZE])
{
    for (unsigned i = 0; i < ID_SIZE; i++)
        ret_bytes[i] = (uint8_t)(id >> (24 - 8 * i));
}

int note_compose(const char *text, const struct note_key *key, const uint8_t *signature,
                 size_t signature_size, char **ret_note, struct error *error)
{
    uint8_t bytes[ID_SIZE + NOTE_SIGNATURE_MAX];
    if (signature_size == 0 || signature_size > NOTE_SIGNATURE_MAX)
        return error_set(error, CODE_FAULT, "compose a note: a signature of %zu bytes",
                         signature_size);
    if (!is_text(text, strnlen(text, NOTE_MAX)))
        return error_set(error, CODE_FAULT, "compose a note: its text cannot stand in one");
    put_id(key->id, bytes);
    memcpy(bytes + ID_SIZE, signature, signature_size);
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    if (buffer_put_text(&note, text, error) < 0 ||
        buffer_put_format(&note, error, "\n" MARK "%s ", key->name) < 0 ||
        base64_put(&note, bytes, ID_SIZE + signature_size, error) < 0 ||
        buffer_put_text(&note, "\n", error) < 0)
        return error_prefix(error, "compose a note");
    char *taken = buffer_take_text(&note);
    if (taken == NULL)
        return error_memory(error);
    *ret_note = taken;
    return 0;
}

/* ---- verifying ---- */

struct signature {
    const char *name;
    size_t name_size;
    uint32_t id;
    size_t size;
    uint8_t bytes[DECODED_MAX]; /* those of others may be long, and are read all the same */
};

static int malformed(const char *what, struct error *error)
{
    return error_set(error, CODE_LOG, "malformed note: %s", what);
}

/* One line without its LF. */
static int read_signature(const char *line, size_t size, struct signature *ret_signature,
                          struct error *error)
{
    if (size < MARK_SIZE || memcmp(line, MARK, MARK_SIZE) != 0)
        return malformed("a signature line begins with an em dash and a space", error);
    const char *name = line + MARK_SIZE;
    const char *space = memchr(name, ' ', size - MARK_SIZE);
    if (space == NULL || !note_name_valid(name, (size_t)(space - name)))
        return malformed("a signature line without a key name", error);
    const char *text = space + 1;
    uint8_t *bytes = ret_signature->bytes;
    size_t decoded;
    if (base64_decode(text, (size_t)(line + size - text), bytes, DECODED_MAX, &decoded, error) < 0)
        return malformed("a signature is not canonical base64", error);
    if (decoded <= ID_SIZE)
        return malformed("a signature is too short", error);
    ret_signature->name = name;
    ret_signature->name_size = (size_t)(space - name);
    ret_signature->id =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    ret_signature->size = decoded;
    return 0;
}

static bool is_by(const struct signature *signature, const struct note_key *key)
{
    return key->id == signature->id && strlen(key->name) == signature->name_size &&
           memcmp(key->name, signature->name, signature->name_size) == 0;
}

/*
 * *ret_key is left alone for a signature by nobody we know.  Two keys may share name and id by an
 * unlikely chance: then one of them has to have signed.
 */
static int check_signature(const char *note, size_t text_size, const struct signature *signature,
                           const struct note_key *keys, size_t count,
                           const struct note_key **ret_key, struct error *error)
{
    bool known = false;
    for (size_t i = 0; i < count; i++) {
        if (!is_by(signature, &keys[i]))
            continue;
        known = true;
        if (note_key_verifies(&keys[i], note, text_size, signature->bytes + ID_SIZE,
                              signature->size - ID_SIZE)) {
            *ret_key = &keys[i];
            return 0;
        }
    }
    if (known)
        return error_set(error, CODE_LOG, "the signature of key %08x does not verify",
                         signature->id);
    return 0;
}

/* The size of the text: what stands before the last empty line.  0 when there is none. */
static size_t find_text(const char *note, size_t note_size)
{
    for (size_t at = note_size; at-- > 1;) {
        if (note[at] == '\n' && note[at - 1] == '\n')
            return at;
    }
    return 0;
}

static int check_signatures(const char *note, size_t note_size, size_t text_size,
                            const struct note_key *keys, size_t key_count,
                            const struct note_key **ret_key, struct error *error)
{
    struct signature signature = {.name = ""};
    const struct note_key *first = NULL;
    const char *line = note + text_size + 1;
    const char *end = note + note_size;
    for (size_t count = 0; line < end; count++) {
        const struct note_key *key = NULL;
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (count == NOTE_SIGNATURES_MAX)
            return malformed("too many signatures", error);
        if (line_end == NULL)
            return malformed("its last line has no end", error);
        if (read_signature(line, (size_t)(line_end - line), &signature, error) < 0 ||
            check_signature(note, text_size, &signature, keys, key_count, &key, error) < 0)
            return -1;
        first = first == NULL ? key : first;
        line = line_end + 1;
    }
    if (first == NULL)
        return error_set(error, CODE_LOG, "the note is signed by no trusted key");
    *ret_key = first;
    return 0;
}

int note_verify(const char *note, size_t note_size, const struct note_key *keys, size_t count,
                size_t *ret_text_size, const struct note_key **ret_key, struct error *error)
{
    const struct note_key *key = NULL;
    if (note_size > NOTE_MAX)
        return malformed("too long", error);
    if (!is_text(note, note_size))
        return malformed("not lines of UTF-8 without control characters", error);
    size_t text_size = find_text(note, note_size);
    if (text_size == 0 || text_size + 1 == note_size)
        return malformed("no empty line with a signature behind it", error);
    if (check_signatures(note, note_size, text_size, keys, count, &key, error) < 0)
        return -1;
    *ret_text_size = text_size;
    if (ret_key != NULL)
        *ret_key = key;
    return 0;
}
