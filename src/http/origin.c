/*
 * origin.c: reads an origin by a grammar narrower than RFC 3986, so that two texts are equal when
 * and only when they name the same place, and so that libcurl cannot understand one of them
 * differently.
 */
#include "p11vault/http/origin.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME "https://"
#define DEFAULT_PORT 443
#define TEXT_MAX 300
#define HOST_MAX 253
#define LABEL_MAX 63

/* The parts of the text, not yet judged. */
struct pieces {
    const char *host;
    size_t host_size;
    bool is_ipv6;
    const char *port; /* what stands behind the colon, or NULL */
    size_t port_size;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static int check_characters(const char *authority, size_t size, struct error *error)
{
    for (size_t i = 0; i < size; i++) {
        char c = authority[i];
        if (c == '@')
            return error_set(error, CODE_USAGE, "an origin must not hold a user name or password");
        if (c == '/' || c == '?' || c == '#' || c == '\\')
            return error_set(error, CODE_USAGE,
                             "an origin must end behind host and port, without path or query");
        if ((unsigned char)c >= 0x80)
            return error_set(error, CODE_USAGE,
                             "an origin must be ASCII: write an international name as xn--...");
        if (!is_letter(c) && !is_digit(c) && strchr("-.:[]", c) == NULL)
            return error_set(error, CODE_USAGE,
                             "an origin must not hold character 0x%02x (at place %zu of the host)",
                             (unsigned)(unsigned char)c, i + 1);
    }
    return 0;
}

static int split(const char *authority, size_t size, struct pieces *ret_pieces, struct error *error)
{
    struct pieces pieces = {.host = authority, .host_size = size};
    size_t end; /* of the host as written */
    if (size > 0 && authority[0] == '[') {
        const char *bracket = memchr(authority, ']', size);
        if (bracket == NULL)
            return error_set(error, CODE_USAGE, "an origin's IPv6 address must end with ']'");
        pieces.is_ipv6 = true;
        pieces.host = authority + 1;
        pieces.host_size = (size_t)(bracket - pieces.host);
        end = (size_t)(bracket - authority) + 1;
    } else {
        const char *colon = memchr(authority, ':', size);
        end = colon == NULL ? size : (size_t)(colon - authority);
        pieces.host_size = end;
    }
    if (end < size) {
        if (authority[end] != ':')
            return error_set(error, CODE_USAGE, "an origin's ']' must be followed by ':' or end");
        pieces.port = authority + end + 1;
        pieces.port_size = size - end - 1;
    }
    *ret_pieces = pieces;
    return 0;
}

static int read_port(const struct pieces *pieces, unsigned *ret_port, struct error *error)
{
    if (pieces->port == NULL) {
        *ret_port = DEFAULT_PORT;
        return 0;
    }
    unsigned port = 0;
    bool valid = pieces->port_size >= 1 && pieces->port_size <= 5 && pieces->port[0] != '0';
    for (size_t i = 0; valid && i < pieces->port_size; i++) {
        valid = is_digit(pieces->port[i]);
        port = port * 10 + (unsigned)(pieces->port[i] - '0');
    }
    if (!valid || port > 65535)
        return error_set(error, CODE_USAGE, "an origin's port must be a number from 1 to 65535");
    *ret_port = port;
    return 0;
}

static bool label_valid(const char *label, size_t size)
{
    if (size == 0 || size > LABEL_MAX || label[0] == '-' || label[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-')
            return false;
    }
    return true;
}

/*
 * Resolvers read a name whose last label is a number ("127.1", "0x7f000001") as an IPv4 address in
 * one of many notations.  Of those only the full dotted one is taken.
 */
static bool looks_like_number(const char *label)
{
    if (label[0] == '0' && label[1] == 'x')
        return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
    return label[strspn(label, "0123456789")] == '\0';
}

static int check_name(const char *host, struct error *error)
{
    const char *label = host;
    for (;;) {
        size_t size = strcspn(label, ".");
        if (!label_valid(label, size))
            return error_set(error, CODE_USAGE,
                             label[0] == '\0' ? "an origin's host must not end with a dot"
                                              : "an origin's host is not a well-formed host name");
        if (label[size] == '\0')
            break;
        label += size + 1;
    }
    struct in_addr address;
    if (looks_like_number(label) && inet_pton(AF_INET, host, &address) != 1)
        return error_set(error, CODE_USAGE,
                         "an origin's IPv4 address must be written as four decimal numbers");
    return 0;
}

static int read_host(const struct pieces *pieces, char *ret_host, size_t room, struct error *error)
{
    if (pieces->host_size == 0)
        return error_set(error, CODE_USAGE, "an origin needs a host");
    if (pieces->host_size > HOST_MAX || pieces->host_size >= room)
        return error_set(error, CODE_USAGE, "an origin's host is longer than %d characters",
                         HOST_MAX);
    for (size_t i = 0; i < pieces->host_size; i++)
        ret_host[i] = lower(pieces->host[i]);
    ret_host[pieces->host_size] = '\0';
    if (!pieces->is_ipv6)
        return check_name(ret_host, error);
    struct in6_addr address;
    if (inet_pton(AF_INET6, ret_host, &address) != 1)
        return error_set(error, CODE_USAGE, "an origin's brackets must hold an IPv6 address");
    memset(ret_host, 0, room);
    if (inet_ntop(AF_INET6, &address, ret_host, (socklen_t)room) == NULL)
        return error_errno(error, CODE_FAULT, "write an origin's IPv6 address");
    return 0;
}

int origin_parse(const char *text, struct origin *ret_origin, struct error *error)
{
    if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
        return error_set(error, CODE_USAGE, "an origin is longer than %d characters", TEXT_MAX);
    if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
        return error_set(error, CODE_USAGE, "an origin must begin with https://");
    const char *authority = text + strlen(SCHEME);
    size_t size = strlen(authority);
    if (size > 0 && authority[size - 1] == '/')
        size--;

    struct origin origin = {0};
    struct pieces pieces = {0};
    if (check_characters(authority, size, error) < 0 ||
        split(authority, size, &pieces, error) < 0 ||
        read_host(&pieces, origin.host, sizeof(origin.host), error) < 0 ||
        read_port(&pieces, &origin.port, error) < 0)
        return -1;

    char port[8] = "";
    if (origin.port != DEFAULT_PORT)
        snprintf(port, sizeof(port), ":%u", origin.port);
    snprintf(origin.authority, sizeof(origin.authority), pieces.is_ipv6 ? "[%s]%s" : "%s%s",
             origin.host, port);
    snprintf(origin.text, sizeof(origin.text), SCHEME "%s", origin.authority);
    *ret_origin = origin;
    return 0;
}
