/*
 * loopback_request.h: reads the head of one request to the loopback address (RFC 9112, without its leniencies).
 *
 * Any page in the person's browser can send requests to this machine, so what is not plainly a visit of the redirect
 * address by its own name is told apart here.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_REQUEST_H
#define P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_REQUEST_H

#include "p11vault/base/secret.h"

#define LOOPBACK_HEAD_MAX ((size_t)32 * 1024)

/* Where the redirect address leads: "/" or more, without a query; bytes that are not terminated. */
struct loopback_place {
    const char *path;
    size_t path_size;
    unsigned port;
};

/* The hosts that the machine itself is called by. */
#define LOOPBACK_HOSTS                                                                             \
    {                                                                                              \
        "localhost", "127.0.0.1", "[::1]"                                                          \
    }

enum loopback_request {
    REQUEST_PARTIAL,   /* its head is not complete */
    REQUEST_VISIT,     /* a visit of the redirect address: its query says what for */
    REQUEST_MALFORMED, /* not HTTP/1.1, or with a body */
    REQUEST_STRANGE, /* to another host or port: a name that was bent to lead here (DNS rebinding) */
    REQUEST_NOT_GET,   /* by another method */
    REQUEST_ELSEWHERE, /* another path: /favicon.ico */
    REQUEST_NOT_A_PAGE, /* an image, frame or script of some page, as the browser itself says (Sec-Fetch-Dest) */
};

/*
 * Judges the bytes that have come so far.  The query of a visit, "" when it has none, is *ret_size bytes from *ret_at
 * of the head.  What stands behind the head does not count.  A head that does not even begin as one is malformed at once.
 */
enum loopback_request loopback_request_read(const struct secret *head,
                                            const struct loopback_place *place, size_t *ret_at,
                                            size_t *ret_size);

/*
 * Where a redirect address leads, which keeps it alive.  CODE_USAGE when that is not a port of this machine by plain
 * http: its answer would never come here.
 */
int loopback_place_read(const char *redirect_uri, struct loopback_place *ret_place,
                        struct error *error);

#endif
