/*
 * What `status` warns of beside the grants: apps that one card alone can open, and app secrets that
 * are exposed.
 */
#include <stdio.h>

#include "cli.h"

static int warn_of_secret(struct cli *cli, const struct signed_head *head, const char *app,
                          struct error *error)
{
    char secret[NAME_MAX_SIZE];
    uint64_t exposed_at, sealed;
    bool exposed, found;
    (void)snprintf(secret, sizeof(secret), "%s/secret", app);
    if (vault_app_exposed(cli->vault, head, app, &exposed_at, &exposed, error) < 0 ||
        store_entry_newest(cli->vault->store, entry_type_name(ENTRY_SEAL), secret, &sealed, &found,
                           error) < 0)
        return -1;
    if (exposed && found && sealed < exposed_at)
        say("warning: the secret of '%s' is exposed: reset it at the provider, then: p11vault app "
            "set-secret %s",
            app, app);
    return 0;
}

/* When that card is lost, everything is. */
static int warn_of_app(void *context, const struct store_app *row, struct error *error)
{
    struct cli *cli = context;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_app struct vault_app app = {0};
    struct error ignored;
    if (vault_signed_head(cli->vault, &head, error) < 0)
        return -1;
    if (vault_app_find(cli->vault, &head, row->app, &app, &ignored) < 0)
        return 0; /* `doctor` and `audit verify` say what is wrong with it */
    if (warn_of_secret(cli, &head, row->app, error) < 0)
        return -1;
    if (json_array_size(json_object_get(app.key_entry, "cards")) == 1)
        say("warning: one card opens '%s'; add a recovery card: p11vault card enroll, then "
            "p11vault app reseal %s",
            row->app, row->app);
    return 0;
}

int warn_of_apps(struct cli *cli, struct error *error)
{
    return store_app_each(cli->vault->store, warn_of_app, cli, error) != 0 ? -1 : 0;
}
