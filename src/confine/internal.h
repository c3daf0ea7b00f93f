/*
 * internal.h: the half of the wall around files that Landlock leaves to filters of system calls.
 */
#ifndef P11VAULT_CONFINE_INTERNAL_H
#define P11VAULT_CONFINE_INTERNAL_H

#include <stdbool.h>

#include "p11vault/base/error.h"

/*
 * With `emptying`: no file is emptied but by a descriptor that can write.  With `attributes`: nothing changes a file's
 * mode, owner, times, flags or extended attributes, by name or descriptor.  A kernel without filters is said (-v) and is
 * no failure.
 */
int confine_changes(bool emptying, bool attributes, struct error *error);

#endif
