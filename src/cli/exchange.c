/*
 * `import` and `exchange`.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

int cli_import(struct cli *cli, struct error *error)
{
    struct name name;
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    if (front_import(&cli->front, &name, cli->arguments.token_file, error) < 0)
        return error_prefix(error, "import %s", name.full);
    say("%s: sealed; the provider has not been asked about it yet", name.full);
    say("next: p11vault exchange %s", name.full);
    return 0;
}

/* ---- exchange ---- */

struct exchanging {
    struct cli *cli;
    size_t count, failed;
    json_t *list; /* NULL: lines */
};

static int add_exchanged(json_t *list, const struct front_exchanged *exchanged)
{
    json_t *item =
        json_pack("{s:s, s:s, s:I, s:I, s:b}", "name", exchanged->name->full, "subject",
                  exchanged->subject, "expires_before", (json_int_t)exchanged->expires_before,
                  "expires", (json_int_t)exchanged->expires_after, "resolved", exchanged->resolved);
    if (item && exchanged->failure) {
        json_object_set_new(item, "error", json_string(exchanged->failure->text));
        json_object_set_new(item, "code", json_string(error_code_name(exchanged->failure->code)));
    }
    return json_array_append_new(list, item);
}

static void tell_exchanged(void *context, const struct front_exchanged *exchanged)
{
    struct exchanging *exchanging = context;
    char expiry[EXPIRY_TEXT_SIZE];
    exchanging->failed += exchanged->failure != NULL;
    if (exchanging->list && (exchanging->count > 1 || !exchanged->failure))
        (void)add_exchanged(exchanging->list, exchanged);
    if (exchanged->failure) {
        /* That of a single one is the verb's own error. */
        if (exchanging->count > 1)
            say_error(exchanged->failure);
        return;
    }
    expiry_text(exchanged->expires_after, expiry);
    if (exchanged->resolved)
        say("%s: the grant that an interrupted run had been issued is confirmed",
            exchanged->name->full);
    if (!exchanging->list)
        printf("%s: %s %s, %s\n", exchanged->name->full, exchanged->name->kind, exchanged->subject,
               expiry);
}

/* Each name once. */
static int parse_names(const struct arguments *arguments, struct name **ret_names,
                       struct error *error)
{
    auto_free struct name *names = calloc(arguments->count, sizeof(*names));
    if (!names)
        return error_memory(error);
    for (size_t i = 0; i < arguments->count; i++) {
        if (name_parse_grant(arguments->positional[i], &names[i], error) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i].full, names[j].full) == 0)
                return error_set(error, CODE_USAGE, "'%s' is named twice", names[i].full);
    }
    *ret_names = TAKE(names);
    return 0;
}

int cli_exchange(struct cli *cli, struct error *error)
{
    auto_free struct name *names = NULL;
    auto_json json_t *list = cli->arguments.json ? json_array() : NULL;
    size_t count = cli->arguments.count;
    struct exchanging exchanging = {.cli = cli, .count = count, .list = list};
    if (parse_names(&cli->arguments, &names, error) < 0)
        return -1;
    int result = front_exchange(&cli->front, names, count, tell_exchanged, &exchanging, error);
    if (list && json_array_size(list) > 0 &&
        print_json(json_incref(count > 1 ? list : json_array_get(list, 0)), error) < 0)
        return -1;
    if (result < 0 && exchanging.failed > 0 && count > 1) {
        enum code code = error->code;
        return error_set(error, code, "%zu of %zu grants were not exchanged", exchanging.failed,
                         count);
    }
    return result;
}
