/*
 * notice.h: what a person is told of a grant that needs them: as a mail, and as JSON for a hook.
 *
 * Nothing of a token is in it, nor anything that the provider has said but times: it goes through other people's hands.
 */
#ifndef P11VAULT_SRC_CLI_NOTICE_H
#define P11VAULT_SRC_CLI_NOTICE_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/name.h"
#include "p11vault/config/config.h"
#include "p11vault/oauth/provider.h"
#include "p11vault/store/store.h"

#define NOTICE_MAX ((size_t)16 * 1024)

enum need {
    NEED_NOTHING,
    NEED_REVOKED,
    NEED_EXPIRED,
    NEED_DATA_EXPIRED,
    NEED_RENEWAL,      /* it ends soon, and nothing here can renew it or has */
    NEED_DATA_RENEWAL, /* its access to data ends soon */
    NEED_OPERATOR,     /* no grant: the unattended refresh has failed */
};

struct notice {
    const struct name *name;
    enum need need;
    int64_t ends;       /* seconds; STORE_UNKNOWN */
    char command[1024]; /* what helps */
    const char *verb;   /* of that command */
    int status;         /* NEED_OPERATOR: the exit status of the refresh */
};

/* Whether somebody must be told of a refresh that ended so, although no grant may need its person yet. */
bool notice_of_status(int status);

/* What a grant needs of a person.  `is_renewable`: `refresh` renews grants of this kind. */
enum need notice_need(const struct store_record *row, bool is_renewable, int64_t now);
/* "expired", "revoked", …: one word or two, for the log. */
const char *notice_reason(enum need need);

/* The command that helps, by the grant's provider (NULL: not known); `options` come behind the program's name ("--vault DIR" as it was given, or ""). */
void notice_set_command(struct notice *notice, const struct provider *provider,
                        const char *options);

/* A whole message (RFC 5322), lines ending as mail programs take them from a pipe: LF. */
int notice_mail(const struct notice *notice, const struct config *config, int64_t now,
                struct buffer *ret_mail, struct error *error);
/* One JSON object: the caller drops it; NULL without memory. */
json_t *notice_json(const struct notice *notice);

#endif
