/*
 * What `exchange` and `refresh` have in common: which grants, and telling what came of each.
 */
#include <stdio.h>

#include "cli.h"
#include "p11vault/oauth/scopes.h"

struct telling {
    struct progress progress;
    size_t persons; /* failures that need a person */
    json_t *list;   /* NULL: lines */
};

/* ---- results ---- */

static json_t *describe(const struct front_exchanged *exchanged)
{
    const struct error *failure = exchanged->failure;
    json_t *lost = *exchanged->lost_scopes ? oauth_scopes_to_json(exchanged->lost_scopes) : NULL;
    return json_pack("{s:s, s:s, s:I, s:I, s:b, s:o*, s:s*, s:s*}", "name", exchanged->name->full,
                     "subject", exchanged->subject, "expires_before",
                     (json_int_t)exchanged->expires_before, "expires",
                     (json_int_t)exchanged->expires_after, "resolved", exchanged->resolved,
                     "lost_scopes", lost, "error", failure ? failure->text : NULL, "code",
                     failure ? error_code_name(failure->code) : NULL);
}

static void print_one(const struct front_exchanged *exchanged)
{
    char expiry[EXPIRY_TEXT_SIZE];
    expiry_text(exchanged->expires_after, expiry);
    if (exchanged->resolved)
        say("%s: the grant issued to an interrupted run is now confirmed", exchanged->name->full);
    if (exchanged->endless)
        say("%s: never expires, so there is nothing to do", exchanged->name->full);
    printf("%s: %s%s%s, %s\n", exchanged->name->full, exchanged->name->kind,
           *exchanged->subject ? " " : "", exchanged->subject, expiry);
    (void)fflush(stdout);
}

static void tell_one(void *context, const struct front_exchanged *exchanged)
{
    struct telling *telling = context;
    struct progress *progress = &telling->progress;
    progress->done++;
    progress->failed += exchanged->failure != NULL;
    telling->persons += exchanged->failure && exchanged->failure->code == CODE_LOGIN;
    progress_clear(progress);
    if (!telling->list && *exchanged->lost_scopes)
        say("%s: permissions lost since the last login: %s", exchanged->name->full,
            exchanged->lost_scopes);
    if (telling->list) {
        if (progress->count > 1 || !exchanged->failure)
            json_array_append_new(telling->list, describe(exchanged));
    } else if (!exchanged->failure) {
        print_one(exchanged);
    } else if (progress->count > 1) {
        /* That of a single one is the verb's own error. */
        say_error(exchanged->failure);
    }
    progress_draw(progress);
}

int renewal_parse(const struct arguments *arguments, enum front_renewal how,
                  struct front_wanted **ret_wanted, struct error *error)
{
    auto_free struct front_wanted *wanted = calloc(arguments->count, sizeof(*wanted));
    if (!wanted)
        return error_memory(error);
    for (size_t i = 0; i < arguments->count; i++) {
        wanted[i].how = how;
        if (name_parse_grant(arguments->positional[i], &wanted[i].name, error) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(wanted[i].name.full, wanted[j].name.full) == 0)
                return error_set(error, CODE_USAGE, "'%s' is named twice", wanted[i].name.full);
    }
    *ret_wanted = TAKE(wanted);
    return 0;
}

int renewal_run(struct cli *cli, const char *verb, struct front_wanted *wanted, size_t count,
                size_t *ret_persons, struct error *error)
{
    auto_json json_t *list = cli->arguments.json ? json_array() : NULL;
    struct telling telling = {.progress = {.count = count}, .list = list};
    if (progress_is_long(&telling.progress))
        cli->front.waiting = NULL;
    int result = front_renew(&cli->front, verb, wanted, count, tell_one, &telling, error);
    progress_clear(&telling.progress);
    *ret_persons = telling.persons;
    if (list && json_array_size(list) > 0 &&
        print_answered(cli, json_incref(count > 1 ? list : json_array_get(list, 0)), error) < 0)
        return -1;
    if (result < 0 && telling.progress.failed > 0 && count > 1) {
        enum code code = error->code;
        return error_set(error, code, "%zu of %zu grants failed", telling.progress.failed, count);
    }
    return result;
}
