/*
 * percent.c: %XX of URIs and forms, there and back.
 */
#include "p11vault/base/percent.h"

#include <string.h>

#include "p11vault/base/digest.h"

bool percent_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int percent_put(struct buffer *to, const char *text, size_t size, const char *plain,
                struct error *error)
{
    for (size_t i = 0; i < size; i++) {
        bool stands =
            percent_is_unreserved(text[i]) || (text[i] != '\0' && strchr(plain, text[i]) != NULL);
        int result = stands ? buffer_put(to, text + i, 1, error)
                            : buffer_put_format(to, error, "%%%02X", (unsigned char)text[i]);
        if (result < 0)
            return -1;
    }
    return 0;
}

int percent_byte(const char *text, size_t size)
{
    int high = size >= 3 && text[0] == '%' ? hex_digit(text[1]) : -1;
    int low = high < 0 ? -1 : hex_digit(text[2]);
    return low < 0 ? -1 : high << 4 | low;
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
            byte = percent_byte(text + i, size - i);
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
