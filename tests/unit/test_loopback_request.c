/*
 * test_loopback_request.c: heads of requests to the loopback address, good ones and malformed ones, and redirect addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../src/exchangeroom/loopback_request.h"

#define HOST "Host: localhost:8400\r\n"

static const struct loopback_place place = {.path = "/in", .path_size = 3, .port = 8400};

static enum loopback_request read_head(const char *text, size_t size, char *ret_query, size_t room)
{
    auto_of(secret_free) struct secret *head = NULL;
    struct error error = {0};
    size_t at = 0, length = 0;
    assert_int_equal(secret_new(LOOPBACK_HEAD_MAX, &head, &error), 0);
    assert_int_equal(secret_append(head, text, size, &error), 0);
    enum loopback_request request = loopback_request_read(head, &place, &at, &length);
    if (request == REQUEST_VISIT) {
        assert_true(at + length <= size && length < room);
        memcpy(ret_query, secret_data(head) + at, length);
        ret_query[length] = '\0';
    }
    return request;
}

static void judged(const char *text, enum loopback_request expected)
{
    char query[64];
    enum loopback_request request = read_head(text, strlen(text), query, sizeof(query));
    if (request != expected)
        fail_msg("%d instead of %d for:\n%s", (int)request, (int)expected, text);
}

static void visit(const char *text, const char *expected)
{
    char query[64] = "";
    if (read_head(text, strlen(text), query, sizeof(query)) != REQUEST_VISIT)
        fail_msg("no visit:\n%s", text);
    assert_string_equal(query, expected);
}

static void queries_of_visits(void **state)
{
    (void)state;
    visit("GET /in?code=c&state=s HTTP/1.1\r\n" HOST "\r\n", "code=c&state=s");
    visit("GET /in HTTP/1.1\r\n" HOST "\r\n", "");
    visit("GET /in? HTTP/1.1\r\n" HOST "\r\n", "");
    visit("GET /in?a=?/b HTTP/1.1\r\n" HOST "\r\n", "a=?/b");
    visit("GET /in?code=c#_=_ HTTP/1.1\r\n" HOST "\r\n", "code=c#_=_");
    visit("GET /in?x HTTP/1.1\r\nhost:127.0.0.1:8400\r\n\r\n", "x");
    visit("GET /in?x HTTP/1.1\r\nHOST: \t[::1]:8400 \r\n\r\n", "x");
    visit("GET /in?x HTTP/1.1\r\nHost: LocalHost:8400\r\n\r\n", "x");
    visit("GET /in?x HTTP/1.1\r\nAccept:\r\n" HOST "Cookie: a=b; c=\xc3\xa4\r\n\r\n", "x");
    visit("GET /in?x HTTP/1.1\r\n" HOST "Sec-Fetch-Dest: document\r\n\r\n", "x");
    visit("GET /in?x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "x");
    /* What follows is another request, which nobody reads. */
    visit("GET /in?x HTTP/1.1\r\n" HOST "\r\nGET /in?y HTTP/1.1\r\n\r\n", "x");
}

static void heads_that_are_not_complete(void **state)
{
    static const char whole[] = "GET /in?code=c HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n";
    char query[64];
    (void)state;
    for (size_t size = 0; size < sizeof(whole) - 1; size++)
        assert_int_equal(read_head(whole, size, query, sizeof(query)), REQUEST_PARTIAL);
    visit(whole, "code=c");
}

static void malformed(const char *text)
{
    judged(text, REQUEST_MALFORMED);
}

static void malformed_request_lines(void **state)
{
    (void)state;
    malformed("\r\n\r\n");
    malformed("GET\r\n\r\n");
    malformed("GET /in\r\n" HOST "\r\n");
    malformed("GET  /in HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in  HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in HTTP/1.1 \r\n" HOST "\r\n");
    malformed("GET /in HTTP/1.0\r\n" HOST "\r\n");
    malformed("GET /in HTTP/2.0\r\n" HOST "\r\n");
    malformed("GET /in http/1.1\r\n" HOST "\r\n");
    malformed("GET in HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET http://localhost:8400/in HTTP/1.1\r\n" HOST "\r\n");
    malformed("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    malformed("CONNECT localhost:8400 HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?\x01 HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?\tx HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?\x7f HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?x\ry HTTP/1.1\r\n" HOST "\r\n");
    malformed("GET /in?x\ny HTTP/1.1\r\n" HOST "\r\n");
}

static void malformed_fields(void **state)
{
    (void)state;
    malformed("GET /in HTTP/1.1\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST HOST "\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "Accept\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST ": x\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\nHost : localhost:8400\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n " HOST "\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST " folded\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "A: x\ny\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "A: x\ry\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    malformed("GET /in HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 1\r\n\r\n");
    malformed("GET /in HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
}

static void bytes_that_no_request_begins_with(void **state)
{
    char query[64];
    (void)state;
    malformed("\x16\x03\x01");
    malformed("get /in");
    malformed(" GET");
    malformed("\r\n");
    malformed("ABCDEFGHIJKLMNOPQ");
    assert_int_equal(read_head("GET\0", 4, query, sizeof(query)), REQUEST_MALFORMED);
    judged("ABCDEFGHIJKLMNOP", REQUEST_PARTIAL);
}

static void a_nul_in_the_head(void **state)
{
    static const char target[] = "GET /in?\0 HTTP/1.1\r\n" HOST "\r\n";
    static const char name[] = "GET /in HTTP/1.1\r\n" HOST "A\0: x\r\n\r\n";
    static const char value[] = "GET /in HTTP/1.1\r\n" HOST "A: \0\r\n\r\n";
    char query[64];
    (void)state;
    assert_int_equal(read_head(target, sizeof(target) - 1, query, 64), REQUEST_MALFORMED);
    assert_int_equal(read_head(name, sizeof(name) - 1, query, 64), REQUEST_MALFORMED);
    assert_int_equal(read_head(value, sizeof(value) - 1, query, 64), REQUEST_MALFORMED);
}

static void number_of_fields(void **state)
{
    char text[4096] = "GET /in?x HTTP/1.1\r\n" HOST;
    (void)state;
    for (int i = 0; i < 99; i++)
        strcat(text, "A: b\r\n");
    size_t size = strlen(text);
    strcat(text, "\r\n");
    visit(text, "x");
    text[size] = '\0';
    strcat(text, "A: b\r\n\r\n");
    malformed(text);
}

static void other_hosts(void **state)
{
    static const char *const hosts[] = {"localhost",
                                        "localhost:8401",
                                        "localhost:08400",
                                        "localhost:8400x",
                                        "localhost:",
                                        "evil.example:8400",
                                        "localhost.evil.example:8400",
                                        "",
                                        "xlocalhost:8400",
                                        "127.0.0.2:8400",
                                        "::1:8400",
                                        "[::]:8400",
                                        "localhost.:8400",
                                        "user@localhost:8400",
                                        "localhost:73936"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snprintf(text, sizeof(text), "GET /in?x HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
        judged(text, REQUEST_STRANGE);
    }
}

static void other_methods_and_paths(void **state)
{
    (void)state;
    judged("HEAD /in HTTP/1.1\r\n" HOST "\r\n", REQUEST_NOT_GET);
    judged("POST /in HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na=b", REQUEST_NOT_GET);
    judged("OPTIONS /in HTTP/1.1\r\n" HOST "\r\n", REQUEST_NOT_GET);
    judged("GETX /in HTTP/1.1\r\n" HOST "\r\n", REQUEST_NOT_GET);
    judged("GET / HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    judged("GET /favicon.ico HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    judged("GET /in/ HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    judged("GET /IN HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    judged("GET /%69n HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    judged("GET //in?x HTTP/1.1\r\n" HOST "\r\n", REQUEST_ELSEWHERE);
    /* The host counts first: a bent name learns nothing of paths. */
    judged("POST /other HTTP/1.1\r\nHost: evil.example\r\n\r\n", REQUEST_STRANGE);
}

static void parts_of_pages(void **state)
{
    static const char *const kinds[] = {"image", "iframe", "script",
                                        "empty", "",       "document, image"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(text, sizeof(text),
                 "GET /in?error=access_denied HTTP/1.1\r\n" HOST "sec-fetch-dest: %s\r\n\r\n",
                 kinds[i]);
        judged(text, REQUEST_NOT_A_PAGE);
    }
}

static void leads(const char *uri, const char *path, unsigned port)
{
    struct loopback_place read;
    struct error error = {0};
    assert_int_equal(loopback_place_read(uri, &read, &error), 0);
    assert_int_equal(read.path_size, strlen(path));
    assert_memory_equal(read.path, path, read.path_size);
    assert_int_equal(read.port, port);
}

static void redirect_addresses_that_lead_here(void **state)
{
    (void)state;
    leads("http://localhost:8400/", "/", 8400);
    leads("http://localhost:8400", "/", 8400);
    leads("http://localhost:8400?a=/b", "/", 8400);
    leads("http://127.0.0.1:1/a/b?c=d/e", "/a/b", 1);
    leads("http://[::1]:65535/a", "/a", 65535);
    leads("http://localhost/a", "/a", 80);
}

static void redirect_addresses_that_lead_elsewhere(void **state)
{
    static const char *const addresses[] = {"https://localhost:8400/",
                                            "http://example.com/",
                                            "http://localhost.example.com/",
                                            "http://localhost:0/",
                                            "http://localhost:65536/",
                                            "http://localhost:/",
                                            "http://localhost:8400x/",
                                            "http://",
                                            "localhost:8400/",
                                            "",
                                            "http://user@localhost/",
                                            "http://localhost:084/"};
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct loopback_place read;
        struct error error = {0};
        assert_int_equal(loopback_place_read(addresses[i], &read, &error), -1);
        assert_int_equal(error.code, CODE_USAGE);
        assert_string_equal(error.hint, "p11vault login NAME --paste");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queries_of_visits),
                                       cmocka_unit_test(heads_that_are_not_complete),
                                       cmocka_unit_test(malformed_request_lines),
                                       cmocka_unit_test(malformed_fields),
                                       cmocka_unit_test(bytes_that_no_request_begins_with),
                                       cmocka_unit_test(a_nul_in_the_head),
                                       cmocka_unit_test(number_of_fields),
                                       cmocka_unit_test(other_hosts),
                                       cmocka_unit_test(other_methods_and_paths),
                                       cmocka_unit_test(parts_of_pages),
                                       cmocka_unit_test(redirect_addresses_that_lead_here),
                                       cmocka_unit_test(redirect_addresses_that_lead_elsewhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
