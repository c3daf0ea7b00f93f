/*
 * config_keys.c: the sections and keys there are, in one table, and how each kind of value is checked.
 */
#include "internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/name.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct key {
    const char *kind; /* of the section */
    const char *name;
    int (*set)(struct config_reading *reading, const char *value, void *field);
    size_t offset; /* of the field in what the section sets */
};

static int set_text(struct config_reading *reading, const char *value, void *field)
{
    return config_put_text(reading, value, field);
}

static int set_path(struct config_reading *reading, const char *value, void *field)
{
    if (value[0] != '/')
        return config_refuse(reading, "a path must begin with '/'");
    return set_text(reading, value, field);
}

static int set_module_name(struct config_reading *reading, const char *value, void *field)
{
    if (!name_part_valid(value))
        return config_refuse(reading, "this cannot be the name of a module");
    reading->loading->default_module = reading->at;
    return set_text(reading, value, field);
}

/* 1 to 3600, without sign, blanks or zeros in front. */
static int set_seconds(struct config_reading *reading, const char *value, void *field)
{
    size_t digits = strspn(value, DIGITS);
    long seconds = digits <= 4 && value[digits] == '\0' ? strtol(value, NULL, 10) : 0;
    if (value[0] == '0' || seconds < 1 || seconds > 3600)
        return config_refuse(reading, "a deadline must be 1 to 3600 seconds, in digits alone");
    *(int *)field = (int)seconds;
    return 0;
}

/* Ports below need privileges that nothing here has a use for. */
static int set_port(struct config_reading *reading, const char *value, void *field)
{
    size_t digits = strspn(value, DIGITS);
    long port = digits <= 5 && value[digits] == '\0' ? strtol(value, NULL, 10) : 0;
    if (value[0] == '0' || port < CONFIG_PORT_MIN || port > 65535)
        return config_refuse(reading, "a port must be 1024 to 65535, in digits alone");
    *(unsigned *)field = (unsigned)port;
    return 0;
}

static int set_switch(struct config_reading *reading, const char *value, void *field)
{
    bool on = strcmp(value, "yes") == 0;
    if (!on && strcmp(value, "no") != 0)
        return config_refuse(reading, "a switch must be yes or no");
    *(bool *)field = on;
    return 0;
}

/* "v26.0": what stands in the path of every call. */
static int set_version(struct config_reading *reading, const char *value, void *field)
{
    size_t major = value[0] == 'v' ? strspn(value + 1, DIGITS) : 0;
    const char *rest = value + 1 + major;
    size_t minor = major > 0 && rest[0] == '.' ? strspn(rest + 1, DIGITS) : 0;
    if (major < 1 || major > 3 || minor < 1 || minor > 2 || rest[1 + minor] != '\0')
        return config_refuse(reading, "a version must look like v26.0");
    return set_text(reading, value, field);
}

/* Opened by a browser: a path or query of its own would get between the address and what is asked there. */
static int set_address(struct config_reading *reading, const char *value, void *field)
{
    static const char scheme[] = "https://";
    size_t size = strlen(scheme);
    if (strncmp(value, scheme, size) != 0 || value[size] == '\0' ||
        strspn(value + size, LETTERS DIGITS ".:-[]") != strlen(value + size))
        return config_refuse(reading, "this must be of the form https://HOST or https://HOST:PORT");
    return set_text(reading, value, field);
}

static int set_method(struct config_reading *reading, const char *value, void *field)
{
    bool get = strcmp(value, "get") == 0;
    if (!get && strcmp(value, "post") != 0)
        return config_refuse(reading, "this must be post or get");
    *(int *)field = get;
    return 0;
}

/* user@host, of letters that need no quoting in a header or an argument; *ret_size of them. */
static bool is_mailbox(const char *text, size_t *ret_size)
{
    size_t user = strspn(text, LETTERS DIGITS "._%+-");
    if (user == 0 || text[0] == '-' || text[user] != '@')
        return false;
    size_t host = strspn(text + user + 1, LETTERS DIGITS ".-");
    *ret_size = user + 1 + host;
    return host > 0 && text[user + 1] != '-' && text[user + 1] != '.';
}

static int set_mailbox(struct config_reading *reading, const char *value, void *field)
{
    size_t size;
    if (!is_mailbox(value, &size) || value[size] != '\0')
        return config_refuse(reading, "this must be an address of the form USER@HOST");
    return set_text(reading, value, field);
}

static int set_mailboxes(struct config_reading *reading, const char *value, void *field)
{
    size_t size;
    for (const char *at = value;; at += size + 1) {
        at += strspn(at, " ");
        if (!is_mailbox(at, &size) || (at[size] != ',' && at[size] != '\0'))
            return config_refuse(reading, "this must be USER@HOST, or several with commas");
        if (at[size] == '\0')
            return set_text(reading, value, field);
    }
}

/* clang-format off */
#define PROVIDER_KEYS(section, family)                                                             \
    {section, "api-version", set_version, offsetof(struct config, family.api_version)},            \
    {section, "dialog", set_address, offsetof(struct config, family.dialog)},                      \
    {section, "debug-token", set_method, offsetof(struct config, family.debug_token_get)},         \
    {section, "client-code", set_method, offsetof(struct config, family.client_code_get)},         \
    {section, "revoke", set_method, offsetof(struct config, family.revoke_get)},                   \
    {section, "app-token", set_method, offsetof(struct config, family.app_token_get)},             \
    {section, "lists", set_method, offsetof(struct config, family.lists_get)}
/* clang-format on */
static int set_unlocked(struct config_reading *reading, const char *value, void *field)
{
    bool allow = strcmp(value, "allow") == 0;
    if (!allow && strcmp(value, "refuse") != 0)
        return config_refuse(reading, "this must be refuse or allow");
    *(bool *)field = allow;
    return 0;
}

static int set_pin_source(struct config_reading *reading, const char *value, void *field)
{
    size_t scheme = strlen(CONFIG_CREDENTIAL);
    if (strncmp(value, CONFIG_CREDENTIAL, scheme) != 0)
        return set_path(reading, value, field);
    if (!name_part_valid(value + scheme))
        return config_refuse(reading, "this cannot be the name of a credential");
    return set_text(reading, value, field);
}

/* It reaches the card room as a variable, as all of a module's profile that is the module's own business. */
static int set_variable(struct config_reading *reading, const char *variable, const char *value);

static int set_init(struct config_reading *reading, const char *value, void *field)
{
    (void)field;
    return set_variable(reading, CONFIG_INIT_VARIABLE, value);
}

static const struct key keys[] = {
    {"vault", "dir", set_path, offsetof(struct config, vault_dir)},
    {"vault", "trust", set_path, offsetof(struct config, trust)},
    {"vault", "anchor", set_path, offsetof(struct config, anchor)},
    {"vault", "module", set_module_name, offsetof(struct config, default_module)},
    {"module", "path", set_path, offsetof(struct config_module, path)},
    {"module", "pin-source", set_pin_source, offsetof(struct config_module, pin_source)},
    {"module", "pinentry", set_path, offsetof(struct config_module, pinentry)},
    {"module", "deadline", set_seconds, offsetof(struct config_module, deadline_s)},
    {"module", "init", set_init, 0},
    {"module", "writable", set_path, offsetof(struct config_module, writable)},
    {"module", "network", set_switch, offsetof(struct config_module, network)},
    {"exchange", "deadline", set_seconds, offsetof(struct config, exchange_deadline_s)},
    {"exchange", "connect-deadline", set_seconds, offsetof(struct config, connect_deadline_s)},
    {"login", "port", set_port, offsetof(struct config, login_port)},
    {"log", "forward", set_switch, offsetof(struct config, log_forward)},
    {"log", "journal", set_path, offsetof(struct config, log_journal)},
    {"log", "syslog", set_path, offsetof(struct config, log_syslog)},
    {"tls", "ca", set_path, offsetof(struct config, tls_ca)},
    {"origin", "ca", set_path, offsetof(struct config_origin, ca)},
    PROVIDER_KEYS("meta", meta),
    PROVIDER_KEYS("instagram", instagram),
    PROVIDER_KEYS("threads", threads),
    {"notify", "sendmail", set_path, offsetof(struct config, notify_sendmail)},
    {"notify", "from", set_mailbox, offsetof(struct config, notify_from)},
    {"notify", "to", set_mailboxes, offsetof(struct config, notify_to)},
    {"notify", "hook", set_path, offsetof(struct config, notify_hook)},
    {"memory", "unlocked", set_unlocked, offsetof(struct config, unlocked_memory)},
};

/*
 * A variable of the card room's environment.  The loader's own variables are refused: what is loaded into the room
 * is said by `path` alone.
 */
static int set_variable(struct config_reading *reading, const char *variable, const char *value)
{
    struct config_module *module = reading->target;
    size_t size = strlen(variable);
    if (size == 0 || strspn(variable, LETTERS DIGITS "_") != size ||
        strchr(DIGITS, variable[0]) != NULL)
        return config_refuse(reading, "'%s' cannot be the name of a variable", variable);
    if (strncmp(variable, "LD_", 3) == 0 || strcmp(variable, "GLIBC_TUNABLES") == 0)
        return config_refuse(reading, "variable %s steers the program loader", variable);
    char text[2 * CONFIG_LINE_MAX + 2];
    snprintf(text, sizeof(text), "%s=%s", variable, value);
    for (size_t i = 0; i < module->env_count; i++) {
        if (strncmp(module->env[i], text, size + 1) == 0)
            return config_put_text(reading, text, &module->env[i]);
    }
    if (module->env_count == CONFIG_ENV_MAX)
        return config_refuse(reading, "more than %d variables for one module", CONFIG_ENV_MAX);
    if (config_put_text(reading, text, &module->env[module->env_count]) < 0)
        return -1;
    module->env_count++;
    return 0;
}

static const struct key *find_key(const char *kind, const char *name)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].kind, kind) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

int config_set_key(struct config_reading *reading, const char *name, const char *value)
{
    if (reading->kind == NULL)
        return config_refuse(reading, "key '%s' stands before the first section", name);
    bool variable = strcmp(reading->kind, "module") == 0 && strncmp(name, "env.", 4) == 0;
    const struct key *key = find_key(reading->kind, name);
    if (key == NULL && !variable)
        return config_refuse(reading, "section [%s] has no key '%s'", reading->section, name);
    if (value[0] == '\0')
        return config_refuse(reading, "key '%s' has no value", name);
    if (config_note_seen(reading, name) < 0)
        return -1;
    if (key == NULL)
        return set_variable(reading, name + 4, value);
    return key->set(reading, value, (char *)reading->target + key->offset);
}

/* A module that an earlier file began is continued. */
static int enter_module(struct config_reading *reading, const char *name)
{
    struct config *config = reading->loading->config;
    if (!name_part_valid(name))
        return config_refuse(reading, "a module's section is [module NAME]");
    snprintf(reading->section, sizeof(reading->section), "module %s", name);
    size_t i = 0;
    while (i < config->module_count && strcmp(config->modules[i].name, name) != 0)
        i++;
    if (i == CONFIG_MODULES_MAX)
        return config_refuse(reading, "more than %d modules", CONFIG_MODULES_MAX);
    struct config_module *module = &config->modules[i];
    if (i == config->module_count) {
        if (config_put_text(reading, name, &module->name) < 0)
            return -1;
        module->deadline_s = 30;
        config->module_count++;
    }
    reading->loading->modules[i] = reading->at;
    reading->target = module;
    return 0;
}

/* HOST, HOST:PORT, [IPv6] or [IPv6]:PORT, in lower case. */
static bool is_authority(const char *text)
{
    bool numeric = text[0] == '[';
    size_t size = numeric ? strspn(text + 1, "0123456789abcdef:.") + 1
                          : strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    if (size < 1 || (numeric && (size < 2 || text[size++] != ']')))
        return false;
    const char *port = text + size;
    if (port[0] == '\0')
        return true;
    size_t digits = port[0] == ':' ? strspn(port + 1, DIGITS) : 0;
    return digits >= 1 && digits <= 5 && port[1] != '0' && port[1 + digits] == '\0';
}

/* The normal form of an origin is that of the http module: lower case, no default port, no slash at the end. */
static int normalise_origin(struct config_reading *reading, const char *url,
                            char ret_origin[CONFIG_LINE_MAX + 1])
{
    static const char scheme[] = "https://";
    static const char port[] = ":443";
    size_t size = strlen(url);
    for (size_t i = 0; i <= size; i++)
        ret_origin[i] = (char)(url[i] >= 'A' && url[i] <= 'Z' ? url[i] - 'A' + 'a' : url[i]);
    if (size < strlen(scheme) || strncmp(ret_origin, scheme, strlen(scheme)) != 0)
        return config_refuse(reading, "an origin must begin with https://");
    if (ret_origin[size - 1] == '/')
        ret_origin[--size] = '\0';
    if (size > strlen(port) && strcmp(ret_origin + size - strlen(port), port) == 0)
        ret_origin[size - strlen(port)] = '\0';
    if (size < strlen(scheme) || !is_authority(ret_origin + strlen(scheme)))
        return config_refuse(reading, "an origin is https://HOST or https://HOST:PORT, no more");
    return 0;
}

static int enter_origin(struct config_reading *reading, const char *url)
{
    struct config *config = reading->loading->config;
    char text[CONFIG_LINE_MAX + 1];
    if (normalise_origin(reading, url, text) < 0)
        return -1;
    snprintf(reading->section, sizeof(reading->section), "origin %s", text);
    size_t i = 0;
    while (i < config->origin_count && strcmp(config->origins[i].origin, text) != 0)
        i++;
    if (i == CONFIG_ORIGINS_MAX)
        return config_refuse(reading, "more than %d origins", CONFIG_ORIGINS_MAX);
    if (i == config->origin_count) {
        if (config_put_text(reading, text, &config->origins[i].origin) < 0)
            return -1;
        config->origin_count++;
    }
    reading->loading->origins[i] = reading->at;
    reading->target = &config->origins[i];
    return 0;
}

int config_enter_section(struct config_reading *reading, const char *text)
{
    static const char *const plain[] = {"vault",  "exchange", "login",     "tls",     "log",
                                        "memory", "meta",     "instagram", "threads", "notify"};
    reading->kind = NULL;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strcmp(text, plain[i]) == 0) {
            reading->kind = plain[i];
            reading->target = reading->loading->config;
            snprintf(reading->section, sizeof(reading->section), "%s", text);
        }
    }
    if (strncmp(text, "module ", 7) == 0) {
        if (enter_module(reading, text + 7) < 0)
            return -1;
        reading->kind = "module";
    } else if (strncmp(text, "origin ", 7) == 0) {
        if (enter_origin(reading, text + 7) < 0)
            return -1;
        reading->kind = "origin";
    }
    if (reading->kind == NULL)
        return config_refuse(reading, "there is no section [%s]", text);
    return config_note_seen(reading, "");
}
