/*
 * `backup` and `restore`: the whole vault as one file, still sealed.
 */
#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "p11vault/vault/log.h"
#include "p11vault/vault/verify.h"

int cli_backup(struct cli *cli, struct error *error)
{
    const char *file = cli->arguments.positional[0];
    if (store_copy(cli->vault->store, file, error) < 0)
        return error_prefix(error, "backup");
    say("%s: the vault as it is now, sealed; opening it takes one of its cards", file);
    say("keep the trust file with it: %s", cli->config->trust);
    return 0;
}

/* It is looked at whole before anything is put in place: with the trust file, or without one for its form alone. */
static int check(struct cli *cli, const char *file, struct verify_report *ret_report,
                 struct error *error)
{
    auto_of(vault_free) struct vault *backup = NULL;
    if (vault_open(cli->config, file, true, &backup, error) < 0)
        return -1;
    if (backup->trust.count == 0) {
        error_set(error, CODE_CONFIG, "the trust file has no key of this vault");
        return error_hint(error, "put its line back into %s", cli->config->trust);
    }
    return cli->arguments.lost_head ? vault_verify_older(backup, ret_report, error)
                                    : vault_verify(backup, ret_report, error);
}

static int put_in_place(struct cli *cli, const char *file, struct error *error)
{
    auto_of(store_free) struct store *backup = NULL;
    auto_free char *path = NULL;
    if (directory_make(cli->directory, error) < 0)
        return -1;
    if (asprintf(&path, "%s/" STORE_FILE, cli->directory) < 0)
        return error_memory(error);
    if (access(path, F_OK) == 0) {
        error_set(error, CODE_LOG, "there is a vault already: %s", cli->directory);
        return error_hint(error, "restore into another place: --vault DIR");
    }
    if (store_open(file, true, &backup, error) < 0)
        return -1;
    return store_copy(backup, path, error);
}

/* An older copy than a head that was seen: the card signs for that, or nothing goes on from it. */
static int go_on(struct cli *cli, struct error *error)
{
    cli->front.vault = cli->vault;
    if (config_find_module(cli->config, cli->arguments.module, &cli->front.module, error) == 0 &&
        accept_run(cli, error) == 0)
        return 0;
    if (error->code == CODE_USAGE) {
        say("p11vault: note: %s", error->text);
        return 0;
    }
    say("the copy is in place, and is refused until a card has signed for it: p11vault audit "
        "accept");
    return -1;
}

int cli_restore(struct cli *cli, struct error *error)
{
    const char *file = cli->arguments.positional[0];
    bool lost_head = cli->arguments.lost_head;
    struct verify_report report;
    if ((lost_head && accept_ask(cli, "restore FILE --lost-head", error) < 0) ||
        check(cli, file, &report, error) < 0 || put_in_place(cli, file, error) < 0 ||
        vault_open(cli->config, cli->directory, false, &cli->vault, error) < 0)
        return error_prefix(error, "restore");
    say("vault: %s, %llu entries verified", cli->directory, (unsigned long long)report.entries);
    if (lost_head)
        return go_on(cli, error) < 0 ? error_prefix(error, "restore") : 0;
    say("what was done after the backup is not in it; grants that were renewed since are "
        "old here: p11vault refresh --all");
    return 0;
}
