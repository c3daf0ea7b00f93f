/*
 * cleanup.h: clean-up by attribute.  Every resource is a local variable that frees itself when its scope ends;
 * a pointer leaves the scope only through TAKE().  There is no other way of cleaning up in this program.
 *
 *     auto_of(secret_free) struct secret *pin = NULL;
 *     ...
 *     *ret_pin = TAKE(pin);
 *     return 0;
 */
#ifndef P11VAULT_BASE_CLEANUP_H
#define P11VAULT_BASE_CLEANUP_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Gives `free_function` (void f(type *), NULL allowed) a form that the attribute can call. */
#define DEFINE_CLEANUP(type, free_function)                                                        \
    static inline void free_function##_at(type **pointer)                                          \
    {                                                                                              \
        free_function(*pointer);                                                                   \
    }                                                                                              \
    struct cleanup_needs_a_semicolon

#define auto_of(free_function) __attribute__((cleanup(free_function##_at)))

/* Hands the pointer on and leaves NULL behind, so that the scope's end frees nothing. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

/* The same for a file descriptor, with -1 for none. */
#define TAKE_FD(descriptor)                                                                        \
    ({                                                                                             \
        int taken_ = (descriptor);                                                                 \
        (descriptor) = -1;                                                                         \
        taken_;                                                                                    \
    })

/* The pointer can be of any type, so it is copied, not read through another one. */
static inline void cleanup_free(void *pointer)
{
    void *held;
    memcpy(&held, pointer, sizeof(held));
    free(held);
}

static inline void cleanup_close(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close)))

#endif
