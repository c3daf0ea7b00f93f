/*
 * secret.c: one mapping a secret: guard page, locked pages, guard page.
 *
 * Everything behind `size` is zero at all times but for what a caller wrote through secret_room()
 * and has not yet declared; freeing therefore wipes the whole of the locked pages.
 */
#include "p11vault/base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>

struct secret {
    uint8_t *data; /* the first locked byte */
    size_t size;
    size_t capacity;
    size_t locked; /* bytes in whole pages, at least the capacity */
    uint8_t *mapping;
    size_t mapped; /* the locked pages and both guard pages */
};

static int map_pages(struct secret *secret, struct error *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    secret->locked = (secret->capacity + page - 1) / page * page;
    secret->mapped = secret->locked + 2 * page;
    void *mapping =
        mmap(NULL, secret->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return error_errno(error, CODE_FAULT, "map memory for a secret");
    secret->mapping = mapping;
    secret->data = secret->mapping + page;
    return 0;
}

static int protect_pages(const struct secret *secret, struct error *error)
{
    if (mprotect(secret->data, secret->locked, PROT_READ | PROT_WRITE) < 0)
        return error_errno(error, CODE_FAULT, "open memory for a secret");
    if (mlock(secret->data, secret->locked) < 0) {
        error_errno(error, CODE_CONFIG, "lock %zu KiB of memory for a secret",
                    secret->locked / 1024);
        return error_hint(error, "raise the limit: ulimit -l 8192 (a unit: LimitMEMLOCK=8M)");
    }
    if (madvise(secret->data, secret->locked, MADV_DONTDUMP) < 0)
        return error_errno(error, CODE_FAULT, "keep a secret out of core dumps");
    /*
     * Kernels before 4.14 do not know this one.  They lose a second line of defence only: rooms
     * are started by exec, which drops the pages in any case.
     */
    if (madvise(secret->data, secret->locked, MADV_WIPEONFORK) < 0 && errno != EINVAL)
        return error_errno(error, CODE_FAULT, "keep a secret out of forked processes");
    return 0;
}

int secret_new(size_t capacity, struct secret **ret_secret, struct error *error)
{
    if (capacity == 0 || capacity > SECRET_MAX)
        return error_set(error, CODE_FAULT, "a secret of %zu bytes cannot be made (1 to %zu)",
                         capacity, SECRET_MAX);
    auto_of(secret_free) struct secret *secret = calloc(1, sizeof(*secret));
    if (secret == NULL)
        return error_memory(error);
    secret->capacity = capacity;
    if (map_pages(secret, error) < 0 || protect_pages(secret, error) < 0)
        return -1;
    *ret_secret = TAKE(secret);
    return 0;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->data != NULL) {
        /* The pages may still be closed when secret_new() failed half-way. */
        if (mprotect(secret->data, secret->locked, PROT_READ | PROT_WRITE) == 0)
            explicit_bzero(secret->data, secret->locked);
        munmap(secret->mapping, secret->mapped);
    }
    free(secret);
}

const uint8_t *secret_data(const struct secret *secret)
{
    return secret->data;
}

size_t secret_size(const struct secret *secret)
{
    return secret->size;
}

size_t secret_capacity(const struct secret *secret)
{
    return secret->capacity;
}

int secret_append(struct secret *secret, const void *bytes, size_t size, struct error *error)
{
    size_t room = secret->capacity - secret->size;
    if (size > room)
        return error_set(error, CODE_STOP, "%zu bytes do not fit into a secret with room for %zu",
                         size, room);
    if (size > 0)
        memmove(secret->data + secret->size, bytes, size);
    secret->size += size;
    return 0;
}

int secret_append_text(struct secret *secret, const char *text, struct error *error)
{
    return secret_append(secret, text, strlen(text), error);
}

int secret_append_secret(struct secret *secret, const struct secret *other, struct error *error)
{
    return secret_append(secret, other->data, other->size, error);
}

uint8_t *secret_room(struct secret *secret, size_t *ret_room)
{
    *ret_room = secret->capacity - secret->size;
    return secret->data + secret->size;
}

void secret_grow(struct secret *secret, size_t written)
{
    /* More than there was room for means that memory is damaged already. */
    if (written > secret->capacity - secret->size)
        abort();
    secret->size += written;
}

void secret_cut(struct secret *secret, size_t size)
{
    if (size > secret->size)
        abort();
    explicit_bzero(secret->data + size, secret->locked - size);
    secret->size = size;
}

void secret_clear(struct secret *secret)
{
    secret_cut(secret, 0);
}

void secret_drop_front(struct secret *secret, size_t size)
{
    if (size > secret->size)
        abort();
    memmove(secret->data, secret->data + size, secret->size - size);
    secret_cut(secret, secret->size - size);
}

bool secret_equals(const struct secret *secret, const void *bytes, size_t size)
{
    if (secret->size != size)
        return false;
    return size == 0 || CRYPTO_memcmp(secret->data, bytes, size) == 0;
}
