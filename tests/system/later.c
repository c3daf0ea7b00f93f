/*
 * Puts a program's clock on by P11VAULT_TEST_LATER seconds, and cuts each of its sleeps to one part in
 * P11VAULT_TEST_SOONER; loaded before the C library.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long setting(const char *name, long long otherwise)
{
    const char *text = getenv(name);
    return text ? atoll(text) : otherwise;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += setting("P11VAULT_TEST_LATER", 0);
    return result;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    long long part =
        (wanted->tv_sec * 1000000000LL + wanted->tv_nsec) / setting("P11VAULT_TEST_SOONER", 1);
    struct timespec time = {.tv_sec = part / 1000000000, .tv_nsec = part % 1000000000};
    return (int)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, left);
}
