/*
 * row.c: rows of the index as structs, member by member as a table says.  Writing and reading apply the same checks,
 * so what was written can be read.
 */
#include "internal.h"

#include <string.h>

/* What is wrong with a text for a column, or NULL.  Texts of the index are shown to people: no control characters. */
static const char *text_fault(const struct column *column, const char *text)
{
    if (text == NULL)
        return column->kind == COLUMN_OPTIONAL ? NULL : "is missing";
    size_t size = 0;
    for (; text[size] != '\0'; size++) {
        unsigned char c = (unsigned char)text[size];
        if (c < ' ' || c == 0x7f)
            return "holds a control character";
    }
    return size > column->maximum ? "is too long" : NULL;
}

static int bind_number(struct statement *statement, int place, const struct column *column,
                       int64_t number, struct error *error)
{
    int64_t low = column->kind == COLUMN_VERSION ? 1 : STORE_UNKNOWN;
    if (number < low || (column->kind == COLUMN_TRUTH && number > 1))
        return error_set(error, CODE_LOG, "store does not take %s: it is out of range",
                         column->name);
    /* Nothing bound is NULL. */
    if (number != STORE_UNKNOWN)
        store_bind_number(statement, place, number);
    return 0;
}

int store_row_bind(struct statement *statement, const struct column *columns, size_t count,
                   const void *row, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct column *column = &columns[i];
        const char *member = (const char *)row + column->offset;
        int place = (int)i + 1;
        if (column->kind == COLUMN_TEXT || column->kind == COLUMN_OPTIONAL) {
            const char *text = *(char *const *)(const void *)member;
            const char *fault = text_fault(column, text);
            if (fault != NULL)
                return error_set(error, CODE_LOG, "store does not take %s: it %s", column->name,
                                 fault);
            store_bind_text(statement, place, text);
        } else if (column->kind == COLUMN_INDEX) {
            store_bind_index(statement, place, *(const uint64_t *)(const void *)member);
        } else {
            int64_t number = column->kind == COLUMN_TRUTH ? *(const int *)(const void *)member
                                                          : *(const int64_t *)(const void *)member;
            if (bind_number(statement, place, column, number, error) < 0)
                return -1;
        }
    }
    return 0;
}

static int read_text(const struct statement *statement, int place, const struct column *column,
                     char **ret_text, struct error *error)
{
    const char *text = NULL;
    size_t size = 0;
    if (store_column_text(statement, place, column->name, column->maximum, &text, &size, error) < 0)
        return -1;
    if (text == NULL)
        return column->kind == COLUMN_OPTIONAL
                   ? 0
                   : store_damaged(error, "%s is missing", column->name);
    const char *fault = text_fault(column, text);
    if (fault != NULL)
        return store_damaged(error, "%s %s", column->name, fault);
    return store_text_set(ret_text, text, error);
}

static int read_number(const struct statement *statement, int place, const struct column *column,
                       int64_t *ret_number, struct error *error)
{
    bool optional = column->kind == COLUMN_TIME || column->kind == COLUMN_TRUTH;
    if (optional && sqlite3_column_type(statement->sql, place) == SQLITE_NULL) {
        *ret_number = STORE_UNKNOWN;
        return 0;
    }
    int64_t low = column->kind == COLUMN_VERSION ? 1 : 0;
    int64_t number = 0;
    if (store_column_number(statement, place, column->name, low, &number, error) < 0)
        return -1;
    if (column->kind == COLUMN_TRUTH && number > 1)
        return store_damaged(error, "%s is out of range", column->name);
    *ret_number = number;
    return 0;
}

int store_row_read(const struct statement *statement, const struct column *columns, size_t count,
                   void *row, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct column *column = &columns[i];
        void *member = (char *)row + column->offset;
        if (column->kind == COLUMN_TEXT || column->kind == COLUMN_OPTIONAL) {
            if (read_text(statement, (int)i, column, member, error) < 0)
                return -1;
            continue;
        }
        int64_t number = 0;
        if (read_number(statement, (int)i, column, &number, error) < 0)
            return -1;
        if (column->kind == COLUMN_TRUTH)
            *(int *)member = (int)number;
        else if (column->kind == COLUMN_INDEX)
            *(uint64_t *)member = (uint64_t)number;
        else
            *(int64_t *)member = number;
    }
    return 0;
}

void store_row_clear(const struct column *columns, size_t count, void *row)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].kind != COLUMN_TEXT && columns[i].kind != COLUMN_OPTIONAL)
            continue;
        char **text = (char **)(void *)((char *)row + columns[i].offset);
        free(*text);
        *text = NULL;
    }
}
