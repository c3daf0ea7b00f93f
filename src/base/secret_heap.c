/*
 * An allocator for libraries that wipes every block when it is freed or moved.
 *
 * The size stands in front of the block; the header keeps the alignment that malloc promises.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "p11vault/base/secret.h"

struct block {
    alignas(max_align_t) size_t size;
};

void *secret_heap_malloc(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->size = size;
    return block + 1;
}

void *secret_heap_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *pointer = secret_heap_malloc(count * size);
    if (pointer)
        memset(pointer, 0, count * size);
    return pointer;
}

void secret_heap_free(void *pointer)
{
    if (!pointer)
        return;
    struct block *block = (struct block *)pointer - 1;
    explicit_bzero(block, sizeof(*block) + block->size);
    free(block);
}

void *secret_heap_realloc(void *pointer, size_t size)
{
    if (!pointer)
        return secret_heap_malloc(size);
    if (size == 0) {
        secret_heap_free(pointer);
        return NULL;
    }
    const struct block *block = (struct block *)pointer - 1;
    void *moved = secret_heap_malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, pointer, block->size < size ? block->size : size);
    secret_heap_free(pointer);
    return moved;
}

char *secret_heap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = secret_heap_malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* libcrypto passes the place of the call as well. */
static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return secret_heap_malloc(size);
}

static void *crypto_realloc(void *pointer, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return secret_heap_realloc(pointer, size);
}

static void crypto_free(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    secret_heap_free(pointer);
}

int secret_heap_install(struct error *error)
{
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return error_set(error, CODE_FAULT, "the wiping allocator comes too late");
    json_set_alloc_funcs(secret_heap_malloc, secret_heap_free);
    return 0;
}
