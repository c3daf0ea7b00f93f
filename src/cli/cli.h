/*
 * cli.h: the command line: one table of verbs, one function a verb.
 */
#ifndef P11VAULT_SRC_CLI_CLI_H
#define P11VAULT_SRC_CLI_CLI_H

#include "p11vault/front/front.h"
#include "p11vault/oauth/provider.h"

#define POSITIONAL_MAX 1024

/* The values of an option that may be given several times. */
#define TEXTS_MAX 64
struct texts {
    const char *items[TEXTS_MAX];
    size_t count;
};

struct arguments {
    const char *vault, *config, *module, *card;
    const char *provider, *id, *origin, *code_origin, *secret_file, *token_file, *trust, *key,
        *sign;
    const char *scopes, *redirect, *port, *config_id, *client_token_file, *from, *business, *assets,
        *permission, *signature, *batch;
    const char *app, *grant, *user, *since, *until, *verb;
    const char *group; /* the word that the verbs begin with that --help is about; NULL */
    bool failures, follow, lines;
    bool json, verbose, ask_pin, soft, help, version;
    struct texts fields;
    bool paginate, monitored, trusted;
    bool of_businesses;
    bool paste, device, rerequest, reauthorize, reauthenticate, never, yes, due, all, lost,
        lost_head;
    const char *positional[POSITIONAL_MAX];
    size_t count;
};

/* What a verb needs is set up once, before it runs. */
enum {
    NEEDS_CONFIG = 1,
    NEEDS_VAULT = 2,  /* open for writing */
    READS_VAULT = 4,  /* open for reading */
    NEEDS_MODULE = 8, /* the PKCS#11 module of the configuration or of --module */
    NEEDS_OUTSIDE =
        16, /* starts programs that are none of ours: outside_prepare() before the walls */
    WRITES_NAMED = 32, /* in or beside what the first positional argument names, too */
};

struct cli {
    struct arguments arguments;
    struct config *config;
    char *directory; /* of the vault */
    struct vault *vault;
    struct front front;
};

typedef int verb_function(struct cli *cli, struct error *error);

/* Options a verb takes besides --vault, --config, -v and --help, as bits. */
enum {
    OPTION_JSON = 1 << 0,
    OPTION_MODULE = 1 << 1,
    OPTION_CARD = 1 << 2,
    OPTION_PROVIDER = 1 << 3,
    OPTION_ID = 1 << 4,
    OPTION_ORIGIN = 1 << 5,
    OPTION_SECRET_FILE = 1 << 6,
    OPTION_TOKEN_FILE = 1 << 7,
    OPTION_TRUST = 1 << 8,
    OPTION_KEY = 1 << 9,
    OPTION_ASK_PIN = 1 << 10,
    OPTION_SOFT = 1 << 11,
    OPTION_LOGIN = 1 << 12, /* how a person logs in */
    OPTION_SCOPES = 1 << 13,
    OPTION_REDIRECT = 1 << 14,
    OPTION_FROM = 1 << 15,
    OPTION_ISSUE = 1 << 16, /* what is issued, and for how long */
    OPTION_PERMISSION = 1 << 17,
    OPTION_YES = 1 << 18,
    OPTION_DUE = 1 << 19,
    OPTION_FILTER = 1 << 20, /* which entries of the log */
    OPTION_FOLLOW = 1 << 21,
    OPTION_LINES = 1 << 22,
    OPTION_CALL = 1 << 23, /* what a call of one's own has */
    OPTION_MONITORED = 1 << 24,
    OPTION_LOST = 1 << 25,
    OPTION_ALL = 1 << 26,
    OPTION_LOST_HEAD = 1 << 27,
    OPTION_BUSINESSES = 1 << 28,
    OPTION_TRUSTED = 1 << 29,
    OPTION_SIGNATURE = 1 << 30,
};

/* What has so many days left is renewed by `refresh --due`, and needs attention where nothing renews it. */
#define REFRESH_DAYS 20

/* revival.c: the provider of the app that was asked about last; NULL: one that this program does not know. */
struct known_provider {
    char app[NAME_PART_MAX + 1];
    const struct provider *provider;
};
int known_provider(struct cli *cli, const char *app, struct known_provider *known,
                   struct error *error);

/*
 * The command that brings a dead grant back, `options` behind the program's name ("" or with a space at the end); its
 * verb, a constant.  Without a provider the command is "" and so is the verb.
 */
const char *revival_command(const struct provider *provider, const struct name *name,
                            const char *options, char *ret_command, size_t room);

/* app_warnings.c: says which apps one card alone can open, and whose secret is exposed. */
int warn_of_apps(struct cli *cli, struct error *error);

struct verb {
    const char *name; /* one or two words */
    const char *positional;
    const char *does;
    size_t at_least, at_most; /* positional arguments */
    unsigned options, needs;
    verb_function *run;
};

/* Fills the arguments and finds the verb; NULL for --help and --version.  CODE_USAGE with what is wrong. */
int arguments_parse(int count, char **words, const struct verb *verbs, size_t verb_count,
                    struct arguments *ret_arguments, const struct verb **ret_verb,
                    struct error *error);
/* Of one verb, of those that begin with one word (`group`), or of all. */
void arguments_usage(const struct verb *verbs, size_t verb_count, const struct verb *only,
                     const char *group);

/* walls.c: no writing but where the verb must; to be called once configuration and directory are known. */
int cli_walls(const struct cli *cli, unsigned needs, struct error *error);
/* Says on standard error which walls this machine cannot give. */
void cli_tell_absent_walls(const struct cli *cli);
/* What a room with a batch of the largest records locks, and some more. */
#define SECRETS_MAX ((size_t)2 << 20)

/* The verbs. */
verb_function cli_init, cli_card_list, cli_card_enroll, cli_card_export, cli_app_add, cli_app_list,
    cli_app_show, cli_app_set_secret, cli_app_reseal, cli_app_rekey, cli_grant_rename,
    cli_card_remove, cli_import, cli_exchange, cli_refresh, cli_login, cli_issue, cli_pages,
    cli_inspect, cli_permissions, cli_revoke, cli_grant_list, cli_grant_show, cli_grant_forget,
    cli_backup, cli_restore, cli_status, cli_audit_show, cli_audit_verify, cli_audit_key,
    cli_audit_checkpoint, cli_audit_prove, cli_audit_export, cli_audit_accept, cli_doctor, cli_call,
    cli_notify, cli_signed_request, cli_webhook_verify;

/*
 * Programs that are none of ours (outside.c): a process made before this one builds its walls, which they must not inherit,
 * starts them.  CODE_FAULT without processes.
 */
int outside_prepare(struct error *error);
/*
 * Runs one: its name or path and its arguments, which end with NULL, and what it reads.  *ret_status is its exit code, or
 * 128 and the signal that ended it, as its deadline does; with 0 seconds it is started and not waited for.  What it
 * writes goes to standard error.  CODE_CONFIG when it cannot be started.
 */
int outside_run(const char *const *arguments, unsigned seconds, const void *input, size_t size,
                int *ret_status, struct error *error);
/* A file that is removed when this program ends, also when it is killed; one at most. */
int outside_remove(const char *path, struct error *error);
void outside_end(void);

/*
 * Opens an address in a browser (browser.c): through a page with mode 0600 in `directory`, so that it stands in no argument.  *ret_page (caller frees)
 * is where that is; it is removed with browser_forget().
 */
int browser_open(const char *directory, const char *address, char **ret_page, struct error *error);
void browser_forget(const char *page);

/*
 * renewal.c: the named grants (each once; the caller frees), and the run, with what came of each
 * told.  *ret_persons, also after a failure: how many turned out to need a person.
 */
int renewal_parse(const struct arguments *arguments, enum front_renewal how,
                  struct front_wanted **ret_wanted, struct error *error);
int renewal_run(struct cli *cli, const char *verb, struct front_wanted *wanted, size_t count,
                size_t *ret_persons, struct error *error);

/* progress.c: how far a long run is, drawn over itself where standard error is a terminal. */
struct progress {
    size_t count, done, failed;
};
void progress_draw(const struct progress *progress);
/* Before anything else is said. */
void progress_clear(const struct progress *progress);
/* Whether there is one to be drawn: then nothing else is drawn in its place. */
bool progress_is_long(const struct progress *progress);
/* Who is waited for, drawn over itself; NULL: nobody any more. */
void progress_wait(const char *whom);

/* Asks a yes-or-no question at the terminal; `otherwise` where there is none. */
bool confirm(const char *question, bool otherwise);
/*
 * Whether the person wants what cannot be undone: --yes, or a yes at the terminal.  CODE_USAGE with the text `unchanged` when not;
 * where nobody could be asked, the hint is `command` with --yes.
 */
int agree(const struct cli *cli, const char *question, const char *unchanged, const char *command,
          struct error *error);

/* Results go to standard output, what is said to people to standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "p11vault: error: …" and its hint. */
void say_error(const struct error *error);
/* One JSON value and a line end; the reference is taken. */
int print_json(json_t *value, struct error *error);
/*
 * The same of what a provider has answered: each object names as "api_version" the version of its
 * API that answered, when that is not the one asked for.  And in words, behind the results of a
 * verb.
 */
int print_answered(const struct cli *cli, json_t *value, struct error *error);
void warn_of_version(const struct cli *cli);

/*
 * Standard input to its end, at most what the buffer takes; `what` names it in the error
 * (CODE_USAGE).
 */
int read_input(const char *what, struct buffer *input, struct error *error);
/* "expires 2027-01-22 (60 days)", "never expires", "expiry not known", "expired 2026-11-20". */
#define EXPIRY_TEXT_SIZE 96
void expiry_text(int64_t expires, char ret_text[EXPIRY_TEXT_SIZE]);

#endif
