/*
 * interrupt.h: SIGINT, SIGTERM and SIGHUP where something is to be written down before the process
 * ends by them.
 *
 * While they are held, the first one that comes is noted and wakes interrupt_wait(); a second one
 * of the same kind ends the process at once.  A program that is started meanwhile inherits nothing
 * of this.
 */
#ifndef P11VAULT_BASE_INTERRUPT_H
#define P11VAULT_BASE_INTERRUPT_H

#include <stdbool.h>

#include "p11vault/base/error.h"

/*
 * From now on; one that is ignored stays so (nohup).  Nothing when they are held already.
 * CODE_FAULT without descriptors.
 */
int interrupt_hold(struct error *error);

/*
 * As poll(2) for reading, of one descriptor: 1 when there is something, 0 after so many
 * milliseconds, -1 when a held signal came.
 */
int interrupt_wait(int descriptor, int milliseconds);

/* Whether one has come since they are held. */
bool interrupt_came(void);

/* As before interrupt_hold(): one that has come ends the process now. */
void interrupt_release(void);

#endif
