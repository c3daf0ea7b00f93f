/*
 * offline.c: the card room's wall: a PKCS#11 module that cannot reach the network.  Sockets of the machine itself stay,
 * because pcscd is behind one.
 */
#include "p11vault/confine/confine.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "p11vault/base/cleanup.h"

static void filter_free(void *filter)
{
    if (filter)
        seccomp_release(filter);
}
DEFINE_CLEANUP(void, filter_free);

static const int families[] = {AF_INET, AF_INET6, AF_PACKET, AF_VSOCK, AF_BLUETOOTH};

/* What reaches into other processes is no business of a module either. */
static const int calls[] = {
    SCMP_SYS(ptrace),          SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),     SCMP_SYS(io_uring_setup),   SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd)};

int confine_offline(struct error *error)
{
    auto_of(filter_free) void *filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = 0;
    if (!filter)
        return error_memory(error);
    result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; result == 0 && i < sizeof(families) / sizeof(families[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    for (size_t i = 0; result == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    if (result == 0)
        result = seccomp_load(filter);
    if (result == 0)
        return 0;
    errno = -result;
    return error_errno(error, CODE_CONFIG, "keep the card room off the network");
}
