/*
 * fuzz_config.c: any bytes as a configuration file.  What is accepted must keep the promises of config.h.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/config/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_path(const char *path)
{
    must(path == NULL || path[0] == '/');
}

static void check(const struct config *config)
{
    const struct config_module *module = NULL;
    struct error error = {0};
    must_be_path(config->vault_dir);
    must_be_path(config->trust);
    must_be_path(config->tls_ca);
    must(config->exchange_deadline_s >= 1 && config->exchange_deadline_s <= 3600);
    must(config->connect_deadline_s >= 1 && config->connect_deadline_s <= 3600);
    if (config->default_module != NULL)
        must(config_find_module(config, NULL, &module, &error) == 0);
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *at = &config->modules[i];
        must(config_find_module(config, at->name, &module, &error) == 0 && module == at);
        must(at->path != NULL && at->env[at->env_count] == NULL);
        must_be_path(at->path);
        must_be_path(at->pin_source);
        for (size_t j = 0; j < at->env_count; j++)
            must(strchr(at->env[j], '=') != NULL && strncmp(at->env[j], "LD_", 3) != 0);
    }
    for (size_t i = 0; i < config->origin_count; i++) {
        must(strncmp(config->origins[i].origin, "https://", 8) == 0);
        must_be_path(config_ca(config, config->origins[i].origin));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_of(config_free) struct config *config = config_new();
    must(config != NULL);
    struct config_loading loading = {.config = config};
    struct error error = {0};
    if (config_read_text(&loading, "fuzz", (const char *)data, size, &error) == 0 &&
        config_finish(&loading, &error) == 0)
        check(config);
    else
        must(error.code == CODE_CONFIG && strncmp(error.text, "fuzz:", 5) == 0);
    return 0;
}
