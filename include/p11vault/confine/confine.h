/*
 * confine.h: the walls a process builds around itself.  Each wall is for good.
 */
#ifndef P11VAULT_CONFINE_CONFINE_H
#define P11VAULT_CONFINE_CONFINE_H

#include <stdbool.h>

#include "p11vault/base/error.h"

/*
 * What every program does first: not dumpable (no ptrace, no core, /proc/PID/mem closed to others of the same user),
 * core limit 0, no new privileges, SIGPIPE ignored, umask 077.  With `dies_with_parent` the kernel kills the process
 * when its parent ends (rooms).  CODE_FAULT when the kernel refuses.
 * Sanitizer builds (P11VAULT_SANITIZED) stay dumpable and say so on standard error.
 */
int confine_process(bool dies_with_parent, struct error *error);

/* Closes every descriptor but 0, 1, 2 and those below `first_to_close`. */
int confine_descriptors(int first_to_close, struct error *error);

/*
 * The lock of the exchange room between connecting and receiving keys (seccomp): no new socket, no connect, bind or
 * listen, no opening of files by any call, no exec, no fork, no ptrace.  What is open stays usable.
 * Refused calls fail with EPERM.  CODE_CONFIG when the kernel has no seccomp filters.
 */
int confine_lock(struct error *error);

#endif
