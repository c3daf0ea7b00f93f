/*
 * audit_describe.h: an entry of the log in one phrase, for people.
 */
#ifndef P11VAULT_SRC_CLI_AUDIT_DESCRIBE_H
#define P11VAULT_SRC_CLI_AUDIT_DESCRIBE_H

#include "p11vault/audit/entry.h"

#define AUDIT_ABOUT_SIZE 1536

/* `intent` is that of the entry's use, or NULL: an outcome says with it what it is the outcome of. */
void audit_describe(enum entry_type type, const json_t *entry, const json_t *intent,
                    char ret_text[AUDIT_ABOUT_SIZE]);

#endif
