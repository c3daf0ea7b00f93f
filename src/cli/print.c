/*
 * How results and messages look.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "p11vault/base/clock.h"

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void say_hint(const char *format, ...)
{
    va_list arguments;
    (void)fputs("hint: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void say_error(const struct error *error)
{
    say("p11vault: error: %s", error->text);
    if (*error->hint)
        say_hint("%s", error->hint);
}

int print_json(json_t *value, struct error *error)
{
    auto_json json_t *owned = value;
    auto_free char *text = NULL;
    if (!owned)
        return error_memory(error);
    if (json_canonical(owned, &text, error) < 0)
        return -1;
    if (puts(text) < 0)
        return error_errno(error, CODE_FAULT, "write the result");
    return 0;
}

static int name_version(const struct cli *cli, json_t *object)
{
    const char *served = cli->front.version.served;
    return *served ? json_object_set_new(object, "api_version", json_string(served)) : 0;
}

int print_answered(const struct cli *cli, json_t *value, struct error *error)
{
    auto_json json_t *owned = value;
    json_t *item;
    size_t index;
    int failed = 0;
    if (json_is_object(owned))
        failed = name_version(cli, owned);
    json_array_foreach (owned, index, item)
        failed |= name_version(cli, item);
    return failed ? error_memory(error) : print_json(TAKE(owned), error);
}

void warn_of_version(const struct cli *cli)
{
    const struct front_version *version = &cli->front.version;
    if (!*version->served)
        return;
    say("p11vault: warning: %s answered with version %s of its API: %s, which was asked for, is "
        "retired or not known there",
        version->provider, version->served, version->asked);
    say_hint("set api-version in [%s] of the configuration to a current version",
             version->provider);
}

void expiry_text(int64_t expires, char ret_text[EXPIRY_TEXT_SIZE])
{
    char date[CLOCK_TEXT_SIZE];
    if (expires == STORE_UNKNOWN) {
        (void)snprintf(ret_text, EXPIRY_TEXT_SIZE, "expiry not known");
        return;
    }
    if (expires == 0) {
        (void)snprintf(ret_text, EXPIRY_TEXT_SIZE, "never expires");
        return;
    }
    int64_t left = expires - clock_now();
    clock_date(expires, date);
    if (left <= 0)
        (void)snprintf(ret_text, EXPIRY_TEXT_SIZE, "expired %s", date);
    else
        (void)snprintf(ret_text, EXPIRY_TEXT_SIZE, "expires %s (%lld days)", date,
                       (long long)((left + DAY / 2) / DAY));
}

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static bool says_yes(int terminal, const char *question)
{
    char answer[16] = "";
    dprintf(terminal, "%s [y/N] ", question);
    ssize_t size = read(terminal, answer, sizeof(answer) - 1);
    return size > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

bool confirm(const char *question, bool otherwise)
{
    auto_close int terminal = open_terminal();
    return terminal < 0 ? otherwise : says_yes(terminal, question);
}

int agree(const struct cli *cli, const char *question, const char *unchanged, const char *command,
          struct error *error)
{
    auto_close int terminal = cli->arguments.yes ? -1 : open_terminal();
    if (cli->arguments.yes || (terminal >= 0 && says_yes(terminal, question)))
        return 0;
    error_set(error, CODE_USAGE, "%s", unchanged);
    return terminal >= 0 ? -1 : error_hint(error, "p11vault %s --yes", command);
}
