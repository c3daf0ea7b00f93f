/*
 * `status`: every grant, its state, and what it needs.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"

static const char *state_of(const struct store_record *row, int64_t now)
{
    /* One that has expired is not valid either. */
    if (row->expires > 0 && row->expires <= now)
        return "expired";
    if (row->valid == 0)
        return "invalid";
    if (row->data_expires > 0 && row->data_expires <= now)
        return "data access expired";
    if (row->valid == STORE_UNKNOWN)
        return "not inspected";
    return row->expires == 0 ? "never expires" : "valid";
}

/* What a person should do about it, or "". */
static const char *next_verb(const char *state, bool pending)
{
    if (pending || strcmp(state, "not inspected") == 0)
        return "exchange";
    if (strcmp(state, "valid") == 0 || strcmp(state, "never expires") == 0)
        return "";
    return "import";
}

static int add_pending(void *context, const struct store_record *row, struct error *error)
{
    json_t *pending = context;
    if (strcmp(row->state, "pending") != 0)
        return 0;
    return json_object_set_new(pending, row->name, json_true()) < 0 ? error_memory(error) : 0;
}

struct listing {
    json_t *list, *pending;
    int64_t now;
};

static int add_grant(void *context, const struct store_record *row, struct error *error)
{
    struct listing *listing = context;
    if (strcmp(row->state, "current") != 0 || strcmp(row->kind, "secret") == 0)
        return 0;
    bool pending = json_object_get(listing->pending, row->name) != NULL;
    const char *state = state_of(row, listing->now);
    json_t *item =
        json_pack("{s:s, s:s, s:I, s:b, s:s}", "name", row->name, "state", state, "version",
                  (json_int_t)row->version, "pending", pending, "next", next_verb(state, pending));
    if (!item)
        return error_memory(error);
    if (row->expires != STORE_UNKNOWN)
        json_object_set_new(item, "expires", json_integer(row->expires));
    if (row->subject)
        json_object_set_new(item, "subject", json_string(row->subject));
    return json_array_append_new(listing->list, item) < 0 ? error_memory(error) : 0;
}

static void print_grant(const json_t *item, int64_t now)
{
    char days[32] = "";
    int64_t expires = json_number(item, "expires", STORE_UNKNOWN);
    const char *next = json_text(item, "next");
    if (expires > now)
        (void)snprintf(days, sizeof(days), "  %lld d",
                       (long long)((expires - now + 43200) / 86400));
    printf("%s  %s%s\n", json_text(item, "name"), json_text(item, "state"), days);
    if (json_is_true(json_object_get(item, "pending")))
        printf("  a newer version waits to be confirmed\n");
    if (*next)
        printf("  next: p11vault %s %s\n", next, json_text(item, "name"));
}

int cli_status(struct cli *cli, struct error *error)
{
    struct listing listing = {json_array(), json_object(), clock_now()};
    auto_json json_t *list = listing.list;
    auto_json json_t *pending = listing.pending;
    const json_t *item;
    size_t index;
    if (!list || !pending)
        return error_memory(error);
    if (store_record_each(cli->vault->store, add_pending, pending, error) != 0 ||
        store_record_each(cli->vault->store, add_grant, &listing, error) != 0)
        return -1;
    if (cli->arguments.json)
        return print_json(json_incref(list), error);
    json_array_foreach (list, index, item)
        print_grant(item, listing.now);
    if (json_array_size(list) == 0)
        say("there are no grants yet");
    return 0;
}
