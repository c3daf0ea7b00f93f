/*
 * member.h: members of a provider's JSON, held to a narrow alphabet each, since they end up in the log and on terminals.
 *
 * Numbers may come as numbers or as strings of digits; real numbers are refused, and ids stay texts, so that none loses
 * a digit.  The functions return false when the member is there and is not what it must be; a missing one, or null,
 * leaves the output as it is.
 */
#ifndef P11VAULT_OAUTH_MEMBER_H
#define P11VAULT_OAUTH_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/answer.h"

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define SCOPE_ALPHABET LETTERS DIGITS "_.:-"
#define CURSOR_ALPHABET LETTERS DIGITS "_=+/.~-"
#define MACHINE_ID_ALPHABET LETTERS DIGITS "_.=-"
#define USER_CODE_ALPHABET LETTERS DIGITS "-"
#define URI_ALPHABET LETTERS DIGITS "-._~:/?=&%"
#define NEXT_ALPHABET URI_ALPHABET "!$'()*+,;@[]{}|"

#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define SECRET_LIKE 32                 /* as many characters as an app secret has */

/* There, and not null. */
bool member_given(const json_t *member);

/* A text of 1 to room - 1 characters of an alphabet. */
bool member_word(const json_t *object, const char *key, const char *alphabet, size_t room,
                 char *ret_text);
/* The same for a value that is no member. */
bool value_word(const json_t *value, const char *alphabet, size_t room, char *ret_text);

bool member_id(const json_t *object, const char *key, char ret_id[FACT_TEXT_MAX]);
/* Seconds: 0 to the end of the year 9999. */
bool member_time(const json_t *object, const char *key, int64_t *ret_time);
bool member_bool(const json_t *object, const char *key, int *ret_value);

/* A label as answer.h describes it; cannot fail, since nothing hangs on it. */
void member_label(const json_t *object, const char *key, char ret_label[FACT_TEXT_MAX]);
bool label_valid(const char *label);

/* A list of words of SCOPE_ALPHABET, or one text with commas between them. */
bool member_scopes(const json_t *object, const char *key, struct oauth_facts *facts);

/* What fits into an HTTP header: 1 to OAUTH_TOKEN_MAX characters of printable ASCII without a space. */
bool token_valid(const char *token, size_t size);
/* The member as a new secret.  Sets *ret_secret to NULL when the member is no token; fails for want of memory. */
int member_token(const json_t *object, const char *key, struct secret **ret_secret,
                 struct error *error);

#endif
