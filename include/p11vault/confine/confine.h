/*
 * confine.h: the walls a process builds around itself.  Each wall is for good.
 */
#ifndef P11VAULT_CONFINE_CONFINE_H
#define P11VAULT_CONFINE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

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
 * Bounds for a room: so many open descriptors and, with `data`, so many bytes of private memory (0: as many as it had).
 * Limits that are lower already stay.  The size of files is not bounded: standard error may go to a long one, and a
 * limit would end the room there; Landlock says where it may write.  Nor is the number of processes: the kernel counts
 * all of the user's.
 */
int confine_limits(unsigned descriptors, size_t data, struct error *error);

/* As many open descriptors as the system gives: a front holds a lock for every grant of a batch.  Never fails. */
void confine_raise_descriptors(void);

/*
 * What none of the programs and no module ever needs (seccomp): a way into other processes, programs in the kernel,
 * keyrings, mounts, name spaces, odd kinds of sockets, and typing into the terminal.  The front's own wall, inherited by
 * both rooms.  A kernel without filters is said (-v) and is no failure.
 */
int confine_calls(struct error *error);

/*
 * The lock of the exchange room between connecting and receiving keys (seccomp), besides what confine_calls() denies: no
 * new socket, no connect, bind or listen, no message with an address; no file opened, made, named anew, removed or changed
 * by any call, not even in its mode, times or attributes; no exec, no fork; no signal to others, neither at once nor when a
 * descriptor becomes ready, and no limit of theirs.  What is open stays usable, with read, write, send and recv, and a
 * thread may signal its own process, as abort() does.
 * Refused calls fail with EPERM.  CODE_CONFIG when the kernel has no seccomp filters.
 */
int confine_lock(struct error *error);

/*
 * The second half of the lock, called by confine_lock(): no file by any name and no TCP, by Landlock, as far as the
 * kernel's version of it goes.  A kernel without it is said once (-v) and is no failure: the filter stands alone then.
 */
int confine_no_files(struct error *error);

/*
 * Files can be read, but made, removed and written only below the `places`, which are there, and in /dev, where the
 * terminal is.  So a module cannot change the configuration, the trust file or the store.  Landlock's versions 1 and 2
 * (Linux 6.1 has 2) let everybody empty a file: there a filter denies truncate, openat2, and opening with O_TRUNC but
 * not for writing, in all places.  Signals reach only who is behind this wall, from Landlock's version 6 on.
 *
 * Modes, owners, times, flags and extended attributes no version of Landlock governs.  Without any place a filter denies
 * changing them; with places it does not: who keeps files sets their modes, so those of files elsewhere are open to it.
 * As confine_no_files() on a kernel without Landlock, and confine_calls() on one without filters; CODE_CONFIG when a place
 * is not there.
 */
int confine_writing(const char *const *places, size_t count, struct error *error);

/*
 * The card room's wall, before a module is loaded: no sockets but those of the machine itself, and what confine_calls()
 * denies (seccomp).  CODE_CONFIG when the kernel has no seccomp filters.
 */
int confine_offline(struct error *error);

/* ---- how a room was started ---- */

struct confine_start {
    bool dumpable;  /* others of the same user could look into it from its first instruction on */
    bool traced;    /* somebody does */
    bool installed; /* its program stands in the directory of installed rooms */
};

/*
 * To be asked before confine_process(), which makes the process not dumpable.  `directory` is where installed rooms are.
 * CODE_FAULT when /proc does not say.
 */
int confine_look_at_start(const char *directory, struct confine_start *ret_start,
                          struct error *error);

/*
 * CODE_CONFIG, with the hint that mends it, for an installed room that is traced, or was started dumpable by somebody
 * else than root.  A build goes on and says it (-v): its owner can read it, so it always starts dumpable.
 */
int confine_check_start(const struct confine_start *start, struct error *error);

/* The kernel's version of Landlock; 0: it has none. */
int confine_landlock_version(void);

#endif
