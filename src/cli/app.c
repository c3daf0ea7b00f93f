/*
 * Apps: adding one, its secret, its key, and what is known of it.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/http/origin.h"
#include "p11vault/oauth/provider.h"

static int check_app_arguments(const struct arguments *arguments,
                               const struct provider **ret_provider, struct error *error)
{
    const char *name = arguments->provider ? arguments->provider : "meta";
    const struct provider *provider = provider_find(name);
    if (!provider) {
        error_set(error, CODE_USAGE, "there is no provider '%.64s'", name);
        return error_hint(error, "providers: %s", provider_names());
    }
    if (!arguments->id) {
        error_set(error, CODE_USAGE, "the app id at the provider is missing");
        return error_hint(error, "p11vault app add %s --id APP_ID", arguments->positional[0]);
    }
    if (!provider->client_id_valid(arguments->id))
        return error_set(error, CODE_USAGE, "'%.64s' cannot be an app id of %s", arguments->id,
                         provider->name);
    *ret_provider = provider;
    return 0;
}

/* A code goes where the calls go, unless the provider or the person says otherwise. */
static int find_origins(const struct arguments *arguments, const struct provider *provider,
                        struct origin *ret_origin, struct origin *ret_code_origin,
                        struct error *error)
{
    const char *origin = arguments->origin ? arguments->origin : provider->default_origin;
    const char *code_origin = arguments->code_origin                        ? arguments->code_origin
                              : !arguments->origin && provider->code_origin ? provider->code_origin
                                                                            : origin;
    if (origin_parse(origin, ret_origin, error) < 0)
        return -1;
    return origin_parse(code_origin, ret_code_origin, error);
}

int cli_app_add(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    const struct provider *provider;
    struct origin origin, code_origin;
    size_t cards;
    if (check_app_arguments(arguments, &provider, error) < 0 ||
        find_origins(arguments, provider, &origin, &code_origin, error) < 0)
        return -1;
    const struct front_new_app what = {.app = arguments->positional[0],
                                       .provider = provider->name,
                                       .client_id = arguments->id,
                                       .origin = origin.text,
                                       .code_origin = code_origin.text,
                                       .secret_file = arguments->secret_file};
    if (front_add_app(&cli->front, &what, &cards, error) < 0)
        return error_prefix(error, "app add %s", what.app);
    say("%s: secret sealed, may be sent to %s only", what.app, origin.text);
    if (cards == 1)
        say_hint("one card opens '%s'; put another one in as a recovery card, then: p11vault card "
                 "enroll, p11vault app reseal %s",
                 what.app, what.app);
    return 0;
}

static void tell_rekeyed(void *context, size_t done, size_t count)
{
    struct progress *progress = context;
    progress->count = count;
    progress->done = done;
    progress_draw(progress);
}

int cli_app_rekey(struct cli *cli, struct error *error)
{
    const char *app = cli->arguments.positional[0];
    struct progress progress = {0};
    int result = front_rekey(&cli->front, app, tell_rekeyed, &progress, error);
    progress_clear(&progress);
    if (result < 0)
        return error_prefix(error, "app rekey %s", app);
    say("%s: a new key, %zu records sealed anew to it; copies of the store from before open as "
        "they did",
        app, progress.count);
    return 0;
}

int cli_app_reseal(struct cli *cli, struct error *error)
{
    const char *app = cli->arguments.positional[0];
    size_t cards;
    if (front_reseal(&cli->front, app, &cards, error) < 0)
        return error_prefix(error, "app reseal %s", app);
    say("%s: sealed anew, %zu card%s can open it", app, cards, cards == 1 ? "" : "s");
    return 0;
}

int cli_app_set_secret(struct cli *cli, struct error *error)
{
    const char *app = cli->arguments.positional[0];
    if (front_set_secret(&cli->front, app, cli->arguments.secret_file, error) < 0)
        return error_prefix(error, "app set-secret %s", app);
    say("%s: new secret sealed", app);
    return 0;
}

static int list_app(void *context, const struct store_app *app, struct error *error)
{
    json_t *list = context;
    json_t *item = json_pack("{s:s, s:s, s:s}", "app", app->app, "provider", app->provider, "id",
                             app->client_id);
    return json_array_append_new(list, item) < 0 ? error_memory(error) : 0;
}

int cli_app_list(struct cli *cli, struct error *error)
{
    auto_json json_t *list = json_array();
    const json_t *item;
    size_t index;
    if (!list)
        return error_memory(error);
    if (store_app_each(cli->vault->store, list_app, list, error) != 0)
        return -1;
    if (cli->arguments.json)
        return print_json(json_incref(list), error);
    json_array_foreach (list, index, item)
        printf("%s  %s  %s\n", json_text(item, "app"), json_text(item, "provider"),
               json_text(item, "id"));
    return 0;
}

/* The serials of the cards that open an app. */
static json_t *serials(const struct vault_cards *cards, const json_t *kids)
{
    json_t *list = json_array();
    const json_t *kid;
    size_t index;
    json_array_foreach (kids, index, kid)
        for (size_t i = 0; i < cards->count; i++)
            if (strcmp(json_text(cards->cards[i].entry, "kid"), json_string_value(kid)) == 0)
                json_array_append_new(list, json_string(json_text(cards->cards[i].entry, "card")));
    return list;
}

static void print_list(const char *what, const json_t *list)
{
    const json_t *item;
    size_t index;
    json_array_foreach (list, index, item)
        printf("%-9s %s\n", what, json_string_value(item));
}

int cli_app_show(struct cli *cli, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_app struct vault_app app = {0};
    auto_cards struct vault_cards cards = {0};
    struct vault *vault = cli->vault;
    const char *name = cli->arguments.positional[0];
    if (name_check_app(name, error) < 0 || vault_signed_head(vault, &head, error) < 0 ||
        vault_app_find(vault, &head, name, &app, error) < 0 ||
        vault_cards_find(vault, &head, &cards, error) < 0)
        return -1;
    auto_json json_t *openers = serials(&cards, json_object_get(app.key_entry, "cards"));
    const json_t *origins = json_object_get(app.app_entry, "origins");
    if (cli->arguments.json)
        return print_json(json_pack("{s:s, s:s, s:s, s:O, s:O, s:s}", "app", name, "provider",
                                    app.row.provider, "id", app.row.client_id, "origins", origins,
                                    "cards", openers, "key", vault_app_kid(&app)),
                          error);
    printf("%-9s %s\n%-9s %s\n%-9s %s\n", "app", name, "provider", app.row.provider, "id",
           app.row.client_id);
    print_list("origin", origins);
    print_list("card", openers);
    return 0;
}
