/*
 * `login`: the person's side: a browser, a code for another device, or an address to paste; and whose grant it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/secret.h"
#include "p11vault/oauth/scopes.h"

#define PERSON_SECONDS 600
#define PORT_MAX 65535
/* Meta's own address for programs without a server of theirs. */
#define PASTE_REDIRECT "https://www.facebook.com/connect/login_success.html"

struct login {
    struct cli *cli;
    const struct name *name;
    const char *redirect;
    char earlier[FACT_TEXT_MAX]; /* whose the grant was before, "" */
    char *page;
    struct name kept; /* as what, which is another than `name` when its kind is another */
    struct oauth_facts facts;
    char *missing; /* asked for and not granted, a list; NULL: not known */
};

/* ---- what the person does ---- */

/*
 * Past stdio, whose own buffers would keep it: with its state anybody can answer in the provider's
 * place.
 */
static int show(const char *address, struct error *error)
{
    auto_of(secret_free) struct secret *lines = NULL;
    if (secret_new(strlen(address) + 8, &lines, error) < 0 ||
        secret_append_text(lines, "\n  ", error) < 0 ||
        secret_append_text(lines, address, error) < 0 ||
        secret_append_text(lines, "\n\n", error) < 0)
        return -1;
    return descriptor_write(STDERR_FILENO, secret_data(lines), secret_size(lines)) < 0
               ? error_errno(error, CODE_FAULT, "show the address")
               : 0;
}

static int open_dialog(void *context, const char *address, struct error *error)
{
    struct login *login = context;
    struct cli *cli = login->cli;
    if (cli->arguments.paste) {
        say("open this address in a browser and log in:");
        if (show(address, error) < 0)
            return -1;
        say("then paste the address that the browser was sent to");
        return 0;
    }
    if (browser_open(cli->directory, address, &login->page, error) < 0)
        return -1;
    say("log in at the provider in the browser; if none opened, open %s", login->page);
    if (strncmp(login->redirect, "http:", 5) == 0)
        say("if it says \"Insecure Login Blocked\", the app is not in development mode: use "
            "--paste");
    return 0;
}

static void tell_device(void *context, const char *user_code, const char *address, int64_t seconds)
{
    (void)context;
    say("open %s and type %s (within %lld minutes)", address, user_code,
        (long long)((seconds + 59) / 60));
}

static void scopes_text(const struct oauth_facts *facts, char *ret_text, size_t room)
{
    size_t at = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < facts->scope_count && at + FACT_TEXT_MAX + 2 < room; i++)
        at +=
            (size_t)snprintf(ret_text + at, room - at, "%s%s", i > 0 ? ", " : "", facts->scopes[i]);
}

/* Another person's grant in the place of this one would be found out when it is too late. */
static bool agrees(void *context, const struct front_logged_in *logged_in)
{
    struct login *login = context;
    const struct name *name = logged_in->name;
    const char *missing = logged_in->missing;
    char scopes[FACT_SCOPES_MAX * (FACT_TEXT_MAX + 2)], question[256];
    bool is_other = *login->earlier && strcmp(name->full, login->name->full) == 0 &&
                    strcmp(login->earlier, logged_in->facts->subject) != 0;
    login->kept = *name;
    login->facts = *logged_in->facts;
    login->missing = missing ? strdup(missing) : NULL;
    scopes_text(logged_in->facts, scopes, sizeof(scopes));
    say("%s: %s %s%s%s", name->full, name->kind, login->facts.subject,
        *scopes ? ", permissions: " : "", scopes);
    if (missing && *missing)
        say("%s: asked for and not granted: %s", name->full, missing);
    if (is_other)
        say("%s: it was %s before", name->full, login->earlier);
    if (login->cli->arguments.yes)
        return true;
    (void)snprintf(question, sizeof(question), "keep it as %s?", name->full);
    return confirm(question, !is_other);
}

/* ---- what is asked for ---- */

static int parse_port(const char *text, unsigned *ret_port, struct error *error)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || *text == '-' || port < CONFIG_PORT_MIN || port > PORT_MAX) {
        error_set(error, CODE_USAGE, "'%.16s' is not a port", text);
        return error_hint(error, "a number from %d to %d", CONFIG_PORT_MIN, PORT_MAX);
    }
    *ret_port = (unsigned)port;
    return 0;
}

/* What a redirect address says behind its host; the exchange room reads the whole of it and refuses what is wrong. */
static unsigned port_of(const char *address, unsigned otherwise)
{
    const char *host = strstr(address, "://");
    const char *colon = host ? strrchr(host + 3, ':') : NULL;
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    return port >= CONFIG_PORT_MIN && port <= PORT_MAX ? (unsigned)port : otherwise;
}

/* Meta has an address of its own for this; at the others it is one of the app's. */
static int check_paste(const struct login *login, struct error *error)
{
    const struct arguments *arguments = &login->cli->arguments;
    struct known_provider known = {0};
    if (!arguments->paste || arguments->redirect)
        return 0;
    if (known_provider(login->cli, login->name->app, &known, error) < 0)
        return -1;
    if (!known.provider || strcmp(known.provider->name, "meta") == 0)
        return 0;
    error_set(error, CODE_USAGE, "%s has no redirect address of its own to paste from",
              known.provider->name);
    return error_hint(error, "p11vault login %s --paste --redirect URL", login->name->full);
}

static void auth_type(const struct arguments *arguments, char ret_text[64])
{
    static const char comma[] = ",";
    size_t at = 0;
    ret_text[0] = '\0';
    const struct {
        bool is_given;
        const char *word;
    } words[] = {{arguments->rerequest, "rerequest"},
                 {arguments->reauthorize, "reauthorize"},
                 {arguments->reauthenticate, "reauthenticate"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].is_given)
            at += (size_t)snprintf(ret_text + at, 64 - at, "%s%s", at > 0 ? comma : "",
                                   words[i].word);
}

static int find_earlier(struct login *login, struct error *error)
{
    struct store_record row = {0};
    bool found;
    if (store_record_get(login->cli->vault->store, login->name->full, "current", &row, &found,
                         error) < 0)
        return -1;
    if (found && row.subject)
        (void)snprintf(login->earlier, sizeof(login->earlier), "%s", row.subject);
    store_record_clear(&row);
    return 0;
}

static int check_device(const struct arguments *arguments, struct error *error)
{
    if (arguments->client_token_file && !arguments->device)
        return error_set(error, CODE_USAGE, "--client-token-file is for --device only");
    if (arguments->device && arguments->config_id)
        return error_set(error, CODE_USAGE, "a device login has no configurations: --config-id");
    return 0;
}

/* "-" is standard input, which is read in any case when no file is named. */
static const char *client_token_file(const struct arguments *arguments)
{
    const char *file = arguments->client_token_file;
    return file && strcmp(file, "-") == 0 ? NULL : file;
}

static int log_in(struct login *login, struct error *error)
{
    struct cli *cli = login->cli;
    const struct arguments *arguments = &cli->arguments;
    char redirect[64], type[64];
    unsigned port = cli->config->login_port;
    if (arguments->redirect && !arguments->port)
        port = port_of(arguments->redirect, port);
    if (check_device(arguments, error) < 0 || check_paste(login, error) < 0 ||
        find_earlier(login, error) < 0 ||
        (arguments->port && parse_port(arguments->port, &port, error) < 0))
        return -1;
    auth_type(arguments, type);
    (void)snprintf(redirect, sizeof(redirect), "http://localhost:%u/", port);
    login->redirect = arguments->redirect ? arguments->redirect
                      : arguments->paste  ? PASTE_REDIRECT
                                          : redirect;
    const struct front_login what = {.scopes = arguments->scopes,
                                     .config_id = arguments->config_id,
                                     .auth_type = type,
                                     .redirect_uri = login->redirect,
                                     .port = arguments->paste ? 0 : port,
                                     .seconds = PERSON_SECONDS,
                                     .by_device = arguments->device,
                                     .client_token_file = client_token_file(arguments),
                                     .context = login,
                                     .open = open_dialog,
                                     .device = tell_device,
                                     .agrees = agrees};
    int result = front_login(&cli->front, login->name, &what, error);
    browser_forget(login->page);
    return result;
}

static int print_result(const struct login *login, struct error *error)
{
    const struct oauth_facts *facts = &login->facts;
    const struct name *name = &login->kept;
    char expiry[EXPIRY_TEXT_SIZE];
    if (login->cli->arguments.json)
        return print_answered(
            login->cli,
            json_pack("{s:s, s:s, s:I, s:o*}", "name", name->full, "subject", facts->subject,
                      "expires", (json_int_t)facts->expires, "not_granted",
                      login->missing ? oauth_scopes_to_json(login->missing) : NULL),
            error);
    expiry_text(facts->expires, expiry);
    printf("%s: %s %s, %s\n", name->full, name->kind, facts->subject, expiry);
    return 0;
}

int cli_login(struct cli *cli, struct error *error)
{
    struct name name;
    struct login login = {.cli = cli, .name = &name};
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    int result = log_in(&login, error);
    if (result == 0)
        result = print_result(&login, error);
    if (result == 0 && login.missing && *login.missing)
        say_hint("ask again for what was declined: p11vault login %s --scope %s --rerequest",
                 login.kept.full, cli->arguments.scopes);
    free(login.page);
    free(login.missing);
    return result;
}
