/*
 * What brings a dead grant back, as a command; for `status`, `refresh` and `notify` the same.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

int known_provider(struct cli *cli, const char *app, struct known_provider *known,
                   struct error *error)
{
    struct store_app row = {0};
    bool found;
    if (strcmp(known->app, app) == 0)
        return 0;
    if (store_app_get(cli->vault->store, app, &row, &found, error) < 0)
        return -1;
    (void)snprintf(known->app, sizeof(known->app), "%s", app);
    known->provider = found ? provider_find(row.provider) : NULL;
    store_app_clear(&row);
    return 0;
}

const char *revival_command(const struct provider *provider, const struct name *name,
                            const char *options, char *ret_command, size_t room)
{
    char rest[OAUTH_HINT_MAX];
    if (!provider) {
        *ret_command = '\0';
        return "";
    }
    const struct oauth_revival *revival = oauth_revival(provider, name->kind);
    oauth_hint_fill(revival->rest, name->full, name->app, rest);
    (void)snprintf(ret_command, room, "p11vault %s%s %s", options, revival->verb, rest);
    return revival->verb;
}
