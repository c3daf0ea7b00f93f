/*
 * secret_heap.c: the malloc family for foreign libraries that may get hold of a secret.  Each block
 * remembers its size in front of itself and is wiped whole, from the first byte of its header to
 * the last byte of its content, before it goes back to the C library.
 */
#include "p11vault/base/secret.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>

/* Stands in every live block: a pointer that another allocator made ends the process. */
#define BLOCK_MARK UINT64_C(0x8f41c07e2b9d5a36)

/* Sixteen bytes, so that the content keeps the alignment that malloc(3) promises. */
struct block {
    _Alignas(16) uint64_t mark;
    size_t size; /* of the content behind this header */
};

_Static_assert(sizeof(struct block) == 16, "the content must stay aligned");

static struct block *block_of(void *pointer)
{
    struct block *block = (struct block *)(void *)((uint8_t *)pointer - sizeof(struct block));
    if (block->mark != BLOCK_MARK)
        abort();
    return block;
}

void *secret_heap_malloc(size_t size)
{
    if (size > PTRDIFF_MAX - sizeof(struct block))
        return NULL;
    struct block *block = malloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->mark = BLOCK_MARK;
    block->size = size;
    return (uint8_t *)block + sizeof(*block);
}

void *secret_heap_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *pointer = secret_heap_malloc(total);
    if (pointer != NULL)
        memset(pointer, 0, total);
    return pointer;
}

void secret_heap_free(void *pointer)
{
    if (pointer == NULL)
        return;
    struct block *block = block_of(pointer);
    explicit_bzero(block, sizeof(*block) + block->size);
    free(block);
}

void secret_heap_wipe(void *block, size_t size)
{
    explicit_bzero(block, size);
}

void *secret_heap_realloc(void *pointer, size_t size)
{
    if (pointer == NULL)
        return secret_heap_malloc(size);
    if (size == 0) {
        secret_heap_free(pointer);
        return NULL;
    }
    size_t earlier = block_of(pointer)->size;
    void *moved = secret_heap_malloc(size);
    if (moved != NULL) {
        memcpy(moved, pointer, earlier < size ? earlier : size);
        secret_heap_free(pointer);
    }
    return moved;
}

char *secret_heap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    void *copy = secret_heap_malloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

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
        return error_set(error, CODE_FAULT,
                         "libcrypto has allocated before its wiping allocator was installed");
    json_set_alloc_funcs(secret_heap_malloc, secret_heap_free);
    return 0;
}
