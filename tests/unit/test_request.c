/*
 * test_request.c: the exact bytes of requests, and that nothing in a part can become something
 * else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/http/request.h"

#define HEAD_1 " HTTP/1.1\r\nHost: a.example:8443\r\nUser-Agent: p11vault\r\n"
#define HEAD_2 "Accept: application/json\r\nConnection: keep-alive\r\n"

static struct origin origin;

static int read_origin(void **state)
{
    struct error error = {0};
    (void)state;
    return origin_parse("https://a.example:8443", &origin, &error);
}

static struct secret *secret_of(const void *bytes, size_t size)
{
    struct secret *secret = NULL;
    struct error error = {0};
    assert_int_equal(secret_new(size == 0 ? 1 : size, &secret, &error), 0);
    assert_int_equal(secret_append(secret, bytes, size, &error), 0);
    return secret;
}

static struct secret *secret_text(const char *text)
{
    return text == NULL ? NULL : secret_of(text, strlen(text));
}

/* Writes a request and compares it with `expected`; with NULL it must be refused with `code`. */
static void check(const char *method, const char *target, const char *bearer, const char *form,
                  const char *expected, enum code code)
{
    auto_of(secret_free) struct secret *target_secret = secret_text(target);
    auto_of(secret_free) struct secret *bearer_secret = secret_text(bearer);
    auto_of(secret_free) struct secret *form_secret = secret_text(form);
    auto_of(secret_free) struct secret *bytes = NULL;
    struct http_request request = {method, target_secret, bearer_secret, form_secret};
    struct error error = {0};
    int result = http_request_write(&origin, &request, &bytes, &error);
    if (expected == NULL) {
        if (result != -1)
            fail_msg("taken: %s '%s'", method, target);
        assert_int_equal(error.code, code);
        assert_null(bytes);
        return;
    }
    if (result != 0)
        fail_msg("refused: %s", error.text);
    assert_int_equal(secret_size(bytes), strlen(expected));
    assert_memory_equal(secret_data(bytes), expected, strlen(expected));
}

static void writes_exact_bytes(void **state)
{
    (void)state;
    check("GET", "/", NULL, NULL, "GET /" HEAD_1 HEAD_2 "\r\n", CODE_DONE);
    check("GET", "/v25.0/me?fields=id%2Cname&x=~!$'()*+,;=:@|{}\"", "EAAB|c-_.~+/=", NULL,
          "GET /v25.0/me?fields=id%2Cname&x=~!$'()*+,;=:@|{}\"" HEAD_1 HEAD_2
          "Authorization: Bearer EAAB|c-_.~+/=\r\n\r\n",
          CODE_DONE);
    check("POST", "/oauth", NULL, "a=b&c=%0D%0A",
          "POST /oauth" HEAD_1 HEAD_2 "Content-Type: application/x-www-form-urlencoded\r\n"
          "Content-Length: 12\r\n\r\na=b&c=%0D%0A",
          CODE_DONE);
    check("POST", "/oauth", "t", "x",
          "POST /oauth" HEAD_1 HEAD_2 "Authorization: Bearer t\r\n"
          "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\n\r\nx",
          CODE_DONE);
    check("POST", "/revoke", "t", NULL,
          "POST /revoke" HEAD_1 HEAD_2 "Authorization: Bearer t\r\nContent-Length: 0\r\n\r\n",
          CODE_DONE);
    check("POST", "/revoke", NULL, "",
          "POST /revoke" HEAD_1 HEAD_2 "Content-Type: application/x-www-form-urlencoded\r\n"
          "Content-Length: 0\r\n\r\n",
          CODE_DONE);
}

static void host_of_an_ipv6_origin_has_brackets(void **state)
{
    auto_of(secret_free) struct secret *target = secret_text("/");
    auto_of(secret_free) struct secret *bytes = NULL;
    struct http_request request = {.method = "GET", .target = target};
    struct origin ipv6;
    struct error error = {0};

    (void)state;
    assert_int_equal(origin_parse("https://[::1]:4430", &ipv6, &error), 0);
    assert_int_equal(http_request_write(&ipv6, &request, &bytes, &error), 0);
    static const char begin[] = "GET / HTTP/1.1\r\nHost: [::1]:4430\r\n";
    assert_memory_equal(secret_data(bytes), begin, strlen(begin));
}

static void refuses_what_would_leave_its_place(void **state)
{
    (void)state;
    check("GET", "", NULL, NULL, NULL, CODE_STOP);
    check("GET", "x", NULL, NULL, NULL, CODE_STOP);
    check("GET", "https://b.example/", NULL, NULL, NULL, CODE_STOP);
    check("GET", "*", NULL, NULL, NULL, CODE_STOP);
    check("GET", "/a#b", NULL, NULL, NULL, CODE_STOP);
    check("GET", "/", "", NULL, NULL, CODE_STOP);
    check("PUT", "/", NULL, NULL, NULL, CODE_FAULT);
    check("get", "/", NULL, NULL, NULL, CODE_FAULT);
    check("GET /x HTTP/1.1\r\nX: y\r\n\r\nGET", "/", NULL, NULL, NULL, CODE_FAULT);
    check("GET", "/", NULL, "a=b", NULL, CODE_FAULT);
}

/* Each of the 256 bytes in the middle of target and bearer. */
static void every_byte_is_judged(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t path[3] = {'/', (uint8_t)byte, 'x'};
        for (int in_bearer = 0; in_bearer < 2; in_bearer++) {
            auto_of(secret_free) struct secret *part = secret_of(path, sizeof(path));
            auto_of(secret_free) struct secret *root = secret_text("/");
            auto_of(secret_free) struct secret *bytes = NULL;
            struct http_request request = {.method = "GET", .target = in_bearer ? root : part};
            struct error error = {0};
            request.bearer = in_bearer ? part : NULL;
            bool allowed = byte > 0x20 && byte < 0x7f && (in_bearer || byte != '#');
            int result = http_request_write(&origin, &request, &bytes, &error);
            if (result != (allowed ? 0 : -1))
                fail_msg("byte 0x%02x in the %s", byte, in_bearer ? "bearer" : "target");
            if (!allowed)
                assert_int_equal(error.code, CODE_STOP);
        }
    }
}

static void keeps_to_its_maximum(void **state)
{
    static const size_t head =
        sizeof("POST /" HEAD_1 HEAD_2 "Content-Type: application/x-www-form-urlencoded\r\n"
               "Content-Length: 130000\r\n\r\n") -
        1;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t size = HTTP_REQUEST_MAX - head + over;
        auto_of(secret_free) struct secret *target = secret_text("/");
        auto_of(secret_free) struct secret *form = NULL;
        auto_of(secret_free) struct secret *bytes = NULL;
        struct error error = {0};
        assert_int_equal(secret_new(size, &form, &error), 0);
        secret_grow(form, size);
        struct http_request request = {.method = "POST", .target = target, .form = form};
        assert_int_equal(http_request_write(&origin, &request, &bytes, &error), over ? -1 : 0);
        if (over)
            assert_int_equal(error.code, CODE_STOP);
        else
            assert_int_equal(secret_size(bytes), HTTP_REQUEST_MAX);
    }
}

static void form_encoding_of_every_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-._~";
        auto_of(secret_free) struct secret *form = secret_text("k=x");
        char expected[4];
        struct error error = {0};
        const uint8_t given = (uint8_t)byte;
        bool stays = byte != 0 && strchr(unreserved, (int)byte) != NULL;
        snprintf(expected, sizeof(expected), stays ? "%c" : "%%%02X", byte);
        secret_cut(form, 0);
        assert_int_equal(http_form_encode(form, &given, 1, &error), 0);
        assert_true(secret_equals(form, expected, strlen(expected)));
    }
}

static void form_encoding_appends_or_changes_nothing(void **state)
{
    auto_of(secret_free) struct secret *form = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(secret_new(12, &form, &error), 0);
    assert_int_equal(secret_append_text(form, "a=", &error), 0);
    assert_int_equal(http_form_encode(form, "b& \n", 4, &error), 0);
    assert_true(secret_equals(form, "a=b%26%20%0A", 12));
    assert_int_equal(http_form_encode(form, "", 0, &error), 0);
    assert_int_equal(http_form_encode(form, "x", 1, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_true(secret_equals(form, "a=b%26%20%0A", 12));

    secret_cut(form, 10);
    assert_int_equal(http_form_encode(form, "\xff", 1, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_true(secret_equals(form, "a=b%26%20%", 10));
    assert_int_equal(http_form_encode(form, "xy", 2, &error), 0);
    assert_true(secret_equals(form, "a=b%26%20%xy", 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_exact_bytes),
        cmocka_unit_test(host_of_an_ipv6_origin_has_brackets),
        cmocka_unit_test(refuses_what_would_leave_its_place),
        cmocka_unit_test(every_byte_is_judged),
        cmocka_unit_test(keeps_to_its_maximum),
        cmocka_unit_test(form_encoding_of_every_byte),
        cmocka_unit_test(form_encoding_appends_or_changes_nothing),
    };
    return cmocka_run_group_tests_name("request", tests, read_origin, NULL);
}
