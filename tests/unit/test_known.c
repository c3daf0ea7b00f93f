/*
 * test_known.c: what was read of the log is what is in the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/vault/grants.h"

#define must(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, last.text);                                                  \
    } while (0)

static struct error last;
static char directory[64], trust[128];
static struct config config = {.trust = trust};
static struct vault *vault;

static int make_vault(void **state)
{
    (void)state;
    char path[128];
    strcpy(directory, "/tmp/test_known.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(trust, sizeof(trust), "%s/trust", directory);
    (void)snprintf(path, sizeof(path), "%s/vault", directory);
    return vault_create(&config, path, &vault, &last);
}

static int remove_vault(void **state)
{
    (void)state;
    char command[128];
    vault_free(TAKE(vault));
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* In the change that is open. */
static void put(const char *text)
{
    struct name name;
    struct store_record row = {0};
    must(name_parse_record(text, &name, &last));
    must(vault_new_row(&name, 1, "current", "a.b.c.d.e", &row, &last));
    must(vault_put_record(vault, &row, "kid", NULL, NULL, &last));
    store_record_clear(&row);
}

static void find(const char *name)
{
    struct store_record row = {0};
    must(vault_find_record(vault, name, "current", &row, &last));
    assert_string_equal(row.name, name);
    store_record_clear(&row);
}

/* Beside the columns stands what the newest entry about the row says; another row's is not taken. */
static void test_remarks(void **state)
{
    auto_record struct store_record row = {0};
    auto_json json_t *remarks =
        json_pack("{s:s, s:[s]}", "profile", "1353", "lost_scopes", "email");
    auto_json json_t *found = NULL;
    auto_json json_t *none = NULL;
    (void)state;
    must(store_begin(vault->store, &last));
    put("ads/page/1353");
    must(store_commit(vault->store, &last));
    must(vault_find_record(vault, "ads/page/1353", "current", &row, &last));
    must(vault_remarks(vault, &row, &none, &last));
    assert_int_equal(json_object_size(none), 0);
    must(store_begin(vault->store, &last));
    must(vault_change_record(vault, &row, remarks, NULL, &last));
    must(store_commit(vault->store, &last));
    must(vault_remarks(vault, &row, &found, &last));
    assert_true(json_equal(found, remarks));
    row.version = 2;
    assert_int_equal(vault_remarks(vault, &row, &found, &last), -1);
    assert_int_equal(last.code, CODE_LOG);
}

/* What is taken back was never there: another entry stands in its place then. */
static void test_taken_back(void **state)
{
    (void)state;
    must(store_begin(vault->store, &last));
    put("ads/user/alice");
    must(store_commit(vault->store, &last));
    find("ads/user/alice");
    must(store_begin(vault->store, &last));
    put("ads/user/bob");
    find("ads/user/bob");
    store_rollback(vault->store);
    must(store_begin(vault->store, &last));
    put("ads/user/carol");
    find("ads/user/carol");
    must(store_commit(vault->store, &last));
    find("ads/user/carol");
    find("ads/user/alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_remarks, make_vault, remove_vault),
        cmocka_unit_test_setup_teardown(test_taken_back, make_vault, remove_vault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
