/*
 * `webhook verify`: whether the body on standard input was posted to a webhook by the provider.
 */
#include <stdio.h>

#include "cli.h"
#include "p11vault/oauth/webhook.h"

int cli_webhook_verify(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    const char *app = arguments->positional[0];
    auto_buffer struct buffer body = BUFFER_UP_TO(WEBHOOK_BODY_MAX);
    if (!arguments->signature) {
        error_set(error, CODE_USAGE, "'webhook verify' needs --signature");
        return error_hint(error, "give the value of the header X-Hub-Signature-256");
    }
    if (read_input("the body", &body, error) < 0 ||
        front_verify_webhook(&cli->front, app, arguments->signature, buffer_text(&body), body.size,
                             error) < 0)
        return -1;
    if (arguments->json)
        return print_json(
            json_pack("{s:s, s:b, s:I}", "app", app, "signed", 1, "bytes", (json_int_t)body.size),
            error);
    printf("signed with the secret of app '%s'\n", app);
    return 0;
}
