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
    bool is_pending; /* a newer version waits to be confirmed; with is_first: there is no other */
    bool is_first;
    int64_t version, expires, checked;
    json_t *lost; /* scopes that it had at or after its last login, and has no longer; NULL: none */
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
    json_t *pending, *lost; /* by the grant's name */
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
    const char *option = line->condition == STATE_DATA_EXPIRED ? " --reauthorize" : "";
    if (line->condition > STATE_DATA_EXPIRED && line->lost)
        option = " --rerequest";
    if (strcmp(next->verb, "login") == 0)
        (void)snprintf(next->command + used, sizeof(next->command) - used, "%s", option);
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
    if (line->is_pending && provider)
        return name_verb(line, oauth_confirming_verb(provider, line->name.kind), ret_next);
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
        return line->lost ? revive(line, ret_next) : (void)0;
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
    if (listing->lines && listing->count < listing->room)
        return 0;
    size_t room = listing->room ? 2 * listing->room : 64;
    void *grown = realloc(listing->lines, room * sizeof(*listing->lines));
    if (!grown)
        return error_memory(error);
    listing->lines = grown;
    listing->room = room;
    return 0;
}

/* The line of a name.  Rows come by name, and the versions of a name in their order. */
static int find_line(struct listing *listing, const char *name, struct line **ret_line,
                     struct error *error)
{
    struct line *last = listing->count > 0 ? &listing->lines[listing->count - 1] : NULL;
    *ret_line = last;
    if (last && strcmp(last->name.full, name) == 0)
        return 0;
    if (make_room(listing, error) < 0)
        return -1;
    *ret_line = &listing->lines[listing->count];
    **ret_line = (struct line){0};
    if (name_parse_grant(name, &(*ret_line)->name, error) < 0)
        return -1;
    listing->count++;
    return 0;
}

/* What is current; the newest version that waits where nothing is. */
static int add_line(void *context, const struct store_record *row, struct error *error)
{
    struct listing *listing = context;
    bool is_current = strcmp(row->state, "current") == 0;
    bool exposed;
    struct line *line;
    auto_json json_t *remarks = NULL;
    if ((!is_current && strcmp(row->state, "pending") != 0) || strcmp(row->kind, "secret") == 0 ||
        (listing->app && strcmp(row->app, listing->app) != 0))
        return 0;
    if (find_line(listing, row->name, &line, error) < 0)
        return -1;
    if (!is_current && line->version > 0 && !line->is_first)
        return 0;
    if (is_exposed(listing, row, &exposed, error) < 0 ||
        known_provider(listing->cli, row->app, &listing->known, error) < 0 ||
        vault_remarks(listing->cli->vault, row, &remarks, error) < 0)
        return -1;
    json_t *lost = json_object_get(remarks, "lost_scopes");
    if (lost && json_object_set(listing->lost, row->name, lost) < 0)
        return error_memory(error);
    *line = (struct line){.name = line->name,
                          .provider = listing->known.provider,
                          .condition = exposed ? STATE_EXPOSED : condition_of(row, listing->now),
                          .is_pending = json_object_get(listing->pending, row->name) != NULL,
                          .is_first = !is_current,
                          .version = row->version,
                          .expires = row->expires,
                          .checked = row->checked,
                          .lost = lost};
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
    return !line->is_pending && !line->lost &&
           (line->condition == STATE_VALID || line->condition == STATE_NEVER);
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

static void print_lost(const struct line *line)
{
    const json_t *scope;
    size_t index;
    json_array_foreach (line->lost, index, scope)
        printf("%s%s", index == 0 ? "  permissions lost since the last login: " : ", ",
               json_string_value(scope));
    if (line->lost)
        printf("\n");
}

static void print_next(const struct line *line)
{
    struct next next;
    find_next(line, &next);
    if (line->is_pending)
        printf("  %s waits to be confirmed\n", line->is_first ? "it" : "a newer version");
    else if (line->condition == STATE_EXPOSED && !can_be_ended(line))
        printf("  end it in the provider's own settings first\n");
    print_lost(line);
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
    if (item && line->lost)
        json_object_set(item, "lost_scopes", line->lost);
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
    auto_json json_t *lost = json_object();
    struct listing listing = {.cli = cli,
                              .app = cli->arguments.count ? cli->arguments.positional[0] : NULL,
                              .now = clock_now(),
                              .pending = pending,
                              .lost = lost};
    struct store *store = cli->vault->store;
    if (!pending || !lost)
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
    if (warn_of_apps(cli, error) < 0)
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
