/*
 * p11vault: the command line.  It knows names, policy, store and log; it never holds a PIN, a key or a secret.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/interrupt.h"
#include "p11vault/base/log.h"
#include "p11vault/base/secret.h"
#include "p11vault/confine/confine.h"

#ifndef VERSION
#define VERSION "0"
#endif

#define USES_CARD (OPTION_MODULE | OPTION_CARD | OPTION_ASK_PIN)

/* clang-format off */
static const struct verb verbs[] = {
    {"init", "", "make a vault", 0, 0, OPTION_SOFT, NEEDS_CONFIG, cli_init},
    {"doctor", "", "what is wrong here, and how to mend it", 0, 0, OPTION_JSON, 0, cli_doctor},
    {"card list", "", "the cards that are there, or that are trusted", 0, 0,
     OPTION_JSON | OPTION_MODULE | OPTION_TRUSTED, NEEDS_CONFIG, cli_card_list},
    {"card enroll", "[URI]", "trust a card: prove or make its keys", 0, 1,
     USES_CARD | OPTION_KEY | OPTION_FROM | OPTION_YES, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_card_enroll},
    {"card export", "[URI]", "what enrols a card that is elsewhere", 0, 1,
     OPTION_MODULE | OPTION_KEY | OPTION_ASK_PIN, NEEDS_CONFIG | NEEDS_MODULE, cli_card_export},
    {"card remove", "SERIAL", "stop trusting a card", 1, 1, USES_CARD | OPTION_YES | OPTION_LOST,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_card_remove},
    {"app add", "NAME", "seal an app's secret to all trusted cards", 1, 1,
     USES_CARD | OPTION_PROVIDER | OPTION_ID | OPTION_ORIGIN | OPTION_SECRET_FILE,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_app_add},
    {"app list", "", "the apps", 0, 0, OPTION_JSON, NEEDS_CONFIG | READS_VAULT, cli_app_list},
    {"app show", "NAME", "an app: its id, origins and cards", 1, 1, OPTION_JSON, NEEDS_CONFIG | READS_VAULT, cli_app_show},
    {"app reseal", "NAME", "seal an app's key to the cards that are trusted now", 1, 1, USES_CARD,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_app_reseal},
    {"app rekey", "NAME", "another key for an app, its records sealed anew", 1, 1, USES_CARD,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_app_rekey},
    {"app set-secret", "NAME", "seal a new secret for an app", 1, 1, OPTION_SECRET_FILE, NEEDS_CONFIG | NEEDS_VAULT, cli_app_set_secret},
    {"import", "NAME", "seal a token got elsewhere", 1, 1, OPTION_TOKEN_FILE, NEEDS_CONFIG | NEEDS_VAULT, cli_import},
    {"exchange", "NAME…", "short-lived to long-lived, verified", 1, POSITIONAL_MAX, USES_CARD | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_exchange},
    {"refresh", "[NAME…]", "renew grants before they end, and check the others", 0, POSITIONAL_MAX,
     USES_CARD | OPTION_DUE | OPTION_ALL | OPTION_JSON, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE,
     cli_refresh},
    {"login", "NAME", "log in at the provider, in a browser", 1, 1,
     USES_CARD | OPTION_LOGIN | OPTION_SCOPES | OPTION_REDIRECT | OPTION_YES | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE | NEEDS_OUTSIDE, cli_login},
    {"issue", "NAME", "make another grant: of an app, a system user, a session, a client", 1, 1,
     USES_CARD | OPTION_FROM | OPTION_ISSUE | OPTION_SCOPES | OPTION_REDIRECT | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_issue},
    {"pages", "NAME", "the page grants of a user grant", 1, 1, USES_CARD | OPTION_BUSINESSES | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_pages},
    {"inspect", "NAME", "what the provider says of a grant", 1, 1, USES_CARD | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_inspect},
    {"permissions", "NAME", "what a person has granted and declined", 1, 1, USES_CARD | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_permissions},
    {"call", "NAME [METHOD PATH]", "one call with a grant, or a batch; the answer is scrubbed", 1, 3,
     USES_CARD | OPTION_CALL | OPTION_JSON, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_call},
    {"revoke", "NAME", "end a grant at the provider, then here", 1, 1,
     USES_CARD | OPTION_PERMISSION | OPTION_YES, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_revoke},
    {"signed-request", "APP [FILE]", "whether what a callback got is the provider's", 1, 2,
     USES_CARD | OPTION_JSON, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_signed_request},
    {"webhook verify", "APP", "whether the body on standard input is the provider's", 1, 1,
     USES_CARD | OPTION_SIGNATURE | OPTION_JSON, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_webhook_verify},
    {"grant list", "", "the grants", 0, 0, OPTION_JSON, NEEDS_CONFIG | READS_VAULT, cli_grant_list},
    {"grant show", "NAME", "all that is known of a grant", 1, 1, OPTION_JSON, NEEDS_CONFIG | READS_VAULT, cli_grant_show},
    {"grant rename", "NAME NEW-NAME", "another label for a grant", 2, 2, USES_CARD,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_grant_rename},
    {"grant forget", "NAME", "forget one that is dead at the provider", 1, 1, OPTION_YES,
     NEEDS_CONFIG | NEEDS_VAULT, cli_grant_forget},
    {"notify", "[NAME…]", "tell by mail or hook which grants need their person", 0, POSITIONAL_MAX,
     OPTION_JSON | OPTION_MONITORED, NEEDS_CONFIG | NEEDS_VAULT | NEEDS_OUTSIDE, cli_notify},
    {"backup", "FILE", "the whole vault as one file, still sealed", 1, 1, 0,
     NEEDS_CONFIG | READS_VAULT | WRITES_NAMED, cli_backup},
    {"restore", "FILE", "a vault from such a file", 1, 1, USES_CARD | OPTION_LOST_HEAD | OPTION_YES,
     NEEDS_CONFIG, cli_restore},
    {"status", "[APP]", "every grant, its state and days left", 0, 1, OPTION_JSON | OPTION_DUE, NEEDS_CONFIG | READS_VAULT, cli_status},
    {"audit show", "", "the log", 0, 0, OPTION_JSON | OPTION_CARD | OPTION_FILTER | OPTION_FOLLOW,
     NEEDS_CONFIG | READS_VAULT, cli_audit_show},
    {"audit verify", "[COPY]", "check all that the log can prove", 0, 1, OPTION_JSON | OPTION_TRUST,
     NEEDS_CONFIG | WRITES_NAMED, cli_audit_verify},
    {"audit checkpoint", "", "have a card sign the log as it is", 0, 0, USES_CARD | OPTION_JSON,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_audit_checkpoint},
    {"audit accept", "", "go on from an older store: the newer one is lost", 0, 0, USES_CARD | OPTION_YES,
     NEEDS_CONFIG | NEEDS_VAULT | NEEDS_MODULE, cli_audit_accept},
    {"audit prove", "ENTRY", "the proof that an entry is in the log", 1, 1, 0, NEEDS_CONFIG | READS_VAULT, cli_audit_prove},
    {"audit export", "[DIR]", "the signed log, to be checked without us", 0, 1, OPTION_LINES,
     NEEDS_CONFIG | READS_VAULT | WRITES_NAMED, cli_audit_export},
    {"audit key", "", "the keys that sign the log", 0, 0, OPTION_JSON, NEEDS_CONFIG | READS_VAULT, cli_audit_key},
};
/* clang-format on */

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void say_line(const char *text)
{
    say("%s", text);
}

/* It goes into the log, which takes no other text. */
static int check_card(const char *serial, struct error *error)
{
    char text[128];
    int size = snprintf(text, sizeof(text), "%s", serial);
    error_clean(text);
    if (size < (int)sizeof(text) && strcmp(text, serial) == 0)
        return 0;
    error_set(error, CODE_USAGE, "'%.64s' cannot be the serial number of a card", serial);
    return error_hint(error, "p11vault card list");
}

static int set_up(struct cli *cli, unsigned needs, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    if (arguments->card && check_card(arguments->card, error) < 0)
        return -1;
    if ((needs & NEEDS_CONFIG) != 0) {
        if (config_load(arguments->config, &cli->config, error) < 0 ||
            vault_find_directory(cli->config, arguments->vault, &cli->directory, error) < 0)
            return -1;
        cli->front.config = cli->config;
        if (cli->config->unlocked_memory)
            secret_allow_unlocked();
        cli_tell_absent_walls(cli);
        if (cli_walls(cli, needs, error) < 0)
            return -1;
    }
    if ((needs & (NEEDS_VAULT | READS_VAULT)) != 0) {
        bool read_only = (needs & NEEDS_VAULT) == 0;
        if (vault_open(cli->config, cli->directory, read_only, &cli->vault, error) < 0)
            return -1;
        cli->front.vault = cli->vault;
    }
    if ((needs & NEEDS_MODULE) != 0 &&
        config_find_module(cli->config, arguments->module, &cli->front.module, error) < 0)
        return -1;
    cli->front.card = arguments->card;
    cli->front.ask_pin = arguments->ask_pin;
    cli->front.say = say_line;
    if (!arguments->json && isatty(STDERR_FILENO))
        cli->front.waiting = progress_wait;
    return 0;
}

static int run(int count, char **words, struct cli *cli, struct error *error)
{
    const struct verb *verb;
    if (confine_descriptors(STDERR_FILENO + 1, error) < 0 ||
        arguments_parse(count, words, verbs, VERB_COUNT, &cli->arguments, &verb, error) < 0 ||
        (verb && (verb->needs & NEEDS_OUTSIDE) != 0 && !cli->arguments.help &&
         outside_prepare(error) < 0) ||
        confine_process(false, error) < 0)
        return -1;
    if (cli->arguments.help) {
        arguments_usage(verbs, VERB_COUNT, verb, cli->arguments.group);
        return 0;
    }
    if (!verb) {
        printf("p11vault %s\n", VERSION);
        return 0;
    }
    log_start("p11vault", cli->arguments.verbose);
    confine_raise_descriptors();
    if (CONFINE_WALLS && confine_calls(error) < 0)
        return -1;
    if (set_up(cli, verb->needs, error) < 0)
        return -1;
    return verb->run(cli, error);
}

int main(int count, char **words)
{
    struct error error = {0};
    struct cli cli = {0};
    int result = run(count, words, &cli, &error);
    warn_of_version(&cli);
    if (result < 0)
        say_error(&error);
    outside_end();
    vault_free(cli.vault);
    config_free(cli.config);
    free(cli.directory);
    if (fflush(stdout) != 0 && result == 0) {
        say("p11vault: error: the result could not be written");
        return CODE_FAULT;
    }
    /* Everything is written down: now who started us may see that a signal has ended this. */
    interrupt_release();
    return result < 0 ? (int)error.code : CODE_DONE;
}
