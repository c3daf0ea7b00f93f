/*
 * landlock.c: a second wall beside the lock: no file by any name and no TCP connection, as the kernel's own access
 * control and not by call numbers.
 */
#include "p11vault/confine/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/log.h"

/* Debian 12's headers end with the second version of the interface; kernels go on. */
struct ruleset {
    uint64_t files;
    uint64_t network;
};
#define FILES_V1 ((UINT64_C(1) << 13) - 1)
#define FILES_REFER (UINT64_C(1) << 13)    /* since version 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14) /* since version 3 */
#define FILES_IOCTL (UINT64_C(1) << 15)    /* since version 5 */
#define NETWORK_TCP UINT64_C(3)            /* bind and connect, since version 4 */

int confine_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

int confine_no_files(struct error *error)
{
    int version = confine_landlock_version();
    if (version == 0) {
        log_info("this kernel has no Landlock: the lock stands by its seccomp filter alone");
        return 0;
    }
    struct ruleset rules = {.files = FILES_V1};
    if (version >= 2)
        rules.files |= FILES_REFER;
    if (version >= 3)
        rules.files |= FILES_TRUNCATE;
    if (version >= 5)
        rules.files |= FILES_IOCTL;
    if (version >= 4)
        rules.network = NETWORK_TCP;
    size_t size = version >= 4 ? sizeof(rules) : offsetof(struct ruleset, network);
    auto_close int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    /* No rule is added: nothing of what the ruleset governs is allowed. */
    if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_errno(error, CODE_CONFIG, "lock the process by Landlock");
    return 0;
}
