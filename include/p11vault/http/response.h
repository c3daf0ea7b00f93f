/*
 * response.h: the strict HTTP/1.1 response reader (RFC 9112): fed with bytes, no I/O of its own, fuzzed.
 *
 * Accepted: HTTP/1.1 or 1.0 status line, header fields by the grammar, a body by Content-Length, by chunked coding, or
 * by the end of the connection.  1xx answers are skipped (at most 8).  Refused with CODE_STOP: both lengths at once,
 * two different Content-Length, other transfer codings, any content coding, obs-fold, bare CR or NUL, a header block
 * over 16 KiB, more than 100 fields, a body over the limit.
 */
#ifndef P11VAULT_HTTP_RESPONSE_H
#define P11VAULT_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define HTTP_HEAD_MAX ((size_t)16 * 1024)
#define HTTP_BODY_MAX ((size_t)256 * 1024)

struct http_response;

/* Makes an empty response that accepts a body of at most `body_max` bytes.  The caller frees it. */
int http_response_new(size_t body_max, struct http_response **ret_response, struct error *error);
void http_response_free(struct http_response *response);
/* Makes the memory for one response ahead of time: see secret_reserve(). */
void http_response_reserve(void);
DEFINE_CLEANUP(struct http_response, http_response_free);

/*
 * The body passes through a window instead of being kept: after each http_response_read() what has come of it is taken with
 * http_response_window() and let go with http_response_let_go().  To be said before anything is read; then at most
 * `body_max` bytes (up to HTTP_STREAM_MAX) may come.
 */
#define HTTP_STREAM_MAX ((size_t)64 * 1024 * 1024)
void http_response_stream(struct http_response *response, size_t body_max);
const struct secret *http_response_window(const struct http_response *response); /* or NULL */
void http_response_let_go(struct http_response *response);

/* Where the next received bytes go; after receiving into it call http_response_read(). */
struct secret *http_response_inbox(struct http_response *response);

/* Takes what is in the inbox.  CODE_STOP when it breaks a rule; the response is unusable then. */
int http_response_read(struct http_response *response, struct error *error);

/* The peer closed.  CODE_RETRY "answer cut off after N of M bytes" unless that is a proper end. */
int http_response_end(struct http_response *response, struct error *error);

bool http_response_complete(const struct http_response *response);

/* Bytes stood behind its end in what was read last: it may be another's answer.  They are dropped. */
bool http_response_is_followed(const struct http_response *response);

/* The status once the head has been read, before that 0; and the fields of the head: name, NUL, value, NUL, and so on. */
int http_response_head_status(const struct http_response *response);
const struct secret *http_response_fields(const struct http_response *response);

/* Of a complete response.  The header's value is valid as long as the response; NULL when it is not there. */
int http_response_status(const struct http_response *response);
const char *http_response_header(const struct http_response *response, const char *name);
const struct secret *http_response_body(const struct http_response *response);
/* False when the connection must not be used again. */
bool http_response_keeps_connection(const struct http_response *response);

#endif
