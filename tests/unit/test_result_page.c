/*
 * test_result_page.c: what every page promises to the browser, and that its policy is about its own style and script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../src/exchangeroom/result_page.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* DIRECTIVE 'sha256-…' of what stands between the element's tags. */
static void names_hash_of(const char *text, const char *directive, const char *element)
{
    auto_buffer struct buffer source = BUFFER_UP_TO(256);
    struct error error = {0};
    char tag[16];
    snprintf(tag, sizeof(tag), "<%s>", element);
    const char *begin = strstr(text, tag) + strlen(tag);
    snprintf(tag, sizeof(tag), "</%s>", element);
    struct digest digest = digest_of(begin, (size_t)(strstr(begin, tag) - begin));
    assert_int_equal(buffer_put_format(&source, &error, " %s 'sha256-", directive), 0);
    assert_int_equal(base64_put(&source, digest.bytes, sizeof(digest.bytes), &error), 0);
    assert_int_equal(buffer_put_text(&source, "';", &error), 0);
    has(text, buffer_text(&source));
}

static void promises(const char *text)
{
    static const char *const all[] = {
        "\r\nConnection: close\r\n",
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
        "\r\nCache-Control: no-store\r\n",
        "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-",
        "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
        "\r\n\r\n<!doctype html>\n<html lang=\"en\">",
        "<meta name=\"viewport\"",
        "<title>",
        "role=\"status\"",
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        has(text, all[i]);
    names_hash_of(text, "style-src", "style");
    names_hash_of(text, "script-src", "script");
    for (const char *c = text; *c; c++)
        assert_true(*c == '\r' || *c == '\n' || (*c >= ' ' && *c <= '~'));
    assert_null(strstr(text, "http:"));
    assert_null(strstr(text, "https:"));
    assert_null(strstr(text, "(null)"));
}

static void every_page(void **state)
{
    (void)state;
    for (enum result_page page = 0; page < RESULT_COUNT; page++) {
        auto_buffer struct buffer answer = BUFFER_UP_TO(RESULT_PAGE_MAX);
        struct error error = {0};
        size_t length = 0;
        assert_int_equal(result_page_put(page, &answer, &error), 0);
        const char *text = buffer_text(&answer);
        promises(text);
        const char *body = strstr(text, "\r\n\r\n") + 4;
        assert_int_equal(sscanf(strstr(text, "Content-Length: "), "Content-Length: %zu", &length),
                         1);
        assert_int_equal(length, strlen(body));
    }
}

/* Whether a PIN is asked for depends on pin-source, which the room that answers does not know. */
static void promises_no_question(void **state)
{
    auto_buffer struct buffer answer = BUFFER_UP_TO(RESULT_PAGE_MAX);
    struct error error = {0};
    (void)state;
    assert_int_equal(result_page_put(RESULT_CAME, &answer, &error), 0);
    has(buffer_text(&answer), "asks for the card&rsquo;s PIN if it needs it.");
}

static void a_page_that_does_not_fit(void **state)
{
    auto_buffer struct buffer answer = BUFFER_UP_TO(100);
    struct error error = {0};
    (void)state;
    assert_int_equal(result_page_put(RESULT_CAME, &answer, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_page),
                                       cmocka_unit_test(promises_no_question),
                                       cmocka_unit_test(a_page_that_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
