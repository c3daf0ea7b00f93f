/*
 * without: starts a program as if the kernel did not know some system calls.
 *
 *     without [--stop] NUMBER[,NUMBER…] PROGRAM [ARGUMENT…]
 *
 * They fail with ENOSYS, there and in everything that it starts.  NUMBER:VALUE is the call with this first argument.  With --stop it stops itself first, so that somebody
 * can attach before the program runs.
 */
#include <err.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CALLS_MAX 32
#define CALL_SIZE 5

#if defined(__x86_64__)
#define THIS_MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE AUDIT_ARCH_AARCH64
#endif

static void forbid(char *numbers)
{
    struct sock_filter code[5 + CALL_SIZE * CALLS_MAX] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_MACHINE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short size = 4;
    size_t calls = 0;
    for (char *number; (number = strsep(&numbers, ",")) != NULL;) {
        const char *value = strchr(number, ':');
        const struct sock_filter call[CALL_SIZE] = {
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(number), 0, value ? 4 : 1),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value ? (unsigned)atoi(value + 1) : 0, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        };
        if (calls++ == CALLS_MAX)
            errx(2, "too many system calls");
        for (size_t i = 0; i < CALL_SIZE; i++)
            if (value || i == 0 || i == 3)
                code[size++] = call[i];
    }
    code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {size, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        err(2, "seccomp");
}

int main(int count, char **arguments)
{
    int next = count > 1 && strcmp(arguments[1], "--stop") == 0 ? 2 : 1;
    if (count < next + 2)
        errx(2, "usage: without [--stop] NUMBER[,NUMBER...] PROGRAM [ARGUMENT...]");
    forbid(arguments[next]);
    if (next == 2)
        raise(SIGSTOP);
    execv(arguments[next + 1], arguments + next + 1);
    err(2, "%s", arguments[next + 1]);
}
