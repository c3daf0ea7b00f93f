/*
 * response_head.c: status line and header fields by the grammar of RFC 9112, sections 2 to 6,
 * without its leniencies: a line ends with CRLF, and nothing is repaired.
 */
#include <string.h>
#include <strings.h>

#include "internal.h"

#define FIELDS_MAX 100
#define SKIPPED_MAX 8
#define CONTINUE_CLASS 1
#define SWITCHING_PROTOCOLS 101

int http_head_collect_line(struct http_response *response, struct http_span *input, size_t limit,
                           bool *ret_complete, struct error *error)
{
    struct secret *line = response->line;
    const uint8_t *end = memchr(input->bytes, '\n', input->size);
    size_t size = end == NULL ? input->size : (size_t)(end - input->bytes) + 1;
    if (size > limit || secret_size(line) > limit - size)
        return error_set(error, CODE_STOP, "a line of the answer, or its whole head, is too long");
    if (secret_append(line, input->bytes, size, error) < 0)
        return -1;
    input->bytes += size;
    input->size -= size;
    if (end == NULL) {
        *ret_complete = false;
        return 0;
    }
    size_t content = secret_size(line) - 1;
    if (content == 0 || secret_data(line)[content - 1] != '\r')
        return error_set(error, CODE_STOP, "a line of the answer does not end with CR LF");
    secret_cut(line, content - 1);
    *ret_complete = true;
    return 0;
}

int http_head_count_field(struct http_response *response, struct error *error)
{
    if (response->field_count == FIELDS_MAX)
        return error_set(error, CODE_STOP, "the answer has more than %d header fields", FIELDS_MAX);
    response->field_count++;
    return 0;
}

static int keep_field(struct http_response *response, struct http_span line, struct error *error)
{
    struct http_span name, value;
    if (http_head_count_field(response, error) < 0 ||
        http_field_split(line, &name, &value, error) < 0)
        return -1;
    /* The colon and the CRLF, no longer there, make room for the two NUL. */
    if (secret_append(response->fields, name.bytes, name.size, error) < 0 ||
        secret_append(response->fields, "", 1, error) < 0 ||
        secret_append(response->fields, value.bytes, value.size, error) < 0 ||
        secret_append(response->fields, "", 1, error) < 0)
        return -1;
    return 0;
}

bool http_head_next_field(const struct http_response *response, size_t *at, const char **ret_name,
                          const char **ret_value)
{
    if (*at >= secret_size(response->fields))
        return false;
    const char *name = (const char *)secret_data(response->fields) + *at;
    const char *value = name + strlen(name) + 1;
    *at += strlen(name) + strlen(value) + 2;
    *ret_name = name;
    *ret_value = value;
    return true;
}

/* "HTTP/1.1 200 OK"; the space behind the number stands there even when no reason follows it. */
static int read_status(struct http_response *response, struct http_span line, struct error *error)
{
    static const char version[] = "HTTP/1.";
    static const size_t minor = 7, number = 9, reason = 13;
    if (line.size < reason || memcmp(line.bytes, version, minor) != 0 ||
        (line.bytes[minor] != '0' && line.bytes[minor] != '1') || line.bytes[minor + 1] != ' ' ||
        line.bytes[reason - 1] != ' ')
        return error_set(error, CODE_STOP, "the answer does not begin with an HTTP/1 status line");
    int status = 0;
    for (size_t i = number; i < number + 3; i++) {
        if (line.bytes[i] < '0' || line.bytes[i] > '9')
            return error_set(error, CODE_STOP, "the answer's status is not a number");
        status = status * 10 + (line.bytes[i] - '0');
    }
    if (status < 100 || status > 599)
        return error_set(error, CODE_STOP, "the answer's status is %d", status);
    if (!http_is_text((struct http_span){line.bytes + reason, line.size - reason}))
        return error_set(error, CODE_STOP, "the answer's status line holds a control character");
    response->minor = line.bytes[minor] - '0';
    response->status = status;
    return 0;
}

/* True when the comma-separated list has this member. */
static bool lists(const char *list, const char *member)
{
    for (;;) {
        size_t size = strcspn(list, ",");
        struct http_span item = http_trim((struct http_span){(const uint8_t *)list, size});
        if (item.size == strlen(member) &&
            strncasecmp((const char *)item.bytes, member, item.size) == 0)
            return true;
        if (list[size] == '\0')
            return false;
        list += size + 1;
    }
}

static int read_length(struct http_response *response, const char *value, struct error *error)
{
    size_t length = 0;
    bool valid = value[0] != '\0';
    for (const char *c = value; valid && *c != '\0'; c++) {
        valid = *c >= '0' && *c <= '9' && !__builtin_mul_overflow(length, 10, &length) &&
                !__builtin_add_overflow(length, (size_t)(*c - '0'), &length);
    }
    if (!valid)
        return error_set(error, CODE_STOP, "the answer's Content-Length is not a length");
    if (response->has_length && response->length != length)
        return error_set(error, CODE_STOP, "the answer has two different Content-Length");
    response->has_length = true;
    response->length = length;
    return 0;
}

static int read_coding(struct http_response *response, const char *value, struct error *error)
{
    if (response->minor == 0)
        return error_set(error, CODE_STOP, "an HTTP/1.0 answer has a transfer coding");
    if (response->is_chunked || strcasecmp(value, "chunked") != 0)
        return error_set(error, CODE_STOP, "the answer has a transfer coding besides chunked");
    response->is_chunked = true;
    return 0;
}

static int read_framing(struct http_response *response, struct error *error)
{
    const char *name, *value;
    response->keeps_connection = response->minor == 1;
    for (size_t at = 0; http_head_next_field(response, &at, &name, &value);) {
        int result = 0;
        if (strcasecmp(name, "Content-Length") == 0)
            result = read_length(response, value, error);
        else if (strcasecmp(name, "Transfer-Encoding") == 0)
            result = read_coding(response, value, error);
        else if (strcasecmp(name, "Content-Encoding") == 0 && strcasecmp(value, "identity") != 0)
            result = error_set(error, CODE_STOP, "the answer has a content coding");
        else if (strcasecmp(name, "Connection") == 0 && lists(value, "close"))
            response->keeps_connection = false;
        if (result < 0)
            return -1;
    }
    if (response->is_chunked && response->has_length)
        return error_set(error, CODE_STOP,
                         "the answer has both a Content-Length and a transfer coding");
    return 0;
}

/* Forgets a 1xx answer: the one that counts follows. */
static int skip_head(struct http_response *response, struct error *error)
{
    if (response->status == SWITCHING_PROTOCOLS)
        return error_set(error, CODE_STOP, "the server changes to a protocol nobody asked for");
    if (response->skipped == SKIPPED_MAX)
        return error_set(error, CODE_STOP, "more than %d interim answers", SKIPPED_MAX);
    response->skipped++;
    response->status = 0;
    response->field_count = 0;
    response->spare = HTTP_HEAD_MAX;
    secret_clear(response->fields);
    return 0;
}

static int read_line(struct http_response *response, struct error *error)
{
    struct http_span line = {secret_data(response->line), secret_size(response->line)};
    if (response->status == 0)
        return read_status(response, line, error);
    if (line.size > 0)
        return keep_field(response, line, error);
    if (response->status / 100 == CONTINUE_CLASS)
        return skip_head(response, error);
    if (read_framing(response, error) < 0)
        return -1;
    return http_body_begin(response, error);
}

int http_head_read(struct http_response *response, struct http_span *input, struct error *error)
{
    bool complete;
    if (http_head_collect_line(response, input, response->spare, &complete, error) < 0)
        return -1;
    if (!complete)
        return 0;
    response->spare -= secret_size(response->line) + strlen("\r\n");
    if (read_line(response, error) < 0)
        return -1;
    secret_clear(response->line);
    return 0;
}
