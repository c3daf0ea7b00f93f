/*
 * The files that remember how a PIN was tried, without anything of the PIN.
 */
#include "pin_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"

#define MARK_MAX 8192
#define MARK_BLOCK 512
#define TRIES 2 /* of a write: some errors pass */
#define SERIAL_MAX 65
#define CUT_OFF_MAX 1 /* tries whose end nobody knows, before a person is asked for */

struct mark {
    /* Which state the source is in: another inode or another time, and its content may be another. */
    char source[PATH_MAX];
    json_int_t inode, seconds, nanoseconds;
    bool accepted;      /* the card has accepted it in this state */
    bool rejected;      /* and here not */
    bool unreadable;    /* nobody knows: as if it were rejected */
    bool vouched;       /* a person has logged in since */
    json_int_t cut_off; /* tries since that, whose end nobody knows */
};

static int path_of(const struct config *config, const char *serial, char **ret_path,
                   struct error *error)
{
    const char *trust = config->trust;
    const char *slash = strrchr(trust, '/');
    char hex[2 * SERIAL_MAX + 1];
    size_t size = strnlen(serial, SERIAL_MAX);
    hex_encode((const uint8_t *)serial, size, hex);
    if (asprintf(ret_path, "%.*spin-tried.%s", slash ? (int)(slash - trust + 1) : 0, trust, hex) <
        0)
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

/* ---- the file ---- */

/* Never cut before it is written: a file that is empty says that nothing was ever tried. */
static int put_text(int descriptor, const char *text, size_t size)
{
    errno = ENOSPC; /* of a write that was shorter */
    return pwrite(descriptor, text, size, 0) != (ssize_t)size ||
                   ftruncate(descriptor, (off_t)size) < 0 || fdatasync(descriptor) < 0
               ? -1
               : 0;
}

/*
 * In place, for the lock is the file's; in whole blocks, so that the next one is mostly as long and
 * needs no room.  One that was written by half cannot be read, and stops as a rejection does.
 */
static int write_mark(int descriptor, const struct mark *mark, struct error *error)
{
    char block[MARK_MAX];
    auto_free char *text = NULL;
    auto_json json_t *json = json_pack(
        "{s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:I}", "source", mark->source, "inode", mark->inode,
        "seconds", mark->seconds, "nanoseconds", mark->nanoseconds, "accepted", (int)mark->accepted,
        "rejected", (int)mark->rejected, "vouched", (int)mark->vouched, "cutoff", mark->cut_off);
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    int width = (int)(strlen(text) / MARK_BLOCK + 1) * MARK_BLOCK;
    if (snprintf(block, sizeof(block), "%-*s", width, text) >= (int)sizeof(block))
        return error_set(error, CODE_CONFIG, "the path of the PIN's source is too long");
    for (int i = 0; i < TRIES; i++)
        if (put_text(descriptor, block, (size_t)width) == 0)
            return 0;
    return error_errno(error, CODE_LOG, "note that a PIN is tried");
}

/* False for a file that is empty: nothing was ever tried. */
static bool read_mark(int descriptor, struct mark *ret_mark)
{
    struct error ignored;
    char text[MARK_MAX];
    auto_json json_t *json = NULL;
    ssize_t size = pread(descriptor, text, sizeof(text), 0);
    if (size == 0)
        return false;
    *ret_mark = (struct mark){.inode = -1, .rejected = true, .unreadable = true};
    if (size < 0 || json_parse(text, (size_t)size, "note of a PIN", &json, &ignored) < 0)
        return true;
    const char *source = json_text(json, "source");
    *ret_mark = (struct mark){.inode = json_number(json, "inode", -1),
                              .seconds = json_number(json, "seconds", -1),
                              .nanoseconds = json_number(json, "nanoseconds", -1),
                              .accepted = json_is_true(json_object_get(json, "accepted")),
                              .rejected = !json_is_false(json_object_get(json, "rejected")),
                              .vouched = json_is_true(json_object_get(json, "vouched")),
                              .cut_off = json_number(json, "cutoff", CUT_OFF_MAX + 1)};
    (void)snprintf(ret_mark->source, sizeof(ret_mark->source), "%s", source ? source : "");
    return true;
}

static int open_mark(const struct config *config, const char *serial, int flags,
                     int *ret_descriptor, struct error *error)
{
    auto_free char *path = NULL;
    if (path_of(config, serial, &path, error) < 0)
        return -1;
    auto_close int descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0)
        return error_errno(error, CODE_LOG, "open '%s'", path);
    if (file_check(descriptor, FILE_PRIVATE, path, error) < 0)
        return -1;
    *ret_descriptor = TAKE_FD(descriptor);
    return 0;
}

/* Whoever holds it is at the card, which has a deadline. */
static int lock_mark(int descriptor, struct error *error)
{
    int locked;
    do
        locked = flock(descriptor, LOCK_EX);
    while (locked < 0 && errno == EINTR);
    return locked == 0 ? 0 : error_errno(error, CODE_LOG, "wait for another login to the card");
}

/* ---- may it be tried? ---- */

static int refuse(const char *serial, const struct mark *mark, const char *source, bool changed,
                  struct error *error)
{
    if (!mark->rejected) {
        error_set(
            error, CODE_PIN_LOCKED,
            "card '%s': the last try of its PIN was cut off before the card had answered, so the "
            "PIN from pin-source is not tried",
            serial);
        return error_hint(error, "run the same command at a terminal with --ask-pin");
    }
    if (mark->unreadable) {
        error_set(error, CODE_PIN_LOCKED,
                  "card '%s': what was noted of the last try of its PIN cannot be read, so the "
                  "PIN from pin-source is not tried",
                  serial);
        return error_hint(error, "run the same command at a terminal with --ask-pin");
    }
    if (!mark->vouched) {
        error_set(
            error, CODE_PIN_LOCKED,
            "card '%s': a wrong PIN was given before, so the PIN from pin-source is not tried",
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

static bool may_try(const struct mark *before, bool changed)
{
    if (before->rejected)
        return before->vouched && changed;
    return before->cut_off == 0 || before->vouched ||
           (before->accepted && !changed && before->cut_off <= CUT_OFF_MAX);
}

int pin_guard_begin(const struct front *front, const char *serial, const char *source,
                    int *ret_descriptor, struct error *error)
{
    struct mark now = {.cut_off = 1}, before;
    struct error ignored;
    auto_close int descriptor = -1;
    if (vault_make_trust_directory(front->config, error) < 0 ||
        open_mark(front->config, serial, O_RDWR | O_CREAT, &descriptor, error) < 0 ||
        lock_mark(descriptor, error) < 0)
        return -1;
    look_at(source, &now);
    bool was_tried = read_mark(descriptor, &before);
    if (was_tried) {
        bool changed = !same_state(&before, &now);
        if (!may_try(&before, changed))
            return refuse(serial, &before, source, changed, error);
        now.accepted = before.accepted && !changed;
        now.cut_off = before.vouched ? 1 : before.cut_off + 1;
    }
    if (write_mark(descriptor, &now, error) == 0) {
        *ret_descriptor = TAKE_FD(descriptor);
        return 0;
    }
    /* It is not tried now: what was true before is true again, as far as that can be written. */
    if ((was_tried ? write_mark(descriptor, &before, &ignored) : ftruncate(descriptor, 0)) < 0)
        log_info("the note of a PIN that is not tried stays");
    return -1;
}

int pin_guard_end(int descriptor, enum pin_verdict verdict, struct error *error)
{
    struct mark mark;
    if (verdict == PIN_UNCLEAR)
        return 0; /* cut off, as it is written already */
    if (!read_mark(descriptor, &mark))
        return error_set(error, CODE_LOG, "the note of a PIN that is tried was emptied");
    /* Not looked at: as if this try had not been; of an earlier one nobody knows more now. */
    mark.cut_off = verdict == PIN_NOT_LOOKED_AT ? mark.cut_off - 1 : 0;
    mark.accepted = mark.accepted || verdict == PIN_ACCEPTED;
    mark.rejected = verdict == PIN_REJECTED;
    return write_mark(descriptor, &mark, error);
}

void pin_guard_vouch(const struct front *front, const char *serial)
{
    struct error error;
    struct mark mark;
    auto_close int descriptor = -1;
    if (open_mark(front->config, serial, O_RDWR, &descriptor, &error) < 0)
        return; /* nothing was tried unattended */
    if (lock_mark(descriptor, &error) < 0 || !read_mark(descriptor, &mark) || mark.vouched ||
        (!mark.rejected && mark.cut_off == 0))
        return;
    mark.vouched = true;
    if (write_mark(descriptor, &mark, &error) < 0)
        log_info("%s", error.text);
}

bool front_pin_rejected(const struct config *config, const char *serial)
{
    struct error error;
    struct mark mark;
    auto_close int descriptor = -1;
    return open_mark(config, serial, O_RDONLY, &descriptor, &error) == 0 &&
           read_mark(descriptor, &mark) && mark.rejected;
}
