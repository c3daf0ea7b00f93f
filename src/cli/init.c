/*
 * `init`: a vault, and with --soft a SoftHSM card for it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/ipc/room.h"

static const char *const softhsm_places[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
};

static int find_softhsm(const char **ret_path, struct error *error)
{
    for (size_t i = 0; i < sizeof(softhsm_places) / sizeof(softhsm_places[0]); i++)
        if (access(softhsm_places[i], R_OK) == 0) {
            *ret_path = softhsm_places[i];
            return 0;
        }
    error_set(error, CODE_CONFIG, "SoftHSM is not installed");
    return error_hint(error, "apt-get install softhsm2");
}

/* VAULT/soft with SoftHSM's own configuration. */
static int make_soft_directory(const char *vault, char ret_soft[PATH_MAX], struct error *error)
{
    char tokens[PATH_MAX], path[PATH_MAX];
    auto_buffer struct buffer text = BUFFER_UP_TO(PATH_MAX + 512);
    if (snprintf(ret_soft, PATH_MAX, "%s/soft", vault) >= PATH_MAX - 32)
        return error_set(error, CODE_CONFIG, "'%s': the path is too long", vault);
    (void)snprintf(tokens, sizeof(tokens), "%.*s/tokens", PATH_MAX - 16, ret_soft);
    (void)snprintf(path, sizeof(path), "%.*s/softhsm2.conf", PATH_MAX - 16, ret_soft);
    if (directory_make(tokens, error) < 0 || buffer_put_format(&text, error,
                                                               "directories.tokendir = %s\n"
                                                               "objectstore.backend = file\n"
                                                               "log.level = ERROR\n"
                                                               "slots.removable = false\n"
                                                               "slots.mechanisms = ALL\n"
                                                               "library.reset_on_fork = false\n",
                                                               tokens) < 0)
        return -1;
    return buffer_write_file(path, text.data, text.size, 0600, error);
}

/* Its profile, at the end of the configuration; what the person wrote there stays as it is. */
static int write_profile(const char *file, const char *module, const char *soft,
                         struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(1 << 20);
    if (access(file, F_OK) == 0 && buffer_read_file(file, 1 << 20, FILE_TRUSTED, &text, error) < 0)
        return -1;
    if ((text.size > 0 && text.data[text.size - 1] != '\n' &&
         buffer_put_text(&text, "\n", error) < 0) ||
        buffer_put_format(&text, error,
                          "%s[module soft]\n"
                          "path = %s\n"
                          "pin-source = %s/pin\n"
                          "writable = %s\n"
                          "env.SOFTHSM2_CONF = %s/softhsm2.conf\n",
                          text.size ? "\n" : "", module, soft, soft, soft) < 0)
        return -1;
    return buffer_write_file(file, text.data, text.size, 0600, error);
}

static int make_parents(const char *file, struct error *error)
{
    const char *slash = strrchr(file, '/');
    auto_free char *directory =
        slash && slash > file ? strndup(file, (size_t)(slash - file)) : NULL;
    return directory ? directory_make(directory, error) : 0;
}

static const char *config_file(const struct cli *cli)
{
    return cli->arguments.config ? cli->arguments.config : cli->config->user_file;
}

/* Before there is a vault: one without its card could not be begun anew. */
static int check_soft(const struct cli *cli, struct error *error)
{
    const char *softhsm;
    char store[PATH_MAX];
    if (snprintf(store, sizeof(store), "%s/" STORE_FILE, cli->directory) < (int)sizeof(store) &&
        access(store, F_OK) == 0)
        return 0; /* there is one already, and that is what is said */
    for (size_t i = 0; i < cli->config->module_count; i++)
        if (strcmp(cli->config->modules[i].name, "soft") == 0) {
            error_set(error, CODE_CONFIG, "'%s' has a [module soft] already", config_file(cli));
            return error_hint(error, "remove that section, or use another --config FILE");
        }
    return find_softhsm(&softhsm, error);
}

static int make_soft_card(struct cli *cli, const char *directory, struct error *error)
{
    const char *softhsm;
    const struct config_module *module;
    char soft[PATH_MAX];
    const char *file = config_file(cli);
    auto_of(config_free) struct config *config = NULL;
    if (find_softhsm(&softhsm, error) < 0 || make_soft_directory(directory, soft, error) < 0 ||
        make_parents(file, error) < 0 || write_profile(file, softhsm, soft, error) < 0 ||
        config_load(cli->arguments.config, &config, error) < 0 ||
        config_find_module(config, "soft", &module, error) < 0 ||
        front_format_card(module, soft, "vault", error) < 0)
        return error_prefix(error, "make a SoftHSM card");
    say("SoftHSM card: %s (configured in %s)", soft, file);
    say("card and PIN lie in one directory: this protects nothing at rest");
    return 0;
}

/* Without a module there is nothing to list: its section comes first. */
static void say_next(const struct cli *cli)
{
    struct error none;
    const struct config_module *module;
    if (cli->arguments.soft)
        say("next: p11vault card enroll");
    else if (cli->config->module_count > 0)
        say("next: p11vault card list");
    else if (config_find_module(cli->config, NULL, &module, &none) < 0)
        say("next: %s; then: p11vault card list", none.hint);
}

int cli_init(struct cli *cli, struct error *error)
{
    auto_free char *whole = NULL;
    if (cli->arguments.soft && check_soft(cli, error) < 0)
        return error_prefix(error, "make a SoftHSM card");
    if (room_check_closed(PARTY_CARD, error) < 0 || room_check_closed(PARTY_EXCHANGE, error) < 0)
        return -1;
    if (vault_create(cli->config, cli->directory, &cli->vault, error) < 0)
        return -1;
    whole = realpath(cli->directory, NULL);
    if (!whole)
        return error_errno(error, CODE_CONFIG, "'%s'", cli->directory);
    say("vault: %s", whole);
    if (cli->arguments.soft && make_soft_card(cli, whole, error) < 0)
        return -1;
    say_next(cli);
    return 0;
}
