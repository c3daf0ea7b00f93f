/*
 * config.h: the configuration: INI, small, every key documented in conf/p11vault.conf.
 *
 * Read in this order, later files override single keys: SYSCONFDIR/p11vault/p11vault.conf, then the file named with
 * --config, else $XDG_CONFIG_HOME/p11vault/config (or ~/.config/p11vault/config).
 * A program that is not installed has its SYSCONFDIR in the build directory (Makefile), so tests
 * read nothing of the machine's.
 * A file or its directory that others can write, an unknown section or key, one that stands twice in a file, a value
 * out of range, a line over CONFIG_LINE_MAX bytes: CODE_CONFIG with file and line number.  inih cuts long lines in
 * silence; our reader refuses them first.
 *
 *     [vault]              dir = DIR, trust = FILE, anchor = FILE, module = NAME
 *     [module NAME]        path = /…/module.so, pin-source = FILE|credential:NAME,
 *                          pinentry = PROGRAM, deadline = SECONDS, network = yes|no, writable = DIR,
 *                          init = TEXT, env.VARIABLE = VALUE
 *     [exchange]           deadline = SECONDS, connect-deadline = SECONDS
 *     [login]              port = NUMBER
 *     [tls]                ca = FILE
 *     [origin URL]         ca = FILE
 *     [meta] [instagram] [threads]
 *                          api-version = v26.0, dialog = ORIGIN, debug-token, client-code, revoke, app-token = post|get
 *     [memory]             unlocked = refuse|allow
 *     [notify]             sendmail = PROGRAM, from = ADDRESS, to = ADDRESSES, hook = PROGRAM
 */
#ifndef P11VAULT_CONFIG_CONFIG_H
#define P11VAULT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/error.h"

#define CONFIG_LINE_MAX 198 /* bytes without the line's end: what inih 55 takes whole */
#define CONFIG_MODULES_MAX 16
#define CONFIG_ORIGINS_MAX 32
#define CONFIG_ENV_MAX 16
#define CONFIG_PORT_MIN 1024 /* of a login: those below are root's */
#define CONFIG_CREDENTIAL "credential:"
#define CONFIG_INIT_VARIABLE "P11VAULT_MODULE_INIT" /* how `init` of a module reaches it */

struct config_module {
    char *name;
    char *path;                    /* absolute */
    char *pin_source;              /* file, credential:NAME of systemd, or NULL: ask */
    char *pinentry;                /* the program that asks, or NULL: at the terminal */
    char *writable;                /* where the module may write; NULL: nowhere */
    bool network;                  /* the module may reach the network (a network HSM) */
    int deadline_s;                /* for one call of the card room without a person: default 30 */
    char *env[CONFIG_ENV_MAX + 1]; /* "VARIABLE=VALUE", ends with NULL */
    size_t env_count;
};

struct config_origin {
    char *origin; /* normal form: https://host:port without the default port */
    char *ca;
};

/* What is set for one provider family. */
struct config_provider {
    char *api_version; /* "v26.0"; NULL: the family's own */
    char *dialog;      /* origin of the login dialog; NULL: the family's own */
    /* 0: POST with method=get, which is unproved at the provider; 1: GET as documented, with the values in the URL. */
    int debug_token_get, client_code_get, revoke_get, app_token_get, lists_get;
};

struct config {
    char *vault_dir; /* NULL: not configured */
    char *
        trust; /* never NULL after config_load: default is `trust` beside the user's configuration */
    char *anchor;         /* a file elsewhere that keeps the newest head of the log, or NULL */
    char *default_module; /* name, or NULL */
    char *tls_ca;         /* NULL: the system's */
    char *user_file; /* where the user's configuration is or would be; with --config: that file */
    struct config_provider meta, instagram, threads;
    char *notify_sendmail, *notify_from, *notify_to; /* of the mails of `notify`; NULL */
    char *notify_hook;                               /* a program that is told instead; NULL */
    bool unlocked_memory; /* secrets may lie in memory that can be neither hidden nor locked */
    bool log_forward;     /* every entry also goes to the journal or syslog */
    char *log_journal, *log_syslog; /* their sockets; NULL: where they are on every system */
    int exchange_deadline_s, connect_deadline_s;
    unsigned login_port; /* of the loopback address that takes a login's answer */
    struct config_module modules[CONFIG_MODULES_MAX];
    size_t module_count;
    struct config_origin origins[CONFIG_ORIGINS_MAX];
    size_t origin_count;
};

/* `extra_file` is the argument of --config or NULL; it must exist, the others need not. */
int config_load(const char *extra_file, struct config **ret_config, struct error *error);
void config_free(struct config *config);
DEFINE_CLEANUP(struct config, config_free);

/*
 * The module of that name, or, with NULL: the default, else the only one.  CODE_CONFIG listing the names there are,
 * with a hint that shows the lines to add.  The result belongs to the config.
 */
int config_find_module(const struct config *config, const char *name,
                       const struct config_module **ret_module, struct error *error);

/*
 * Each "VARIABLE=/PATH" of a module's env that names nothing that is there, and nothing that the
 * module could make itself (below `writable`): modules pass over such a file in silence.  How many;
 * the texts belong to the module.
 */
size_t config_missing_files(const struct config_module *module,
                            const char *ret_missing[CONFIG_ENV_MAX]);

/* What is set for a family: "meta", "instagram", "threads".  NULL for another name. */
const struct config_provider *config_provider(const struct config *config, const char *name);

/* The CA file for an origin: its own, else the general one, else "" for the system's. */
const char *config_ca(const struct config *config, const char *origin);

#endif
