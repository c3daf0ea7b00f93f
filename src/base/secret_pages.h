/*
 * secret_pages.h: where secret.c gets its pages from, and what it gives back is kept in: a small reserve.
 *
 * Making hidden pages and giving them back to the kernel costs some forty microseconds each, wiping them a twentieth of
 * one.  So pages that a secret leaves are wiped and kept, guard pages and all, for the next one of as many pages.
 */
#ifndef BASE_SECRET_PAGES_H
#define BASE_SECRET_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

struct secret_pages {
    struct secret_pages *next; /* in the reserve */
    enum secret_kind kind;
    pid_t
        owner; /* hidden pages are not there in a forked child, and a reserve is not shared with it */
    uint8_t *data; /* the first byte between the guard pages */
    size_t size;   /* bytes in whole pages between the guard pages */
    uint8_t *mapping;
    size_t mapped; /* those pages and both guard pages */
};

/* Pages for `capacity` bytes, all zero: from the reserve, or new ones.  CODE_CONFIG as secret_new(). */
int secret_pages_take(size_t capacity, struct secret_pages **ret_pages, struct error *error);

/* Wipes them whole and keeps them, or gives them back when the reserve is full. */
void secret_pages_leave(struct secret_pages *pages);

#endif
