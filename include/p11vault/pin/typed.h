/*
 * typed.h: secrets that come from outside: typed at the terminal, piped in, or read from a private file.
 *
 * The bytes go from read(2) into a struct secret, with no buffer in between.  A line ending at the end is dropped.
 */
#ifndef P11VAULT_PIN_TYPED_H
#define P11VAULT_PIN_TYPED_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

#define PIN_MAX 255
#define TYPED_MAX ((size_t)16 * 1024)

/* True when this process has a terminal (/dev/tty) to ask at. */
bool typed_terminal_present(void);

/*
 * Asks at /dev/tty with echo off and restores the terminal also when a signal ends the process.  `prompt` is shown
 * with control characters replaced.  CODE_USAGE when nothing was typed or it is longer than `maximum`; CODE_CONFIG
 * when there is no terminal; CODE_RETRY when the deadline passed.
 */
int typed_ask(const char *prompt, size_t maximum, struct deadline deadline,
              struct secret **ret_secret, struct error *error);

/*
 * Shows one line to the person at the terminal, control characters replaced; nothing where there is none.  For what
 * must not come into the log of a job, which is where standard error may go.
 */
void typed_tell(const char *text);

/*
 * Reads a file with mode 0600 or stricter, owned by this user or root (a PIN file, a token file).
 * CODE_CONFIG with the chmod to run when it is more open than that.
 */
int typed_file(const char *path, size_t maximum, struct secret **ret_secret, struct error *error);

/* Reads a pipe or file descriptor to its end. */
int typed_descriptor(int descriptor, size_t maximum, struct deadline deadline,
                     struct secret **ret_secret, struct error *error);

/*
 * Refuses what cannot be a token or an app secret: empty, control characters, white space, bytes over 0x7E.
 * CODE_USAGE; names the first bad byte by position, never shows it.
 */
int typed_check_token(const struct secret *secret, const char *what, struct error *error);

#endif
