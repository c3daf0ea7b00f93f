/*
 * `issue` and `pages`: grants that come from others.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

int cli_issue(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    struct name name, from;
    struct oauth_facts facts;
    char expiry[EXPIRY_TEXT_SIZE];
    if (name_parse_grant(arguments->positional[0], &name, error) < 0 ||
        (arguments->from && name_parse_grant(arguments->from, &from, error) < 0))
        return -1;
    if (arguments->id && arguments->business)
        return error_set(error, CODE_USAGE, "--user-id and --business cannot be used together");
    const struct front_issue what = {.from = arguments->from ? &from : NULL,
                                     .subject =
                                         arguments->business ? arguments->business : arguments->id,
                                     .scopes = arguments->scopes,
                                     .assets = arguments->assets,
                                     .redirect_uri = arguments->redirect,
                                     .is_narrow = arguments->business != NULL,
                                     .sixty_days = !arguments->never};
    if (front_issue(&cli->front, &name, &what, &facts, error) < 0)
        return -1;
    if (arguments->json)
        return print_answered(cli,
                              json_pack("{s:s, s:s, s:I}", "name", name.full, "subject",
                                        facts.subject, "expires", (json_int_t)facts.expires),
                              error);
    expiry_text(facts.expires, expiry);
    printf("%s: %s%s%s, %s\n", name.full, name.kind, *facts.subject ? " " : "", facts.subject,
           expiry);
    return 0;
}

/* ---- pages ---- */

static json_t *describe_page(const struct front_page *page)
{
    const struct error *failure = page->failure;
    return json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "name", page->name->full, "label", page->label,
                     "tasks", page->tasks, "error", failure ? failure->text : NULL, "code",
                     failure ? error_code_name(failure->code) : NULL);
}

/* `context` is a list, or NULL for lines. */
static void tell_page(void *context, const struct front_page *page)
{
    if (page->failure)
        say_error(page->failure);
    if (context && page->name)
        json_array_append_new(context, describe_page(page));
    else if (!page->failure)
        printf("%s: %s (%s)\n", page->name->full, page->label, page->tasks);
}

int cli_pages(struct cli *cli, struct error *error)
{
    struct name name;
    struct error note;
    auto_json json_t *list = cli->arguments.json ? json_array() : NULL;
    const struct front_pages what = {
        .of_businesses = cli->arguments.of_businesses, .told = tell_page, .context = list};
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    int result = front_pages(&cli->front, &name, &what, &note, error);
    if (list && print_answered(cli, json_incref(list), error) < 0)
        return -1;
    if (result == 0 && *note.text)
        say("%s: %s", name.full, note.text);
    if (result == 0 && *note.hint)
        say_hint("%s", note.hint);
    return result;
}
