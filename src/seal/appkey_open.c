/*
 * appkey_open.c: reads an app key record, strictly, and opens it.  The recipients are not under
 * the encryption and therefore anyone's word: the caller compares the thumbprint of what was
 * opened with the log.
 */
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/json.h"
#include "p11vault/seal/appkey.h"

#define PROTECTED_MAX 64 /* bytes of JSON; ours has 36 */
#define RSA_MODULUS_MIN 256

static const char damaged[] = "app key record is damaged";
static const char unopened[] = "app key record cannot be opened";

static int refuse(struct error *error, const char *what)
{
    return error_set(error, CODE_STOP, "%s", what);
}

/* A member's text, with a NULL text when there is none. */
static struct piece member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return (struct piece){json_string_value(value), json_string_length(value)};
}

static bool is_text(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_text(object, name);
    return text != NULL && strcmp(text, expected) == 0;
}

static int check_protected(struct piece text, struct error *error)
{
    static const char *const members[] = {"cty", "enc", NULL};
    uint8_t bytes[PROTECTED_MAX];
    size_t size;
    auto_json json_t *json = NULL;
    if (base64url_decode(text.text, text.size, bytes, sizeof(bytes), &size, error) < 0 ||
        json_parse((const char *)bytes, size, "header", &json, error) < 0)
        return -1;
    if (!json_only(json, members) || !is_text(json, "cty", "jwk+json") ||
        !is_text(json, "enc", "A256GCM"))
        return refuse(error, "the header is not one of an app key record");
    return 0;
}

/* The header names what the card must do: "alg", "kid", and "epk" where there is an agreement. */
static int read_recipient_header(const json_t *header, struct appkey_recipient *recipient,
                                 struct error *error)
{
    static const char *const with_epk[] = {"alg", "epk", "kid", NULL};
    static const char *const without_epk[] = {"alg", "kid", NULL};
    const char *alg = json_text(header, "alg");
    struct piece kid = member(header, "kid");
    if (alg == NULL || appkey_alg_from(alg, &recipient->alg) < 0 || kid.text == NULL ||
        !jwk_thumbprint_valid(kid.text, kid.size))
        return refuse(error, "a recipient without algorithm or key");
    memcpy(recipient->kid, kid.text, THUMBPRINT_SIZE);
    bool agreed = recipient->alg == APPKEY_ECDH_A256KW;
    if (!json_only(header, agreed ? with_epk : without_epk))
        return refuse(error, "a recipient's header has other members");
    if (!agreed)
        return 0;
    struct jwk epk;
    if (jwk_from_json(json_object_get(header, "epk"), &epk, error) < 0)
        return -1;
    if (epk.type == JWK_RSA)
        return refuse(error, "the ephemeral key is not of an elliptic curve");
    recipient->epk_type = epk.type;
    recipient->epk = epk.point;
    recipient->epk384 = epk.point384;
    return 0;
}

static int read_recipient(const json_t *json, struct appkey_recipient *recipient,
                          struct error *error)
{
    static const char *const members[] = {"encrypted_key", "header", NULL};
    const json_t *header = json_object_get(json, "header");
    struct piece key = member(json, "encrypted_key");
    if (key.text == NULL || !json_only(json, members))
        return refuse(error, "a recipient has other members");
    if (read_recipient_header(header, recipient, error) < 0 ||
        base64url_decode(key.text, key.size, recipient->encrypted_key, RSA_MODULUS_MAX,
                         &recipient->encrypted_key_size, error) < 0)
        return -1;
    size_t size = recipient->encrypted_key_size;
    if (recipient->alg == APPKEY_ECDH_A256KW ? size != KEYWRAP_SIZE : size < RSA_MODULUS_MIN)
        return refuse(error, "a recipient's key has the wrong size");
    return 0;
}

static int read_recipients(const json_t *list, struct appkey_record *record, struct error *error)
{
    size_t count = json_array_size(list); /* 0 for what is no array */
    if (count == 0 || count > APPKEY_RECIPIENTS_MAX)
        return refuse(error, "no recipients, or too many");
    for (size_t i = 0; i < count; i++) {
        struct appkey_recipient *recipient = &record->recipients[i];
        if (read_recipient(json_array_get(list, i), recipient, error) < 0)
            return -1;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(record->recipients[j].kid, recipient->kid) == 0)
                return refuse(error, "the same recipient twice");
        }
    }
    record->count = count;
    return 0;
}

/*
 * Everything about a record that can be checked without a key.  The JSON holds the text of the
 * header.
 */
static int parse(const char *text, json_t **ret_json, struct appkey_record *ret_record,
                 struct content *ret_content, struct error *error)
{
    static const char *const members[] = {"ciphertext", "iv",  "protected",
                                          "recipients", "tag", NULL};
    size_t size = strnlen(text, APPKEY_MAX + 1);
    auto_json json_t *json = NULL;
    if (size > APPKEY_MAX)
        return refuse(error, "too long");
    if (json_parse(text, size, "app key record", &json, error) < 0)
        return -1;
    struct piece protected = member(json, "protected");
    struct piece iv = member(json, "iv");
    struct piece ciphertext = member(json, "ciphertext");
    struct piece tag = member(json, "tag");
    if (!json_only(json, members) || protected.text == NULL || iv.text == NULL ||
        ciphertext.text == NULL || tag.text == NULL)
        return refuse(error, "members are missing, or there are others");
    if (check_protected(protected, error) < 0 ||
        read_recipients(json_object_get(json, "recipients"), ret_record, error) < 0 ||
        content_decode(iv, ciphertext, tag, JWK_PRIVATE_SIZE, ret_content, error) < 0)
        return -1;
    *ret_json = TAKE(json);
    return 0;
}

int appkey_read(const char *record, struct appkey_record *ret_record, struct error *error)
{
    auto_json json_t *json = NULL;
    auto_content struct content content = {0};
    struct appkey_record read = {0};
    if (parse(record, &json, &read, &content, error) < 0)
        return seal_refuse(error, damaged);
    *ret_record = read;
    return 0;
}

int appkey_unwrap_ecdh(const struct appkey_recipient *recipient, const struct secret *shared,
                       struct secret **ret_content_key, struct error *error)
{
    if (recipient->alg != APPKEY_ECDH_A256KW)
        return error_set(error, CODE_FAULT, "this recipient's key is not unwrapped by agreement");
    if (secret_size(shared) !=
        (recipient->epk_type == JWK_P384 ? P384_SHARED_SIZE : EC_SCALAR_SIZE))
        return seal_refuse(error, unopened);
    auto_of(secret_free) struct secret *wrapping_key = NULL;
    if (ec_concat_kdf(shared, appkey_alg_name(recipient->alg), &wrapping_key, error) < 0 ||
        keywrap_unwrap(wrapping_key, recipient->encrypted_key, recipient->encrypted_key_size,
                       ret_content_key, error) < 0)
        return seal_refuse(error, unopened);
    return 0;
}

int appkey_open(const char *record, const struct secret *content_key,
                struct secret **ret_app_private, struct ec_point *ret_public, struct error *error)
{
    auto_json json_t *json = NULL;
    auto_content struct content content = {0};
    auto_of(secret_free) struct secret *payload = NULL;
    struct appkey_record recipients = {0};
    if (parse(record, &json, &recipients, &content, error) < 0)
        return seal_refuse(error, unopened);
    struct piece aad = member(json, "protected");
    if (content_open(content_key, aad, &content, &payload, error) < 0 ||
        jwk_private_read(payload, ret_app_private, ret_public, error) < 0)
        return seal_refuse(error, unopened);
    return 0;
}
