/*
 * meta_error.h: Graph API errors to one operator action each, from one table by (step, code, subcode, transient, HTTP
 * status).  Source: Meta's "Handle Errors" and Marketing API error reference, and what the field has seen.
 */
#ifndef P11VAULT_OAUTH_META_ERROR_H
#define P11VAULT_OAUTH_META_ERROR_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/oauth/answer.h"

/*
 * Fills a verdict from the object that describes an error: the "error" object of a Graph answer (error_subcode, or
 * subcode inside debug_token's data), or an answer in one of the flat shapes.
 */
void meta_error_judge(const struct provider *provider, enum oauth_step step, int http_status,
                      const json_t *error_object, struct oauth_verdict *ret_verdict);

/* The same for the error_code of a redirect from the login dialog; 0 when it gives none. */
void meta_error_judge_dialog(int64_t code, struct oauth_verdict *ret_verdict);

#endif
