/*
 * landlock.c: walls by the kernel's own access control and not by call numbers: for the locked exchange room no file by
 * any name and no TCP; for the others no writing but in the places they are given; for all no signals to the outside.
 */
#include "p11vault/confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "p11vault/base/cleanup.h"
#include "p11vault/base/log.h"

/* Debian 12's headers end with the second version of the interface; kernels go on. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};
#define FILES_V1 ((UINT64_C(1) << 13) - 1)
#define FILES_REFER (UINT64_C(1) << 13)    /* since version 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14) /* since version 3 */
#define FIRST_WITH_TRUNCATE 3
#define FILES_IOCTL (UINT64_C(1) << 15) /* since version 5 */
#define NETWORK_TCP UINT64_C(3)         /* bind and connect, since version 4 */
#define SCOPE_SIGNAL UINT64_C(2)        /* none to processes outside, since version 6 */

int confine_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

/* What the kernel's version governs, all of it denied until a rule allows it; -1 in *ret_ruleset without Landlock. */
static int make_ruleset(bool with_network, struct ruleset *ret_rules, int *ret_ruleset,
                        struct error *error)
{
    int version = confine_landlock_version();
    *ret_ruleset = -1;
    if (version == 0) {
        log_info("this kernel has no Landlock: the filters of system calls stand alone");
        return 0;
    }
    struct ruleset rules = {.files = FILES_V1};
    if (version >= 2)
        rules.files |= FILES_REFER;
    if (version >= FIRST_WITH_TRUNCATE)
        rules.files |= FILES_TRUNCATE;
    if (version >= 5)
        rules.files |= FILES_IOCTL;
    if (version >= 4 && with_network)
        rules.network = NETWORK_TCP;
    /* To those behind the same wall it may: so the front can end its rooms, which inherit its wall, and not they it. */
    if (version >= 6)
        rules.scoped = SCOPE_SIGNAL;
    size_t size = version >= 6   ? sizeof(rules)
                  : version >= 4 ? offsetof(struct ruleset, scoped)
                                 : offsetof(struct ruleset, network);
    *ret_ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (*ret_ruleset < 0)
        return error_errno(error, CODE_CONFIG, "make Landlock rules");
    *ret_rules = rules;
    return 0;
}

static int enforce(int ruleset, struct error *error)
{
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_errno(error, CODE_CONFIG, "confine the process by Landlock");
    return 0;
}

int confine_no_files(struct error *error)
{
    struct ruleset rules;
    auto_close int ruleset = -1;
    if (make_ruleset(true, &rules, &ruleset, error) < 0)
        return -1;
    return ruleset < 0 ? 0 : enforce(ruleset, error);
}

/* Allows some of what the ruleset governs for everything below a path. */
static int allow(int ruleset, const char *path, uint64_t access, struct error *error)
{
    auto_close int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return error_errno(error, CODE_CONFIG, "'%s'", path);
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = place};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_errno(error, CODE_CONFIG, "add a Landlock rule for '%s'", path);
    return 0;
}

/* Files below the places and nowhere else, as far as the kernel's version of Landlock goes. */
static int confine_contents(const char *const *places, size_t count, struct error *error)
{
    struct ruleset rules;
    auto_close int ruleset = -1;
    if (make_ruleset(false, &rules, &ruleset, error) < 0)
        return -1;
    if (ruleset < 0)
        return 0;
    if (allow(ruleset, "/",
              rules.files & (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                             LANDLOCK_ACCESS_FS_READ_DIR | FILES_IOCTL),
              error) < 0 ||
        allow(ruleset, "/dev", rules.files & LANDLOCK_ACCESS_FS_WRITE_FILE, error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (allow(ruleset, places[i], rules.files & ~FILES_IOCTL, error) < 0)
            return -1;
    return enforce(ruleset, error);
}

int confine_writing(const char *const *places, size_t count, struct error *error)
{
    int version = confine_landlock_version();
    /* Where Landlock does not govern writing at all, a filter against emptying would guard nothing. */
    bool can_empty = version > 0 && version < FIRST_WITH_TRUNCATE;
    if (confine_contents(places, count, error) < 0)
        return -1;
    return confine_changes(can_empty, count == 0, error);
}
