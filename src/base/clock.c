/*
 * clock.c: the two clocks.
 */
#include "p11vault/base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LAST_SECOND INT64_C(253402300799) /* of the year 9999, the last that RFC 3339 can write */

static struct timespec read_clock(clockid_t clock)
{
    struct timespec time;
    /* Fails only for a clock that the kernel does not have; both of ours always exist. */
    if (clock_gettime(clock, &time) < 0)
        abort();
    return time;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME).tv_sec;
}

int64_t clock_monotonic_us(void)
{
    struct timespec time = read_clock(CLOCK_MONOTONIC);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* A time outside the years 1970 to 9999 is written as the nearer end of them. */
static struct tm broken_down(int64_t seconds)
{
    time_t time = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : seconds;
    struct tm parts = {0};
    gmtime_r(&time, &parts);
    return parts;
}

void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE])
{
    struct tm parts = broken_down(seconds);
    strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

void clock_date(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE])
{
    struct tm parts = broken_down(seconds);
    strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%d", &parts);
}

static int64_t monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

struct deadline deadline_in(int64_t milliseconds)
{
    struct deadline deadline;
    if (__builtin_add_overflow(monotonic_ms(), milliseconds, &deadline.at_ms))
        deadline.at_ms = milliseconds < 0 ? INT64_MIN : INT64_MAX;
    return deadline;
}

int deadline_left(struct deadline deadline)
{
    int64_t now = monotonic_ms();
    if (deadline.at_ms <= now)
        return 0;
    int64_t left = deadline.at_ms - now;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline deadline)
{
    return deadline_left(deadline) == 0;
}
