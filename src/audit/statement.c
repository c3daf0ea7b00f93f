/*
 * statement.c: the text that an exported card signs, made from what is said of the card.
 */
#include "p11vault/audit/statement.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"

#define HEADING "p11vault card export 1\n"
#define STATEMENT_MAX ((size_t)16 * 1024)
#define FIELD_MAX 64

static const char *const texts[] = {"alg", "card", "kid", "label", "manufacturer", "model"};

/* As a card says it of itself: it goes to terminals and into the log. */
static bool is_field(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!text || size > FIELD_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    return true;
}

static int refuse(const char *member, struct error *error)
{
    return error_set(error, CODE_STOP, "card export: '%s' is missing or malformed", member);
}

static int find_key(const json_t *card, struct note_key *ret_key, struct error *error)
{
    const char *vkey = json_text(card, "sign");
    return vkey && note_key_parse(vkey, ret_key, error) == 0 ? 0 : refuse("sign", error);
}

/* The key under the name that all statements use. */
static int put_key(json_t *said, const json_t *card, struct error *error)
{
    struct note_key key, own;
    char vkey[NOTE_VKEY_MAX];
    if (find_key(card, &key, error) < 0 || note_key_rename(&key, STATEMENT_NAME, &own, error) < 0 ||
        note_key_vkey(&own, vkey, error) < 0)
        return -1;
    return json_object_set_new(said, "sign", json_string(vkey)) < 0 ? error_memory(error) : 0;
}

int statement_text(const json_t *card, char **ret_text, struct error *error)
{
    auto_json json_t *said = json_object();
    auto_free char *canonical = NULL;
    auto_buffer struct buffer text = BUFFER_UP_TO(STATEMENT_MAX);
    json_t *jwk = json_object_get(card, "jwk");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *value = json_object_get(card, texts[i]);
        if (!is_field(value))
            return refuse(texts[i], error);
        if (json_object_set(said, texts[i], value) < 0)
            return error_memory(error);
    }
    if (!json_is_object(jwk))
        return refuse("jwk", error);
    if (json_object_set(said, "jwk", jwk) < 0)
        return error_memory(error);
    if (put_key(said, card, error) < 0 || json_canonical(said, &canonical, error) < 0 ||
        buffer_put_text(&text, HEADING, error) < 0 ||
        buffer_put_text(&text, canonical, error) < 0 || buffer_put_text(&text, "\n", error) < 0)
        return -1;
    char *taken = buffer_take_text(&text);
    if (!taken)
        return error_memory(error);
    *ret_text = taken;
    return 0;
}

void statement_fingerprint(const char *text, char ret_fingerprint[NOTE_FINGERPRINT_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    struct digest digest = digest_of(text, strlen(text));
    digest_hex(&digest, hex);
    (void)snprintf(ret_fingerprint, NOTE_FINGERPRINT_SIZE, "SHA256:%s", hex);
}

int statement_check(const json_t *card, const char *signature, struct error *error)
{
    auto_free char *text = NULL;
    struct note_key key;
    uint8_t bytes[NOTE_SIGNATURE_MAX];
    size_t size;
    if (statement_text(card, &text, error) < 0 || find_key(card, &key, error) < 0)
        return -1;
    if (base64_decode(signature, strlen(signature), bytes, sizeof(bytes), &size, error) < 0 ||
        !note_key_verifies(&key, text, strlen(text), bytes, size))
        return error_set(error, CODE_STOP,
                         "card export: it is not signed by the card's own signing key");
    return 0;
}
