/*
 * Typed and piped secrets: read and sealed out of the front's sight.
 */
#include "typing.h"

#include <string.h>

#include "p11vault/seal/record.h"

#define TYPING_SECONDS 300
#define SEALING_MS 30000

int typing_start(int keys, const char *file, struct room **ret_room, struct error *error)
{
    const struct room_start how = {
        .who = PARTY_EXCHANGE, .keys = keys, .inherit_input = !file, .env = NULL};
    return room_start(&how, ret_room, error);
}

int typing_read(struct room *room, const char *file, const char *prompt, const char *what,
                struct error *error)
{
    struct message message;
    int sent = channel_send(room_channel(room), read, error, .file = file ? file : "",
                            .prompt = prompt, .what = what, .seconds = TYPING_SECONDS);
    if (session_tell(room, sent, error) < 0)
        return -1;
    return session_expect(room, MESSAGE_TYPED, deadline_in((int64_t)(TYPING_SECONDS + 10) * 1000),
                          &message, error);
}

int typing_seal(struct room *room, const json_t *facts, const char *jwk, char **ret_jwe,
                struct error *error)
{
    auto_free char *text = NULL;
    struct message message;
    if (json_canonical(facts, &text, error) < 0)
        return -1;
    int sent = channel_send(room_channel(room), seal, error, .facts = text, .jwk = jwk);
    if (session_tell(room, sent, error) < 0 ||
        session_expect(room, MESSAGE_ISSUED, deadline_in(SEALING_MS), &message, error) < 0)
        return -1;
    *ret_jwe = strdup(message.issued.jwe);
    return *ret_jwe ? 0 : error_memory(error);
}

json_t *typing_facts(const struct name *name, int64_t version, const char *provider,
                     const json_t *origins)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:O}", "v", RECORD_FORMAT, "app", name->app,
                     "name", name->full, "kind", name->kind, "version", (json_int_t)version,
                     "provider", provider, "origins", origins);
}
