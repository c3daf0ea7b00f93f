/*
 * `refresh`: which grants are due, and what can be done for each.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"
#include "p11vault/oauth/answer.h"

#define YOUNG_SECONDS DAY /* Instagram and Threads renew no younger one */
#define CHECK_SECONDS DAY /* each grant is looked at once a day */

struct choice {
    struct front_wanted wanted;
    const struct provider *provider; /* NULL: one that this program does not know */
    bool is_dead; /* a person must act, today as yesterday: no call is spent on it */
};

struct choosing {
    struct cli *cli;
    bool all;
    int64_t now;
    struct choice *choices;
    size_t count, room;
    char name[NAME_MAX_SIZE]; /* of the last grant, and the version of it that is current, or 0 */
    int64_t version;
    struct known_provider known;
};

static int add(struct choosing *choosing, enum front_renewal how, bool is_dead, struct error *error)
{
    if (!choosing->choices || choosing->count == choosing->room) {
        size_t room = choosing->room ? 2 * choosing->room : 64;
        void *grown = realloc(choosing->choices, room * sizeof(*choosing->choices));
        if (!grown)
            return error_memory(error);
        choosing->choices = grown;
        choosing->room = room;
    }
    struct choice *choice = &choosing->choices[choosing->count];
    *choice = (struct choice){
        {.how = how, .version = choosing->version}, choosing->known.provider, is_dead};
    if (name_parse_grant(choosing->name, &choice->wanted.name, error) < 0)
        return -1;
    choosing->count++;
    return 0;
}

static bool is_young(const struct choosing *choosing, const struct store_record *row)
{
    return choosing->known.provider && !choosing->known.provider->has_debugger &&
           row->issued != STORE_UNKNOWN && choosing->now - row->issued < YOUNG_SECONDS;
}

/* Its end is near or not known, and it is old enough to be renewed. */
static bool is_due(const struct choosing *choosing, const struct store_record *row)
{
    const struct provider *provider = choosing->known.provider;
    if (!provider || oauth_renew_step(provider, row->kind) == STEP_COUNT || row->expires == 0)
        return false;
    if (is_young(choosing, row))
        return false;
    return choosing->all || row->expires == STORE_UNKNOWN ||
           row->expires - choosing->now <= REFRESH_DAYS * DAY;
}

static int choose_current(struct choosing *choosing, const struct store_record *row,
                          struct error *error)
{
    /*
     * Dead is the provider's word.  By this machine's clock, which may be wrong, it is asked once
     * more.
     */
    bool is_dead = row->valid == 0;
    bool has_ended = row->expires > 0 && row->expires <= choosing->now;
    bool is_stale = row->checked == STORE_UNKNOWN || choosing->now - row->checked >= CHECK_SECONDS;
    (void)snprintf(choosing->name, sizeof(choosing->name), "%s", row->name);
    choosing->version = row->version;
    if (known_provider(choosing->cli, row->app, &choosing->known, error) < 0)
        return -1;
    if (!is_dead && is_due(choosing, row))
        return add(choosing, FRONT_REFRESH, false, error);
    return is_dead || has_ended || is_stale || choosing->all
               ? add(choosing, FRONT_CHECK, is_dead, error)
               : 0;
}

/*
 * An interrupted run was issued this one: it is confirmed now, whatever else is due, and may bring
 * a dead grant back.  Of a first login there may be no other.
 */
static int choose_pending(struct choosing *choosing, const struct store_record *row,
                          struct error *error)
{
    size_t count = choosing->count;
    if (strcmp(choosing->name, row->name) != 0) {
        (void)snprintf(choosing->name, sizeof(choosing->name), "%s", row->name);
        choosing->version = 0;
        if (known_provider(choosing->cli, row->app, &choosing->known, error) < 0)
            return -1;
    }
    if (!choosing->choices || count == 0 ||
        strcmp(choosing->choices[count - 1].wanted.name.full, row->name) != 0)
        return add(choosing, FRONT_CHECK, false, error);
    choosing->choices[count - 1].is_dead = false;
    return 0;
}

/* Rows come by name, and the versions of a name in their order. */
static int choose(void *context, const struct store_record *row, struct error *error)
{
    struct choosing *choosing = context;
    if (strcmp(row->kind, "secret") == 0)
        return 0;
    if (strcmp(row->state, "current") == 0)
        return choose_current(choosing, row, error);
    return strcmp(row->state, "pending") == 0 ? choose_pending(choosing, row, error) : 0;
}

static void say_dead(const struct choice *choice)
{
    char command[OAUTH_HINT_MAX + 64];
    const struct name *name = &choice->wanted.name;
    (void)revival_command(choice->provider, name, "", command, sizeof(command));
    say("%s: dead at the provider%s%s%s%s", name->full, choice->provider ? ": " : "",
        choice->provider ? oauth_revival(choice->provider, name->kind)->words : "",
        *command ? ": " : "", command);
}

/* *ret_count: how many there are something to do for.  The dead are said. */
static struct front_wanted *living(const struct choice *choices, size_t count, size_t *ret_count)
{
    struct front_wanted *wanted = calloc(count + 1, sizeof(*wanted));
    *ret_count = 0;
    for (size_t i = 0; wanted && i < count; i++) {
        const struct choice *choice = &choices[i];
        if (choice->is_dead)
            say_dead(choice);
        else
            wanted[(*ret_count)++] = choice->wanted;
    }
    return wanted;
}

static int refresh_chosen(struct cli *cli, struct error *error)
{
    struct choosing choosing = {.cli = cli, .all = cli->arguments.all, .now = clock_now()};
    size_t count, persons = 0;
    int result = store_record_each(cli->vault->store, choose, &choosing, error);
    auto_free struct choice *choices = choosing.choices;
    if (result != 0)
        return -1;
    auto_free struct front_wanted *wanted = living(choices, choosing.count, &count);
    if (!wanted)
        return error_memory(error);
    size_t dead = choosing.count - count;
    if (choosing.count == 0)
        say("nothing is due");
    result = count > 0 ? renewal_run(cli, "refresh", wanted, count, &persons, error) : 0;
    if (dead == 0 || (result < 0 && error->code > CODE_LOGIN))
        return result;
    if (result < 0 && count == 1)
        say_error(error); /* of several, each was said */
    dead += persons;
    error_set(error, CODE_LOGIN, "%zu grant%s a person", dead, dead == 1 ? " needs" : "s need");
    return error_hint(error, "p11vault status");
}

/* What was named is done whatever its state; what cannot be renewed is looked at. */
static int refresh_named(struct cli *cli, struct error *error)
{
    struct choosing choosing = {.cli = cli, .all = true, .now = clock_now()};
    const struct arguments *arguments = &cli->arguments;
    auto_free struct front_wanted *wanted = NULL;
    size_t persons;
    if (renewal_parse(arguments, FRONT_REFRESH, &wanted, error) < 0)
        return -1;
    for (size_t i = 0; i < arguments->count; i++) {
        struct store_record row = {0};
        bool found;
        if (known_provider(cli, wanted[i].name.app, &choosing.known, error) < 0 ||
            store_record_get(cli->vault->store, wanted[i].name.full, "current", &row, &found,
                             error) < 0)
            return -1;
        wanted[i].version = found ? row.version : 0;
        if (found && !is_due(&choosing, &row))
            wanted[i].how = FRONT_CHECK;
        if (found && is_young(&choosing, &row))
            say("%s: looked at only: the provider renews nothing younger than 24 hours",
                wanted[i].name.full);
        store_record_clear(&row);
    }
    return renewal_run(cli, "refresh", wanted, arguments->count, &persons, error);
}

int cli_refresh(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    if ((arguments->count > 0) + arguments->due + arguments->all != 1) {
        error_set(error, CODE_USAGE, "names, --due or --all: one of them says what is refreshed");
        return error_hint(error, "p11vault refresh --due");
    }
    return arguments->count == 0 ? refresh_chosen(cli, error) : refresh_named(cli, error);
}
