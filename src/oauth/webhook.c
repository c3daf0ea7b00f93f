/*
 * webhook.c: the signature of what was posted to a webhook.
 */
#include "p11vault/oauth/webhook.h"

#include <string.h>

#include "hmac.h"

#define BEGINNING "sha256="

int webhook_read_signature(const char *text, struct digest *ret_signature, struct error *error)
{
    size_t size = strlen(BEGINNING);
    if (strncmp(text, BEGINNING, size) == 0 && digest_parse(text + size, ret_signature))
        return 0;
    error_set(error, CODE_STOP,
              "the signature is not of the form sha256=, then 64 hexadecimal digits in lower case");
    return error_hint(error, "give the value of the header X-Hub-Signature-256");
}

int webhook_check(const struct secret *app_secret, const char *signature, const void *body,
                  size_t size, struct error *error)
{
    auto_of(secret_free) struct secret *right = NULL;
    struct digest given;
    if (secret_size(app_secret) == 0)
        return error_set(error, CODE_STOP, "the app secret is empty");
    if (webhook_read_signature(signature, &given, error) < 0 ||
        secret_new(DIGEST_SIZE, &right, error) < 0 ||
        hmac_append(app_secret, body, size, "", right, error) < 0)
        return -1;
    if (!secret_equals(right, given.bytes, sizeof(given.bytes)))
        return error_set(error, CODE_STOP, "the body is not signed with this app's secret");
    return 0;
}
