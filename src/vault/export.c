/*
 * export.c: writing tiles.  Names are made whole before the checkpoint says that they are there, so a reader that begins with the
 * checkpoint never misses one.
 */
#include "p11vault/vault/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "p11vault/audit/tile.h"

#define NOTES_MAX ((size_t)1 << 30)

struct exporting {
    struct vault *vault;
    const char *directory;
    struct checkpoint head;
    uint64_t had;          /* entries of the export that was there */
    struct buffer content; /* of the tile that is being written */
    uint64_t files;
};

static void exporting_clear(struct exporting *exporting)
{
    buffer_clear(&exporting->content);
}

/* ---- files ---- */

static int make_directories_of(char *path, const char *from, struct error *error)
{
    for (char *slash = strchr(path + strlen(from) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0700);
        int number = errno;
        *slash = '/';
        if (made < 0 && number != EEXIST) {
            errno = number;
            return error_errno(error, CODE_CONFIG, "make the directory of %s", path);
        }
    }
    return 0;
}

/* Under another name first; the whole file system is synced once before the checkpoint is written. */
static int write_content(struct exporting *exporting, const char *name, struct error *error)
{
    char path[EXPORT_PATH_MAX], draft[EXPORT_PATH_MAX + 8];
    int size = snprintf(path, sizeof(path), "%s/%s", exporting->directory, name);
    if (size < 0 || size >= (int)sizeof(path))
        return error_set(error, CODE_CONFIG, "the path of the export is too long");
    (void)snprintf(draft, sizeof(draft), "%s.new", path);
    if (make_directories_of(path, exporting->directory, error) < 0)
        return -1;
    auto_close int descriptor =
        open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0 ||
        descriptor_write(descriptor, exporting->content.data, exporting->content.size) < 0 ||
        rename(draft, path) < 0) {
        error_errno(error, CODE_CONFIG, "write %s", path);
        (void)unlink(draft);
        return -1;
    }
    exporting->files++;
    return 0;
}

static void start_content(struct exporting *exporting)
{
    exporting->content.size = 0;
}

/* ---- what is there already ---- */

static int check_there(struct exporting *exporting, struct error *error)
{
    char path[EXPORT_PATH_MAX];
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    struct checkpoint there;
    struct vault *vault = exporting->vault;
    (void)snprintf(path, sizeof(path), "%s/%s", exporting->directory, EXPORT_CHECKPOINT);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (buffer_read_file(path, NOTE_MAX, FILE_PLAIN, &note, error) < 0 ||
        checkpoint_verify(buffer_text(&note), vault->origin, &vault->trust, &there, NULL, error) <
            0 ||
        vault_check_same_log(vault, &there, error) < 0) {
        error->code = CODE_LOG;
        return error_prefix(error, "the export that is in %s", exporting->directory);
    }
    if (there.size > exporting->head.size)
        return error_set(
            error, CODE_LOG,
            "the export in %s has %llu signed entries, this store only %llu: it is older",
            exporting->directory, (unsigned long long)there.size,
            (unsigned long long)exporting->head.size);
    exporting->had = there.size;
    return 0;
}

/* ---- tiles ---- */

static int write_tile(struct exporting *exporting, unsigned level, uint64_t number, unsigned width,
                      struct error *error)
{
    char name[TILE_PATH_MAX];
    start_content(exporting);
    for (unsigned i = 0; i < width; i++) {
        struct digest hash;
        if (store_node_get(exporting->vault->store, 8 * level, number * TILE_WIDTH + i, &hash,
                           error) < 0 ||
            buffer_put(&exporting->content, hash.bytes, DIGEST_SIZE, error) < 0)
            return -1;
    }
    tile_path(level, number, width, name);
    return write_content(exporting, name, error);
}

/* The first one that the earlier export has not whole. */
static uint64_t first_of(const struct exporting *exporting, unsigned level)
{
    return exporting->had >> (8 * (level == TILE_ENTRIES ? 0 : level)) >> 8;
}

static int write_tiles(struct exporting *exporting, struct error *error)
{
    uint64_t size = exporting->head.size;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        unsigned width;
        for (uint64_t number = first_of(exporting, level);
             (width = tile_width(level, number, size)) > 0; number++)
            if (write_tile(exporting, level, number, width, error) < 0)
                return -1;
    }
    return 0;
}

#define ENOUGH 1

static int put_entry(void *context, uint64_t index, const char *text, size_t size,
                     struct error *error)
{
    struct exporting *exporting = context;
    char name[TILE_PATH_MAX];
    const uint8_t length[] = {(uint8_t)(size >> 8), (uint8_t)size};
    if (index >= exporting->head.size)
        return ENOUGH;
    if (buffer_put(&exporting->content, length, sizeof(length), error) < 0 ||
        buffer_put(&exporting->content, text, size, error) < 0)
        return -1;
    uint64_t number = index / TILE_WIDTH;
    unsigned width = (unsigned)(index % TILE_WIDTH) + 1;
    if (width < TILE_WIDTH && index + 1 < exporting->head.size)
        return 0;
    tile_path(TILE_ENTRIES, number, width, name);
    if (write_content(exporting, name, error) < 0)
        return -1;
    start_content(exporting);
    return 0;
}

static int write_entries(struct exporting *exporting, struct error *error)
{
    start_content(exporting);
    return store_entry_each(exporting->vault->store, first_of(exporting, TILE_ENTRIES) * TILE_WIDTH,
                            put_entry, exporting, error) < 0
               ? -1
               : 0;
}

/* ---- checkpoints ---- */

static int put_note(void *context, uint64_t size, const char *note, struct error *error)
{
    struct exporting *exporting = context;
    (void)size;
    return buffer_put_text(&exporting->content, note, error);
}

static int write_checkpoints(struct exporting *exporting, const char *newest, struct error *error)
{
    start_content(exporting);
    if (store_checkpoint_each(exporting->vault->store, put_note, exporting, error) != 0 ||
        write_content(exporting, EXPORT_CHECKPOINTS, error) < 0)
        return -1;
    auto_close int directory = open(exporting->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || syncfs(directory) < 0)
        return error_errno(error, CODE_CONFIG, "sync %s", exporting->directory);
    start_content(exporting);
    if (buffer_put_text(&exporting->content, newest, error) < 0 ||
        write_content(exporting, EXPORT_CHECKPOINT, error) < 0)
        return -1;
    if (syncfs(directory) < 0)
        return error_errno(error, CODE_CONFIG, "sync %s", exporting->directory);
    return 0;
}

static int run(struct exporting *exporting, struct export_report *report, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    struct vault *vault = exporting->vault;
    uint64_t entries;
    if (vault_signed_head(vault, &head, error) < 0 ||
        store_log_size(vault->store, &entries, error) < 0)
        return -1;
    if (head.checkpoint.size == 0) {
        error_set(error, CODE_LOG, "no card has signed this log yet");
        return error_hint(error, "p11vault card enroll");
    }
    exporting->head = head.checkpoint;
    if (mkdir(exporting->directory, 0700) < 0 && errno != EEXIST)
        return error_errno(error, CODE_CONFIG, "make the directory %s", exporting->directory);
    if (check_there(exporting, error) < 0 || write_tiles(exporting, error) < 0 ||
        write_entries(exporting, error) < 0 ||
        write_checkpoints(exporting, buffer_text(&head.note), error) < 0)
        return -1;
    report->entries = head.checkpoint.size;
    report->left_out = entries - head.checkpoint.size;
    report->files = exporting->files;
    return 0;
}

int vault_export(struct vault *vault, const char *directory, struct export_report *ret_report,
                 struct error *error)
{
    __attribute__((cleanup(exporting_clear))) struct exporting exporting = {
        .vault = vault, .directory = directory, .content = BUFFER_UP_TO(NOTES_MAX)};
    struct export_report report;
    if (store_snapshot_begin(vault->store, error) < 0)
        return -1;
    int result = run(&exporting, &report, error);
    store_snapshot_end(vault->store);
    if (result == 0)
        *ret_report = report;
    return result;
}

/* ---- reading the checkpoints back ---- */

/* The end of the note that begins here: behind its last signature line. */
static const char *note_end(const char *note)
{
    static const char dash[] = "\xe2\x80\x94 ";
    const char *line = strstr(note, "\n\n");
    if (!line)
        return note + strlen(note);
    line += 2;
    while (strncmp(line, dash, strlen(dash)) == 0) {
        const char *end = strchr(line, '\n');
        if (!end)
            return line + strlen(line);
        line = end + 1;
    }
    return line;
}

int export_each_note(const char *directory,
                     int (*each)(void *context, const char *note, struct error *error),
                     void *context, struct error *error)
{
    char path[EXPORT_PATH_MAX];
    auto_buffer struct buffer notes = BUFFER_UP_TO(NOTES_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, EXPORT_CHECKPOINTS);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (buffer_read_file(path, NOTES_MAX, FILE_PLAIN, &notes, error) < 0)
        return -1;
    if (strlen(buffer_text(&notes)) != notes.size)
        return error_set(error, CODE_LOG, "%s holds a NUL byte", path);
    for (const char *at = buffer_text(&notes); *at;) {
        const char *end = note_end(at);
        auto_free char *note = strndup(at, (size_t)(end - at));
        if (!note)
            return error_memory(error);
        if (end == at)
            return error_set(error, CODE_LOG, "%s: something between two checkpoints", path);
        if (each(context, note, error) < 0)
            return error_prefix(error, "%s", path);
        at = end;
    }
    return 0;
}
