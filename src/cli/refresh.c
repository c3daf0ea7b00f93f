/*
 * `refresh`: which grants are due, and what can be done for each.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"
#include "p11vault/oauth/provider.h"

#define DAY INT64_C(86400)
#define DUE_DAYS 20       /* a grant with so many days left is renewed */
#define YOUNG_SECONDS DAY /* Instagram and Threads renew no younger one */
#define CHECK_SECONDS DAY /* each grant is looked at once a day */

struct choosing {
    struct cli *cli;
    bool all;
    int64_t now;
    struct front_wanted *wanted;
    size_t count, room;
    char app[NAME_PART_MAX + 1]; /* whose provider is known */
    const struct provider *provider;
};

static int add(struct choosing *choosing, const char *name, enum front_renewal how,
               struct error *error)
{
    if (choosing->count == choosing->room) {
        size_t room = choosing->room ? 2 * choosing->room : 64;
        void *grown = realloc(choosing->wanted, room * sizeof(*choosing->wanted));
        if (!grown)
            return error_memory(error);
        choosing->wanted = grown;
        choosing->room = room;
    }
    struct front_wanted *wanted = &choosing->wanted[choosing->count];
    wanted->how = how;
    if (name_parse_grant(name, &wanted->name, error) < 0)
        return -1;
    choosing->count++;
    return 0;
}

static int find_provider(struct choosing *choosing, const char *app, struct error *error)
{
    struct store_app row = {0};
    bool found;
    if (strcmp(choosing->app, app) == 0)
        return 0;
    if (store_app_get(choosing->cli->vault->store, app, &row, &found, error) < 0)
        return -1;
    (void)snprintf(choosing->app, sizeof(choosing->app), "%s", app);
    choosing->provider = found ? provider_find(row.provider) : NULL;
    store_app_clear(&row);
    return 0;
}

/* Its end is near or not known, and it is old enough to be renewed. */
static bool is_due(const struct choosing *choosing, const struct store_record *row)
{
    const struct provider *provider = choosing->provider;
    if (!provider || oauth_renew_step(provider, row->kind) == STEP_COUNT || row->expires == 0)
        return false;
    if (!provider->has_debugger && row->issued != STORE_UNKNOWN &&
        choosing->now - row->issued < YOUNG_SECONDS)
        return false;
    return choosing->all || row->expires == STORE_UNKNOWN ||
           row->expires - choosing->now <= DUE_DAYS * DAY;
}

static int choose(void *context, const struct store_record *row, struct error *error)
{
    struct choosing *choosing = context;
    if (strcmp(row->state, "current") != 0 || strcmp(row->kind, "secret") == 0)
        return 0;
    if (find_provider(choosing, row->app, error) < 0)
        return -1;
    if (is_due(choosing, row))
        return add(choosing, row->name, FRONT_REFRESH, error);
    bool is_stale = row->checked == STORE_UNKNOWN || choosing->now - row->checked >= CHECK_SECONDS;
    return choosing->all || is_stale ? add(choosing, row->name, FRONT_CHECK, error) : 0;
}

/* A person must act for these, today as yesterday: no call is spent on them. */
static bool needs_person(struct cli *cli, const struct front_wanted *wanted)
{
    struct store_record row = {0};
    struct error ignored;
    bool found;
    if (store_record_get(cli->vault->store, wanted->name.full, "current", &row, &found, &ignored) <
            0 ||
        !found)
        return false;
    bool is_dead = row.valid == 0 || (row.expires > 0 && row.expires <= clock_now());
    store_record_clear(&row);
    return is_dead;
}

static size_t leave_out_dead(struct cli *cli, struct front_wanted *wanted, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (needs_person(cli, &wanted[i]))
            say("%s: a person must log in: p11vault login %s", wanted[i].name.full,
                wanted[i].name.full);
        else
            wanted[kept++] = wanted[i];
    }
    return kept;
}

static int refresh_chosen(struct cli *cli, struct error *error)
{
    struct choosing choosing = {.cli = cli, .all = cli->arguments.all, .now = clock_now()};
    int result = store_record_each(cli->vault->store, choose, &choosing, error);
    auto_free struct front_wanted *wanted = choosing.wanted;
    if (result != 0)
        return -1;
    size_t count = leave_out_dead(cli, wanted, choosing.count);
    size_t dead = choosing.count - count;
    if (count > 0 && renewal_run(cli, "refresh", wanted, count, error) < 0)
        return -1;
    if (dead > 0)
        return error_set(error, CODE_LOGIN, "%zu grant%s a person to log in", dead,
                         dead == 1 ? " needs" : "s need");
    if (count == 0)
        say("nothing is due");
    return 0;
}

int cli_refresh(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    auto_free struct front_wanted *wanted = NULL;
    if ((arguments->count > 0) + arguments->due + arguments->all != 1) {
        error_set(error, CODE_USAGE, "names, --due or --all: one of them says what is refreshed");
        return error_hint(error, "p11vault refresh --due");
    }
    if (arguments->count == 0)
        return refresh_chosen(cli, error);
    if (renewal_parse(arguments, FRONT_REFRESH, &wanted, error) < 0)
        return -1;
    return renewal_run(cli, "refresh", wanted, arguments->count, error);
}
