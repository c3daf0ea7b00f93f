/*
 * test_note.c: notes and their keys, made here with libcrypto; what is bent, cut or signed by
 * somebody else is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>

#include "p11vault/base/base64.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/digest.h"
#include "signing.h"

#define NAME "p11vault/00112233445566778899aabbccddeeff"
#define TEXT "example\n17\nnot a root\n"
#define DASH "\xe2\x80\x94 "

static struct signer ec, other, rsa, pss;

static int set_up(void **state)
{
    (void)state;
    ec = signer_ec(NAME);
    other = signer_ec(NAME);
    rsa = signer_rsa(NAME);
    pss = signer_pss(NAME);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signer_drop(&ec);
    signer_drop(&other);
    signer_drop(&rsa);
    signer_drop(&pss);
    return 0;
}

static void accept_with(const char *note, const struct note_key *keys, size_t count,
                        const struct note_key *first)
{
    struct error error = {0};
    size_t text_size = 0;
    const struct note_key *key = NULL;
    if (note_verify(note, strlen(note), keys, count, &text_size, &key, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(text_size, strlen(TEXT));
    assert_ptr_equal(key, first);
}

static void refuse_with(const char *note, size_t size, const struct note_key *keys, size_t count,
                        const char *message)
{
    struct error error = {0};
    size_t text_size = 4711;
    const struct note_key *key = &other.key;
    assert_int_equal(note_verify(note, size, keys, count, &text_size, &key, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    if (message != NULL)
        assert_string_equal(error.text, message);
    assert_int_equal(text_size, 4711);
    assert_ptr_equal(key, &other.key);
}

static void refuse(const char *note, const char *message)
{
    refuse_with(note, strlen(note), &ec.key, 1, message);
}

/* ---- keys ---- */

static uint32_t id_from(struct digest digest)
{
    return (uint32_t)digest.bytes[0] << 24 | (uint32_t)digest.bytes[1] << 16 |
           (uint32_t)digest.bytes[2] << 8 | digest.bytes[3];
}

static void test_ids(void **state)
{
    (void)state;
    static const char before[] = NAME "\n\xffPKIX-RSA-PKCS#1v1.5";
    const struct digest_part parts[] = {{before, sizeof(before) - 1}, {rsa.spki, rsa.spki_size}};
    assert_int_equal(ec.key.type, NOTE_ECDSA);
    assert_int_equal(ec.key.id, id_from(digest_of(ec.spki, ec.spki_size)));
    assert_int_equal(rsa.key.type, NOTE_RSA);
    assert_int_equal(rsa.key.id, id_from(digest_of_parts(parts, 2)));
}

/* The same type and kind of id as for P-256: the format does not name the curve. */
static void test_p384(void **state)
{
    (void)state;
    struct error error = {0};
    size_t text_size = 0;
    struct signer signer = signer_of(EVP_EC_gen("P-384"));
    signer_name(&signer, NAME);
    auto_free char *note = signer_note(&signer, "text\n");
    assert_int_equal(signer.key.type, NOTE_ECDSA);
    assert_int_equal(signer.key.id, id_from(digest_of(signer.spki, signer.spki_size)));
    assert_int_equal(note_verify(note, strlen(note), &signer.key, 1, &text_size, NULL, &error), 0);
    signer_drop(&signer);
}

static void test_fingerprint(void **state)
{
    (void)state;
    char text[NOTE_FINGERPRINT_SIZE];
    char hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(rsa.spki, rsa.spki_size);
    digest_hex(&digest, hex);
    note_key_fingerprint(&rsa.key, text);
    assert_int_equal(strlen(text), 7 + 64);
    assert_memory_equal(text, "SHA256:", 7);
    assert_string_equal(text + 7, hex);
}

/* The generator of P-256 as a public key; its id was computed without this program. */
static void test_known_vkey(void **state)
{
    (void)state;
    static const char vkey[] =
        "p11vault.example/log+5cd252fb+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGsX0fLhLEJH+Lzm5WOkQPJ3"
        "A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=";
    struct note_key key;
    struct error error = {0};
    char again[NOTE_VKEY_MAX];
    if (note_key_parse(vkey, &key, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(key.name, "p11vault.example/log");
    assert_int_equal(key.id, 0x5cd252fb);
    assert_int_equal(note_key_vkey(&key, again, &error), 0);
    assert_string_equal(again, vkey);
}

static void round_trip(const struct note_key *key)
{
    char vkey[NOTE_VKEY_MAX];
    char again[NOTE_VKEY_MAX];
    struct note_key parsed;
    struct error error = {0};
    assert_int_equal(note_key_vkey(key, vkey, &error), 0);
    if (note_key_parse(vkey, &parsed, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(parsed.name, key->name);
    assert_int_equal(parsed.id, key->id);
    assert_int_equal(parsed.type, key->type);
    assert_int_equal(parsed.spki_size, key->spki_size);
    assert_memory_equal(parsed.spki, key->spki, key->spki_size);
    assert_int_equal(note_key_vkey(&parsed, again, &error), 0);
    assert_string_equal(again, vkey);
}

/* A public key of 4089 bits: three primes of Mersenne, since finding primes takes a while. */
static EVP_PKEY *large_rsa_key(void)
{
    static const int exponents[] = {607, 1279, 2203};
    EVP_PKEY *key = NULL;
    BIGNUM *modulus = BN_new();
    BIGNUM *prime = BN_new();
    BN_CTX *numbers = BN_CTX_new();
    unsigned char bytes[512];
    assert_int_equal(BN_one(modulus), 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(BN_one(prime), 1);
        assert_int_equal(BN_lshift(prime, prime, exponents[i]), 1);
        assert_int_equal(BN_sub_word(prime, 1), 1);
        assert_int_equal(BN_mul(modulus, modulus, prime, numbers), 1);
    }
    assert_int_equal(BN_bn2nativepad(modulus, bytes, sizeof(bytes)), sizeof(bytes));
    unsigned exponent = 65537;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_BN("n", bytes, sizeof(bytes)),
        OSSL_PARAM_construct_uint("e", &exponent),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    EVP_PKEY_CTX_free(context);
    BN_CTX_free(numbers);
    BN_free(prime);
    BN_free(modulus);
    return key;
}

static void test_vkey_round_trip(void **state)
{
    (void)state;
    struct signer large = signer_of(large_rsa_key());
    char longest[NOTE_NAME_MAX];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    signer_name(&large, longest);
    round_trip(&ec.key);
    round_trip(&rsa.key);
    round_trip(&pss.key);
    round_trip(&large.key);
    signer_drop(&large);
}

static void refuse_vkey(const char *vkey, const char *message)
{
    struct note_key key = {.id = 4711};
    struct error error = {0};
    assert_int_equal(note_key_parse(vkey, &key, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    if (message != NULL)
        assert_string_equal(error.text, message);
    assert_int_equal(key.id, 4711);
}

static void test_changed_vkeys(void **state)
{
    (void)state;
    char vkey[NOTE_VKEY_MAX];
    struct error error = {0};
    struct note_key key;
    assert_int_equal(note_key_vkey(&ec.key, vkey, &error), 0);
    for (size_t i = 0; i < strlen(vkey); i++) {
        char kept = vkey[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            vkey[i] = (char)(kept ^ 1 << bit);
            /* The id of an ECDSA key does not depend on its name: another name is another key. */
            bool parsed = note_key_parse(vkey, &key, &error) == 0;
            assert_true(!parsed || i < strlen(NAME));
            assert_true(!parsed || strcmp(key.name, NAME) != 0);
        }
        vkey[i] = '\0';
        refuse_vkey(vkey, NULL);
        vkey[i] = kept;
    }
    /* That of an RSA key does. */
    assert_int_equal(note_key_vkey(&rsa.key, vkey, &error), 0);
    vkey[0] = 'q';
    refuse_vkey(vkey, "not a verifier key: its id is not that of its key");
}

static void test_malformed_vkeys(void **state)
{
    (void)state;
    static const char form[] = "not a verifier key: its form is NAME+ID+KEY";
    char vkey[NOTE_VKEY_MAX];
    char text[2 * NOTE_VKEY_MAX];
    struct error error = {0};
    assert_int_equal(note_key_vkey(&ec.key, vkey, &error), 0);
    const char *rest = strchr(vkey, '+');
    const char *base64 = rest + 10;
    refuse_vkey("", form);
    refuse_vkey("name", form);
    refuse_vkey("name+", form);
    refuse_vkey("name+0123456+AAAA", form);
    refuse_vkey("name+012345678+AAAA", form);
    refuse_vkey("name+01234567+", "not a verifier key: its type is neither ECDSA nor RSA");
    refuse_vkey("name+01234567+Ag==", "not a verifier key: signing key: not a public key in DER");
    /* An Ed25519 key, whose type is 0x01. */
    refuse_vkey("name+01234567+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "not a verifier key: its type is neither ECDSA nor RSA");
    snprintf(text, sizeof(text), "%s", rest);
    refuse_vkey(text, "not a verifier key: signing key: not a name for one");
    snprintf(text, sizeof(text), "a b%s", rest);
    refuse_vkey(text, "not a verifier key: signing key: not a name for one");
    snprintf(text, sizeof(text), "%s ", vkey);
    refuse_vkey(text, "not a verifier key: not canonical base64");
    snprintf(text, sizeof(text), "%s\n", vkey);
    refuse_vkey(text, "not a verifier key: not canonical base64");
    snprintf(text, sizeof(text), "name+%08X+%s", 0xabcdef01U, base64);
    refuse_vkey(text, "not a verifier key: its id is not that of its key");
    snprintf(text, sizeof(text), "%0200d%s", 0, rest);
    refuse_vkey(text, form);
    snprintf(text, sizeof(text), "name+01234567+%01200d", 0);
    refuse_vkey(text, "not a verifier key: too long");
}

/* The key of one kind under the type of the other. */
static void test_vkey_of_the_wrong_type(void **state)
{
    (void)state;
    auto_buffer struct buffer bytes = BUFFER_UP_TO(1024);
    auto_buffer struct buffer vkey = BUFFER_UP_TO(NOTE_VKEY_MAX);
    struct error error = {0};
    assert_int_equal(buffer_put(&bytes, "\x02", 1, &error), 0);
    assert_int_equal(buffer_put(&bytes, rsa.spki, rsa.spki_size, &error), 0);
    assert_int_equal(buffer_put_format(&vkey, &error, "%s+%08x+", NAME, rsa.key.id), 0);
    assert_int_equal(base64_put(&vkey, bytes.data, bytes.size, &error), 0);
    refuse_vkey(buffer_text(&vkey), "not a verifier key: its type is not that of its key");
    buffer_clear(&bytes);
    buffer_clear(&vkey);
    assert_int_equal(buffer_put_text(&bytes, "\xffPKIX-RSA-PKCS#1v1.5", &error), 0);
    assert_int_equal(buffer_put(&bytes, ec.spki, ec.spki_size, &error), 0);
    assert_int_equal(buffer_put_format(&vkey, &error, "%s+%08x+", NAME, ec.key.id), 0);
    assert_int_equal(base64_put(&vkey, bytes.data, bytes.size, &error), 0);
    refuse_vkey(buffer_text(&vkey), "not a verifier key: its type is not that of its key");
}

static void refuse_key(const char *name, const uint8_t *spki, size_t size, const char *message)
{
    struct note_key key = {.id = 4711};
    struct error error = {0};
    assert_int_equal(note_key_make(name, spki, size, &key, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_string_equal(error.text, message);
    assert_int_equal(key.id, 4711);
}

static void refuse_kind(EVP_PKEY *private)
{
    struct signer signer = signer_of(private);
    refuse_key(NAME, signer.spki, signer.spki_size,
               "signing key: neither P-256, P-384 nor RSA of 2048 to 4096 bits");
    signer_drop(&signer);
}

static EVP_PKEY *compressed_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, "point-format", "compressed"), 1);
    return key;
}

static void test_other_kinds_of_keys(void **state)
{
    (void)state;
    refuse_kind(EVP_RSA_gen(1024));
    refuse_kind(EVP_EC_gen("P-521"));
    refuse_kind(EVP_EC_gen("secp256k1"));
    refuse_kind(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    refuse_kind(compressed_key());
    static const uint8_t large[NOTE_SPKI_MAX + 1] = {0};
    refuse_key(NAME, large, sizeof(large), "signing key: more than 600 bytes");
}

static void test_malformed_keys(void **state)
{
    (void)state;
    static const char not_der[] = "signing key: not a public key in DER";
    uint8_t spki[NOTE_SPKI_MAX] = {0};
    memcpy(spki, ec.spki, ec.spki_size);
    refuse_key(NAME, spki, 0, not_der);
    refuse_key(NAME, spki, ec.spki_size - 1, not_der);
    refuse_key(NAME, spki, ec.spki_size + 1, not_der);
    spki[ec.spki_size - 1] ^= 1; /* not on the curve any more */
    refuse_key(NAME, spki, ec.spki_size, not_der);
    /* A length in two bytes where one would do. */
    memcpy(spki, "\x30\x81\x59", 3);
    memcpy(spki + 3, ec.spki + 2, ec.spki_size - 2);
    refuse_key(NAME, spki, ec.spki_size + 1, not_der);
}

static void test_unsound_rsa_key(void **state)
{
    (void)state;
    uint8_t spki[NOTE_SPKI_MAX];
    memcpy(spki, rsa.spki, rsa.spki_size);
    spki[rsa.spki_size - 6] &= 0xfe; /* the last byte of the modulus: an even one */
    refuse_key(NAME, spki, rsa.spki_size, "signing key: not a sound public key");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a b",
        "a+b",
        "a\nb",
        "a\tb",
        "a\x01"
        "b",
        "a\xc2\xa0"
        "b", /* no-break space */
        "a\xc2\x85"
        "b",                /* next line */
        "\xe1\x9a\x80",     /* ogham space */
        "\xe2\x80\x83",     /* em space */
        "\xe2\x80\xa8",     /* line separator */
        "\xe2\x80\xaf",     /* narrow space */
        "\xe2\x81\x9f",     /* mathematical space */
        "\xe3\x80\x80",     /* ideographic space */
        "\x80",             /* from here on: not UTF-8 */
        "\xc0\x80",         /* overlong */
        "\xe0\x81\x81",     /* overlong */
        "\xf0\x80\x81\x81", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* beyond Unicode */
        "\xe2\x80",         /* cut */
        "\xf8\x88\x80\x80\x80",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse_key(bad[i], ec.spki, ec.spki_size, "signing key: not a name for one");
    char longest[NOTE_NAME_MAX + 1];
    memset(longest, 'n', NOTE_NAME_MAX);
    longest[NOTE_NAME_MAX] = '\0';
    refuse_key(longest, ec.spki, ec.spki_size, "signing key: not a name for one");
    struct note_key key;
    struct error error = {0};
    longest[NOTE_NAME_MAX - 1] = '\0';
    assert_int_equal(note_key_make(longest, ec.spki, ec.spki_size, &key, &error), 0);
    assert_int_equal(
        note_key_make("\xf0\x9f\x94\x91/\xd0\xba", ec.spki, ec.spki_size, &key, &error), 0);
}

/* ---- notes ---- */

static void test_sign_and_verify(void **state)
{
    (void)state;
    auto_free char *by_ec = signer_note(&ec, TEXT);
    auto_free char *by_rsa = signer_note(&rsa, TEXT);
    auto_free char *by_pss = signer_note(&pss, TEXT);
    const struct note_key keys[] = {other.key, rsa.key, ec.key, pss.key};
    static const char start[] = TEXT "\n" DASH NAME " ";
    struct error error = {0};
    size_t size = 0;
    assert_memory_equal(by_ec, start, sizeof(start) - 1);
    accept_with(by_ec, keys, 3, &keys[2]);
    accept_with(by_rsa, keys, 3, &keys[1]);
    accept_with(by_pss, keys, 4, &keys[3]);
    /* Who signed need not be asked. */
    assert_int_equal(note_verify(by_ec, strlen(by_ec), keys, 3, &size, NULL, &error), 0);
    assert_int_equal(size, strlen(TEXT));
}

/* Empty lines belong to the text, but for the last. */
static void test_text_with_empty_lines(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a\n\nb\n", "a\n\n", "\n", "\n\n\n", DASH "a AAAAAAA=\n", "a\n\n" DASH "a AAAAAAA=\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        auto_free char *note = signer_note(&ec, texts[i]);
        struct error error = {0};
        size_t size = 0;
        assert_int_equal(note_verify(note, strlen(note), &ec.key, 1, &size, NULL, &error), 0);
        assert_int_equal(size, strlen(texts[i]));
    }
}

static void flip_every_byte(const struct signer *signer)
{
    auto_free char *note = signer_note(signer, TEXT);
    size_t size = strlen(note);
    for (size_t i = 0; i < size; i++) {
        /* The lowest bit, the one between small and large letters, and the one that leaves ASCII. */
        static const int masks[] = {0x01, 0x20, 0x80};
        for (size_t j = 0; j < sizeof(masks) / sizeof(masks[0]); j++) {
            note[i] = (char)(note[i] ^ masks[j]);
            refuse_with(note, size, &signer->key, 1, NULL);
            note[i] = (char)(note[i] ^ masks[j]);
        }
    }
    for (size_t cut = 0; cut < size; cut++)
        refuse_with(note, cut, &signer->key, 1, NULL);
    accept_with(note, &signer->key, 1, &signer->key);
}

static void test_every_byte_counts(void **state)
{
    (void)state;
    flip_every_byte(&ec);
    flip_every_byte(&rsa);
    flip_every_byte(&pss);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const char unsigned_note[] = "the note is signed by no trusted key";
    auto_free char *note = signer_note(&other, TEXT);
    refuse(note, unsigned_note);
    refuse_with(note, strlen(note), NULL, 0, unsigned_note);
    /* The same key under another name is another key. */
    struct signer renamed = ec;
    signer_name(&renamed, "example");
    auto_free char *elsewhere = signer_note(&renamed, TEXT);
    refuse(elsewhere, unsigned_note);
}

/* Signature lines of others around ours. */
static void test_unknown_signatures_are_ignored(void **state)
{
    (void)state;
    auto_free char *ours = signer_note(&ec, TEXT);
    auto_free char *theirs = signer_note(&other, TEXT);
    const char *our_line = ours + strlen(TEXT) + 1;
    const char *their_line = theirs + strlen(TEXT) + 1;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct error error = {0};
    /* 3,312 bytes as of a post-quantum key, one byte, and one of the same name. */
    char large[4417];
    memset(large, 'A', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(buffer_put_format(&note, &error,
                                       TEXT "\n" DASH "w %s\n" DASH "w AAAAAAA=\n%s%s" DASH
                                            "\xd0\xba AAAAAAA=\n",
                                       large, their_line, our_line),
                     0);
    accept_with(buffer_text(&note), &ec.key, 1, &ec.key);
    /* The first in the note counts, not the first in the list. */
    const struct note_key keys[] = {ec.key, other.key};
    accept_with(buffer_text(&note), keys, 2, &keys[1]);
}

static void test_known_key_that_fails(void **state)
{
    (void)state;
    auto_free char *ours = signer_note(&ec, TEXT);
    auto_free char *theirs = signer_note(&other, "another text\n");
    auto_free char *note = NULL;
    const struct note_key keys[] = {ec.key, other.key};
    char message[64];
    assert_true(asprintf(&note, "%s%s", ours, strchr(theirs, '\n') + 2) > 0);
    /* Good as long as the second key is nobody's, spoilt as soon as it is known. */
    accept_with(note, keys, 1, &keys[0]);
    snprintf(message, sizeof(message), "the signature of key %08x does not verify", other.key.id);
    refuse_with(note, strlen(note), keys, 2, message);
}

/* Name and id are all that a signature says of its key; two keys may share them. */
static void test_keys_with_one_id(void **state)
{
    (void)state;
    auto_free char *note = signer_note(&ec, TEXT);
    struct note_key twin = other.key;
    twin.id = ec.key.id;
    const struct note_key keys[] = {twin, ec.key};
    accept_with(note, keys, 2, &keys[1]);
    refuse_with(note, strlen(note), keys, 1, NULL);
}

/* Type and id say which padding; of one key the other padding's signature is none, nor is one with another salt. */
static void test_pss(void **state)
{
    (void)state;
    static const char before[] = NAME "\n\xffPKIX-RSA-PSS-SHA256";
    const struct digest_part parts[] = {{before, sizeof(before) - 1}, {pss.spki, pss.spki_size}};
    struct error error = {0};
    struct note_key both = pss.key, renamed;
    auto_free char *other_padding = NULL;
    uint8_t signature[NOTE_SIGNATURE_MAX];
    assert_int_equal(pss.key.type, NOTE_RSA_PSS);
    assert_int_equal(pss.key.id, id_from(digest_of_parts(parts, 2)));
    assert_int_equal(note_key_make(NAME, pss.spki, pss.spki_size, &both, &error), 0);
    assert_int_not_equal(both.id, pss.key.id);
    pss.key.type = NOTE_RSA;
    size_t size = signer_sign(&pss, TEXT, signature);
    pss.key.type = NOTE_RSA_PSS;
    assert_int_equal(note_compose(TEXT, &pss.key, signature, size, &other_padding, &error), 0);
    refuse_with(other_padding, strlen(other_padding), &pss.key, 1, NULL);
    signer_salt = 20;
    auto_free char *other_salt = signer_note(&pss, TEXT);
    signer_salt = 32;
    refuse_with(other_salt, strlen(other_salt), &pss.key, 1, NULL);
    assert_int_equal(note_key_rename(&pss.key, "other", &renamed, &error), 0);
    assert_int_equal(renamed.type, NOTE_RSA_PSS);
    assert_string_equal(renamed.name, "other");
    assert_int_equal(note_key_use_pss(&ec.key, &error), -1);
    assert_string_equal(error.text, "signing key: only an RSA key signs by PSS");
}

/* A signature by ECDSA does not become one by RSA, nor does the digest. */
static void test_signature_of_the_other_kind(void **state)
{
    (void)state;
    auto_free char *note = NULL;
    uint8_t signature[NOTE_SIGNATURE_MAX];
    struct error error = {0};
    size_t size = signer_sign(&ec, TEXT, signature);
    assert_int_equal(note_compose(TEXT, &rsa.key, signature, size, &note, &error), 0);
    refuse_with(note, strlen(note), &rsa.key, 1, NULL);
    /* DER with something behind it. */
    auto_free char *longer = NULL;
    signature[size++] = 0;
    assert_int_equal(note_compose(TEXT, &ec.key, signature, size, &longer, &error), 0);
    refuse_with(longer, strlen(longer), &ec.key, 1, NULL);
}

static void test_number_of_signatures(void **state)
{
    (void)state;
    auto_free char *ours = signer_note(&ec, TEXT);
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct error error = {0};
    assert_int_equal(buffer_put_text(&note, TEXT "\n", &error), 0);
    for (size_t i = 1; i < NOTE_SIGNATURES_MAX; i++)
        assert_int_equal(buffer_put_text(&note, DASH "w AAAAAAA=\n", &error), 0);
    assert_int_equal(buffer_put_text(&note, ours + strlen(TEXT) + 1, &error), 0);
    accept_with(buffer_text(&note), &ec.key, 1, &ec.key);
    assert_int_equal(buffer_put_text(&note, DASH "w AAAAAAA=\n", &error), 0);
    refuse(buffer_text(&note), "malformed note: too many signatures");
}

static void test_malformed_notes(void **state)
{
    (void)state;
    static const char lines[] = "malformed note: not lines of UTF-8 without control characters";
    static const char empty_line[] = "malformed note: no empty line with a signature behind it";
    static const char mark[] =
        "malformed note: a signature line begins with an em dash and a space";
    static const char name[] = "malformed note: a signature line without a key name";
    static const char base64[] = "malformed note: a signature is not canonical base64";
    static const char shortness[] = "malformed note: a signature is too short";
    static const struct {
        const char *note;
        const char *message;
    } cases[] = {
        {"", lines},
        {"text", lines},
        {"text\n\n" DASH "a AAAAAAA=", lines},
        {"te\rxt\n\n" DASH "a AAAAAAA=\n", lines},
        {"te\x1bxt\n\n" DASH "a AAAAAAA=\n", lines},
        {"te\xffxt\n\n" DASH "a AAAAAAA=\n", lines},
        {"te\xed\xa0\x80xt\n\n" DASH "a AAAAAAA=\n", lines},
        {"text\n", empty_line},
        {"\n", empty_line},
        {"text\n\n", empty_line},
        {"\n\n", empty_line},
        {"text\n" DASH "a AAAAAAA=\n", empty_line},
        {"text\n\n-- a AAAAAAA=\n", mark},
        {"text\n\n\xe2\x80\x94\n", mark},
        {"text\n\n\xe2\x80\x94"
         "a AAAAAAA=\n",
         mark},
        {"text\n\n\xe2\x80\x93 a AAAAAAA=\n", mark},
        {"text\n\n " DASH "a AAAAAAA=\n", mark},
        {"text\n\n" DASH "a AAAAAAA=\nb\n", mark},
        {"text\n\n" DASH "\n", name},
        {"text\n\n" DASH "a\n", name},
        {"text\n\n" DASH " AAAAAAA=\n", name},
        {"text\n\n" DASH "a+b AAAAAAA=\n", name},
        {"text\n\n" DASH "a\xc2\xa0"
         "b AAAAAAA=\n",
         name},
        {"text\n\n" DASH "a AAAAAAA\n", base64},
        {"text\n\n" DASH "a AAAAAAB=\n", base64},
        {"text\n\n" DASH "a AAAA-AA=\n", base64},
        {"text\n\n" DASH "a AAAAAAA= \n", base64},
        {"text\n\n" DASH "a  AAAAAAA=\n", base64},
        {"text\n\n" DASH "a AAAAAAA= c\n", base64},
        {"text\n\n" DASH "a \n", shortness},
        {"text\n\n" DASH "a AAAA\n", shortness},
        {"text\n\n" DASH "a AAAAAA==\n", shortness},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse(cases[i].note, cases[i].message);
    static const char with_nul[] = "te\0xt\n\n" DASH "a AAAAAAA=\n";
    refuse_with(with_nul, sizeof(with_nul) - 1, &ec.key, 1, lines);
}

static void test_sizes(void **state)
{
    (void)state;
    char text[NOTE_MAX + 2];
    uint8_t signature[NOTE_SIGNATURE_MAX] = {0};
    char *note = NULL;
    struct error error = {0};
    /* The longest note there can be, and one byte more. */
    size_t size = signer_sign(&rsa, "", signature);
    size_t line = 1 + strlen(DASH) + strlen(NAME) + 1 + (4 + size + 2) / 3 * 4 + 1;
    memset(text, 'x', sizeof(text));
    text[NOTE_MAX - line - 1] = '\n';
    text[NOTE_MAX - line] = '\0';
    auto_free char *longest = signer_note(&rsa, text);
    assert_int_equal(strlen(longest), NOTE_MAX);
    assert_int_equal(note_verify(longest, NOTE_MAX, &rsa.key, 1, &size, NULL, &error), 0);
    refuse_with(longest, NOTE_MAX + 1, &rsa.key, 1, "malformed note: too long");
    memset(text, 'x', NOTE_MAX - line + 1);
    text[NOTE_MAX - line] = '\n';
    text[NOTE_MAX - line + 1] = '\0';
    assert_int_equal(note_compose(text, &rsa.key, signature, 256, &note, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(note);
}

static void test_what_cannot_be_composed(void **state)
{
    (void)state;
    static const uint8_t signature[NOTE_SIGNATURE_MAX + 1] = {0};
    static const char *const texts[] = {"", "a", "a\r\n", "a\xff\n", "a\tb\n"};
    char *note = NULL;
    struct error error = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        error = (struct error){0};
        assert_int_equal(note_compose(texts[i], &ec.key, signature, 64, &note, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
    }
    error = (struct error){0};
    assert_int_equal(note_compose("a\n", &ec.key, signature, 0, &note, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    error = (struct error){0};
    assert_int_equal(note_compose("a\n", &ec.key, signature, NOTE_SIGNATURE_MAX + 1, &note, &error),
                     -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_p384),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_known_vkey),
        cmocka_unit_test(test_vkey_round_trip),
        cmocka_unit_test(test_changed_vkeys),
        cmocka_unit_test(test_malformed_vkeys),
        cmocka_unit_test(test_vkey_of_the_wrong_type),
        cmocka_unit_test(test_other_kinds_of_keys),
        cmocka_unit_test(test_malformed_keys),
        cmocka_unit_test(test_unsound_rsa_key),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_text_with_empty_lines),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_unknown_signatures_are_ignored),
        cmocka_unit_test(test_known_key_that_fails),
        cmocka_unit_test(test_keys_with_one_id),
        cmocka_unit_test(test_signature_of_the_other_kind),
        cmocka_unit_test(test_pss),
        cmocka_unit_test(test_number_of_signatures),
        cmocka_unit_test(test_malformed_notes),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_what_cannot_be_composed),
    };
    return cmocka_run_group_tests_name("note", tests, set_up, tear_down);
}
