/*
 * test_sieve.c: known values and what looks like a token never come out, in any disguise and however they are cut; all
 * the rest comes out as it is; URLs of lists become cursors.
 */
#include "p11vault/sieve/sieve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/sieve/internal.h"
#include "p11vault/base/buffer.h"

/* Not of a form that is known: only the value itself can be found. */
#define VALUE "qJ7canary-value_of.a+grant/0123456789ABCDEFxyz"
#define SECRET_TEXT "0123456789abcdef0123456789abcdef"
#define MARK "[scrubbed]"

static int gather(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    return buffer_put(context, bytes, size, error);
}

static struct sieve *make(void)
{
    static const char *const values[] = {VALUE, SECRET_TEXT};
    struct sieve *sieve;
    struct error error;
    assert_int_equal(sieve_new(200, &sieve, &error), 0);
    for (size_t i = 0; i < 2; i++) {
        auto_of(secret_free) struct secret *value = NULL;
        assert_int_equal(secret_new(200, &value, &error), 0);
        assert_int_equal(secret_append_text(value, values[i], &error), 0);
        assert_int_equal(sieve_add(sieve, value, &error), 0);
    }
    return sieve;
}

/* What comes out of a text that comes in pieces of `piece` bytes; the caller frees it. */
static char *sift(const char *text, size_t piece, struct sieve_found *ret_found)
{
    auto_of(sieve_free) struct sieve *sieve = make();
    auto_buffer struct buffer out = BUFFER_UP_TO(1 << 20);
    struct error error;
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at += piece) {
        size_t now = size - at < piece ? size - at : piece;
        assert_int_equal(sieve_feed(sieve, text + at, now, gather, &out, &error), 0);
    }
    assert_int_equal(sieve_end(sieve, gather, &out, &error), 0);
    *ret_found = *sieve_found(sieve);
    return strdup(buffer_text(&out));
}

/* However it is cut. */
static void check(const char *text, const char *expected, size_t known, size_t alike)
{
    static const size_t pieces[] = {1, 2, 3, 7, 16384};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct sieve_found found;
        auto_free char *out = sift(text, pieces[i], &found);
        assert_string_equal(out, expected);
        assert_int_equal(found.known, known);
        assert_int_equal(found.alike, alike);
    }
}

static void test_siphash(void **state)
{
    (void)state;
    /* The paper's own example: key 00…0f, message 00…0e. */
    uint8_t message[15];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)i;
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    assert_true(siphash(key, message, sizeof(message)) == UINT64_C(0xa129ca6149be45e5));
}

static void test_plain(void **state)
{
    (void)state;
    check("{\"said\":\"" VALUE "\",\"n\":1}", "{\"said\":\"" MARK "\",\"n\":1}", 1, 0);
    check(VALUE, MARK, 1, 0);
    check("x " SECRET_TEXT " y " VALUE " z", "x " MARK " y " MARK " z", 2, 0);
    /* What stands before it in one word comes out, what stands behind it does not. */
    check("before|" VALUE "behind after", "before|" MARK " after", 1, 0);
    /* Nineteen of its characters are no secret's. */
    check("{\"a\":\"0123456789abcdef012\"}", "{\"a\":\"0123456789abcdef012\"}", 0, 0);
    check("{\"a\":\"9abcdef0123456789abc\"}", "{\"a\":\"" MARK "\"}", 1, 0);
}

static void test_all_the_rest_comes_out(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "{\"id\":\"123_456\",\"message\":\"caf\\u00e9 \\\\ \\\" \\/ 100% %zz %4 \xc3\xa9\"}",
        "{\"data\":[{\"code\":190,\"token\":\"EAAshort\"}],\"access_token\":null}",
        "not JSON at all: a=b&c=d, \\u12 \\",
        "{\"next\":\"tomorrow\",\"previous\":5}",
        "{\"access_tokens\":3,\"fields\":\"id,access_token\",\"x\":1}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check(texts[i], texts[i], 0, 0);
    auto_free char *longer = malloc(70001);
    assert_non_null(longer);
    for (size_t i = 0; i < 70000; i++)
        longer[i] = "abcdefghijklmnopqrstuvwxyz+/"[i * 31 % 28];
    longer[70000] = '\0';
    check(longer, longer, 0, 0);
}

typedef void disguise(const char *text, char *ret_text);

static void as_json(const char *text, char *ret)
{
    for (; *text; text++)
        ret += sprintf(ret, "\\u%04X", (unsigned)*text);
}

static void as_json_twice(const char *text, char *ret)
{
    for (; *text; text++)
        ret += sprintf(ret, "\\u005c\\u0075\\u0030\\u0030\\u003%x\\u00%02x", (unsigned)*text >> 4,
                       (unsigned)("0123456789abcdef"[*text & 15]));
}

static void as_percent(const char *text, char *ret)
{
    for (; *text; text++)
        ret += sprintf(ret, "%%%02x", (unsigned)*text);
}

static void as_percent_twice(const char *text, char *ret)
{
    for (; *text; text++)
        ret += sprintf(ret, "%%25%02X", (unsigned)*text);
}

static void as_hex(const char *text, char *ret)
{
    for (size_t i = 0; text[i]; i++)
        ret += sprintf(ret, i % 2 ? "%02x" : "%02X", (unsigned)text[i]);
}

static void base64(const char *text, size_t skip, bool for_urls, char *ret)
{
    const char *digits = for_urls
                             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char whole[256];
    (void)snprintf(whole, sizeof(whole), "%.*s%s", (int)skip, "x:", text);
    while (strlen(whole) % 3 != 0)
        strcat(whole, ".");
    for (size_t i = 0; whole[i]; i += 3) {
        unsigned group = (unsigned)whole[i] << 16 | (unsigned)whole[i + 1] << 8 | whole[i + 2];
        for (int at = 18; at >= 0; at -= 6)
            *ret++ = digits[group >> at & 63];
    }
    *ret = '\0';
}

static void as_base64(const char *text, char *ret)
{
    base64(text, 0, false, ret);
}
static void as_base64_one(const char *text, char *ret)
{
    base64(text, 1, true, ret);
}
static void as_base64_two(const char *text, char *ret)
{
    base64(text, 2, false, ret);
}

static void test_disguises(void **state)
{
    (void)state;
    static disguise *const disguises[] = {as_json, as_json_twice, as_percent,    as_percent_twice,
                                          as_hex,  as_base64,     as_base64_one, as_base64_two};
    for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++) {
        char text[4096], whole[4200];
        disguises[i](VALUE, text);
        (void)snprintf(whole, sizeof(whole), "{\"said\":\"%s\"}", text);
        for (size_t piece = 1; piece < 8; piece++) {
            struct sieve_found found;
            auto_free char *out = sift(whole, piece, &found);
            assert_true(found.known >= 1);
            char *mark = strstr(out, MARK);
            assert_non_null(mark);
            assert_memory_equal(out, "{\"said\":\"", 9);
            assert_string_equal(mark, MARK "\"}");
            /* Base64 and hexadecimal let the rest of a group go before the window begins. */
            assert_true(mark - out <= 9 + 4);
        }
    }
}

static void test_layers(void **state)
{
    (void)state;
    /* base64 in which the slash is escaped, and hexadecimal behind percent */
    char text[512], escaped[1024], *to = escaped;
    as_base64("?>?>?>" VALUE "?>?", text);
    for (char *at = text; *at; at++)
        to += sprintf(to, *at == '/' ? "\\/" : "%c", *at);
    struct sieve_found found;
    auto_free char *out = sift(escaped, 5, &found);
    assert_non_null(strstr(out, MARK));
    assert_int_equal(found.known, 1);
    as_hex(VALUE, text);
    as_percent(text, escaped);
    auto_free char *other = sift(escaped, 5, &found);
    assert_string_equal(other, MARK);
}

static void test_what_looks_like_one(void **state)
{
    (void)state;
    check("{\"t\":\"EAABwzLixnjYBO0123456789012345678901234567\"}", "{\"t\":\"" MARK "\"}", 0, 1);
    check("{\"t\":\"1234567890|abcdefghij_klmnopqrst\"}", "{\"t\":\"" MARK "\"}", 0, 1);
    check("{\"access_token\":\"short\",\"id\":\"1\"}",
          "{\"access_token\":\"" MARK "\",\"id\":\"1\"}", 0, 1);
    check("{\"page_access_token\" : \"x\"}", "{\"page_access_token\" : \"" MARK "\"}", 0, 1);
    check("see https://a/b?access_token=x&y=z.", "see https://a/b?access_token=" MARK "&y=z.", 0,
          1);
    check("\"{\\\"client_secret\\\":\\\"abc\\\"}\"", "\"{\\\"client_secret\\\":\\\"" MARK "\\\"}\"",
          0, 1);
    check("a%26access_token%3Dabc%26b c", "a%26access_token%3D" MARK " c", 0, 1);
    check("1234|abcdefghijklmnopqrstuvw", "1234|abcdefghijklmnopqrstuvw", 0, 0);
}

#define TOKEN "EAABwzLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ"

/* Each as a member, as one of JSON in a string, and with more white space than anybody writes. */
static void test_names(void **state)
{
    static const char *const names[] = {"access_token", "page_access_token", "accessToken",
                                        "Access-Token", "appSecret",         "app_secret",
                                        "secret",       "client_secret",     "client_token",
                                        "password",     "refreshToken",      "login_url",
                                        "id_token",     "loginUrl"};
    char text[512], expected[512];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)sprintf(text, "{\"%s\":\"https://a b\",\"id\":\"1\"}", names[i]);
        (void)sprintf(expected, "{\"%s\":\"" MARK "\",\"id\":\"1\"}", names[i]);
        check(text, expected, 0, 1);
        (void)sprintf(text, "{\"%s\"%40s:\n%40s\"x\"}", names[i], "", "");
        (void)sprintf(expected, "{\"%s\"%40s:\n%40s\"" MARK "\"}", names[i], "", "");
        check(text, expected, 0, 1);
        (void)sprintf(text, "{\"data\":\"{\\\"%s\\\":%40s\\\"x\\\"}\"}", names[i], "");
        (void)sprintf(expected, "{\"data\":\"{\\\"%s\\\":%40s\\\"" MARK "\\\"}\"}", names[i], "");
        check(text, expected, 0, 1);
    }
    check("{\"access\\u005ftoken\":\"x\"}", "{\"access\\u005ftoken\":\"" MARK "\"}", 0, 1);
    check("{\"code\":\"AQBx7_9012345678901234567\"}", "{\"code\":\"" MARK "\"}", 0, 1);
    check("\"{\\\"code\\\":\\\"AQBx7_9012345678901234567\\\"}\"",
          "\"{\\\"code\\\":\\\"" MARK "\\\"}\"", 0, 1);
    check("https://a/?code=AQBx7_9012345678901234567#_", "https://a/?code=" MARK "#_", 0, 1);
    check("\"{\\\"password\\\":\\\"a b c\\\",\\\"d\\\":1}\"",
          "\"{\\\"password\\\":\\\"" MARK " " MARK " " MARK "\\\",\\\"d\\\":1}\"", 0, 3);
    check("{\"password\":\"cut off", "{\"password\":\"" MARK, 0, 1);
}

static void test_arrays_and_objects(void **state)
{
    (void)state;
    check("{\"access_token\":[\"a\",\"b\"],\"x\":\"y\"}",
          "{\"access_token\":[\"" MARK "\",\"" MARK "\"],\"x\":\"y\"}", 0, 2);
    check("{\"secret\" : {\"value\":{\"a\":[\"b c\",5]}},\"x\":\"y\"}",
          "{\"secret\" : {\"" MARK "\":{\"" MARK "\":[\"" MARK "\",5]}},\"x\":\"y\"}", 0, 3);
    check("\"{\\\"access_token\\\":[\\\"a\\\",\\\"b\\\"],\\\"x\\\":\\\"y\\\"}\"",
          "\"{\\\"access_token\\\":[\\\"" MARK "\\\",\\\"" MARK "\\\"],\\\"x\\\":\\\"y\\\"}\"", 0,
          2);
}

/* What has such names, or looks a little like it, in answers of every day. */
static void test_no_secrets(void **state)
{
    static const char *const texts[] = {
        "{\"error\":{\"message\":\"x\",\"type\":\"OAuthException\",\"code\":190,\"error_subcode\":"
        "463}}",
        "[{\"code\":200,\"body\":\"{}\"}]",
        "{\"language\":{\"code\":\"en_US\"},\"currency\":{\"code\":\"EUR\"},\"country_code\":"
        "\"DE\"}",
        "{\"code\":\"UNSUPPORTED_OBJECT_TYPE_NAME\",\"x\":{\"code\":\"190\"}}",
        "{\"coupon\":{\"code\":\"SUMMER-2026\"},\"message\":\"use code=SUMMER26\"}",
        "{\"is_secret\":true,\"has_password\":false,\"secret\":null,\"password\":\"\"}",
        "{\"privacy\":\"SECRET\",\"tokens\":5,\"token_type\":\"bearer\",\"access_token_expires\":"
        "7}",
        "{\"after\":\"QVFIUlpEAAhbmRvbUN1cnNvcjEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1\"}",
        "{\"message\":\"the secret: be brave\",\"url\":\"https:\\/\\/a.b\\/eyJhIjoxfQ.png\"}",
        "{\"id\":\"EAA\",\"hash\":\"0AEAA3B2C1D0E9F8A7B6C5D4E3F2A1B0C9D8E7F6A5B4C3D2E1F00\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check(texts[i], texts[i], 0, 0);
}

static void test_glued(void **state)
{
    static const char *const tokens[] = {TOKEN,
                                         "IGQVJzLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ",
                                         "THAAczLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ",
                                         "THQVJzLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ",
                                         "DQVJczLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ",
                                         "IGAAczLixnjYBO0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ"};
    static const char *const glue[] = {"",  "token", "Bearer", "x",
                                       "7", "my_",   "MY-",    "USER_TOKEN_"};
    char text[256], expected[256];
    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        for (size_t j = 0; j < sizeof(glue) / sizeof(glue[0]); j++) {
            (void)sprintf(text, "{\"said\":\"%s%s\"}", glue[j], tokens[i]);
            (void)sprintf(expected, "{\"said\":\"%s" MARK "\"}", glue[j]);
            check(text, expected, 0, 1);
        }
}

/* Somebody else's token in base64, at each place within a group, and in hexadecimal. */
static void test_coded(void **state)
{
    static disguise *const disguises[] = {as_hex, as_base64, as_base64_one, as_base64_two};
    (void)state;
    for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++) {
        char text[512], whole[640];
        disguises[i](TOKEN, text);
        (void)snprintf(whole, sizeof(whole), "{\"said\":\"%s\"}", text);
        for (size_t piece = 1; piece < 6; piece++) {
            struct sieve_found found;
            auto_free char *out = sift(whole, piece, &found);
            char *mark = strstr(out, MARK);
            if (!mark)
                fail_msg("a token passes in base64 or hexadecimal (%zu)", i);
            assert_string_equal(mark, MARK "\"}");
            assert_true(mark - out <= 9 + 4);
            assert_int_equal(found.alike, 1);
        }
    }
}

static void test_jwt(void **state)
{
    (void)state;
    check("{\"t\":\"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl\"}",
          "{\"t\":\"" MARK "\"}", 0, 1);
    check("Bearer eyJhbGciOiJkaXIiLCJlbmMiOiJBIn0..aXY.Y2lwaGVydGV4dGNpcGhlcg.dGFn end",
          "Bearer " MARK " end", 0, 1);
}

/* Where the list of an answer goes on; the whole of it comes out as expected. */
static void check_next(const char *text, const char *expected, const char *path,
                       const char *parameters)
{
    static const size_t pieces[] = {1, 5, 16384};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct sieve_found found;
        auto_free char *out = sift(text, pieces[i], &found);
        if (expected)
            assert_string_equal(out, expected);
        assert_true(found.has_next == (path != NULL));
        if (path)
            assert_string_equal(found.next.parameters, parameters);
        if (path && *path)
            assert_string_equal(found.next.path, path);
    }
}

#define PAGING(next) "{\"data\":[],\"paging\":{\"next\":" next "}}"

static void test_paging(void **state)
{
    (void)state;
    check_next(
        "{\"data\":[{\"comments\":{\"paging\":{\"next\":\"https:\\/\\/g\\/x?after=inner\"}}}],"
        "\"paging\":{\"cursors\":{\"after\":\"AB\"},\"next\":\"https:\\/\\/g.example\\/v26.0"
        "\\/1\\/feed?access_token=" VALUE "&limit=25&after=Q0%3D%3D\","
        "\"previous\":\"https://g/?before=B\"}}",
        "{\"data\":[{\"comments\":{\"paging\":{\"next\":\"after=inner\"}}}],"
        "\"paging\":{\"cursors\":{\"after\":\"AB\"},\"next\":\"limit=25&after=Q0%3D%3D\","
        "\"previous\":\"before=B\"}}",
        "/v26.0/1/feed", "limit=25&after=Q0%3D%3D");
    check_next(PAGING("\"https://x/v1.0/act_1/insights?since=1\\u0026until=7&metric=a%2Cb&pretty=0"
                      "&__paging_token=enc_A&appsecret_proof=abc&appsecret_time=1\""),
               PAGING("\"since=1&until=7&metric=a%2Cb&pretty=0&__paging_token=enc_A\""),
               "/v1.0/act_1/insights",
               "since=1&until=7&metric=a%2Cb&pretty=0&__paging_token=enc_A");
    check("{\"next\":\"http://x/" VALUE, "{\"next\":\"" MARK, 0, 0);
    check("{\"next\":\"tomorrow\",\"previous\":5}", "{\"next\":\"tomorrow\",\"previous\":5}", 0, 0);
}

static void test_a_list_that_ends(void **state)
{
    (void)state;
    check_next("{\"data\":[],\"paging\":{\"cursors\":{\"after\":\"AB\"}}}", NULL, NULL, NULL);
    check_next(PAGING("null"), PAGING("null"), NULL, NULL);
    check_next(PAGING("\"\""), PAGING("\"\""), NULL, NULL);
    check_next("{\"a\":{\"paging\":{\"next\":\"https://x/y?after=1\"}}}", NULL, NULL, NULL);
    check_next("{\"next\":\"https://x/y?after=1\"}", NULL, NULL, NULL);
}

/*
 * It goes on, and nobody is told where: what is left out is half of where, or what came back is a
 * secret.
 */
static void test_a_list_that_cannot_be_followed(void **state)
{
    static const char *const lists[] = {
        PAGING("\"https://g.example/y?limit=5&after=" SECRET_TEXT "\""),
        PAGING("\"https://g.example/y?after=1&b=EAABwzLixnjYBO0123456789012345678901234567\""),
        PAGING("\"https://g.example/y?after=1#x\""),
        PAGING("\"https://g.example/y?after=caf\xc3\xa9\""),
        PAGING("\"https://g.example?after=1\""),
        PAGING("\"https://g.example/a b?after=1\""),
        PAGING("\"/v26.0/me/feed?after=1\""),
        PAGING("\"https://g.example/v26.0/me/feed\""),
        PAGING("{\"after\":1}"),
        PAGING("[\"https://g.example/y?after=1\"]"),
        PAGING("7"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        check_next(lists[i], NULL, "", "");
    auto_free char *longer = malloc(9000);
    assert_non_null(longer);
    for (size_t size = 5000; size < 9000; size += 3500) {
        (void)sprintf(longer, "{\"paging\":{\"next\":\"https://g.example/y?a=%0*d\"}}",
                      (int)size - 100, 7);
        check_next(longer, NULL, "", "");
    }
}

/* ---- batches ---- */

struct items {
    struct buffer out, told; /* "200 {…}" a line */
};

static int note_out(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    struct items *items = context;
    return buffer_put(&items->out, bytes, size, error);
}

static int note_item(void *context, int status, const struct secret *body, struct error *error)
{
    struct items *items = context;
    return buffer_put_format(&items->told, error, "%d %.*s\n", status, (int)secret_size(body),
                             (const char *)secret_data(body));
}

/* However it is cut: what comes out, and what is told of each item. */
static void check_batch(const char *text, const char *expected, const char *told, size_t found)
{
    static const size_t pieces[] = {1, 2, 5, 16384};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        auto_of(sieve_free) struct sieve *sieve = make();
        struct items items = {BUFFER_UP_TO(1 << 20), BUFFER_UP_TO(1 << 20)};
        struct error error;
        assert_int_equal(sieve_expect_batch(sieve, note_item, &error), 0);
        assert_int_equal(sieve_look(sieve, "x\0[{\"code\":1}]", 14, &error), 0);
        for (size_t at = 0; at < strlen(text); at += pieces[i]) {
            size_t now = strlen(text) - at < pieces[i] ? strlen(text) - at : pieces[i];
            assert_int_equal(sieve_feed(sieve, text + at, now, note_out, &items, &error), 0);
        }
        assert_int_equal(sieve_end(sieve, note_out, &items, &error), 0);
        assert_string_equal(buffer_text(&items.out), expected);
        assert_string_equal(buffer_text(&items.told), told);
        assert_int_equal(sieve_found(sieve)->known + sieve_found(sieve)->alike, found);
        buffer_clear(&items.out);
        buffer_clear(&items.told);
    }
}

static void test_a_batch(void **state)
{
    (void)state;
    check_batch("[{\"code\":200,\"headers\":[{\"name\":\"ETag\",\"value\":\"x\"}],"
                "\"body\":\"{\\\"id\\\":\\\"1\\\",\\\"a\\\":\\\"caf\\\\u00e9 \\u00e9\\/\\\"}\"},"
                "null, {\"body\":\"{}\",\"code\":400},{\"code\":500}]",
                "[{\"code\":200,\"headers\":[{\"name\":\"ETag\",\"value\":\"x\"}],"
                "\"body\":\"{\\\"id\\\":\\\"1\\\",\\\"a\\\":\\\"caf\\\\u00e9 \xc3\xa9/\\\"}\"},"
                "null, {\"body\":\"{}\",\"code\":400},{\"code\":500}]",
                "200 {\"id\":\"1\",\"a\":\"caf\\u00e9 \xc3\xa9/\"}\n0 \n400 {}\n500 \n", 0);
    check_batch("{\"error\":{\"code\":190},\"body\":\"x\"}",
                "{\"error\":{\"code\":190},\"body\":\"x\"}", "", 0);
    check_batch("[]", "[]", "", 0);
    check_batch("[{\"code\":200,\"body\":\"{\\\"a\\\":\\\"cut",
                "[{\"code\":200,\"body\":\"{\\\"a\\\":\\\"cut", "", 0);
}

/* A body is seen as what it is: its members, its lists, and three layers of escapes in all. */
static void test_a_secret_in_a_batch(void **state)
{
    char twice[4096], text[8192];
    (void)state;
    check_batch("[{\"code\":200,\"body\":\"{\\\"access_token\\\":\\\"x y\\\",\\\"t\\\":\\\"" VALUE
                "\\\"}\"}]",
                "[{\"code\":200,\"body\":\"{\\\"access_token\\\":\\\"" MARK
                "\\\",\\\"t\\\":\\\"" MARK "\\\"}\"}]",
                "200 {\"access_token\":\"" MARK "\",\"t\":\"" MARK "\"}\n", 2);
    check_batch("[{\"code\":200,\"body\":\"{\\\"data\\\":[],\\\"paging\\\":{\\\"next\\\":\\\"https:"
                "\\\\\\/\\\\\\/g\\\\\\/1\\\\\\/feed?access_token=" VALUE "&after=A\\\"}}\"}]",
                "[{\"code\":200,\"body\":\"{\\\"data\\\":[],\\\"paging\\\":{\\\"next\\\":\\\"after="
                "A\\\"}}\"}]",
                "200 {\"data\":[],\"paging\":{\"next\":\"after=A\"}}\n", 0);
    check_batch(
        "[{\"code\":200,\"headers\":[{\"name\":\"a\",\"value\":\"" VALUE "\"}],\"body\":\"\"}]",
        "[{\"code\":200,\"headers\":[{\"name\":\"a\",\"value\":\"" MARK "\"}],\"body\":\"\"}]",
        "200 \n", 1);
    check_batch("[{\"code\":200,\"body\":\"\\u007b\\u0022secret\\u0022:\\u0022a b\\u0022}\"}]",
                "[{\"code\":200,\"body\":\"{\\\"secret\\\":\\\"" MARK "\\\"}\"}]",
                "200 {\"secret\":\"" MARK "\"}\n", 1);
    as_json_twice(VALUE, twice);
    char *to = text + sprintf(text, "[{\"code\":200,\"body\":\"");
    for (const char *at = twice; *at; at++)
        to += sprintf(to, *at == '\\' ? "\\\\" : "%c", *at);
    (void)sprintf(to, "\"}]");
    check_batch(text, "[{\"code\":200,\"body\":\"" MARK "\"}]", "200 " MARK "\n", 1);
    check_batch("[{\"body\":\"" VALUE, "[{\"body\":\"" MARK, "", 1);
}

static void test_a_value_cut_off(void **state)
{
    (void)state;
    struct sieve_found found;
    for (size_t size = 1; size < sizeof(VALUE); size++) {
        char text[sizeof(VALUE)] = "";
        memcpy(text, VALUE, size);
        auto_free char *out = sift(text, 4, &found);
        assert_true(strlen(out) < 20);
        assert_int_equal(found.known, size >= 20);
    }
}

static void test_headers(void **state)
{
    (void)state;
    auto_of(sieve_free) struct sieve *sieve = make();
    auto_buffer struct buffer out = BUFFER_UP_TO(4096);
    struct error error;
    static const char fields[] = "x-echo\0" VALUE "\0x-next\0{\"half";
    assert_int_equal(sieve_look(sieve, fields, sizeof(fields), &error), 0);
    assert_int_equal(sieve_found(sieve)->known, 1);
    assert_int_equal(sieve_feed(sieve, "{\"a\":1}", 7, gather, &out, &error), 0);
    assert_int_equal(sieve_end(sieve, gather, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "{\"a\":1}");
}

static void test_refusals(void **state)
{
    (void)state;
    auto_of(sieve_free) struct sieve *sieve = make();
    auto_of(secret_free) struct secret *value = NULL;
    struct error error;
    assert_int_equal(secret_new(4096, &value, &error), 0);
    assert_int_equal(secret_append_text(value, "1234567890123456789", &error), 0);
    assert_int_equal(sieve_add(sieve, value, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    for (int i = 0; i < 400; i++)
        assert_int_equal(secret_append(value, &i, sizeof(i), &error), 0);
    assert_int_equal(sieve_add(sieve, value, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_all_the_rest_comes_out),
        cmocka_unit_test(test_disguises),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_what_looks_like_one),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_arrays_and_objects),
        cmocka_unit_test(test_no_secrets),
        cmocka_unit_test(test_glued),
        cmocka_unit_test(test_coded),
        cmocka_unit_test(test_jwt),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_a_list_that_ends),
        cmocka_unit_test(test_a_list_that_cannot_be_followed),
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_a_secret_in_a_batch),
        cmocka_unit_test(test_a_value_cut_off),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
