/*
 * What a person types or pipes in, read and sealed by a room that was never connected.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/confine/confine.h"
#include "p11vault/pin/typed.h"

/* From a file (""; then from the terminal, where that is standard input, or else from it). */
static int read_typed(const char *file, const char *prompt, const char *what, uint64_t seconds,
                      struct secret **ret_secret, struct error *error)
{
    auto_of(secret_free) struct secret *secret = NULL;
    struct deadline deadline = deadline_in((int64_t)(seconds < 3600 ? seconds : 3600) * 1000);
    int result;
    if (*file)
        result = typed_file(file, TYPED_MAX, &secret, error);
    else if (isatty(STDIN_FILENO))
        result = typed_ask(prompt, TYPED_MAX, deadline, &secret, error);
    else
        result = typed_descriptor(STDIN_FILENO, TYPED_MAX, deadline, &secret, error);
    if (result < 0 || typed_check_token(secret, what, error) < 0)
        return -1;
    *ret_secret = TAKE(secret);
    return 0;
}

int exchangeroom_read(struct exchangeroom *room, const struct message *order, struct error *error)
{
    /* Whatever comes next needs neither files nor sockets, as after connecting. */
    if (read_typed(order->read.file, order->read.prompt, order->read.what, order->read.seconds,
                   &room->typed, error) < 0 ||
        (CONFINE_WALLS && confine_lock(error) < 0))
        return -1;
    scrub_stack_and_registers();
    return channel_send(room->inside.front, typed, error);
}

/*
 * client-token: file, seconds.  It connects afterwards, so this is kept apart from what is read to
 * be sealed.
 */
int exchangeroom_client_token(struct exchangeroom *room, const struct message *order,
                              struct error *error)
{
    if (read_typed(order->client_token.file, "client token, from the app's dashboard: ",
                   "client token", order->client_token.seconds, &room->client_token, error) < 0 ||
        oauth_client_token_check(room->client_token, error) < 0)
        return -1;
    scrub_stack_and_registers();
    return channel_send(room->inside.front, came, error);
}

int exchangeroom_take_app_key(struct exchangeroom *room, const char *jwk, struct error *error)
{
    auto_json json_t *json = NULL;
    struct jwk key;
    if (json_parse(jwk, strlen(jwk), "app key", &json, error) < 0 ||
        jwk_from_json(json, &key, error) < 0 || jwk_thumbprint(&key, room->app_kid, error) < 0)
        return -1;
    if (key.type != JWK_P256)
        return error_set(error, CODE_LOG, "the app key is no P-256 key");
    room->app_key = key.point;
    room->app_known = true;
    return 0;
}

int exchangeroom_seal(struct exchangeroom *room, const struct message *order, struct error *error)
{
    const char *facts_text = order->seal.facts;
    const char *jwk = order->seal.jwk;
    auto_json json_t *facts = NULL;
    auto_of(secret_free) struct secret *payload = NULL;
    auto_free char *jwe = NULL;
    if ((*jwk ? exchangeroom_take_app_key(room, jwk, error)
              : exchangeroom_wait_app_key(room, error)) < 0)
        return -1;
    if (json_parse(facts_text, strlen(facts_text), "facts", &facts, error) < 0 ||
        record_compose(facts, room->typed, &payload, error) < 0 ||
        jwe_seal_to(&room->app_key, payload, &jwe, error) < 0)
        return -1;
    secret_free(TAKE(payload));
    secret_free(TAKE(room->typed));
    scrub_stack_and_registers();
    return channel_send(room->inside.front, issued, error, .n = 0, .jwe = jwe, .facts = facts_text);
}
