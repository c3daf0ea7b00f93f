/*
 * `backup` and `restore`: the whole vault as one file, still sealed.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
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
    return vault_verify(backup, ret_report, error);
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

int cli_restore(struct cli *cli, struct error *error)
{
    const char *file = cli->arguments.positional[0];
    struct verify_report report;
    auto_of(vault_free) struct vault *vault = NULL;
    if (check(cli, file, &report, error) < 0 || put_in_place(cli, file, error) < 0 ||
        vault_open(cli->config, cli->directory, false, &vault, error) < 0)
        return error_prefix(error, "restore");
    say("vault: %s, %llu entries verified", cli->directory, (unsigned long long)report.entries);
    say("what was done after the backup is not in it; grants that were renewed since are "
        "old here: p11vault refresh --all");
    return 0;
}
