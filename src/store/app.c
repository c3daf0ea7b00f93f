/*
 * app.c: the index of apps, with their sealed keys.
 */
#include "internal.h"

#define APP_COLUMNS "app, provider, client_id, key_record, entry, key_entry"

static const struct column columns[] = {
    {"app.app", COLUMN_TEXT, offsetof(struct store_app, app), STORE_WORD_MAX},
    {"app.provider", COLUMN_TEXT, offsetof(struct store_app, provider), STORE_WORD_MAX},
    {"app.client_id", COLUMN_TEXT, offsetof(struct store_app, client_id), STORE_NAME_MAX},
    {"app.key_record", COLUMN_TEXT, offsetof(struct store_app, key_record), STORE_JWE_MAX},
    {"app.entry", COLUMN_INDEX, offsetof(struct store_app, entry), 0},
    {"app.key_entry", COLUMN_INDEX, offsetof(struct store_app, key_entry), 0},
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void store_app_clear(struct store_app *app)
{
    store_row_clear(columns, COLUMN_COUNT, app);
}

int store_app_put(struct store *store, const struct store_app *app, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0 ||
        store_prepare(store,
                      "INSERT OR REPLACE INTO app (" APP_COLUMNS ") "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                      &statement, error) < 0 ||
        store_row_bind(&statement, columns, COLUMN_COUNT, app, error) < 0)
        return -1;
    return store_run(&statement, error);
}

static int drop_from(struct store *store, const char *sql, const char *app, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, sql, &statement, error) < 0)
        return -1;
    store_bind_text(&statement, 1, app);
    return store_run(&statement, error);
}

int store_app_drop(struct store *store, const char *app, struct error *error)
{
    if (store_in_change(store, error) < 0 ||
        drop_from(store, "DELETE FROM record WHERE app = ?1", app, error) < 0)
        return -1;
    return drop_from(store, "DELETE FROM app WHERE app = ?1", app, error);
}

int store_app_get(struct store *store, const char *app, struct store_app *ret_app, bool *ret_found,
                  struct error *error)
{
    auto_statement struct statement statement = {0};
    bool row = false;
    __attribute__((cleanup(store_app_clear))) struct store_app found = {0};
    if (store_prepare(store, "SELECT " APP_COLUMNS " FROM app WHERE app = ?1", &statement, error) <
        0)
        return -1;
    store_bind_text(&statement, 1, app);
    if (store_step(&statement, &row, error) < 0 ||
        (row && store_row_read(&statement, columns, COLUMN_COUNT, &found, error) < 0))
        return -1;
    *ret_found = row;
    if (row) {
        *ret_app = found;
        found = (struct store_app){0};
    }
    return 0;
}

int store_app_each(struct store *store,
                   int (*each)(void *context, const struct store_app *, struct error *),
                   void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT " APP_COLUMNS " FROM app ORDER BY app", &statement, error) < 0)
        return -1;
    for (;;) {
        bool row = false;
        __attribute__((cleanup(store_app_clear))) struct store_app app = {0};
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (store_row_read(&statement, columns, COLUMN_COUNT, &app, error) < 0)
            return -1;
        int result = each(context, &app, error);
        if (result != 0)
            return result;
    }
}
