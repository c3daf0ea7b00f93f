/*
 * response.c: the life of a response: bytes go from the inbox to the part of the reader whose turn
 * it is, and a complete response can be asked for what it holds.
 */
#include "p11vault/http/response.h"

#include <strings.h>

#include "internal.h"

#define INBOX_SIZE ((size_t)16 * 1024) /* one TLS record */

int http_response_new(size_t body_max, struct http_response **ret_response, struct error *error)
{
    if (body_max > HTTP_BODY_MAX)
        return error_set(error, CODE_FAULT, "a body of %zu bytes cannot be allowed (at most %zu)",
                         body_max, HTTP_BODY_MAX);
    auto_of(http_response_free) struct http_response *response = calloc(1, sizeof(*response));
    if (response == NULL)
        return error_memory(error);
    response->state = HTTP_HEAD;
    response->body_max = body_max;
    response->spare = HTTP_HEAD_MAX;
    if (secret_new(INBOX_SIZE, &response->inbox, error) < 0 ||
        secret_new(HTTP_HEAD_MAX, &response->line, error) < 0 ||
        secret_new(HTTP_HEAD_MAX, &response->fields, error) < 0)
        return -1;
    *ret_response = TAKE(response);
    return 0;
}

/* Inbox, line and fields, and a body without a length: all of them are of one size. */
void http_response_reserve(void)
{
    _Static_assert(INBOX_SIZE == HTTP_HEAD_MAX && HTTP_FIRST_BODY == HTTP_HEAD_MAX, "one size");
    secret_reserve(HTTP_HEAD_MAX, 4);
}

void http_response_free(struct http_response *response)
{
    if (response == NULL)
        return;
    secret_free(response->inbox);
    secret_free(response->line);
    secret_free(response->fields);
    secret_free(response->body);
    free(response);
}

void http_response_stream(struct http_response *response, size_t body_max)
{
    response->is_stream = true;
    response->body_max = body_max < HTTP_STREAM_MAX ? body_max : HTTP_STREAM_MAX;
}

const struct secret *http_response_window(const struct http_response *response)
{
    return response->body;
}

void http_response_let_go(struct http_response *response)
{
    if (!response->body)
        return;
    response->gone += secret_size(response->body);
    secret_clear(response->body);
}

int http_response_head_status(const struct http_response *response)
{
    return response->state == HTTP_HEAD || response->state == HTTP_BROKEN ? 0 : response->status;
}

const struct secret *http_response_fields(const struct http_response *response)
{
    return response->fields;
}

struct secret *http_response_inbox(struct http_response *response)
{
    return response->inbox;
}

static int read_some(struct http_response *response, struct http_span *input, struct error *error)
{
    switch (response->state) {
    case HTTP_HEAD:
        return http_head_read(response, input, error);
    case HTTP_BROKEN:
        return error_set(error, CODE_STOP, "the answer is broken off already");
    default:
        return http_body_read(response, input, error);
    }
}

int http_response_read(struct http_response *response, struct error *error)
{
    struct http_span input = {
        .bytes = secret_data(response->inbox),
        .size = secret_size(response->inbox),
    };
    int result = 0;
    while (result == 0 && input.size > 0 && response->state != HTTP_DONE)
        result = read_some(response, &input, error);
    response->is_followed = response->is_followed || (result == 0 && input.size > 0);
    secret_clear(response->inbox);
    if (result < 0)
        response->state = HTTP_BROKEN;
    return result;
}

int http_response_end(struct http_response *response, struct error *error)
{
    enum http_state state = response->state;
    if (state == HTTP_DONE)
        return 0;
    if (state == HTTP_CLOSE_DATA) {
        response->state = HTTP_DONE;
        return 0;
    }
    response->state = HTTP_BROKEN;
    if (state == HTTP_BROKEN)
        return error_set(error, CODE_STOP, "the answer is broken off already");
    if (state == HTTP_HEAD) {
        bool nothing = response->status == 0 && secret_size(response->line) == 0;
        return error_set(error, CODE_RETRY,
                         nothing ? "the connection ended before an answer came"
                                 : "answer cut off inside its head");
    }
    if (state == HTTP_LENGTH_DATA)
        return error_set(error, CODE_RETRY, "answer cut off after %zu of %zu bytes",
                         http_body_size(response), response->length);
    return error_set(error, CODE_RETRY, "answer cut off after %zu bytes, before its last chunk",
                     http_body_size(response));
}

bool http_response_complete(const struct http_response *response)
{
    return response->state == HTTP_DONE;
}

bool http_response_is_followed(const struct http_response *response)
{
    return response->is_followed;
}

int http_response_status(const struct http_response *response)
{
    return http_response_complete(response) ? response->status : 0;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    if (!http_response_complete(response))
        return NULL;
    const char *field, *value;
    for (size_t at = 0; http_head_next_field(response, &at, &field, &value);) {
        if (strcasecmp(field, name) == 0)
            return value;
    }
    return NULL;
}

const struct secret *http_response_body(const struct http_response *response)
{
    return http_response_complete(response) ? response->body : NULL;
}

bool http_response_keeps_connection(const struct http_response *response)
{
    return http_response_complete(response) && response->keeps_connection && !response->is_followed;
}
