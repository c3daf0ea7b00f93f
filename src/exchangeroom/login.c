/*
 * A login: this room makes the dialog's address and takes the answer, so that the code passes through nobody else.
 */
#include <string.h>

#include "exchangeroom.h"
#include "loopback.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/dialog.h"
#include "p11vault/oauth/parameters.h"
#include "p11vault/pin/typed.h"

#define STATE_BYTES 32
#define STATE_SIZE (BASE64URL_SIZE(STATE_BYTES) + 1)
#define PASTE_PROMPT "address that the browser was sent to: "
#define LONGEST_SECONDS 3600

struct login {
    const struct provider *provider;
    const char *dialog_origin; /* NULL: the provider's own */
    struct oauth_dialog dialog;
    char state[STATE_SIZE];
    char challenge[OAUTH_CHALLENGE_SIZE];
    unsigned port; /* 0: the answer is pasted */
    struct deadline deadline;
};

static int make_state(char ret_state[STATE_SIZE], struct error *error)
{
    uint8_t bytes[STATE_BYTES];
    auto_buffer struct buffer text = BUFFER_UP_TO(STATE_SIZE);
    if (random_bytes(bytes, sizeof(bytes), error) < 0 ||
        base64url_put(&text, bytes, sizeof(bytes), error) < 0)
        return -1;
    memcpy(ret_state, buffer_text(&text), STATE_SIZE);
    return 0;
}

/* Proof Key for Code Exchange (RFC 7636), where the dialog offers it: together with OpenID Connect. */
static int make_challenge(struct exchangeroom *room, struct login *login, struct error *error)
{
    const char *scopes = login->dialog.scopes;
    if (!scopes || !strstr(scopes, "openid"))
        return 0;
    if (oauth_pkce_verifier_new(&room->verifier, error) < 0 ||
        oauth_pkce_challenge(room->verifier, login->challenge, error) < 0)
        return -1;
    login->dialog.code_challenge = login->challenge;
    return 0;
}

static int tell_dialog(struct exchangeroom *room, const struct login *login, struct error *error)
{
    auto_buffer struct buffer url = BUFFER_UP_TO(OAUTH_DIALOG_URL_MAX);
    if (oauth_dialog_url(login->provider, login->dialog_origin, &login->dialog, &url, error) < 0)
        return -1;
    return channel_send(room->inside.front, MESSAGE_DIALOG, error, TEXT(buffer_text(&url)));
}

/* What is no answer to this login was mistyped or is of another one: the person may try again at once. */
static int paste(struct exchangeroom *room, const struct login *login,
                 struct oauth_redirect *ret_redirect, struct error *error)
{
    auto_of(secret_free) struct secret *text = NULL;
    if (tell_dialog(room, login, error) < 0)
        return -1;
    int result = isatty(STDIN_FILENO)
                     ? typed_ask(PASTE_PROMPT, TYPED_MAX, login->deadline, &text, error)
                     : typed_descriptor(STDIN_FILENO, TYPED_MAX, login->deadline, &text, error);
    if (result < 0)
        return -1;
    return oauth_redirect_read(text, login->state, ret_redirect, error);
}

static int listen_for(struct exchangeroom *room, const struct login *login,
                      struct oauth_redirect *ret_redirect, struct error *error)
{
    auto_of(loopback_free) struct loopback *loopback = NULL;
    if (loopback_open(login->dialog.redirect_uri, login->port, &loopback, error) < 0 ||
        tell_dialog(room, login, error) < 0)
        return -1;
    return loopback_wait(loopback, login->state, login->deadline, ret_redirect, error);
}

/* Cancelled, or refused by the dialog; its code is all that leads on in the provider's documents. */
static int fail(const struct oauth_verdict *verdict, struct error *error)
{
    if (verdict->provider_code != 0)
        error_set(error, verdict->action, "%s (code %lld)", verdict->message,
                  (long long)verdict->provider_code);
    else
        error_set(error, verdict->action, "%s", verdict->message);
    return *verdict->hint ? error_hint(error, "%s", verdict->hint) : -1;
}

/* login: provider, dialog's origin, dialog, port, seconds */
int exchangeroom_login(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_free char *origin = strdup(message_text(order, 1));
    auto_json json_t *json = NULL;
    auto_redirect struct oauth_redirect redirect = {0};
    const char *text = message_text(order, 2);
    uint64_t seconds = message_number(order, 4);
    struct login login = {
        .provider = provider_find(message_text(order, 0)),
        .dialog_origin = origin && *origin ? origin : NULL,
        .port = (unsigned)message_number(order, 3),
        .deadline =
            deadline_in((int64_t)(seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS) * 1000)};
    if (!origin)
        return error_memory(error);
    if (!login.provider || message_number(order, 3) > 65535)
        return error_set(error, CODE_FAULT, "a login that is none");
    if (json_parse(text, strlen(text), "dialog", &json, error) < 0 ||
        oauth_dialog_from_json(json, &login.dialog, error) < 0 ||
        make_state(login.state, error) < 0 || make_challenge(room, &login, error) < 0)
        return -1;
    login.dialog.state = login.state;
    if ((login.port == 0 ? paste : listen_for)(room, &login, &redirect, error) < 0)
        return -1;
    scrub_stack_and_registers();
    if (redirect.verdict.action != CODE_DONE)
        return fail(&redirect.verdict, error);
    room->code = TAKE(redirect.code);
    return channel_send_empty(room->inside.front, MESSAGE_CAME, error);
}
