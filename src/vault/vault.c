/*
 * Opening and making a vault: its directory, store and trust file.
 */
#include "p11vault/vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "known.h"
#include "p11vault/base/digest.h"
#include "p11vault/vault/log.h"

#ifndef VERSION
#define VERSION "0"
#endif

static int join(const char *directory, const char *name, char **ret_path, struct error *error)
{
    if (asprintf(ret_path, "%s/%s", directory, name) < 0)
        return error_memory(error);
    return 0;
}

int vault_find_directory(const struct config *config, const char *option, char **ret_directory,
                         struct error *error)
{
    const char *given = option;
    if (!given || !*given)
        given = getenv("P11VAULT_DIR");
    if (!given || !*given)
        given = config->vault_dir;
    if (given && *given) {
        auto_free char *whole = realpath(given, NULL);
        *ret_directory = strdup(whole ? whole : given);
        return *ret_directory ? 0 : error_memory(error);
    }
    if (geteuid() == 0)
        return join("/var/lib", "p11vault", ret_directory, error);
    const char *data = getenv("XDG_DATA_HOME");
    if (data && *data == '/')
        return join(data, "p11vault", ret_directory, error);
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return join(home, ".local/share/p11vault", ret_directory, error);
    error_set(error, CODE_CONFIG, "there is no home directory to look for a vault in");
    return error_hint(error, "name the vault: p11vault --vault DIR …");
}

static int check_directory(const char *path, struct error *error)
{
    auto_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        error_errno(error, CODE_CONFIG, "vault '%s'", path);
        return error_hint(error, "make one: p11vault init");
    }
    if (directory_check(directory, FILE_PRIVATE, path, error) < 0)
        return error_prefix(error, "vault");
    return 0;
}

/* Entries go on once they are durable, and not when they never were; what was read of those is forgotten. */
static void ended(void *context, bool is_committed)
{
    struct vault *vault = context;
    if (is_committed) {
        forward_send(vault->forward);
        return;
    }
    forward_drop(vault->forward);
    vault_known_free(TAKE(vault->known));
}

static int begin_forwarding(struct vault *vault, struct error *error)
{
    if (forward_new(vault->config, vault->directory, store_vault_id(vault->store), &vault->forward,
                    error) < 0)
        return -1;
    store_on_end(vault->store, ended, vault);
    return 0;
}

static int new_vault(const struct config *config, const char *directory, struct vault **ret_vault,
                     struct error *error)
{
    auto_of(vault_free) struct vault *vault = calloc(1, sizeof(*vault));
    if (!vault)
        return error_memory(error);
    vault->config = config;
    vault->directory = strdup(directory);
    if (!vault->directory)
        return error_memory(error);
    *ret_vault = TAKE(vault);
    return 0;
}

static int write_first_entry(struct vault *vault, struct error *error)
{
    const char *id = store_vault_id(vault->store);
    auto_json json_t *members = json_pack("{s:s, s:s}", "vault", id, "version", VERSION);
    auto_change struct store *change = vault->store;
    uint64_t index;
    if (store_begin(change, error) < 0 ||
        vault_append(vault, ENTRY_VAULT, id, TAKE(members), &index, error) < 0)
        return -1;
    return store_commit(change, error);
}

int vault_create(const struct config *config, const char *directory, struct vault **ret_vault,
                 struct error *error)
{
    auto_of(vault_free) struct vault *vault = NULL;
    uint8_t bytes[16];
    char id[VAULT_ID_SIZE];
    if (directory_make(directory, error) < 0 || check_directory(directory, error) < 0 ||
        random_bytes(bytes, sizeof(bytes), error) < 0)
        return -1;
    hex_encode(bytes, sizeof(bytes), id);
    if (new_vault(config, directory, &vault, error) < 0 ||
        store_create(directory, id, &vault->store, error) < 0 ||
        checkpoint_origin(id, vault->origin, error) < 0 || begin_forwarding(vault, error) < 0 ||
        write_first_entry(vault, error) < 0)
        return -1;
    *ret_vault = TAKE(vault);
    return 0;
}

int vault_open(const struct config *config, const char *directory, bool read_only,
               struct vault **ret_vault, struct error *error)
{
    auto_of(vault_free) struct vault *vault = NULL;
    if (!read_only && check_directory(directory, error) < 0)
        return -1;
    if (new_vault(config, directory, &vault, error) < 0)
        return -1;
    vault->read_only = read_only;
    if (store_open(directory, read_only, &vault->store, error) < 0 ||
        checkpoint_origin(store_vault_id(vault->store), vault->origin, error) < 0 ||
        vault_trust_read(vault, error) < 0 || begin_forwarding(vault, error) < 0)
        return -1;
    *ret_vault = TAKE(vault);
    return 0;
}

void vault_free(struct vault *vault)
{
    if (!vault)
        return;
    vault_known_free(vault->known);
    store_free(vault->store);
    forward_free(vault->forward);
    free(vault->directory);
    free(vault);
}

int vault_new_use(char ret_use[USE_SIZE], struct error *error)
{
    uint8_t bytes[16];
    if (random_bytes(bytes, sizeof(bytes), error) < 0)
        return -1;
    hex_encode(bytes, sizeof(bytes), ret_use);
    return 0;
}
