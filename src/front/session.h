/*
 * session.h: one use of a card: the card room, what it is told of the log, and the keys it hands out.
 */
#ifndef P11VAULT_SRC_FRONT_SESSION_H
#define P11VAULT_SRC_FRONT_SESSION_H

#include "p11vault/front/front.h"
#include "p11vault/ipc/room.h"
#include "p11vault/vault/uses.h"

/* A person may have to find and type a PIN. */
#define PIN_MS 150000
#define PIN_SOURCE_MAX 4096
#define PINENTRY "pinentry:"

#define SERIAL_MAX 128

/* After this long without an answer the person is told who is waited for. */
#define SLOW_MS 1000

struct session {
    struct front *front;
    struct room *card;
    int keys_in, keys_out; /* the ends of the one-way channel until the rooms have them; or -1 */
    char use[USE_SIZE];
    int use_lock;
    int app_lock;         /* on the app whose key is used, or -1; held until everything is kept */
    uint64_t told;        /* entries that the room knows of; 0: none behind the head yet */
    uint64_t signed_size; /* of the checkpoint that was signed; 0: none */
    char serial[SERIAL_MAX];
    struct checkpoint anchor; /* the head that the card keeps; size 0: none */
    bool may_want_touch;      /* the card, before it works */
};

#define SESSION_NONE                                                                               \
    ((struct session){.keys_in = -1, .keys_out = -1, .use_lock = -1, .app_lock = -1})
void session_clear(struct session *session);
#define auto_session __attribute__((cleanup(session_clear)))

/* How long the card room may take for one order. */
struct deadline session_deadline(const struct config_module *module);

/* Starts a card room for a module. */
int session_start_room(const struct config_module *module, int keys, struct room **ret_room,
                       struct error *error);

/*
 * Sends and receives on a room's channel: when the room has failed, its own words are the error; when it has died, how.
 */
int session_tell(struct room *room, int sent, struct error *error);
int session_expect(struct room *room, enum message_type type, struct deadline deadline,
                   struct message *ret_message, struct error *error);

/* The same of the card room: the person sees that the card is waited for. */
int session_expect_of_card(struct session *session, enum message_type type,
                           struct deadline deadline, struct message *ret_message,
                           struct error *error);

/*
 * Waits until a room says something, ends, or the deadline passes: the receiver says which.  With
 * `front` the person sees `whom` is waited for.  CODE_RETRY when a signal came that is held
 * (interrupt.h); the room is ended then.
 */
int session_await(const struct front *front, const char *whom, struct room *room,
                  struct deadline deadline, struct error *error);
/* After a failure before any key was handed out: one that a signal has caused is said so. */
void session_say_cancelled(struct error *error);

/* Before anything of a job: what died is closed, what was never signed is void, the log can be written. */
int session_prepare(struct front *front, bool grants_trust, int *ret_trust_lock,
                    struct error *error);

/* The same, granting trust, for a store that may be older than what was seen: to go on from it. */
int session_prepare_older(struct front *front, int *ret_trust_lock, struct error *error);

/* After a failed job that grants trust, with the trust lock still held: what it added and nobody signed is void. */
void session_void_own(struct front *front);

/*
 * A new use: its id, its lock, its intent.  `members` (taken) has verb, name, card, origin, opens
 * and seals.  From here on signals that would end this program are held, until interrupt_release().
 */
int session_begin_use(struct session *session, json_t *members, struct error *error);

/* The intent of a use that opens no record and makes none: of cards, of the log itself. */
int session_begin_plain_use(struct session *session, const char *verb, const char *name,
                            struct error *error);

/* The same without an intent: each use of the batch has its own, which names this one's id as "batch". */
int session_begin_batch(struct session *session, struct error *error);

/* Closes the use: all went well, and the log was signed. */
int session_end_use(struct session *session, struct error *error);
/* Closes the use with a failure, when nothing else has closed it. */
void session_fail_use(struct session *session, const struct error *failure);

/*
 * Where the PIN comes from without a person: a path, or "" when somebody is asked; "pinentry:PATH" asks by a program.
 * CODE_CONFIG when a systemd credential is named and there is none.
 */
int session_pin_source(const struct front *front, char ret_source[PIN_SOURCE_MAX],
                       struct error *error);

/* What an order to enrol or export names, before anything else is done: CODE_USAGE. */
int session_check_keys(const struct front_keys *keys, struct error *error);

/* From the order to the login's end and what follows it: `type` is what the room says then. */
int session_await_login(struct session *session, const char *source, enum message_type type,
                        struct deadline deadline, struct message *ret_message, struct error *error);

/* Makes the one-way channel: `keys_in` for the card room, `keys_out` for the exchange room. */
int session_make_way(struct session *session, struct error *error);

/* Starts the card room for the cards of an app (kids, NULL: any trusted card) and waits until it is logged in. */
int session_open(struct session *session, const struct vault_cards *cards, const json_t *kids,
                 const char *purpose, size_t count, size_t slots, struct error *error);

/*
 * Tells the newest signed head; then, after what else is to be told, every entry behind it, or when that was done before, those that came
 * since.
 */
int session_tell_head(struct session *session, const struct signed_head *head, struct error *error);
int session_tell_tail(struct session *session, const struct signed_head *head, struct error *error);

/*
 * The head that the card keeps (session_anchor.c): taken from what the room says after the login; proved to it, behind the newest
 * signed head; remembered, and told to the person when it is news.
 */
int session_take_anchor(struct session *session, const char *serial, const char *text,
                        struct error *error);
int session_tell_extension(struct session *session, const struct signed_head *head,
                           struct error *error);
void session_note_anchor(struct session *session, const struct message *signed_message);

/* Tells an app and its key; and the cards that an app key is to be sealed to. */
int session_tell_app(struct session *session, const struct signed_head *head,
                     const struct vault_app *app, struct error *error);
int session_tell_recipients(struct session *session, const struct signed_head *head,
                            const struct vault_cards *cards, struct error *error);

/* An app key as the card room made or sealed it: its record, its kid, and the members of the entry about it. */
struct made {
    char *record, *kid;
    json_t *members;
};
void made_clear(struct made *made);
#define auto_made __attribute__((cleanup(made_clear)))
/* Orders `make` or `rekey` and takes what comes; the caller clears it, also after a failure. */
int session_take_made(struct session *session, const struct message *order, const char *app,
                      struct made *ret_made, struct error *error);

/* Orders `rewrap`, once the room was told of the intent, and takes what the log is to say; the record comes with the signature. */
int session_rewrap(struct session *session, const char *app, struct made *ret_made,
                   struct error *error);

/*
 * Has the log signed and keeps the checkpoint; the other takes the record of `rewrap` first (NULL:
 * there is none) and keeps it in the app's `row`, in the same change: what is signed and what is in
 * the store always agree.
 */
int session_sign(struct session *session, struct error *error);
int session_sign_sealed(struct session *session, struct made *made, struct store_app *row,
                        struct error *error);

/* Has the keys handed to the exchange room that it wants. */
int session_hand(struct session *session, const struct message *want, struct error *error);

#endif
