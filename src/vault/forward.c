/*
 * forward.c: entries to the journal (its native protocol: one datagram of NAME=VALUE lines) or to syslog (RFC 3164 as /dev/log takes it).
 */
#include "p11vault/vault/forward.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"

#define WAITING_MAX ((size_t)4 << 20)
#define AUTHPRIV_INFO 86 /* facility 10, severity 6 */
#define COUNT_MAX 32

struct forward {
    const struct config *config;
    const char *directory, *vault_id;
    struct buffer waiting; /* datagrams: size, then bytes */
    size_t waiting_count;
    int socket;
    bool is_journal, is_wanted;
};

int forward_new(const struct config *config, const char *directory, const char *vault_id,
                struct forward **ret_forward, struct error *error)
{
    struct forward *forward = calloc(1, sizeof(*forward));
    if (!forward)
        return error_memory(error);
    *forward = (struct forward){.config = config,
                                .directory = directory,
                                .vault_id = vault_id,
                                .waiting = BUFFER_UP_TO(WAITING_MAX),
                                .socket = -1,
                                .is_wanted = config->log_forward};
    *ret_forward = forward;
    return 0;
}

void forward_free(struct forward *forward)
{
    if (!forward)
        return;
    buffer_clear(&forward->waiting);
    cleanup_close(&forward->socket);
    free(forward);
}

/* ---- where to ---- */

/* A datagram socket that never waits; -1 when there is nobody. */
static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    auto_close int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return TAKE_FD(descriptor);
}

static bool is_open(struct forward *forward)
{
    const struct config *config = forward->config;
    if (forward->socket < 0) {
        forward->socket = reach(config->log_journal ? config->log_journal : FORWARD_JOURNAL);
        forward->is_journal = forward->socket >= 0;
    }
    if (forward->socket < 0)
        forward->socket = reach(config->log_syslog ? config->log_syslog : FORWARD_SYSLOG);
    return forward->socket >= 0;
}

/* ---- what did not go ---- */

static void lost_path(const char *directory, char ret_path[PATH_MAX])
{
    (void)snprintf(ret_path, PATH_MAX, "%s/%s", directory, FORWARD_LOST);
}

uint64_t forward_lost(const char *directory)
{
    char path[PATH_MAX];
    struct error ignored;
    auto_buffer struct buffer text = BUFFER_UP_TO(COUNT_MAX);
    lost_path(directory, path);
    if (access(path, F_OK) < 0 ||
        buffer_read_file(path, COUNT_MAX, FILE_PLAIN, &text, &ignored) < 0)
        return 0;
    return strtoull(buffer_text(&text), NULL, 10);
}

/* Two processes that lose at the same moment may count one loss: that there was one is what matters. */
static void count_lost(const struct forward *forward, size_t count)
{
    char path[PATH_MAX], text[COUNT_MAX];
    struct error ignored;
    int size = snprintf(text, sizeof(text), "%llu\n",
                        (unsigned long long)forward_lost(forward->directory) + count);
    lost_path(forward->directory, path);
    (void)buffer_write_file(path, text, (size_t)size, 0600, &ignored);
    log_info("%zu entries did not reach the journal", count);
}

/* ---- sending ---- */

void forward_add(struct forward *forward, uint64_t index, const char *type, const char *text)
{
    struct error ignored;
    auto_buffer struct buffer datagram = BUFFER_UP_TO(WAITING_MAX);
    if (!forward || !forward->is_wanted)
        return;
    forward->waiting_count++;
    bool found = is_open(forward);
    int put = found && !forward->is_journal
                  ? buffer_put_format(&datagram, &ignored, "<%d>p11vault[%d]: %s", AUTHPRIV_INFO,
                                      (int)getpid(), text)
                  : buffer_put_format(&datagram, &ignored,
                                      "MESSAGE=%s\nPRIORITY=6\nSYSLOG_IDENTIFIER=p11vault\n"
                                      "P11VAULT_ID=%s\nP11VAULT_ENTRY=%llu\nP11VAULT_TYPE=%s\n",
                                      text, forward->vault_id, (unsigned long long)index, type);
    uint32_t size = (uint32_t)datagram.size;
    if (put == 0 && forward->waiting.size + sizeof(size) + size <= WAITING_MAX) {
        (void)buffer_put(&forward->waiting, &size, sizeof(size), &ignored);
        (void)buffer_put(&forward->waiting, datagram.data, datagram.size, &ignored);
    }
}

void forward_drop(struct forward *forward)
{
    if (!forward)
        return;
    buffer_clear(&forward->waiting);
    forward->waiting_count = 0;
}

void forward_send(struct forward *forward)
{
    if (!forward || forward->waiting_count == 0)
        return;
    size_t sent = 0;
    const uint8_t *at = forward->waiting.data;
    const uint8_t *end = at + forward->waiting.size;
    while (is_open(forward) && at && at < end) {
        uint32_t size;
        memcpy(&size, at, sizeof(size));
        at += sizeof(size);
        if (send(forward->socket, at, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
            sent++;
        else if (errno != EAGAIN && errno != EMSGSIZE) /* it was started again: so is this */
            close(TAKE_FD(forward->socket));
        at += size;
    }
    if (sent < forward->waiting_count)
        count_lost(forward, forward->waiting_count - sent);
    forward_drop(forward);
}
