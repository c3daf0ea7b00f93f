/*
 * origin.h: scheme, host and port that a secret may be sent to, in one normal form.
 *
 * Normal form: "https://" + lower-case host name (or [IPv6]) + ":port" unless 443.  Only https.  Refused: user info,
 * path, query, fragment, a dot at the end, percent signs, non-ASCII (write the A-label), empty host, port 0.
 */
#ifndef P11VAULT_HTTP_ORIGIN_H
#define P11VAULT_HTTP_ORIGIN_H

#include "p11vault/base/error.h"

#define ORIGIN_MAX 280

struct origin {
    char text[ORIGIN_MAX]; /* the normal form */
    char host[256];        /* without brackets */
    char authority[264];   /* what a Host header takes: host[:port] */
    unsigned port;
};

/* CODE_USAGE with what is wrong.  A single "/" at the end is accepted and dropped. */
int origin_parse(const char *text, struct origin *ret_origin, struct error *error);

#endif
