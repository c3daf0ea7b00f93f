/*
 * buffer.h: a growing byte buffer with a hard maximum, for texts that are not secret, and the bounded reader and
 * writer of the wire formats.
 */
#ifndef P11VAULT_BASE_BUFFER_H
#define P11VAULT_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"

/* Zero-initialise with BUFFER_UP_TO(maximum); `data` always has a NUL behind its `size` bytes once anything was put. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t maximum;
};

#define BUFFER_UP_TO(limit) ((struct buffer){.maximum = (limit)})

void buffer_clear(struct buffer *buffer); /* frees the bytes; the buffer can be used again */
#define auto_buffer __attribute__((cleanup(buffer_clear)))

/* Append; CODE_STOP when the maximum would be passed, CODE_FAULT without memory.  The buffer is unchanged then. */
int buffer_put(struct buffer *buffer, const void *bytes, size_t size, struct error *error);
int buffer_put_text(struct buffer *buffer, const char *text, struct error *error);
int buffer_put_format(struct buffer *buffer, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The bytes as a NUL-terminated string ("" when empty), valid until the next change. */
const char *buffer_text(const struct buffer *buffer);

/* Hands the bytes over as a NUL-terminated string (caller frees) and empties the buffer; NULL without memory. */
char *buffer_take_text(struct buffer *buffer);

/*
 * Reads a whole file of at most `maximum` bytes.  CODE_CONFIG when it is missing, not a regular file or too long.
 * With FILE_PRIVATE it must belong to root or this user and grant nothing to group and others (a PIN file), or be root's with mode 0440 (a credential of systemd);
 * with FILE_TRUSTED nobody but those two may be able to write it (configuration, trust file).
 */
enum file_rule { FILE_PLAIN, FILE_TRUSTED, FILE_PRIVATE };
int buffer_read_file(const char *path, size_t maximum, enum file_rule rule,
                     struct buffer *ret_buffer, struct error *error);

/* The same check alone, for a descriptor that is already open; `what` names it in the error. */
int file_check(int descriptor, enum file_rule rule, const char *what, struct error *error);
int directory_check(int descriptor, enum file_rule rule, const char *what, struct error *error);

/* Makes every directory on the way that is missing, for this user alone (0700).  CODE_CONFIG when that fails. */
int directory_make(const char *path, struct error *error);

/* Makes a file's name durable: it is only when the directory that holds it is.  CODE_CONFIG. */
int file_sync_name(const char *path, struct error *error);

/* Writes all of it to a descriptor, going on after signals; -1 with errno. */
int descriptor_write(int descriptor, const void *bytes, size_t size);

/*
 * Replaces a file whole: written beside it, synced, renamed, mode as given.  A reader sees the old or the new
 * content, also after a crash.
 */
int buffer_write_file(const char *path, const void *bytes, size_t size, unsigned mode,
                      struct error *error);

#endif
