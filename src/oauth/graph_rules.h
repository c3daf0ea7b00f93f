/*
 * graph_rules.h: what a call of the caller's own choice may not ask for.
 */
#ifndef P11VAULT_SRC_OAUTH_GRAPH_RULES_H
#define P11VAULT_SRC_OAUTH_GRAPH_RULES_H

#include <stdbool.h>

#include "p11vault/base/error.h"

/* One part of a path, in lower case; `is_deleted`: of the path of a DELETE. */
int graph_check_part(const char *part, bool is_deleted, struct error *error);
/* One field: its name in lower case and without brackets, and its value. */
int graph_check_field(const char *name, const char *value, struct error *error);

#endif
