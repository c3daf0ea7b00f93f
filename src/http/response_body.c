/*
 * response_body.c: the body, delimited by length, by chunks or by the end of the connection (RFC
 * 9112, sections 6 and 7).  Its secret is as large as its length says.  Without a length it begins
 * small and moves to one of twice the size when it is full, since a secret never grows.  Of a stream it is a window as
 * large as the inbox, emptied between two reads.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/digest.h"

#define NO_CONTENT 204
#define NOT_MODIFIED 304
#define CHUNK_LINE_MAX 256
#define CHUNK_DIGITS_MAX 16

static int make_body(struct http_response *response, size_t capacity, struct error *error)
{
    return secret_new(capacity > 0 ? capacity : 1, &response->body, error);
}

size_t http_body_size(const struct http_response *response)
{
    return response->gone + secret_size(response->body);
}

/* Makes room for `more` bytes, which the caller has compared with the limit. */
static int make_room(struct http_response *response, size_t more, struct error *error)
{
    size_t wanted = secret_size(response->body) + more;
    size_t capacity = secret_capacity(response->body);
    if (wanted <= capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity > response->body_max)
        capacity = response->body_max;
    auto_of(secret_free) struct secret *larger = NULL;
    if (secret_new(capacity, &larger, error) < 0 ||
        secret_append_secret(larger, response->body, error) < 0)
        return -1;
    secret_free(response->body);
    response->body = TAKE(larger);
    return 0;
}

static int make_first_body(struct http_response *response, struct error *error)
{
    size_t first = HTTP_FIRST_BODY < response->body_max ? HTTP_FIRST_BODY : response->body_max;
    return make_body(response, first, error);
}

static int too_large(const struct http_response *response, struct error *error)
{
    return error_set(error, CODE_STOP, "the answer's body is larger than %zu bytes",
                     response->body_max);
}

int http_body_begin(struct http_response *response, struct error *error)
{
    if (response->status == NO_CONTENT || response->status == NOT_MODIFIED) {
        if (response->is_chunked)
            return error_set(error, CODE_STOP, "an answer %d has a transfer coding",
                             response->status);
        response->state = HTTP_DONE;
        return make_body(response, 0, error);
    }
    if (response->is_chunked) {
        response->state = HTTP_CHUNK_SIZE;
        response->spare = HTTP_HEAD_MAX;
        response->field_count = 0;
        return make_first_body(response, error);
    }
    if (response->has_length) {
        if (response->length > response->body_max)
            return too_large(response, error);
        response->state = response->length > 0 ? HTTP_LENGTH_DATA : HTTP_DONE;
        response->pending = response->length;
        return response->is_stream ? make_first_body(response, error)
                                   : make_body(response, response->length, error);
    }
    response->state = HTTP_CLOSE_DATA;
    response->keeps_connection = false;
    return make_first_body(response, error);
}

/* Moves at most `size` bytes to the body. */
static int move(struct http_response *response, struct http_span *input, size_t size,
                struct error *error)
{
    size_t moved = size < input->size ? size : input->size;
    if (moved > response->body_max - http_body_size(response))
        return too_large(response, error);
    if (make_room(response, moved, error) < 0 ||
        secret_append(response->body, input->bytes, moved, error) < 0)
        return -1;
    input->bytes += moved;
    input->size -= moved;
    return 0;
}

/* Moves what is due of the body or chunk, and goes on to `next` when it has all come. */
static int move_pending(struct http_response *response, struct http_span *input,
                        enum http_state next, struct error *error)
{
    size_t before = input->size;
    if (move(response, input, response->pending, error) < 0)
        return -1;
    response->pending -= before - input->size;
    if (response->pending == 0)
        response->state = next;
    return 0;
}

/* White space that may stand before the semicolon of an extension, then the semicolon. */
static bool is_extension(struct http_span rest)
{
    size_t at = 0;
    while (at < rest.size && (rest.bytes[at] == ' ' || rest.bytes[at] == '\t'))
        at++;
    return at < rest.size && rest.bytes[at] == ';' && http_is_text(rest);
}

static int read_chunk_size(struct http_response *response, struct error *error)
{
    struct http_span rest = {secret_data(response->line), secret_size(response->line)};
    uint64_t size = 0;
    size_t digits = 0;
    while (digits < rest.size && hex_digit((char)rest.bytes[digits]) >= 0) {
        if (digits == CHUNK_DIGITS_MAX)
            return error_set(error, CODE_STOP, "a chunk's size has more than %d digits",
                             CHUNK_DIGITS_MAX);
        size = size << 4 | (uint64_t)hex_digit((char)rest.bytes[digits]);
        digits++;
    }
    rest.bytes += digits;
    rest.size -= digits;
    if (digits == 0 || (rest.size > 0 && !is_extension(rest)))
        return error_set(error, CODE_STOP, "a chunk does not begin with its size");
    /* Extensions are ignored, yet a server that sends nothing else must not keep us for ever. */
    if (rest.size > response->spare)
        return error_set(error, CODE_STOP, "the answer's chunk extensions are too long");
    response->spare -= rest.size;
    if (size > response->body_max - http_body_size(response))
        return too_large(response, error);
    response->pending = (size_t)size;
    response->state = size > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILER;
    return 0;
}

static int read_chunk_end(struct http_response *response, struct http_span *input,
                          struct error *error)
{
    bool complete;
    /* Nothing fits into this line but its end, so there is one thing that can be wrong. */
    if (http_head_collect_line(response, input, strlen("\r\n"), &complete, error) < 0)
        return error_set(error, CODE_STOP, "a chunk does not end where its size says");
    if (complete)
        response->state = HTTP_CHUNK_SIZE;
    return 0;
}

/* A trailer must be well formed; what it says is ignored. */
static int read_trailer(struct http_response *response, struct error *error)
{
    struct http_span line = {secret_data(response->line), secret_size(response->line)};
    response->spare -= line.size + strlen("\r\n");
    if (line.size == 0) {
        response->state = HTTP_DONE;
        return 0;
    }
    struct http_span name, value;
    if (http_head_count_field(response, error) < 0 ||
        http_field_split(line, &name, &value, error) < 0)
        return -1;
    return 0;
}

/* Collects one line of at most `limit` bytes and, when it is complete, gives it to `reader`. */
static int read_line(struct http_response *response, struct http_span *input, size_t limit,
                     int (*reader)(struct http_response *, struct error *), struct error *error)
{
    bool complete;
    if (http_head_collect_line(response, input, limit, &complete, error) < 0)
        return -1;
    if (!complete)
        return 0;
    if (reader(response, error) < 0)
        return -1;
    secret_clear(response->line);
    return 0;
}

int http_body_read(struct http_response *response, struct http_span *input, struct error *error)
{
    switch (response->state) {
    case HTTP_LENGTH_DATA:
        return move_pending(response, input, HTTP_DONE, error);
    case HTTP_CHUNK_SIZE:
        return read_line(response, input, CHUNK_LINE_MAX, read_chunk_size, error);
    case HTTP_CHUNK_DATA:
        return move_pending(response, input, HTTP_CHUNK_END, error);
    case HTTP_CHUNK_END:
        return read_chunk_end(response, input, error);
    case HTTP_TRAILER:
        return read_line(response, input, response->spare, read_trailer, error);
    case HTTP_CLOSE_DATA:
        return move(response, input, input->size, error);
    default:
        return error_set(error, CODE_FAULT, "no part of the answer is being read");
    }
}
