/*
 * Locked, guarded pages for one secret, wiped by their own free.
 *
 *     | guard page | pages of the secret, locked, not dumped | guard page |
 */
#include "p11vault/base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct secret {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    uint8_t *mapping; /* with both guard pages */
    size_t mapping_size;
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int lock_pages(uint8_t *pages, size_t size, struct error *error)
{
    if (mlock(pages, size) < 0) {
        error_errno(error, CODE_CONFIG, "lock %zu bytes into memory", size);
        return error_hint(error, "raise the limit of locked memory: ulimit -l 8192");
    }
    if (madvise(pages, size, MADV_DONTDUMP) < 0)
        return error_errno(error, CODE_FAULT, "keep a secret out of core dumps");
    /* Older kernels lack it; rooms never fork with a secret, so it is a second wall only. */
    (void)madvise(pages, size, MADV_WIPEONFORK);
    return 0;
}

int secret_new(size_t capacity, struct secret **ret_secret, struct error *error)
{
    if (capacity == 0 || capacity > SECRET_MAX)
        return error_set(error, CODE_FAULT, "a secret of %zu bytes is not allowed", capacity);
    auto_of(secret_free) struct secret *secret = calloc(1, sizeof(*secret));
    if (!secret)
        return error_memory(error);
    size_t page = page_size();
    size_t inside = (capacity + page - 1) / page * page;
    void *mapping = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return error_memory(error);
    secret->mapping = mapping;
    secret->mapping_size = inside + 2 * page;
    secret->capacity = capacity;
    if (mprotect(secret->mapping + page, inside, PROT_READ | PROT_WRITE) < 0)
        return error_memory(error);
    secret->bytes = secret->mapping + page;
    if (lock_pages(secret->bytes, inside, error) < 0)
        return -1;
    *ret_secret = TAKE(secret);
    return 0;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    secret_clear(secret);
    if (secret->mapping)
        munmap(secret->mapping, secret->mapping_size);
    free(secret);
}

const uint8_t *secret_data(const struct secret *secret)
{
    return secret->bytes;
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
    if (size > secret->capacity - secret->size)
        return error_set(error, CODE_STOP, "longer than the %zu bytes there is room for",
                         secret->capacity);
    if (size > 0)
        memcpy(secret->bytes + secret->size, bytes, size);
    secret->size += size;
    return 0;
}

int secret_append_text(struct secret *secret, const char *text, struct error *error)
{
    return secret_append(secret, text, strlen(text), error);
}

int secret_append_secret(struct secret *secret, const struct secret *other, struct error *error)
{
    return secret_append(secret, other->bytes, other->size, error);
}

uint8_t *secret_room(struct secret *secret, size_t *ret_room)
{
    *ret_room = secret->capacity - secret->size;
    return secret->bytes + secret->size;
}

void secret_grow(struct secret *secret, size_t written)
{
    /* More than the room would mean that memory behind it was overwritten already. */
    if (written > secret->capacity - secret->size)
        abort();
    secret->size += written;
}

void secret_cut(struct secret *secret, size_t size)
{
    if (size >= secret->size)
        return;
    explicit_bzero(secret->bytes + size, secret->size - size);
    secret->size = size;
}

/* The whole capacity is wiped: what was written into the room without secret_grow() goes too. */
void secret_clear(struct secret *secret)
{
    if (secret->bytes)
        explicit_bzero(secret->bytes, secret->capacity);
    secret->size = 0;
}

void secret_drop_front(struct secret *secret, size_t size)
{
    if (size > secret->size)
        size = secret->size;
    memmove(secret->bytes, secret->bytes + size, secret->size - size);
    secret_cut(secret, secret->size - size);
}

bool secret_equals(const struct secret *secret, const void *bytes, size_t size)
{
    if (secret->size != size)
        return false;
    const uint8_t *other = bytes;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference |= (uint8_t)(secret->bytes[i] ^ other[i]);
    return difference == 0;
}
