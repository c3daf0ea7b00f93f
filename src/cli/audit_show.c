/*
 * `audit show`: the log as a table or as JSON lines, all of it or what is asked for, once or as it grows.
 */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "audit_describe.h"
#include "cli.h"
#include "p11vault/base/clock.h"

#define LOOK_AGAIN_MS 2000 /* where nothing tells that a file has changed */

struct filter {
    const char *app, *grant, *card, *verb;
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    int64_t uid; /* -1: anybody */
    bool failures;
};

struct showing {
    struct filter filter;
    uint64_t signed_size, next;
    bool json, shown;
    json_t *intents; /* use → its intent, until its outcome was shown */
};

/* ---- what is asked for ---- */

/* "2026-11-24", "2026-11-24T10:00:00Z", or "7d": so many days ago. */
static int take_time(const char *given, const char *rest_of_day, char ret_text[CLOCK_TEXT_SIZE],
                     struct error *error)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    size_t size = strlen(given);
    char *end;
    *ret_text = '\0';
    long days = strtol(given, &end, 10);
    if (size < 6 && end != given && strcmp(end, "d") == 0 && days >= 0) {
        clock_text(clock_now() - days * DAY, ret_text);
        return 0;
    }
    for (size_t i = 0; i < size && size < sizeof(form); i++)
        if (form[i] == '0' ? given[i] < '0' || given[i] > '9' : given[i] != form[i])
            size = 0;
    if (size != 10 && size != sizeof(form) - 1) {
        error_set(error, CODE_USAGE, "'%.40s' is not a valid time", given);
        return error_hint(error, "2026-11-24, 2026-11-24T10:00:00Z, or 7d for seven days ago");
    }
    (void)snprintf(ret_text, CLOCK_TEXT_SIZE, "%s%s", given, size == 10 ? rest_of_day : "");
    return 0;
}

static int take_user(const char *given, int64_t *ret_uid, struct error *error)
{
    char *end;
    unsigned long number = strtoul(given, &end, 10);
    if (given[0] >= '0' && given[0] <= '9' && *end == '\0' && number <= UINT32_MAX) {
        *ret_uid = (int64_t)number;
        return 0;
    }
    const struct passwd *user = getpwnam(given);
    if (!user)
        return error_set(error, CODE_USAGE, "there is no user '%.64s' here: give the number",
                         given);
    *ret_uid = user->pw_uid;
    return 0;
}

static int take_filter(const struct arguments *arguments, struct filter *filter,
                       struct error *error)
{
    filter->app = arguments->app;
    filter->grant = arguments->grant;
    filter->card = arguments->card;
    filter->verb = arguments->verb;
    filter->failures = arguments->failures;
    filter->uid = -1;
    if ((arguments->since && take_time(arguments->since, "T00:00:00Z", filter->since, error) < 0) ||
        (arguments->until && take_time(arguments->until, "T23:59:60Z", filter->until, error) < 0) ||
        (arguments->user && take_user(arguments->user, &filter->uid, error) < 0))
        return -1;
    return 0;
}

static bool is_text(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static bool names_grant(const json_t *entry, const char *grant)
{
    const json_t *item;
    size_t index;
    if (is_text(json_text(entry, "name"), grant))
        return true;
    json_array_foreach (json_object_get(entry, "opens"), index, item)
        if (is_text(json_text(item, "name"), grant))
            return true;
    json_array_foreach (json_object_get(entry, "seals"), index, item)
        if (is_text(json_string_value(item), grant))
            return true;
    return false;
}

static bool is_of_app(const json_t *entry, const char *app)
{
    const char *name = json_text(entry, "name");
    size_t size = strlen(app);
    return is_text(json_text(entry, "app"), app) || is_text(name, app) ||
           (name && strncmp(name, app, size) == 0 && name[size] == '/');
}

/* What an outcome or a step is about stands in the intent of its use. */
static bool is_about(const struct filter *filter, const json_t *entry, const json_t *intent)
{
    if (filter->app && !is_of_app(entry, filter->app) && !is_of_app(intent, filter->app))
        return false;
    if (filter->grant && !names_grant(entry, filter->grant) &&
        (json_text(entry, "name") || !names_grant(intent, filter->grant)))
        return false;
    if (filter->card && !is_text(json_text(entry, "card"), filter->card) &&
        !is_text(json_text(intent, "card"), filter->card))
        return false;
    return !filter->verb || is_text(json_text(entry, "verb"), filter->verb) ||
           is_text(json_text(intent, "verb"), filter->verb);
}

static bool has_failed(enum entry_type type, const json_t *entry)
{
    const char *result = json_text(entry, "result");
    if (type == ENTRY_OUTCOME)
        return is_text(result, "failed") || is_text(result, "unknown");
    return type == ENTRY_VOID || (type == ENTRY_STEP && !is_text(json_text(entry, "code"), "done"));
}

static bool is_wanted(const struct filter *filter, enum entry_type type, const json_t *entry,
                      const json_t *intent)
{
    const char *time = json_text(entry, "time");
    if ((*filter->since && strcmp(time, filter->since) < 0) ||
        (*filter->until && strcmp(time, filter->until) > 0))
        return false;
    if (filter->uid >= 0 && json_number(json_object_get(entry, "who"), "uid", -1) != filter->uid)
        return false;
    return (!filter->failures || has_failed(type, entry)) && is_about(filter, entry, intent);
}

/* ---- one entry ---- */

static int print_entry(struct showing *showing, uint64_t index, enum entry_type type, json_t *entry,
                       const json_t *intent, struct error *error)
{
    char about[AUDIT_ABOUT_SIZE];
    bool is_signed = index < showing->signed_size;
    showing->shown = true;
    if (showing->json)
        return print_json(json_pack("{s:I, s:b, s:O}", "index", (json_int_t)index, "signed",
                                    is_signed, "entry", entry),
                          error);
    audit_describe(type, entry, intent, about);
    printf("%4llu  %s  %-8s %-8s %s\n", (unsigned long long)index, json_text(entry, "time"),
           is_signed ? "signed" : "unsigned", entry_type_name(type), about);
    return 0;
}

static int show_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    struct showing *showing = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    showing->next = index + 1;
    const char *use = json_text(entry, "use");
    if (type == ENTRY_INTENT && json_object_set(showing->intents, use, entry) < 0)
        return error_memory(error);
    auto_json json_t *intent = use ? json_incref(json_object_get(showing->intents, use)) : NULL;
    if (type == ENTRY_OUTCOME)
        (void)json_object_del(showing->intents, use);
    if (!is_wanted(&showing->filter, type, entry, intent))
        return 0;
    return print_entry(showing, index, type, entry, intent, error);
}

static int show_new(struct vault *vault, struct showing *showing, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    if (vault_signed_head(vault, &head, error) < 0)
        return -1;
    uint64_t before = showing->signed_size;
    showing->signed_size = head.checkpoint.size;
    if (store_entry_each(vault->store, showing->next, show_entry, showing, error) != 0)
        return -1;
    if (before > 0 && head.checkpoint.size > before && !showing->json)
        printf("      signed now: all before %llu\n", (unsigned long long)head.checkpoint.size);
    if (fflush(stdout) != 0)
        return error_errno(error, CODE_FAULT, "write the result");
    return 0;
}

/* ---- as it grows ---- */

/* Waits until something in the vault's directory changes; whatever has come with it is read away. */
static void wait_for_change(int watch)
{
    struct pollfd change = {.fd = watch, .events = POLLIN};
    char events[4096];
    if (poll(&change, 1, LOOK_AGAIN_MS) > 0 && (change.revents & POLLIN) != 0)
        while (read(watch, events, sizeof(events)) > 0)
            continue;
}

static int follow(struct cli *cli, struct showing *showing, struct error *error)
{
    /* Without one (a limit of this machine's), the poll looks again by itself. */
    auto_close int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch >= 0)
        (void)inotify_add_watch(watch, cli->directory,
                                IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM);
    for (;;) {
        if (show_new(cli->vault, showing, error) < 0 ||
            store_in_place(cli->vault->store, error) < 0)
            return -1;
        wait_for_change(watch);
    }
}

int cli_audit_show(struct cli *cli, struct error *error)
{
    struct showing showing = {.json = cli->arguments.json};
    if (take_filter(&cli->arguments, &showing.filter, error) < 0)
        return -1;
    auto_json json_t *intents = json_object();
    if (!intents)
        return error_memory(error);
    showing.intents = intents;
    if (cli->arguments.follow)
        return follow(cli, &showing, error);
    if (show_new(cli->vault, &showing, error) < 0)
        return -1;
    if (!showing.shown)
        say("no entry matches");
    return 0;
}
