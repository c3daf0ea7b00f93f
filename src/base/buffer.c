/*
 * buffer.c: grows by doubling up to the maximum.  One byte more than the capacity is always
 * allocated, for the NUL.
 */
#include "p11vault/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAPACITY 256

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = 0;
    buffer->capacity = 0;
}

/* Makes room for `size` more bytes and the NUL. */
static int reserve(struct buffer *buffer, size_t size, struct error *error)
{
    if (size > buffer->maximum - buffer->size)
        return error_set(error, CODE_STOP, "more than %zu bytes", buffer->maximum);
    size_t needed = buffer->size + size;
    if (buffer->data != NULL && needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > buffer->maximum / 2 ? buffer->maximum : capacity * 2;
    if (capacity > buffer->maximum)
        capacity = buffer->maximum;
    if (capacity == SIZE_MAX)
        return error_memory(error);
    uint8_t *data = realloc(buffer->data, capacity + 1);
    if (data == NULL)
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
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return error_memory(error);
    auto_free char *owned = text;
    return buffer_put(buffer, owned, (size_t)size, error);
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data == NULL ? "" : (const char *)buffer->data;
}

char *buffer_take_text(struct buffer *buffer)
{
    char *text = buffer->data == NULL ? strdup("") : (char *)TAKE(buffer->data);
    buffer_clear(buffer);
    return text;
}
