/*
 * secret_pages.c: one mapping a secret: guard page, hidden or locked pages, guard page; and the
 * reserve of those that no secret stands in.
 */
#include "secret_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifdef P11VAULT_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void take_mapping(struct secret_pages *pages, enum secret_kind kind, void *mapping)
{
    pages->kind = kind;
    pages->mapping = mapping;
    pages->data = pages->mapping + page_size();
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
static bool map_hidden(struct secret_pages *pages)
{
    auto_close int descriptor = open_hidden(pages->mapped);
    if (descriptor < 0)
        return false;
    void *mapping = mmap(NULL, pages->mapped, PROT_NONE, MAP_SHARED, descriptor, 0);
    if (mapping == MAP_FAILED)
        return false;
    if (madvise(mapping, pages->mapped, MADV_DONTFORK) < 0 ||
        mprotect((uint8_t *)mapping + page_size(), pages->size, PROT_READ | PROT_WRITE) < 0) {
        munmap(mapping, pages->mapped);
        return false;
    }
    take_mapping(pages, SECRET_HIDDEN, mapping);
    return true;
}

static int map_locked(struct secret_pages *pages, struct error *error)
{
    void *mapping =
        mmap(NULL, pages->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return error_errno(error, CODE_FAULT, "map memory for a secret");
    take_mapping(pages, SECRET_LOCKED, mapping);
    return 0;
}

static int lock_pages(struct secret_pages *pages, struct error *error)
{
    if (mprotect(pages->data, pages->size, PROT_READ | PROT_WRITE) < 0)
        return error_errno(error, CODE_FAULT, "open memory for a secret");
    bool locked = mlock(pages->data, pages->size) == 0;
    if (!locked && secret_unlocked_allowed()) {
        pages->kind = SECRET_UNLOCKED;
    } else if (!locked) {
        error_errno(error, CODE_CONFIG, "lock %zu KiB of memory for a secret", pages->size / 1024);
        return error_hint(error, "raise the limit: ulimit -l 8192 (a unit: LimitMEMLOCK=8M)");
    }
    if (madvise(pages->data, pages->size, MADV_DONTDUMP) < 0)
        return error_errno(error, CODE_FAULT, "keep a secret out of core dumps");
    /*
     * Kernels before 4.14 do not know this one.  They lose a second line of defence only: rooms
     * are started by exec, which drops the pages in any case.
     */
    if (madvise(pages->data, pages->size, MADV_WIPEONFORK) < 0 && errno != EINVAL)
        return error_errno(error, CODE_FAULT, "keep a secret out of forked processes");
    return 0;
}

/*
 * Wipes and gives back to the kernel.  Hidden pages are not there in a forked child: something else
 * may stand in their place.
 */
static void unmap(struct secret_pages *pages)
{
    bool is_there = pages->kind != SECRET_HIDDEN || pages->owner == getpid();
    if (pages->mapping != NULL && is_there) {
        ASAN_UNPOISON_MEMORY_REGION(pages->data, pages->size);
        /* They may still be closed, when making them failed half-way. */
        if (mprotect(pages->data, pages->size, PROT_READ | PROT_WRITE) == 0)
            explicit_bzero(pages->data, pages->size);
        munmap(pages->mapping, pages->mapped);
    }
    free(pages);
}

static int make(size_t size, struct secret_pages **ret_pages, struct error *error)
{
    struct secret_pages *pages = calloc(1, sizeof(*pages));
    if (pages == NULL)
        return error_memory(error);
    pages->owner = getpid();
    pages->size = size;
    pages->mapped = size + 2 * page_size();
    bool is_small = size <= SECRET_HIDDEN_PAGES * page_size();
    if (!(is_small && map_hidden(pages)) &&
        (map_locked(pages, error) < 0 || lock_pages(pages, error) < 0)) {
        unmap(pages);
        return -1;
    }
    *ret_pages = pages;
    return 0;
}

/* ---- the reserve ---- */

/* All of it belongs to one process: a forked child begins anew, without what it cannot reach. */
static struct {
    struct secret_pages *first;
    size_t size; /* bytes in all of them, guard pages and all: the kernel counts them as locked */
    pid_t owner;
} reserve;

/* Rooms have one thread.  Where there are more, the second one does without the reserve. */
static atomic_flag is_taken = ATOMIC_FLAG_INIT;

static void drop_all(void)
{
    while (reserve.first != NULL) {
        struct secret_pages *first = reserve.first;
        reserve.first = first->next;
        unmap(first);
    }
    reserve.size = 0;
}

static bool enter(void)
{
    if (atomic_flag_test_and_set(&is_taken))
        return false;
    pid_t self = getpid();
    if (reserve.owner != self)
        drop_all();
    reserve.owner = self;
    return true;
}

static void leave(void)
{
    atomic_flag_clear(&is_taken);
}

static struct secret_pages *find(size_t size)
{
    struct secret_pages *found = NULL;
    if (!enter())
        return NULL;
    struct secret_pages **place = &reserve.first;
    while (*place != NULL && (*place)->size != size)
        place = &(*place)->next;
    if (*place != NULL) {
        found = *place;
        *place = found->next;
        reserve.size -= found->mapped;
    }
    leave();
    return found;
}

/* False when there is no room for them. */
static bool keep(struct secret_pages *pages)
{
    if (pages->mapped > SECRET_RESERVE_MAX || !enter())
        return false;
    bool fits = pages->owner == reserve.owner && pages->mapped <= SECRET_RESERVE_MAX - reserve.size;
    if (fits) {
        pages->next = reserve.first;
        reserve.first = pages;
        reserve.size += pages->mapped;
    }
    leave();
    return fits;
}

static size_t whole_pages(size_t capacity)
{
    return (capacity + page_size() - 1) / page_size() * page_size();
}

int secret_pages_take(size_t capacity, struct secret_pages **ret_pages, struct error *error)
{
    size_t size = whole_pages(capacity);
    struct secret_pages *pages = find(size);
    if (pages != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(pages->data, size);
    } else if (make(size, &pages, error) < 0) {
        /* What is kept for later secrets may be what this one lacks. */
        if (enter()) {
            drop_all();
            leave();
        }
        if (make(size, &pages, error) < 0)
            return -1;
    }
    *ret_pages = pages;
    return 0;
}

void secret_pages_leave(struct secret_pages *pages)
{
    if (pages->owner == getpid()) {
        explicit_bzero(pages->data, pages->size);
        ASAN_POISON_MEMORY_REGION(pages->data, pages->size);
        if (keep(pages))
            return;
    }
    unmap(pages);
}

static size_t count_kept(size_t size)
{
    size_t count = 0;
    if (!enter())
        return 0;
    for (const struct secret_pages *pages = reserve.first; pages != NULL; pages = pages->next)
        count += pages->size == size;
    leave();
    return count;
}

void secret_reserve(size_t capacity, size_t count)
{
    struct error ignored;
    struct secret_pages *pages;
    size_t size = whole_pages(capacity);
    if (capacity == 0 || size > SECRET_RESERVE_MAX)
        return;
    for (size_t kept = count_kept(size); kept < count; kept++) {
        if (make(size, &pages, &ignored) < 0)
            return;
        /* Hidden pages come when they are first touched, which is what takes the time. */
        explicit_bzero(pages->data, size);
        ASAN_POISON_MEMORY_REGION(pages->data, size);
        if (!keep(pages)) {
            unmap(pages);
            return;
        }
    }
}
