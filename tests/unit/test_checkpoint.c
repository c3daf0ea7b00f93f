/*
 * test_checkpoint.c: the text of a checkpoint, the trust file, and both together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "p11vault/audit/checkpoint.h"
#include "p11vault/base/buffer.h"
#include "signing.h"

#define ID "00112233445566778899aabbccddeeff"
#define ORIGIN "p11vault/" ID
#define OTHER "p11vault/ffeeddccbbaa99887766554433221100"
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static struct signer ec, second, rsa, foreign;

static int set_up(void **state)
{
    (void)state;
    ec = signer_ec(ORIGIN);
    second = signer_ec(ORIGIN);
    rsa = signer_rsa(ORIGIN);
    foreign = signer_ec(OTHER);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signer_drop(&ec);
    signer_drop(&second);
    signer_drop(&rsa);
    signer_drop(&foreign);
    return 0;
}

/* ---- the text ---- */

static void test_origin(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0011",
        ID "0",
        "00112233445566778899aabbccddeef",
        "00112233445566778899AABBCCDDEEFF",
        "00112233445566778899aabbccddee g",
        "../../../../../../../../../etc/pa",
    };
    char origin[NOTE_NAME_MAX] = "untouched";
    struct error error = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error = (struct error){0};
        assert_int_equal(checkpoint_origin(bad[i], origin, &error), -1);
        assert_int_equal(error.code, CODE_LOG);
        assert_string_equal(origin, "untouched");
    }
    assert_int_equal(checkpoint_origin(ID, origin, &error), 0);
    assert_string_equal(origin, ORIGIN);
}

static void round_trip(uint64_t size, const char *text)
{
    struct checkpoint checkpoint = {.origin = ORIGIN, .size = size, .root = digest_of("", 0)};
    struct checkpoint parsed;
    char written[CHECKPOINT_TEXT_MAX];
    struct error error = {0};
    assert_int_equal(checkpoint_text(&checkpoint, written, &error), 0);
    assert_string_equal(written, text);
    if (checkpoint_parse(written, strlen(written), &parsed, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(parsed.origin, ORIGIN);
    assert_true(parsed.size == size);
    assert_true(digest_equal(&parsed.root, &checkpoint.root));
}

static void test_round_trip(void **state)
{
    (void)state;
    round_trip(0, ORIGIN "\n0\n" ROOT "\n");
    round_trip(9, ORIGIN "\n9\n" ROOT "\n");
    round_trip(1000000, ORIGIN "\n1000000\n" ROOT "\n");
    round_trip(INT64_MAX, ORIGIN "\n9223372036854775807\n" ROOT "\n");
}

static void test_longest_origin(void **state)
{
    (void)state;
    struct checkpoint checkpoint = {.size = INT64_MAX};
    struct checkpoint parsed;
    char text[CHECKPOINT_TEXT_MAX];
    struct error error = {0};
    memset(checkpoint.origin, 'o', NOTE_NAME_MAX - 1);
    assert_int_equal(checkpoint_text(&checkpoint, text, &error), 0);
    assert_int_equal(checkpoint_parse(text, strlen(text), &parsed, &error), 0);
    assert_string_equal(parsed.origin, checkpoint.origin);
}

static void test_what_cannot_be_written(void **state)
{
    (void)state;
    struct checkpoint cases[] = {
        {.origin = "", .size = 1},
        {.origin = "a b", .size = 1},
        {.origin = "a\nb", .size = 1},
        {.origin = "a+b", .size = 1},
        {.origin = ORIGIN, .size = (uint64_t)INT64_MAX + 1},
        {.size = 1},
    };
    memset(cases[5].origin, 'o', NOTE_NAME_MAX); /* without an end */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CHECKPOINT_TEXT_MAX] = "untouched";
        struct error error = {0};
        assert_int_equal(checkpoint_text(&cases[i], text, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
        assert_string_equal(text, "untouched");
    }
}

static void refuse_text(const char *text, size_t size, const char *what)
{
    struct checkpoint checkpoint = {.size = 4711};
    struct error error = {0};
    char message[128];
    snprintf(message, sizeof(message), "malformed checkpoint: %s", what);
    assert_int_equal(checkpoint_parse(text, size, &checkpoint, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, message);
    assert_int_equal(checkpoint.size, 4711);
}

static void test_malformed_texts(void **state)
{
    (void)state;
    static const char lines[] = "it has three lines";
    static const char more[] = "there is more than three lines";
    static const char origin[] = "the first line is no origin";
    static const char size[] = "the second line is no size";
    static const char root[] = "the third line is no root";
    static const struct {
        const char *text;
        const char *what;
    } cases[] = {
        {"", lines},
        {"a\n", lines},
        {"a\n1\n", lines},
        {"a\n1\n" ROOT, lines},
        {"a\n1\n" ROOT "\nx", more},
        {"a\n1\n" ROOT "\n\n", more},
        {"a\n1\n" ROOT "\nextension\n", more},
        {"\n1\n" ROOT "\n", origin},
        {"a b\n1\n" ROOT "\n", origin},
        {"a+b\n1\n" ROOT "\n", origin},
        {"a\r\n1\n" ROOT "\n", origin},
        {"a\xff\n1\n" ROOT "\n", origin},
        {"a\n\n" ROOT "\n", size},
        {"a\n01\n" ROOT "\n", size},
        {"a\n00\n" ROOT "\n", size},
        {"a\n+1\n" ROOT "\n", size},
        {"a\n-1\n" ROOT "\n", size},
        {"a\n 1\n" ROOT "\n", size},
        {"a\n1 \n" ROOT "\n", size},
        {"a\n1.0\n" ROOT "\n", size},
        {"a\n0x1\n" ROOT "\n", size},
        {"a\n9223372036854775808\n" ROOT "\n", size},
        {"a\n9999999999999999999\n" ROOT "\n", size},
        {"a\n18446744073709551616\n" ROOT "\n", size},
        {"a\n1\n\n", root},
        {"a\n1\nAAAA\n", root},
        {"a\n1\n" ROOT " \n", root},
        {"a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n", root},
        {"a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n", root},
        {"a\n1\n47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=\n", root},
        {"a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA\n", root},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse_text(cases[i].text, strlen(cases[i].text), cases[i].what);
    static const char with_nul[] = "a\0b\n1\n" ROOT "\n";
    refuse_text(with_nul, sizeof(with_nul) - 1, origin);
    char longer[CHECKPOINT_TEXT_MAX];
    int written = snprintf(longer, sizeof(longer), "%0128d\n1\n" ROOT "\n", 0);
    refuse_text(longer, (size_t)written, origin);
    memset(longer, '\n', sizeof(longer));
    refuse_text(longer, sizeof(longer), "too long");
}

/* ---- the trust file ---- */

static void put_vkey(struct buffer *text, const struct signer *signer, const char *end)
{
    char vkey[NOTE_VKEY_MAX];
    struct error error = {0};
    assert_int_equal(note_key_vkey(&signer->key, vkey, &error), 0);
    assert_int_equal(buffer_put_format(text, &error, "%s%s", vkey, end), 0);
}

static void put(struct buffer *text, const char *more)
{
    struct error error = {0};
    assert_int_equal(buffer_put_text(text, more, &error), 0);
}

static struct trust trusted(const struct buffer *text, const char *origin)
{
    struct trust trust;
    struct error error = {0};
    if (trust_parse(buffer_text(text), text->size, origin, &trust, &error) < 0)
        fail_msg("%s", error.text);
    return trust;
}

static void test_trust_file(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
    struct trust trust = trusted(&text, ORIGIN);
    assert_int_equal(trust.count, 0);
    put(&text, "# keys\n\n#\n");
    put_vkey(&text, &ec, "\n");
    put_vkey(&text, &foreign, "\n\n");
    put_vkey(&text, &ec, "\n"); /* twice is once */
    put_vkey(&text, &rsa, "");  /* the last line needs no end */
    trust = trusted(&text, ORIGIN);
    assert_int_equal(trust.count, 2);
    assert_int_equal(trust.keys[0].id, ec.key.id);
    assert_int_equal(trust.keys[1].id, rsa.key.id);
    trust = trusted(&text, OTHER);
    assert_int_equal(trust.count, 1);
    assert_int_equal(trust.keys[0].id, foreign.key.id);
    trust = trusted(&text, "p11vault");
    assert_int_equal(trust.count, 0);
}

static void refuse_trust(const char *text, size_t size, const char *message)
{
    struct trust trust = {.count = 4711};
    struct error error = {0};
    assert_int_equal(trust_parse(text, size, ORIGIN, &trust, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.text, message);
    assert_int_equal(trust.count, 4711);
}

/* A bad line is named by its number wherever it stands. */
static void test_trust_line_numbers(void **state)
{
    (void)state;
    static const char form[] = "not a verifier key: its form is NAME+ID+KEY";
    static const struct {
        const char *before;
        const char *line;
        const char *what;
    } cases[] = {
        {"", "nonsense", "line 1: not a verifier key: its form is NAME+ID+KEY"},
        {"", " ", "line 1: not a verifier key: its form is NAME+ID+KEY"},
        {"\n", "\r", "line 2: not a verifier key: its form is NAME+ID+KEY"},
        {"\n\n\n", " # not at the start", "line 4: not a verifier key: its form is NAME+ID+KEY"},
        {"# one\n# two\n", "a+00000000+AAAA",
         "line 3: not a verifier key: its type is neither ECDSA nor RSA"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
        put(&text, cases[i].before);
        put(&text, cases[i].line);
        refuse_trust(buffer_text(&text), text.size, cases[i].what);
        /* The same with an end and good lines behind it. */
        put(&text, "\n");
        put_vkey(&text, &ec, "\n");
        refuse_trust(buffer_text(&text), text.size, cases[i].what);
    }
    auto_buffer struct buffer behind = BUFFER_UP_TO(TRUST_FILE_MAX);
    char message[128];
    put_vkey(&behind, &ec, "\n");
    put_vkey(&behind, &rsa, "\n");
    put(&behind, "nonsense\n");
    snprintf(message, sizeof(message), "line 3: %s", form);
    refuse_trust(buffer_text(&behind), behind.size, message);
}

/* A key counts as far as the nearest of its lines says. */
static void test_trust_until(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        uint64_t until;
    } cases[] = {
        {"\n", "\n", 0},
        {" until 7\n", "\n", 7},
        {"\n", " until 7\n", 7},
        {" until 7\n", " until 9", 7},
        {" until 9\n", " until 9223372036854775807", 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
        put_vkey(&text, &ec, cases[i].first);
        put_vkey(&text, &ec, cases[i].second);
        struct trust trust = trusted(&text, ORIGIN);
        assert_int_equal(trust.count, 1);
        assert_int_equal(trust.until[0], cases[i].until);
        assert_int_equal(trust_has(&trust, &ec.key), cases[i].until == 0);
        assert_false(trust_has(&trust, &rsa.key));
    }
    static const char *const bad[] = {" until ",    " until 0",  " until 07",
                                      " until 7 ",  " until -1", " until 9223372036854775808",
                                      " until 7\r", " until x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
        put_vkey(&text, &ec, bad[i]);
        refuse_trust(buffer_text(&text), text.size, "line 1: no number of entries behind 'until'");
    }
}

static void test_trust_bytes(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX + 1);
    struct error error = {0};
    char line[NOTE_VKEY_MAX + 1];
    put_vkey(&text, &ec, "\r\n");
    refuse_trust(buffer_text(&text), text.size, "line 1: not a verifier key: not canonical base64");
    buffer_clear(&text);
    put_vkey(&text, &ec, "");
    assert_int_equal(buffer_put(&text, "\0x\n", 3, &error), 0);
    refuse_trust(buffer_text(&text), text.size, "line 1: not a verifier key");
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    refuse_trust(line, strlen(line), "line 1: not a verifier key");
    buffer_clear(&text);
    while (text.size <= TRUST_FILE_MAX)
        put(&text, "#");
    refuse_trust(buffer_text(&text), text.size, "more than 262144 bytes");
    assert_int_equal(trusted(&(struct buffer){text.data, TRUST_FILE_MAX, 0, 0}, ORIGIN).count, 0);
}

static void test_trust_has_room(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(TRUST_FILE_MAX);
    for (size_t i = 0; i < TRUST_KEYS_MAX; i++) {
        struct signer signer = signer_ec(ORIGIN);
        put_vkey(&text, &signer, "\n");
        signer_drop(&signer);
    }
    put_vkey(&text, &foreign, "\n");
    assert_int_equal(trusted(&text, ORIGIN).count, TRUST_KEYS_MAX);
    put_vkey(&text, &ec, "\n");
    refuse_trust(buffer_text(&text), text.size, "line 66: more than 64 keys for one vault");
}

/* ---- both together ---- */

static char *signed_text(const struct signer *signer, const char *origin)
{
    struct checkpoint checkpoint = {.size = 12, .root = digest_of("", 0)};
    char text[CHECKPOINT_TEXT_MAX];
    struct error error = {0};
    snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s", origin);
    assert_int_equal(checkpoint_text(&checkpoint, text, &error), 0);
    return signer_note(signer, text);
}

static void refuse_note(const char *note, const struct trust *trust, const char *message)
{
    struct checkpoint checkpoint = {.size = 4711};
    const struct note_key *key = &foreign.key;
    struct error error = {0};
    assert_int_equal(checkpoint_verify(note, ORIGIN, trust, &checkpoint, &key, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, message);
    assert_int_equal(checkpoint.size, 4711);
    assert_ptr_equal(key, &foreign.key);
}

static void test_verify(void **state)
{
    (void)state;
    struct trust trust = {.keys = {ec.key, rsa.key}, .count = 2};
    const struct signer *signers[] = {&ec, &rsa};
    for (size_t i = 0; i < 2; i++) {
        struct checkpoint checkpoint;
        const struct note_key *key = NULL;
        struct error error = {0};
        struct digest root = digest_of("", 0);
        auto_free char *note = signed_text(signers[i], ORIGIN);
        assert_int_equal(checkpoint_verify(note, ORIGIN, &trust, &checkpoint, &key, &error), 0);
        assert_ptr_equal(key, &trust.keys[i]);
        assert_string_equal(checkpoint.origin, ORIGIN);
        assert_int_equal(checkpoint.size, 12);
        assert_true(digest_equal(&checkpoint.root, &root));
        assert_int_equal(checkpoint_verify(note, ORIGIN, &trust, &checkpoint, NULL, &error), 0);
        struct trust ended = {.keys = {ec.key, rsa.key}, .until = {12, 12}, .count = 2};
        assert_int_equal(checkpoint_verify(note, ORIGIN, &ended, &checkpoint, NULL, &error), 0);
    }
}

static void test_untrusted_notes(void **state)
{
    (void)state;
    static const char nobody[] = "the note is signed by no trusted key";
    static const char elsewhere[] = "the checkpoint is of another log than '" ORIGIN "'";
    struct trust trust = {.keys = {ec.key, foreign.key}, .count = 2};
    struct trust empty = {.count = 0};
    auto_free char *by_second = signed_text(&second, ORIGIN);
    refuse_note(by_second, &trust, nobody);
    auto_free char *good = signed_text(&ec, ORIGIN);
    refuse_note(good, &empty, nobody);
    auto_free char *other_text = signed_text(&ec, OTHER);
    refuse_note(other_text, &trust, elsewhere);
    auto_free char *other_key = signed_text(&foreign, ORIGIN);
    refuse_note(other_key, &trust, elsewhere);
    auto_free char *wrong = signer_note(&ec, ORIGIN "\n012\n" ROOT "\n");
    refuse_note(wrong, &trust, "malformed checkpoint: the second line is no size");
    struct trust ended = {.keys = {ec.key}, .until = {11}, .count = 1};
    refuse_note(good, &ended,
                "checkpoint 12 is signed by a key that counts for 11 entries only: its card was "
                "removed then");
    refuse_note("", &trust, "malformed note: not lines of UTF-8 without control characters");
    char longer[NOTE_MAX + 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    refuse_note(longer, &trust, "malformed note: too long");
}

/* A cosigned checkpoint: the second signature spoils it when it fails. */
static void test_cosigned(void **state)
{
    (void)state;
    struct trust trust = {.keys = {ec.key, second.key}, .count = 2};
    struct checkpoint checkpoint;
    const struct note_key *key = NULL;
    struct error error = {0};
    auto_free char *first = signed_text(&ec, ORIGIN);
    auto_free char *cosigned = signed_text(&second, ORIGIN);
    auto_free char *unrelated = signer_note(&second, ORIGIN "\n13\n" ROOT "\n");
    auto_free char *good = NULL;
    auto_free char *bad = NULL;
    assert_true(asprintf(&good, "%s%s", first, strstr(cosigned, "\n\n") + 2) > 0);
    assert_true(asprintf(&bad, "%s%s", first, strstr(unrelated, "\n\n") + 2) > 0);
    assert_int_equal(checkpoint_verify(good, ORIGIN, &trust, &checkpoint, &key, &error), 0);
    assert_ptr_equal(key, &trust.keys[0]);
    char message[64];
    snprintf(message, sizeof(message), "the signature of key %08x does not verify", second.key.id);
    refuse_note(bad, &trust, message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_longest_origin),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_malformed_texts),
        cmocka_unit_test(test_trust_file),
        cmocka_unit_test(test_trust_line_numbers),
        cmocka_unit_test(test_trust_until),
        cmocka_unit_test(test_trust_bytes),
        cmocka_unit_test(test_trust_has_room),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_untrusted_notes),
        cmocka_unit_test(test_cosigned),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, set_up, tear_down);
}
