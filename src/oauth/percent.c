/*
 * percent.c: the reverse of the form encoding.
 */
#include "percent.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int percent_decode(const char *text, size_t size, struct secret **ret_value, struct error *error)
{
    auto_of(secret_free) struct secret *value = NULL;
    size_t room, written = 0;
    *ret_value = NULL;
    if (size >= SECRET_MAX)
        return 0;
    if (secret_new(size + 1, &value, error) < 0)
        return -1;
    char *to = (char *)secret_room(value, &room);
    for (size_t i = 0; i < size; i++) {
        int byte = text[i] == '+' ? ' ' : (unsigned char)text[i];
        if (text[i] == '%') {
            int high = i + 2 < size ? digit(text[i + 1]) : -1;
            int low = high < 0 ? -1 : digit(text[i + 2]);
            byte = low < 0 ? -1 : high * 16 + low;
            i += 2;
        }
        if (byte < ' ' || byte > '~')
            return 0;
        to[written++] = (char)byte;
    }
    secret_grow(value, written);
    *ret_value = TAKE(value);
    return 0;
}
