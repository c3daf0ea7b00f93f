/*
 * checkpoint.c: the signed notes, by the size of the tree they sign.
 */
#include "internal.h"

#include <string.h>

int store_checkpoint_put(struct store *store, uint64_t size, const char *note, struct error *error)
{
    auto_statement struct statement statement = {0};
    size_t length = strlen(note);
    if (store_in_change(store, error) < 0)
        return -1;
    if (size < 1 || length < 1 || length > STORE_NOTE_MAX)
        return error_set(error, CODE_LOG, "store does not take this checkpoint: size out of range");
    /* A tree can be signed again, after a crash between the signature and what was to follow it. */
    if (store_prepare(store, "INSERT OR REPLACE INTO checkpoint (size, note) VALUES (?1, ?2)",
                      &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, size);
    store_bind_text(&statement, 2, note);
    return store_run(&statement, error);
}

static int read_row(struct statement *statement, uint64_t *ret_size, struct buffer *ret_note,
                    struct error *error)
{
    bool row = false;
    int64_t size = 0;
    if (store_step(statement, &row, error) < 0)
        return -1;
    if (!row) {
        buffer_clear(ret_note);
        *ret_size = 0;
        return 0;
    }
    if (store_column_number(statement, 0, "checkpoint.size", 1, &size, error) < 0 ||
        store_column_buffer(statement, 1, "checkpoint.note", STORE_NOTE_MAX, ret_note, error) < 0)
        return -1;
    *ret_size = (uint64_t)size;
    return 0;
}

int store_checkpoint_newest(struct store *store, uint64_t *ret_size, struct buffer *ret_note,
                            struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1",
                      &statement, error) < 0)
        return -1;
    return read_row(&statement, ret_size, ret_note, error);
}

int store_checkpoint_from(struct store *store, uint64_t lowest, uint64_t *ret_size,
                          struct buffer *ret_note, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store,
                      "SELECT size, note FROM checkpoint WHERE size >= ?1 ORDER BY size LIMIT 1",
                      &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, lowest);
    return read_row(&statement, ret_size, ret_note, error);
}

int store_checkpoint_each(struct store *store,
                          int (*each)(void *context, uint64_t size, const char *note,
                                      struct error *error),
                          void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT size, note FROM checkpoint ORDER BY size", &statement, error) <
        0)
        return -1;
    for (;;) {
        bool row = false;
        int64_t size = 0;
        auto_buffer struct buffer note = BUFFER_UP_TO(STORE_NOTE_MAX);
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (store_column_number(&statement, 0, "checkpoint.size", 1, &size, error) < 0 ||
            store_column_buffer(&statement, 1, "checkpoint.note", STORE_NOTE_MAX, &note, error) < 0)
            return -1;
        int result = each(context, (uint64_t)size, buffer_text(&note), error);
        if (result != 0)
            return result;
    }
}
