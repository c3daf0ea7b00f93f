/*
 * `notify`: whoever is named in the configuration is told, by mail or by a hook, of each grant that needs its person; once
 * a grant and day, which the log remembers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "notice.h"
#include "p11vault/base/clock.h"

#define PROGRAM_SECONDS 60
#define ADDRESSES_MAX 32
#define DATE_SIZE 10 /* "2026-11-25" */

/* A grant that needs its person. */
struct needing {
    struct name name;
    const struct provider *provider;
    enum need need;
    int64_t ends;
    int status; /* NEED_OPERATOR */
};

struct notifying {
    struct cli *cli;
    struct needing *grants;
    size_t count, room;
    struct known_provider known;
    int64_t now;
    char options[768];
    json_t *told;
    struct error *worst;
};

/* ---- which grants ---- */

static bool is_wanted(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (strcmp(arguments->positional[i], name) == 0)
            return true;
    return arguments->count == 0;
}

static int add(struct notifying *notifying, const struct needing *needing, struct error *error)
{
    if (notifying->count == notifying->room) {
        size_t room = notifying->room ? 2 * notifying->room : 16;
        void *grown = realloc(notifying->grants, room * sizeof(*notifying->grants));
        if (!grown)
            return error_memory(error);
        notifying->grants = grown;
        notifying->room = room;
    }
    notifying->grants[notifying->count++] = *needing;
    return 0;
}

static int look_at(void *context, const struct store_record *row, struct error *error)
{
    struct notifying *notifying = context;
    struct needing needing;
    if (strcmp(row->state, "current") != 0 || strcmp(row->kind, "secret") == 0 ||
        !is_wanted(&notifying->cli->arguments, row->name))
        return 0;
    if (known_provider(notifying->cli, row->app, &notifying->known, error) < 0 ||
        name_parse_grant(row->name, &needing.name, error) < 0)
        return -1;
    const struct provider *provider = needing.provider = notifying->known.provider;
    bool is_renewable = provider && oauth_renew_step(provider, row->kind) != STEP_COUNT;
    needing.need = notice_need(row, is_renewable, notifying->now);
    bool about_data = needing.need == NEED_DATA_EXPIRED || needing.need == NEED_DATA_RENEWAL;
    needing.ends = about_data ? row->data_expires : row->expires;
    return needing.need == NEED_NOTHING ? 0 : add(notifying, &needing, error);
}

/* systemd tells a unit that follows another how that one ended (systemd.exec(5)). */
static int look_at_refresh(struct notifying *notifying, struct error *error)
{
    const char *status = getenv("MONITOR_EXIT_STATUS");
    struct needing needing = {.need = NEED_OPERATOR, .name.full = "refresh", .ends = STORE_UNKNOWN};
    if (!notifying->cli->arguments.monitored || !status)
        return 0;
    /* Not a number: it was ended by a signal. */
    size_t digits = strspn(status, "0123456789");
    needing.status =
        digits > 0 && status[digits] == '\0' ? (int)strtol(status, NULL, 10) : CODE_FAULT;
    return notice_of_status(needing.status) ? add(notifying, &needing, error) : 0;
}

/* Somebody was told of it today. */
static int was_told(struct notifying *notifying, const char *name, bool *ret_told,
                    struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(STORE_ENTRY_MAX);
    auto_json json_t *entry = NULL;
    char today[CLOCK_TEXT_SIZE];
    enum entry_type type;
    uint64_t index;
    struct store *store = notifying->cli->vault->store;
    *ret_told = false;
    if (store_entry_newest(store, entry_type_name(ENTRY_NOTICE), name, &index, ret_told, error) < 0)
        return -1;
    if (!*ret_told)
        return 0;
    if (store_entry_get(store, index, &text, error) < 0 ||
        entry_read(buffer_text(&text), text.size, &type, &entry, error) < 0)
        return -1;
    clock_date(notifying->now, today);
    const char *time = json_text(entry, "time");
    *ret_told = type == ENTRY_NOTICE && time && strncmp(time, today, DATE_SIZE) == 0;
    return 0;
}

/* ---- telling ---- */

/* The configuration names it; others could have changed what stands there. */
static int check_program(const char *path, struct error *error)
{
    auto_close int program = open(path, O_PATH | O_CLOEXEC);
    if (program < 0)
        return error_errno(error, CODE_CONFIG, "'%.200s'", path);
    return file_check(program, FILE_TRUSTED, path, error);
}

static int run(const char *const *arguments, const void *input, size_t size, struct error *error)
{
    int status;
    if (check_program(arguments[0], error) < 0 ||
        outside_run(arguments, PROGRAM_SECONDS, input, size, &status, error) < 0)
        return -1;
    if (status == 0)
        return 0;
    if (status > 128)
        return error_set(error, CODE_RETRY, "'%.200s' was ended by signal %d", arguments[0],
                         status - 128);
    return error_set(error, CODE_RETRY, "'%.200s' ended with code %d", arguments[0], status);
}

static int too_many(const struct config *config, struct error *error)
{
    error_set(error, CODE_CONFIG, "'to' has more than %d addresses", ADDRESSES_MAX);
    return error_hint(
        error, "name one address that passes mail on to all of them, below [notify] in %.200s",
        config->user_file);
}

static int send_mail(const struct config *config, const struct notice *notice, int64_t now,
                     struct error *error)
{
    auto_buffer struct buffer mail = BUFFER_UP_TO(NOTICE_MAX);
    auto_free char *addresses = strdup(config->notify_to);
    const char *arguments[ADDRESSES_MAX + 6] = {config->notify_sendmail, "-i", "-f",
                                                config->notify_from, "--"};
    size_t count = 5;
    if (!addresses)
        return error_memory(error);
    char *rest = addresses;
    for (char *at; (at = strsep(&rest, ", "));) {
        if (*at && count == ADDRESSES_MAX + 5)
            return too_many(config, error);
        if (*at)
            arguments[count++] = at;
    }
    if (notice_mail(notice, config, now, &mail, error) < 0)
        return -1;
    return run(arguments, mail.data, mail.size, error);
}

static int call_hook(const struct config *config, const struct notice *notice, struct error *error)
{
    auto_json json_t *json = notice_json(notice);
    auto_free char *text = NULL;
    const char *const arguments[] = {config->notify_hook, NULL};
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    return run(arguments, text, strlen(text), error);
}

static int remember(struct notifying *notifying, const struct notice *notice, struct error *error)
{
    const struct config *config = notifying->cli->config;
    json_t *members =
        json_pack("{s:s, s:s*, s:s*}", "reason", notice_reason(notice->need), "to",
                  config->notify_sendmail ? config->notify_to : NULL, "hook", config->notify_hook);
    if (!members)
        return error_memory(error);
    return vault_notice(notifying->cli->vault, notice->name->full, members, error);
}

static int tell(struct notifying *notifying, const struct needing *needing, struct error *error)
{
    const struct config *config = notifying->cli->config;
    struct notice notice = {.name = &needing->name,
                            .need = needing->need,
                            .ends = needing->ends,
                            .status = needing->status};
    bool told;
    if (was_told(notifying, needing->name.full, &told, error) < 0)
        return -1;
    if (told) {
        say("%s: %s; told today already", needing->name.full, notice_reason(needing->need));
        return 0;
    }
    notice_set_command(&notice, needing->provider, notifying->options);
    if ((config->notify_sendmail && send_mail(config, &notice, notifying->now, error) < 0) ||
        (config->notify_hook && call_hook(config, &notice, error) < 0) ||
        remember(notifying, &notice, error) < 0)
        return error_prefix(error, "%s", needing->name.full);
    if (notifying->told)
        return json_array_append_new(notifying->told, notice_json(&notice)) < 0
                   ? error_memory(error)
                   : 0;
    printf("%s: %s, told %s\n", needing->name.full, notice_reason(needing->need),
           config->notify_sendmail ? config->notify_to : config->notify_hook);
    return 0;
}

/* ---- all ---- */

/* The command must find the same vault.  What a shell would take apart stands in quotes. */
static void set_options(struct notifying *notifying)
{
    const struct arguments *arguments = &notifying->cli->arguments;
    const struct {
        const char *name, *value;
    } given[] = {{"--config", arguments->config}, {"--vault", arguments->vault}};
    size_t at = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *value = given[i].value;
        if (!value || strchr(value, '\'') || at + strlen(value) + 16 > sizeof(notifying->options))
            continue;
        at += (size_t)snprintf(notifying->options + at, sizeof(notifying->options) - at, "%s '%s' ",
                               given[i].name, value);
    }
}

static int check_config(const struct config *config, struct error *error)
{
    if (config->notify_sendmail && (!config->notify_to || !config->notify_from)) {
        error_set(error, CODE_CONFIG, "the configuration names a mail program and not from and to");
        return error_hint(error, "add to = ADDRESS and from = ADDRESS below [notify] in %.200s",
                          config->user_file);
    }
    if (config->notify_sendmail || config->notify_hook)
        return 0;
    error_set(error, CODE_CONFIG, "the configuration does not say how anybody is told");
    return error_hint(error, "add sendmail, from and to, or hook, below [notify] in %.200s",
                      config->user_file);
}

/* Each on its own: one that fails stops no other. */
static void tell_all(struct notifying *notifying)
{
    for (size_t i = 0; i < notifying->count; i++) {
        struct error failure;
        if (tell(notifying, &notifying->grants[i], &failure) == 0)
            continue;
        if (notifying->worst->code == CODE_DONE) {
            *notifying->worst = failure;
        } else {
            say_error(&failure);
            if (failure.code > notifying->worst->code)
                notifying->worst->code = failure.code;
        }
    }
}

/* Each is there, and named once. */
static int check_names(struct cli *cli, struct error *error)
{
    auto_free struct front_wanted *wanted = NULL;
    if (renewal_parse(&cli->arguments, FRONT_CHECK, &wanted, error) < 0)
        return -1;
    for (size_t i = 0; i < cli->arguments.count; i++) {
        struct store_record row = {0};
        bool found;
        const char *name = cli->arguments.positional[i];
        if (store_record_get(cli->vault->store, name, "current", &row, &found, error) < 0)
            return -1;
        store_record_clear(&row);
        if (!found) {
            error_set(error, CODE_USAGE, "there is no grant '%s'", name);
            return error_hint(error, "p11vault grant list");
        }
    }
    return 0;
}

static int notify(struct notifying *notifying, struct error *error)
{
    struct cli *cli = notifying->cli;
    auto_close int lock = -1;
    if (check_names(cli, error) < 0 || check_config(cli->config, error) < 0 ||
        vault_lock(cli->vault, "notify", "telling people of grants", &lock, error) < 0 ||
        store_record_each(cli->vault->store, look_at, notifying, error) != 0 ||
        look_at_refresh(notifying, error) < 0)
        return -1;
    set_options(notifying);
    tell_all(notifying);
    if (notifying->count == 0)
        say("no grant needs its person");
    return 0;
}

int cli_notify(struct cli *cli, struct error *error)
{
    struct error worst = {.code = CODE_DONE};
    auto_json json_t *told = cli->arguments.json ? json_array() : NULL;
    struct notifying notifying = {.cli = cli, .now = clock_now(), .told = told, .worst = &worst};
    int result = notify(&notifying, error);
    free(notifying.grants);
    if (result < 0 || (told && print_json(json_incref(told), error) < 0))
        return -1;
    if (worst.code == CODE_DONE)
        return 0;
    *error = worst;
    return -1;
}
