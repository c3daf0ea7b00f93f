/*
 * request.c: lists the parts of the request, adds up their sizes and copies each once to its place,
 * so that a secret value stands nowhere but in locked memory.
 */
#include "p11vault/http/request.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/percent.h"

#define PARTS_MAX 12

struct parts {
    struct {
        const void *bytes;
        size_t size;
    } list[PARTS_MAX];
    size_t count;
};

static void add(struct parts *parts, const void *bytes, size_t size)
{
    parts->list[parts->count].bytes = bytes;
    parts->list[parts->count].size = size;
    parts->count++;
}

static void add_text(struct parts *parts, const char *text)
{
    add(parts, text, strlen(text));
}

static void add_secret(struct parts *parts, const struct secret *secret)
{
    add(parts, secret_data(secret), secret_size(secret));
}

/* True when every byte is visible ASCII: no space, nor anything a server could read as one. */
static bool all_visible(const struct secret *secret)
{
    const uint8_t *bytes = secret_data(secret);
    for (size_t i = 0; i < secret_size(secret); i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return false;
    }
    return true;
}

static int check(const struct http_request *request, struct error *error)
{
    const struct secret *target = request->target;
    bool is_post = strcmp(request->method, "POST") == 0;
    if (!is_post && strcmp(request->method, "GET") != 0 && strcmp(request->method, "DELETE") != 0)
        return error_set(error, CODE_FAULT, "a request's method must be GET, POST or DELETE");
    if (!is_post && request->form != NULL)
        return error_set(error, CODE_FAULT, "a %s request must not have a body", request->method);
    if (secret_size(target) == 0 || secret_data(target)[0] != '/')
        return error_set(error, CODE_STOP, "a request's target must begin with '/'");
    /* '#' is visible, but it would end the target: a fragment is never sent. */
    if (!all_visible(target) || memchr(secret_data(target), '#', secret_size(target)) != NULL)
        return error_set(error, CODE_STOP,
                         "a request's target holds a character that must be percent-encoded");
    if (request->bearer != NULL && secret_size(request->bearer) == 0)
        return error_set(error, CODE_STOP, "the access token of a request is empty");
    if (request->bearer != NULL && !all_visible(request->bearer))
        return error_set(
            error, CODE_STOP,
            "the access token of a request holds a character that no header may carry");
    return 0;
}

static int write_parts(const struct parts *parts, struct secret **ret_bytes, struct error *error)
{
    /* Each part is at most SECRET_MAX bytes and there are few of them: the sum cannot overflow. */
    size_t size = 0;
    for (size_t i = 0; i < parts->count; i++)
        size += parts->list[i].size;
    if (size > HTTP_REQUEST_MAX)
        return error_set(error, CODE_STOP, "a request of %zu bytes is longer than %zu", size,
                         HTTP_REQUEST_MAX);
    auto_of(secret_free) struct secret *bytes = NULL;
    if (secret_new(size, &bytes, error) < 0)
        return -1;
    for (size_t i = 0; i < parts->count; i++) {
        if (secret_append(bytes, parts->list[i].bytes, parts->list[i].size, error) < 0)
            return -1;
    }
    *ret_bytes = TAKE(bytes);
    return 0;
}

int http_request_write(const struct origin *origin, const struct http_request *request,
                       struct secret **ret_bytes, struct error *error)
{
    if (check(request, error) < 0)
        return -1;
    struct parts parts = {.count = 0};
    add_text(&parts, request->method);
    add_text(&parts, " ");
    add_secret(&parts, request->target);
    add_text(&parts, " HTTP/1.1\r\nHost: ");
    add_text(&parts, origin->authority);
    add_text(&parts, "\r\n"
                     "User-Agent: p11vault\r\n"
                     "Accept: application/json\r\n"
                     "Connection: keep-alive\r\n");
    if (request->bearer != NULL) {
        add_text(&parts, "Authorization: Bearer ");
        add_secret(&parts, request->bearer);
        add_text(&parts, "\r\n");
    }
    char lengths[96] = "\r\n";
    if (request->form != NULL) {
        snprintf(lengths, sizeof(lengths),
                 "Content-Type: application/x-www-form-urlencoded\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 secret_size(request->form));
    } else if (strcmp(request->method, "POST") == 0) {
        snprintf(lengths, sizeof(lengths), "Content-Length: 0\r\n\r\n");
    }
    add_text(&parts, lengths);
    if (request->form != NULL)
        add_secret(&parts, request->form);
    return write_parts(&parts, ret_bytes, error);
}

int http_form_encode(struct secret *form, const void *bytes, size_t size, struct error *error)
{
    const char *from = bytes;
    size_t room;
    uint8_t *to = secret_room(form, &room);
    size_t encoded = 0;
    for (size_t i = 0; i < size; i++)
        encoded += percent_is_unreserved(from[i]) ? 1 : 3;
    if (encoded > room)
        return error_set(error, CODE_STOP, "a form does not fit into the %zu bytes left for it",
                         room);
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        if (percent_is_unreserved(from[i])) {
            *to++ = (uint8_t)from[i];
        } else {
            *to++ = '%';
            *to++ = (uint8_t)digits[(uint8_t)from[i] >> 4];
            *to++ = (uint8_t)digits[from[i] & 15];
        }
    }
    secret_grow(form, encoded);
    return 0;
}
