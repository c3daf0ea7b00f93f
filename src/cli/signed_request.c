/*
 * `signed-request`: what was posted to an app's deauthorise or data-deletion callback.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/clock.h"

#define FORM_KEY "signed_request="

/* As it is, or as the form that it was posted in; with a line's end or without. */
static int read_request(const char *file, struct buffer *text, const char **ret_request,
                        struct error *error)
{
    if ((file ? buffer_read_file(file, SIGNED_REQUEST_MAX, FILE_PLAIN, text, error)
              : read_input("a signed request", text, error)) < 0)
        return -1;
    char *request = (char *)text->data;
    if (request && strncmp(request, FORM_KEY, strlen(FORM_KEY)) == 0)
        request += strlen(FORM_KEY);
    if (request)
        request[strcspn(request, "\r\n&")] = '\0';
    if (!request || !*request) {
        error_set(error, CODE_USAGE, "there is no signed request in what was given");
        return error_hint(error, "give the text that was posted as signed_request, in a file or on "
                                 "standard input");
    }
    *ret_request = request;
    return 0;
}

struct of_user {
    const char *app, *user;
    json_t *names;
};

static int note_grant(void *context, const struct store_record *row, struct error *error)
{
    const struct of_user *of = context;
    if (strcmp(row->state, "current") != 0 || strcmp(row->app, of->app) != 0 || !row->subject ||
        strcmp(row->subject, of->user) != 0)
        return 0;
    return json_array_append_new(of->names, json_string(row->name)) < 0 ? error_memory(error) : 0;
}

static void print_time(const char *what, int64_t seconds)
{
    char text[CLOCK_TEXT_SIZE];
    clock_text(seconds, text);
    printf("%-10s %s\n", what, text);
}

/* An old one can be sent again by anybody: what is true today only the provider says. */
static int print_request(struct cli *cli, const struct signed_request *request, const json_t *names,
                         struct error *error)
{
    const json_t *name;
    size_t index;
    if (cli->arguments.json) {
        auto_json json_t *json = signed_request_to_json(request);
        if (!json || json_object_set(json, "grants", (json_t *)(uintptr_t)names) < 0)
            return error_memory(error);
        return print_json(TAKE(json), error);
    }
    printf("%-10s %s\n", "user", *request->user_id ? request->user_id : "none");
    print_time("issued", request->issued_at);
    if (request->expires > 0)
        print_time("expires", request->expires);
    json_array_foreach (names, index, name) {
        printf("%-10s %s\n", "grant", json_string_value(name));
        say("next: p11vault inspect %s", json_string_value(name));
    }
    return 0;
}

int cli_signed_request(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    auto_buffer struct buffer text = BUFFER_UP_TO(SIGNED_REQUEST_MAX);
    auto_json json_t *names = json_array();
    const char *app = arguments->positional[0];
    const char *file = arguments->positional[1];
    const char *given;
    struct signed_request request;
    if (!names)
        return error_memory(error);
    if (read_request(file, &text, &given, error) < 0 ||
        front_check_signed_request(&cli->front, app, given, &request, error) < 0)
        return -1;
    const struct of_user of = {app, request.user_id, names};
    if (store_record_each(cli->vault->store, note_grant, (void *)(uintptr_t)&of, error) != 0)
        return -1;
    return print_request(cli, &request, names, error);
}
