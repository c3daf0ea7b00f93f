/*
 * The files that remember a rejected PIN, without anything of the PIN.
 */
#include "pin_guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"

#define MARK_MAX 4096
#define SERIAL_MAX 65

/* Which state the source is in: another inode or another time, and its content may be another. */
struct mark {
    char source[PATH_MAX];
    json_int_t inode, seconds, nanoseconds;
    bool vouched; /* a person has logged in since */
};

static int path_of(const struct config *config, const char *serial, char **ret_path,
                   struct error *error)
{
    const char *trust = config->trust;
    const char *slash = strrchr(trust, '/');
    char hex[2 * SERIAL_MAX + 1];
    size_t size = strnlen(serial, SERIAL_MAX);
    hex_encode((const uint8_t *)serial, size, hex);
    if (asprintf(ret_path, "%.*spin-rejected.%s", slash ? (int)(slash - trust + 1) : 0, trust,
                 hex) < 0)
        return error_memory(error);
    return 0;
}

static void look_at(const char *source, struct mark *mark)
{
    struct stat status = {0};
    (void)snprintf(mark->source, sizeof(mark->source), "%s", source);
    if (stat(source, &status) == 0) {
        mark->inode = (json_int_t)status.st_ino;
        mark->seconds = (json_int_t)status.st_mtim.tv_sec;
        mark->nanoseconds = (json_int_t)status.st_mtim.tv_nsec;
    }
}

static bool same_state(const struct mark *a, const struct mark *b)
{
    return strcmp(a->source, b->source) == 0 && a->inode == b->inode && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

static int write_mark(const char *path, const struct mark *mark, struct error *error)
{
    auto_free char *text = NULL;
    auto_json json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:b}", "source", mark->source, "inode",
                                       mark->inode, "seconds", mark->seconds, "nanoseconds",
                                       mark->nanoseconds, "vouched", (int)mark->vouched);
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    return buffer_write_file(path, text, strlen(text), 0600, error);
}

/* One that cannot be read counts as one of a state that no source is in any more. */
static bool read_mark(const char *path, struct mark *ret_mark)
{
    struct error ignored;
    auto_buffer struct buffer text = BUFFER_UP_TO(MARK_MAX);
    auto_json json_t *json = NULL;
    if (access(path, F_OK) < 0)
        return false;
    *ret_mark = (struct mark){.inode = -1};
    if (buffer_read_file(path, MARK_MAX, FILE_PRIVATE, &text, &ignored) < 0 ||
        json_parse(buffer_text(&text), text.size, "rejected PIN", &json, &ignored) < 0)
        return true;
    const char *source = json_text(json, "source");
    (void)snprintf(ret_mark->source, sizeof(ret_mark->source), "%s", source ? source : "");
    ret_mark->inode = json_number(json, "inode", -1);
    ret_mark->seconds = json_number(json, "seconds", -1);
    ret_mark->nanoseconds = json_number(json, "nanoseconds", -1);
    ret_mark->vouched = json_is_true(json_object_get(json, "vouched"));
    return true;
}

static int refuse(const char *serial, const struct mark *mark, const char *source, bool changed,
                  struct error *error)
{
    if (!mark->vouched) {
        error_set(error, CODE_PIN_LOCKED,
                  "card '%s': a wrong PIN was given before and nobody is at the terminal, so it is "
                  "not tried",
                  serial);
        return error_hint(error, "%srun the same command at a terminal with --ask-pin",
                          changed ? "" : "correct the PIN's source, then ");
    }
    error_set(
        error, CODE_PIN_LOCKED,
        "card '%s': the PIN from %s was rejected and has not been changed since, so it is not "
        "tried",
        serial, source);
    return error_hint(error, "write the right PIN to %s", source);
}

int pin_guard_begin(const struct front *front, const char *serial, const char *source,
                    struct error *error)
{
    auto_free char *path = NULL;
    struct mark now = {.vouched = false}, before;
    if (path_of(front->config, serial, &path, error) < 0)
        return -1;
    look_at(source, &now);
    if (read_mark(path, &before)) {
        bool changed = !same_state(&before, &now);
        if (!before.vouched || !changed)
            return refuse(serial, &before, source, changed, error);
    }
    if (vault_make_trust_directory(front->vault, error) < 0 || write_mark(path, &now, error) < 0)
        return error_prefix(error, "note that a PIN is tried");
    return 0;
}

void pin_guard_clear(const struct front *front, const char *serial)
{
    struct error error;
    auto_free char *path = NULL;
    if (path_of(front->config, serial, &path, &error) < 0)
        return;
    if (unlink(path) < 0 && errno != ENOENT)
        log_info("%s cannot be removed", path);
}

void pin_guard_vouch(const struct front *front, const char *serial)
{
    struct error error;
    auto_free char *path = NULL;
    struct mark mark;
    if (path_of(front->config, serial, &path, &error) < 0 || !read_mark(path, &mark) ||
        mark.vouched)
        return;
    mark.vouched = true;
    if (write_mark(path, &mark, &error) < 0)
        log_info("%s", error.text);
}

bool front_pin_rejected(const struct config *config, const char *serial)
{
    struct error error;
    auto_free char *path = NULL;
    return path_of(config, serial, &path, &error) == 0 && access(path, F_OK) == 0;
}
