/*
 * checkpoint.c: the three lines of a checkpoint, and what makes a signed one good.
 */
#include "p11vault/audit/checkpoint.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"

#define ORIGIN_PREFIX "p11vault/"
#define SIZE_DIGITS 19 /* of the largest size, 2^63 - 1: more entries than any store can count */

int checkpoint_origin(const char *vault_id, char ret_origin[NOTE_NAME_MAX], struct error *error)
{
    uint8_t bytes[(VAULT_ID_SIZE - 1) / 2];
    if (!hex_decode(vault_id, bytes, sizeof(bytes)))
        return error_set(error, CODE_LOG, "a vault id has %d hexadecimal digits",
                         VAULT_ID_SIZE - 1);
    snprintf(ret_origin, NOTE_NAME_MAX, ORIGIN_PREFIX "%s", vault_id);
    return 0;
}

int checkpoint_text(const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_TEXT_MAX],
                    struct error *error)
{
    size_t origin_size = strnlen(checkpoint->origin, NOTE_NAME_MAX);
    if (origin_size == NOTE_NAME_MAX || !note_name_valid(checkpoint->origin, origin_size) ||
        checkpoint->size > INT64_MAX)
        return error_set(error, CODE_FAULT, "write a checkpoint: its origin or size cannot be");
    auto_buffer struct buffer text = BUFFER_UP_TO(CHECKPOINT_TEXT_MAX - 1);
    if (buffer_put_format(&text, error, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size) <
            0 ||
        base64_put(&text, checkpoint->root.bytes, DIGEST_SIZE, error) < 0 ||
        buffer_put_text(&text, "\n", error) < 0)
        return error_prefix(error, "write a checkpoint");
    memcpy(ret_text, text.data, text.size + 1);
    return 0;
}

struct line {
    const char *text;
    size_t size;
};

/* Cuts the next line off; false when there is no LF any more. */
static bool next_line(const char **at, const char *end, struct line *ret_line)
{
    const char *line_end = memchr(*at, '\n', (size_t)(end - *at));
    if (line_end == NULL)
        return false;
    *ret_line = (struct line){*at, (size_t)(line_end - *at)};
    *at = line_end + 1;
    return true;
}

bool checkpoint_read_size(const char *text, size_t digits, uint64_t *ret_size)
{
    uint64_t size = 0;
    if (digits == 0 || digits > SIZE_DIGITS || (text[0] == '0' && digits > 1))
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        size = size * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_size = size;
    return size <= INT64_MAX;
}

static int malformed(const char *what, struct error *error)
{
    return error_set(error, CODE_LOG, "malformed checkpoint: %s", what);
}

int checkpoint_parse(const char *text, size_t size, struct checkpoint *ret_checkpoint,
                     struct error *error)
{
    struct checkpoint checkpoint = {0};
    struct line lines[3];
    const char *at = text;
    size_t root_size;
    if (size >= CHECKPOINT_TEXT_MAX)
        return malformed("too long", error);
    for (size_t i = 0; i < 3; i++) {
        if (!next_line(&at, text + size, &lines[i]))
            return malformed("it has three lines", error);
    }
    if (at != text + size)
        return malformed("there is more than three lines", error);
    if (lines[0].size >= sizeof(checkpoint.origin) ||
        !note_name_valid(lines[0].text, lines[0].size))
        return malformed("the first line is no origin", error);
    if (!checkpoint_read_size(lines[1].text, lines[1].size, &checkpoint.size))
        return malformed("the second line is no size", error);
    if (base64_decode(lines[2].text, lines[2].size, checkpoint.root.bytes, DIGEST_SIZE, &root_size,
                      error) < 0 ||
        root_size != DIGEST_SIZE)
        return malformed("the third line is no root", error);
    memcpy(checkpoint.origin, lines[0].text, lines[0].size);
    *ret_checkpoint = checkpoint;
    return 0;
}

int checkpoint_verify(const char *note, const char *origin, const struct trust *trust,
                      struct checkpoint *ret_checkpoint, const struct note_key **ret_key,
                      struct error *error)
{
    struct checkpoint checkpoint = {.size = 0};
    const struct note_key *key = NULL;
    size_t text_size = 0;
    if (note_verify(note, strnlen(note, NOTE_MAX + 1), trust->keys, trust->count, &text_size, &key,
                    error) < 0 ||
        checkpoint_parse(note, text_size, &checkpoint, error) < 0)
        return -1;
    /* The origin is also the name of its keys: a key of one vault signs for no other. */
    if (strcmp(checkpoint.origin, origin) != 0 || strcmp(key->name, origin) != 0)
        return error_set(error, CODE_LOG, "the checkpoint is of another log than '%s'", origin);
    uint64_t until = trust->until[key - trust->keys];
    if (until > 0 && checkpoint.size > until)
        return error_set(error, CODE_LOG,
                         "checkpoint %" PRIu64 " is signed by a key that counts for %" PRIu64
                         " entries only: its card was removed then",
                         checkpoint.size, until);
    *ret_checkpoint = checkpoint;
    if (ret_key != NULL)
        *ret_key = key;
    return 0;
}
