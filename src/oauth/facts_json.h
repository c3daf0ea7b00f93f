/*
 * facts_json.h: what the two files that turn answers into JSON and back share.
 */
#ifndef P11VAULT_OAUTH_FACTS_JSON_H
#define P11VAULT_OAUTH_FACTS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/oauth/answer.h"

/* "" and FACT_UNKNOWN are left out.  -1 without memory. */
int facts_put_text(json_t *object, const char *key, const char *text);
int facts_put_number(json_t *object, const char *key, int64_t number);

/* False when the member is there and cannot be. */
bool facts_take_label(const json_t *object, const char *key, char ret_label[FACT_TEXT_MAX]);
bool facts_take_number(const json_t *object, const char *key, int64_t maximum, int64_t *ret_number);

/* CODE_FAULT; always returns -1. */
int facts_refuse(const char *key, struct error *error);

/* Words of an object, each of its own alphabet and shorter than its room; one that is missing leaves its place alone. */
struct facts_word {
    const char *key, *alphabet;
    char *into;
    size_t room;
};
int facts_take_words(const json_t *object, const struct facts_word *words, size_t count,
                     struct error *error);

#endif
