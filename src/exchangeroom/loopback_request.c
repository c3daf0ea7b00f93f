/*
 * The grammar of a request's head, and whether it is a visit of the redirect address.
 */
#include "loopback_request.h"

#include <string.h>
#include <strings.h>

#include "p11vault/http/field.h"

#define FIELDS_MAX 100
#define HTTP_SCHEME "http://"
#define HTTP_PORT 80

static const char *const hosts[] = LOOPBACK_HOSTS;

/* What the field lines say that matters. */
struct fields {
    size_t count, hosts;
    struct http_span host;
    bool has_body, is_part_of_a_page;
};

/* ---- pieces ---- */

/* Takes a line and its CR LF from `rest`; false when there is none, or a bare CR, LF or other control character. */
static bool take_line(struct http_span *rest, struct http_span *ret_line)
{
    const uint8_t *end = memchr(rest->bytes, '\r', rest->size);
    size_t size = end ? (size_t)(end - rest->bytes) : 0;
    if (!end || size + 2 > rest->size || end[1] != '\n')
        return false;
    struct http_span line = {rest->bytes, size};
    if (!http_is_text(line))
        return false;
    *ret_line = line;
    rest->bytes += size + 2;
    rest->size -= size + 2;
    return true;
}

/* What stands before `separator`, which is dropped; false without one. */
static bool take_until(struct http_span *rest, char separator, struct http_span *ret_piece)
{
    const uint8_t *end = memchr(rest->bytes, separator, rest->size);
    if (!end)
        return false;
    size_t size = (size_t)(end - rest->bytes);
    *ret_piece = (struct http_span){rest->bytes, size};
    rest->bytes += size + 1;
    rest->size -= size + 1;
    return true;
}

static bool is(struct http_span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static bool is_named(struct http_span name, const char *text)
{
    return name.size == strlen(text) && strncasecmp((const char *)name.bytes, text, name.size) == 0;
}

/* A path, and a query perhaps: visible ASCII. */
static bool is_target(struct http_span span)
{
    for (size_t i = 0; i < span.size; i++)
        if (span.bytes[i] <= ' ' || span.bytes[i] > '~')
            return false;
    return span.size > 0 && span.bytes[0] == '/';
}

/* ---- the place ---- */

/* ":PORT", or nothing for the port of http.  Ports are written in one way only. */
static bool read_port(struct http_span span, unsigned *ret_port)
{
    unsigned port = 0;
    if (span.size == 0) {
        *ret_port = HTTP_PORT;
        return true;
    }
    if (span.size < 2 || span.size > 6 || span.bytes[0] != ':' || span.bytes[1] == '0')
        return false;
    for (size_t i = 1; i < span.size; i++) {
        if (span.bytes[i] < '0' || span.bytes[i] > '9')
            return false;
        port = port * 10 + (unsigned)(span.bytes[i] - '0');
    }
    *ret_port = port;
    return port <= 65535;
}

/* HOST or HOST:PORT of this machine. */
static bool read_authority(struct http_span authority, unsigned *ret_port)
{
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t size = strlen(hosts[i]);
        if (authority.size >= size &&
            strncasecmp((const char *)authority.bytes, hosts[i], size) == 0 &&
            read_port((struct http_span){authority.bytes + size, authority.size - size}, ret_port))
            return true;
    }
    return false;
}

int loopback_place_read(const char *redirect_uri, struct loopback_place *ret_place,
                        struct error *error)
{
    struct loopback_place place = {.path = "/", .path_size = 1};
    size_t scheme = strlen(HTTP_SCHEME);
    bool is_http = strncmp(redirect_uri, HTTP_SCHEME, scheme) == 0;
    const char *authority = redirect_uri + (is_http ? scheme : 0);
    size_t size = strcspn(authority, "/?");
    if (!is_http ||
        !read_authority((struct http_span){(const uint8_t *)authority, size}, &place.port)) {
        error_set(error, CODE_USAGE,
                  "the redirect address does not lead to this machine: the answer would not come "
                  "here");
        return error_hint(error, "p11vault login NAME --paste");
    }
    if (authority[size] == '/') {
        place.path = authority + size;
        place.path_size = strcspn(place.path, "?");
    }
    *ret_place = place;
    return 0;
}

/* ---- the head ---- */

/* The method is of capital letters.  A request line that cannot become one is not waited for: TLS on this port, or a port scanner. */
static bool begins_well(struct http_span head)
{
    for (size_t i = 0; i < head.size && head.bytes[i] != ' '; i++)
        if (head.bytes[i] < 'A' || head.bytes[i] > 'Z' || i >= 16)
            return false;
    return head.size == 0 || head.bytes[0] != ' ';
}

static bool read_request_line(struct http_span line, struct http_span *ret_method,
                              struct http_span *ret_target)
{
    return take_until(&line, ' ', ret_method) && take_until(&line, ' ', ret_target) &&
           is_target(*ret_target) && is(line, "HTTP/1.1");
}

static bool read_field(struct http_span line, struct fields *fields)
{
    struct http_span name, value;
    struct error ignored;
    if (++fields->count > FIELDS_MAX || http_field_split(line, &name, &value, &ignored) < 0)
        return false;
    if (is_named(name, "Host")) {
        fields->hosts++;
        fields->host = value;
    } else if (is_named(name, "Transfer-Encoding"))
        fields->has_body = true;
    else if (is_named(name, "Content-Length"))
        fields->has_body = fields->has_body || !is(value, "0");
    else if (is_named(name, "Sec-Fetch-Dest"))
        fields->is_part_of_a_page = fields->is_part_of_a_page || !is(value, "document");
    return true;
}

static bool read_fields(struct http_span rest, struct fields *fields)
{
    struct http_span line;
    while (rest.size > 0)
        if (!take_line(&rest, &line) || !read_field(line, fields))
            return false;
    return fields->hosts == 1;
}

static enum loopback_request judge(struct http_span target, struct http_span method,
                                   const struct fields *fields, const struct loopback_place *place,
                                   struct http_span *ret_query)
{
    unsigned port;
    struct http_span path = target;
    struct http_span query = target;
    if (take_until(&query, '?', &path))
        *ret_query = query;
    else
        *ret_query = (struct http_span){target.bytes + target.size, 0};
    if (!read_authority(fields->host, &port) || port != place->port)
        return REQUEST_STRANGE;
    if (!is(method, "GET"))
        return REQUEST_NOT_GET;
    if (fields->has_body)
        return REQUEST_MALFORMED;
    if (path.size != place->path_size || memcmp(path.bytes, place->path, path.size) != 0)
        return REQUEST_ELSEWHERE;
    return fields->is_part_of_a_page ? REQUEST_NOT_A_PAGE : REQUEST_VISIT;
}

enum loopback_request loopback_request_read(const struct secret *head,
                                            const struct loopback_place *place, size_t *ret_at,
                                            size_t *ret_size)
{
    static const char empty_line[] = "\r\n\r\n";
    struct http_span rest = {secret_data(head), secret_size(head)};
    struct http_span line, method, target, query;
    struct fields fields = {0};
    if (!begins_well(rest))
        return REQUEST_MALFORMED;
    const uint8_t *end = memmem(rest.bytes, rest.size, empty_line, strlen(empty_line));
    if (!end)
        return REQUEST_PARTIAL;
    rest.size = (size_t)(end - rest.bytes) + 2;
    if (!take_line(&rest, &line) || !read_request_line(line, &method, &target) ||
        !read_fields(rest, &fields))
        return REQUEST_MALFORMED;
    enum loopback_request request = judge(target, method, &fields, place, &query);
    if (request == REQUEST_VISIT) {
        *ret_at = (size_t)(query.bytes - secret_data(head));
        *ret_size = query.size;
    }
    return request;
}
