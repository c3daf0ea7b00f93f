/*
 * The grammar of a request's head, and whether it is a visit of the redirect address.
 */
#include "loopback_request.h"

#include <string.h>
#include <strings.h>

#define FIELDS_MAX 100
#define HTTP_SCHEME "http://"
#define HTTP_PORT 80

static const char *const hosts[] = LOOPBACK_HOSTS;

/* A piece of the head. */
struct span {
    const char *text;
    size_t size;
};

/* What the field lines say that matters. */
struct fields {
    size_t count, hosts;
    struct span host;
    bool has_body, is_part_of_a_page;
};

/* ---- pieces ---- */

/* Takes a line and its CR LF from `rest`; false when there is none, or a bare CR, LF or other control character. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    const char *end = memchr(rest->text, '\r', rest->size);
    size_t size = end ? (size_t)(end - rest->text) : 0;
    if (!end || size + 2 > rest->size || end[1] != '\n')
        return false;
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)rest->text[i] < ' ' && rest->text[i] != '\t') || rest->text[i] == 0x7f)
            return false;
    *ret_line = (struct span){rest->text, size};
    rest->text += size + 2;
    rest->size -= size + 2;
    return true;
}

/* What stands before `separator`, which is dropped; false without one. */
static bool take_until(struct span *rest, char separator, struct span *ret_piece)
{
    const char *end = memchr(rest->text, separator, rest->size);
    if (!end)
        return false;
    size_t size = (size_t)(end - rest->text);
    *ret_piece = (struct span){rest->text, size};
    rest->text += size + 1;
    rest->size -= size + 1;
    return true;
}

static bool is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.text, text, span.size) == 0;
}

static bool is_named(struct span name, const char *text)
{
    return name.size == strlen(text) && strncasecmp(name.text, text, name.size) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span span)
{
    while (span.size > 0 && is_blank(span.text[0])) {
        span.text++;
        span.size--;
    }
    while (span.size > 0 && is_blank(span.text[span.size - 1]))
        span.size--;
    return span;
}

static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.size; i++) {
        char c = span.text[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return span.size > 0;
}

/* A path, and a query perhaps: visible ASCII. */
static bool is_target(struct span span)
{
    for (size_t i = 0; i < span.size; i++)
        if (span.text[i] <= ' ' || span.text[i] > '~')
            return false;
    return span.size > 0 && span.text[0] == '/';
}

/* ---- the place ---- */

/* ":PORT", or nothing for the port of http.  Ports are written in one way only. */
static bool read_port(struct span span, unsigned *ret_port)
{
    unsigned port = 0;
    if (span.size == 0) {
        *ret_port = HTTP_PORT;
        return true;
    }
    if (span.size < 2 || span.size > 6 || span.text[0] != ':' || span.text[1] == '0')
        return false;
    for (size_t i = 1; i < span.size; i++) {
        if (span.text[i] < '0' || span.text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(span.text[i] - '0');
    }
    *ret_port = port;
    return port <= 65535;
}

/* HOST or HOST:PORT of this machine. */
static bool read_authority(struct span authority, unsigned *ret_port)
{
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t size = strlen(hosts[i]);
        if (authority.size >= size && strncasecmp(authority.text, hosts[i], size) == 0 &&
            read_port((struct span){authority.text + size, authority.size - size}, ret_port))
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
    if (!is_http || !read_authority((struct span){authority, size}, &place.port)) {
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

/* A request line that cannot become one is not waited for: TLS on this port, or a port scanner. */
static bool begins_well(struct span head)
{
    for (size_t i = 0; i < head.size && head.text[i] != ' '; i++)
        if (head.text[i] < 'A' || head.text[i] > 'Z' || i >= 16)
            return false;
    return head.size == 0 || head.text[0] != ' ';
}

static bool read_request_line(struct span line, struct span *ret_method, struct span *ret_target)
{
    return take_until(&line, ' ', ret_method) && is_token(*ret_method) &&
           take_until(&line, ' ', ret_target) && is_target(*ret_target) && is(line, "HTTP/1.1");
}

static bool read_field(struct span line, struct fields *fields)
{
    struct span name;
    if (++fields->count > FIELDS_MAX || !take_until(&line, ':', &name) || !is_token(name))
        return false;
    struct span value = trim(line);
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

static bool read_fields(struct span rest, struct fields *fields)
{
    struct span line;
    while (rest.size > 0)
        if (!take_line(&rest, &line) || !read_field(line, fields))
            return false;
    return fields->hosts == 1;
}

static enum loopback_request judge(struct span target, struct span method,
                                   const struct fields *fields, const struct loopback_place *place,
                                   struct span *ret_query)
{
    unsigned port;
    struct span path = target;
    struct span query = target;
    if (take_until(&query, '?', &path))
        *ret_query = query;
    else
        *ret_query = (struct span){target.text + target.size, 0};
    if (!read_authority(fields->host, &port) || port != place->port)
        return REQUEST_STRANGE;
    if (!is(method, "GET"))
        return REQUEST_NOT_GET;
    if (fields->has_body)
        return REQUEST_MALFORMED;
    if (path.size != place->path_size || memcmp(path.text, place->path, path.size) != 0)
        return REQUEST_ELSEWHERE;
    return fields->is_part_of_a_page ? REQUEST_NOT_A_PAGE : REQUEST_VISIT;
}

enum loopback_request loopback_request_read(const struct secret *head,
                                            const struct loopback_place *place, size_t *ret_at,
                                            size_t *ret_size)
{
    static const char empty_line[] = "\r\n\r\n";
    struct span rest = {(const char *)secret_data(head), secret_size(head)};
    struct span line, method, target, query;
    struct fields fields = {0};
    if (!begins_well(rest))
        return REQUEST_MALFORMED;
    const char *end = memmem(rest.text, rest.size, empty_line, strlen(empty_line));
    if (!end)
        return REQUEST_PARTIAL;
    rest.size = (size_t)(end - rest.text) + 2;
    if (!take_line(&rest, &line) || !read_request_line(line, &method, &target) ||
        !read_fields(rest, &fields))
        return REQUEST_MALFORMED;
    enum loopback_request request = judge(target, method, &fields, place, &query);
    if (request == REQUEST_VISIT) {
        *ret_at = (size_t)(query.text - (const char *)secret_data(head));
        *ret_size = query.size;
    }
    return request;
}
