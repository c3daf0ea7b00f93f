/*
 * signed_request.c: the signature is checked before anything of the payload is read.
 */
#include "p11vault/oauth/signed_request.h"

#include <string.h>
#include <strings.h>

#include "hmac.h"
#include "member.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"

static int refuse(const char *problem, struct error *error)
{
    return error_set(error, CODE_STOP, "signed request: %s", problem);
}

/* The signature is over the text of the payload as it was sent, not over what it decodes to. */
static int check_signature(const struct secret *app_secret, const char *signature, size_t size,
                           const char *payload, size_t payload_size, struct error *error)
{
    uint8_t given[DIGEST_SIZE];
    size_t given_size;
    auto_of(secret_free) struct secret *right = NULL;
    if (base64url_decode(signature, size, given, sizeof(given), &given_size, error) < 0)
        return refuse("its signature is not base64url of 32 bytes", error);
    if (secret_new(DIGEST_SIZE, &right, error) < 0 ||
        hmac_append(app_secret, payload, payload_size, "", right, error) < 0)
        return -1;
    if (!secret_equals(right, given, given_size))
        return refuse("it is not signed with this app's secret", error);
    return 0;
}

static int read_payload(const struct secret *json, struct signed_request *ret_request,
                        struct error *error)
{
    auto_json json_t *root = NULL;
    struct signed_request request = {.issued_at = FACT_UNKNOWN, .expires = FACT_UNKNOWN};
    if (json_parse((const char *)secret_data(json), secret_size(json), "payload", &root, error) < 0)
        return error->code == CODE_STOP ? refuse("its payload is no JSON object", error) : -1;
    const char *algorithm = json_text(root, "algorithm");
    if (algorithm == NULL || strcasecmp(algorithm, "HMAC-SHA256") != 0)
        return refuse("its algorithm is not HMAC-SHA256", error);
    if (!member_id(root, "user_id", request.user_id))
        return refuse("its user_id is not an id", error);
    if (!member_time(root, "issued_at", &request.issued_at) || request.issued_at == FACT_UNKNOWN)
        return refuse("it does not say when it was issued", error);
    if (!member_time(root, "expires", &request.expires))
        return refuse("its expires is not a time", error);
    *ret_request = request;
    return 0;
}

int signed_request_check(const struct secret *app_secret, const struct secret *text,
                         struct signed_request *ret_request, struct error *error)
{
    const char *begin = (const char *)secret_data(text);
    size_t size = secret_size(text);
    const char *dot = size == 0 || size > SIGNED_REQUEST_MAX ? NULL : memchr(begin, '.', size);
    if (secret_size(app_secret) == 0)
        return error_set(error, CODE_STOP, "the app secret is empty");
    if (dot == NULL || dot == begin || dot + 1 == begin + size)
        return refuse("it is not two parts with a dot between them", error);
    const char *payload = dot + 1;
    size_t payload_size = size - (size_t)(payload - begin);
    if (check_signature(app_secret, begin, (size_t)(dot - begin), payload, payload_size, error) < 0)
        return -1;
    auto_of(secret_free) struct secret *json = NULL;
    size_t room, written;
    if (secret_new(payload_size, &json, error) < 0)
        return -1;
    uint8_t *into = secret_room(json, &room);
    if (base64url_decode(payload, payload_size, into, room, &written, error) < 0)
        return refuse("its payload is not base64url", error);
    secret_grow(json, written);
    return read_payload(json, ret_request, error);
}

json_t *signed_request_to_json(const struct signed_request *request)
{
    return json_pack("{s:s, s:I, s:I}", "user_id", request->user_id, "issued_at",
                     (json_int_t)request->issued_at, "expires", (json_int_t)request->expires);
}

int signed_request_from_json(const json_t *json, struct signed_request *ret_request,
                             struct error *error)
{
    struct signed_request request = {.issued_at = json_number(json, "issued_at", FACT_UNKNOWN),
                                     .expires = json_number(json, "expires", FACT_UNKNOWN)};
    if (!member_id(json, "user_id", request.user_id) || request.issued_at < 0 ||
        request.expires < FACT_UNKNOWN)
        return error_set(error, CODE_FAULT, "what a signed request says cannot be so");
    *ret_request = request;
    return 0;
}
