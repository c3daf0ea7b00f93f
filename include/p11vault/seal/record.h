/*
 * record.h: what stands inside a record's encryption: one JSON object (docs/formats.md).
 *
 *     {"v":1,"app":"ads","name":"ads/user/alice","kind":"user","version":2,"provider":"meta",
 *      "origins":["https://graph.facebook.com"],"issued":1764000000,"expires":1769000000,
 *      "subject":"10153848","scopes":["ads_read"], …, "secret":"EAA…"}
 *
 * The facts (everything but the secret) are ordinary JSON; the value goes from one struct secret to another.
 */
#ifndef P11VAULT_SEAL_RECORD_H
#define P11VAULT_SEAL_RECORD_H

#include <jansson.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define RECORD_FORMAT 1
#define RECORD_VALUE_MAX ((size_t)16 * 1024)
#define RECORD_FACTS_MAX ((size_t)8 * 1024)
#define RECORD_ORIGINS_MAX 16
#define EXPIRES_UNKNOWN (-1) /* a fact that is not known; in JSON the member is left out */
#define EXPIRES_NEVER 0

/* What a record must be for an order to be carried out. */
struct record_expectation {
    const char *app;
    const char *name;
    const char *kind;
    int64_t version;
    const char *origin; /* must be among the record's origins; NULL: not asked */
};

/*
 * Joins facts and value into the payload to seal.  CODE_STOP when the facts lack one of v, app, name, kind, version,
 * origins, or have a member "secret".  The caller frees the payload.
 */
int record_compose(const json_t *facts, const struct secret *value, struct secret **ret_payload,
                   struct error *error);

/* Splits an opened payload.  The caller drops the facts and frees the value. */
int record_split(const struct secret *payload, json_t **ret_facts, struct secret **ret_value,
                 struct error *error);

/* CODE_LOG when the facts are not those ordered ("record is for another name"); CODE_STOP for the origin. */
int record_check(const json_t *facts, const struct record_expectation *expected,
                 struct error *error);

#endif
