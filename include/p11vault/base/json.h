/*
 * json.h: strict reading and canonical writing of JSON (jansson).
 *
 * Canonical here means: RFC 8259, keys sorted by byte, no white space, integers only, UTF-8 unescaped but for
 * quotation mark, backslash and control characters.  The same value always gives the same bytes.
 */
#ifndef P11VAULT_BASE_JSON_H
#define P11VAULT_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"

static inline void json_decref_at(json_t **json)
{
    json_decref(*json);
}
#define auto_json __attribute__((cleanup(json_decref_at)))

/*
 * Parses one JSON object: no duplicate keys, nothing behind it, nesting at most 32.  `what` names the thing in the
 * error (CODE_STOP), which says line and column but never quotes the text.  The caller drops the reference.
 */
int json_parse(const char *text, size_t size, const char *what, json_t **ret_object,
               struct error *error);

/* The same for an array. */
int json_parse_array(const char *text, size_t size, const char *what, json_t **ret_array,
                     struct error *error);

/* The canonical text; the caller frees it.  CODE_FAULT for a value with a real number in it. */
int json_canonical(const json_t *value, char **ret_text, struct error *error);

/*
 * Whether the bytes are one value of JSON in UTF-8 and nothing else (RFC 8259), nesting at most
 * 512: they can stand within another text of JSON, and nothing of them can be read as a part of
 * that.
 */
bool json_is_one(const char *bytes, size_t size);

/* Members.  NULL or `missing` when there is no such member or it has another type. */
const char *json_text(const json_t *object, const char *key);
int64_t json_number(const json_t *object, const char *key, int64_t missing);

/*
 * A number that may also come as a string of digits (providers do both; Meta's ids pass 2^53).
 * Returns false when the member is missing or neither.
 */
bool json_loose_number(const json_t *object, const char *key, int64_t *ret_number);

/* True when the object has no member but those named (the list ends with NULL). */
bool json_only(const json_t *object, const char *const *keys);

#endif
