/*
 * test_origin.c: the one normal form of an origin, and everything that must not pass for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/http/origin.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define LONGEST                                                                                    \
    L63 "." L63 "." L63                                                                            \
        ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg" /* 253 characters */

static void takes_what_is_well_formed(void **state)
{
    static const struct {
        const char *given, *text, *host, *authority;
        unsigned port;
    } cases[] = {
        {"https://graph.facebook.com", "https://graph.facebook.com", "graph.facebook.com",
         "graph.facebook.com", 443},
        {"https://graph.facebook.com/", "https://graph.facebook.com", "graph.facebook.com",
         "graph.facebook.com", 443},
        {"HTTPS://Graph.Facebook.COM:443/", "https://graph.facebook.com", "graph.facebook.com",
         "graph.facebook.com", 443},
        {"https://localhost:8443", "https://localhost:8443", "localhost", "localhost:8443", 8443},
        {"https://a:1", "https://a:1", "a", "a:1", 1},
        {"https://a:65535", "https://a:65535", "a", "a:65535", 65535},
        {"https://127.0.0.1:80/", "https://127.0.0.1:80", "127.0.0.1", "127.0.0.1:80", 80},
        {"https://1.2.3.4.example", "https://1.2.3.4.example", "1.2.3.4.example", "1.2.3.4.example",
         443},
        {"https://0xyz.example", "https://0xyz.example", "0xyz.example", "0xyz.example", 443},
        {"https://3com", "https://3com", "3com", "3com", 443},
        {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example",
         "xn--bcher-kva.example", 443},
        {"https://[::1]", "https://[::1]", "::1", "[::1]", 443},
        {"https://[::1]:443", "https://[::1]", "::1", "[::1]", 443},
        {"https://[2001:DB8:0:0::0:1]:8443/", "https://[2001:db8::1]:8443", "2001:db8::1",
         "[2001:db8::1]:8443", 8443},
        {"https://[::FFFF:127.0.0.1]", "https://[::ffff:127.0.0.1]", "::ffff:127.0.0.1",
         "[::ffff:127.0.0.1]", 443},
        {"https://" LONGEST ":65535/", "https://" LONGEST ":65535", LONGEST, LONGEST ":65535",
         65535},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin origin;
        struct error error = {0};
        if (origin_parse(cases[i].given, &origin, &error) != 0)
            fail_msg("'%s' is refused: %s", cases[i].given, error.text);
        assert_string_equal(origin.text, cases[i].text);
        assert_string_equal(origin.host, cases[i].host);
        assert_string_equal(origin.authority, cases[i].authority);
        assert_int_equal(origin.port, cases[i].port);
    }
}

static void normal_form_is_stable(void **state)
{
    static const char *const texts[] = {"https://A.Example:8443/", "https://[0:0:0:0:0:0:0:1]:443/",
                                        "https://192.0.2.1/"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct origin first, second;
        struct error error = {0};
        assert_int_equal(origin_parse(texts[i], &first, &error), 0);
        assert_int_equal(origin_parse(first.text, &second, &error), 0);
        assert_memory_equal(&first, &second, sizeof(first));
    }
}

static void refuses_everything_else(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "https://"},
        {"https:", "https://"},
        {"http://a.example", "https://"},
        {"https:/a.example", "https://"},
        {"ftp://a.example", "https://"},
        {" https://a.example", "https://"},
        {"//a.example", "https://"},
        {"a.example", "https://"},
        {"https://", "needs a host"},
        {"https:///", "needs a host"},
        {"https://:443", "needs a host"},
        {"https://[]", "needs a host"},
        {"https://a.example//", "without path"},
        {"https://a.example/v1", "without path"},
        {"https://a.example/v1/", "without path"},
        {"https://a.example?x", "without path"},
        {"https://a.example/?", "without path"},
        {"https://a.example#x", "without path"},
        {"https://a.example\\x", "without path"},
        {"https://user@a.example", "user name"},
        {"https://user:word@a.example", "user name"},
        {"https://@a.example", "user name"},
        {"https://a.example.", "end with a dot"},
        {"https://a.example.:443", "end with a dot"},
        {"https://.", "host name"},
        {"https://.a", "host name"},
        {"https://a..b", "host name"},
        {"https://-a.example", "host name"},
        {"https://a-.example", "host name"},
        {"https://a.-", "host name"},
        {"https://" L63 "g.example", "host name"},
        {"https://a%2eexample", "0x25"},
        {"https://[fe80::1%25eth0]", "0x25"},
        {"https://a_b.example", "0x5f"},
        {"https://a b.example", "0x20"},
        {"https://a.example ", "0x20"},
        {"https://a.example\n", "0x0a"},
        {"https://a.example\r\nX: y", "0x0d"},
        {"https://a.example\t", "0x09"},
        {"https://a.example\x7f", "0x7f"},
        {"https://*.example", "0x2a"},
        {"https://a,b", "0x2c"},
        {"https://b\xc3\xbc"
         "cher.example",
         "xn--"},
        {"https://a\xef\xbc\x8e"
         "example",
         "xn--"},
        {"https://a.example:", "port"},
        {"https://a.example:0", "port"},
        {"https://a.example:00443", "port"},
        {"https://a.example:0443", "port"},
        {"https://a.example:65536", "port"},
        {"https://a.example:99999", "port"},
        {"https://a.example:100000", "port"},
        {"https://a.example:4294967739", "port"},
        {"https://a.example:-1", "port"},
        {"https://a.example:https", "port"},
        {"https://a.example:443:443", "port"},
        {"https://::1", "needs a host"},
        {"https://a::2", "port"},
        {"https://[::1", "']'"},
        {"https://[::1]x", "']'"},
        {"https://[::1]]", "']'"},
        {"https://[::1]:", "port"},
        {"https://[a.example]", "IPv6"},
        {"https://[127.0.0.1]", "IPv6"},
        {"https://[1:2:3]", "IPv6"},
        {"https://[[::1]]", "']'"},
        {"https://a]", "host name"},
        {"https://a[b", "host name"},
        {"https://127.1", "IPv4"},
        {"https://2130706433", "IPv4"},
        {"https://0x7f000001", "IPv4"},
        {"https://0X7F.1", "IPv4"},
        {"https://a.0x7f", "IPv4"},
        {"https://a.0x", "IPv4"},
        {"https://127.0.0.01", "IPv4"},
        {"https://256.0.0.1", "IPv4"},
        {"https://1.2.3.4.5", "IPv4"},
        {"https://a.example.1", "IPv4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin origin, before;
        struct error error = {0};
        memset(&origin, 0x5a, sizeof(origin));
        before = origin;
        if (origin_parse(cases[i].text, &origin, &error) != -1)
            fail_msg("'%s' is taken", cases[i].text);
        assert_int_equal(error.code, CODE_USAGE);
        if (strstr(error.text, cases[i].reason) == NULL)
            fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].text, error.text,
                     cases[i].reason);
        assert_memory_equal(&origin, &before, sizeof(origin));
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    for (size_t size = 254; size < 4096; size += 61) {
        char text[4200] = "https://";
        struct origin origin;
        struct error error = {0};
        for (size_t i = 0; i < size; i++)
            text[8 + i] = i % 32 == 31 ? '.' : 'a';
        text[8 + size] = '\0';
        assert_int_equal(origin_parse(text, &origin, &error), -1);
        assert_int_equal(error.code, CODE_USAGE);
        assert_non_null(strstr(error.text, "longer than"));
    }
}

/* A password that someone wrote into an origin must not turn up in a log by way of the error. */
static void errors_do_not_quote_the_text(void **state)
{
    struct origin origin;
    struct error error = {0};

    (void)state;
    assert_int_equal(origin_parse("https://ann:hunter2@a.example", &origin, &error), -1);
    assert_null(strstr(error.text, "hunter2"));
    assert_null(strstr(error.hint, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_well_formed),    cmocka_unit_test(normal_form_is_stable),
        cmocka_unit_test(refuses_everything_else),      cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(errors_do_not_quote_the_text),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
