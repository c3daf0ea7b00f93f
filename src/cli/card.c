/*
 * Cards: what there is, which are trusted, and which no more.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct listing {
    const struct config_module *module;
    bool json;
    json_t *list;
    size_t count;
};

static int print_card(void *context, const struct front_card *card)
{
    struct listing *listing = context;
    listing->count++;
    if (listing->json)
        return json_array_append_new(
            listing->list,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "module", listing->module->name,
                      "serial", card->serial, "label", card->label, "model", card->model,
                      "manufacturer", card->manufacturer, "pin", card->pin, "can", card->can));
    printf("%s  %s  %s  %s  %s  %s\n", listing->module->name, card->serial, card->label,
           card->model, card->pin, *card->can ? card->can : "(does not say what it can do)");
    return 0;
}

/* One module that fails does not hide the cards of the others; the gravest failure is the result. */
static int list_all(struct cli *cli, struct listing *listing, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < cli->config->module_count; i++) {
        struct error failure;
        const struct config_module *module = &cli->config->modules[i];
        if (cli->arguments.module && strcmp(cli->arguments.module, module->name) != 0)
            continue;
        listing->module = module;
        if (front_list_cards(module, print_card, listing, &failure) < 0) {
            error_prefix(&failure, "module '%s'", module->name);
            if (result < 0)
                say("p11vault: error: %s", error->text);
            if (result == 0 || failure.code > error->code)
                *error = failure;
            result = -1;
        }
    }
    return result;
}

int cli_card_list(struct cli *cli, struct error *error)
{
    const struct config_module *module;
    struct listing listing = {.json = cli->arguments.json, .list = json_array()};
    auto_json json_t *list = listing.list;
    if (!list)
        return error_memory(error);
    /* A name that is not there, or no module at all, is an error of its own. */
    if ((cli->arguments.module || cli->config->module_count == 0) &&
        config_find_module(cli->config, cli->arguments.module, &module, error) < 0)
        return -1;
    int result = list_all(cli, &listing, error);
    if (listing.json && print_json(json_incref(list), error) < 0)
        return -1;
    if (result == 0 && listing.count == 0 && !listing.json)
        say("no card is there");
    return result;
}

/* ---- removing ---- */

static void tell_resealed(void *context, const char *app)
{
    (void)context;
    say("%s: sealed anew without that card", app);
}

int cli_card_remove(struct cli *cli, struct error *error)
{
    const char *serial = cli->arguments.positional[0];
    char question[256];
    (void)snprintf(question, sizeof(question), "trust card %.128s no more?", serial);
    if (!cli->arguments.yes && !confirm(question, false)) {
        error_set(error, CODE_USAGE, "card remove %s: nothing was changed", serial);
        return error_hint(error, "p11vault card remove %s%s --yes", serial,
                          cli->arguments.lost ? " --lost" : "");
    }
    if (front_remove_card(&cli->front, serial, cli->arguments.lost, tell_resealed, cli, error) < 0)
        return error_prefix(error, "card remove %s", serial);
    say("card %s: removed; whoever has it and an older copy of the store can open that copy",
        serial);
    say("its signature counts no more here; tell your auditors and other machines: p11vault audit "
        "key");
    if (cli->arguments.lost)
        say("what it could open is exposed until it is renewed: p11vault status");
    return 0;
}

int cli_card_enroll(struct cli *cli, struct error *error)
{
    struct front_enrolled enrolled;
    const char *uri = cli->arguments.count ? cli->arguments.positional[0] : "pkcs11:";
    const char *key = cli->arguments.key ? cli->arguments.key : "";
    if (front_enroll(&cli->front, uri, key, &enrolled, error) < 0)
        return error_prefix(error, "enrol a card");
    say("proved %s; signing key on the card", enrolled.alg);
    if (strcmp(enrolled.alg, "RSA-OAEP") == 0)
        say("this card can do OAEP with SHA-1 only: recorded");
    say("trusted: %s  (keep a copy: p11vault audit key)", enrolled.fingerprint);
    return 0;
}
