/*
 * The head of the log that the card keeps: what the card room is told about it, and what is remembered of it here.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/base/log.h"
#include "p11vault/vault/anchor.h"
#include "session.h"

struct gone {
    const char *serial;
    bool had_one;
};

static int look_for(void *context, const struct vault_anchor *anchor, struct error *error)
{
    (void)error;
    struct gone *gone = context;
    if (strcmp(anchor->serial, gone->serial) == 0)
        gone->had_one = anchor->size > 0;
    return 0;
}

/* One that only who knows the PIN could take away. */
static void tell_when_gone(struct session *session)
{
    struct error ignored;
    char text[ERROR_TEXT_MAX];
    struct front *front = session->front;
    struct gone gone = {session->serial, false};
    if (!front->say || vault_anchor_each(front->vault, look_for, &gone, &ignored) != 0 ||
        !gone.had_one)
        return;
    (void)snprintf(text, sizeof(text),
                   "note: the head of the log that card '%s' kept is gone from it",
                   session->serial);
    front->say(text);
}

int session_take_anchor(struct session *session, const char *serial, const char *text,
                        struct error *error)
{
    (void)snprintf(session->serial, sizeof(session->serial), "%s", serial);
    error_clean(session->serial);
    session->anchor = (struct checkpoint){.size = 0};
    if (*text == '\0') {
        tell_when_gone(session);
        return 0;
    }
    if (checkpoint_parse(text, strlen(text), &session->anchor, error) < 0 ||
        strcmp(session->anchor.origin, session->front->vault->origin) != 0)
        return error_set(error, CODE_FAULT, "the card room named a head of another log");
    return 0;
}

int session_tell_extension(struct session *session, const struct signed_head *head,
                           struct error *error)
{
    auto_buffer struct buffer proof = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
    uint64_t first = session->anchor.size;
    if (first == 0 || first >= head->checkpoint.size)
        return 0;
    if (vault_consistency(session->front->vault, first, head->checkpoint.size, &proof, error) < 0)
        return -1;
    int sent = channel_send(room_channel(session->card), extends, error,
                            .proof = {proof.data, proof.size});
    return session_tell(session->card, sent, error);
}

/* What cannot be remembered is told again next time. */
void session_note_anchor(struct session *session, const struct message *signed_message)
{
    struct error ignored;
    bool is_news;
    auto_free char *words = NULL;
    auto_free char *note = NULL;
    struct front *front = session->front;
    const char *kind = signed_message->signed_head.anchor_kind;
    const struct vault_anchor anchor = {session->serial, kind,
                                        signed_message->signed_head.anchor_size,
                                        signed_message->signed_head.anchor_failure};
    if (vault_anchor_keep(front->vault, &anchor, &is_news, &ignored) < 0) {
        log_info("the head on the card is not remembered: %s", ignored.text);
        is_news = true;
    }
    bool is_fine = strcmp(kind, "card") == 0 && *anchor.why == '\0';
    if (!is_news || is_fine || !front->say || vault_anchor_words(&anchor, &words, &ignored) < 0 ||
        asprintf(&note, "note: %s", words) < 0)
        return;
    error_clean(note);
    front->say(note);
}
