/*
 * Grants: what this vault knows of them, their names, and forgetting them.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"

static int add_name(void *context, const struct store_record *row, struct error *error)
{
    json_t *list = context;
    if (strcmp(row->state, "current") != 0 || strcmp(row->kind, "secret") == 0)
        return 0;
    json_t *item = json_pack("{s:s, s:I}", "name", row->name, "version", (json_int_t)row->version);
    if (item && row->subject)
        json_object_set_new(item, "subject", json_string(row->subject));
    return json_array_append_new(list, item) < 0 ? error_memory(error) : 0;
}

int cli_grant_list(struct cli *cli, struct error *error)
{
    auto_json json_t *list = json_array();
    const json_t *item;
    size_t index;
    if (!list)
        return error_memory(error);
    if (store_record_each(cli->vault->store, add_name, list, error) != 0)
        return -1;
    if (cli->arguments.json)
        return print_json(json_incref(list), error);
    json_array_foreach (list, index, item) {
        const char *subject = json_text(item, "subject");
        printf("%s%s%s\n", json_text(item, "name"), subject ? "  " : "", subject ? subject : "");
    }
    return 0;
}

/* ---- show ---- */

static void set_time(json_t *json, const char *key, int64_t seconds)
{
    if (seconds != STORE_UNKNOWN)
        json_object_set_new(json, key, json_integer(seconds));
}

static json_t *describe(const struct store_record *row)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "name", row->name, "app", row->app,
                             "kind", row->kind, "version", (json_int_t)row->version, "state",
                             row->state, "digest", row->digest);
    if (!json)
        return NULL;
    if (row->subject)
        json_object_set_new(json, "subject", json_string(row->subject));
    if (row->scopes)
        json_object_set_new(json, "scopes", json_loads(row->scopes, JSON_REJECT_DUPLICATES, NULL));
    if (row->valid != STORE_UNKNOWN)
        json_object_set_new(json, "valid", json_boolean(row->valid));
    set_time(json, "issued", row->issued);
    set_time(json, "expires", row->expires);
    set_time(json, "data_expires", row->data_expires);
    set_time(json, "checked", row->checked);
    return json;
}

static void print_member(const char *key, const json_t *value)
{
    static const char *const times[] = {"issued", "expires", "data_expires", "checked"};
    char text[CLOCK_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (strcmp(times[i], key) == 0) {
            clock_text(json_integer_value(value), text);
            printf("%-12s %s\n", key, json_integer_value(value) == 0 ? "never" : text);
            return;
        }
    if (json_is_string(value))
        printf("%-12s %s\n", key, json_string_value(value));
    else if (json_is_integer(value))
        printf("%-12s %lld\n", key, (long long)json_integer_value(value));
    else
        printf("%-12s %s\n", key, json_is_true(value) ? "yes" : "no");
}

static void print_grant(json_t *json)
{
    static const char *const order[] = {"name",    "state",        "version", "subject", "valid",
                                        "expires", "data_expires", "issued",  "checked", "digest"};
    const json_t *scope;
    size_t index;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (json_object_get(json, order[i]))
            print_member(order[i], json_object_get(json, order[i]));
    json_array_foreach (json_object_get(json, "scopes"), index, scope)
        printf("%-12s %s\n", "permission", json_string_value(scope));
}

int cli_grant_show(struct cli *cli, struct error *error)
{
    struct name name;
    struct store_record row = {0};
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0 ||
        vault_find_record(cli->vault, name.full, "current", &row, error) < 0)
        return -1;
    auto_json json_t *json = describe(&row);
    store_record_clear(&row);
    if (!json)
        return error_memory(error);
    if (cli->arguments.json)
        return print_json(json_incref(json), error);
    print_grant(json);
    return 0;
}

int cli_grant_rename(struct cli *cli, struct error *error)
{
    struct name from, to;
    if (name_parse_grant(cli->arguments.positional[0], &from, error) < 0 ||
        name_parse_grant(cli->arguments.positional[1], &to, error) < 0)
        return -1;
    if (front_rename(&cli->front, &from, &to, error) < 0)
        return error_prefix(error, "grant rename %s", from.full);
    say("%s: is now %s", from.full, to.full);
    return 0;
}

int cli_grant_forget(struct cli *cli, struct error *error)
{
    struct name name;
    char question[NAME_MAX_SIZE + 64], command[NAME_MAX_SIZE + 32];
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    (void)snprintf(question, sizeof(question), "this cannot be undone: forget %s?", name.full);
    (void)snprintf(command, sizeof(command), "grant forget %s", name.full);
    if (agree(cli, question, "nothing was forgotten", command, error) < 0)
        return error_prefix(error, "%s", name.full);
    if (front_forget(&cli->front, &name, error) < 0)
        return -1;
    say("%s: forgotten", name.full);
    return 0;
}
