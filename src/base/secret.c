/*
 * secret.c: one mapping a secret: guard page, hidden or locked pages, guard page.
 *
 * Everything behind `size` is zero at all times but for what a caller wrote through secret_room()
 * and has not yet declared; freeing therefore wipes the whole of the pages.
 */
#include "p11vault/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct secret {
    enum secret_kind kind;
    uint8_t *data; /* the first byte between the guard pages */
    size_t size;
    size_t capacity;
    size_t locked; /* bytes in whole pages, at least the capacity */
    uint8_t *mapping;
    size_t mapped; /* those pages and both guard pages */
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

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void take_mapping(struct secret *secret, enum secret_kind kind, void *mapping)
{
    secret->kind = kind;
    secret->mapping = mapping;
    secret->data = secret->mapping + page_size();
}

/*
 * A descriptor of hidden memory, as large as the mapping; -1 where there is none.  A limit on the
 * size of files counts here too, and going beyond it is a signal.
 */
static int open_hidden(size_t size)
{
#ifdef SYS_memfd_secret
    static atomic_bool is_missing; /* asked once: a kernel does not learn it */
    struct rlimit limit;
    if (is_missing || getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < size)
        return -1;
    auto_close int descriptor = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    is_missing = descriptor < 0 && errno == ENOSYS;
    if (descriptor < 0 || ftruncate(descriptor, (off_t)size) < 0)
        return -1;
    return TAKE_FD(descriptor);
#else
    (void)size;
    return -1;
#endif
}

/*
 * The guard pages belong to the same mapping: the kernel counts them as locked, but as nobody can
 * touch them there is no memory behind them.  Any refusal means that the secret is locked instead.
 */
static bool map_hidden(struct secret *secret)
{
    auto_close int descriptor = open_hidden(secret->mapped);
    if (descriptor < 0)
        return false;
    void *mapping = mmap(NULL, secret->mapped, PROT_NONE, MAP_SHARED, descriptor, 0);
    if (mapping == MAP_FAILED)
        return false;
    if (madvise(mapping, secret->mapped, MADV_DONTFORK) < 0 ||
        mprotect((uint8_t *)mapping + page_size(), secret->locked, PROT_READ | PROT_WRITE) < 0) {
        munmap(mapping, secret->mapped);
        return false;
    }
    take_mapping(secret, SECRET_HIDDEN, mapping);
    return true;
}

static int map_locked(struct secret *secret, struct error *error)
{
    void *mapping =
        mmap(NULL, secret->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return error_errno(error, CODE_FAULT, "map memory for a secret");
    take_mapping(secret, SECRET_LOCKED, mapping);
    return 0;
}

static int lock_pages(struct secret *secret, struct error *error)
{
    if (mprotect(secret->data, secret->locked, PROT_READ | PROT_WRITE) < 0)
        return error_errno(error, CODE_FAULT, "open memory for a secret");
    bool locked = mlock(secret->data, secret->locked) == 0;
    if (!locked && unlocked_allowed) {
        secret->kind = SECRET_UNLOCKED;
    } else if (!locked) {
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
    secret->locked = (capacity + page_size() - 1) / page_size() * page_size();
    secret->mapped = secret->locked + 2 * page_size();
    bool is_small = secret->locked <= SECRET_HIDDEN_PAGES * page_size();
    if (!(is_small && map_hidden(secret)) &&
        (map_locked(secret, error) < 0 || lock_pages(secret, error) < 0))
        return -1;
    *ret_secret = TAKE(secret);
    return 0;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->data != NULL) {
        /*
         * The pages may still be closed when secret_new() failed half-way, and hidden ones are not
         * there in a forked child.
         */
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

enum secret_kind secret_kind(const struct secret *secret)
{
    return secret->kind;
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
