/*
 * Apps as the signed log knows them, and what was never signed.
 */
#include "p11vault/vault/apps.h"

#include <string.h>

#include "p11vault/base/name.h"

void vault_app_clear(struct vault_app *app)
{
    store_app_clear(&app->row);
    json_decref(app->app_entry);
    json_decref(app->key_entry);
}

static int name_app(void *context, const struct store_app *app, struct error *error)
{
    struct buffer *names = context;
    return buffer_put_format(names, error, "%s%s", names->size ? ", " : "", app->app);
}

static int no_such_app(struct vault *vault, const char *app, struct error *error)
{
    struct error ignored;
    auto_buffer struct buffer names = BUFFER_UP_TO(512);
    (void)store_app_each(vault->store, name_app, &names, &ignored);
    if (names.size == 0)
        error_set(error, CODE_USAGE, "there is no app '%s', nor any other", app);
    else
        error_set(error, CODE_USAGE, "there is no app '%s' (there is: %s)", app,
                  buffer_text(&names));
    return error_hint(error, "p11vault app add %s --provider meta --id APP_ID", app);
}

/* The row is an index only: what it says must be what the signed entries say. */
static int check_app_row(const struct vault_app *app, struct error *error)
{
    const struct store_app *row = &app->row;
    const char *entry_app = json_text(app->app_entry, "app");
    const char *key_app = json_text(app->key_entry, "app");
    const char *provider = json_text(app->app_entry, "provider");
    const char *client_id = json_text(app->app_entry, "client_id");
    struct digest digest = digest_of(row->key_record, strlen(row->key_record));
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&digest, hex);
    const char *logged = json_text(app->key_entry, "digest");
    if (!entry_app || !key_app || strcmp(entry_app, row->app) != 0 ||
        strcmp(key_app, row->app) != 0 || !provider || strcmp(provider, row->provider) != 0 ||
        !client_id || strcmp(client_id, row->client_id) != 0)
        return error_set(error, CODE_LOG, "its columns are not those of its log entry");
    if (!logged || strcmp(logged, hex) != 0)
        return error_set(error, CODE_LOG, "its app key record is not the one in the log");
    return 0;
}

int vault_app_find(struct vault *vault, const struct signed_head *head, const char *app,
                   struct vault_app *ret_app, struct error *error)
{
    auto_app struct vault_app found = {0};
    bool exists;
    if (store_app_get(vault->store, app, &found.row, &exists, error) < 0)
        return -1;
    if (!exists)
        return no_such_app(vault, app, error);
    if (vault_signed_entry(vault, head, found.row.entry, ENTRY_APP, &found.app_entry, error) < 0 ||
        vault_signed_entry(vault, head, found.row.key_entry, ENTRY_APP_KEY, &found.key_entry,
                           error) < 0 ||
        check_app_row(&found, error) < 0)
        return error_prefix(error, "app '%s'", app);
    *ret_app = found;
    found = (struct vault_app){0};
    return 0;
}

const char *vault_app_kid(const struct vault_app *app)
{
    return json_text(app->key_entry, "kid");
}

const char *vault_app_origin(const struct vault_app *app)
{
    return json_string_value(json_array_get(json_object_get(app->app_entry, "origins"), 0));
}

const char *vault_app_code_origin(const struct vault_app *app)
{
    const json_t *origins = json_object_get(app->app_entry, "origins");
    return json_string_value(json_array_get(origins, json_array_size(origins) - 1));
}

/* ---- trust that was never signed ---- */

struct unsigned_search {
    struct {
        uint64_t index;
        enum entry_type type;
        char app[NAME_MAX_SIZE];
    } found[64];
    size_t count;
    const char *except; /* entries of this use are not looked for */
};

/* Notes each trust-granting entry of the tail and strikes those that are void already. */
static int note_unsigned(void *context, uint64_t index, const char *text, size_t size,
                         struct error *error)
{
    struct unsigned_search *search = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (type == ENTRY_VOID) {
        uint64_t voided = (uint64_t)json_number(entry, "entry", -1);
        for (size_t i = 0; i < search->count; i++)
            if (search->found[i].index == voided)
                search->found[i--] = search->found[--search->count];
        return 0;
    }
    const char *use = json_text(entry, "use");
    if (!entry_grants_trust(type) || (use && search->except && strcmp(use, search->except) == 0))
        return 0;
    if (search->count == sizeof(search->found) / sizeof(search->found[0]))
        return error_set(error, CODE_LOG, "too many unsigned entries that grant trust");
    search->found[search->count].index = index;
    search->found[search->count].type = type;
    const char *app = json_text(entry, "app");
    if (app)
        (void)strncpy(search->found[search->count].app, app,
                      sizeof(search->found[search->count].app) - 1);
    search->count++;
    return 0;
}

static int find_unsigned(struct vault *vault, struct unsigned_search *search, struct error *error)
{
    uint64_t size;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    if (store_checkpoint_newest(vault->store, &size, &note, error) < 0 ||
        store_entry_each(vault->store, size, note_unsigned, search, error) != 0)
        return -1;
    return 0;
}

int vault_count_granting(struct vault *vault, uint64_t first, const char *use, size_t *ret_count,
                         struct error *error)
{
    struct unsigned_search search = {.except = use};
    if (store_entry_each(vault->store, first, note_unsigned, &search, error) != 0)
        return -1;
    *ret_count = search.count;
    return 0;
}

int vault_count_unsigned(struct vault *vault, size_t *ret_count, struct error *error)
{
    struct unsigned_search search = {0};
    if (find_unsigned(vault, &search, error) < 0)
        return -1;
    *ret_count = search.count;
    return 0;
}

/* An app that stands on a void entry goes; one whose key was only to be sealed anew stays as it was. */
static int drop_app(struct vault *vault, const char *app, uint64_t index, struct error *error)
{
    struct store_app row = {0};
    bool exists;
    if (!*app)
        return 0;
    if (store_app_get(vault->store, app, &row, &exists, error) < 0)
        return -1;
    bool stands_on_it = exists && (row.entry == index || row.key_entry == index);
    store_app_clear(&row);
    return stands_on_it ? store_app_drop(vault->store, app, error) : 0;
}

int vault_void_unsigned(struct vault *vault, size_t *ret_count, struct error *error)
{
    struct unsigned_search search = {0};
    if (find_unsigned(vault, &search, error) < 0)
        return -1;
    for (size_t i = 0; i < search.count; i++) {
        uint64_t index;
        json_t *members = json_pack("{s:I, s:s}", "entry", (json_int_t)search.found[i].index,
                                    "reason", "the run that wrote it ended before a card signed");
        if (vault_append(vault, ENTRY_VOID, search.found[i].app, members, &index, error) < 0 ||
            store_card_drop(vault->store, search.found[i].index, error) < 0)
            return -1;
        if (drop_app(vault, search.found[i].app, search.found[i].index, error) < 0)
            return -1;
    }
    *ret_count = search.count;
    return 0;
}
