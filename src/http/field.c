/*
 * field.c: one header field by the grammar of RFC 9110, section 5, without the leniencies of RFC 9112.
 */
#include "p11vault/http/field.h"

#include <string.h>

bool http_is_text(struct http_span span)
{
    for (size_t i = 0; i < span.size; i++) {
        uint8_t c = span.bytes[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_token_character(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct http_span http_trim(struct http_span span)
{
    while (span.size > 0 && is_blank(span.bytes[0])) {
        span.bytes++;
        span.size--;
    }
    while (span.size > 0 && is_blank(span.bytes[span.size - 1]))
        span.size--;
    return span;
}

int http_field_split(struct http_span line, struct http_span *ret_name, struct http_span *ret_value,
                     struct error *error)
{
    if (line.size > 0 && is_blank(line.bytes[0]))
        return error_set(error, CODE_STOP, "a header field of the answer is folded");
    size_t size = 0;
    while (size < line.size && is_token_character(line.bytes[size]))
        size++;
    if (size == 0 || size == line.size || line.bytes[size] != ':')
        return error_set(error, CODE_STOP, "a header field of the answer has no well-formed name");
    struct http_span value = {line.bytes + size + 1, line.size - size - 1};
    if (!http_is_text(value))
        return error_set(error, CODE_STOP,
                         "a header field of the answer holds a control character");
    *ret_name = (struct http_span){line.bytes, size};
    *ret_value = http_trim(value);
    return 0;
}
