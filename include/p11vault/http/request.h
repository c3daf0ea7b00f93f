/*
 * request.h: the HTTP/1.1 request writer (RFC 9112): a request line, a few fixed headers, a body with Content-Length,
 * written into locked memory.
 */
#ifndef P11VAULT_HTTP_REQUEST_H
#define P11VAULT_HTTP_REQUEST_H

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/http/origin.h"

#define HTTP_REQUEST_MAX ((size_t)128 * 1024)

struct http_request {
    const char *method;          /* "GET", "POST" or "DELETE" */
    const struct secret *target; /* path and query, starts with '/', already percent-encoded */
    const struct secret *bearer; /* NULL: no Authorization header */
    const struct secret
        *form; /* NULL: no body; else application/x-www-form-urlencoded, already encoded */
};

/*
 * Writes the whole request into a new secret that the caller frees.  CODE_STOP when a part holds a byte that could
 * end a line or leave its place (control characters and spaces in target and bearer), or when it grows over
 * HTTP_REQUEST_MAX.  Sends Host, User-Agent, Accept: application/json, Connection: keep-alive; never Accept-Encoding.
 */
int http_request_write(const struct origin *origin, const struct http_request *request,
                       struct secret **ret_bytes, struct error *error);

/* Appends the application/x-www-form-urlencoded form of some bytes (RFC 3986 unreserved stay, all else %XX). */
int http_form_encode(struct secret *form, const void *bytes, size_t size, struct error *error);

#endif
