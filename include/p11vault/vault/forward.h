/*
 * forward.h: a second place for every entry of the log: the journal, or syslog where there is none.
 *
 * An entry goes there once its change is committed, without waiting: the log in the store is the one that counts, and a journal that is
 * slow, full or away never holds up a use.  What did not go is counted in `forward.lost` in the vault's directory, and `doctor` tells.
 * An entry holds no secret and no control character (entry.h), so nobody can write lines of his own through it.
 */
#ifndef P11VAULT_VAULT_FORWARD_H
#define P11VAULT_VAULT_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"
#include "p11vault/config/config.h"

#define FORWARD_LOST "forward.lost"
#define FORWARD_JOURNAL "/run/systemd/journal/socket"
#define FORWARD_SYSLOG "/dev/log"

struct forward;

/* `directory` is the vault's; both texts are used until the end.  Does nothing when the configuration does not want it. */
int forward_new(const struct config *config, const char *directory, const char *vault_id,
                struct forward **ret_forward, struct error *error);
void forward_free(struct forward *forward);
DEFINE_CLEANUP(struct forward, forward_free);

/* Keeps a copy of an entry until its change is committed (sent) or rolled back (dropped). */
void forward_add(struct forward *forward, uint64_t index, const char *type, const char *text);
void forward_send(struct forward *forward);
void forward_drop(struct forward *forward);

/* How many entries of this vault did not go, ever. */
uint64_t forward_lost(const char *directory);

#endif
