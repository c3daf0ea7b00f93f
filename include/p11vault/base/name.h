/*
 * name.h: names of apps, grants and records.
 *
 * An app is one part ("ads").  A grant is `app/kind/label` ("ads/user/alice").  The app secret is the record
 * `app/secret`.  A part is [A-Za-z0-9][A-Za-z0-9._@+-]{0,63}.
 */
#ifndef P11VAULT_BASE_NAME_H
#define P11VAULT_BASE_NAME_H

#include <stdbool.h>

#include "p11vault/base/error.h"

#define NAME_PART_MAX 64
#define NAME_MAX_SIZE (3 * NAME_PART_MAX + 3) /* app, kind, label, two slashes, NUL */

struct name {
    char full[NAME_MAX_SIZE];
    char app[NAME_PART_MAX + 1];
    char kind[NAME_PART_MAX + 1];  /* "secret" for an app secret */
    char label[NAME_PART_MAX + 1]; /* "" for an app secret */
};

/* True for one well-formed part. */
bool name_part_valid(const char *part);

/* An app's name.  CODE_USAGE with what is wrong with it. */
int name_check_app(const char *app, struct error *error);

/* `app/kind/label` with one of the kinds of the design.  CODE_USAGE with what is wrong with it. */
int name_parse_grant(const char *text, struct name *ret_name, struct error *error);

/* A grant's name or `app/secret`: what a record can be called. */
int name_parse_record(const char *text, struct name *ret_name, struct error *error);

#endif
