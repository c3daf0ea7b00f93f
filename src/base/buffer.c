/*
 * A growing byte buffer with a hard maximum.
 */
#include "p11vault/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = BUFFER_UP_TO(buffer->maximum);
}

/* Room for `size` bytes more and a NUL. */
static int reserve(struct buffer *buffer, size_t size, struct error *error)
{
    if (size > buffer->maximum - buffer->size)
        return error_set(error, CODE_STOP, "longer than the %zu bytes allowed", buffer->maximum);
    size_t needed = buffer->size + size + 1;
    if (needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return error_memory(error);
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int buffer_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error)
{
    if (reserve(buffer, size, error) < 0)
        return -1;
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int buffer_put_text(struct buffer *buffer, const char *text, struct error *error)
{
    return buffer_put(buffer, text, strlen(text), error);
}

int buffer_put_format(struct buffer *buffer, struct error *error, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    int result = size < 0 ? error_set(error, CODE_FAULT, "text cannot be formatted")
                          : reserve(buffer, (size_t)size, error);
    if (result == 0) {
        (void)vsnprintf((char *)buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    return result;
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data ? (const char *)buffer->data : "";
}

char *buffer_take_text(struct buffer *buffer)
{
    char *text = buffer->data ? (char *)buffer->data : strdup("");
    buffer->data = NULL;
    buffer_clear(buffer);
    return text;
}
