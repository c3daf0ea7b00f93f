/*
 * child.h: the end of processes that this one has started.
 */
#ifndef P11VAULT_BASE_CHILD_H
#define P11VAULT_BASE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "p11vault/base/clock.h"

/*
 * Waits for a child to end and leaves it to be reaped.  False when it has not by the deadline, or when the kernel does
 * not tell (pidfd_open(2), since Linux 5.3).
 */
bool child_ends(pid_t child, struct deadline deadline);

/* Kills it unless it ends by the deadline, and reaps it. */
void child_reap(pid_t child, struct deadline deadline);

#endif
