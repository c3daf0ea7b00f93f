/*
 * alike.c: what looks like an access token, whosever it is: its beginning and size, or the name
 * before it; and a JWT.
 *
 * members.c knows exactly what is a member of the answer's own JSON; here it is guessed, since JSON
 * may stand in a string, and names and values in a URL or a text.
 */
#include <ctype.h>
#include <string.h>

#include "internal.h"

#define TOKEN_MIN 32      /* characters of a word that begins like a token */
#define GLUED_MIN 40      /* of a token within a word; it has letters of both cases, and digits */
#define GLUE_MAX 2        /* characters before it that may be any */
#define APP_SECRET_MIN 20 /* behind "ID|" */
#define APP_ID_MIN 5
#define APP_ID_MAX 20
#define JWT_PART_MIN 16

static const char *const beginnings[] = {"EAA", "IGQ", "IGAA", "THAA", "THQV", "DQVJ"};

/* ---- names ---- */

void tail_push(struct tail *tail, uint8_t byte)
{
    if (byte == '_' || byte == '-')
        return;
    memmove(tail->last, tail->last + 1, TAIL - 1);
    tail->last[TAIL - 1] = (uint8_t)tolower(byte);
    tail->size++;
}

static bool ends_with(const struct tail *tail, const char *word)
{
    size_t size = strlen(word);
    return tail->size >= size && memcmp(tail->last + TAIL - size, word, size) == 0;
}

bool tail_is(const struct tail *tail, const char *word)
{
    return tail->size == strlen(word) && ends_with(tail, word);
}

/*
 * A code of OAuth has a hundred characters and more, and digits among them; "code" is also the name
 * of languages, currencies and errors.
 */
bool value_is_secret(size_t least, size_t size, bool has_digit)
{
    return size >= least && (least == 1 || has_digit);
}

size_t tail_names_secret(const struct tail *tail)
{
    static const char *const names[] = {
        "accesstoken",    "inputtoken", "refreshtoken", "exchangetoken", "revoketoken", "idtoken",
        "appsecretproof", "secret",     "clienttoken",  "signedrequest", "password",    "loginurl"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ends_with(tail, names[i]))
            return 1;
    return tail_is(tail, "code") ? 20 : 0;
}

/* ---- words ---- */

static bool is_word(uint8_t byte)
{
    return (byte < 0x80 && isalnum(byte)) || byte == '_' || byte == '-';
}

/* How many characters of a beginning the word in hand ends with; 0: of none. */
static size_t ends_with_beginning(const struct alike *alike)
{
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        size_t at = strlen(beginnings[i]);
        uint64_t latest = alike->latest;
        for (; at > 0 && (uint8_t)latest == (uint8_t)beginnings[i][at - 1]; at--)
            latest >>= 8;
        if (at == 0)
            return strlen(beginnings[i]);
    }
    return 0;
}

static bool begins_like_one(const struct alike *alike)
{
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (memcmp(alike->head, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/*
 * A token with something before it in its word: letters, "_" or "-", or a few characters.  Within
 * what is random anyway, as a cursor is, a beginning stands by chance, and a list whose cursor is
 * scrubbed cannot be followed.
 */
static bool push_glued(struct alike *alike, uint8_t byte, uint64_t from)
{
    alike->latest = alike->latest << 8 | byte;
    alike->latest_from[alike->size % LATEST] = from;
    if (alike->glued > 0) {
        alike->glued = byte == '_' || byte == '-' ? 0 : alike->glued + 1;
        alike->lower |= islower(byte) != 0;
        alike->digit |= isdigit(byte) != 0;
        return alike->glued >= GLUED_MIN && alike->lower && alike->digit;
    }
    size_t begun = isupper(byte) ? ends_with_beginning(alike) : 0;
    if (begun == 0 || alike->size <= begun)
        return false;
    size_t before = alike->size - begun;
    uint8_t glue = (uint8_t)(alike->latest >> 8 * begun);
    if (before > GLUE_MAX && before > alike->plain && glue != '_' && glue != '-')
        return false;
    alike->glued = begun;
    alike->glued_from = alike->latest_from[(before + 1) % LATEST];
    alike->lower = alike->digit = false;
    return false;
}

/* A value begins here when it is one: behind "=", or in quotes behind a colon. */
static void begin_word(struct alike *alike, uint64_t from)
{
    alike->from = from;
    alike->digits = true;
    alike->has_digit = false;
    alike->plain = alike->glued = 0;
    alike->tail.size = 0;
    if (alike->least == 0 || alike->depth > 0)
        return;
    if (alike->equals || (alike->colon && alike->quoted))
        alike->value = alike->least;
    alike->least = 0;
}

static bool push_word(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from)
{
    if (alike->size == 0)
        begin_word(alike, from);
    if (alike->plain == alike->size && (islower(byte) || (alike->size == 0 && isupper(byte))))
        alike->plain++;
    if (alike->size < BEGINNING)
        alike->head[alike->size] = byte;
    alike->digits &= isdigit(byte) != 0;
    alike->has_digit |= isdigit(byte) != 0;
    alike->size++;
    tail_push(&alike->tail, byte);
    *ret_from = alike->glued_from;
    if (push_glued(alike, byte, from))
        return true;
    *ret_from = alike->jwt_from;
    if (alike->is_jwt && ++alike->jwt >= JWT_PART_MIN)
        return true;
    *ret_from = alike->from;
    if (alike->value > 0 && value_is_secret(alike->value, alike->size, alike->has_digit))
        return true;
    if (alike->size == TOKEN_MIN && begins_like_one(alike))
        return true;
    *ret_from = alike->bar_from;
    return alike->behind_bar && alike->size == APP_SECRET_MIN;
}

/* ---- what stands between words ---- */

/* Of an array or object behind a secret's name each text is one, its names as well. */
static void push_nested(struct alike *alike, uint8_t byte)
{
    if (byte == '"')
        alike->in_quotes = !alike->in_quotes;
    else if (!alike->in_quotes && (byte == '[' || byte == '{'))
        alike->depth++;
    else if (!alike->in_quotes && (byte == ']' || byte == '}'))
        alike->depth--;
    if (alike->depth == 0)
        alike->least = 0;
    alike->value = alike->depth > 0 && alike->in_quotes ? alike->least : 0;
}

/* Between a name and its value: a colon or an equals sign, quotes, white space. */
static void push_separator(struct alike *alike, uint8_t byte)
{
    if (byte == ':')
        alike->colon = true;
    else if (byte == '=')
        alike->equals = true;
    else if (byte == '"' || byte == '\'')
        alike->quoted = alike->colon || alike->equals;
    else if (alike->colon && !alike->quoted && (byte == '[' || byte == '{'))
        alike->depth = 1;
    else if (byte == 0 || !strchr(" \t\r\n\\", byte))
        alike->least = 0;
}

static void end_word(struct alike *alike, uint8_t byte)
{
    bool was_id = alike->digits && alike->size >= APP_ID_MIN && alike->size <= APP_ID_MAX;
    alike->behind_bar = byte == '|' && was_id;
    alike->bar_from = alike->from;
    if (byte != '.')
        alike->is_jwt = false;
    else if (!alike->is_jwt && alike->size >= JWT_PART_MIN && memcmp(alike->head, "eyJ", 3) == 0) {
        alike->is_jwt = true;
        alike->jwt_from = alike->from;
        alike->jwt = 0;
    }
    if (alike->size > 0 && alike->depth == 0 && alike->value == 0) {
        alike->least = tail_names_secret(&alike->tail);
        alike->colon = alike->equals = alike->quoted = alike->in_quotes = false;
    }
    alike->size = alike->glued = 0;
}

bool alike_push(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from)
{
    if (is_word(byte))
        return push_word(alike, byte, from, ret_from);
    bool in_value = alike->value > 0;
    end_word(alike, byte);
    if (alike->depth > 0)
        push_nested(alike, byte);
    else if (in_value && (!alike->quoted || byte == '"' || byte == '\''))
        alike->value = 0;
    else if (alike->least > 0)
        push_separator(alike, byte);
    return false;
}
