/*
 * webhook.h: what Meta posts to a webhook has a header X-Hub-Signature-256: "sha256=" and in
 * hexadecimal the HMAC-SHA256, with the app secret, of the body as it was sent (Meta, "Webhooks:
 * Validating payloads").
 */
#ifndef P11VAULT_OAUTH_WEBHOOK_H
#define P11VAULT_OAUTH_WEBHOOK_H

#include <stddef.h>

#include "p11vault/base/digest.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define WEBHOOK_BODY_MAX ((size_t)1024 * 1024) /* bytes; Meta sends less */

/* The header's value.  CODE_STOP when it has another form. */
int webhook_read_signature(const char *text, struct digest *ret_signature, struct error *error);

/* CODE_STOP when it is malformed, or of another secret or body; compared in constant time. */
int webhook_check(const struct secret *app_secret, const char *signature, const void *body,
                  size_t size, struct error *error);

#endif
