/*
 * test_response.c: the response reader over tables of answers.  Every answer is fed whole, byte by
 * byte and in every split in two; what comes of it must not depend on that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/http/response.h"

#define BODY_LIMIT 64
#define OK_LINE "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_LINE "Transfer-Encoding: chunked\r\n\r\n"

/* How reading ended. */
enum ending {
    COMPLETE, /* by its own framing */
    CLOSED,   /* by the end of the connection, properly */
    CUT_OFF,  /* by the end of the connection, too early */
    REFUSED,  /* a rule was broken */
    FOLLOWED, /* complete, and more bytes stood behind it */
};

struct answer {
    const char *bytes;
    size_t size; /* 0: up to the NUL */
    enum ending ending;
    int status;
    const char *body;
    bool keeps;
};

struct feed {
    const uint8_t *bytes;
    size_t size;
    size_t limit; /* how many bytes the next piece may have at most */
    size_t later; /* the same for all pieces after it */
};

static void put(struct http_response *response, const uint8_t *bytes, size_t size)
{
    struct secret *inbox = http_response_inbox(response);
    size_t room;
    uint8_t *place = secret_room(inbox, &room);
    assert_true(size <= room);
    memcpy(place, bytes, size);
    secret_grow(inbox, size);
}

/* Feeds piece by piece; then, unless it is complete, says that the connection has ended. */
static enum ending feed(struct http_response *response, struct feed feed, struct error *error)
{
    while (feed.size > 0) {
        size_t size = feed.size < feed.limit ? feed.size : feed.limit;
        size_t room;
        secret_room(http_response_inbox(response), &room);
        size = size < room ? size : room;
        put(response, feed.bytes, size);
        if (http_response_read(response, error) < 0) {
            assert_int_equal(error->code, CODE_STOP);
            assert_false(http_response_complete(response));
            return REFUSED;
        }
        assert_int_equal(secret_size(http_response_inbox(response)), 0);
        feed.bytes += size;
        feed.size -= size;
        feed.limit = feed.later;
    }
    if (http_response_complete(response))
        return http_response_is_followed(response) ? FOLLOWED : COMPLETE;
    assert_int_equal(http_response_status(response), 0);
    assert_null(http_response_body(response));
    if (http_response_end(response, error) == 0) {
        assert_true(http_response_complete(response));
        return CLOSED;
    }
    assert_int_equal(error->code, CODE_RETRY);
    assert_false(http_response_complete(response));
    return CUT_OFF;
}

static struct http_response *new_response(size_t body_max)
{
    struct http_response *response = NULL;
    struct error error = {0};
    assert_int_equal(http_response_new(body_max, &response, &error), 0);
    return response;
}

static size_t size_of(const struct answer *answer)
{
    return answer->size == 0 ? strlen(answer->bytes) : answer->size;
}

static void check_split(const struct answer *answer, size_t first, size_t later)
{
    auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
    struct error error = {0};
    struct feed all = {(const uint8_t *)answer->bytes, size_of(answer), first, later};
    enum ending ending = feed(response, all, &error);
    if (ending != answer->ending)
        fail_msg("ended %d, not %d (%s), pieces of %zu then %zu:\n%s", ending, answer->ending,
                 error.text, first, later, answer->bytes);
    assert_true(ending == FOLLOWED || !http_response_is_followed(response));
    if (ending == CUT_OFF || ending == REFUSED) {
        assert_int_equal(http_response_status(response), 0);
        assert_null(http_response_header(response, "content-type"));
        assert_null(http_response_body(response));
        assert_false(http_response_keeps_connection(response));
        return;
    }
    const struct secret *body = http_response_body(response);
    assert_int_equal(http_response_status(response), answer->status);
    if (!secret_equals(body, answer->body, strlen(answer->body)))
        fail_msg("another body (%zu bytes):\n%s", secret_size(body), answer->bytes);
    if (http_response_keeps_connection(response) != answer->keeps)
        fail_msg("keeps the connection: %d\n%s", !answer->keeps, answer->bytes);
}

static void check_answers(const struct answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = size_of(&answers[i]);
        check_split(&answers[i], size, size);
        check_split(&answers[i], 1, 1);
        for (size_t first = 1; first < size; first++)
            check_split(&answers[i], first, size);
    }
}

#define CHECK(answers) check_answers(answers, sizeof(answers) / sizeof((answers)[0]))

static void reads_bodies_by_length(void **state)
{
    static const struct answer answers[] = {
        {OK_LINE "Content-Length: 5\r\n\r\nhello", 0, COMPLETE, 200, "hello", true},
        {OK_LINE "content-length:5\r\n\r\nhello", 0, COMPLETE, 200, "hello", true},
        {OK_LINE "CONTENT-LENGTH: \t 5 \t\r\n\r\nhello", 0, COMPLETE, 200, "hello", true},
        {OK_LINE "Content-Length: 0\r\n\r\n", 0, COMPLETE, 200, "", true},
        {OK_LINE "Content-Length: 0005\r\n\r\nhello", 0, COMPLETE, 200, "hello", true},
        {OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 0, COMPLETE, 200, "hello",
         true},
        {OK_LINE "Content-Length: 5\r\nX: y\r\ncontent-length: 05\r\n\r\nhello", 0, COMPLETE, 200,
         "hello", true},
        {"HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", 0, COMPLETE, 404, "x", true},
        {"HTTP/1.1 599 \xc3\xa4\tb\r\nContent-Length: 1\r\n\r\n\n", 0, COMPLETE, 599, "\n", true},
        {"HTTP/1.1 302 Found\r\nLocation: https://b.example/\r\nContent-Length: 0\r\n\r\n", 0,
         COMPLETE, 302, "", true},
        {OK_LINE "Content-Length: 64\r\n\r\n"
                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         0, COMPLETE, 200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         true},
        {OK_LINE "Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE, 200,
         "{}", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE, 200, "{}", false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE,
         200, "{}", false},
        {OK_LINE "Connection: close\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE, 200, "{}", false},
        {OK_LINE "Connection: x ,\tCLOSE\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE, 200, "{}",
         false},
        {OK_LINE "Connection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE,
         200, "{}", false},
        {OK_LINE "Connection: closed\r\nContent-Length: 2\r\n\r\n{}", 0, COMPLETE, 200, "{}", true},
        {OK_LINE "Content-Length: 5\r\n\r\nhell", 0, CUT_OFF, 0, NULL, false},
        {OK_LINE "Content-Length: 5\r\n\r\n", 0, CUT_OFF, 0, NULL, false},
    };

    (void)state;
    CHECK(answers);
}

static void refuses_other_lengths(void **state)
{
    static const struct answer answers[] = {
        {OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 5, 5\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length:\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: -1\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: +5\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 0x5\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 5 5\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 5;\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 65\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 18446744073709551615\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 18446744073709551616\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 18446744073709551621\r\n\r\nhello", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 184467440737095516210\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Length: 5\r\n\r\nhello!", 0, FOLLOWED, 200, "hello", false},
        {OK_LINE "Content-Length: 0\r\n\r\n\r\n", 0, FOLLOWED, 200, "", false},
        {OK_LINE "Connection: close\r\nContent-Length: 0\r\n\r\nx", 0, FOLLOWED, 200, "", false},
        {OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, REFUSED, 0,
         NULL, false},
        {OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 0, REFUSED, 0,
         NULL, false},
    };

    (void)state;
    CHECK(answers);
}

static void reads_chunks(void **state)
{
    static const struct answer answers[] = {
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", 0, COMPLETE, 200, "hello", true},
        {CHUNKED "2\r\nhe\r\n003\r\nllo\r\n00\r\n\r\n", 0, COMPLETE, 200, "hello", true},
        {CHUNKED "0\r\n\r\n", 0, COMPLETE, 200, "", true},
        {CHUNKED "a\r\n0123456789\r\nC\r\n\r\n\r\nabc\r\n\r\n\r\r\n0\r\n\r\n", 0, COMPLETE, 200,
         "0123456789\r\n\r\nabc\r\n\r\n\r", true},
        {CHUNKED "0000000000000005\r\nhello\r\n0\r\n\r\n", 0, COMPLETE, 200, "hello", true},
        {CHUNKED "5;a\r\nhello\r\n0;b=c;d=\"e;f\"\r\n\r\n", 0, COMPLETE, 200, "hello", true},
        {CHUNKED "5 \t; a = b\r\nhello\r\n0\r\n\r\n", 0, COMPLETE, 200, "hello", true},
        {CHUNKED "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n", 0, COMPLETE, 200, "hello",
         true},
        {OK_LINE "transfer-encoding:CHUNKED\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0,
         COMPLETE, 200, "x", false},
        {CHUNKED "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
                 "0\r\n\r\n",
         0, COMPLETE, 200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         true},
        {CHUNKED "5\r\nhello\r\n0\r\n", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED "5\r\nhello\r\n0\r\nX: y\r\n", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED "5\r\nhello\r\n", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED "5\r\nhello", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED "5\r\nhel", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED "5", 0, CUT_OFF, 0, NULL, false},
        {CHUNKED, 0, CUT_OFF, 0, NULL, false},
    };

    (void)state;
    CHECK(answers);
}

static void refuses_other_chunks(void **state)
{
    static const struct answer answers[] = {
        {CHUNKED "\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5 x\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "g\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED ";a\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\r\nhello\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\r\nhello0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\r\nhello!\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "4\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "6\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5;a\x01\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "ffffffffffffffff\r\nhello", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\r\nhello\r\nffffffffffffffff\r\nx", 0, REFUSED, 0, NULL, false},
        {CHUNKED "41\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "5\r\nhello\r\n3c\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "0\r\n\r\nx", 0, FOLLOWED, 200, "", false},
        {CHUNKED "0\r\n\r\nHTTP/1.1 200 OK\r\n", 0, FOLLOWED, 200, "", false},
        {CHUNKED "0\r\nno trailer\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "0\r\n X: y\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {CHUNKED "0\r\nX: y\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL,
         false},
        {OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
         REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: identity\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding: chunked;a\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Transfer-Encoding:\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, REFUSED, 0, NULL,
         false},
    };

    (void)state;
    CHECK(answers);
}

static void reads_bodies_up_to_the_end(void **state)
{
    static const struct answer answers[] = {
        {OK_LINE "\r\nhello", 0, CLOSED, 200, "hello", false},
        {OK_LINE "\r\n", 0, CLOSED, 200, "", false},
        {"HTTP/1.0 400 Bad\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, CLOSED, 400,
         "HTTP/1.1 200 OK\r\n\r\n", false},
        {OK_LINE "\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0, CLOSED,
         200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false},
        {OK_LINE "\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef!", 0,
         REFUSED, 0, NULL, false},
    };

    (void)state;
    CHECK(answers);
}

static void some_answers_have_no_body(void **state)
{
    static const struct answer answers[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", 0, COMPLETE, 204, "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0, COMPLETE, 304, "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 999999\r\n\r\n", 0, COMPLETE, 304, "", true},
        {"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 0, COMPLETE, 204, "", false},
        {"HTTP/1.1 204 No Content\r\n\r\nx", 0, FOLLOWED, 204, "", false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 0, REFUSED, 0, NULL,
         false},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK_LINE "Content-Length: 1\r\n\r\nx", 0, COMPLETE, 200,
         "x", true},
        {"HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
         "HTTP/1.1 100 Continue\r\n\r\n" OK_LINE "Content-Length: 1\r\n\r\nx",
         0, COMPLETE, 200, "x", true},
        {"HTTP/1.1 100 Continue\r\n\r\n", 0, CUT_OFF, 0, NULL, false},
        {"HTTP/1.1 100 Continue\r\n\r\nx", 0, CUT_OFF, 0, NULL, false},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 0, REFUSED, 0, NULL, false},
    };

    (void)state;
    CHECK(answers);
}

static void refuses_malformed_heads(void **state)
{
    static const struct answer answers[] = {
        {"", 0, CUT_OFF, 0, NULL, false},
        {"H", 0, CUT_OFF, 0, NULL, false},
        {OK_LINE, 0, CUT_OFF, 0, NULL, false},
        {OK_LINE "Content-Length: 5\r\n", 0, CUT_OFF, 0, NULL, false},
        {OK_LINE "Content-Length: 5\r\n\r", 0, CUT_OFF, 0, NULL, false},
        {"\r\n" OK_LINE "\r\n", 0, REFUSED, 0, NULL, false},
        {"\n", 0, REFUSED, 0, NULL, false},
        {" HTTP/1.1 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 20 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 2000 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1  200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1\t200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 2x0 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 -20 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 099 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 600 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.2 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/2 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/2.0 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.10 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"http/1.1 200 OK\r\n", 0, REFUSED, 0, NULL, false},
        {"ICY 200 OK okay\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 O\x01K\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 O\x7fK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 OK\n\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 OK\r\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 O\rK\r\n", 0, REFUSED, 0, NULL, false},
        {"HTTP/1.1 200 O\0K\r\n", 19, REFUSED, 0, NULL, false},
        {OK_LINE "\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: y\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: y\rZ: 1\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: a\0b\r\n\r\n", sizeof(OK_LINE "X: a\0b\r\n\r\n") - 1, REFUSED, 0, NULL, false},
        {OK_LINE "X\0: a\r\n\r\n", sizeof(OK_LINE "X\0: a\r\n\r\n") - 1, REFUSED, 0, NULL, false},
        {OK_LINE "X: a\x08\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: a\x7f\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: a\r\n b\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X: a\r\n\tb\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE " X: a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X : a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE ": a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X y: a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "X\xc3\xa4: a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "(X): a\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {OK_LINE "Content-Encoding: identity, br\r\nContent-Length: 0\r\n\r\n", 0, REFUSED, 0, NULL,
         false},
        {OK_LINE "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n", 0, REFUSED, 0,
         NULL, false},
        {OK_LINE "Content-Encoding:\r\n\r\n", 0, REFUSED, 0, NULL, false},
        {"\x15\x03\x03", 0, CUT_OFF, 0, NULL, false},
    };

    (void)state;
    CHECK(answers);
}

/* Adds up an answer whose head has exactly `head` bytes, with its last line's CRLF, and no body. */
static size_t head_of_size(char *text, size_t head)
{
    static const char begin[] = OK_LINE "Content-Length: 0\r\n";
    static const char end[] = "\r\n\r\n";
    size_t at = strlen(begin);
    memcpy(text, begin, at);
    memcpy(text + at, "X: ", 3);
    memset(text + at + 3, 'y', head - at - 3 - strlen(end));
    memcpy(text + head - strlen(end), end, strlen(end));
    return head;
}

static enum ending feed_all(const char *text, size_t size, size_t piece)
{
    auto_of(http_response_free) struct http_response *response = new_response(HTTP_BODY_MAX);
    struct error error = {0};
    return feed(response, (struct feed){(const uint8_t *)text, size, piece, piece}, &error);
}

static void heads_are_bounded(void **state)
{
    static char text[HTTP_HEAD_MAX + 1];

    (void)state;
    for (size_t piece = 1; piece < sizeof(text) * 2; piece *= 37) {
        assert_int_equal(feed_all(text, head_of_size(text, HTTP_HEAD_MAX), piece), COMPLETE);
        assert_int_equal(feed_all(text, head_of_size(text, HTTP_HEAD_MAX + 1), piece), REFUSED);
        /* A line without end must not be waited for. */
        memset(text, 'x', sizeof(text));
        assert_int_equal(feed_all(text, HTTP_HEAD_MAX, piece), CUT_OFF);
        assert_int_equal(feed_all(text, HTTP_HEAD_MAX + 1, piece), REFUSED);
    }
}

/* `begin`, `line` so many times, `end`. */
static enum ending feed_repeated(const char *begin, const char *line, size_t times, const char *end)
{
    static char text[512 * 1024];
    size_t at = strlen(begin);
    memcpy(text, begin, at);
    for (size_t i = 0; i < times; i++) {
        assert_true(at + strlen(line) + strlen(end) < sizeof(text));
        memcpy(text + at, line, strlen(line));
        at += strlen(line);
    }
    memcpy(text + at, end, strlen(end));
    return feed_all(text, at + strlen(end), 16384);
}

static void numbers_of_things_are_bounded(void **state)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n";
    static const char final[] = OK_LINE "Content-Length: 0\r\n\r\n";

    (void)state;
    assert_int_equal(feed_repeated(OK_LINE, "X: y\r\n", 99, "Content-Length: 0\r\n\r\n"), COMPLETE);
    assert_int_equal(feed_repeated(OK_LINE, "X: y\r\n", 100, "Content-Length: 0\r\n\r\n"), REFUSED);
    assert_int_equal(feed_repeated("", interim, 8, final), COMPLETE);
    assert_int_equal(feed_repeated("", interim, 9, final), REFUSED);
    /* Each head has its own count. */
    assert_int_equal(feed_repeated("HTTP/1.1 103 Early\r\nA: 1\r\nB: 2\r\n\r\n" OK_LINE, "X: y\r\n",
                                   99, "Content-Length: 0\r\n\r\n"),
                     COMPLETE);
    assert_int_equal(feed_repeated(CHUNKED "0\r\n", "X: y\r\n", 100, "\r\n"), COMPLETE);
    assert_int_equal(feed_repeated(CHUNKED "0\r\n", "X: y\r\n", 101, "\r\n"), REFUSED);
}

static void chunk_overhead_is_bounded(void **state)
{
    char line[512] = "1;";

    (void)state;
    /* Many small chunks are nobody's fault. */
    assert_int_equal(feed_repeated(CHUNKED, "1\r\nx\r\n", 50000, "0\r\n\r\n"), COMPLETE);
    /* One line may take 256 bytes with its CRLF. */
    memset(line + 2, 'e', 252);
    memcpy(line + 254, "\r\nx\r\n", 6);
    assert_int_equal(feed_repeated(CHUNKED, line, 1, "0\r\n\r\n"), COMPLETE);
    /* All extensions together may take as much as a head: 64 times 253 bytes do not. */
    assert_int_equal(feed_repeated(CHUNKED, line, 64, "0\r\n\r\n"), COMPLETE);
    assert_int_equal(feed_repeated(CHUNKED, line, 65, "0\r\n\r\n"), REFUSED);
    memcpy(line + 254, "e\r\nx\r\n", 7);
    assert_int_equal(feed_repeated(CHUNKED, line, 1, "0\r\n\r\n"), REFUSED);
    /* And trailers share that room. */
    memset(line, 'T', 100);
    memcpy(line + 100, ": v\r\n", 6);
    assert_int_equal(feed_repeated(CHUNKED "0\r\n", line, 90, "\r\n"), COMPLETE);
    memset(line, 'T', 200);
    memcpy(line + 200, ": v\r\n", 6);
    assert_int_equal(feed_repeated(CHUNKED "0\r\n", line, 90, "\r\n"), REFUSED);
}

static void bodies_are_bounded(void **state)
{
    static const char line[] = "1000\r\n";
    static char chunk[sizeof(line) + 4096 + 2];

    (void)state;
    memcpy(chunk, line, strlen(line));
    memset(chunk + strlen(line), 'b', 4096);
    memcpy(chunk + strlen(line) + 4096, "\r\n", 3);
    assert_int_equal(feed_repeated(CHUNKED, chunk, 64, "0\r\n\r\n"), COMPLETE);
    assert_int_equal(feed_repeated(CHUNKED, chunk, 64, "1\r\nx\r\n0\r\n\r\n"), REFUSED);
    chunk[strlen(line) + 4096] = '\0';
    assert_int_equal(feed_repeated(OK_LINE "\r\n", chunk + strlen(line), 64, ""), CLOSED);
    assert_int_equal(feed_repeated(OK_LINE "\r\n", chunk + strlen(line), 64, "x"), REFUSED);

    struct http_response *response = NULL;
    struct error error = {0};
    assert_int_equal(http_response_new(HTTP_BODY_MAX + 1, &response, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(response);
}

static void a_limit_of_zero_allows_no_body(void **state)
{
    static const struct {
        const char *bytes;
        enum ending ending;
    } cases[] = {
        {OK_LINE "Content-Length: 0\r\n\r\n", COMPLETE},
        {CHUNKED "0\r\n\r\n", COMPLETE},
        {OK_LINE "\r\n", CLOSED},
        {OK_LINE "Content-Length: 1\r\n\r\n", REFUSED},
        {CHUNKED "1\r\n", REFUSED},
        {OK_LINE "\r\nx", REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_of(http_response_free) struct http_response *response = new_response(0);
        struct error error = {0};
        struct feed all = {(const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), SIZE_MAX, 1};
        assert_int_equal(feed(response, all, &error), cases[i].ending);
    }
}

static void headers_are_looked_up_without_case(void **state)
{
    static const char text[] = "HTTP/1.1 103 Early\r\nLost: 1\r\n\r\n" OK_LINE
                               "Content-Type: application/json; charset=UTF-8\r\n"
                               "x-fb-trace-id:AbC\r\n"
                               "Empty:\r\n"
                               "Blank: \t \r\n"
                               "Twice: first\r\n"
                               "twice: second\r\n"
                               "Obs: \xe4\tb\r\n"
                               "!#$%&'*+-.^_`|~09AZaz: odd\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer-Field: x\r\n\r\n";
    auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
    struct error error = {0};
    struct feed all = {(const uint8_t *)text, strlen(text), 7, 3};

    (void)state;
    assert_int_equal(feed(response, all, &error), COMPLETE);
    assert_string_equal(http_response_header(response, "content-type"),
                        "application/json; charset=UTF-8");
    assert_string_equal(http_response_header(response, "CONTENT-TYPE"),
                        "application/json; charset=UTF-8");
    assert_string_equal(http_response_header(response, "X-FB-Trace-ID"), "AbC");
    assert_string_equal(http_response_header(response, "Empty"), "");
    assert_string_equal(http_response_header(response, "Blank"), "");
    assert_string_equal(http_response_header(response, "twice"), "first");
    assert_string_equal(http_response_header(response, "Obs"), "\xe4\tb");
    assert_string_equal(http_response_header(response, "!#$%&'*+-.^_`|~09azAZ"), "odd");
    assert_null(http_response_header(response, "Lost"));
    assert_null(http_response_header(response, "Trailer-Field"));
    assert_null(http_response_header(response, "Content"));
    assert_null(http_response_header(response, "Content-Type:"));
    assert_null(http_response_header(response, "first"));
    assert_null(http_response_header(response, ""));
}

static void cut_off_answers_say_how_far_they_came(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", "before an answer came"},
        {"HTTP/1.1 100 Continue\r\n\r\n", "before an answer came"},
        {"HTT", "inside its head"},
        {OK_LINE "X: y", "inside its head"},
        {OK_LINE "Content-Length: 12\r\n\r\nhello", "answer cut off after 5 of 12 bytes"},
        {CHUNKED "5\r\nhel", "answer cut off after 3 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
        struct error error = {0};
        struct feed all = {(const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), SIZE_MAX, 1};
        assert_int_equal(feed(response, all, &error), CUT_OFF);
        if (strstr(error.text, cases[i].text) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].text);
    }
}

static void a_broken_response_stays_broken(void **state)
{
    static const char good[] = OK_LINE "Content-Length: 0\r\n\r\n";
    auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
    struct error error = {0};

    (void)state;
    put(response, (const uint8_t *)"HTTP/3\r\n", 8);
    assert_int_equal(http_response_read(response, &error), -1);
    put(response, (const uint8_t *)good, strlen(good));
    assert_int_equal(http_response_read(response, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(http_response_end(response, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_false(http_response_complete(response));
}

static void the_end_of_a_complete_response_is_no_fault(void **state)
{
    static const char good[] = OK_LINE "Content-Length: 1\r\n\r\nx";
    auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
    struct error error = {0};

    (void)state;
    put(response, (const uint8_t *)good, strlen(good));
    assert_int_equal(http_response_read(response, &error), 0);
    assert_int_equal(http_response_end(response, &error), 0);
    assert_int_equal(http_response_read(response, &error), 0);
    assert_true(http_response_complete(response));
    assert_int_equal(secret_capacity(http_response_body(response)), 1);
    assert_true(http_response_keeps_connection(response));
}

/* What it issued must not be lost for a CR LF behind it; that it can be believed is another question. */
static void what_stands_behind_a_response_leaves_it_whole(void **state)
{
    static const char good[] = OK_LINE "Content-Length: 1\r\n\r\nx";
    auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
    struct error error = {0};

    (void)state;
    put(response, (const uint8_t *)good, strlen(good));
    assert_int_equal(http_response_read(response, &error), 0);
    assert_false(http_response_is_followed(response));
    for (int times = 0; times < 2; times++) {
        put(response, (const uint8_t *)"\r\n", 2);
        assert_int_equal(http_response_read(response, &error), 0);
        assert_int_equal(secret_size(http_response_inbox(response)), 0);
        assert_true(http_response_is_followed(response));
        assert_true(http_response_complete(response));
        assert_true(secret_equals(http_response_body(response), "x", 1));
        assert_false(http_response_keeps_connection(response));
    }
}

/* What a server says must not reach the operator's terminal by way of an error. */
static void errors_do_not_quote_the_answer(void **state)
{
    static const char *const answers[] = {
        "CANARY/1.1 200 OK\r\n",
        "HTTP/1.1 200 CANARY\x01\r\n",
        OK_LINE "CANARY\r\n",
        OK_LINE "Content-Length: CANARY\r\n\r\n",
        OK_LINE "Content-Encoding: CANARY\r\n\r\n",
        OK_LINE "Transfer-Encoding: CANARY\r\n\r\n",
        CHUNKED "CANARY\r\n",
        CHUNKED "0\r\nCANARY\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        auto_of(http_response_free) struct http_response *response = new_response(BODY_LIMIT);
        struct error error = {0};
        struct feed all = {(const uint8_t *)answers[i], strlen(answers[i]), SIZE_MAX, 1};
        assert_int_equal(feed(response, all, &error), REFUSED);
        assert_null(strstr(error.text, "CANARY"));
        assert_null(strstr(error.hint, "CANARY"));
    }
}

/* Ten times what a body may have: the window passes all of it, and the limit counts what was let go. */
static void a_stream_passes_through_a_window(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n\r\n"};
    (void)state;
    for (size_t limit = 299999; limit <= 300000; limit++) {
        for (size_t i = 0; i < 2; i++) {
            auto_of(http_response_free) struct http_response *response = new_response(1000);
            struct error error = {0};
            uint8_t piece[1000];
            size_t passed = 0;
            int result = 0;
            memset(piece, 'x', sizeof(piece));
            http_response_stream(response, limit);
            assert_int_equal(http_response_head_status(response), 0);
            put(response, (const uint8_t *)heads[i], strlen(heads[i]));
            result = http_response_read(response, &error);
            for (int times = 0; result == 0 && times < 300; times++) {
                assert_int_equal(http_response_head_status(response), 200);
                put(response, piece, sizeof(piece));
                result = http_response_read(response, &error);
                passed += secret_size(http_response_window(response));
                http_response_let_go(response);
                assert_int_equal(secret_size(http_response_window(response)), 0);
            }
            assert_int_equal(result, limit == 300000 ? 0 : -1);
            if (result < 0)
                assert_int_equal(error.code, CODE_STOP);
            else
                assert_int_equal(http_response_end(response, &error), 0);
            assert_true(result < 0 || passed == 300000);
        }
    }
    auto_of(http_response_free) struct http_response *cut = new_response(1000);
    struct error error = {0};
    http_response_stream(cut, 300000);
    put(cut, (const uint8_t *)heads[0], strlen(heads[0]));
    assert_int_equal(http_response_read(cut, &error), 0);
    put(cut, (const uint8_t *)"abc", 3);
    assert_int_equal(http_response_read(cut, &error), 0);
    http_response_let_go(cut);
    assert_int_equal(http_response_end(cut, &error), -1);
    assert_string_equal(error.text, "answer cut off after 3 of 300000 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_bodies_by_length),
        cmocka_unit_test(refuses_other_lengths),
        cmocka_unit_test(reads_chunks),
        cmocka_unit_test(refuses_other_chunks),
        cmocka_unit_test(reads_bodies_up_to_the_end),
        cmocka_unit_test(some_answers_have_no_body),
        cmocka_unit_test(refuses_malformed_heads),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(numbers_of_things_are_bounded),
        cmocka_unit_test(chunk_overhead_is_bounded),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(a_limit_of_zero_allows_no_body),
        cmocka_unit_test(headers_are_looked_up_without_case),
        cmocka_unit_test(cut_off_answers_say_how_far_they_came),
        cmocka_unit_test(a_broken_response_stays_broken),
        cmocka_unit_test(the_end_of_a_complete_response_is_no_fault),
        cmocka_unit_test(what_stands_behind_a_response_leaves_it_whole),
        cmocka_unit_test(errors_do_not_quote_the_answer),
        cmocka_unit_test(a_stream_passes_through_a_window),
    };
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
