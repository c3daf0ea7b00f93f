/*
 * test_store.c: what the store keeps, what it gives back, and what it leaves on the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../src/store/internal.h"
#include "leave_out.h"
#include "p11vault/base/name.h"
#include "p11vault/seal/jwe.h"

#define VAULT_ID "00112233445566778899aabbccddeeff"
/* Rows own their texts; here they are borrowed from literals, and nothing frees them. */
#define MUTABLE(text) ((char *)(uintptr_t)(text))
#define DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define must(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, last.text);                                                  \
    } while (0)

static struct error last;
static char directory[64];
static struct store *store;

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_store.XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[128];
    store_free(TAKE(store));
    sprintf(command, "rm -rf %s", directory);
    return system(command);
}

static int make_store(void **state)
{
    if (make_directory(state) < 0)
        return -1;
    return store_create(directory, VAULT_ID, &store, &last);
}

static void reopen(bool read_only)
{
    store_free(TAKE(store));
    if (store_open(directory, read_only, &store, &last) < 0)
        fail_msg("%s", last.text);
}

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int next;
    char *at = path[next++ % 4];
    sprintf(at, "%s/%s", directory, name);
    return at;
}

static void put_entry(struct store *at, uint64_t index, const char *text)
{
    must(store_entry_put(at, index, "seal", "ads/user/alice", text, strlen(text), &last));
}

static void assert_entry(struct store *at, uint64_t index, const char *expected)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    must(store_entry_get(at, index, &text, &last));
    assert_string_equal(buffer_text(&text), expected);
}

static uint64_t log_size(struct store *at)
{
    uint64_t size = 99;
    must(store_log_size(at, &size, &last));
    return size;
}

/* ---- the file ---- */

static int64_t ask(const char *sql)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    int64_t number = 0;
    must(store_prepare(store, sql, &statement, &last));
    must(store_step(&statement, &row, &last));
    assert_true(row);
    must(store_column_number(&statement, 0, sql, INT64_MIN, &number, &last));
    return number;
}

static void test_settings(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask("PRAGMA application_id"), 0x70313176);
        assert_int_equal(ask("PRAGMA user_version"), STORE_SCHEMA);
        assert_int_equal(ask("PRAGMA synchronous"), 2);
        assert_int_equal(ask("PRAGMA secure_delete"), 1);
        assert_int_equal(ask("PRAGMA foreign_keys"), 0);
        assert_int_equal(ask("PRAGMA trusted_schema"), 0);
        assert_int_equal(ask("PRAGMA busy_timeout"), 5000);
        assert_int_equal(ask("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
        assert_string_equal(store_vault_id(store), VAULT_ID);
        reopen(false);
    }
}

static mode_t mode_of(const char *name)
{
    struct stat status;
    return stat(path_of(name), &status) < 0 ? 0 : status.st_mode & 07777;
}

static void test_modes_whatever_the_umask(void **state)
{
    static const mode_t masks[] = {0, 0777, 0077};
    for (size_t i = 0; i < 3; i++) {
        make_directory(state);
        mode_t old = umask(masks[i]);
        int made = store_create(directory, VAULT_ID, &store, &last);
        int begun = made < 0 ? -1 : store_begin(store, &last);
        umask(old);
        assert_int_equal(begun, 0);
        put_entry(store, 0, "{}");
        must(store_commit(store, &last));
        assert_int_equal(mode_of("vault.db"), 0600);
        assert_int_equal(mode_of("vault.db-wal"), 0600);
        assert_int_equal(mode_of("vault.db-shm"), 0600);
        remove_directory(state);
    }
    make_directory(state);
}

static int count_files(void)
{
    int count = 0;
    DIR *opened = opendir(directory);
    assert_non_null(opened);
    for (const struct dirent *at; (at = readdir(opened)) != NULL;)
        count += at->d_name[0] != '.';
    closedir(opened);
    return count;
}

static void test_nothing_is_left_beside_the_file(void **state)
{
    (void)state;
    store_free(TAKE(store));
    assert_int_equal(count_files(), 1);
    assert_int_equal(store_create(directory, VAULT_ID, &store, &last), -1);
    assert_int_equal(count_files(), 1);
}

static void test_links_to_the_directory(void **state)
{
    (void)state;
    char link[128];
    sprintf(link, "%s.link", directory);
    assert_int_equal(symlink(directory, link), 0);
    store_free(TAKE(store));
    int opened = store_open(link, false, &store, &last);
    unlink(link);
    assert_int_equal(opened, 0);
    must(store_begin(store, &last));
}

/* ---- the log ---- */

static void test_entries(void **state)
{
    (void)state;
    uint64_t index = 99;
    bool found = true;
    assert_int_equal(log_size(store), 0);
    must(store_entry_newest(store, "seal", "ads/user/alice", &index, &found, &last));
    assert_false(found);
    must(store_begin(store, &last));
    put_entry(store, 0, "{\"a\":\"\xc3\xa9\"}");
    put_entry(store, 1, "{\"b\":2}");
    must(store_entry_put(store, 2, "card", "ads/user/alice", "{}", 2, &last));
    must(store_commit(store, &last));
    reopen(false);
    assert_int_equal(log_size(store), 3);
    assert_entry(store, 0, "{\"a\":\"\xc3\xa9\"}");
    assert_entry(store, 2, "{}");
    must(store_entry_newest(store, "seal", "ads/user/alice", &index, &found, &last));
    assert_true(found);
    assert_int_equal(index, 1);
    must(store_entry_newest(store, "seal", "ads/user/bob", &index, &found, &last));
    assert_false(found);
}

static void test_entry_replaces_what_the_buffer_held(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(4);
    must(buffer_put_text(&text, "old", &last));
    must(store_begin(store, &last));
    put_entry(store, 0, "{\"longer\":1}");
    must(store_entry_get(store, 0, &text, &last));
    assert_string_equal(buffer_text(&text), "{\"longer\":1}");
}

static void test_longest_entry(void **state)
{
    (void)state;
    auto_free char *text = malloc(STORE_ENTRY_MAX + 1);
    memset(text, 'x', STORE_ENTRY_MAX);
    text[STORE_ENTRY_MAX] = '\0';
    must(store_begin(store, &last));
    put_entry(store, 0, text);
    must(store_commit(store, &last));
    assert_entry(store, 0, text);
}

static void test_rollback(void **state)
{
    (void)state;
    must(store_begin(store, &last));
    put_entry(store, 0, "{}");
    assert_int_equal(log_size(store), 1);
    store_rollback(store);
    store_rollback(store);
    assert_int_equal(log_size(store), 0);
    must(store_begin(store, &last));
    put_entry(store, 0, "{}");
    reopen(false);
    assert_int_equal(log_size(store), 0);
}

struct walk {
    uint64_t seen[8];
    size_t count;
    uint64_t stop_at;
};

static int see_entry(void *context, uint64_t index, const char *text, size_t size,
                     struct error *error)
{
    (void)error;
    struct walk *walk = context;
    assert_int_equal(size, 1);
    assert_int_equal(text[0], '0' + (int)index);
    walk->seen[walk->count++] = index;
    return index == walk->stop_at ? 7 : 0;
}

static void test_entry_each(void **state)
{
    (void)state;
    must(store_begin(store, &last));
    for (uint64_t i = 0; i < 5; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        put_entry(store, i, text);
    }
    must(store_commit(store, &last));
    struct walk all = {.stop_at = 99};
    assert_int_equal(store_entry_each(store, 0, see_entry, &all, &last), 0);
    assert_int_equal(all.count, 5);
    assert_int_equal(all.seen[4], 4);
    struct walk some = {.stop_at = 3};
    assert_int_equal(store_entry_each(store, 2, see_entry, &some, &last), 7);
    assert_int_equal(some.count, 2);
    assert_int_equal(some.seen[0], 2);
    struct walk none = {.stop_at = 99};
    assert_int_equal(store_entry_each(store, 5, see_entry, &none, &last), 0);
    assert_int_equal(none.count, 0);
}

static void test_nodes(void **state)
{
    (void)state;
    uint64_t count = 99;
    struct digest hash = digest_of("a", 1);
    struct digest read = {{0}};
    must(store_begin(store, &last));
    must(store_node_put(store, 0, 0, &hash, &last));
    must(store_node_put(store, 63, INT64_MAX, &hash, &last));
    must(store_commit(store, &last));
    must(store_node_get(store, 63, INT64_MAX, &read, &last));
    assert_true(digest_equal(&hash, &read));
    must(store_node_count(store, &count, &last));
    assert_int_equal(count, 2);
}

static int see_checkpoint(void *context, uint64_t size, const char *note, struct error *error)
{
    (void)error;
    struct walk *walk = context;
    assert_int_equal(note[0], 'n');
    walk->seen[walk->count++] = size;
    return size == walk->stop_at ? 7 : 0;
}

static void test_checkpoints(void **state)
{
    (void)state;
    uint64_t size = 99;
    auto_buffer struct buffer note = BUFFER_UP_TO(STORE_NOTE_MAX);
    must(buffer_put_text(&note, "old", &last));
    must(store_checkpoint_newest(store, &size, &note, &last));
    assert_int_equal(size, 0);
    assert_string_equal(buffer_text(&note), "");
    must(store_begin(store, &last));
    must(store_checkpoint_put(store, 9, "n\nnine\n", &last));
    must(store_checkpoint_put(store, 3, "n\nthree\n", &last));
    must(store_checkpoint_put(store, 9, "n\nnine again\n", &last));
    must(store_commit(store, &last));
    must(store_checkpoint_newest(store, &size, &note, &last));
    assert_int_equal(size, 9);
    assert_string_equal(buffer_text(&note), "n\nnine again\n");
    struct walk walk = {.stop_at = 99};
    must(store_checkpoint_each(store, see_checkpoint, &walk, &last));
    assert_int_equal(walk.count, 2);
    assert_int_equal(walk.seen[0], 3);
    struct walk first = {.stop_at = 3};
    assert_int_equal(store_checkpoint_each(store, see_checkpoint, &first, &last), 7);
    assert_int_equal(first.count, 1);
}

/* ---- the index ---- */

static int see_card(void *context, const struct store_card *card, struct error *error)
{
    (void)error;
    struct walk *walk = context;
    assert_string_equal(card->serial, "3a1b2c4d");
    assert_string_equal(card->kid, "kid");
    assert_string_equal(card->label, card->entry == 7 ? "" : "Rutoken ECP");
    walk->seen[walk->count++] = card->entry;
    return 0;
}

static void test_cards(void **state)
{
    (void)state;
    struct store_card card = {MUTABLE("3a1b2c4d"), MUTABLE("old"), MUTABLE("kid"), 5};
    must(store_begin(store, &last));
    must(store_card_put(store, &card, &last));
    card.label = MUTABLE("Rutoken ECP");
    must(store_card_put(store, &card, &last));
    card.entry = 7;
    card.label = MUTABLE("");
    must(store_card_put(store, &card, &last));
    must(store_commit(store, &last));
    struct walk walk = {0};
    must(store_card_each(store, see_card, &walk, &last));
    assert_int_equal(walk.count, 2);
    assert_int_equal(walk.seen[0], 5);
    must(store_begin(store, &last));
    must(store_card_drop(store, 5, &last));
    must(store_card_drop(store, 5, &last));
    must(store_commit(store, &last));
    walk.count = 0;
    must(store_card_each(store, see_card, &walk, &last));
    assert_int_equal(walk.count, 1);
    assert_int_equal(walk.seen[0], 7);
}

static void put_app(const char *name)
{
    struct store_app app = {MUTABLE(name), MUTABLE("meta"), MUTABLE("123"), MUTABLE("{}"), 1, 2};
    must(store_app_put(store, &app, &last));
}

static void put_record(const char *name, int64_t version, const char *status, const char *jwe)
{
    struct name parsed;
    must(name_parse_record(name, &parsed, &last));
    struct store_record record = {
        .name = MUTABLE(name),
        .app = parsed.app,
        .kind = parsed.kind,
        .version = version,
        .state = MUTABLE(status),
        .digest = MUTABLE(DIGEST),
        .jwe = MUTABLE(jwe),
        .entry = 4,
        .expires = STORE_UNKNOWN,
        .data_expires = STORE_UNKNOWN,
        .issued = STORE_UNKNOWN,
        .checked = STORE_UNKNOWN,
        .valid = STORE_UNKNOWN,
    };
    must(store_record_put(store, &record, &last));
}

static int count_app(void *context, const struct store_app *app, struct error *error)
{
    (void)error;
    struct walk *walk = context;
    assert_string_equal(app->app, walk->count == 0 ? "ads" : "shop");
    assert_string_equal(app->client_id, "123");
    walk->count++;
    return walk->count == walk->stop_at ? 7 : 0;
}

static int count_record(void *context, const struct store_record *record, struct error *error)
{
    (void)error;
    struct walk *walk = context;
    walk->seen[walk->count++] = (uint64_t)record->version;
    return 0;
}

static void test_apps(void **state)
{
    (void)state;
    bool found = true;
    struct store_app app = {0};
    must(store_app_get(store, "ads", &app, &found, &last));
    assert_false(found);
    must(store_begin(store, &last));
    put_app("shop");
    put_app("ads");
    put_record("ads/secret", 1, "current", "jwe");
    put_record("ads/user/alice", 1, "current", "jwe");
    put_record("shop/user/alice", 3, "current", "jwe");
    must(store_commit(store, &last));
    must(store_app_get(store, "ads", &app, &found, &last));
    assert_true(found);
    assert_string_equal(app.provider, "meta");
    assert_string_equal(app.key_record, "{}");
    assert_int_equal(app.entry, 1);
    assert_int_equal(app.key_entry, 2);
    store_app_clear(&app);
    assert_null(app.app);
    struct walk walk = {.stop_at = 99};
    must(store_app_each(store, count_app, &walk, &last));
    assert_int_equal(walk.count, 2);
    struct walk first = {.stop_at = 1};
    assert_int_equal(store_app_each(store, count_app, &first, &last), 7);

    must(store_begin(store, &last));
    must(store_app_drop(store, "ads", &last));
    must(store_commit(store, &last));
    must(store_app_get(store, "ads", &app, &found, &last));
    assert_false(found);
    walk = (struct walk){0};
    must(store_record_each(store, count_record, &walk, &last));
    assert_int_equal(walk.count, 1);
    assert_int_equal(walk.seen[0], 3);
}

static void test_record_columns(void **state)
{
    (void)state;
    struct store_record record = {
        .name = MUTABLE("ads/user/alice"),
        .app = MUTABLE("ads"),
        .kind = MUTABLE("user"),
        .version = 2,
        .state = MUTABLE("current"),
        .digest = MUTABLE(DIGEST),
        .jwe = MUTABLE("a.b.c.d.e"),
        .entry = 5,
        .subject = MUTABLE("10153848"),
        .scopes = MUTABLE("[\"ads_read\"]"),
        .expires = 0,
        .data_expires = 1801000000,
        .issued = 1795000000,
        .checked = 1795000001,
        .valid = 0,
    };
    must(store_begin(store, &last));
    must(store_record_put(store, &record, &last));
    must(store_commit(store, &last));
    struct store_record read = {0};
    bool found = false;
    must(store_record_get(store, "ads/user/alice", NULL, &read, &found, &last));
    assert_true(found);
    assert_string_equal(read.name, record.name);
    assert_string_equal(read.app, record.app);
    assert_string_equal(read.kind, record.kind);
    assert_int_equal(read.version, 2);
    assert_string_equal(read.state, record.state);
    assert_string_equal(read.digest, record.digest);
    assert_string_equal(read.jwe, record.jwe);
    assert_int_equal(read.entry, 5);
    assert_string_equal(read.subject, record.subject);
    assert_string_equal(read.scopes, record.scopes);
    assert_int_equal(read.expires, 0);
    assert_int_equal(read.data_expires, 1801000000);
    assert_int_equal(read.issued, 1795000000);
    assert_int_equal(read.checked, 1795000001);
    assert_int_equal(read.valid, 0);
    store_record_clear(&read);
}

static void test_record_versions(void **state)
{
    (void)state;
    struct store_record record = {0};
    bool found = true;
    must(store_begin(store, &last));
    put_record("ads/user/alice", 1, "previous", NULL);
    put_record("ads/user/alice", 2, "pending", "jwe2");
    put_record("ads/user/alice", 2, "current", "jwe2");
    put_record("ads/user/alice", 3, "pending", "jwe3");
    must(store_commit(store, &last));
    must(store_record_get(store, "ads/user/alice", NULL, &record, &found, &last));
    assert_int_equal(record.version, 3);
    assert_int_equal(record.expires, STORE_UNKNOWN);
    assert_int_equal(record.valid, STORE_UNKNOWN);
    assert_null(record.subject);
    store_record_clear(&record);
    must(store_record_get(store, "ads/user/alice", "current", &record, &found, &last));
    assert_int_equal(record.version, 2);
    store_record_clear(&record);
    must(store_record_get(store, "ads/user/alice", "previous", &record, &found, &last));
    assert_null(record.jwe);
    store_record_clear(&record);
    must(store_record_get(store, "ads/user/alice", "rejected", &record, &found, &last));
    assert_false(found);
    struct walk walk = {0};
    must(store_record_each(store, count_record, &walk, &last));
    assert_int_equal(walk.count, 3);
    assert_int_equal(walk.seen[2], 3);
}

static bool file_holds(const char *name, const char *text)
{
    auto_buffer struct buffer content = BUFFER_UP_TO(1 << 24);
    must(buffer_read_file(path_of(name), 1 << 24, FILE_PLAIN, &content, &last));
    return memmem(content.data, content.size, text, strlen(text)) != NULL;
}

static void test_destroyed_ciphertext_leaves_the_file(void **state)
{
    (void)state;
    char jwe[3000];
    memset(jwe, 'x', sizeof(jwe) - 1);
    jwe[sizeof(jwe) - 1] = '\0';
    memcpy(jwe + 1000, "CIPHERTEXT", 10);
    must(store_begin(store, &last));
    put_record("ads/user/alice", 1, "previous", jwe);
    must(store_commit(store, &last));
    reopen(false);
    assert_true(file_holds("vault.db", "CIPHERTEXT"));
    must(store_begin(store, &last));
    put_record("ads/user/alice", 1, "previous", NULL);
    must(store_commit(store, &last));
    store_free(TAKE(store));
    assert_int_equal(count_files(), 1);
    assert_false(file_holds("vault.db", "CIPHERTEXT"));
}

/* ---- several at once, and sudden ends ---- */

static void test_one_writer_many_readers(void **state)
{
    (void)state;
    auto_of(store_free) struct store *other = NULL;
    auto_of(store_free) struct store *reader = NULL;
    must(store_open(directory, false, &other, &last));
    must(store_open(directory, true, &reader, &last));
    sqlite3_busy_timeout(other->db, 0);
    must(store_begin(store, &last));
    put_entry(store, 0, "{}");
    assert_int_equal(store_begin(other, &last), -1);
    assert_int_equal(last.code, CODE_BUSY);
    assert_string_equal(last.text, "store is held by another process");
    assert_true(last.hint[0] != '\0');
    assert_int_equal(store_reserve(other, STORE_ROOM_CHANGE, &last), -1);
    assert_int_equal(last.code, CODE_BUSY);
    assert_int_equal(log_size(reader), 0);
    must(store_commit(store, &last));
    must(store_begin(other, &last));
    put_entry(other, 1, "{}");
    must(store_commit(other, &last));
    assert_int_equal(log_size(reader), 2);
}

/* The child ends without closing anything, as if it had been killed. */
static void test_committed_is_there_after_a_kill(void **state)
{
    (void)state;
    store_free(TAKE(store));
    pid_t child = fork();
    if (child == 0) {
        struct store *dying = NULL;
        bool good = store_open(directory, false, &dying, &last) == 0 &&
                    store_begin(dying, &last) == 0 &&
                    store_entry_put(dying, 0, "t", "s", "{}", 2, &last) == 0 &&
                    store_commit(dying, &last) == 0 && store_begin(dying, &last) == 0 &&
                    store_entry_put(dying, 1, "t", "s", "{}", 2, &last) == 0 &&
                    sqlite3_db_cacheflush(dying->db) == SQLITE_OK;
        _exit(good ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mode_of("vault.db-wal"), 0600);
    must(store_open(directory, false, &store, &last));
    assert_int_equal(log_size(store), 1);
    must(store_begin(store, &last));
}

/* ---- copies for audits ---- */

static void copy_file(const char *from, const char *to)
{
    auto_buffer struct buffer content = BUFFER_UP_TO(1 << 24);
    must(buffer_read_file(path_of(from), 1 << 24, FILE_PLAIN, &content, &last));
    must(buffer_write_file(path_of(to), content.data, content.size, 0644, &last));
}

/* copy/a.db with entry 0 in the file; with entry 1 in copy/a.db-wal when asked for. */
static void make_copy(bool with_log)
{
    assert_int_equal(mkdir(path_of("copy"), 0755), 0);
    must(store_begin(store, &last));
    put_entry(store, 0, "{\"n\":0}");
    must(store_commit(store, &last));
    reopen(false);
    must(store_begin(store, &last));
    put_entry(store, 1, "{\"n\":1}");
    must(store_commit(store, &last));
    copy_file("vault.db", "copy/a.db");
    if (with_log)
        copy_file("vault.db-wal", "copy/a.db-wal");
}

static void assert_copy(const char *path, uint64_t size)
{
    auto_of(store_free) struct store *copy = NULL;
    if (store_open(path, true, &copy, &last) < 0)
        fail_msg("%s", last.text);
    assert_string_equal(store_vault_id(copy), VAULT_ID);
    assert_int_equal(log_size(copy), size);
    assert_entry(copy, size - 1, size == 1 ? "{\"n\":0}" : "{\"n\":1}");
    assert_int_equal(store_begin(copy, &last), -1);
    assert_int_equal(last.code, CODE_LOG);
}

static void test_read_only_vault(void **state)
{
    (void)state;
    make_copy(false);
    assert_copy(directory, 2);
    store_free(TAKE(store));
    assert_copy(directory, 2);
    assert_copy(path_of("vault.db"), 2);
}

static void test_copies(void **state)
{
    (void)state;
    make_copy(true);
    assert_copy(path_of("copy/a.db"), 2);
    chmod(path_of("copy"), 0777);
    assert_copy(path_of("copy/a.db"), 2);
}

static void test_copy_without_its_log(void **state)
{
    (void)state;
    make_copy(false);
    assert_copy(path_of("copy/a.db"), 1);
}

/*
 * A mount of this test's own, which ends with the process; so it is made in a child, which also runs the test.
 * Returns false where this machine does not let us.
 */
static bool private_mount(const char *source, const char *target, const char *type,
                          unsigned long flags, const char *options)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(source, target, type, flags, options) == 0;
}

#define CHILD_SKIPS 77

/* Runs a part of a test in a child: 0 good, CHILD_SKIPS, anything else bad. */
static void in_child(int (*part)(void))
{
    fflush(stdout);
    fflush(stderr);
    pid_t child = fork();
    if (child == 0)
        _exit(part());
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS) {
        leave_out("mounting a file system takes root");
    }
    assert_int_equal(status, 0);
}

static int complain(const char *what, const struct error *error)
{
    fprintf(stderr, "%s: code %d, %s\n", what, error->code, error->text);
    return 1;
}

/* Modes do not bind root, who needs a mount for it; others cannot mount, but for them modes do. */
static bool make_read_only(const char *path)
{
    if (geteuid() != 0)
        return chmod(path, 0555) == 0;
    return private_mount(path, path, "none", MS_BIND, NULL) &&
           mount("none", path, "none", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0;
}

/* Opens copy/a.db in a directory that takes no file and compares the size of its log. */
static int read_from_read_only(uint64_t expected)
{
    char copy[128];
    sprintf(copy, "%s/copy", directory);
    if (!make_read_only(copy))
        return CHILD_SKIPS;
    struct store *opened = NULL;
    uint64_t size = 0;
    if (store_open(path_of("copy/a.db"), true, &opened, &last) < 0 ||
        store_log_size(opened, &size, &last) < 0)
        return complain("read-only copy", &last);
    store_free(opened);
    if (geteuid() != 0)
        chmod(copy, 0755);
    if (size != expected)
        return complain("size of the log", &last);
    return 0;
}

static int read_one(void)
{
    return read_from_read_only(1);
}

static int read_two(void)
{
    return read_from_read_only(2);
}

static void test_copy_on_a_read_only_medium(void **state)
{
    (void)state;
    make_copy(false);
    store_free(TAKE(store));
    in_child(read_one);
}

static void test_copy_on_a_read_only_medium_with_its_log(void **state)
{
    (void)state;
    make_copy(true);
    store_free(TAKE(store));
    in_child(read_two);
}

static void test_copy_with_odd_name_on_a_read_only_medium(void **state)
{
    (void)state;
    make_copy(false);
    store_free(TAKE(store));
    assert_int_equal(rename(path_of("copy"), path_of("a?b=%41#c")), 0);
    assert_int_equal(symlink("a?b=%41#c", path_of("copy")), 0);
    in_child(read_one);
}

/* ---- room ---- */

static off_t size_of_log(void)
{
    struct stat status;
    assert_int_equal(stat(path_of("vault.db-wal"), &status), 0);
    return status.st_size;
}

static void test_reserve(void **state)
{
    (void)state;
    must(store_reserve(store, STORE_ROOM_LIST, &last));
    off_t size = size_of_log();
    assert_true(size > (off_t)STORE_ROOM_LIST);
    must(store_begin(store, &last));
    put_entry(store, 0, "{}");
    assert_int_equal(store_reserve(store, STORE_ROOM_CHANGE, &last), -1);
    assert_int_equal(last.code, CODE_FAULT);
    must(store_commit(store, &last));
    /* There is room, so nothing is written; what the change has used is made up for. */
    must(store_reserve(store, STORE_ROOM_CHANGE, &last));
    assert_int_equal(size_of_log(), size);
    must(store_reserve(store, STORE_ROOM_LIST, &last));
    assert_in_range(size_of_log(), size + 4096, size + 16 * 4096);
    assert_int_equal(log_size(store), 1);
}

/* What stands behind the last change in the log's file is not read, whatever it is. */
static int reserve_and_end(void)
{
    if (store_open(directory, false, &store, &last) < 0 ||
        store_reserve(store, STORE_ROOM_GRANT, &last) < 0 || store_begin(store, &last) < 0 ||
        store_entry_put(store, 0, "t", "s", "{}", 2, &last) < 0 || store_commit(store, &last) < 0 ||
        store_reserve(store, STORE_ROOM_LIST, &last) < 0)
        return complain("reserve", &last);
    _exit(0);
}

static void test_reserve_and_a_kill(void **state)
{
    (void)state;
    store_free(TAKE(store));
    in_child(reserve_and_end);
    must(store_open(directory, false, &store, &last));
    assert_int_equal(log_size(store), 1);
    must(store_begin(store, &last));
    put_entry(store, 1, "{}");
    must(store_commit(store, &last));
}

static void put_entries(uint64_t first, size_t count, size_t size)
{
    auto_free char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    for (uint64_t i = first; i < first + count; i++) {
        struct digest hash = digest_of(&i, sizeof(i));
        put_entry(store, i, text);
        for (unsigned level = 0; level == 0 || (i + 1) % (1U << level) == 0; level++)
            must(store_node_put(store, level, i >> level, &hash, &last));
    }
}

/* A vault of some years, and a grant of the largest size that takes the place of another one. */
static void fill_store(const char *jwe)
{
    char name[64];
    must(store_begin(store, &last));
    put_entries(0, 2000, 400);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "ads/user/n%d", i);
        put_record(name, 1, "current", "a sealed record");
    }
    put_record("ads/user/alice", 1, "current", jwe);
    must(store_commit(store, &last));
}

static void test_room_for_a_grant(void **state)
{
    (void)state;
    auto_free char *jwe = malloc(JWE_MAX + 1);
    memset(jwe, 'J', JWE_MAX);
    jwe[JWE_MAX] = '\0';
    fill_store(jwe);
    must(store_reserve(store, STORE_ROOM_GRANT, &last));
    off_t size = size_of_log();
    must(store_begin(store, &last)); /* the new one, with its seal and what was answered before */
    put_entries(2000, 4, 1000);
    put_record("ads/user/alice", 2, "pending", jwe);
    must(store_commit(store, &last));
    must(
        store_begin(store, &last)); /* it takes the old one's place: states, answers, the outcome */
    put_entries(2004, 5, 4000);
    put_record("ads/user/alice", 2, "current", jwe);
    put_record("ads/user/alice", 1, "previous", NULL);
    must(store_commit(store, &last));
    assert_int_equal(size_of_log(), size);
}

/* Nobody is told of an end: nothing was changed. */
static void note_end(void *context, bool is_committed)
{
    (void)is_committed;
    ++*(int *)context;
}

static void test_reserve_changes_nothing(void **state)
{
    (void)state;
    int ends = 0;
    store_on_end(store, note_end, &ends);
    must(store_reserve(store, STORE_ROOM_GRANT, &last));
    assert_int_equal(ends, 0);
}

/* Takes all room that is left on the file system of the directory. */
static void fill_up(void)
{
    char bytes[1024];
    memset(bytes, 'x', sizeof(bytes));
    auto_close int filler = open(path_of("filler"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (write(filler, bytes, sizeof(bytes)) > 0)
        continue;
}

static bool is_full(const struct error *error)
{
    return error->code == CODE_LOG && strncmp(error->text, "disk is full", 12) == 0;
}

/*
 * On 256 KiB: it fails exactly while there is no room, and the store is as good as before
 * afterwards.
 */
static int reserve_full_disk(void)
{
    if (!private_mount("none", directory, "tmpfs", 0, "size=256k,mode=0700"))
        return CHILD_SKIPS;
    if (store_create(directory, VAULT_ID, &store, &last) < 0)
        return complain("create", &last);
    fill_up();
    if (store_reserve(store, STORE_ROOM_CHANGE, &last) == 0 || !is_full(&last))
        return complain("room on a full disk", &last);
    unlink(path_of("filler"));
    if (store_reserve(store, STORE_ROOM_CHANGE, &last) < 0 || store_begin(store, &last) < 0 ||
        store_entry_put(store, 0, "t", "s", "{}", 2, &last) < 0 || store_commit(store, &last) < 0)
        return complain("after there is room again", &last);
    fill_up();
    /* The log file has the room: what was promised holds although the disk is full now. */
    auto_free char *text = malloc(32 * 1024);
    memset(text, 'x', 32 * 1024);
    if (store_begin(store, &last) < 0 ||
        store_entry_put(store, 1, "t", "s", text, 32 * 1024, &last) < 0 ||
        store_commit(store, &last) < 0)
        return complain("the promise", &last);
    store_free(TAKE(store));
    return 0;
}

static void test_reserve_on_a_full_disk(void **state)
{
    (void)state;
    in_child(reserve_full_disk);
}

/*
 * With a log that somebody left who was killed, and no room for the index that is kept beside it.
 */
static int read_full_disk(void)
{
    if (!private_mount("none", directory, "tmpfs", 0, "size=256k,mode=0700"))
        return CHILD_SKIPS;
    if (store_create(directory, VAULT_ID, &store, &last) < 0 || store_begin(store, &last) < 0 ||
        store_entry_put(store, 0, "t", "s", "{}", 2, &last) < 0 || store_commit(store, &last) < 0)
        return complain("create", &last);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    store_free(TAKE(store));
    unlink(path_of("vault.db-shm"));
    fill_up();
    if (store_open(directory, false, &store, &last) == 0 || !strstr(last.text, "disk is full"))
        return complain("open on a full disk", &last);
    if (store_open(directory, true, &store, &last) < 0 || log_size(store) != 1)
        return complain("read on a full disk", &last);
    if (store_begin(store, &last) == 0 || last.code != CODE_LOG)
        return complain("a change by who reads", &last);
    store_free(TAKE(store));
    return store_open(directory, true, &store, &last) < 0 ? complain("the next", &last) : 0;
}

static void test_reading_on_a_full_disk(void **state)
{
    (void)state;
    in_child(read_full_disk);
}

static int commit_full_disk(void)
{
    if (!private_mount("none", directory, "tmpfs", 0, "size=256k,mode=0700"))
        return CHILD_SKIPS;
    if (store_create(directory, VAULT_ID, &store, &last) < 0)
        return complain("create", &last);
    fill_up();
    auto_free char *text = malloc(STORE_ENTRY_MAX);
    memset(text, 'x', STORE_ENTRY_MAX);
    if (store_begin(store, &last) < 0)
        return complain("begin", &last);
    if ((store_entry_put(store, 0, "t", "s", text, STORE_ENTRY_MAX, &last) == 0 &&
         store_commit(store, &last) == 0) ||
        !is_full(&last))
        return complain("commit on a full disk", &last);
    store_rollback(store);
    unlink(path_of("filler"));
    if (log_size(store) != 0 || store_begin(store, &last) < 0 ||
        store_entry_put(store, 0, "t", "s", "{}", 2, &last) < 0 || store_commit(store, &last) < 0)
        return complain("after there is room again", &last);
    store_free(TAKE(store));
    return 0;
}

static void test_commit_on_a_full_disk(void **state)
{
    (void)state;
    in_child(commit_full_disk);
}

static int create_full_disk(void)
{
    if (!private_mount("none", directory, "tmpfs", 0, "size=64k,mode=0700"))
        return CHILD_SKIPS;
    if (store_create(directory, VAULT_ID, &store, &last) == 0 || last.code != CODE_LOG ||
        strstr(last.text, "disk is full") == NULL)
        return complain("create on a full disk", &last);
    return count_files() == 0 ? 0 : complain("files are left", &last);
}

static void test_create_on_a_full_disk(void **state)
{
    (void)state;
    in_child(create_full_disk);
}

#define in_directory(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
#define with_store(test) cmocka_unit_test_setup_teardown(test, make_store, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(test_settings),
        cmocka_unit_test_teardown(test_modes_whatever_the_umask, remove_directory),
        with_store(test_nothing_is_left_beside_the_file),
        with_store(test_links_to_the_directory),
        with_store(test_entries),
        with_store(test_entry_replaces_what_the_buffer_held),
        with_store(test_longest_entry),
        with_store(test_rollback),
        with_store(test_entry_each),
        with_store(test_nodes),
        with_store(test_checkpoints),
        with_store(test_cards),
        with_store(test_apps),
        with_store(test_record_columns),
        with_store(test_record_versions),
        with_store(test_destroyed_ciphertext_leaves_the_file),
        with_store(test_one_writer_many_readers),
        with_store(test_committed_is_there_after_a_kill),
        with_store(test_read_only_vault),
        with_store(test_copies),
        with_store(test_copy_without_its_log),
        with_store(test_copy_on_a_read_only_medium),
        with_store(test_copy_on_a_read_only_medium_with_its_log),
        with_store(test_copy_with_odd_name_on_a_read_only_medium),
        with_store(test_reserve),
        with_store(test_reserve_and_a_kill),
        with_store(test_reserve_changes_nothing),
        with_store(test_room_for_a_grant),
        in_directory(test_reserve_on_a_full_disk),
        in_directory(test_reading_on_a_full_disk),
        in_directory(test_commit_on_a_full_disk),
        in_directory(test_create_on_a_full_disk),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
