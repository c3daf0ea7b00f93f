/*
 * cardroom.h: inside p11vault-card, the only program that sees a PIN, a card and an app key.
 *
 * It serves one task and ends.  What it signs it has composed itself, from entries it has read one by one; what it
 * opens stands in an intent among them; and no key leaves it before that signature exists and the module is gone.
 */
#ifndef P11VAULT_SRC_CARDROOM_CARDROOM_H
#define P11VAULT_SRC_CARDROOM_CARDROOM_H

#include "p11vault/audit/checkpoint.h"
#include "p11vault/audit/merkle.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/json.h"
#include "p11vault/inside/inside.h"
#include "p11vault/pkcs11/card.h"
#include "p11vault/pkcs11/key.h"
#include "p11vault/seal/appkey.h"
#include "p11vault/seal/jwe.h"

#define USE_TEXT_SIZE 33
#define PURPOSE_SIZE 320
#define RECORDS_MAX 16384 /* the front's REKEY_RECORDS_MAX */
#define SLOTS_MAX RECORDS_MAX
#define GRANTING_MAX 64
#define APP_NAME_SIZE 65
#define KIND_SIZE 16 /* of the longest kind of key, and more */

/* An entry behind the checkpoint that grants trust and is not void: it must be this session's own. */
struct granting {
    uint64_t index;
    bool own;
    bool gives_up; /* it names the head that the card keeps as lost */
};

/* A record this use is to open. */
struct locked_record {
    char name[256];
    int64_t version;
    char digest[DIGEST_HEX_SIZE];
    char kid[THUMBPRINT_SIZE];
    struct ec_point epk;
    bool intended; /* an intent of this use names it */
};

/* A record this use may issue: sealed to a key whose private half was dropped at birth. */
struct slot {
    bool made;
    struct ec_point epk;
};

/* The newest head of the log that the card keeps (anchor.c). */
enum anchor_state { ANCHOR_UNPROVED, ANCHOR_HELD, ANCHOR_FORKED }; /* in the log as told */
struct anchor {
    bool found;
    struct checkpoint head;
    int64_t time; /* when it was written, in seconds since 1970 */
    enum anchor_state state;
};

struct cardroom {
    struct inside inside; /* its channels: the front's, and the one-way one to the exchange room */

    struct module *module;
    struct card *card;
    char serial[CARD_FIELD_MAX],
        label[CARD_FIELD_MAX]; /* kept for messages after the module is gone */

    char origin[NOTE_NAME_MAX];
    char use[USE_TEXT_SIZE];
    char purpose[PURPOSE_SIZE]; /* what the person was asked the PIN for */
    struct trust trust;
    uint64_t count, slot_count;

    /* the log as told: the newest signed head, and what came behind it */
    bool head_known, enrolling, intent_seen, use_closed;
    struct checkpoint head;
    struct merkle_frontier frontier;
    struct granting granting[GRANTING_MAX];
    size_t granting_count;
    struct anchor anchor;
    char (*batch_uses)[USE_TEXT_SIZE]; /* of a batch's intents */
    size_t batch_count;                /* 0: the use has an intent of its own */

    /* enrolment */
    char own_card_kid[THUMBPRINT_SIZE];
    struct note_key own_sign_key;

    /* the app */
    char app[APP_NAME_SIZE];
    char app_kid[THUMBPRINT_SIZE];
    bool app_made, app_rewrapped, app_rekeyed;
    char *app_record;
    struct appkey_card recipients[APPKEY_RECIPIENTS_MAX];
    char recipient_kids[APPKEY_RECIPIENTS_MAX][THUMBPRINT_SIZE];
    size_t recipient_count;
    struct secret *app_private;
    struct ec_point app_public;

    /* the app's next key, of a use that changes it: slots are sealed to this one */
    char next_kid[THUMBPRINT_SIZE];
    char *next_record;
    struct secret *next_private;
    struct ec_point next_public;

    struct locked_record *records;
    size_t record_count;
    size_t next_intended; /* behind the record that an intent named last */
    struct slot *slots;
};

/* One task each; the message is the order that began it. */
int cardroom_list(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_format(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_enroll(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_export(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_open(struct cardroom *room, const struct message *order, struct error *error);

/* Opens the card of an enrolment or export and logs in (login.c); `trust` NULL: there is no vault. */
struct newcomer {
    const char *module, *pin_source, *purpose, *origin, *trust;
    const struct card_uri *uri;
};
int cardroom_enroll_begin(struct cardroom *room, const struct newcomer *card, struct error *error);
int cardroom_login(struct cardroom *room, const char *pin_source, const char *purpose,
                   uint64_t count, struct error *error);

/* Ready: orders from `checkpoint` to `sign`, then keys are handed until the end. */
int cardroom_serve(struct cardroom *room, struct error *error);

/* The log as told (tail.c). */
int cardroom_checkpoint(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_entry(struct cardroom *room, const struct message *order, struct error *error);
/* Reads an entry that the signed head must cover; the caller drops it. */
int cardroom_signed_entry(struct cardroom *room, uint64_t index, const struct message_bytes *entry,
                          const struct message_bytes *proof, const char *type, json_t **ret_entry,
                          struct error *error);
/* Whether an entry is of the card whose export the person typed the PIN for, and is what that card says of itself (export.c). */
bool cardroom_is_vouched_for(const struct cardroom *room, const json_t *entry);
/* Everything behind the head may be signed. */
int cardroom_check_tail(const struct cardroom *room, struct error *error);

/* The head on the card (anchor.c): read after the login, with its text for the front; "" when there is none. */
int cardroom_anchor_read(struct cardroom *room, char ret_text[CHECKPOINT_TEXT_MAX],
                         struct error *error);
/* To be called when the log as told has grown. */
void cardroom_anchor_meet(struct cardroom *room);
int cardroom_extends(struct cardroom *room, const struct message *order, struct error *error);
/* CODE_LOG when the log as told does not contain it: the store was rolled back, or the log was forked. */
int cardroom_anchor_check(const struct cardroom *room, struct error *error);
/* Whether an entry names it as lost: then the log may be signed without it. */
bool cardroom_anchor_is_named(const struct cardroom *room, const json_t *entry);
/* Behind the signature, when it is due.  A failure costs nothing but the anchor: the code is CODE_DONE without one. */
void cardroom_anchor_write(struct cardroom *room, struct error *ret_failure);
/* "card", "weak" (the card's objects are files of this machine) or "none". */
const char *cardroom_anchor_kind(const struct cardroom *room);

/* App keys (appkeys.c). */
int cardroom_recipient(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_make(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_app(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_unlock(struct cardroom *room, const struct message *order, struct error *error);
int cardroom_unwrap(struct cardroom *room, struct error *error);
/* The public JWK of a key and its thumbprint; the kids of the recipients told.  The caller frees the texts. */
int cardroom_public_jwk(const struct ec_point *point, char ret_kid[THUMBPRINT_SIZE],
                        char **ret_text, struct error *error);
int cardroom_kids_text(const struct cardroom *room, char **ret_text, struct error *error);
/* App keys anew (appkey_anew.c). */
int cardroom_rewrap(struct cardroom *room, struct error *error);
/* After the signature: the record that `rewrap` has made, when it was ordered. */
int cardroom_tell_sealed(struct cardroom *room, struct error *error);
int cardroom_rekey(struct cardroom *room, struct error *error);
/* Names the key that is sealed to, to the exchange room, when there is one. */
int cardroom_name_app_key(struct cardroom *room, struct error *error);

/*
 * What an order to enrol or export says of the card's two keys; read before the login: nobody is
 * asked for a PIN in vain.
 */
struct wanted_keys {
    struct card_uri unwraps; /* may name the card alone */
    struct card_uri signs;
    bool is_sign_named; /* else it is made */
    char kind[KIND_SIZE];
};
int cardroom_wanted_keys(const char *uri, const char *kind, const char *sign,
                         struct wanted_keys *ret_wanted, struct error *error);
/* Finds or makes the two keys of an enrolment, and proves the one that unwraps (enroll.c). */
struct own_keys {
    struct card_key unwraps, signs;
    struct jwk jwk; /* of the one that unwraps */
    enum appkey_alg alg;
};
int cardroom_take_keys(struct cardroom *room, const struct wanted_keys *wanted,
                       struct own_keys *ret_keys, struct error *error);

/* The card's two keys (cardkeys.c). */
int cardroom_jwk(const struct public_key *key, struct jwk *ret_jwk, struct error *error);
int cardroom_find_by_kid(struct cardroom *room, const char *kid, struct card_key *ret_key,
                         struct error *error);
/* How a key of the trust file signs. */
enum key_padding cardroom_padding(const struct note_key *key);
/* Composes the checkpoint over the log as told, signs it, verifies the signature; the caller frees the note. */
int cardroom_sign(struct cardroom *room, char **ret_note, uint64_t *ret_size, struct error *error);

#endif
