/*
 * jwe.c: one record as compact JWE.  What is read was written by whoever can write the store,
 * so every part is looked at before anything is computed with it, and nothing tells that writer
 * which look found the fault.
 */
#include "p11vault/seal/jwe.h"

#include <string.h>

#include "internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/json.h"

#define ALGORITHM "ECDH-ES"
#define ENCRYPTION "A256GCM"
#define HEADER_MAX 512 /* bytes of JSON; ours has 242 */
#define CIPHERTEXT_MAX (JWE_MAX / 4 * 3)

static const char damaged[] = "record is damaged";
static const char unopened[] = "record cannot be opened";

enum part { PART_HEADER, PART_KEY, PART_IV, PART_CIPHERTEXT, PART_TAG, PARTS };

static int put_epk(json_t *header, const struct ec_point *epk, struct error *error)
{
    json_t *json = NULL;
    struct jwk key = {.type = JWK_P256, .point = *epk};
    if (jwk_to_json(&key, &json, error) < 0)
        return -1;
    return json_object_set_new(header, "epk", json) < 0 ? error_memory(error) : 0;
}

/* The protected header as it stands in the record. */
static int encode_header(const struct jwe_header *header, struct buffer *text, struct error *error)
{
    if (!jwk_thumbprint_valid(header->kid, strnlen(header->kid, THUMBPRINT_SIZE)))
        return error_set(error, CODE_FAULT, "the key of a record is not named by a thumbprint");
    auto_json json_t *json =
        json_pack("{s:s, s:s, s:s}", "alg", ALGORITHM, "enc", ENCRYPTION, "kid", header->kid);
    if (json == NULL)
        return error_memory(error);
    auto_free char *canonical = NULL;
    if (put_epk(json, &header->epk, error) < 0 || json_canonical(json, &canonical, error) < 0)
        return -1;
    return base64url_put(text, canonical, strlen(canonical), error);
}

/* Puts what stands behind the header. */
static int put_content(struct buffer *jwe, const struct content *content, struct error *error)
{
    if (buffer_put_text(jwe, "..", error) < 0 ||
        base64url_put(jwe, content->iv, CONTENT_IV_SIZE, error) < 0 ||
        buffer_put_text(jwe, ".", error) < 0 ||
        base64url_put(jwe, content->ciphertext, content->size, error) < 0 ||
        buffer_put_text(jwe, ".", error) < 0)
        return -1;
    return base64url_put(jwe, content->tag, CONTENT_TAG_SIZE, error);
}

int jwe_seal(const struct jwe_header *header, const struct secret *content_key,
             const struct secret *payload, char **ret_jwe, struct error *error)
{
    auto_buffer struct buffer jwe = BUFFER_UP_TO(JWE_MAX);
    auto_content struct content content = {0};
    if (encode_header(header, &jwe, error) < 0)
        return error_prefix(error, "seal a record");
    struct piece aad = {buffer_text(&jwe), jwe.size};
    if (content_seal(content_key, aad, payload, &content, error) < 0 ||
        put_content(&jwe, &content, error) < 0)
        return error_prefix(error, "seal a record");
    char *text = buffer_take_text(&jwe);
    if (text == NULL)
        return error_memory(error);
    *ret_jwe = text;
    return 0;
}

int jwe_content_key(const struct secret *app_private, const struct ec_point *epk,
                    struct secret **ret_content_key, struct error *error)
{
    auto_of(secret_free) struct secret *shared = NULL;
    if (ec_agree(app_private, epk, &shared, error) < 0 ||
        ec_concat_kdf(shared, ENCRYPTION, ret_content_key, error) < 0)
        return error_prefix(error, "derive the key of a record");
    return 0;
}

int jwe_seal_to(const struct ec_point *app_key, const struct secret *payload, char **ret_jwe,
                struct error *error)
{
    struct jwk key = {.type = JWK_P256, .point = *app_key};
    struct jwe_header header;
    auto_of(secret_free) struct secret *ephemeral = NULL;
    auto_of(secret_free) struct secret *content_key = NULL;
    if (jwk_thumbprint(&key, header.kid, error) < 0 ||
        ec_generate(&ephemeral, &header.epk, error) < 0 ||
        jwe_content_key(ephemeral, app_key, &content_key, error) < 0)
        return error_prefix(error, "seal a record");
    return jwe_seal(&header, content_key, payload, ret_jwe, error);
}

static bool is_text(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_text(object, name);
    return text != NULL && strcmp(text, expected) == 0;
}

static int read_members(const json_t *json, struct jwe_header *ret_header, struct error *error)
{
    static const char *const members[] = {"alg", "enc", "epk", "kid", NULL};
    const json_t *kid = json_object_get(json, "kid");
    if (!json_only(json, members) || !is_text(json, "alg", ALGORITHM) ||
        !is_text(json, "enc", ENCRYPTION) || !json_is_string(kid) ||
        !jwk_thumbprint_valid(json_string_value(kid), json_string_length(kid)))
        return error_set(error, CODE_STOP, "the header is not one of a record");
    struct jwk epk;
    if (jwk_from_json(json_object_get(json, "epk"), &epk, error) < 0)
        return -1;
    if (epk.type != JWK_P256)
        return error_set(error, CODE_STOP, "the ephemeral key is not of P-256");
    ret_header->epk = epk.point;
    memcpy(ret_header->kid, json_string_value(kid), THUMBPRINT_SIZE);
    return 0;
}

static int read_header(struct piece text, struct jwe_header *ret_header, struct error *error)
{
    uint8_t bytes[HEADER_MAX];
    size_t size;
    auto_json json_t *json = NULL;
    if (base64url_decode(text.text, text.size, bytes, sizeof(bytes), &size, error) < 0 ||
        json_parse((const char *)bytes, size, "header", &json, error) < 0)
        return -1;
    return read_members(json, ret_header, error);
}

/* Five parts; a sixth would stand inside the last one, whose decoding refuses the dot. */
static int split(const char *jwe, struct piece ret_parts[PARTS], struct error *error)
{
    size_t left = strnlen(jwe, JWE_MAX + 1);
    if (left > JWE_MAX)
        return error_set(error, CODE_STOP, "longer than %zu characters", JWE_MAX);
    for (int i = 0; i < PARTS; i++) {
        const char *end = i == PARTS - 1 ? jwe + left : memchr(jwe, '.', left);
        if (end == NULL)
            return error_set(error, CODE_STOP, "not five parts");
        ret_parts[i] = (struct piece){jwe, (size_t)(end - jwe)};
        left -= ret_parts[i].size + (i < PARTS - 1);
        jwe = end + 1;
    }
    return 0;
}

struct jwe {
    struct jwe_header header;
    char *protected; /* the header as it stands in the record */
    struct content content;
};

void jwe_free(struct jwe *jwe)
{
    if (jwe == NULL)
        return;
    free(jwe->protected);
    content_clear(&jwe->content);
    free(jwe);
}

/* Everything about a record that can be checked without a key. */
static int parse(const char *text, struct jwe **ret_jwe, struct error *error)
{
    struct piece parts[PARTS];
    auto_of(jwe_free) struct jwe *jwe = calloc(1, sizeof(*jwe));
    if (jwe == NULL)
        return error_memory(error);
    if (split(text, parts, error) < 0)
        return -1;
    if (parts[PART_KEY].size != 0)
        return error_set(error, CODE_STOP, "an encrypted key where there can be none");
    if (read_header(parts[PART_HEADER], &jwe->header, error) < 0 ||
        content_decode(parts[PART_IV], parts[PART_CIPHERTEXT], parts[PART_TAG], CIPHERTEXT_MAX,
                       &jwe->content, error) < 0)
        return -1;
    jwe->protected = strndup(parts[PART_HEADER].text, parts[PART_HEADER].size);
    if (jwe->protected == NULL)
        return error_memory(error);
    *ret_jwe = TAKE(jwe);
    return 0;
}

int jwe_read_header(const char *jwe, struct jwe_header *ret_header, struct error *error)
{
    auto_of(jwe_free) struct jwe *read = NULL;
    if (parse(jwe, &read, error) < 0)
        return seal_refuse(error, damaged);
    *ret_header = read->header;
    return 0;
}

int jwe_read(const char *text, struct jwe **ret_jwe, struct error *error)
{
    return parse(text, ret_jwe, error) < 0 ? seal_refuse(error, unopened) : 0;
}

int jwe_open_read(const struct jwe *jwe, const struct secret *content_key,
                  struct secret **ret_payload, struct error *error)
{
    const struct piece aad = {jwe->protected, strlen(jwe->protected)};
    if (content_open(content_key, aad, &jwe->content, ret_payload, error) < 0)
        return seal_refuse(error, unopened);
    return 0;
}

int jwe_open(const char *jwe, const struct secret *content_key, struct secret **ret_payload,
             struct error *error)
{
    auto_of(jwe_free) struct jwe *read = NULL;
    if (jwe_read(jwe, &read, error) < 0)
        return -1;
    return jwe_open_read(read, content_key, ret_payload, error);
}
