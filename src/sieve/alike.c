/*
 * alike.c: what looks like an access token, whosever it is: its beginning and size, or the name before it.
 */
#include <ctype.h>
#include <string.h>

#include "internal.h"

#define TOKEN_MIN 32      /* characters of a word that begins like a token */
#define APP_SECRET_MIN 20 /* behind "ID|" */
#define APP_ID_MIN 5
#define APP_ID_MAX 20
#define SEPARATORS_MAX 16

static const char *const beginnings[] = {"EAA", "IGQ", "IGAA", "THAA"};

/* A name that ends like this has a secret behind it. */
static const char *const names[] = {
    "access_token",  "input_token",    "client_secret", "app_secret",     "appsecret_proof",
    "refresh_token", "exchange_token", "revoke_token",  "signed_request", "id_token"};

static bool is_word(uint8_t byte)
{
    return (byte < 0x80 && isalnum(byte)) || byte == '_' || byte == '-';
}

static bool begins_like_one(const struct alike *alike)
{
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (memcmp(alike->head, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static bool names_one(const struct alike *alike)
{
    size_t room = sizeof(alike->tail);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);
        if (alike->size >= size && memcmp(alike->tail + room - size, names[i], size) == 0)
            return true;
    }
    return false;
}

static bool push_word(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from)
{
    bool is_value = alike->armed && (alike->equals || (alike->colon && alike->quoted));
    if (alike->size == 0) {
        alike->from = from;
        alike->digits = true;
    }
    if (alike->size < sizeof(alike->head))
        alike->head[alike->size] = byte;
    memmove(alike->tail, alike->tail + 1, sizeof(alike->tail) - 1);
    alike->tail[sizeof(alike->tail) - 1] = (uint8_t)tolower(byte);
    alike->digits &= isdigit(byte) != 0;
    alike->size++;
    alike->armed = false;
    *ret_from = alike->from;
    if (is_value || (alike->size == TOKEN_MIN && begins_like_one(alike)))
        return true;
    *ret_from = alike->bar_from;
    return alike->behind_bar && alike->size == APP_SECRET_MIN;
}

/* What stands between a name and its value: a colon or an equals sign, quotes, spaces. */
static void push_separator(struct alike *alike, uint8_t byte)
{
    alike->separators++;
    if (byte == ':')
        alike->colon = true;
    else if (byte == '=')
        alike->equals = true;
    else if (byte == '"' || byte == '\'')
        alike->quoted = alike->colon || alike->equals;
    else if (byte == 0 || !strchr(" \t\r\n\\", byte))
        alike->armed = false;
    if (alike->separators > SEPARATORS_MAX)
        alike->armed = false;
}

bool alike_push(struct alike *alike, uint8_t byte, uint64_t from, uint64_t *ret_from)
{
    if (is_word(byte))
        return push_word(alike, byte, from, ret_from);
    bool was_id = alike->digits && alike->size >= APP_ID_MIN && alike->size <= APP_ID_MAX;
    alike->behind_bar = byte == '|' && was_id;
    alike->bar_from = alike->from;
    if (alike->size > 0) {
        alike->armed = names_one(alike);
        alike->colon = alike->equals = alike->quoted = false;
        alike->separators = 0;
    }
    alike->size = 0;
    if (alike->armed)
        push_separator(alike, byte);
    return false;
}
