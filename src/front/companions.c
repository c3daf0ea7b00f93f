/*
 * Grants that end with another one.
 */
#include "companions.h"

#include <stdio.h>
#include <string.h>

struct search {
    const struct name *name;
    const struct provider *provider;
    enum oauth_step step;
    char subject[FACT_TEXT_MAX]; /* "": not known */
    struct companions found;
};

void companions_clear(struct companions *companions)
{
    free(companions->list);
    *companions = (struct companions){0};
}

static bool is_companion(const struct search *search, const struct store_record *row)
{
    if (strcmp(row->state, "current") != 0 || strcmp(row->app, search->name->app) != 0 ||
        strcmp(row->name, search->name->full) == 0 || row->valid == 0 ||
        !oauth_ends_too(search->provider, search->step, row->kind))
        return false;
    return !row->subject || !*search->subject || strcmp(row->subject, search->subject) == 0;
}

static int add_companion(void *context, const struct store_record *row, struct error *error)
{
    struct search *search = context;
    struct companions *found = &search->found;
    if (!is_companion(search, row))
        return 0;
    void *grown = realloc(found->list, (found->count + 1) * sizeof(found->list[0]));
    if (!grown)
        return error_memory(error);
    found->list = grown;
    struct companion *companion = &found->list[found->count++];
    (void)snprintf(companion->name, sizeof(companion->name), "%s", row->name);
    companion->is_certain = row->subject && *search->subject;
    return 0;
}

int companions_find(struct vault *vault, const struct name *name, const struct provider *provider,
                    enum oauth_step step, struct companions *ret_companions, struct error *error)
{
    struct search search = {.name = name, .provider = provider, .step = step};
    auto_record struct store_record row = {0};
    bool found;
    *ret_companions = (struct companions){0};
    if (store_record_get(vault->store, name->full, "current", &row, &found, error) < 0)
        return -1;
    if (found && row.subject)
        (void)snprintf(search.subject, sizeof(search.subject), "%s", row.subject);
    if (found && store_record_each(vault->store, add_companion, &search, error) != 0) {
        companions_clear(&search.found);
        return -1;
    }
    *ret_companions = search.found;
    return 0;
}
