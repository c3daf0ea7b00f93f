/*
 * `status`: every grant, what needs attention first; its state, the days it has left, and the command for what it needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"

#define BAR_DAYS 60 /* a whole bar: as long as a long-lived grant lives */
#define BAR_CELLS 10

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define GREEN "\033[32m"
#define NO_COLOR "\033[0m"

/* What needs attention most comes first. */
enum condition {
    STATE_EXPOSED, /* somebody else may have a card that opened it */
    STATE_REVOKED,
    STATE_EXPIRED,
    STATE_DATA_EXPIRED,
    STATE_UNKNOWN,
    STATE_EXPIRING,
    STATE_VALID,
    STATE_NEVER,
};

static const struct {
    const char *name;
    const char *color;
} conditions[] = {
    [STATE_EXPOSED] = {"exposed", RED},
    [STATE_REVOKED] = {"revoked", RED},
    [STATE_EXPIRED] = {"expired", RED},
    [STATE_DATA_EXPIRED] = {"data access expired", RED},
    [STATE_UNKNOWN] = {"not inspected", YELLOW},
    [STATE_EXPIRING] = {"expiring", YELLOW},
    [STATE_VALID] = {"valid", GREEN},
    [STATE_NEVER] = {"never expires", GREEN},
};

struct line {
    struct name name;
    char subject[FACT_TEXT_MAX];
    const struct provider *provider; /* NULL: one that this program does not know */
    enum condition condition;
    bool is_pending; /* a newer version waits to be confirmed */
    int64_t version, expires, checked;
};

struct listing {
    struct line *lines;
    size_t count, room;
    const char *app; /* NULL: all */
    struct cli *cli;
    struct signed_head head;
    struct known_provider known;
    char exposed_app[NAME_PART_MAX + 1]; /* whose exposure is known */
    uint64_t exposed_at;
    bool is_exposed;
    int64_t now;
    json_t *pending;
};

static enum condition condition_of(const struct store_record *row, int64_t now)
{
    if (row->expires > 0 && row->expires <= now)
        return STATE_EXPIRED;
    if (row->valid == 0)
        return STATE_REVOKED;
    if (row->data_expires > 0 && row->data_expires <= now)
        return STATE_DATA_EXPIRED;
    if (row->valid == STORE_UNKNOWN)
        return STATE_UNKNOWN;
    if (row->expires == 0)
        return STATE_NEVER;
    if (row->expires != STORE_UNKNOWN && row->expires - now <= REFRESH_DAYS * DAY)
        return STATE_EXPIRING;
    return STATE_VALID;
}

/* The command that helps, and its verb; both "" where none is needed. */
struct next {
    const char *verb;
    char command[NAME_MAX_SIZE + OAUTH_HINT_MAX];
};

static void name_verb(const struct line *line, const char *verb, struct next *next)
{
    next->verb = verb;
    (void)snprintf(next->command, sizeof(next->command), "p11vault %s %s", verb, line->name.full);
}

static void revive(const struct line *line, struct next *next)
{
    next->verb =
        revival_command(line->provider, &line->name, "", next->command, sizeof(next->command));
    size_t used = strlen(next->command);
    if (line->condition == STATE_DATA_EXPIRED && strcmp(next->verb, "login") == 0)
        (void)snprintf(next->command + used, sizeof(next->command) - used, " --reauthorize");
}

/* The provider has a call that ends it. */
static bool can_be_ended(const struct line *line)
{
    return line->provider && oauth_end_step(line->provider, line->name.kind) != STEP_COUNT;
}

static void find_next(const struct line *line, struct next *ret_next)
{
    const struct provider *provider = line->provider;
    bool can_be_lengthened =
        provider && oauth_lengthen_step(provider, line->name.kind) != STEP_COUNT;
    *ret_next = (struct next){.verb = ""};
    if (line->is_pending && can_be_lengthened)
        return name_verb(line, "exchange", ret_next);
    if (line->is_pending && provider && oauth_renew_step(provider, line->name.kind) != STEP_COUNT)
        return name_verb(line, "refresh", ret_next);
    if (line->is_pending)
        return revive(line, ret_next);
    switch (line->condition) {
    case STATE_EXPOSED:
        return name_verb(line, can_be_ended(line) ? "revoke" : "grant forget", ret_next);
    case STATE_REVOKED:
    case STATE_EXPIRED:
    case STATE_DATA_EXPIRED:
        return revive(line, ret_next);
    case STATE_UNKNOWN:
        return name_verb(line, can_be_lengthened ? "exchange" : "inspect", ret_next);
    case STATE_EXPIRING:
        return name_verb(line, "refresh", ret_next);
    default:
        return;
    }
}

/* ---- reading ---- */

static int add_pending(void *context, const struct store_record *row, struct error *error)
{
    struct listing *listing = context;
    if (strcmp(row->state, "pending") != 0)
        return 0;
    return json_object_set_new(listing->pending, row->name, json_true()) < 0 ? error_memory(error)
                                                                             : 0;
}

/* Sealed before a lost card was removed that opened its app: a grant sealed since is another one. */
static int is_exposed(struct listing *listing, const struct store_record *row, bool *ret_exposed,
                      struct error *error)
{
    struct vault *vault = listing->cli->vault;
    uint64_t sealed;
    bool found;
    *ret_exposed = false;
    if (strcmp(listing->exposed_app, row->app) != 0) {
        (void)snprintf(listing->exposed_app, sizeof(listing->exposed_app), "%s", row->app);
        if (vault_app_exposed(vault, &listing->head, row->app, &listing->exposed_at,
                              &listing->is_exposed, error) < 0)
            return -1;
    }
    if (!listing->is_exposed)
        return 0;
    if (store_entry_newest(vault->store, entry_type_name(ENTRY_SEAL), row->name, &sealed, &found,
                           error) < 0)
        return -1;
    bool is_newest = json_object_get(listing->pending, row->name) == NULL;
    *ret_exposed = !found || !is_newest || sealed < listing->exposed_at;
    return 0;
}

static int make_room(struct listing *listing, struct error *error)
{
    if (listing->count < listing->room)
        return 0;
    size_t room = listing->room ? 2 * listing->room : 64;
    void *grown = realloc(listing->lines, room * sizeof(*listing->lines));
    if (!grown)
        return error_memory(error);
    listing->lines = grown;
    listing->room = room;
    return 0;
}

static int add_line(void *context, const struct store_record *row, struct error *error)
{
    struct listing *listing = context;
    if (strcmp(row->state, "current") != 0 || strcmp(row->kind, "secret") == 0 ||
        (listing->app && strcmp(row->app, listing->app) != 0))
        return 0;
    bool exposed;
    if (make_room(listing, error) < 0 || is_exposed(listing, row, &exposed, error) < 0 ||
        known_provider(listing->cli, row->app, &listing->known, error) < 0)
        return -1;
    struct line *line = &listing->lines[listing->count++];
    *line = (struct line){.provider = listing->known.provider,
                          .condition = exposed ? STATE_EXPOSED : condition_of(row, listing->now),
                          .is_pending = json_object_get(listing->pending, row->name) != NULL,
                          .version = row->version,
                          .expires = row->expires,
                          .checked = row->checked};
    if (name_parse_grant(row->name, &line->name, error) < 0)
        return -1;
    (void)snprintf(line->subject, sizeof(line->subject), "%s", row->subject ? row->subject : "");
    return 0;
}

/* By what it needs, then by what ends first, then by name. */
static int compare(const void *one, const void *other)
{
    const struct line *first = one, *second = other;
    if (first->condition != second->condition)
        return (int)first->condition - (int)second->condition;
    if (first->expires != second->expires && first->expires > 0 && second->expires > 0)
        return first->expires < second->expires ? -1 : 1;
    return strcmp(first->name.full, second->name.full);
}

static bool is_fine(const struct line *line)
{
    return !line->is_pending && (line->condition == STATE_VALID || line->condition == STATE_NEVER);
}

/* ---- printing ---- */

static void days_text(const struct line *line, int64_t now, char ret_text[24])
{
    ret_text[0] = '\0';
    if (line->expires > now && line->condition != STATE_REVOKED) /* that one has none left */
        (void)snprintf(ret_text, 24, "%lld d", (long long)((line->expires - now + DAY / 2) / DAY));
}

/* One line a grant, for scripts and pipes. */
static void print_plain(const struct line *line, int64_t now)
{
    char days[24];
    days_text(line, now, days);
    printf("%s  %s%s%s\n", line->name.full, conditions[line->condition].name, *days ? "  " : "",
           days);
}

/* The same in 80 columns of a terminal, with the days as a bar. */
static void print_wide(const struct line *line, int64_t now, bool has_colors)
{
    char days[24], bar[BAR_CELLS * 3 + 1] = "", *end = bar;
    days_text(line, now, days);
    size_t cells = *days ? (size_t)((line->expires - now) * BAR_CELLS / (BAR_DAYS * DAY)) : 0;
    for (size_t i = 0; *days && i < BAR_CELLS; i++)
        end = stpcpy(end, i < cells || i == 0 ? "█" : "░");
    int pad = *days ? 0 : BAR_CELLS;
    printf("%-38.38s %s%-19s%s %s%*s %6s\n", line->name.full,
           has_colors ? conditions[line->condition].color : "", conditions[line->condition].name,
           has_colors ? NO_COLOR : "", bar, pad, "", days);
}

static void print_next(const struct line *line)
{
    struct next next;
    find_next(line, &next);
    if (line->is_pending)
        printf("  a newer version waits to be confirmed\n");
    else if (line->condition == STATE_EXPOSED && !can_be_ended(line))
        printf("  end it in the provider's own settings first\n");
    if (*next.verb)
        printf("  next: %s\n", next.command);
}

static bool wants_colors(void)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    return (!no_color || !*no_color) && term && strcmp(term, "dumb") != 0;
}

static json_t *describe(const struct line *line)
{
    struct next next;
    find_next(line, &next);
    json_t *item =
        json_pack("{s:s, s:s, s:I, s:b, s:s, s:s}", "name", line->name.full, "state",
                  conditions[line->condition].name, "version", (json_int_t)line->version, "pending",
                  line->is_pending, "next", next.verb, "command", next.command);
    if (item && line->expires != STORE_UNKNOWN)
        json_object_set_new(item, "expires", json_integer(line->expires));
    if (item && line->checked != STORE_UNKNOWN)
        json_object_set_new(item, "checked", json_integer(line->checked));
    if (item && *line->subject)
        json_object_set_new(item, "subject", json_string(line->subject));
    return item;
}

static void print_all(const struct listing *listing, bool only_due)
{
    bool is_wide = isatty(STDOUT_FILENO);
    bool has_colors = is_wide && wants_colors();
    size_t fine = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct line *line = &listing->lines[i];
        fine += is_fine(line);
        if (only_due && is_fine(line))
            continue;
        if (is_wide)
            print_wide(line, listing->now, has_colors);
        else
            print_plain(line, listing->now);
        print_next(line);
    }
    if (listing->count == 0)
        say("there are no grants%s%s yet", listing->app ? " of " : "",
            listing->app ? listing->app : "");
    else if (only_due && fine == listing->count)
        say("nothing is due");
}

/* ---- apps ---- */

static int warn_of_secret(struct cli *cli, const struct signed_head *head, const char *app,
                          struct error *error)
{
    char secret[NAME_MAX_SIZE];
    uint64_t exposed_at, sealed;
    bool exposed, found;
    (void)snprintf(secret, sizeof(secret), "%s/secret", app);
    if (vault_app_exposed(cli->vault, head, app, &exposed_at, &exposed, error) < 0 ||
        store_entry_newest(cli->vault->store, entry_type_name(ENTRY_SEAL), secret, &sealed, &found,
                           error) < 0)
        return -1;
    if (exposed && found && sealed < exposed_at)
        say("warning: the secret of '%s' is exposed: reset it at the provider, then: p11vault app "
            "set-secret %s",
            app, app);
    return 0;
}

/* When that card is lost, everything is. */
static int warn_of_app(void *context, const struct store_app *row, struct error *error)
{
    struct cli *cli = context;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_app struct vault_app app = {0};
    struct error ignored;
    if (vault_signed_head(cli->vault, &head, error) < 0)
        return -1;
    if (vault_app_find(cli->vault, &head, row->app, &app, &ignored) < 0)
        return 0; /* `doctor` and `audit verify` say what is wrong with it */
    if (warn_of_secret(cli, &head, row->app, error) < 0)
        return -1;
    if (json_array_size(json_object_get(app.key_entry, "cards")) == 1)
        say("warning: one card opens '%s'; put another one in as a recovery card, then: p11vault "
            "card enroll, p11vault app reseal %s",
            row->app, row->app);
    return 0;
}

/* A name that is mistyped must not look like one with nothing to do. */
static int check_app(struct cli *cli, const char *app, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_app struct vault_app found = {0};
    return vault_signed_head(cli->vault, &head, error) < 0
               ? -1
               : vault_app_find(cli->vault, &head, app, &found, error);
}

int cli_status(struct cli *cli, struct error *error)
{
    auto_json json_t *pending = json_object();
    struct listing listing = {.cli = cli,
                              .app = cli->arguments.count ? cli->arguments.positional[0] : NULL,
                              .now = clock_now(),
                              .pending = pending};
    struct store *store = cli->vault->store;
    if (!pending)
        return error_memory(error);
    listing.head.note = BUFFER_UP_TO(NOTE_MAX);
    if (vault_signed_head(cli->vault, &listing.head, error) < 0)
        return -1;
    signed_head_clear(&listing.head); /* the note; the head itself stays known */
    if (listing.app && check_app(cli, listing.app, error) < 0)
        return -1;
    int result = store_record_each(store, add_pending, &listing, error);
    if (result == 0)
        result = store_record_each(store, add_line, &listing, error);
    auto_free struct line *lines = listing.lines;
    if (result != 0)
        return -1;
    if (listing.count > 0)
        qsort(lines, listing.count, sizeof(*lines), compare);
    if (store_app_each(store, warn_of_app, cli, error) != 0)
        return -1;
    if (!cli->arguments.json) {
        print_all(&listing, cli->arguments.due);
        return 0;
    }
    json_t *list = json_array();
    for (size_t i = 0; list && i < listing.count; i++)
        if (!cli->arguments.due || !is_fine(&lines[i]))
            json_array_append_new(list, describe(&lines[i]));
    return print_json(list, error);
}
