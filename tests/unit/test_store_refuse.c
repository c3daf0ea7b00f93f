/*
 * test_store_refuse.c: what the store does not open, does not take, and does not believe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../src/store/internal.h"
#include "leave_out.h"

#define VAULT_ID "00112233445566778899aabbccddeeff"
#define DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/* Rows own their texts; here they are borrowed from literals, and nothing frees them. */
#define MUTABLE(text) ((char *)(uintptr_t)(text))

static struct error last;
static char directory[64];
static struct store *store;

#define must(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, last.text);                                                  \
    } while (0)

/* The call must fail with this code, and its text must hold this part. */
#define refuse(call, expected, part)                                                               \
    do {                                                                                           \
        assert_int_equal((call), -1);                                                              \
        if (last.code != (expected) || strstr(last.text, (part)) == NULL)                          \
            fail_msg("%s: code %d, '%s'", #call, last.code, last.text);                            \
    } while (0)

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
    return make_directory(state) < 0 ? -1 : store_create(directory, VAULT_ID, &store, &last);
}

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int next;
    char *at = path[next++ % 4];
    sprintf(at, "%s/%s", directory, name);
    return at;
}

static void put_file(const char *name, const char *text)
{
    must(buffer_write_file(path_of(name), text, strlen(text), 0600, &last));
}

/* Runs SQL on the file as somebody else would, without our checks, after closing the store. */
static void meddle(const char *sql)
{
    store_free(TAKE(store));
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path_of("vault.db"), &db), SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, &message);
    if (message != NULL)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void refuse_open(enum code code, const char *part)
{
    refuse(store_open(directory, false, &store, &last), code, part);
    assert_null(store);
    refuse(store_open(directory, true, &store, &last), code, part);
    assert_null(store);
}

/* ---- opening and making ---- */

static void test_missing(void **state)
{
    (void)state;
    refuse_open(CODE_CONFIG, "no vault at /tmp/test_store.");
    assert_string_equal(last.hint, "p11vault init");
    refuse(store_open(path_of("none"), true, &store, &last), CODE_CONFIG, "no vault at");
    refuse(store_open(path_of("none"), false, &store, &last), CODE_CONFIG, "no vault at");
    refuse(store_create(path_of("none"), VAULT_ID, &store, &last), CODE_CONFIG, "No such file");
    put_file("file", "");
    refuse(store_create(path_of("file"), VAULT_ID, &store, &last), CODE_CONFIG,
           "is not a directory");
    assert_null(store);
}

static void test_there_already(void **state)
{
    (void)state;
    auto_of(store_free) struct store *second = NULL;
    refuse(store_create(directory, VAULT_ID, &second, &last), CODE_LOG, "there is a vault already");
    assert_true(last.hint[0] != '\0');
    assert_null(second);
}

static void test_vault_ids(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "a b", "a\nb", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        refuse(store_create(directory, ids[i], &store, &last), CODE_FAULT, "vault id");
    refuse_open(CODE_CONFIG, "no vault at");
}

static void test_not_a_file(void **state)
{
    (void)state;
    store_free(TAKE(store));
    refuse(store_open(path_of("vault.db"), false, &store, &last), CODE_CONFIG,
           "is a file, not the directory of a vault");
    assert_int_equal(rename(path_of("vault.db"), path_of("real.db")), 0);
    assert_int_equal(symlink("real.db", path_of("vault.db")), 0);
    refuse_open(CODE_CONFIG, "vault.db is not a regular file");
    assert_int_equal(unlink(path_of("vault.db")), 0);
    assert_int_equal(mkfifo(path_of("vault.db"), 0600), 0);
    refuse_open(CODE_CONFIG, "vault.db is not a regular file");
    refuse(store_open(path_of("vault.db"), true, &store, &last), CODE_CONFIG,
           "is not a regular file");
    assert_null(store);
}

static void test_writable_by_others(void **state)
{
    (void)state;
    store_free(TAKE(store));
    chmod(path_of("vault.db"), 0620);
    refuse_open(CODE_CONFIG, "vault.db can be written by others (mode 0620)");
    assert_true(strncmp(last.hint, "chmod go-w /tmp/", 16) == 0);
    chmod(path_of("vault.db"), 0602);
    refuse_open(CODE_CONFIG, "vault.db can be written by others (mode 0602)");
    chmod(path_of("vault.db"), 0600);
    chmod(directory, 0770);
    refuse_open(CODE_CONFIG, "can be written by others (mode 0770)");
    refuse(store_create(directory, VAULT_ID, &store, &last), CODE_CONFIG, "by others (mode 0770)");
    chmod(directory, 01777);
    refuse_open(CODE_CONFIG, "can be written by others (mode 1777)");
    chmod(directory, 0755);
    must(store_open(directory, false, &store, &last));
}

static void test_owned_by_another(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        leave_out("only root can give a file away");
    }
    store_free(TAKE(store));
    assert_int_equal(chown(path_of("vault.db"), 12345, 0), 0);
    refuse_open(CODE_CONFIG, "vault.db belongs to user 12345");
    assert_int_equal(chown(path_of("vault.db"), 0, 0), 0);
    assert_int_equal(chown(directory, 12345, 0), 0);
    refuse_open(CODE_CONFIG, "belongs to user 12345");
}

static void test_not_a_store(void **state)
{
    (void)state;
    put_file("vault.db", "");
    refuse_open(CODE_LOG, "file is not a p11vault store");
    char text[4097];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put_file("vault.db", text);
    refuse_open(CODE_LOG, "file is not a p11vault store");
    unlink(path_of("vault.db"));
    meddle("CREATE TABLE entry (idx INTEGER)");
    refuse_open(CODE_LOG, "file is not a p11vault store");
}

/* A refused file is not changed either: it keeps its journal mode. */
static void test_other_schema(void **state)
{
    (void)state;
    meddle("PRAGMA user_version = 7; PRAGMA journal_mode = DELETE");
    refuse_open(CODE_LOG, "store has schema 7, this program knows 1");
    meddle("PRAGMA user_version = 0");
    refuse_open(CODE_LOG, "store has schema 0, this program knows 1");
    struct stat status;
    assert_int_equal(stat(path_of("vault.db-wal"), &status), -1);
}

static void test_other_tables(void **state)
{
    (void)state;
    meddle("CREATE TABLE extra (a)");
    refuse_open(CODE_LOG, "store is damaged: it has a table, view or trigger that is not ours");
    meddle("DROP TABLE extra; CREATE VIEW extra AS SELECT 1");
    refuse_open(CODE_LOG, "that is not ours");
    meddle("DROP VIEW extra; CREATE TRIGGER extra AFTER INSERT ON entry BEGIN SELECT 1; END");
    refuse_open(CODE_LOG, "that is not ours");
    meddle("DROP TRIGGER extra; CREATE INDEX extra ON node (hash)");
    refuse_open(CODE_LOG, "that is not ours");
    meddle("DROP INDEX extra; ALTER TABLE card ADD COLUMN more TEXT");
    refuse_open(CODE_LOG, "that is not ours");
    meddle("ALTER TABLE card DROP COLUMN more; DROP INDEX record_of_app");
    refuse_open(CODE_LOG, "store is damaged: a table is missing");
}

static void test_vault_id_in_the_file(void **state)
{
    (void)state;
    meddle("INSERT INTO vault VALUES ('second')");
    refuse_open(CODE_LOG, "store is damaged: it has two vault ids");
    meddle("DELETE FROM vault");
    refuse_open(CODE_LOG, "store is damaged: it has no vault id");
    meddle("INSERT INTO vault VALUES ('a' || char(10) || 'b')");
    refuse_open(CODE_LOG, "store is damaged: vault.id holds a control character");
}

static void overwrite(long offset, size_t size)
{
    static const char rubbish[4096] = {[0 ... 4095] = (char)0xee};
    auto_close int file = open(path_of("vault.db"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, rubbish, size, offset), size);
}

static void test_overwritten(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    must(store_begin(store, &last));
    must(store_entry_put(store, 0, "t", "s", "{}", 2, &last));
    must(store_commit(store, &last));
    store_free(TAKE(store));
    struct stat status;
    assert_int_equal(stat(path_of("vault.db"), &status), 0);
    for (long page = 4096; page < status.st_size; page += 4096)
        overwrite(page, 4096);
    /* The first page, and with it the schema, is whole. */
    if (store_open(directory, true, &store, &last) == 0)
        refuse(store_entry_get(store, 0, &text, &last), CODE_LOG, "store is damaged");
    else
        refuse(-1, CODE_LOG, "store is damaged");
    store_free(TAKE(store));
    overwrite(100, 400);
    refuse_open(CODE_LOG, "store is damaged");
}

/* ---- what is in the file ---- */

#define RECORD_SQL                                                                                 \
    "INSERT INTO record VALUES ('ads/user/alice','ads','user',1,'current','" DIGEST                \
    "','jwe',4,'s','[]',1,2,3,4,1);"

/* Makes the tables take anything for as long as the SQL runs: the file a hostile writer would leave. */
static void plant(const char *sql)
{
    meddle("PRAGMA writable_schema = ON;"
           "CREATE TABLE kept AS SELECT name, sql FROM sqlite_schema WHERE type = 'table';"
           "UPDATE sqlite_schema SET sql = replace(replace(replace(sql, ' STRICT, WITHOUT', "
           "' WITHOUT'), ' STRICT', ''), ' NOT NULL', '') WHERE type = 'table' AND name != 'kept'");
    meddle(sql);
    meddle("PRAGMA writable_schema = ON;"
           "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept WHERE kept.name = "
           "tbl_name) WHERE type = 'table' AND name != 'kept'");
    meddle("DROP TABLE kept");
    must(store_open(directory, false, &store, &last));
}

static int no_record(void *context, const struct store_record *record, struct error *error)
{
    (void)context;
    (void)record;
    (void)error;
    return 5;
}

static int no_card(void *context, const struct store_card *card, struct error *error)
{
    (void)context;
    (void)card;
    (void)error;
    return 5;
}

static int no_app(void *context, const struct store_app *app, struct error *error)
{
    (void)context;
    (void)app;
    (void)error;
    return 5;
}

static void test_record_columns(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        const char *text;
    } cases[] = {
        {"name = x'00'", "record.name is not a text"},
        {"name = 'a' || char(27)", "record.name holds a control character"},
        {"name = 'a' || char(0) || 'b'", "record.name holds a NUL byte"},
        {"name = printf('%300d', 1)", "record.name is longer than 256 bytes"},
        {"app = NULL", "record.app is missing"},
        {"kind = x'41'", "record.kind is not a text"},
        {"version = 'one'", "record.version is not an integer"},
        {"version = 1.5", "record.version is not an integer"},
        {"version = 0", "record.version is out of range"},
        {"version = NULL", "record.version is not an integer"},
        {"state = 'stolen'", "record.state is none of the states"},
        {"digest = 'e3'", "record.digest is not a SHA-256"},
        {"digest = upper(digest)", "record.digest is not a SHA-256"},
        {"jwe = zeroblob(10)", "record.jwe is not a text"},
        {"jwe = printf('%065537d', 1)", "record.jwe is longer than 65536 bytes"},
        {"entry = -1", "record.entry is out of range"},
        {"entry = 'x'", "record.entry is not an integer"},
        {"subject = x'41'", "record.subject is not a text"},
        {"scopes = printf('%020481d', 1)", "record.scopes is longer than 20480 bytes"},
        {"expires = 'never'", "record.expires is not an integer"},
        {"expires = -1", "record.expires is out of range"},
        {"data_expires = 'x'", "record.data_expires is not an integer"},
        {"issued = x'00'", "record.issued is not an integer"},
        {"checked = -2", "record.checked is out of range"},
        {"valid = 2", "record.valid is out of range"},
        {"valid = 'x'", "record.valid is not an integer"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sql[1024];
        sprintf(sql, "DELETE FROM record; " RECORD_SQL " UPDATE record SET %s", cases[i].set);
        plant(sql);
        refuse(store_record_each(store, no_record, NULL, &last), CODE_LOG, cases[i].text);
        assert_true(strncmp(last.text, "store is damaged: ", 18) == 0);
        if (strncmp(cases[i].set, "name", 4) == 0)
            continue;
        struct store_record record = {0};
        bool found = true;
        refuse(store_record_get(store, "ads/user/alice", NULL, &record, &found, &last), CODE_LOG,
               cases[i].text);
        assert_null(record.name);
        assert_true(found);
    }
    plant("DELETE FROM record; " RECORD_SQL);
    assert_int_equal(store_record_each(store, no_record, NULL, &last), 5);
}

static void test_card_and_app_columns(void **state)
{
    (void)state;
    static const char *const cards[][2] = {
        {"INSERT INTO card VALUES (-1, 's', 'l', 'k')", "card.entry is out of range"},
        {"INSERT INTO card VALUES (1, x'41', 'l', 'k')", "card.serial is not a text"},
        {"INSERT INTO card VALUES (1, 's', NULL, 'k')", "card.label is missing"},
        {"INSERT INTO card VALUES (1, 's', 'l', printf('%0129d', 1))",
         "card.kid is longer than 128 bytes"},
    };
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        char sql[256];
        sprintf(sql, "DELETE FROM card; %s", cards[i][0]);
        plant(sql);
        refuse(store_card_each(store, no_card, NULL, &last), CODE_LOG, cards[i][1]);
    }
    static const char *const apps[][2] = {
        {"INSERT INTO app VALUES ('a', x'41', 'c', 'k', 1, 2)", "app.provider is not a text"},
        {"INSERT INTO app VALUES ('a', 'p', NULL, 'k', 1, 2)", "app.client_id is missing"},
        {"INSERT INTO app VALUES ('a', 'p', 'c', x'41', 1, 2)", "app.key_record is not a text"},
        {"INSERT INTO app VALUES ('a', 'p', 'c', 'k', 'x', 2)", "app.entry is not an integer"},
        {"INSERT INTO app VALUES ('a', 'p', 'c', 'k', 1, NULL)", "app.key_entry is not an integer"},
    };
    for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
        char sql[256];
        struct store_app app = {0};
        bool found = true;
        sprintf(sql, "DELETE FROM app; %s", apps[i][0]);
        plant(sql);
        refuse(store_app_each(store, no_app, NULL, &last), CODE_LOG, apps[i][1]);
        refuse(store_app_get(store, "a", &app, &found, &last), CODE_LOG, apps[i][1]);
        assert_null(app.app);
    }
}

static int no_entry(void *context, uint64_t index, const char *text, size_t size,
                    struct error *error)
{
    (void)text;
    (void)size;
    (void)error;
    *(uint64_t *)context = index;
    return 0;
}

static void test_entries_in_the_file(void **state)
{
    (void)state;
    uint64_t seen = 99;
    uint64_t size = 99;
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    must(buffer_put_text(&text, "kept", &last));
    plant("INSERT INTO entry VALUES (0, 't', 's', '{}'), (1, 't', 's', x'7b7d'), (2, 't', 's', "
          "printf('%065536d', 1)), (3, 't', 's', NULL)");
    refuse(store_entry_get(store, 1, &text, &last), CODE_LOG, "entry.text is not a text");
    refuse(store_entry_get(store, 2, &text, &last), CODE_LOG, "entry.text is longer than 65535");
    refuse(store_entry_get(store, 3, &text, &last), CODE_LOG, "entry.text is missing");
    assert_string_equal(buffer_text(&text), "kept");
    refuse(store_entry_each(store, 0, no_entry, &seen, &last), CODE_LOG, "is not a text");
    assert_int_equal(seen, 0);
    refuse(store_entry_each(store, 3, no_entry, &seen, &last), CODE_LOG, "entry.text is missing");

    plant("DELETE FROM entry; INSERT INTO entry VALUES (0,'t','s','{}'), (2,'t','s','{}')");
    refuse(store_entry_each(store, 0, no_entry, &seen, &last), CODE_LOG,
           "store is damaged: log entry 1 is missing");
    assert_int_equal(seen, 0);
    plant("DELETE FROM entry WHERE idx = 0");
    refuse(store_entry_each(store, 0, no_entry, &seen, &last), CODE_LOG, "log entry 0 is missing");
    plant("DELETE FROM entry; INSERT INTO entry VALUES (-5,'t','s','{}')");
    refuse(store_log_size(store, &size, &last), CODE_LOG, "entry.idx is out of range");
    plant("DELETE FROM entry; INSERT INTO entry VALUES (9223372036854775807,'t','s','{}')");
    refuse(store_log_size(store, &size, &last), CODE_LOG, "entry.idx is not an integer");
    assert_int_equal(size, 99);
}

static void test_nodes_and_checkpoints_in_the_file(void **state)
{
    (void)state;
    struct digest hash = {{1}};
    uint64_t size = 99;
    auto_buffer struct buffer note = BUFFER_UP_TO(STORE_NOTE_MAX);
    plant("INSERT INTO node VALUES (0, 0, zeroblob(31)), (0, 1, zeroblob(33)), "
          "(0, 2, '0123456789abcdef0123456789abcdef'), (0, 3, NULL)");
    for (uint64_t i = 0; i < 4; i++)
        refuse(store_node_get(store, 0, i, &hash, &last), CODE_LOG, "node.hash is not a SHA-256");
    assert_int_equal(hash.bytes[0], 1);
    plant("INSERT INTO checkpoint VALUES (5, x'00')");
    refuse(store_checkpoint_newest(store, &size, &note, &last), CODE_LOG,
           "checkpoint.note is not a text");
    plant("INSERT INTO checkpoint VALUES (6, printf('%016385d', 1))");
    refuse(store_checkpoint_newest(store, &size, &note, &last), CODE_LOG,
           "checkpoint.note is longer than 16384 bytes");
    plant("DELETE FROM checkpoint; INSERT INTO checkpoint VALUES (0, 'n')");
    refuse(store_checkpoint_newest(store, &size, &note, &last), CODE_LOG,
           "checkpoint.size is out of range");
    assert_int_equal(size, 99);
}

/* ---- what callers ask for ---- */

static void test_only_inside_a_change(void **state)
{
    (void)state;
    struct digest hash = {{0}};
    struct store_card card = {MUTABLE("s"), MUTABLE("l"), MUTABLE("k"), 1};
    struct store_app app = {.app = MUTABLE("a"),
                            .provider = MUTABLE("p"),
                            .client_id = MUTABLE("c"),
                            .key_record = MUTABLE("k")};
    struct store_record record = {0};
    static const char none[] = "no change is open";
    refuse(store_entry_put(store, 0, "t", "s", "{}", 2, &last), CODE_FAULT, none);
    refuse(store_node_put(store, 0, 0, &hash, &last), CODE_FAULT, none);
    refuse(store_checkpoint_put(store, 1, "n", &last), CODE_FAULT, none);
    refuse(store_card_put(store, &card, &last), CODE_FAULT, none);
    refuse(store_card_drop(store, 1, &last), CODE_FAULT, none);
    refuse(store_app_put(store, &app, &last), CODE_FAULT, none);
    refuse(store_app_drop(store, "a", &last), CODE_FAULT, none);
    refuse(store_record_put(store, &record, &last), CODE_FAULT, none);
    refuse(store_commit(store, &last), CODE_FAULT, none);
    must(store_begin(store, &last));
    refuse(store_begin(store, &last), CODE_FAULT, "a change is open already");
}

static void test_entries_not_taken(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    char long_text[300];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    must(store_begin(store, &last));
    refuse(store_entry_put(store, 1, "t", "s", "{}", 2, &last), CODE_LOG,
           "log entry 1 does not follow the 0 there are");
    must(store_entry_put(store, 0, "t", "s", "{}", 2, &last));
    refuse(store_entry_put(store, 0, "t", "s", "{}", 2, &last), CODE_LOG, "does not follow");
    refuse(store_entry_put(store, UINT64_MAX, "t", "s", "{}", 2, &last), CODE_LOG, "not follow");
    refuse(store_entry_put(store, 1, "t", "s", "", 0, &last), CODE_LOG, "log entry of 0 bytes");
    auto_free char *huge = calloc(1, STORE_ENTRY_MAX + 1);
    memset(huge, 'x', STORE_ENTRY_MAX + 1);
    refuse(store_entry_put(store, 1, "t", "s", huge, STORE_ENTRY_MAX + 1, &last), CODE_LOG,
           "log entry of 65536 bytes");
    refuse(store_entry_put(store, 1, "t", "s", "{\0}", 3, &last), CODE_LOG, "NUL byte");
    refuse(store_entry_put(store, 1, long_text, "s", "{}", 2, &last), CODE_LOG, "is too long");
    refuse(store_entry_put(store, 1, "t", long_text, "{}", 2, &last), CODE_LOG, "is too long");
    refuse(store_entry_get(store, 1, &text, &last), CODE_LOG, "log has no entry 1");
    refuse(store_entry_get(store, UINT64_MAX, &text, &last), CODE_FAULT, "SQLite error");
    must(store_commit(store, &last));
    uint64_t size = 0;
    must(store_log_size(store, &size, &last));
    assert_int_equal(size, 1);
}

static void test_nodes_and_checkpoints_not_taken(void **state)
{
    (void)state;
    struct digest hash = {{0}};
    must(store_begin(store, &last));
    must(store_node_put(store, 0, 0, &hash, &last));
    refuse(store_node_put(store, 0, 0, &hash, &last), CODE_LOG, "store has this row already");
    refuse(store_node_put(store, 64, 0, &hash, &last), CODE_FAULT, "no level 64");
    refuse(store_node_put(store, 0, UINT64_MAX, &hash, &last), CODE_FAULT, "SQLite error");
    refuse(store_node_get(store, 1, 0, &hash, &last), CODE_LOG, "log has no tree node 1/0");
    auto_free char *note = calloc(1, STORE_NOTE_MAX + 2);
    memset(note, 'n', STORE_NOTE_MAX + 1);
    refuse(store_checkpoint_put(store, 1, note, &last), CODE_LOG, "size out of range");
    refuse(store_checkpoint_put(store, 1, "", &last), CODE_LOG, "size out of range");
    refuse(store_checkpoint_put(store, 0, "n", &last), CODE_LOG, "size out of range");
    note[STORE_NOTE_MAX] = '\0';
    must(store_checkpoint_put(store, 1, note, &last));
}

static struct store_record good_record(void)
{
    return (struct store_record){
        .name = MUTABLE("ads/user/alice"),
        .app = MUTABLE("ads"),
        .kind = MUTABLE("user"),
        .version = 1,
        .state = MUTABLE("current"),
        .digest = MUTABLE(DIGEST),
        .jwe = MUTABLE("jwe"),
    };
}

static void test_rows_not_taken(void **state)
{
    (void)state;
    must(store_begin(store, &last));
    struct store_record record = good_record();
    must(store_record_put(store, &record, &last));
    record.name = NULL;
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.name: it is missing");
    record = good_record();
    record.name = MUTABLE("a\x1b[2J");
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.name: it holds a control");
    record = good_record();
    record.version = 0;
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.version: it is out of range");
    record = good_record();
    record.state = MUTABLE("lost");
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.state is none of the states");
    record = good_record();
    record.digest = MUTABLE("e3b0");
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.digest is not a SHA-256");
    record = good_record();
    record.expires = -2;
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.expires: it is out of range");
    record = good_record();
    record.valid = 2;
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.valid: it is out of range");
    record = good_record();
    record.entry = UINT64_MAX;
    refuse(store_record_put(store, &record, &last), CODE_FAULT, "SQLite error");
    record = good_record();
    auto_free char *jwe = calloc(1, STORE_JWE_MAX + 2);
    memset(jwe, 'x', STORE_JWE_MAX + 1);
    record.jwe = jwe;
    refuse(store_record_put(store, &record, &last), CODE_LOG, "record.jwe: it is too long");
    jwe[STORE_JWE_MAX] = '\0';
    must(store_record_put(store, &record, &last));
    must(store_commit(store, &last));
}

/* ---- files that go away under an open store ---- */

static void test_replaced(void **state)
{
    (void)state;
    must(store_begin(store, &last));
    must(store_entry_put(store, 0, "t", "s", "{}", 2, &last));
    assert_int_equal(rename(path_of("vault.db"), path_of("old.db")), 0);
    refuse(store_commit(store, &last), CODE_LOG, "store was replaced");
    store_rollback(store);
    refuse(store_begin(store, &last), CODE_LOG, "store was replaced");
    put_file("vault.db", "");
    refuse(store_begin(store, &last), CODE_LOG, "store was replaced");
    refuse(store_reserve(store, STORE_ROOM_CHANGE, &last), CODE_LOG, "store was replaced");
    assert_int_equal(rename(path_of("old.db"), path_of("vault.db")), 0);
    must(store_begin(store, &last));
}

static void test_deleted(void **state)
{
    (void)state;
    assert_int_equal(unlink(path_of("vault.db")), 0);
    refuse(store_begin(store, &last), CODE_LOG, "store was replaced");
    assert_true(strstr(last.text, "vault.db") != NULL);
}

/* ---- a read-only file system ---- */

#define CHILD_SKIPS 77

/* Modes do not bind root, who needs a mount for it; others cannot mount, but for them modes do. */
static bool make_read_only(void)
{
    if (geteuid() != 0)
        return chmod(directory, 0555) == 0 && chmod(path_of("vault.db"), 0400) == 0;
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(directory, directory, "none", MS_BIND, NULL) == 0 &&
           mount("none", directory, "none", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0;
}

static int open_on_read_only(void)
{
    if (!make_read_only())
        return CHILD_SKIPS;
    bool refused = store_open(directory, false, &store, &last) == -1 && last.code == CODE_LOG &&
                   strstr(last.text, "store is read-only") != NULL;
    if (!refused)
        fprintf(stderr, "code %d, %s\n", last.code, last.text);
    struct store *reader = NULL;
    if (store_open(directory, true, &reader, &last) < 0) {
        fprintf(stderr, "reading: code %d, %s\n", last.code, last.text);
        return 1;
    }
    store_free(reader);
    return refused ? 0 : 1;
}

static void test_read_only_file_system(void **state)
{
    (void)state;
    store_free(TAKE(store));
    pid_t child = fork();
    if (child == 0)
        _exit(open_on_read_only());
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    chmod(directory, 0700);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS) {
        leave_out("mounting a file system takes root");
    }
    assert_int_equal(status, 0);
}

#define in_directory(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
#define with_store(test) cmocka_unit_test_setup_teardown(test, make_store, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_directory(test_missing),
        with_store(test_there_already),
        in_directory(test_vault_ids),
        with_store(test_not_a_file),
        with_store(test_writable_by_others),
        with_store(test_owned_by_another),
        in_directory(test_not_a_store),
        with_store(test_other_schema),
        with_store(test_other_tables),
        with_store(test_vault_id_in_the_file),
        with_store(test_overwritten),
        with_store(test_record_columns),
        with_store(test_card_and_app_columns),
        with_store(test_entries_in_the_file),
        with_store(test_nodes_and_checkpoints_in_the_file),
        with_store(test_only_inside_a_change),
        with_store(test_entries_not_taken),
        with_store(test_nodes_and_checkpoints_not_taken),
        with_store(test_rows_not_taken),
        with_store(test_replaced),
        with_store(test_deleted),
        with_store(test_read_only_file_system),
    };
    return cmocka_run_group_tests_name("store refusals", tests, NULL, NULL);
}
