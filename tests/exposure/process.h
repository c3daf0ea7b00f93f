/*
 * process.h: one look at all that a stopped process holds: its maps and its threads' registers.
 */
#ifndef TESTS_EXPOSURE_PROCESS_H
#define TESTS_EXPOSURE_PROCESS_H

#include <sys/types.h>

#include "needles.h"

/*
 * Prints one JSON line: what was found, and where, and which maps could not be read.  Every thread named must be stopped
 * under ptrace by the caller.
 */
void process_look(const struct needles *needles, pid_t pid, const pid_t *threads, size_t count,
                  const char *moment);

#endif
