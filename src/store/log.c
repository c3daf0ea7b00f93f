/*
 * log.c: the entries of the log and the nodes of its tree.  Entries are only ever appended, nodes never change.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#define LEVEL_MAX 63

int store_log_size(struct store *store, uint64_t *ret_size, struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    int64_t size = 0;
    if (store_prepare(store, "SELECT coalesce(max(idx) + 1, 0) FROM entry", &statement, error) <
            0 ||
        store_step(&statement, &row, error) < 0 ||
        store_column_number(&statement, 0, "entry.idx", 0, &size, error) < 0)
        return -1;
    *ret_size = (uint64_t)size;
    return 0;
}

static int check_entry(struct store *store, uint64_t index, const char *type, const char *subject,
                       const char *text, size_t size, struct error *error)
{
    uint64_t log_size = 0;
    if (store_in_change(store, error) < 0 || store_log_size(store, &log_size, error) < 0)
        return -1;
    if (index != log_size)
        return error_set(error, CODE_LOG,
                         "log entry %" PRIu64 " does not follow the %" PRIu64 " there are", index,
                         log_size);
    if (size < 1 || size > STORE_ENTRY_MAX)
        return error_set(error, CODE_LOG, "log entry of %zu bytes: 1 to %zu are taken", size,
                         STORE_ENTRY_MAX);
    if (memchr(text, '\0', size) != NULL)
        return error_set(error, CODE_LOG, "log entry holds a NUL byte");
    if (strlen(type) > STORE_WORD_MAX || strlen(subject) > STORE_NAME_MAX)
        return error_set(error, CODE_LOG, "type or subject of the log entry is too long");
    return 0;
}

int store_entry_put(struct store *store, uint64_t index, const char *type, const char *subject,
                    const char *text, size_t size, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (check_entry(store, index, type, subject, text, size, error) < 0 ||
        store_prepare(store, "INSERT INTO entry (idx, type, subject, text) VALUES (?1, ?2, ?3, ?4)",
                      &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, index);
    store_bind_text(&statement, 2, type);
    store_bind_text(&statement, 3, subject);
    store_bind_sized_text(&statement, 4, text, size);
    return store_run(&statement, error);
}

int store_entry_get(struct store *store, uint64_t index, struct buffer *ret_text,
                    struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    if (store_prepare(store, "SELECT text FROM entry WHERE idx = ?1", &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, index);
    if (store_step(&statement, &row, error) < 0)
        return -1;
    if (!row)
        return error_set(error, CODE_LOG, "log has no entry %" PRIu64, index);
    return store_column_buffer(&statement, 0, "entry.text", STORE_ENTRY_MAX, ret_text, error);
}

int store_entry_newest(struct store *store, const char *type, const char *subject,
                       uint64_t *ret_index, bool *ret_found, struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    int64_t index = 0;
    if (store_prepare(store,
                      "SELECT idx FROM entry WHERE type = ?1 AND subject = ?2 "
                      "ORDER BY idx DESC LIMIT 1",
                      &statement, error) < 0)
        return -1;
    store_bind_text(&statement, 1, type);
    store_bind_text(&statement, 2, subject);
    if (store_step(&statement, &row, error) < 0 ||
        (row && store_column_number(&statement, 0, "entry.idx", 0, &index, error) < 0))
        return -1;
    if (row)
        *ret_index = (uint64_t)index;
    *ret_found = row;
    return 0;
}

/* One row of the walk; an index that is not the one expected means that an entry was taken out. */
static int read_entry(const struct statement *statement, uint64_t expected, const char **ret_text,
                      size_t *ret_size, struct error *error)
{
    int64_t index = 0;
    if (store_column_number(statement, 0, "entry.idx", 0, &index, error) < 0 ||
        store_column_text(statement, 1, "entry.text", STORE_ENTRY_MAX, ret_text, ret_size, error) <
            0)
        return -1;
    if ((uint64_t)index != expected)
        return store_damaged(error, "log entry %" PRIu64 " is missing", expected);
    return *ret_text == NULL ? store_damaged(error, "entry.text is missing") : 0;
}

int store_entry_each(struct store *store, uint64_t first,
                     int (*each)(void *context, uint64_t index, const char *text, size_t size,
                                 struct error *error),
                     void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT idx, text FROM entry WHERE idx >= ?1 ORDER BY idx", &statement,
                      error) < 0)
        return -1;
    store_bind_index(&statement, 1, first);
    for (uint64_t index = first;; index++) {
        bool row = false;
        const char *text = NULL;
        size_t size = 0;
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (read_entry(&statement, index, &text, &size, error) < 0)
            return -1;
        int result = each(context, index, text, size, error);
        if (result != 0)
            return result;
    }
}

int store_node_put(struct store *store, unsigned level, uint64_t position,
                   const struct digest *hash, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0)
        return -1;
    if (level > LEVEL_MAX)
        return error_set(error, CODE_FAULT, "store: the tree has no level %u", level);
    if (store_prepare(store, "INSERT INTO node (level, position, hash) VALUES (?1, ?2, ?3)",
                      &statement, error) < 0)
        return -1;
    store_bind_number(&statement, 1, level);
    store_bind_index(&statement, 2, position);
    store_bind_bytes(&statement, 3, hash->bytes, DIGEST_SIZE);
    return store_run(&statement, error);
}

int store_node_get(struct store *store, unsigned level, uint64_t position, struct digest *ret_hash,
                   struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    if (store_prepare(store, "SELECT hash FROM node WHERE level = ?1 AND position = ?2", &statement,
                      error) < 0)
        return -1;
    store_bind_number(&statement, 1, level);
    store_bind_index(&statement, 2, position);
    if (store_step(&statement, &row, error) < 0)
        return -1;
    if (!row)
        return error_set(error, CODE_LOG, "log has no tree node %u/%" PRIu64, level, position);
    return store_column_digest(&statement, 0, "node.hash", ret_hash, error);
}

int store_node_count(struct store *store, uint64_t *ret_count, struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    int64_t count = 0;
    if (store_prepare(store, "SELECT count(*) FROM node", &statement, error) < 0 ||
        store_step(&statement, &row, error) < 0 ||
        store_column_number(&statement, 0, "count of nodes", 0, &count, error) < 0)
        return -1;
    *ret_count = (uint64_t)count;
    return 0;
}

/* ---- the whole log ---- */

int store_filed_each(struct store *store, uint64_t first,
                     int (*each)(void *context, const struct store_filed *filed,
                                 struct error *error),
                     void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store,
                      "SELECT idx, text, type, subject FROM entry WHERE idx >= ?1 ORDER BY idx",
                      &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, first);
    for (uint64_t index = first;; index++) {
        bool row = false;
        size_t size;
        struct store_filed filed = {.index = index};
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (read_entry(&statement, index, &filed.text, &filed.size, error) < 0 ||
            store_column_text(&statement, 2, "entry.type", STORE_WORD_MAX, &filed.type, &size,
                              error) < 0 ||
            store_column_text(&statement, 3, "entry.subject", STORE_NAME_MAX, &filed.subject, &size,
                              error) < 0)
            return -1;
        if (filed.type == NULL || filed.subject == NULL)
            return store_damaged(error, "entry %" PRIu64 " has no type or subject", index);
        int result = each(context, &filed, error);
        if (result != 0)
            return result;
    }
}

struct store_nodes {
    struct store *store;
    struct statement levels[LEVEL_MAX + 1];
};

int store_nodes_open(struct store *store, struct store_nodes **ret_nodes, struct error *error)
{
    struct store_nodes *nodes = calloc(1, sizeof(*nodes));
    if (nodes == NULL)
        return error_memory(error);
    nodes->store = store;
    *ret_nodes = nodes;
    return 0;
}

void store_nodes_free(struct store_nodes *nodes)
{
    if (nodes == NULL)
        return;
    for (size_t i = 0; i <= LEVEL_MAX; i++)
        if (nodes->levels[i].sql != NULL)
            store_finish(&nodes->levels[i]);
    free(nodes);
}

int store_nodes_next(struct store_nodes *nodes, unsigned level, uint64_t position,
                     struct digest *ret_hash, struct error *error)
{
    int64_t found = 0;
    bool row = false;
    if (level > LEVEL_MAX)
        return error_set(error, CODE_FAULT, "store: the tree has no level %u", level);
    struct statement *statement = &nodes->levels[level];
    if (statement->sql == NULL) {
        if (store_prepare(nodes->store,
                          "SELECT hash, position FROM node WHERE level = ?1 AND position >= ?2 "
                          "ORDER BY position",
                          statement, error) < 0)
            return -1;
        store_bind_number(statement, 1, level);
        store_bind_index(statement, 2, position);
    }
    if (store_step(statement, &row, error) < 0 ||
        (row && store_column_number(statement, 1, "node.position", 0, &found, error) < 0))
        return -1;
    if (!row || (uint64_t)found != position)
        return error_set(error, CODE_LOG, "log has no tree node %u/%" PRIu64, level, position);
    return store_column_digest(statement, 0, "node.hash", ret_hash, error);
}

int store_snapshot_begin(struct store *store, struct error *error)
{
    if (store->changing)
        return error_set(error, CODE_FAULT, "store: a change is open already");
    return store_execute(store, "BEGIN", error);
}

void store_snapshot_end(struct store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}
