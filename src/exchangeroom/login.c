/*
 * A login: this room makes the dialog's address and takes the answer, so that the code passes through nobody else.
 */
#include <string.h>

#include "exchangeroom.h"
#include "loopback.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/dialog.h"
#include "p11vault/oauth/parameters.h"
#include "p11vault/pin/typed.h"

#define PASTE_PROMPT "address that the browser was sent to: "
#define LONGEST_SECONDS 3600

struct login {
    const struct provider *provider;
    const char *dialog_origin;
    struct oauth_dialog dialog;
    struct secret *state; /* whoever knows it can answer in the provider's place */
    char challenge[OAUTH_CHALLENGE_SIZE];
    unsigned port; /* 0: the answer is pasted */
    struct deadline deadline;
};

static void login_clear(struct login *login)
{
    secret_free(login->state);
}

/* Proof Key for Code Exchange (RFC 7636), where the dialog takes it. */
static int make_challenge(struct exchangeroom *room, struct login *login, struct error *error)
{
    if (!oauth_dialog_takes_pkce(login->provider, &login->dialog))
        return 0;
    if (oauth_random_text(&room->verifier, error) < 0 ||
        oauth_pkce_challenge(room->verifier, login->challenge, error) < 0)
        return -1;
    login->dialog.code_challenge = login->challenge;
    return 0;
}

static int tell_dialog(struct exchangeroom *room, const struct login *login, struct error *error)
{
    auto_of(secret_free) struct secret *url = NULL;
    if (oauth_dialog_url(login->provider, login->dialog_origin, &login->dialog, login->state, &url,
                         error) < 0)
        return -1;
    int sent =
        channel_send(room->inside.front, dialog, error, .url = (const char *)secret_data(url));
    secret_free(TAKE(url));
    scrub_stack_and_registers();
    return sent;
}

static struct oauth_awaited awaited(const struct login *login)
{
    return (struct oauth_awaited){.state = login->state, .issuer = login->dialog_origin};
}

/* What is no answer to this login was mistyped or is of another one: the person may try again at once. */
static int paste(struct exchangeroom *room, const struct login *login,
                 struct oauth_redirect *ret_redirect, struct error *error)
{
    auto_of(secret_free) struct secret *text = NULL;
    const struct oauth_awaited answer = awaited(login);
    if (tell_dialog(room, login, error) < 0)
        return -1;
    int result = isatty(STDIN_FILENO)
                     ? typed_ask(PASTE_PROMPT, TYPED_MAX, login->deadline, &text, error)
                     : typed_descriptor(STDIN_FILENO, TYPED_MAX, login->deadline, &text, error);
    if (result < 0)
        return -1;
    return oauth_redirect_read(text, &answer, ret_redirect, error);
}

static int listen_for(struct exchangeroom *room, const struct login *login,
                      struct oauth_redirect *ret_redirect, struct error *error)
{
    auto_of(loopback_free) struct loopback *loopback = NULL;
    const struct oauth_awaited answer = awaited(login);
    if (loopback_open(login->dialog.redirect_uri, login->port, &loopback, error) < 0 ||
        tell_dialog(room, login, error) < 0)
        return -1;
    return loopback_wait(loopback, &answer, login->deadline, ret_redirect, error);
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

int exchangeroom_login(struct exchangeroom *room, const struct message *order, struct error *error)
{
    auto_free char *origin = strdup(order->login.origin);
    auto_json json_t *json = NULL;
    auto_redirect struct oauth_redirect redirect = {0};
    const char *text = order->login.dialog;
    uint64_t seconds = order->login.seconds;
    __attribute__((cleanup(login_clear))) struct login login = {
        .provider = provider_find(order->login.provider),
        .port = (unsigned)order->login.port,
        .deadline =
            deadline_in((int64_t)(seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS) * 1000)};
    if (!origin)
        return error_memory(error);
    if (!login.provider || order->login.port > 65535)
        return error_set(error, CODE_FAULT, "invalid login");
    login.dialog_origin = *origin ? origin : login.provider->dialog_origin;
    if (json_parse(text, strlen(text), "dialog", &json, error) < 0 ||
        oauth_dialog_from_json(json, &login.dialog, error) < 0 ||
        oauth_random_text(&login.state, error) < 0 || make_challenge(room, &login, error) < 0)
        return -1;
    if ((login.port == 0 ? paste : listen_for)(room, &login, &redirect, error) < 0)
        return -1;
    scrub_stack_and_registers();
    if (redirect.verdict.action != CODE_DONE)
        return fail(&redirect.verdict, error);
    room->code = TAKE(redirect.code);
    return channel_send(room->inside.front, came, error);
}
