/*
 * note_key.c: the keys that sign notes.  A public key is taken in one encoding only, the DER that
 * libcrypto itself would write, since its hash is the key's identity.
 */
#include "p11vault/audit/note.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free);

/* Named curve, uncompressed point. */
#define P256_SPKI_SIZE 91
#define P384_SPKI_SIZE 120
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define ID_DIGITS 8

/* What stands before the SPKI in a vkey and in the hash that gives an RSA key its id. */
static const char ecdsa_type[] = "\x02";
static const char rsa_type[] = "\xffPKIX-RSA-PKCS#1v1.5";
static const char pss_type[] = "\xffPKIX-RSA-PSS-SHA256";

#define TYPE_MAX sizeof(rsa_type)
_Static_assert(sizeof(pss_type) <= TYPE_MAX, "the longest type");

static const char *const types[] = {
    [NOTE_ECDSA] = ecdsa_type, [NOTE_RSA] = rsa_type, [NOTE_RSA_PSS] = pss_type};

static const char *type_of(enum note_key_type type)
{
    return types[type];
}

/* The type that stands before a key; -1: none. */
static int type_before(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t length = strlen(types[i]);
        if (size >= length && memcmp(bytes, types[i], length) == 0)
            return (int)i;
    }
    return -1;
}

static EVP_PKEY *load(const uint8_t *spki, size_t spki_size)
{
    const unsigned char *at = spki;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki_size);
    /* The thread's queue of faults belongs to whoever looks into it next. */
    ERR_clear_error();
    return key;
}

/* libcrypto reads more encodings of one key than it writes, and ignores what stands behind it. */
static bool is_canonical(EVP_PKEY *key, const uint8_t *spki, size_t spki_size)
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    bool same = size > 0 && (size_t)size == spki_size && memcmp(der, spki, spki_size) == 0;
    OPENSSL_free(der);
    return same;
}

static bool is_ecdsa(EVP_PKEY *key, size_t spki_size)
{
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
        return false;
    return (strcmp(group, "prime256v1") == 0 && spki_size == P256_SPKI_SIZE) ||
           (strcmp(group, "secp384r1") == 0 && spki_size == P384_SPKI_SIZE);
}

static bool is_sound(EVP_PKEY *key)
{
    auto_of(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;
    ERR_clear_error();
    return sound;
}

/* The type of a public key that may sign. */
static int find_type(const uint8_t *spki, size_t spki_size, enum note_key_type *ret_type,
                     struct error *error)
{
    auto_of(EVP_PKEY_free) EVP_PKEY *key = load(spki, spki_size);
    if (key == NULL || !is_canonical(key, spki, spki_size))
        return error_set(error, CODE_STOP, "signing key: not a public key in DER");
    int bits = EVP_PKEY_get_bits(key);
    if (is_ecdsa(key, spki_size))
        *ret_type = NOTE_ECDSA;
    else if (EVP_PKEY_is_a(key, "RSA") == 1 && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
        *ret_type = NOTE_RSA;
    else
        return error_set(error, CODE_STOP,
                         "signing key: neither P-256, P-384 nor RSA of %d to %d bits", RSA_BITS_MIN,
                         RSA_BITS_MAX);
    if (!is_sound(key))
        return error_set(error, CODE_STOP, "signing key: not a sound public key");
    return 0;
}

static uint32_t id_of(const struct note_key *key)
{
    const char *type = type_of(key->type);
    const struct digest_part parts[] = {{key->name, strlen(key->name)},
                                        {"\n", 1},
                                        {type, strlen(type)},
                                        {key->spki, key->spki_size}};
    /* ECDSA keys are the exception of the format: neither name nor type are hashed. */
    struct digest digest =
        key->type == NOTE_ECDSA ? digest_of_parts(parts + 3, 1) : digest_of_parts(parts, 4);
    return (uint32_t)digest.bytes[0] << 24 | (uint32_t)digest.bytes[1] << 16 |
           (uint32_t)digest.bytes[2] << 8 | digest.bytes[3];
}

int note_key_make(const char *name, const uint8_t *spki, size_t spki_size, struct note_key *ret_key,
                  struct error *error)
{
    struct note_key key = {.spki_size = spki_size};
    size_t name_size = strnlen(name, NOTE_NAME_MAX);
    if (name_size == NOTE_NAME_MAX || !note_name_valid(name, name_size))
        return error_set(error, CODE_STOP, "signing key: not a name for one");
    if (spki_size > sizeof(key.spki))
        return error_set(error, CODE_STOP, "signing key: more than %zu bytes", sizeof(key.spki));
    if (find_type(spki, spki_size, &key.type, error) < 0)
        return -1;
    memcpy(key.name, name, name_size);
    memcpy(key.spki, spki, spki_size);
    key.id = id_of(&key);
    *ret_key = key;
    return 0;
}

int note_key_use_pss(struct note_key *key, struct error *error)
{
    if (key->type == NOTE_ECDSA)
        return error_set(error, CODE_STOP, "signing key: only an RSA key signs by PSS");
    key->type = NOTE_RSA_PSS;
    key->id = id_of(key);
    return 0;
}

int note_key_rename(const struct note_key *key, const char *name, struct note_key *ret_key,
                    struct error *error)
{
    struct note_key renamed;
    if (note_key_make(name, key->spki, key->spki_size, &renamed, error) < 0 ||
        (key->type == NOTE_RSA_PSS && note_key_use_pss(&renamed, error) < 0))
        return -1;
    *ret_key = renamed;
    return 0;
}

static int refuse_vkey(const char *what, struct error *error)
{
    return error_set(error, CODE_STOP, "not a verifier key: %s", what);
}

int note_key_parse(const char *vkey, struct note_key *ret_key, struct error *error)
{
    struct note_key key = {.id = 0};
    char name[NOTE_NAME_MAX] = "";
    char id[ID_DIGITS + 1];
    uint8_t bytes[TYPE_MAX + NOTE_SPKI_MAX];
    size_t size = strnlen(vkey, NOTE_VKEY_MAX);
    if (size == NOTE_VKEY_MAX)
        return refuse_vkey("too long", error);
    const char *plus = strchr(vkey, '+');
    if (plus == NULL || (size_t)(plus - vkey) >= sizeof(name) || strlen(plus) < 1 + ID_DIGITS + 1 ||
        plus[1 + ID_DIGITS] != '+')
        return refuse_vkey("its form is NAME+ID+KEY", error);
    memcpy(name, vkey, (size_t)(plus - vkey));
    const char *text = plus + 1 + ID_DIGITS + 1;
    if (base64_decode(text, strlen(text), bytes, sizeof(bytes), &size, error) < 0)
        return error_prefix(error, "not a verifier key");
    int type = type_before(bytes, size);
    if (type < 0)
        return refuse_vkey("its type is neither ECDSA nor RSA", error);
    size_t type_size = strlen(types[type]);
    if (note_key_make(name, bytes + type_size, size - type_size, &key, error) < 0 ||
        (type == NOTE_RSA_PSS && note_key_use_pss(&key, error) < 0))
        return error_prefix(error, "not a verifier key");
    snprintf(id, sizeof(id), "%08x", key.id);
    if (key.type != (enum note_key_type)type)
        return refuse_vkey("its type is not that of its key", error);
    if (memcmp(id, plus + 1, ID_DIGITS) != 0)
        return refuse_vkey("its id is not that of its key", error);
    *ret_key = key;
    return 0;
}

int note_key_vkey(const struct note_key *key, char ret_vkey[NOTE_VKEY_MAX], struct error *error)
{
    const char *type = type_of(key->type);
    auto_buffer struct buffer bytes = BUFFER_UP_TO(TYPE_MAX + NOTE_SPKI_MAX);
    auto_buffer struct buffer text = BUFFER_UP_TO(NOTE_VKEY_MAX - 1);
    if (buffer_put_text(&bytes, type, error) < 0 ||
        buffer_put(&bytes, key->spki, key->spki_size, error) < 0 ||
        buffer_put_format(&text, error, "%s+%08x+", key->name, key->id) < 0 ||
        base64_put(&text, bytes.data, bytes.size, error) < 0)
        return error_prefix(error, "write a verifier key");
    memcpy(ret_vkey, text.data, text.size + 1);
    return 0;
}

void note_key_fingerprint(const struct note_key *key, char ret_text[NOTE_FINGERPRINT_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(key->spki, key->spki_size);
    digest_hex(&digest, hex);
    snprintf(ret_text, NOTE_FINGERPRINT_SIZE, "SHA256:%s", hex);
}

/* The key that was used last: reading one costs as much as a signature, and a log is signed by few. */
static EVP_PKEY *load_again(const uint8_t *spki, size_t spki_size)
{
    static struct {
        EVP_PKEY *key;
        uint8_t spki[NOTE_SPKI_MAX];
        size_t size;
    } last;
    if (last.key == NULL || last.size != spki_size || memcmp(last.spki, spki, spki_size) != 0) {
        EVP_PKEY_free(last.key);
        last.key = load(spki, spki_size);
        last.size = spki_size;
        memcpy(last.spki, spki, spki_size);
    }
    return last.key;
}

/* PSS with exactly these parameters: others are not what the card was asked for. */
static bool set_padding(EVP_PKEY_CTX *context, enum note_key_type type)
{
    return type != NOTE_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, DIGEST_SIZE) == 1);
}

bool note_key_verifies(const struct note_key *key, const char *text, size_t text_size,
                       const uint8_t *signature, size_t signature_size)
{
    EVP_PKEY *public = load_again(key->spki, key->spki_size);
    auto_of(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* of the context */
    bool verified = public != NULL && context != NULL && signature_size <= NOTE_SIGNATURE_MAX &&
                    EVP_DigestVerifyInit(context, &parameters, EVP_sha256(), NULL, public) == 1 &&
                    set_padding(parameters, key->type) &&
                    EVP_DigestVerify(context, signature, signature_size,
                                     (const unsigned char *)text, text_size) == 1;
    ERR_clear_error();
    return verified;
}
