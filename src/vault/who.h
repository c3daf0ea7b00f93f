/*
 * who.h: who acts, for log entries.
 */
#ifndef P11VAULT_SRC_VAULT_WHO_H
#define P11VAULT_SRC_VAULT_WHO_H

#include <jansson.h>

/* {"uid","pid","exe"} and, where there is one, "tty" and "unit"; a new reference, NULL without memory. */
json_t *who_acts(void);

#endif
