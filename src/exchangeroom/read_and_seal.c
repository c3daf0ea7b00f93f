/*
 * What a person types or pipes in, read and sealed by a room that was never connected.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/scrub.h"
#include "p11vault/confine/confine.h"
#include "p11vault/pin/typed.h"

/* read: file, prompt, what it is, seconds */
int exchangeroom_read(struct exchangeroom *room, const struct message *order, struct error *error)
{
    const char *file = message_text(order, 0);
    const char *what = message_text(order, 2);
    uint64_t seconds = message_number(order, 3);
    struct deadline deadline = deadline_in((int64_t)(seconds < 3600 ? seconds : 3600) * 1000);
    int result;
    if (*file)
        result = typed_file(file, TYPED_MAX, &room->typed, error);
    else if (isatty(STDIN_FILENO))
        result = typed_ask(message_text(order, 1), TYPED_MAX, deadline, &room->typed, error);
    else
        result = typed_descriptor(STDIN_FILENO, TYPED_MAX, deadline, &room->typed, error);
    /* Whatever comes next needs neither files nor sockets, as after connecting. */
    if (result < 0 || typed_check_token(room->typed, what, error) < 0 ||
        (CONFINE_WALLS && confine_lock(error) < 0))
        return -1;
    scrub_stack_and_registers();
    return channel_send_empty(room->inside.front, MESSAGE_TYPED, error);
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

/* seal: facts, public JWK ("": the one the card room names) */
int exchangeroom_seal(struct exchangeroom *room, const struct message *order, struct error *error)
{
    const char *facts_text = message_text(order, 0);
    const char *jwk = message_text(order, 1);
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
    return channel_send(room->inside.front, MESSAGE_ISSUED, error, NUMBER(0), TEXT(jwe),
                        TEXT(facts_text));
}
