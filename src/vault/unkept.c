/*
 * Files for what the store cannot take: lines of JSON and a NUL; behind it random bytes, which are
 * the room.
 */
#include "p11vault/vault/unkept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "p11vault/base/log.h"
#include "p11vault/vault/apps.h"

#define PREFIX "unkept-"
#define TRIES 2 /* of a write: some errors pass */

struct unkept {
    char path[PATH_MAX];
    int descriptor;
    size_t room, used;
};

void unkept_free(struct unkept *unkept)
{
    if (!unkept)
        return;
    if (unkept->descriptor >= 0 && unkept->used == 0)
        (void)unlink(unkept->path);
    cleanup_close(&unkept->descriptor);
    free(unkept);
}

size_t unkept_room(const struct unkept *unkept)
{
    return unkept->room;
}

const char *unkept_path(const struct unkept *unkept)
{
    return unkept->path;
}

/* ---- making one ---- */

/*
 * Random, because a file system that compresses needs no room for zeros; and empty, because it
 * begins with the NUL.
 */
static int fill(const struct unkept *unkept, struct error *error)
{
    auto_free uint8_t *bytes = malloc(unkept->room);
    if (!bytes)
        return error_memory(error);
    if (random_bytes(bytes, unkept->room, error) < 0)
        return -1;
    bytes[0] = 0;
    if (descriptor_write(unkept->descriptor, bytes, unkept->room) < 0 ||
        fdatasync(unkept->descriptor) < 0)
        return error_errno(error, CODE_LOG, "make room for what is issued");
    return file_sync_name(unkept->path, error);
}

/* A run that looks for what the dead have left may have locked it first, and removed it. */
static int lock_new(const struct unkept *unkept, struct error *error)
{
    struct stat status;
    if (flock(unkept->descriptor, LOCK_EX) < 0 || fstat(unkept->descriptor, &status) < 0)
        return error_errno(error, CODE_LOG, "lock '%s'", unkept->path);
    return status.st_nlink > 0 ? 0 : error_set(error, CODE_BUSY, "'%s' was removed", unkept->path);
}

int unkept_new(struct vault *vault, const char *use, size_t room, struct unkept **ret_unkept,
               struct error *error)
{
    auto_of(unkept_free) struct unkept *unkept = calloc(1, sizeof(*unkept));
    if (!unkept)
        return error_memory(error);
    unkept->room = room;
    int size = snprintf(unkept->path, PATH_MAX, "%s/" PREFIX "%s", vault->directory, use);
    unkept->descriptor =
        size < PATH_MAX
            ? open(unkept->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)
            : -1;
    if (unkept->descriptor < 0)
        return error_errno(error, CODE_LOG, "make '%s'", unkept->path);
    if (lock_new(unkept, error) < 0)
        return -1;
    if (fill(unkept, error) < 0)
        return error_hint(error, "free space on the file system of %.300s", vault->directory);
    *ret_unkept = TAKE(unkept);
    return 0;
}

/* ---- putting into it ---- */

static int compose(const struct store_record *row, const char *kid, const json_t *remarks,
                   const char *use, struct buffer *line, struct error *error)
{
    auto_free char *text = NULL;
    auto_json json_t *json =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:O}", "name", row->name, "version",
                  (json_int_t)row->version, "jwe", row->jwe, "kid", kid, "use", use, "columns",
                  vault_columns(row), "remarks", remarks);
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    return buffer_put_format(line, error, "%s\n", text);
}

int unkept_put(struct unkept *unkept, const struct store_record *row, const char *kid,
               const json_t *remarks, const char *use, struct error *error)
{
    auto_buffer struct buffer line = BUFFER_UP_TO(unkept->room - unkept->used - 1);
    if (compose(row, kid, remarks, use, &line, error) < 0)
        return -1;
    for (int i = 0; i < TRIES; i++)
        if (lseek(unkept->descriptor, (off_t)unkept->used, SEEK_SET) >= 0 &&
            descriptor_write(unkept->descriptor, line.data, line.size + 1) == 0 &&
            fdatasync(unkept->descriptor) == 0) {
            unkept->used += line.size;
            return 0;
        }
    return error_errno(error, CODE_LOG, "write '%s'", unkept->path);
}

/* ---- taking up what the dead have left ---- */

struct taking {
    struct vault *vault;
    void (*say)(const char *text);
    const struct signed_head *head;
    const char *path;
};

/* What one line says. */
struct left {
    struct name name;
    struct store_record row; /* pending */
    const char *kid, *use;   /* the line's, as are the remarks */
    const json_t *remarks;
};

static int read_line(const json_t *line, struct left *ret_left, struct error *error)
{
    const char *name = json_text(line, "name"), *jwe = json_text(line, "jwe");
    const json_t *columns = json_object_get(line, "columns"), *scopes;
    auto_free char *text = NULL;
    ret_left->kid = json_text(line, "kid");
    ret_left->use = json_text(line, "use");
    ret_left->remarks = json_object_get(line, "remarks");
    if (!name || !jwe || !ret_left->kid || !ret_left->use || !json_is_object(columns) ||
        !json_is_object(ret_left->remarks))
        return error_set(error, CODE_LOG, "a member is missing or is of the wrong type");
    scopes = json_object_get(columns, "scopes");
    if (name_parse_grant(name, &ret_left->name, error) < 0 ||
        vault_new_row(&ret_left->name, json_number(line, "version", 0), "pending", jwe,
                      &ret_left->row, error) < 0 ||
        store_text_set(&ret_left->row.subject, json_text(columns, "subject"), error) < 0 ||
        (scopes && json_canonical(scopes, &text, error) < 0) ||
        store_text_set(&ret_left->row.scopes, text, error) < 0)
        return -1;
    struct store_record *row = &ret_left->row;
    const json_t *valid = json_object_get(columns, "valid");
    row->expires = json_number(columns, "expires", STORE_UNKNOWN);
    row->data_expires = json_number(columns, "data_expires", STORE_UNKNOWN);
    row->issued = json_number(columns, "issued", STORE_UNKNOWN);
    row->checked = json_number(columns, "checked", STORE_UNKNOWN);
    row->valid = json_is_boolean(valid) ? json_is_true(valid) : STORE_UNKNOWN;
    return 0;
}

/* "ads/page/" and a star: whatever the list holds. */
static bool is_sealed_by(const json_t *intent, const char *name)
{
    const json_t *item;
    size_t i;
    json_array_foreach (json_object_get(intent, "seals"), i, item) {
        const char *seals = json_string_value(item);
        size_t size = strlen(seals);
        bool is_list = size > 0 && seals[size - 1] == '*';
        if (strcmp(seals, name) == 0 || (is_list && strncmp(seals, name, size - 1) == 0))
            return true;
    }
    return false;
}

/* Who can write the directory could put a file there: but not a use that a card has signed for. */
static int check_use(const struct taking *taking, const struct left *left, struct error *error)
{
    auto_json json_t *intent = NULL;
    uint64_t index;
    bool found;
    if (store_entry_newest(taking->vault->store, entry_type_name(ENTRY_INTENT), left->use, &index,
                           &found, error) < 0)
        return -1;
    if (!found || index >= taking->head->checkpoint.size)
        return error_set(error, CODE_LOG, "no card has signed for the use that it names");
    if (vault_signed_entry(taking->vault, taking->head, index, ENTRY_INTENT, &intent, error) < 0)
        return -1;
    return is_sealed_by(intent, left->name.full)
               ? 0
               : error_set(error, CODE_LOG, "the use that it names was for other grants");
}

static int check_key(const struct taking *taking, const struct left *left, struct error *error)
{
    auto_app struct vault_app app = {0};
    if (vault_app_find(taking->vault, taking->head, left->name.app, &app, error) < 0)
        return -1;
    return strcmp(vault_app_kid(&app), left->kid) == 0
               ? 0
               : error_set(error, CODE_LOG, "it is sealed to a key that the app no longer has");
}

/* A run may have died between the store's change and the removal of the file. */
static int check_version(const struct taking *taking, const struct left *left, bool *ret_is_there,
                         struct error *error)
{
    struct store *store = taking->vault->store;
    auto_record struct store_record row = {0};
    struct digest digest = digest_of(left->row.jwe, strlen(left->row.jwe));
    char hex[DIGEST_HEX_SIZE];
    bool found;
    digest_hex(&digest, hex);
    if (store_record_get(store, left->name.full, NULL, &row, &found, error) < 0)
        return -1;
    *ret_is_there = found && row.version == left->row.version && strcmp(row.digest, hex) == 0;
    if (*ret_is_there || left->row.version == (found ? row.version : 0) + 1)
        return 0;
    return error_set(error, CODE_LOG, "the store has version %lld of it, and this is version %lld",
                     found ? (long long)row.version : 0LL, (long long)left->row.version);
}

static int put_left(const struct taking *taking, struct left *left, struct error *error)
{
    struct vault *vault = taking->vault;
    auto_change struct store *change = vault->store;
    char words[NAME_MAX_SIZE + 128];
    bool is_there;
    if (check_use(taking, left, error) < 0 || check_key(taking, left, error) < 0 ||
        store_begin(change, error) < 0 || check_version(taking, left, &is_there, error) < 0)
        return -1;
    if (is_there)
        return 0;
    if (vault_put_record(vault, &left->row, left->kid, left->remarks, left->use, error) < 0 ||
        store_commit(change, error) < 0)
        return -1;
    (void)snprintf(words, sizeof(words),
                   "%s: the new grant that an earlier run could not keep is now in the store",
                   left->name.full);
    taking->say(words);
    return 0;
}

static int take_line(const struct taking *taking, const char *text, size_t size,
                     struct error *error)
{
    auto_json json_t *line = NULL;
    auto_close int lock = -1;
    auto_close int app_lock = -1;
    struct left left = {.kid = NULL};
    int result = json_parse(text, size, "what was not kept", &line, error);
    if (result == 0)
        result = read_line(line, &left, error);
    if (result == 0 &&
        (vault_lock(taking->vault, left.name.full, "working on this grant", &lock, error) < 0 ||
         vault_lock_app(taking->vault, left.name.app, false, &app_lock, error) < 0 ||
         put_left(taking, &left, error) < 0))
        result = error_prefix(error, "%s", left.name.full);
    store_record_clear(&left.row);
    return result;
}

static int take_lines(const struct taking *taking, struct error *error)
{
    auto_buffer struct buffer content = BUFFER_UP_TO(UNKEPT_ROOM_LIST);
    if (buffer_read_file(taking->path, UNKEPT_ROOM_LIST, FILE_PRIVATE, &content, error) < 0)
        return -1;
    const char *text = buffer_text(&content);
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        if (take_line(taking, text, (size_t)(end - text), error) < 0)
            return -1;
    return *text == '\0' ? 0 : error_set(error, CODE_LOG, "its last line is incomplete");
}

/* One that is locked is a living run's. */
static void take_file(const struct taking *taking)
{
    struct error error;
    char words[ERROR_TEXT_MAX + PATH_MAX + 64];
    auto_close int descriptor =
        open(taking->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) < 0)
        return;
    int result = descriptor < 0 ? error_errno(&error, CODE_LOG, "open it") : 0;
    if (result == 0 && take_lines(taking, &error) == 0) {
        (void)unlink(taking->path);
        return;
    }
    (void)snprintf(words, sizeof(words), "note: '%s' holds a new grant that was not taken up: %s",
                   taking->path, error.text);
    taking->say(words);
}

static void close_listing(DIR **listing)
{
    if (*listing)
        closedir(*listing);
}

static void say_nothing(const char *text)
{
    log_info("%s", text);
}

void vault_take_unkept(struct vault *vault, void (*say)(const char *text))
{
    struct error ignored;
    char path[PATH_MAX];
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    const struct taking taking = {
        .vault = vault, .say = say ? say : say_nothing, .head = &head, .path = path};
    __attribute__((cleanup(close_listing))) DIR *listing = opendir(vault->directory);
    if (!listing || vault_signed_head(vault, &head, &ignored) < 0)
        return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            snprintf(path, PATH_MAX, "%s/%s", vault->directory, entry->d_name) < PATH_MAX)
            take_file(&taking);
}
