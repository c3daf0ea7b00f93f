/*
 * internal.h: what the three files of the response reader share.  response.c takes the inbox apart,
 * response_head.c reads lines into status and fields and decides how the body is delimited,
 * response_body.c collects the body.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/http/field.h"
#include "p11vault/http/response.h"

#define HTTP_FIRST_BODY HTTP_HEAD_MAX /* room for a body whose length is not told */

/* Which bytes come next. */
enum http_state {
    HTTP_HEAD,        /* a line of the head */
    HTTP_LENGTH_DATA, /* the body, by Content-Length */
    HTTP_CHUNK_SIZE,  /* the line before a chunk */
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,  /* the empty line behind a chunk */
    HTTP_TRAILER,    /* a line behind the last chunk */
    HTTP_CLOSE_DATA, /* the body, by the end of the connection */
    HTTP_DONE,
    HTTP_BROKEN, /* a rule was broken or the connection ended too early */
};

struct http_response {
    enum http_state state;
    size_t body_max;
    struct secret *inbox;
    struct secret *line;   /* the line being read */
    struct secret *fields; /* name, NUL, value, NUL, and so on */
    struct secret *body;   /* made once the head is known */
    size_t field_count;
    size_t spare;   /* bytes that the head, later extensions and trailers, may still take */
    size_t pending; /* bytes of the body or chunk still to come */
    size_t length;  /* Content-Length */
    size_t gone;    /* bytes of the body that were let go */
    int minor;      /* of HTTP/1.minor */
    int status;     /* 0 until the status line is read */
    int skipped;    /* 1xx answers */
    bool has_length, is_chunked, keeps_connection, is_stream, is_followed;
};

/* How much of the body has come. */
size_t http_body_size(const struct http_response *response);

/*
 * Moves bytes from `input` to response->line until the line is complete; its CRLF is then cut off.
 * CODE_STOP for a line of more than `limit` bytes with its CRLF, and for one that ends with a bare
 * LF.  What else stands in the line is for its reader to judge: see http_is_text().
 */
int http_head_collect_line(struct http_response *response, struct http_span *input, size_t limit,
                           bool *ret_complete, struct error *error);

/* Each takes from `input` what belongs to its part of the response. */
int http_head_read(struct http_response *response, struct http_span *input, struct error *error);
int http_body_read(struct http_response *response, struct http_span *input, struct error *error);

/* The head is complete: chooses the state of the body and makes room for it. */
int http_body_begin(struct http_response *response, struct error *error);

/* Counts one more field of the head or the trailer.  CODE_STOP when there are too many. */
int http_head_count_field(struct http_response *response, struct error *error);

/* Walks over the fields, beginning with *at == 0.  Returns false at the end. */
bool http_head_next_field(const struct http_response *response, size_t *at, const char **ret_name,
                          const char **ret_value);

#endif
