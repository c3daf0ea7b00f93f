/*
 * secret.h: the only home of secrets.
 *
 * A struct secret owns pages between two guard pages.  Where the kernel has memfd_secret, a small one is hidden: its pages
 * are taken out of the kernel's own view of memory, so that no debugger, core dump or other process can read them, root's
 * included.  Elsewhere, and when it is larger, its pages are locked into memory (mlock), left out of core dumps
 * (MADV_DONTDUMP) and emptied in a forked child (MADV_WIPEONFORK).  Hidden pages would be shared with a forked child, so
 * it does not get them at all (MADV_DONTFORK): reading them there ends it, freeing the secret there is fine.  Programs
 * do not fork once they hold a secret; only a foreign module might.
 *
 * The pages of a freed secret are wiped and kept in a small reserve, still hidden or locked and between their guard
 * pages, for the next secret of as many pages: making them takes longer than what most secrets live for.  A forked
 * child has a reserve of its own, which begins empty.
 *
 * A secret has a fixed capacity, is never copied when it fills, has no printf form, and is wiped by its own free.
 * No other file calls a wipe; scrub.h is for what foreign code leaves on the stack and in registers.
 */
#ifndef P11VAULT_BASE_SECRET_H
#define P11VAULT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"

#define SECRET_MAX ((size_t)1 << 20) /* bytes; a larger capacity is refused */

#define SECRET_HIDDEN_PAGES                                                                        \
    4 /* a hidden page costs some twenty microseconds: larger ones are locked */

/*
 * What the reserve takes at most, guard pages and all; it counts against RLIMIT_MEMLOCK, of which users commonly have
 * 8 MiB.  When that is used up, a new secret takes what the reserve has.
 */
#define SECRET_RESERVE_MAX ((size_t)512 * 1024)

struct secret;

enum secret_kind {
    SECRET_HIDDEN,   /* memfd_secret */
    SECRET_LOCKED,   /* mlock */
    SECRET_UNLOCKED, /* neither: only when it was allowed */
};

/*
 * From now on a secret whose memory can be neither hidden nor locked is made all the same ([memory] unlocked = allow in
 * the configuration): it can be swapped out.  Otherwise it is refused.
 */
void secret_allow_unlocked(void);
bool secret_unlocked_allowed(void);

/*
 * Makes an empty secret that can hold `capacity` bytes (1 to SECRET_MAX).  The caller frees it.
 * CODE_CONFIG when the memory can be neither hidden nor locked (RLIMIT_MEMLOCK bounds both) and that was
 * not allowed, with the hint that mends it.
 */
int secret_new(size_t capacity, struct secret **ret_secret, struct error *error);

/*
 * Makes pages for `count` secrets of this capacity ahead of time, while nothing is waiting and nothing secret is there yet.
 * What cannot be had, or goes beyond SECRET_RESERVE_MAX, is left to secret_new() to get or to refuse.
 */
void secret_reserve(size_t capacity, size_t count);

/* Wipes and frees.  NULL is fine. */
void secret_free(struct secret *secret);
DEFINE_CLEANUP(struct secret, secret_free);

/* The bytes held; valid until the secret is next changed or freed.  Not terminated by NUL. */
const uint8_t *secret_data(const struct secret *secret);
size_t secret_size(const struct secret *secret);
size_t secret_capacity(const struct secret *secret);
enum secret_kind secret_kind(const struct secret *secret);

/* Appends.  CODE_STOP when it does not fit; the secret is unchanged then. */
int secret_append(struct secret *secret, const void *bytes, size_t size, struct error *error);
int secret_append_text(struct secret *secret, const char *text, struct error *error);
int secret_append_secret(struct secret *secret, const struct secret *other, struct error *error);

/* The free room behind the bytes, for read(2) and its like; say with secret_grow() how much was written. */
uint8_t *secret_room(struct secret *secret, size_t *ret_room);
void secret_grow(struct secret *secret, size_t written);

/* Cuts the secret to its first `size` bytes and wipes the rest; secret_clear() leaves none. */
void secret_cut(struct secret *secret, size_t size);
void secret_clear(struct secret *secret);

/* Removes the first `size` bytes: the rest moves to the front and what it leaves is wiped. */
void secret_drop_front(struct secret *secret, size_t size);

/* Compares in time that depends on the sizes only. */
bool secret_equals(const struct secret *secret, const void *bytes, size_t size);

/*
 * Makes every allocation of jansson and OpenSSL, and of whoever is given the three functions, wipe itself when freed.
 * To be called first thing in a room, before either library has allocated.  CODE_FAULT when it is too late.
 */
int secret_heap_install(struct error *error);
void *secret_heap_malloc(size_t size);
void *secret_heap_calloc(size_t count, size_t size);
void *secret_heap_realloc(void *pointer, size_t size);
char *secret_heap_strdup(const char *text);
void secret_heap_free(void *pointer);

/* Wipes a block that somebody else's allocator is about to take back. */
void secret_heap_wipe(void *block, size_t size);

#endif
