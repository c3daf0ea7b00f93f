/*
 * Wall time for logs, monotonic time for deadlines.
 */
#include "p11vault/base/clock.h"

#include <limits.h>
#include <string.h>
#include <time.h>

int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A year that does not fit leaves a mark that no parser takes for a date. */
static void unknown_time(char ret_text[CLOCK_TEXT_SIZE])
{
    memcpy(ret_text, "?", 2);
}

void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&time, &utc) ||
        strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        unknown_time(ret_text);
}

void clock_date(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&time, &utc) || strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%d", &utc) == 0)
        unknown_time(ret_text);
}

struct deadline deadline_in(int64_t milliseconds)
{
    return (struct deadline){clock_monotonic_us() / 1000 + milliseconds};
}

int deadline_left(struct deadline deadline)
{
    int64_t left = deadline.at_ms - clock_monotonic_us() / 1000;
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline deadline)
{
    return deadline_left(deadline) == 0;
}
