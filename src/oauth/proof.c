/*
 * proof.c: appsecret_proof.  Digest and digits stand in locked memory only: a proof
 * is good for five minutes to whoever has the token.
 */
#include "p11vault/oauth/proof.h"

#include <inttypes.h>
#include <stdio.h>

#include "hmac.h"
#include "p11vault/base/digest.h"

#define TAIL_SIZE 24 /* "|", the digits of an int64_t, NUL */

int proof_append(const struct secret *app_secret, const struct secret *access_token, int64_t time,
                 struct secret *ret_proof, struct error *error)
{
    if (secret_size(app_secret) == 0 || secret_size(access_token) == 0)
        return error_set(error, CODE_STOP, "no proof can be made: app secret or token is empty");
    if (time < 0 && time != PROOF_PLAIN)
        return error_set(error, CODE_FAULT, "no proof can be made for a time before 1970");
    char tail[TAIL_SIZE] = "";
    if (time != PROOF_PLAIN)
        snprintf(tail, sizeof(tail), "|%" PRId64, time);

    auto_of(secret_free) struct secret *scratch = NULL;
    if (secret_new(DIGEST_SIZE + DIGEST_HEX_SIZE, &scratch, error) < 0 ||
        hmac_append(app_secret, secret_data(access_token), secret_size(access_token), tail, scratch,
                    error) < 0)
        return -1;
    size_t room;
    char *digits = (char *)secret_room(scratch, &room);
    hex_encode(secret_data(scratch), DIGEST_SIZE, digits);
    secret_grow(scratch, DIGEST_HEX_SIZE - 1);
    return secret_append(ret_proof, digits, DIGEST_HEX_SIZE - 1, error);
}
