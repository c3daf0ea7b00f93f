/*
 * What `doctor` looks at on the machine: memory, walls, kernel, and the programs themselves.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "p11vault/base/secret.h"
#include "p11vault/confine/confine.h"
#include "p11vault/confine/kernel.h"
#include "p11vault/ipc/room.h"

#define KIB 1024ULL

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/p11vault"
#endif

/* A configuration that cannot be read allows nothing. */
void doctor_memory(struct doctor *doctor)
{
    static const char fix[] = "ulimit -l 8192 (in a systemd unit: LimitMEMLOCK=8M)";
    uint64_t limit = kernel_lock_limit();
    unsigned long long kib = limit / KIB;
    bool allowed = doctor->cli->config && doctor->cli->config->unlocked_memory;
    bool lockable = kernel_can_lock(SECRETS_MAX);
    if (allowed)
        doctor_warn(doctor, lockable ? "[memory] unlocked = refuse" : fix,
                    "[memory] unlocked = allow: %s",
                    lockable ? "secrets would go where they can be swapped out, without a word"
                             : "secrets can be swapped out");
    if (!lockable && allowed)
        doctor_warn(doctor, fix, "only %llu KiB can be locked", kib);
    else if (!lockable)
        doctor_problem(doctor, CODE_CONFIG, fix,
                       "only %llu KiB can be locked: secrets need %llu KiB", kib,
                       SECRETS_MAX / KIB);
    else if (limit == UINT64_MAX)
        doctor_ok(doctor, "memory can be locked without a limit");
    else if (limit < SECRETS_MAX)
        doctor_ok(doctor, "memory can be locked beyond the limit of %llu KiB by privilege", kib);
    else
        doctor_ok(doctor, "%llu KiB can be locked", kib);
}

void doctor_secret_memory(struct doctor *doctor)
{
    struct error error;
    auto_of(secret_free) struct secret *empty = NULL;
    if (secret_new(1, &empty, &error) < 0)
        doctor_failure(doctor, &error, "ulimit -l 8192");
    else if (secret_kind(empty) == SECRET_HIDDEN)
        doctor_ok(doctor, "secrets lie in memory that the kernel itself does not map");
    else if (secret_kind(empty) == SECRET_UNLOCKED)
        doctor_warn(doctor, "ulimit -l 8192", "secrets lie in memory that can be swapped out");
    else
        doctor_warn(doctor, "boot with secretmem.enable=1 (Linux 5.14 or newer)",
                    "no memfd_secret: secrets lie in locked memory that the kernel can read");
}

void doctor_process(struct doctor *doctor)
{
    if (kernel_process_closed())
        doctor_ok(doctor, "no core, and closed to other processes of this user");
    else
        doctor_warn(doctor, "make clean install, without SANITIZE",
                    "this process can be traced and dumped by others of the same user");
}

void doctor_privileges(struct doctor *doctor)
{
    if (kernel_process_bound())
        doctor_ok(doctor, "programs that are started gain none");
    else
        doctor_warn(doctor, "use Linux 3.5 or newer",
                    "programs that are started could gain privileges");
}

void doctor_filters(struct doctor *doctor)
{
    if (kernel_has_filters())
        doctor_ok(doctor, "filters are there: the exchange room can be locked");
    else
        doctor_problem(doctor, CODE_CONFIG,
                       "use a kernel with CONFIG_SECCOMP_FILTER, or a container that lets "
                       "seccomp(2) through",
                       "no filters: the exchange room cannot be locked and refuses to work");
}

void doctor_landlock(struct doctor *doctor)
{
    int version = confine_landlock_version();
    if (version > 0)
        doctor_ok(doctor,
                  "version %d: files are written only where they must be, and the locked exchange "
                  "room is kept from all of them%s",
                  version, version >= 4 ? " and TCP" : "");
    else
        doctor_warn(doctor, "use Linux 5.13 or newer and boot with landlock in lsm=",
                    "none: files can be written wherever the user can, and the exchange room's "
                    "lock stands by its seccomp filter alone");
}

void doctor_tracing(struct doctor *doctor)
{
    int scope = kernel_ptrace_scope();
    if (scope > 0)
        doctor_ok(doctor, "kernel.yama.ptrace_scope is %d", scope);
    else if (scope == 0)
        doctor_warn(doctor, "sysctl -w kernel.yama.ptrace_scope=1",
                    "kernel.yama.ptrace_scope is 0: a process can trace all of its user's");
    else
        doctor_warn(doctor, "use a kernel with CONFIG_SECURITY_YAMA and boot with yama in lsm=",
                    "no Yama: only that our processes are not dumpable keeps others out");
}

void doctor_swap(struct doctor *doctor)
{
    char name[KERNEL_TEXT_MAX];
    if (kernel_swap(name))
        doctor_warn(doctor, "swapoff -a, or encrypt it",
                    "%s: locked memory stays out of it, but a hibernated machine writes all", name);
    else
        doctor_ok(doctor, "none on disk");
}

void doctor_cores(struct doctor *doctor)
{
    char name[KERNEL_TEXT_MAX];
    if (kernel_core_program(name))
        doctor_ok(doctor, "piped to %s, which gets none of a process that is not dumpable", name);
    else
        doctor_ok(doctor, "written as files, which our limit of 0 forbids");
}

void doctor_build(struct doctor *doctor)
{
#ifdef P11VAULT_SANITIZED
    doctor_warn(doctor, "make clean install, without SANITIZE",
                "made with sanitizers: for tests only, without walls");
#else
    doctor_ok(doctor, "made without sanitizers");
#endif
}

/*
 * A program that its user can read starts dumpable, and stays so until its first line.  Rooms that are installed refuse
 * to work so, root's excepted.
 */
static void tell_readable(struct doctor *doctor, enum party who, const char *path, const char *fix,
                          const char *why)
{
    bool refuses = who != PARTY_FRONT && geteuid() != 0 &&
                   strncmp(path, LIBEXECDIR "/", strlen(LIBEXECDIR "/")) == 0;
    if (refuses)
        doctor_problem(doctor, CODE_CONFIG, fix, "%s %s, so it refuses to work", path, why);
    else
        doctor_warn(doctor, fix, "%s %s, so it starts dumpable", path, why);
}

static void check_program(struct doctor *doctor, enum party who)
{
    struct error error;
    struct stat status;
    char path[PATH_MAX], fix[PATH_MAX + 32], why[64];
    if (room_find_program(who, path, &error) < 0) {
        error.code = CODE_CONFIG;
        doctor_failure(doctor, &error, "make install");
        return;
    }
    if (stat(path, &status) < 0) {
        error_errno(&error, CODE_CONFIG, "look at %s", path);
        doctor_failure(doctor, &error, "make install");
    } else if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        (void)snprintf(fix, sizeof(fix), "chmod 0711 %s", path);
        (void)snprintf(why, sizeof(why), "can be read (mode %04o)", status.st_mode & 07777U);
        tell_readable(doctor, who, path, fix, why);
    } else if (geteuid() != 0 && status.st_uid == geteuid()) {
        (void)snprintf(fix, sizeof(fix), "chown root %s", path);
        tell_readable(doctor, who, path, fix, "is your own");
    } else {
        doctor_ok(doctor, "%s", path);
    }
}

void doctor_programs(struct doctor *doctor)
{
    check_program(doctor, PARTY_FRONT);
    check_program(doctor, PARTY_CARD);
    check_program(doctor, PARTY_EXCHANGE);
}
