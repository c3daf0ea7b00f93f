/*
 * heap.c: the C library's free(3) and realloc(3) of the whole room, with what they give back wiped.
 *
 * A module and the libraries below it know nothing of our allocators: what they unwrap or are told as a PIN stands in
 * blocks of malloc(3) that they free as they are.  A program's own functions come before those of its libraries, for
 * modules loaded later as well.  Only this room has them: the exchange room's libraries are given secret_heap_free().
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/secret.h"

/* Sanitizers have allocators of their own; other C libraries do not export what stands behind free(3). */
#if defined(__GLIBC__) && !defined(P11VAULT_SANITIZED)

extern void __libc_free(void *block); /* NOLINT(bugprone-reserved-identifier): its name in glibc */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
void free(void *block)
{
    int kept = errno; /* POSIX of 2024: free(3) leaves it alone */
    if (block != NULL)
        secret_heap_wipe(block, malloc_usable_size(block));
    __libc_free(block);
    errno = kept;
}

/* The library's own would copy a block and free the old one by itself. */
void *realloc(void *block, size_t size)
{
    if (block == NULL)
        return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    size_t earlier = malloc_usable_size(block);
    if (size <= earlier && size > earlier / 2)
        return block;
    void *moved = malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, earlier < size ? earlier : size);
    free(block);
    return moved;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
