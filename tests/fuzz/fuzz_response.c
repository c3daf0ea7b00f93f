/*
 * fuzz_response.c: any bytes as a server's answer.  It is read twice, in pieces of different sizes,
 * and both readings must agree; what is accepted must keep the promises of response.h.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/http/response.h"

#define BODY_LIMIT 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Reads the input in pieces, then its end.  NULL and the code when it was refused or cut off. */
static struct http_response *read_pieces(const uint8_t *data, size_t size, size_t piece,
                                         enum code *ret_code)
{
    auto_of(http_response_free) struct http_response *response = NULL;
    struct error error = {0};
    must(http_response_new(BODY_LIMIT, &response, &error) == 0);
    struct secret *inbox = http_response_inbox(response);
    for (size_t done = 0; done < size;) {
        size_t room;
        uint8_t *place = secret_room(inbox, &room);
        size_t next = size - done < piece ? size - done : piece;
        next = next < room ? next : room;
        must(next > 0);
        memcpy(place, data + done, next);
        secret_grow(inbox, next);
        if (http_response_read(response, &error) < 0) {
            must(!http_response_complete(response) && error.code == CODE_STOP);
            *ret_code = error.code;
            return NULL;
        }
        must(secret_size(inbox) == 0);
        done += next;
    }
    bool complete = http_response_complete(response);
    if (http_response_end(response, &error) < 0) {
        must(!complete && error.code == CODE_RETRY);
        *ret_code = error.code;
        return NULL;
    }
    bool is_followed = http_response_is_followed(response);
    must((complete && !is_followed) || !http_response_keeps_connection(response));
    must(complete || !is_followed);
    *ret_code = CODE_DONE;
    return TAKE(response);
}

static void check(const struct http_response *response)
{
    int status = http_response_status(response);
    const char *coding = http_response_header(response, "content-encoding");
    const char *type = http_response_header(response, "Content-Type");
    size_t size = secret_size(http_response_body(response));
    must(http_response_complete(response));
    must(status >= 200 && status <= 599);
    must(size <= BODY_LIMIT);
    must((status != 204 && status != 304) || size == 0);
    must(coding == NULL || strlen(coding) == strlen("identity"));
    must(type == NULL || strpbrk(type, "\r\n") == NULL);
    must(http_response_header(response, "Transfer-Encoding") == NULL ||
         http_response_header(response, "Content-Length") == NULL);
}

static void check_same(const struct http_response *a, const struct http_response *b)
{
    const struct secret *body = http_response_body(b);
    const char *type_a = http_response_header(a, "content-type");
    const char *type_b = http_response_header(b, "content-type");
    must(http_response_status(a) == http_response_status(b));
    must(http_response_keeps_connection(a) == http_response_keeps_connection(b));
    must(http_response_is_followed(a) == http_response_is_followed(b));
    must(secret_equals(http_response_body(a), secret_data(body), secret_size(body)));
    must((type_a == NULL) == (type_b == NULL));
    must(type_a == NULL || strcmp(type_a, type_b) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum code code, other_code;
    auto_of(http_response_free) struct http_response *response =
        read_pieces(data, size, SIZE_MAX, &code);
    /* Long inputs in longer pieces, for speed. */
    auto_of(http_response_free) struct http_response *other =
        read_pieces(data, size, 1 + size / 256, &other_code);
    must(code == other_code);
    if (response != NULL) {
        check(response);
        check_same(response, other);
    }
    return 0;
}
