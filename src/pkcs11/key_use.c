/*
 * key_use.c: the three things a key of ours does: decrypt, agree, sign.
 */
#include "internal.h"

#include <string.h>

#include "p11vault/base/clock.h"

#define COORDINATE_MAX 48
#define CONTENT_KEY_SIZE 32
#define RSA_MAX (KEY_RSA_BITS_MAX / 8)
#define DIGEST_INFO_MAX 51
#define AT_ONCE_US 1000000 /* a card that refuses what it is sent says so within a second */
#define IN_VAIN_US 5000000 /* and one that waits for a touch gives up after 10 seconds or more */

static int refuse(const struct card *card, enum code code, const char *why, struct error *error)
{
    error_set(error, code, "%s", why);
    return card_prefix(card, error);
}

bool key_form_is_refused(CK_RV rv, int64_t took_us)
{
    return rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_ARGUMENTS_BAD || rv == CKR_DATA_INVALID ||
           rv == CKR_DATA_LEN_RANGE || took_us < AT_ONCE_US;
}

bool key_was_untouched(CK_RV rv, int64_t took_us)
{
    /* OpenSC; ykcs11; either of a key that has fallen silent. */
    return (rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_FUNCTION_FAILED || rv == CKR_DEVICE_ERROR) &&
           took_us >= IN_VAIN_US;
}

/* After a use that failed; `fail` has said what the module says. */
static int explain_use(CK_RV rv, int64_t began_us, struct error *error)
{
    if (key_was_untouched(rv, clock_monotonic_us() - began_us))
        error_hint(
            error,
            "if the card blinked, it waited for a touch: run the command again, and touch it then");
    return -1;
}

/*
 * The buffer always has the modulus' size and the length is never asked for: modules differ in what
 * they answer and in whether asking ends the operation.
 */
static int decrypt(struct card *card, const struct card_key *key, CK_MECHANISM *mechanism,
                   const uint8_t *ciphertext, size_t size, struct secret **ret_plaintext,
                   struct error *error)
{
    auto_of(secret_free) struct secret *plaintext = NULL;
    CK_ULONG written = key->public.modulus_size;
    int64_t began = 0;
    size_t room = 0;
    uint8_t *bytes = NULL;
    CK_RV rv = CKR_OK;

    if (secret_new(key->public.modulus_size, &plaintext, error) < 0)
        return -1;
    bytes = secret_room(plaintext, &room);
    rv = card->module->calls->C_DecryptInit(card->session, mechanism, key->handle);
    if (rv != CKR_OK)
        return card_fail(card, rv, "C_DecryptInit", error);
    rv = card_login_again(card, key);
    if (rv != CKR_OK)
        return card_fail_open(card, rv, "C_Login for this key", error);
    began = clock_monotonic_us();
    rv = card->module->calls->C_Decrypt(card->session, module_bytes(ciphertext), size, bytes,
                                        &written);
    if (rv != CKR_OK) {
        card_fail_open(card, rv, "C_Decrypt", error);
        return explain_use(rv, began, error);
    }
    if (written > key->public.modulus_size)
        return card_fail_open(card, CKR_BUFFER_TOO_SMALL, "C_Decrypt", error);
    secret_grow(plaintext, written);
    *ret_plaintext = TAKE(plaintext);
    return 0;
}

/* Reads the value of a session key, exactly `size` bytes, and destroys it whatever happens. */
static int take_value(struct card *card, CK_OBJECT_HANDLE object, size_t size,
                      struct secret **ret_value, const char *what, struct error *error)
{
    auto_of(secret_free) struct secret *value = NULL;
    struct error no_memory;
    int made = secret_new(size, &value, &no_memory);
    size_t room = 0;
    size_t got = 0;
    CK_RV rv = CKR_HOST_MEMORY;
    CK_RV destroyed = CKR_OK;

    if (made == 0)
        rv = key_attribute(card, object, CKA_VALUE, secret_room(value, &room), size, &got);
    destroyed = card->module->calls->C_DestroyObject(card->session, object);
    /* The session's end is what destroys a session key that could not be destroyed by name. */
    if (destroyed != CKR_OK)
        return card_fail_open(card, destroyed, "C_DestroyObject", error);
    if (made < 0) {
        *error = no_memory;
        return -1;
    }
    if (rv == CKR_OK && got != size)
        rv = CKR_KEY_SIZE_RANGE;
    if (rv != CKR_OK)
        return card_fail(card, rv, what, error);
    secret_grow(value, size);
    *ret_value = TAKE(value);
    return 0;
}

/* Modules disagree on whether a readable key must be asked for or must not be. */
static CK_RV unwrap_once(struct card *card, const struct card_key *key, CK_MECHANISM *mechanism,
                         const uint8_t *wrapped, size_t size, bool asks_readable,
                         CK_OBJECT_HANDLE *ret_object)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},       {CKA_SENSITIVE, &no, sizeof(no)},
        {CKA_ENCRYPT, &yes, sizeof(yes)},   {CKA_EXTRACTABLE, &yes, sizeof(yes)},
    };
    CK_ULONG count = sizeof(template) / sizeof(template[0]) - (asks_readable ? 0 : 1);

    return card->module->calls->C_UnwrapKey(card->session, mechanism, key->handle,
                                            module_bytes(wrapped), size, template, count,
                                            ret_object);
}

static int unwrap(struct card *card, const struct card_key *key, CK_MECHANISM *mechanism,
                  const uint8_t *wrapped, size_t size, struct secret **ret_key, struct error *error)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_RV rv = unwrap_once(card, key, mechanism, wrapped, size, true, &object);

    if (rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT)
        rv = unwrap_once(card, key, mechanism, wrapped, size, false, &object);
    if (rv != CKR_OK)
        return card_fail(card, rv, "C_UnwrapKey", error);
    return take_value(card, object, CONTENT_KEY_SIZE, ret_key, "reading the unwrapped key", error);
}

int card_decrypt(struct card *card, const struct card_key *key, enum oaep_hash hash,
                 const uint8_t *ciphertext, size_t size, struct secret **ret_plaintext,
                 struct error *error)
{
    CK_RSA_PKCS_OAEP_PARAMS oaep = {
        .hashAlg = hash == OAEP_SHA1 ? CKM_SHA_1 : CKM_SHA256,
        .mgf = hash == OAEP_SHA1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
        .source = CKZ_DATA_SPECIFIED,
    };
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};

    if (card_check_ready(card, error) < 0)
        return -1;
    if (key->public.type != KEY_RSA)
        return refuse(card, CODE_FAULT, "only an RSA key decrypts", error);
    if (size != key->public.modulus_size)
        return refuse(card, CODE_STOP, "the wrapped key is not of the size of the card's key",
                      error);
    return key->can_decrypt || !key->can_unwrap
               ? decrypt(card, key, &mechanism, ciphertext, size, ret_plaintext, error)
               : unwrap(card, key, &mechanism, ciphertext, size, ret_plaintext, error);
}

/* A session key whose value may be read: it is read at once and destroyed. */
static CK_RV derive(struct card *card, const struct card_key *key, const uint8_t *point,
                    size_t point_size, CK_OBJECT_HANDLE *ret_object)
{
    CK_ECDH1_DERIVE_PARAMS params = {
        .kdf = CKD_NULL,
        .ulPublicDataLen = point_size,
        .pPublicData = module_bytes(point),
    };
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG size = key_curve(key->public.type)->coordinate_size;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},   {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},         {CKA_SENSITIVE, &no, sizeof(no)},
        {CKA_EXTRACTABLE, &yes, sizeof(yes)}, {CKA_VALUE_LEN, &size, sizeof(size)},
    };

    return card->module->calls->C_DeriveKey(card->session, &mechanism, key->handle, template,
                                            sizeof(template) / sizeof(template[0]), ret_object);
}

/*
 * The bare point first; a card that refuses it may want it inside a DER OCTET STRING.  One that has
 * waited for a touch in vain is not asked again: nobody is there, and it would wait once more.
 */
static CK_RV derive_either(struct card *card, const struct card_key *key, const uint8_t *peer,
                           CK_OBJECT_HANDLE *ret_object)
{
    size_t size = key_point_size(key->public.type);
    uint8_t wrapped[2 + KEY_POINT_MAX] = {0x04, (uint8_t)size};
    int64_t began = clock_monotonic_us();
    CK_RV first = derive(card, key, peer, size, ret_object);

    if (first == CKR_OK || !key_form_is_refused(first, clock_monotonic_us() - began))
        return first;
    memcpy(wrapped + 2, peer, size);
    return derive(card, key, wrapped, 2 + size, ret_object) == CKR_OK ? CKR_OK : first;
}

int card_agree(struct card *card, const struct card_key *key, const uint8_t *peer,
               struct secret **ret_shared, struct error *error)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    int64_t began = clock_monotonic_us();
    CK_RV rv = CKR_OK;

    if (card_check_ready(card, error) < 0)
        return -1;
    if (key->public.type == KEY_RSA)
        return refuse(card, CODE_FAULT, "only an EC key agrees on a secret", error);
    if (peer[0] != 0x04)
        return refuse(card, CODE_STOP, "the peer's point is not an uncompressed one", error);
    rv = derive_either(card, key, peer, &object);
    /* What it may do is believed of its use and not of its flags: see may_agree(). */
    if (rv == CKR_KEY_FUNCTION_NOT_PERMITTED)
        return refuse(card, CODE_CONFIG, "the key may not derive, so it cannot unwrap", error);
    if (rv != CKR_OK) {
        card_fail(card, rv, "C_DeriveKey", error);
        return explain_use(rv, began, error);
    }
    return take_value(card, object, key_curve(key->public.type)->coordinate_size, ret_shared,
                      "reading the derived key", error);
}

/*
 * One signature into `room` bytes.  A refused mechanism leaves the session usable and is for the
 * caller to see.
 */
static int sign(struct card *card, const struct card_key *key, CK_MECHANISM *mechanism,
                const void *bytes, size_t size, uint8_t *ret_signature, size_t wanted_size,
                CK_RV *ret_begin, struct error *error)
{
    CK_ULONG written = wanted_size;
    int64_t began = 0;
    CK_RV rv = card->module->calls->C_SignInit(card->session, mechanism, key->handle);

    *ret_begin = rv;
    if (rv != CKR_OK)
        return card_fail(card, rv, "C_SignInit", error);
    rv = card_login_again(card, key);
    if (rv != CKR_OK)
        return card_fail_open(card, rv, "C_Login for this key", error);
    began = clock_monotonic_us();
    rv = card->module->calls->C_Sign(card->session, module_bytes(bytes), size, ret_signature,
                                     &written);
    if (rv == CKR_OK && written != wanted_size)
        rv = CKR_SIGNATURE_LEN_RANGE;
    if (rv == CKR_OK)
        return 0;
    card_fail_open(card, rv, "C_Sign", error);
    return explain_use(rv, began, error);
}

/* One DER INTEGER, big endian: no superfluous zeros, one where the top bit is set. */
static size_t put_integer(const uint8_t *number, size_t size, uint8_t *ret_der)
{
    size_t skip = 0;
    size_t pad = 0;

    while (skip < size - 1 && number[skip] == 0)
        skip++;
    pad = number[skip] >> 7;
    ret_der[0] = 0x02;
    ret_der[1] = (uint8_t)(size - skip + pad);
    ret_der[2] = 0;
    memcpy(ret_der + 2 + pad, number + skip, size - skip);
    return 2 + pad + size - skip;
}

static int sign_ec(struct card *card, const struct card_key *key, const void *message, size_t size,
                   uint8_t *ret_signature, size_t *ret_size, struct error *error)
{
    struct digest digest = digest_of(message, size);
    size_t half = key_curve(key->public.type)->coordinate_size;
    uint8_t raw[2 * COORDINATE_MAX] = {0};
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV begin = CKR_OK;
    size_t content = 0;

    if (sign(card, key, &mechanism, digest.bytes, sizeof(digest.bytes), raw, 2 * half, &begin,
             error) < 0)
        return -1;
    content = put_integer(raw, half, ret_signature + 2);
    content += put_integer(raw + half, half, ret_signature + 2 + content);
    ret_signature[0] = 0x30;
    ret_signature[1] = (uint8_t)content;
    *ret_size = 2 + content;
    return 0;
}

/* What is signed when a card takes the digest ready made: DigestInfo of RFC 8017 section 9.2, or the digest itself for PSS. */
static size_t put_digest(const void *message, size_t size, enum key_padding padding,
                         uint8_t ret_info[DIGEST_INFO_MAX])
{
    static const uint8_t prefix[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    struct digest digest = digest_of(message, size);
    size_t before = padding == KEY_PSS ? 0 : sizeof(prefix);

    memcpy(ret_info, prefix, before);
    memcpy(ret_info + before, digest.bytes, DIGEST_SIZE);
    return before + DIGEST_SIZE;
}

static int sign_rsa(struct card *card, const struct card_key *key, enum key_padding padding,
                    const void *message, size_t size, uint8_t ret_signature[KEY_SIGNATURE_MAX],
                    size_t *ret_size, CK_RV *ret_begin, struct error *error)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, DIGEST_SIZE};
    CK_MECHANISM hashing = {CKM_SHA256_RSA_PKCS, NULL, 0};
    CK_MECHANISM bare = {CKM_RSA_PKCS, NULL, 0};
    uint8_t info[DIGEST_INFO_MAX];
    uint8_t signature[RSA_MAX];
    size_t wanted = key->public.modulus_size;

    if (padding == KEY_PSS) {
        hashing = (CK_MECHANISM){CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss)};
        bare = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof(pss)};
    }
    int result = sign(card, key, &hashing, message, size, signature, wanted, ret_begin, error);

    /* Cards without this mechanism take the digest ready made. */
    if (result < 0 && *ret_begin == CKR_MECHANISM_INVALID) {
        size_t info_size = put_digest(message, size, padding, info);
        result = sign(card, key, &bare, info, info_size, signature, wanted, ret_begin, error);
    }
    if (result < 0)
        return -1;
    memcpy(ret_signature, signature, wanted);
    *ret_size = wanted;
    return 0;
}

static int check_signs(const struct card *card, const struct card_key *key, struct error *error)
{
    if (card_check_ready(card, error) < 0)
        return -1;
    return key->can_sign ? 0 : refuse(card, CODE_CONFIG, "the key may not sign", error);
}

/* Not what a card says that is out, busy or broken: the key or the card has no such signature. */
static bool is_refused(CK_RV begin)
{
    return begin == CKR_MECHANISM_INVALID || begin == CKR_MECHANISM_PARAM_INVALID ||
           begin == CKR_KEY_FUNCTION_NOT_PERMITTED || begin == CKR_KEY_TYPE_INCONSISTENT;
}

int card_sign(struct card *card, const struct card_key *key, enum key_padding padding,
              const void *message, size_t size, uint8_t ret_signature[KEY_SIGNATURE_MAX],
              size_t *ret_size, struct error *error)
{
    CK_RV begin = CKR_OK;

    if (check_signs(card, key, error) < 0)
        return -1;
    if (key->public.type != KEY_RSA)
        return sign_ec(card, key, message, size, ret_signature, ret_size, error);
    if (sign_rsa(card, key, padding, message, size, ret_signature, ret_size, &begin, error) == 0)
        return 0;
    if (is_refused(begin))
        error_hint(error,
                   "if it signed when it was enrolled, it was set up anew: p11vault card enroll "
                   "'pkcs11:serial=%s'",
                   card->info.serial);
    return -1;
}

int card_find_padding(struct card *card, const struct card_key *key, enum key_padding *ret_padding,
                      struct error *error)
{
    static const char text[] = "p11vault: which padding?\n"; /* no checkpoint has one line */
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t size;
    CK_RV begin = CKR_OK;
    struct error other;

    if (check_signs(card, key, error) < 0)
        return -1;
    *ret_padding = KEY_PKCS1;
    if (key->public.type != KEY_RSA ||
        sign_rsa(card, key, KEY_PKCS1, text, strlen(text), signature, &size, &begin, error) == 0)
        return 0;
    if (!is_refused(begin) ||
        sign_rsa(card, key, KEY_PSS, text, strlen(text), signature, &size, &begin, &other) < 0)
        return -1;
    *ret_padding = KEY_PSS;
    return 0;
}
