/*
 * card.c: the index of the vault's cards.
 */
#include "internal.h"

#define CARD_COLUMNS "entry, serial, label, kid"

static const struct column columns[] = {
    {"card.entry", COLUMN_INDEX, offsetof(struct store_card, entry), 0},
    {"card.serial", COLUMN_TEXT, offsetof(struct store_card, serial), STORE_WORD_MAX},
    {"card.label", COLUMN_TEXT, offsetof(struct store_card, label), STORE_NAME_MAX},
    {"card.kid", COLUMN_TEXT, offsetof(struct store_card, kid), STORE_WORD_MAX},
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void store_card_clear(struct store_card *card)
{
    store_row_clear(columns, COLUMN_COUNT, card);
}

int store_card_put(struct store *store, const struct store_card *card, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0 ||
        store_prepare(store,
                      "INSERT OR REPLACE INTO card (" CARD_COLUMNS ") VALUES (?1, ?2, ?3, ?4)",
                      &statement, error) < 0 ||
        store_row_bind(&statement, columns, COLUMN_COUNT, card, error) < 0)
        return -1;
    return store_run(&statement, error);
}

int store_card_drop(struct store *store, uint64_t entry, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_in_change(store, error) < 0 ||
        store_prepare(store, "DELETE FROM card WHERE entry = ?1", &statement, error) < 0)
        return -1;
    store_bind_index(&statement, 1, entry);
    return store_run(&statement, error);
}

int store_card_each(struct store *store,
                    int (*each)(void *context, const struct store_card *, struct error *),
                    void *context, struct error *error)
{
    auto_statement struct statement statement = {0};
    if (store_prepare(store, "SELECT " CARD_COLUMNS " FROM card ORDER BY entry", &statement,
                      error) < 0)
        return -1;
    for (;;) {
        bool row = false;
        __attribute__((cleanup(store_card_clear))) struct store_card card = {0};
        if (store_step(&statement, &row, error) < 0)
            return -1;
        if (!row)
            return 0;
        if (store_row_read(&statement, columns, COLUMN_COUNT, &card, error) < 0)
            return -1;
        int result = each(context, &card, error);
        if (result != 0)
            return result;
    }
}
