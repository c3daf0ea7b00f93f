/*
 * signed_request.h: what Meta posts to a deauthorize or data-deletion callback: base64url(signature) "."
 * base64url(payload), the signature HMAC-SHA256 with the app secret over the payload's text as it was sent.
 */
#ifndef P11VAULT_OAUTH_SIGNED_REQUEST_H
#define P11VAULT_OAUTH_SIGNED_REQUEST_H

#include <jansson.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/answer.h"

#define SIGNED_REQUEST_MAX ((size_t)16 * 1024)

struct signed_request {
    char user_id[FACT_TEXT_MAX]; /* digits; "" when it names none */
    int64_t
        issued_at; /* seconds: whether that is too long ago, or seen before, is the caller's business */
    int64_t expires; /* FACT_UNKNOWN when it does not say */
};

/* CODE_STOP when it is malformed, signed by another secret, or not by HMAC-SHA256. */
int signed_request_check(const struct secret *app_secret, const struct secret *text,
                         struct signed_request *ret_request, struct error *error);

/* Between the programs; the caller frees the object.  CODE_FAULT when it is none of these. */
json_t *signed_request_to_json(const struct signed_request *request);
int signed_request_from_json(const json_t *json, struct signed_request *ret_request,
                             struct error *error);

#endif
