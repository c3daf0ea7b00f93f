/*
 * What `doctor` says of the places that the log goes to besides the store: the head beside the trust file, the journal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "doctor.h"

#define FILES_LOW 1000

/* A file system may have room and no place for another file's name. */
void doctor_files(struct doctor *doctor)
{
    static const char fix[] = "remove files there: without a log entry no key is handed out";
    struct statvfs place;
    const char *directory = doctor->cli->directory;
    if (!directory || statvfs(directory, &place) < 0 || place.f_files == 0)
        return;
    unsigned long long left = place.f_favail;
    if (left == 0)
        doctor_problem(doctor, CODE_LOG, fix, "no more files can be made in %s", directory);
    else if (left < FILES_LOW)
        doctor_warn(doctor, fix, "only %llu more files can be made in %s", left, directory);
}

/* The newest signed head is kept beside the trust file: where that fails, no card is asked. */
void doctor_head(struct doctor *doctor)
{
    struct error error;
    struct vault *vault = doctor->cli->vault;
    if (!vault)
        return;
    if (vault_check_head_writable(vault, &error) < 0)
        doctor_failure(doctor, &error, "make it writable for you: the newest head is kept there");
    else
        doctor_ok(doctor, "the newest head is kept beside %s", doctor->cli->config->trust);
}

static bool takes_datagrams(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_close int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 || strlen(path) >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0;
}

void doctor_forward(struct doctor *doctor)
{
    const struct config *config = doctor->cli->config;
    const char *directory = doctor->cli->directory;
    if (!config || !directory || !config->log_forward)
        return;
    const char *journal = config->log_journal ? config->log_journal : FORWARD_JOURNAL;
    const char *syslog = config->log_syslog ? config->log_syslog : FORWARD_SYSLOG;
    uint64_t lost = forward_lost(directory);
    if (takes_datagrams(journal))
        doctor_ok(doctor, "entries go to %s", journal);
    else if (takes_datagrams(syslog))
        doctor_ok(doctor, "entries go to %s", syslog);
    else
        doctor_warn(doctor, "start the journal, or set journal or syslog in [log]",
                    "nobody takes the log's entries, neither at %s nor at %s", journal, syslog);
    if (lost > 0)
        doctor_warn(doctor,
                    "they are in the store; when you have seen to it, remove " FORWARD_LOST
                    " in the vault",
                    "%llu entries did not reach the journal", (unsigned long long)lost);
}
