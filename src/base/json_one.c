/*
 * json_one.c: whether a text may stand within other JSON, as it is: a reader must not take a part
 * of it for what is around it.  Of 64 MiB nothing is built: jansson would take twenty times as
 * much.
 */
#include <string.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"

#define DEPTH_MAX 512

struct text {
    const char *at, *end;
};

static bool skip_value(struct text *text, unsigned depth);

static bool take(struct text *text, char byte)
{
    if (text->at == text->end || *text->at != byte)
        return false;
    text->at++;
    return true;
}

/* Any number of these bytes; false: there is none. */
static bool skip_all(struct text *text, const char *bytes)
{
    const char *begin = text->at;
    while (text->at < text->end && *text->at != '\0' && strchr(bytes, *text->at))
        text->at++;
    return text->at > begin;
}

static void skip_space(struct text *text)
{
    (void)skip_all(text, " \t\r\n");
}

static bool skip_escape(struct text *text)
{
    if (text->at == text->end || *text->at == '\0')
        return false;
    char letter = *text->at++;
    if (letter != 'u')
        return strchr("\"\\/bfnrt", letter) != NULL;
    for (int i = 0; i < 4; i++, text->at++)
        if (text->at == text->end || hex_digit(*text->at) < 0)
            return false;
    return true;
}

static bool skip_string(struct text *text)
{
    if (!take(text, '"'))
        return false;
    while (text->at < text->end && (unsigned char)*text->at >= ' ') {
        char byte = *text->at++;
        if (byte == '"')
            return true;
        if (byte == '\\' && !skip_escape(text))
            return false;
    }
    return false;
}

static bool skip_number(struct text *text)
{
    static const char digits[] = "0123456789";
    (void)take(text, '-');
    if (!take(text, '0') && !skip_all(text, digits))
        return false;
    if (take(text, '.') && !skip_all(text, digits))
        return false;
    if (!take(text, 'e') && !take(text, 'E'))
        return true;
    (void)(take(text, '+') || take(text, '-'));
    return skip_all(text, digits);
}

static bool skip_word(struct text *text, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(text->end - text->at) < size || memcmp(text->at, word, size) != 0)
        return false;
    text->at += size;
    return true;
}

/* Behind the bracket that opens; an object has a name before each value. */
static bool skip_members(struct text *text, bool is_object, unsigned depth)
{
    char close = is_object ? '}' : ']';
    skip_space(text);
    if (take(text, close))
        return true;
    do {
        skip_space(text);
        if (is_object && !skip_string(text))
            return false;
        skip_space(text);
        if ((is_object && !take(text, ':')) || !skip_value(text, depth))
            return false;
    } while (take(text, ','));
    return take(text, close);
}

static bool skip_value(struct text *text, unsigned depth)
{
    bool is_fine;
    skip_space(text);
    if (text->at == text->end || depth == DEPTH_MAX)
        return false;
    if (*text->at == '"')
        is_fine = skip_string(text);
    else if (take(text, '{'))
        is_fine = skip_members(text, true, depth + 1);
    else if (take(text, '['))
        is_fine = skip_members(text, false, depth + 1);
    else
        is_fine = skip_word(text, "true") || skip_word(text, "false") || skip_word(text, "null") ||
                  skip_number(text);
    skip_space(text);
    return is_fine;
}

bool json_is_one(const char *bytes, size_t size)
{
    struct text text = {bytes, bytes + size};
    auto_json json_t *utf8 = json_stringn(bytes, size);
    return utf8 && skip_value(&text, 0) && text.at == text.end;
}
