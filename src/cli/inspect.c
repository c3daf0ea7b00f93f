/*
 * `inspect`, `permissions` and `revoke`: what the provider says of a grant, and ending it.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"
#include "p11vault/oauth/facts.h"
#include "p11vault/oauth/scopes.h"

static void print_text(const char *what, const char *text)
{
    if (*text)
        printf("%-12s %s\n", what, text);
}

static void print_time(const char *what, int64_t seconds, const char *never)
{
    char text[CLOCK_TEXT_SIZE];
    if (seconds == FACT_UNKNOWN)
        return;
    clock_text(seconds, text);
    print_text(what, seconds == 0 ? never : text);
}

/* "scope=1,2 scope": one a line. */
static void print_granular(const struct oauth_facts *facts)
{
    char text[FACT_GRANULAR_MAX];
    char *rest = text;
    (void)snprintf(text, sizeof(text), "%s", facts->granular);
    for (char *scope; (scope = strsep(&rest, " "));) {
        char *targets = strchr(scope, '=');
        if (targets)
            *targets++ = '\0';
        if (*scope)
            printf("%-12s %s %s\n", "permission", scope, targets ? targets : "");
    }
    if (facts->granular_cut)
        printf("%-12s and more\n", "permission");
}

/* A list: one a line. */
static void print_lost(const char *lost)
{
    auto_json json_t *list = oauth_scopes_to_json(lost);
    const json_t *scope;
    size_t index;
    json_array_foreach (list, index, scope)
        print_text("lost", json_string_value(scope));
}

static void print_facts(const struct oauth_facts *facts)
{
    print_text("app", facts->app_id);
    print_text("app name", facts->application);
    print_text("type", facts->type);
    print_text("subject", facts->subject);
    print_text("acts as", facts->profile);
    if (facts->valid != FACT_UNKNOWN)
        print_text("valid", facts->valid ? "yes" : "no");
    print_time("issued", facts->issued, "");
    print_time("expires", facts->expires, "never");
    print_time("data until", facts->data_expires, "no end");
    if (*facts->granular)
        print_granular(facts);
    else
        for (size_t i = 0; i < facts->scope_count; i++)
            print_text("permission", facts->scopes[i]);
    print_text("login by", facts->auth_type);
    print_text("session", facts->sso);
}

int cli_inspect(struct cli *cli, struct error *error)
{
    struct name name;
    struct oauth_facts facts;
    auto_buffer struct buffer lost = {0};
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    int result = front_inspect(&cli->front, &name, &facts, &lost, error);
    if (cli->arguments.json && facts.valid != FACT_UNKNOWN) {
        json_t *json = oauth_facts_to_json(&facts);
        if (json)
            json_object_set_new(json, "name", json_string(name.full));
        if (json && lost.size > 0)
            json_object_set_new(json, "lost_scopes", oauth_scopes_to_json(buffer_text(&lost)));
        struct error printing;
        if (print_answered(cli, json, &printing) < 0) {
            *error = printing;
            return -1;
        }
    } else {
        print_facts(&facts);
        print_lost(buffer_text(&lost));
    }
    return result;
}

int cli_permissions(struct cli *cli, struct error *error)
{
    struct name name;
    auto_answer struct oauth_answer answer = {0};
    auto_json json_t *list = json_object();
    if (!list)
        return error_memory(error);
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0 ||
        front_permissions(&cli->front, &name, &answer, error) < 0)
        return -1;
    for (size_t i = 0; i < answer.permission_count; i++) {
        const struct oauth_permission *permission = &answer.permissions[i];
        if (cli->arguments.json)
            json_object_set_new(list, permission->name, json_string(permission->status));
        else
            printf("%-10s %s\n", permission->status, permission->name);
    }
    return cli->arguments.json ? print_json(json_incref(list), error) : 0;
}

/* ---- revoking ---- */

/* `context`: the name that is revoked, until its companions have been introduced. */
static void tell_companion(void *context, const char *name, bool is_certain)
{
    const char **revoked = context;
    if (*revoked)
        say("%s: this also ends all grants of the same person and app:", *revoked);
    *revoked = NULL;
    say("  %s%s", name, is_certain ? "" : ", if it is the same person's (not inspected yet)");
}

static void tell_ended(void *context, const char *name, bool is_certain)
{
    (void)context;
    (void)is_certain;
    say("%s: ended too", name);
}

int cli_revoke(struct cli *cli, struct error *error)
{
    struct name name;
    const char *introduced = name.full;
    char question[NAME_MAX_SIZE + 128], command[NAME_MAX_SIZE + 128];
    const char *permission = cli->arguments.permission;
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    if (permission)
        (void)snprintf(question, sizeof(question), "take '%.64s' back from %s?", permission,
                       name.full);
    else
        (void)snprintf(question, sizeof(question),
                       "end %s at the provider, with all that was granted to the app?", name.full);
    (void)snprintf(command, sizeof(command), "revoke %s%s%.64s", name.full,
                   permission ? " --permission " : "", permission ? permission : "");
    if (!permission && front_companions(&cli->front, &name, tell_companion, &introduced, error) < 0)
        return -1;
    if (agree(cli, question, "nothing was revoked", command, error) < 0)
        return error_prefix(error, "%s", name.full);
    if (front_revoke(&cli->front, &name, permission, tell_ended, NULL, error) < 0)
        return -1;
    say(permission ? "%s: permission '%s' taken back" : "%s: ended at the provider and forgotten",
        name.full, permission);
    return 0;
}
