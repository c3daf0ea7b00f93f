/*
 * Cards: what there is, which are trusted, and which no more.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct listing {
    const struct config_module *module;
    bool json;
    json_t *list;
    size_t count;
};

/* A module that does not find its own configuration goes on without, and says nothing. */
static void tell_missing_files(const struct config_module *module)
{
    const char *missing[CONFIG_ENV_MAX];
    size_t count = config_missing_files(module, missing);
    for (size_t i = 0; i < count; i++)
        say("p11vault: note: module '%s': env.%s: no such file (p11vault doctor)", module->name,
            missing[i]);
}

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

/* Each failure is said once, with its hint: the gravest by our caller, the others here. */
static void keep_gravest(bool is_first, const struct error *failure, struct error *error)
{
    bool is_graver = is_first || failure->code > error->code;
    if (!is_first)
        say_error(is_graver ? error : failure);
    if (is_graver)
        *error = *failure;
}

/* One module that fails hides neither the cards of the others nor their failures. */
static int list_all(struct cli *cli, struct listing *listing, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < cli->config->module_count; i++) {
        struct error failure;
        const struct config_module *module = &cli->config->modules[i];
        if (cli->arguments.module && strcmp(cli->arguments.module, module->name) != 0)
            continue;
        listing->module = module;
        tell_missing_files(module);
        if (front_list_cards(module, print_card, listing, &failure) < 0) {
            error_prefix(&failure, "module '%s'", module->name);
            keep_gravest(result == 0, &failure, error);
            result = -1;
        }
    }
    return result;
}

/* What this vault trusts, wherever it is now. */
static int list_trusted(struct cli *cli, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_cards struct vault_cards cards = {0};
    auto_json json_t *list = json_array();
    if (!list)
        return error_memory(error);
    if (vault_open(cli->config, cli->directory, true, &cli->vault, error) < 0 ||
        vault_signed_head(cli->vault, &head, error) < 0 ||
        vault_cards_find(cli->vault, &head, &cards, error) < 0)
        return -1;
    for (size_t i = 0; i < cards.count; i++) {
        const json_t *card = cards.cards[i].entry;
        const char *serial = json_text(card, "card"), *label = json_text(card, "label");
        const char *model = json_text(card, "model"), *alg = json_text(card, "alg");
        const char *time = json_text(card, "time");
        if (!cli->arguments.json)
            printf("%s  %s  %s  %s  since %s\n", serial, label, model, alg, time);
        else if (json_array_append_new(list,
                                       json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "serial", serial,
                                                 "label", label, "model", model, "alg", alg,
                                                 "since", time, "kid", json_text(card, "kid"))) < 0)
            return error_memory(error);
    }
    return cli->arguments.json ? print_json(json_incref(list), error) : 0;
}

int cli_card_list(struct cli *cli, struct error *error)
{
    const struct config_module *module;
    struct listing listing = {.json = cli->arguments.json, .list = json_array()};
    auto_json json_t *list = listing.list;
    if (!list)
        return error_memory(error);
    if (cli->arguments.trusted)
        return list_trusted(cli, error);
    /* A name that is not there, or no module at all, is an error of its own. */
    if ((cli->arguments.module || cli->config->module_count == 0) &&
        config_find_module(cli->config, cli->arguments.module, &module, error) < 0)
        return -1;
    int result = list_all(cli, &listing, error);
    if (listing.json && print_json(json_incref(list), error) < 0)
        return -1;
    if (result == 0 && listing.count == 0 && !listing.json)
        say("no card found");
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
    char question[256], command[256];
    (void)snprintf(question, sizeof(question), "stop trusting card %.128s?", serial);
    (void)snprintf(command, sizeof(command), "card remove %.128s%s", serial,
                   cli->arguments.lost ? " --lost" : "");
    if (agree(cli, question, "nothing was changed", command, error) < 0)
        return error_prefix(error, "card remove %s", serial);
    if (front_remove_card(&cli->front, serial, cli->arguments.lost, tell_resealed, cli, error) < 0)
        return error_prefix(error, "card remove %s", serial);
    say("card %s: removed; whoever has it and an older copy of the store can open that copy",
        serial);
    say("its signature no longer counts here; tell your auditors and other machines: p11vault "
        "audit "
        "key");
    if (cli->arguments.lost)
        say("what it could open is exposed until it is renewed: p11vault status");
    return 0;
}

/* ---- trusting ---- */

/* What the card says goes to a terminal. */
static void describe(const json_t *card, char *ret_text, size_t room)
{
    (void)snprintf(ret_text, room, "%s %s", json_text(card, "label"), json_text(card, "card"));
    error_clean(ret_text);
}

static int agree_to(const struct cli *cli, const char *card, const char *fingerprint,
                    struct error *error)
{
    char question[512], command[PATH_MAX + 32];
    (void)snprintf(question, sizeof(question),
                   "%s: did its owner read you %s, by another way than this file?", card,
                   fingerprint);
    (void)snprintf(command, sizeof(command), "card enroll --from %s", cli->arguments.from);
    return agree(cli, question, "nothing was changed", command, error);
}

static int enroll_from(struct cli *cli, struct error *error)
{
    __attribute__((cleanup(front_export_clear))) struct front_export export = {0};
    char card[256];
    if (cli->arguments.count > 0 || cli->arguments.key || cli->arguments.sign)
        return error_set(error, CODE_USAGE,
                         "--from takes no URI, --key or --sign: its file names the card");
    if (front_read_export(cli->arguments.from, &export, error) < 0)
        return -1;
    describe(export.card, card, sizeof(card));
    if (agree_to(cli, card, export.fingerprint, error) < 0 ||
        front_enroll_export(&cli->front, &export, error) < 0)
        return -1;
    say("trusted: %s, fingerprint %s", card, export.fingerprint);
    say("not proved here by a round trip: the card says that it unwraps, and has yet to do it");
    say_hint("p11vault app reseal APP, for each app that it is to open; the machine that has the "
             "card needs the trust file of this one");
    return 0;
}

static struct front_keys keys_of(const struct arguments *arguments)
{
    return (struct front_keys){.uri = arguments->count ? arguments->positional[0] : "pkcs11:",
                               .sign = arguments->sign ? arguments->sign : "",
                               .kind = arguments->key ? arguments->key : ""};
}

static int enroll(struct cli *cli, struct error *error)
{
    struct front_enrolled enrolled;
    const struct front_keys keys = keys_of(&cli->arguments);
    if (cli->arguments.card)
        return error_set(error, CODE_USAGE, "name the card by its URI, not by --card");
    if (front_enroll(&cli->front, &keys, &enrolled, error) < 0)
        return -1;
    say("proved %s; signing key on the card", enrolled.alg);
    if (strcmp(enrolled.alg, "RSA-OAEP") == 0)
        say("this card can do OAEP with SHA-1 only: recorded");
    if (enrolled.again) {
        say("card %s was trusted already: nothing has changed", enrolled.serial);
        say_hint("for a recovery card put another one in, then: p11vault card enroll");
        return 0;
    }
    say("trusted: %s  (keep a copy: p11vault audit key)", enrolled.fingerprint);
    return 0;
}

int cli_card_enroll(struct cli *cli, struct error *error)
{
    int result = cli->arguments.from ? enroll_from(cli, error) : enroll(cli, error);
    return result < 0 ? error_prefix(error, "enrol a card") : 0;
}

int cli_card_export(struct cli *cli, struct error *error)
{
    auto_free char *text = NULL;
    char fingerprint[NOTE_FINGERPRINT_SIZE];
    const struct front_keys keys = keys_of(&cli->arguments);
    if (front_export_card(&cli->front, &keys, &text, fingerprint, error) < 0)
        return error_prefix(error, "export a card");
    printf("%s\n", text);
    say("fingerprint: %s", fingerprint);
    say("read it to whoever enrols this card, by another way than the file: p11vault card enroll "
        "--from FILE");
    return 0;
}
