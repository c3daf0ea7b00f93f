/*
 * fuzz_signed_request.c: any bytes as a signed request.  With the first byte odd the rest is a payload that is encoded
 * and signed first, so that what lies behind the signature is reached as well.
 */
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/base64.h"
#include "p11vault/oauth/signed_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)32 * 1024)
#define APP_SECRET "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Replaces the payload in `text` by a signed request about it. */
static void sign(const uint8_t *payload, size_t size, struct secret *text)
{
    auto_buffer struct buffer encoded = BUFFER_UP_TO(TEXT_MAX);
    auto_buffer struct buffer whole = BUFFER_UP_TO(TEXT_MAX);
    struct error error;
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_size = 0;
    must(base64url_put(&encoded, payload, size, &error) == 0);
    must(HMAC(EVP_sha256(), APP_SECRET, strlen(APP_SECRET), (const uint8_t *)buffer_text(&encoded),
              encoded.size, mac, &mac_size) != NULL);
    must(base64url_put(&whole, mac, mac_size, &error) == 0);
    must(buffer_put_format(&whole, &error, ".%s", buffer_text(&encoded)) == 0);
    must(secret_append(text, whole.data, whole.size, &error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret *text, *app_secret;
    struct signed_request request = {.issued_at = FACT_UNKNOWN};
    struct error error = {0};
    if (size < 1 || size > TEXT_MAX / 2)
        return 0;
    if (text == NULL) {
        must(secret_new(TEXT_MAX, &text, &error) == 0);
        must(secret_new(64, &app_secret, &error) == 0);
        must(secret_append_text(app_secret, APP_SECRET, &error) == 0);
    }
    secret_clear(text);
    if ((data[0] & 1) != 0)
        sign(data + 1, size - 1, text);
    else
        must(secret_append(text, data + 1, size - 1, &error) == 0);
    if (signed_request_check(app_secret, text, &request, &error) < 0) {
        must(error.code == CODE_STOP && request.issued_at == FACT_UNKNOWN);
        return 0;
    }
    must(request.issued_at >= 0 && request.expires >= FACT_UNKNOWN);
    must(strnlen(request.user_id, sizeof(request.user_id)) < sizeof(request.user_id));
    must(strspn(request.user_id, "0123456789") == strlen(request.user_id));
    return 0;
}
