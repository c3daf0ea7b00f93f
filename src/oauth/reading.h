/*
 * reading.h: what the files that read answers share.
 */
#ifndef P11VAULT_OAUTH_READING_H
#define P11VAULT_OAUTH_READING_H

#include "internal.h"
#include "member.h"

/* The verdict on what is JSON, but not what was asked for.  Always returns false. */
bool answer_wrong(struct oauth_verdict *verdict, const char *message);

/* The bits of what a step issues; see provider.h. */
unsigned reply_needs(const struct oauth_family *family, const struct oauth_reply *reply);

/*
 * What stands in an answer of HTTP 200 that is no error.  They fail for want of memory only; an answer that is not
 * what it must be becomes a verdict.
 */
int token_answer_read(const struct oauth_family *family, const struct oauth_reply *reply,
                      const json_t *root, struct oauth_answer *answer, struct error *error);
int code_answer_read(const struct oauth_reply *reply, const json_t *root,
                     struct oauth_answer *answer, struct error *error);
int pages_answer_read(const struct oauth_reply *reply, const json_t *root,
                      struct oauth_answer *answer, struct error *error);
int permissions_answer_read(const json_t *root, struct oauth_answer *answer, struct error *error);

/*
 * The body "access_token=…&expires=…", which Meta's token endpoint gave before v2.3 and gives now and then, as the JSON
 * it stands for.  *ret_root is NULL when it is not that.
 */
int query_answer_parse(const struct secret *body, json_t **ret_root, struct error *error);

#endif
