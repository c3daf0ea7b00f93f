/*
 * fuzz_jwe.c: what a writer of the store can put in a record's place.  The first byte says what
 * the rest is: 'j' a whole JWE, 'h' the JSON of a header around which a sound record is built,
 * 'r' an opened payload.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/seal/internal.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/json.h"
#include "p11vault/seal/jwe.h"
#include "p11vault/seal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct secret *secret_of(const void *bytes, size_t size)
{
    struct error error;
    struct secret *secret = NULL;
    must(secret_new(size == 0 ? 1 : size, &secret, &error) == 0);
    must(secret_append(secret, bytes, size, &error) == 0);
    return secret;
}

/* The key that the seeds are sealed under: 32 bytes of 'k'. */
static struct secret *content_key(void)
{
    char bytes[CEK_SIZE];
    memset(bytes, 'k', sizeof(bytes));
    return secret_of(bytes, sizeof(bytes));
}

/* A header that was accepted must come back from a record written with it. */
static void check_header(const struct jwe_header *header, const struct secret *key)
{
    struct error error;
    struct jwe_header again;
    auto_free char *jwe = NULL;
    auto_of(secret_free) struct secret *payload = secret_of("x", 1);
    must(jwe_seal(header, key, payload, &jwe, &error) == 0);
    must(jwe_read_header(jwe, &again, &error) == 0);
    must(memcmp(again.epk.bytes, header->epk.bytes, EC_POINT_SIZE) == 0);
    must(strcmp(again.kid, header->kid) == 0);
}

static void fuzz_whole(const char *text)
{
    struct error error = {0};
    struct jwe_header header;
    auto_of(secret_free) struct secret *key = content_key();
    auto_of(secret_free) struct secret *payload = NULL;
    bool read = jwe_read_header(text, &header, &error) == 0;
    must(read || error.code == CODE_LOG);
    if (read)
        check_header(&header, key);
    if (jwe_open(text, key, &payload, &error) == 0)
        must(read && secret_size(payload) > 0);
    else
        must(error.code == CODE_LOG && payload == NULL);
}

static void fuzz_header(const char *json, size_t size)
{
    struct error error;
    auto_buffer struct buffer jwe = BUFFER_UP_TO(JWE_MAX);
    auto_content struct content content = {0};
    auto_of(secret_free) struct secret *key = content_key();
    auto_of(secret_free) struct secret *payload = secret_of("x", 1);
    if (base64url_put(&jwe, json, size, &error) < 0 || jwe.size > JWE_MAX / 2)
        return;
    struct piece aad = {buffer_text(&jwe), jwe.size};
    must(content_seal(key, aad, payload, &content, &error) == 0);
    must(buffer_put_text(&jwe, "..", &error) == 0);
    must(base64url_put(&jwe, content.iv, CONTENT_IV_SIZE, &error) == 0);
    must(buffer_put_text(&jwe, ".", &error) == 0);
    must(base64url_put(&jwe, content.ciphertext, content.size, &error) == 0);
    must(buffer_put_text(&jwe, ".", &error) == 0);
    must(base64url_put(&jwe, content.tag, CONTENT_TAG_SIZE, &error) == 0);
    struct jwe_header header;
    auto_of(secret_free) struct secret *opened = NULL;
    bool read = jwe_read_header(buffer_text(&jwe), &header, &error) == 0;
    must((jwe_open(buffer_text(&jwe), key, &opened, &error) == 0) == read);
    if (read)
        check_header(&header, key);
}

/* What was split and can be composed must be split again into the same. */
static void fuzz_payload(const char *text, size_t size)
{
    struct error error = {0};
    auto_json json_t *facts = NULL;
    auto_json json_t *again = NULL;
    auto_of(secret_free) struct secret *payload = secret_of(text, size);
    auto_of(secret_free) struct secret *value = NULL;
    auto_of(secret_free) struct secret *composed = NULL;
    auto_of(secret_free) struct secret *second = NULL;
    if (record_split(payload, &facts, &value, &error) < 0) {
        must(error.code == CODE_STOP && facts == NULL && value == NULL);
        return;
    }
    must(json_object_get(facts, "secret") == NULL);
    if (record_compose(facts, value, &composed, &error) < 0)
        return;
    must(record_split(composed, &again, &second, &error) == 0);
    must(json_equal(facts, again));
    must(secret_equals(second, secret_data(value), secret_size(value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 2 * JWE_MAX)
        return 0;
    auto_free char *text = strndup((const char *)data + 1, size - 1);
    must(text != NULL);
    if (data[0] == 'j')
        fuzz_whole(text);
    if (data[0] == 'h')
        fuzz_header((const char *)data + 1, size - 1);
    if (data[0] == 'r')
        fuzz_payload((const char *)data + 1, size - 1);
    return 0;
}
