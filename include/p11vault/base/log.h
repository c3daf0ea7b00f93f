/*
 * log.h: what a program says about its own work, on standard error, one line a message, never a secret.
 * Silent unless log_start() was told otherwise: messages are for -v; errors go through struct error.
 */
#ifndef P11VAULT_BASE_LOG_H
#define P11VAULT_BASE_LOG_H

#include <stdbool.h>

/* `program` must live as long as the process. */
void log_start(const char *program, bool verbose);
bool log_is_verbose(void);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
