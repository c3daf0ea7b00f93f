/*
 * kernel.h: what the machine offers for the walls.  It is asked here and never changed; the walls themselves do not
 * depend on these answers.
 */
#ifndef P11VAULT_CONFINE_KERNEL_H
#define P11VAULT_CONFINE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"

#define KERNEL_TEXT_MAX 128

/* Bytes that this process may lock by its limit; UINT64_MAX: no limit. */
uint64_t kernel_lock_limit(void);
/* Whether so many bytes can be locked at once: it is tried, because privileges pass the limit. */
bool kernel_can_lock(size_t size);

/* Memory of the kernel's own hiding (memfd_secret). */
bool kernel_has_hidden(void);

/* Filters that refuse single calls (seccomp). */
bool kernel_has_filters(void);

/* This process leaves no core and is closed to others of the same user; it cannot gain privileges. */
bool kernel_process_closed(void);
bool kernel_process_bound(void);

/* Yama's rule for tracing, 0 (anybody of the same user) to 3 (nobody); -1: there is none. */
int kernel_ptrace_scope(void);

/* The first swap area that is not in memory itself; false when there is none. */
bool kernel_swap(char ret_name[KERNEL_TEXT_MAX]);
/* The program that cores are piped to, whatever the limit on their size; false when there is none. */
bool kernel_core_program(char ret_name[KERNEL_TEXT_MAX]);

/* The name of a kind of file system (statfs) that is shared or served by a program: NULL for all others. */
const char *kernel_shared_file_system(uint64_t type);

struct kernel_place {
    const char *shared; /* as above */
    uint64_t free;      /* bytes for this user */
};
/* CODE_CONFIG when the place cannot be looked at. */
int kernel_look_at(const char *path, struct kernel_place *ret_place, struct error *error);

#endif
