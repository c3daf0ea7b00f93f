/*
 * interrupt.c: signals noted by a handler, which wakes the one place that waits by a descriptor.
 */
#include "p11vault/base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int held[] = {SIGINT, SIGTERM, SIGHUP};

#define HELD_COUNT (sizeof(held) / sizeof(held[0]))

static volatile sig_atomic_t came; /* the first one, 0: none */
static int bell = -1;              /* readable once one has come; -1: none is held */
static struct sigaction before[HELD_COUNT];

static void note(int number)
{
    int kept = errno;
    const uint64_t one = 1;
    if (came == 0)
        came = number;
    (void)!write(bell, &one, sizeof(one));
    errno = kept;
}

int interrupt_hold(struct error *error)
{
    const struct sigaction noting = {.sa_handler = note, .sa_flags = SA_RESTART | SA_RESETHAND};
    if (bell >= 0)
        return 0;
    came = 0;
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell < 0)
        return error_errno(error, CODE_FAULT, "hold signals back");
    for (size_t i = 0; i < HELD_COUNT; i++) {
        sigaction(held[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(held[i], &noting, NULL);
    }
    return 0;
}

int interrupt_wait(int descriptor, int milliseconds)
{
    struct pollfd waits[] = {{.fd = descriptor, .events = POLLIN}, {.fd = bell, .events = POLLIN}};
    int ready;
    do
        ready = poll(waits, 2, milliseconds);
    while (ready < 0 && errno == EINTR && came == 0);
    return came != 0 ? -1 : ready > 0;
}

bool interrupt_came(void)
{
    return came != 0;
}

void interrupt_release(void)
{
    if (bell < 0)
        return;
    for (size_t i = 0; i < HELD_COUNT; i++)
        sigaction(held[i], &before[i], NULL);
    close(bell);
    bell = -1;
    if (came != 0)
        raise(came);
}
