/*
 * config.c: which files are read, what holds when they say nothing, and the questions asked of the result.
 */
#include "p11vault/config/config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

#define SYSTEM_FILE SYSCONFDIR "/p11vault/p11vault.conf"

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->module_count; i++) {
        struct config_module *module = &config->modules[i];
        free(module->name);
        free(module->path);
        free(module->pin_source);
        free(module->pinentry);
        free(module->writable);
        for (size_t j = 0; j < module->env_count; j++)
            free(module->env[j]);
    }
    for (size_t i = 0; i < config->origin_count; i++) {
        free(config->origins[i].origin);
        free(config->origins[i].ca);
    }
    free(config->vault_dir);
    free(config->trust);
    free(config->anchor);
    free(config->default_module);
    free(config->tls_ca);
    free(config->log_journal);
    free(config->log_syslog);
    free(config->user_file);
    free(config->notify_sendmail);
    free(config->notify_from);
    free(config->notify_to);
    free(config->notify_hook);
    const struct config_provider *families[] = {&config->meta, &config->instagram,
                                                &config->threads};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        free(families[i]->api_version);
        free(families[i]->dialog);
    }
    free(config);
}

struct config *config_new(void)
{
    auto_of(config_free) struct config *config = calloc(1, sizeof(*config));
    if (config == NULL)
        return NULL;
    config->exchange_deadline_s = 60;
    config->connect_deadline_s = 10;
    config->login_port = 8714;
    return TAKE(config);
}

/* Joins two parts of a path; the caller frees it. */
static int join(const char *directory, const char *rest, char **ret_path, struct error *error)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, rest) < 0)
        return error_memory(error);
    *ret_path = path;
    return 0;
}

/* The argument of --config as an absolute path: what is derived from it must not move with the directory. */
static int absolute_file(const char *file, char **ret_path, struct error *error)
{
    if (file[0] == '\0')
        return error_set(error, CODE_USAGE, "the name of the configuration file is empty");
    auto_free char *here = file[0] == '/' ? strdup("") : getcwd(NULL, 0);
    if (here == NULL)
        return error_errno(error, CODE_CONFIG, "find the current directory");
    return join(here, file + (file[0] == '/'), ret_path, error);
}

/* Where the user's configuration is or would be. */
static int user_file(char **ret_path, struct error *error)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *variable = "XDG_CONFIG_HOME";
    const char *rest = "p11vault/config";
    if (base == NULL || base[0] == '\0') {
        variable = "HOME";
        base = getenv(variable);
        rest = ".config/p11vault/config";
    }
    if (base == NULL || base[0] == '\0') {
        error_set(error, CODE_CONFIG, "neither XDG_CONFIG_HOME nor HOME says where to look");
        return error_hint(error, "p11vault --config FILE");
    }
    if (base[0] != '/')
        return error_set(error, CODE_CONFIG, "%s is not an absolute path", variable);
    return join(base, rest, ret_path, error);
}

static int default_trust(struct config *config, struct error *error)
{
    const char *slash = strrchr(config->user_file, '/');
    if (asprintf(&config->trust, "%.*s/trust", (int)(slash - config->user_file),
                 config->user_file) < 0) {
        config->trust = NULL;
        return error_memory(error);
    }
    return 0;
}

int config_finish(const struct config_loading *loading, struct error *error)
{
    const struct config *config = loading->config;
    bool default_found = config->default_module == NULL;
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *module = &config->modules[i];
        if (module->path == NULL)
            return error_set(error, CODE_CONFIG, "%.512s:%d: module '%s' has no path",
                             loading->modules[i].file, loading->modules[i].line, module->name);
        if (!default_found)
            default_found = strcmp(module->name, config->default_module) == 0;
    }
    if (!default_found)
        return error_set(error, CODE_CONFIG, "%.512s:%d: there is no section [module %s]",
                         loading->default_module.file, loading->default_module.line,
                         config->default_module);
    for (size_t i = 0; i < config->origin_count; i++) {
        if (config->origins[i].ca == NULL)
            return error_set(error, CODE_CONFIG, "%.512s:%d: this origin has no ca",
                             loading->origins[i].file, loading->origins[i].line);
    }
    return 0;
}

int config_load(const char *extra_file, struct config **ret_config, struct error *error)
{
    auto_of(config_free) struct config *config = config_new();
    if (config == NULL)
        return error_memory(error);
    int found = extra_file != NULL ? absolute_file(extra_file, &config->user_file, error)
                                   : user_file(&config->user_file, error);
    if (found < 0)
        return -1;
    struct config_loading loading = {.config = config};
    if (config_read_file(&loading, SYSTEM_FILE, false, error) < 0 ||
        config_read_file(&loading, config->user_file, extra_file != NULL, error) < 0 ||
        config_finish(&loading, error) < 0)
        return error_prefix(error, "configuration");
    if (config->trust == NULL && default_trust(config, error) < 0)
        return -1;
    *ret_config = TAKE(config);
    return 0;
}

/* The names there are, "a, b, c"; they are bounded in size and number, so they always fit. */
static void list_modules(const struct config *config, char *ret_names, size_t room)
{
    size_t used = 0;
    ret_names[0] = '\0';
    for (size_t i = 0; i < config->module_count && used < room; i++)
        used += (size_t)snprintf(ret_names + used, room - used, "%s%s", i == 0 ? "" : ", ",
                                 config->modules[i].name);
}

static int hint_module(const struct config *config, const char *name, struct error *error)
{
    return error_hint(
        error, "add to %.200s the line [module %.64s] and below it path = /PATH/TO/MODULE.so",
        config->user_file, name);
}

int config_find_module(const struct config *config, const char *name,
                       const struct config_module **ret_module, struct error *error)
{
    char names[ERROR_TEXT_MAX];
    list_modules(config, names, sizeof(names));
    if (name == NULL)
        name = config->default_module;
    if (config->module_count == 0) {
        if (name != NULL)
            error_set(error, CODE_CONFIG, "no module '%.64s': none is configured", name);
        else
            error_set(error, CODE_CONFIG, "no PKCS#11 module is configured");
        return hint_module(config, name != NULL ? name : "opensc", error);
    }
    if (name == NULL && config->module_count > 1) {
        error_set(error, CODE_CONFIG, "which module? There are: %s", names);
        return error_hint(error, "--module NAME, or module = NAME below [vault] in %.200s",
                          config->user_file);
    }
    for (size_t i = 0; i < config->module_count; i++) {
        if (name == NULL || strcmp(config->modules[i].name, name) == 0) {
            *ret_module = &config->modules[i];
            return 0;
        }
    }
    error_set(error, CODE_CONFIG, "no module '%.64s' is configured; there are: %s", name, names);
    return hint_module(config, name, error);
}

size_t config_missing_files(const struct config_module *module,
                            const char *ret_missing[CONFIG_ENV_MAX])
{
    size_t count = 0, size = module->writable ? strlen(module->writable) : 0;
    for (size_t i = 0; i < module->env_count; i++) {
        const char *path = strchr(module->env[i], '=') + 1;
        bool is_own = size > 0 && strncmp(path, module->writable, size) == 0 && path[size] == '/';
        if (*path == '/' && !is_own && access(path, F_OK) < 0)
            ret_missing[count++] = module->env[i];
    }
    return count;
}

const char *config_ca(const struct config *config, const char *origin)
{
    for (size_t i = 0; i < config->origin_count; i++) {
        if (strcmp(config->origins[i].origin, origin) == 0)
            return config->origins[i].ca;
    }
    return config->tls_ca == NULL ? "" : config->tls_ca;
}

const struct config_provider *config_provider(const struct config *config, const char *name)
{
    if (strcmp(name, "meta") == 0)
        return &config->meta;
    if (strcmp(name, "instagram") == 0)
        return &config->instagram;
    return strcmp(name, "threads") == 0 ? &config->threads : NULL;
}
