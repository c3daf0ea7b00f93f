/*
 * confine.h: the walls a process builds around itself.  Each wall is for good.
 */
#ifndef P11VAULT_CONFINE_CONFINE_H
#define P11VAULT_CONFINE_CONFINE_H

#include <stdbool.h>

#include "p11vault/base/error.h"

/* Sanitizer builds run without walls: their own checks need what the walls deny. */
#ifdef P11VAULT_SANITIZED
#define CONFINE_WALLS 0
#else
#define CONFINE_WALLS 1
#endif

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

/*
 * The second half of the lock, called by confine_lock(): no file by any name and no TCP, by Landlock, as far as the
 * kernel's version of it goes.  A kernel without it is said once (-v) and is no failure: the filter stands alone then.
 */
int confine_no_files(struct error *error);

/*
 * The card room's other wall: files can be read, but written only below `writable` (NULL: nowhere) and in /dev, where
 * the terminal is.  So a module cannot change the configuration, the trust file or the store.  As confine_no_files()
 * on a kernel without Landlock; CODE_CONFIG when `writable` is not there.
 */
int confine_writing(const char *writable, struct error *error);

/* The kernel's version of Landlock; 0: it has none. */
int confine_landlock_version(void);

/*
 * The card room's wall, before a module is loaded: no sockets but those of the machine itself, and no way into other
 * processes (seccomp).  CODE_CONFIG when the kernel has no seccomp filters.
 */
int confine_offline(struct error *error);

#endif
