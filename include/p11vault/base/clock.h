/*
 * clock.h: wall time for logs and expiries, monotonic time for deadlines.  The two never mix.
 */
#ifndef P11VAULT_BASE_CLOCK_H
#define P11VAULT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

#define DAY INT64_C(86400) /* seconds */

/* Seconds since 1970-01-01 UTC. */
int64_t clock_now(void);

/* Microseconds of the monotonic clock, for measuring. */
int64_t clock_monotonic_us(void);

/* "2026-11-23T20:15:30Z" (RFC 3339) for a time in seconds; "2026-11-23" for clock_date(). */
void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE]);
void clock_date(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE]);

/* The end of a wait, on the monotonic clock.  Every wait in this program has one. */
struct deadline {
    int64_t at_ms;
};

struct deadline deadline_in(int64_t milliseconds);
/* Milliseconds left, 0 when it has passed: what poll(2) takes. */
int deadline_left(struct deadline deadline);
bool deadline_passed(struct deadline deadline);

#endif
