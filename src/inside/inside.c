/*
 * The first and last lines of both rooms.
 */
#include "p11vault/inside/inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"
#include "p11vault/base/secret.h"
#include "p11vault/confine/confine.h"
#include "p11vault/confine/kernel.h"
#include "p11vault/ipc/room.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/p11vault"
#endif

static int take_channels(struct inside *inside, struct error *error)
{
    if (fcntl(ROOM_CHANNEL_FD, F_GETFD) < 0) {
        error_set(error, CODE_USAGE, "this program is started by p11vault, not by hand");
        return error_hint(error, "p11vault --help");
    }
    if (channel_new(ROOM_CHANNEL_FD, inside->self, PARTY_FRONT, inside->begin, &inside->front,
                    error) < 0)
        return -1;
    if (fcntl(ROOM_KEYS_FD, F_GETFD) < 0)
        return 0;
    return channel_new(ROOM_KEYS_FD, inside->self, inside->other, KEYS_FLOW, &inside->keys, error);
}

/* The wiping allocators must be in place before either library has allocated anything. */
static int begin(struct inside *inside, struct error *error)
{
    struct confine_start start;
    if (confine_look_at_start(LIBEXECDIR, &start, error) < 0 || confine_process(true, error) < 0 ||
        confine_descriptors(ROOM_KEYS_FD + 1, error) < 0 || secret_heap_install(error) < 0)
        return -1;
    if (log_is_verbose() && !kernel_has_hidden())
        log_info("this kernel has no memfd_secret: secrets lie in locked memory");
    /* With its channel it can tell the front what is wrong. */
    return take_channels(inside, error) < 0 ? -1 : confine_check_start(&start, error);
}

int inside_run(struct inside *inside, int count, char **arguments)
{
    struct error error;
    bool verbose = false;
    for (int i = 1; i < count; i++) {
        verbose = verbose || strcmp(arguments[i], "-v") == 0;
        inside->network = inside->network || strcmp(arguments[i], "--network") == 0;
        if (strcmp(arguments[i], ROOM_UNLOCKED) == 0)
            secret_allow_unlocked();
        if (strcmp(arguments[i], "--writable") == 0 && i + 1 < count)
            inside->writable = arguments[++i];
    }
    log_start(inside->program, verbose);
    int result = begin(inside, &error);
    if (result == 0)
        result = inside->work(inside->context, &error);
    /* Whatever the work was broken off in the middle of. */
    scrub_stack_and_registers();
    if (result < 0 && inside->front && !channel_peer_gone(inside->front))
        channel_send_fail(inside->front, &error);
    else if (result < 0)
        fprintf(stderr, "%s: error: %s\n", inside->program, error.text);
    channel_free(TAKE(inside->keys));
    channel_free(TAKE(inside->front));
    return result < 0 ? (int)error.code : 0;
}
