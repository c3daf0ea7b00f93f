/*
 * answer_token.c: an issued grant in all the shapes in which it comes, and codes for clients and devices.
 *
 * Flat JSON from Meta and Threads; {"data": [{…}]} or flat, with permissions as a list, as a text or not at all, from
 * Instagram; a query string from Meta's token endpoint.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "p11vault/base/json.h"
#include "reading.h"

#define CODE_GRANT_LIFE                                                                            \
    3600               /* seconds: what Instagram and Threads document for a grant of a code */
#define INTERVAL_MIN 5 /* of polls about a device login, in seconds */

/* ---- grants ---- */

/* Seconds; 0 is said of tokens without an end and leaves it to debug_token to say so. */
static bool read_lifetime(const json_t *root, int64_t *ret_seconds)
{
    const char *key = member_given(json_object_get(root, "expires_in")) ? "expires_in" : "expires";
    int64_t seconds = 0;
    if (!member_time(root, key, &seconds))
        return false;
    if (seconds > 0)
        *ret_seconds = seconds;
    return true;
}

/* The one object of Instagram's list, or the answer itself. */
static const json_t *find_grant(const json_t *root)
{
    const json_t *data = json_object_get(root, "data");
    return json_is_array(data) && json_array_size(data) == 1 ? json_array_get(data, 0) : root;
}

/* What is wrong with it, or NULL. */
static const char *read_around(const json_t *root, struct oauth_answer *answer)
{
    const json_t *type = json_object_get(root, "token_type");
    const json_t *token = json_object_get(root, "access_token");
    struct oauth_facts *facts = &answer->facts;
    if (member_given(type) &&
        (!json_is_string(type) || strcasecmp(json_string_value(type), "bearer") != 0))
        return "the issued token is not a bearer token";
    if (!member_given(token))
        return "the answer has no access token";
    if (!json_is_string(token) || !token_valid(json_string_value(token), json_string_length(token)))
        return "the issued token is not 1 to 16384 printable characters";
    if (!read_lifetime(root, &answer->expires_in))
        return "the answer's expires_in is not a number of seconds";
    if (!member_time(root, "expires_at", &facts->expires))
        return "the answer's expires_at is not a time";
    if (!member_time(root, "data_access_expiration_time", &facts->data_expires))
        return "the answer's data_access_expiration_time is not a time";
    if (!member_id(root, "user_id", facts->subject))
        return "the answer's user_id is not an id";
    if (!member_scopes(root, "permissions", facts))
        return "the answer's permissions are not a list of at most 128 words";
    if (!member_word(root, "machine_id", MACHINE_ID_ALPHABET, sizeof(answer->machine_id),
                     answer->machine_id))
        return "the answer's machine_id is not a word";
    return NULL;
}

int token_answer_read(const struct oauth_family *family, const struct oauth_reply *reply,
                      const json_t *root, struct oauth_answer *answer, struct error *error)
{
    bool listed = !family->provider.has_debugger && reply->step == STEP_CODE;
    const json_t *grant = listed ? find_grant(root) : root;
    const char *problem = read_around(grant, answer);
    if (problem != NULL) {
        (void)answer_wrong(&answer->verdict, problem);
        oauth_facts_init(&answer->facts);
        return 0;
    }
    if (listed && answer->expires_in == FACT_UNKNOWN)
        answer->expires_in = CODE_GRANT_LIFE;
    return member_token(grant, "access_token", &answer->grant, error);
}

/* ---- codes ---- */

static const char *read_device(const json_t *root, struct oauth_answer *answer)
{
    int64_t interval = INTERVAL_MIN;
    if (!member_given(json_object_get(root, "user_code")) ||
        !member_word(root, "user_code", USER_CODE_ALPHABET, sizeof(answer->user_code),
                     answer->user_code))
        return "the answer has no code for the person to type";
    if (!member_given(json_object_get(root, "verification_uri")) ||
        !member_word(root, "verification_uri", URI_ALPHABET, sizeof(answer->verification_uri),
                     answer->verification_uri) ||
        strncmp(answer->verification_uri, "https://", 8) != 0)
        return "the answer has no https address for the person to go to";
    if (!read_lifetime(root, &answer->expires_in))
        return "the answer's expires_in is not a number of seconds";
    if (!member_time(root, "interval", &interval))
        return "the answer's interval is not a number of seconds";
    answer->interval = interval < INTERVAL_MIN ? INTERVAL_MIN : interval;
    return NULL;
}

int code_answer_read(const struct oauth_reply *reply, const json_t *root,
                     struct oauth_answer *answer, struct error *error)
{
    const char *problem = reply->step == STEP_DEVICE_START ? read_device(root, answer) : NULL;
    if (problem == NULL && member_token(root, "code", &answer->code, error) < 0)
        return -1;
    if (problem == NULL && answer->code == NULL)
        problem = "the answer has no code";
    if (problem != NULL)
        (void)answer_wrong(&answer->verdict, problem);
    return 0;
}
