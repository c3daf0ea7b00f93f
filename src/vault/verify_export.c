/*
 * verify_export.c: `audit verify` of a directory of tiles, as a stranger would read it: the checkpoint says how much there must be, and
 * every file is looked for by the name that follows from that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/audit/tile.h"
#include "p11vault/store/store.h"
#include "p11vault/vault/export.h"
#include "p11vault/vault/verify.h"
#include "replay.h"

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (STORE_ENTRY_MAX + 2))

struct reading {
    const struct config *config;
    const char *directory;
    char vault_id[VAULT_ID_SIZE];
    char origin[NOTE_NAME_MAX];
    struct trust trust;
    struct checkpoint head;
    struct replay replay;
    /* The hashes of the newest tile of each level, as the entries make them. */
    uint8_t tiles[TILE_LEVELS][TILE_WIDTH * DIGEST_SIZE];
    uint64_t newer_seen; /* size of the head this machine has seen, when it is newer */
    struct checkpoint seen;
    bool has_seen;
};

/* A file that the checkpoint says must be there and is not: the export is damaged, not the configuration. */
static int read_name(const struct reading *reading, const char *name, size_t maximum,
                     struct buffer *ret_content, struct error *error)
{
    char path[EXPORT_PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s/%s", reading->directory, name);
    if (size < 0 || size >= (int)sizeof(path))
        return error_set(error, CODE_CONFIG, "the path of the export is too long");
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return error_errno(error, CODE_LOG, "open %s", path);
    return buffer_read_file(path, maximum, FILE_PLAIN, ret_content, error);
}

bool vault_is_export(const char *directory)
{
    char path[EXPORT_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, STORE_FILE);
    if (access(path, F_OK) == 0)
        return false;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, EXPORT_CHECKPOINT);
    return access(path, F_OK) == 0;
}

/* ---- whose log, and what signs it ---- */

static int find_origin(struct reading *reading, const char *note, struct error *error)
{
    static const char prefix[] = "p11vault/";
    size_t size = strcspn(note, "\n");
    if (size != strlen(prefix) + VAULT_ID_SIZE - 1 || strncmp(note, prefix, strlen(prefix)) != 0)
        return error_set(error, CODE_LOG, "it is no checkpoint of a vault");
    (void)snprintf(reading->vault_id, sizeof(reading->vault_id), "%s", note + strlen(prefix));
    return checkpoint_origin(reading->vault_id, reading->origin, error);
}

static int read_head(struct reading *reading, struct error *error)
{
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    auto_buffer struct buffer trust = BUFFER_UP_TO(TRUST_FILE_MAX);
    const char *path = reading->config->trust;
    if (read_name(reading, EXPORT_CHECKPOINT, NOTE_MAX, &note, error) < 0 ||
        find_origin(reading, buffer_text(&note), error) < 0)
        return error_prefix(error, "checkpoint");
    if (buffer_read_file(path, TRUST_FILE_MAX, FILE_TRUSTED, &trust, error) < 0 ||
        trust_parse(buffer_text(&trust), trust.size, reading->origin, &reading->trust, error) < 0)
        return error_prefix(error, "trust file");
    if (checkpoint_verify(buffer_text(&note), reading->origin, &reading->trust, &reading->head,
                          NULL, error) < 0)
        return error_prefix(error, "checkpoint");
    return 0;
}

/* The newest head that this machine has seen: the export must contain it, or be older. */
static int read_seen(struct reading *reading, struct error *error)
{
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    auto_free char *path = NULL;
    if (asprintf(&path, "%s.%s.head", reading->config->trust, reading->vault_id) < 0)
        return error_memory(error);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (buffer_read_file(path, NOTE_MAX, FILE_TRUSTED, &note, error) < 0 ||
        checkpoint_verify(buffer_text(&note), reading->origin, &reading->trust, &reading->seen,
                          NULL, error) < 0)
        return error_prefix(error, "the newest head seen on this machine");
    if (reading->seen.size > reading->head.size)
        reading->newer_seen = reading->seen.size;
    else
        reading->has_seen = true;
    return 0;
}

static int take_note(void *context, const char *note, struct error *error)
{
    struct reading *reading = context;
    struct replay *replay = &reading->replay;
    struct checkpoint checkpoint;
    if (checkpoint_verify(note, reading->origin, &reading->trust, &checkpoint, NULL, error) < 0)
        return -1;
    if (replay->checkpoint_count > 0 &&
        checkpoint.size <= replay->checkpoints[replay->checkpoint_count - 1].size)
        return error_set(error, CODE_LOG, "checkpoint %llu stands behind a larger one",
                         (unsigned long long)checkpoint.size);
    if (checkpoint.size > reading->head.size)
        return error_set(
            error, CODE_LOG, "checkpoint %llu: the newest one is for %llu entries only",
            (unsigned long long)checkpoint.size, (unsigned long long)reading->head.size);
    return replay_checkpoint(replay, checkpoint.size, note, error);
}

static int read_checkpoints(struct reading *reading, struct error *error)
{
    struct replay *replay = &reading->replay;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    if (export_each_note(reading->directory, take_note, reading, error) < 0)
        return -1;
    if (replay->checkpoint_count > 0 &&
        replay->checkpoints[replay->checkpoint_count - 1].size == reading->head.size)
        return 0;
    if (read_name(reading, EXPORT_CHECKPOINT, NOTE_MAX, &note, error) < 0)
        return -1;
    return replay_checkpoint(replay, reading->head.size, buffer_text(&note), error);
}

/* ---- entries and tiles ---- */

static int compare_tile(const struct reading *reading, unsigned level, uint64_t number,
                        unsigned width, struct error *error)
{
    char name[TILE_PATH_MAX];
    auto_buffer struct buffer tile = BUFFER_UP_TO(TILE_WIDTH * DIGEST_SIZE);
    tile_path(level, number, width, name);
    if (read_name(reading, name, TILE_WIDTH * DIGEST_SIZE, &tile, error) < 0)
        return -1;
    size_t size = (size_t)width * DIGEST_SIZE;
    return tile.size == size && memcmp(tile.data, reading->tiles[level], size) == 0
               ? 0
               : error_set(error, CODE_LOG, "%s: its hashes are not those of the entries", name);
}

/* Keeps what the newest entry has completed, and compares each tile when it is full or the log ends. */
static int take_nodes(struct reading *reading, struct error *error)
{
    const struct replay *replay = &reading->replay;
    for (size_t i = 0; i < replay->node_count; i++) {
        const struct merkle_node *node = &replay->nodes[i];
        unsigned level = node->level / 8;
        if (node->level % 8 != 0 || level >= TILE_LEVELS)
            continue;
        unsigned place = (unsigned)(node->position % TILE_WIDTH);
        memcpy(reading->tiles[level] + (size_t)place * DIGEST_SIZE, node->hash.bytes, DIGEST_SIZE);
        if (place == TILE_WIDTH - 1 &&
            compare_tile(reading, level, node->position / TILE_WIDTH, TILE_WIDTH, error) < 0)
            return -1;
    }
    return 0;
}

static int check_seen(const struct reading *reading, struct error *error)
{
    if (!reading->has_seen || reading->replay.frontier.size != reading->seen.size)
        return 0;
    struct digest root = merkle_root(&reading->replay.frontier);
    return digest_equal(&root, &reading->seen.root)
               ? 0
               : error_set(error, CODE_LOG,
                           "the log was forked: its first %llu entries are not those of the "
                           "checkpoint which this machine has seen",
                           (unsigned long long)reading->seen.size);
}

static int take_entry(struct reading *reading, const char *text, size_t size, struct error *error)
{
    struct entry_view view;
    struct replay *replay = &reading->replay;
    if (replay_read(replay, text, size, &view, error) < 0)
        return -1;
    if (take_nodes(reading, error) < 0)
        return replay_bad_entry(replay->frontier.size - 1, error);
    if (replay_take(replay, text, size, &view, error) < 0)
        return -1;
    return check_seen(reading, error);
}

static int read_bundle(struct reading *reading, uint64_t number, unsigned width,
                       struct error *error)
{
    char name[TILE_PATH_MAX];
    auto_buffer struct buffer bundle = BUFFER_UP_TO(BUNDLE_MAX);
    tile_path(TILE_ENTRIES, number, width, name);
    if (read_name(reading, name, BUNDLE_MAX, &bundle, error) < 0)
        return -1;
    const uint8_t *at = bundle.data;
    size_t left = bundle.size;
    for (unsigned i = 0; i < width; i++) {
        size_t size = left >= 2 ? (size_t)at[0] << 8 | at[1] : 0;
        if (size == 0 || left < 2 + size)
            return error_set(error, CODE_LOG, "%s: entry %llu is cut off", name,
                             (unsigned long long)(number * TILE_WIDTH + i));
        if (take_entry(reading, (const char *)at + 2, size, error) < 0)
            return -1;
        at += 2 + size;
        left -= 2 + size;
    }
    return left == 0 ? 0 : error_set(error, CODE_LOG, "%s: there is more than its entries", name);
}

static int read_log(struct reading *reading, struct error *error)
{
    unsigned width;
    uint64_t size = reading->head.size;
    for (uint64_t number = 0; (width = tile_width(TILE_ENTRIES, number, size)) > 0; number++)
        if (read_bundle(reading, number, width, error) < 0)
            return -1;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        uint64_t hashes = size >> (8 * level);
        if (hashes % TILE_WIDTH != 0 && compare_tile(reading, level, hashes / TILE_WIDTH,
                                                     (unsigned)(hashes % TILE_WIDTH), error) < 0)
            return -1;
    }
    return replay_end(&reading->replay, error);
}

static int run(struct reading *reading, struct error *error)
{
    if (read_head(reading, error) < 0 ||
        replay_begin(&reading->replay, reading->vault_id, reading->origin, &reading->trust, error) <
            0 ||
        read_seen(reading, error) < 0 || read_checkpoints(reading, error) < 0)
        return -1;
    return read_log(reading, error);
}

int vault_verify_export(const struct config *config, const char *directory,
                        struct verify_report *ret_report, struct error *error)
{
    auto_free struct reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return error_memory(error);
    reading->config = config;
    reading->directory = directory;
    int result = run(reading, error);
    if (result == 0) {
        verify_report_fill(ret_report, &reading->replay);
        ret_report->seen = reading->newer_seen;
    }
    replay_clear(&reading->replay);
    return result;
}
