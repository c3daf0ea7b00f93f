/*
 * proof.h: appsecret_proof of the Graph API: lower-case hexadecimal HMAC-SHA256, key the app secret, message the access
 * token of that very request; in the timed form the message is token, "|", decimal Unix seconds (valid for 5 minutes).
 */
#ifndef P11VAULT_OAUTH_PROOF_H
#define P11VAULT_OAUTH_PROOF_H

#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define PROOF_PLAIN (-1) /* as `time`: the plain form */

/* Appends the 64 digits to `ret_proof`. */
int proof_append(const struct secret *app_secret, const struct secret *access_token, int64_t time,
                 struct secret *ret_proof, struct error *error);

#endif
