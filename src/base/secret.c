/*
 * secret.c: what a secret holds; its pages come from secret_pages.c.
 *
 * Everything behind `size` is zero at all times but for what a caller wrote through secret_room()
 * and has not yet declared; cutting and freeing therefore wipe the whole of the pages.  That costs
 * a hundredth of a microsecond a kilobyte, so nothing is kept on how far they were written.
 */
#include "p11vault/base/secret.h"

#include <openssl/crypto.h>
#include <string.h>

#include "secret_pages.h"

struct secret {
    struct secret_pages *pages;
    uint8_t *data; /* of the pages */
    size_t size;
    size_t capacity;
};

static bool unlocked_allowed;

void secret_allow_unlocked(void)
{
    unlocked_allowed = true;
}

bool secret_unlocked_allowed(void)
{
    return unlocked_allowed;
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
    if (secret_pages_take(capacity, &secret->pages, error) < 0)
        return -1;
    secret->data = secret->pages->data;
    *ret_secret = TAKE(secret);
    return 0;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->pages != NULL)
        secret_pages_leave(secret->pages);
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

enum secret_kind secret_kind(const struct secret *secret)
{
    return secret->pages->kind;
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
    explicit_bzero(secret->data + size, secret->pages->size - size);
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
