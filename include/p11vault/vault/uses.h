/*
 * uses.h: uses of the card in the log: the intent, the outcome, and what the dead have left open.
 */
#ifndef P11VAULT_VAULT_USES_H
#define P11VAULT_VAULT_USES_H

#include "p11vault/vault/log.h"

/*
 * The intent, durable before the card is asked, and the outcome, each a change of its own.  The members are taken, also after a failure;
 * NULL is CODE_FAULT.
 */
int vault_intent(struct vault *vault, const char *use, json_t *members, struct error *error);
/* The same inside a change of the caller's: a batch has many intents, and one change for all of them. */
int vault_append_intent(struct vault *vault, const char *use, json_t *members, struct error *error);
int vault_outcome(struct vault *vault, const char *use, json_t *members, struct error *error);

/* That somebody was told of a grant. */
int vault_notice(struct vault *vault, const char *name, json_t *members, struct error *error);

/*
 * Closes the intents of processes that died: every use with an intent and no outcome, and no living process behind it,
 * gets the outcome `unknown`.  *ret_count says how many.
 */
int vault_close_dead_uses(struct vault *vault, size_t *ret_count, struct error *error);

#endif
