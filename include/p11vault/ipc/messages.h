/*
 * messages.h: every message the three programs exchange, on one page.
 *
 * The rooms are started by the front with one SOCK_SEQPACKET channel each; one packet is one message, at most
 * MESSAGE_MAX bytes.  A third, one-way channel leads from the card room to the exchange room: keys do not pass through
 * the front.  A row of MESSAGE_TABLE says who may send a message to whom, in which states of the conversation, which
 * state follows, and what its fields are.  It makes the struct of the message; both ends encode, decode and check by it,
 * and end the conversation on a message that is not allowed now.
 *
 * One exchange:
 *
 *   front                          card room                      exchange room
 *   open ───────────────────────────▶ asks for the PIN; when nobody types it:
 *        ◀─────────────────────────── trying
 *   try ────────────────────────────▶ reads it
 *        ◀─────────────────────────── tried
 *        ◀─────────────────────────── logged_in, ready
 *   connect ───────────────────────────────────────────────────────▶ resolve, TLS, lock for good
 *        ◀────────────────────────────────────────────────────────── connected
 *   checkpoint extends entry… app unlock… sign ▶ checks, signs, unwraps, finalises the module
 *        ◀─────────────────────────── signed
 *   record… slot… step ────────────────────────────────────────────▶
 *        ◀────────────────────────────────────────────────────────── want n m
 *   hand n m ───────────────────────▶ key n m ───────────────────────▶ opens, sends, wipes, waits, reads
 *        ◀─────────────────────────── handed n m
 *        ◀────────────────────────────────────────────────────────── want slot          (when something was issued)
 *   hand slot ──────────────────────▶ key slot ──────────────────────▶ seals, wipes
 *        ◀────────────────────────────────────────────────────────── issued, outcome    (then the next step)
 *   end ────────────────────────────▶ wipes the app key
 *
 * An app key that is sealed anew is unwrapped before the signature, because the digest of what comes of it must stand in the log; so the
 * record stays in the card room until the signature, and the intent is told first:
 *
 *   checkpoint app recipient… entry… rewrap ▶ sees the intent, unwraps, seals, forgets the key
 *        ◀─────────────────────────── rewrapped: the digest, which goes into the log
 *   entry… sign ────────────────────▶ checks, signs, finalises the module
 *        ◀─────────────────────────── signed, sealed
 *
 * A call of the caller's own choice (STEP_CALL) has content before its outcome: what the server answered, scrubbed.
 *
 * All keys that are needed at once are asked for at once and come in one packet, so that none of them waits for another.
 *
 * Records and slots are told for one step and forgotten at its outcome.  A step that lists grants offers each of them;
 * the front names a slot for it (take) or lets it go (pass).  A login comes before connecting: the room makes the dialog's
 * address and takes its answer, so that the code does not pass through the front either.  Nor does
 * the client token of a device login, which the room reads itself.
 */
#ifndef P11VAULT_IPC_MESSAGES_H
#define P11VAULT_IPC_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX ((size_t)64 * 1024)
#define MESSAGE_VERSION 6

#define MESSAGE_NO_RECORD UINT64_MAX /* in `step`, and as the second key: there is none */

enum party { PARTY_FRONT, PARTY_CARD, PARTY_EXCHANGE };

/* The states of the three conversations. */
enum state {
    CARD_NEW, /* the room waits for its one task */
    CARD_LISTING,
    CARD_FORMATTING,
    CARD_ENROLLING,
    CARD_OPENING, /* PIN, login */
    CARD_READY,   /* logged in: the front tells what it is about */
    CARD_MAKING,
    CARD_SIGNING,
    CARD_KEYS, /* logged out, module finalised: keys can be handed */
    CARD_HANDING,
    EXCHANGE_NEW,
    EXCHANGE_READING,
    EXCHANGE_TYPED,
    EXCHANGE_SEALING,
    EXCHANGE_ASKING, /* the dialog is open, its answer is awaited */
    EXCHANGE_CAME,   /* the code is there */
    EXCHANGE_CONNECTING,
    EXCHANGE_LOCKED, /* connected and confined for good */
    EXCHANGE_STEPPING,
    EXCHANGE_OFFERING,
    EXCHANGE_SHUT,   /* confined for good without a connection: it only opens and seals */
    EXCHANGE_MOVING, /* shut, and at such a task */
    KEYS_FLOW, /* the one-way channel */
    STATE_OVER,
    STATE_SAME, /* in the table: the state does not change */
};

#define IN(state) (UINT32_C(1) << (state))
#define IN_ANY(first, last) ((IN(last) << 1) - IN(first))
#define CARD_BUSY IN_ANY(CARD_NEW, CARD_HANDING)
#define CARD_LOGGING_IN (IN(CARD_ENROLLING) | IN(CARD_OPENING))
#define EXCHANGE_BUSY IN_ANY(EXCHANGE_NEW, EXCHANGE_MOVING)
#define EXCHANGE_CONFINED (IN(EXCHANGE_LOCKED) | IN(EXCHANGE_SHUT))
#define EXCHANGE_SEALS (IN(EXCHANGE_STEPPING) | IN(EXCHANGE_SEALING) | IN(EXCHANGE_MOVING))

#define FRONT_TO_CARD PARTY_FRONT, PARTY_CARD
#define CARD_TO_FRONT PARTY_CARD, PARTY_FRONT
#define CARD_TO_EXCHANGE PARTY_CARD, PARTY_EXCHANGE
#define FRONT_TO_EXCHANGE PARTY_FRONT, PARTY_EXCHANGE
#define EXCHANGE_TO_FRONT PARTY_EXCHANGE, PARTY_FRONT

/* ROW(CONSTANT, name, who to whom, the states it is allowed in, the state that follows, (KIND, field)...) */
/* clang-format off */
#define MESSAGE_TABLE(ROW) \
    /* List the cards of a module. */ \
    ROW(LIST, list, FRONT_TO_CARD, IN(CARD_NEW), CARD_LISTING, (TEXT, module)) \
    /* Make a SoftHSM card; its PIN files go into the directory. */ \
    ROW(FORMAT, format, FRONT_TO_CARD, IN(CARD_NEW), CARD_FORMATTING, \
        (TEXT, module), (TEXT, directory), (TEXT, label)) \
    /* `sign`: the URI of the signing key, or "". */ \
    ROW(ENROLL, enroll, FRONT_TO_CARD, IN(CARD_NEW), CARD_ENROLLING, \
        (TEXT, module), (TEXT, uri), (TEXT, pin_source), (TEXT, purpose), (TEXT, kind), \
        (TEXT, sign), (TEXT, origin), \
        (TEXT, trust)) \
    /* What the card says of itself, signed. */ \
    ROW(EXPORT, export, FRONT_TO_CARD, IN(CARD_NEW), CARD_ENROLLING, \
        (TEXT, module), (TEXT, uri), (TEXT, pin_source), (TEXT, purpose), (TEXT, kind), \
        (TEXT, sign)) \
    /* Log in for one use of `count` records and `slots` new ones; `uris`: one a line. */ \
    ROW(OPEN, open, FRONT_TO_CARD, IN(CARD_NEW), CARD_OPENING, \
        (TEXT, module), (TEXT, uris), (TEXT, pin_source), (TEXT, purpose), (NUMBER, count), \
        (NUMBER, slots), \
        (TEXT, use), (TEXT, origin), (TEXT, trust)) \
    /* The newest note ("": none) and the tree's frontier, 32 bytes a node. */ \
    ROW(CHECKPOINT, checkpoint, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, (TEXT, note), \
        (BYTES, frontier)) \
    /* A consistency proof from the head that the card keeps, when that is older than the \
     * newest note. */ \
    ROW(EXTENDS, extends, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, (BYTES, proof)) \
    /* Every entry behind the checkpoint, in order. */ \
    ROW(ENTRY, entry, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, (NUMBER, index), \
        (BYTES, entry)) \
    /* A card's entry, and its inclusion proof under the checkpoint. */ \
    ROW(RECIPIENT, recipient, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, \
        (NUMBER, index), (BYTES, entry), (BYTES, proof)) \
    /* Make an app key for the recipients named. */ \
    ROW(MAKE, make, FRONT_TO_CARD, IN(CARD_READY), CARD_MAKING, (TEXT, app)) \
    /* The app key's record, its entry and the proof of that. */ \
    ROW(APP, app, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, \
        (TEXT, app), (TEXT, record), (NUMBER, index), (BYTES, entry), (BYTES, proof)) \
    /* Seal that key anew, to the recipients named; behind the entry with this use's intent. */ \
    ROW(REWRAP, rewrap, FRONT_TO_CARD, IN(CARD_READY), CARD_MAKING) \
    /* Make a new key for that app, for the recipients named: what is sealed in this use is \
     * sealed to it. */ \
    ROW(REKEY, rekey, FRONT_TO_CARD, IN(CARD_READY), CARD_MAKING) \
    /* A record that this use is to open. */ \
    ROW(UNLOCK, unlock, FRONT_TO_CARD, IN(CARD_READY), STATE_SAME, \
        (NUMBER, n), (TEXT, name), (NUMBER, version), (TEXT, jwe)) \
    /* Everything is said: check, sign, unwrap. */ \
    ROW(SIGN, sign, FRONT_TO_CARD, IN(CARD_READY), CARD_SIGNING) \
    /* Send these keys to the exchange room; `second` may be none. */ \
    ROW(HAND, hand, FRONT_TO_CARD, IN(CARD_KEYS), CARD_HANDING, (NUMBER, n), (NUMBER, second)) \
    /* The channel to a new exchange room. */ \
    ROW(AGAIN, again, FRONT_TO_CARD, IN(CARD_KEYS), STATE_SAME, (FD, keys)) \
    /* Go on: it stands written; the PIN may be read and tried. */ \
    ROW(TRY, try, FRONT_TO_CARD, CARD_LOGGING_IN, STATE_SAME) \
    ROW(CARD_END, card_end, FRONT_TO_CARD, CARD_BUSY, STATE_OVER) \
    \
    ROW(FOUND, found, CARD_TO_FRONT, IN(CARD_LISTING), STATE_SAME, \
        (TEXT, serial), (TEXT, label), (TEXT, model), (TEXT, manufacturer), (TEXT, pin_state), \
        (TEXT, can)) \
    ROW(LISTED, listed, CARD_TO_FRONT, IN(CARD_LISTING), STATE_OVER, (NUMBER, count)) \
    ROW(FORMATTED, formatted, CARD_TO_FRONT, IN(CARD_FORMATTING), STATE_OVER, (TEXT, serial), \
        (TEXT, label)) \
    ROW(ENROLLED, enrolled, CARD_TO_FRONT, IN(CARD_ENROLLING), CARD_READY, \
        (TEXT, serial), (TEXT, label), (TEXT, model), (TEXT, manufacturer), (TEXT, kid), \
        (TEXT, jwk), (TEXT, alg), \
        (TEXT, vkey), (TEXT, fingerprint), (TEXT, anchor)) \
    /* `statement` is JSON. */ \
    ROW(EXPORTED, exported, CARD_TO_FRONT, IN(CARD_ENROLLING), STATE_OVER, \
        (TEXT, serial), (TEXT, statement), (TEXT, signature), (TEXT, fingerprint)) \
    /* Logged in; the head on the card ("": none). */ \
    ROW(READY, ready, CARD_TO_FRONT, IN(CARD_OPENING), CARD_READY, (TEXT, serial), \
        (TEXT, label), (TEXT, anchor)) \
    /* `cards`: the kids of the recipients, a JSON array. */ \
    ROW(MADE, made, CARD_TO_FRONT, IN(CARD_MAKING), CARD_READY, \
        (TEXT, record), (TEXT, jwk), (TEXT, kid), (TEXT, cards)) \
    /* The SHA-256 of the app key's record in hex: it goes into the log. */ \
    ROW(REWRAPPED, rewrapped, CARD_TO_FRONT, IN(CARD_MAKING), CARD_READY, \
        (TEXT, digest), (TEXT, jwk), (TEXT, kid), (TEXT, cards)) \
    /* The note; the head on the card: card, weak or none, its size, why it could not be \
     * written. */ \
    ROW(SIGNED, signed_head, CARD_TO_FRONT, IN(CARD_SIGNING), CARD_KEYS, \
        (TEXT, note), (NUMBER, size), (TEXT, anchor_kind), (NUMBER, anchor_size), \
        (TEXT, anchor_failure)) \
    /* The app key's record, once its digest is signed for. */ \
    ROW(SEALED, sealed, CARD_TO_FRONT, IN(CARD_KEYS), STATE_SAME, (TEXT, record)) \
    ROW(HANDED, handed, CARD_TO_FRONT, IN(CARD_HANDING), CARD_KEYS, (NUMBER, n), \
        (NUMBER, second)) \
    /* A PIN that nobody types is about to be read and tried. */ \
    ROW(TRYING, trying, CARD_TO_FRONT, CARD_LOGGING_IN, STATE_SAME, (TEXT, serial)) \
    /* What the card said of it, also when it was typed: enum pin_verdict. */ \
    ROW(TRIED, tried, CARD_TO_FRONT, CARD_LOGGING_IN, STATE_SAME, (NUMBER, verdict)) \
    /* 1 for a card that may blink for a touch: from now on it is the card that is waited \
     * for. */ \
    ROW(LOGGED_IN, logged_in, CARD_TO_FRONT, CARD_LOGGING_IN, STATE_SAME, \
        (NUMBER, may_want_touch)) \
    ROW(CARD_FAIL, card_fail, CARD_TO_FRONT, CARD_BUSY, STATE_OVER, (NUMBER, code), \
        (TEXT, text), (TEXT, hint)) \
    \
    ROW(APPKEY, appkey, CARD_TO_EXCHANGE, IN(KEYS_FLOW), STATE_SAME, (TEXT, jwk)) \
    /* One key, or two; epk (65 bytes) and content key (32 bytes) of a second that is none \
     * are empty. */ \
    ROW(KEY, key, CARD_TO_EXCHANGE, IN(KEYS_FLOW), STATE_SAME, \
        (NUMBER, n), (BYTES, epk), (SECRET, content_key), \
        (NUMBER, second), (BYTES, second_epk), (SECRET, second_content_key)) \
    \
    /* Read what a person types, or a file (""  means terminal or standard input). */ \
    ROW(READ, read, FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW), EXCHANGE_READING, \
        (TEXT, file), (TEXT, prompt), (TEXT, what), (NUMBER, seconds)) \
    /* Seal it to a public JWK ("": the one that the card room sends). */ \
    ROW(SEAL, seal, FRONT_TO_EXCHANGE, IN(EXCHANGE_TYPED), EXCHANGE_SEALING, (TEXT, facts), \
        (TEXT, jwk)) \
    /* What a device login is authorised by, from a file ("": terminal or standard input). */ \
    ROW(CLIENT_TOKEN, client_token, FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW), EXCHANGE_ASKING, \
        (TEXT, file), (NUMBER, seconds)) \
    /* The dialog's origin ("": the provider's) and what it asks for (JSON); port 0: the \
     * answer is pasted. */ \
    ROW(LOGIN, login, FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW), EXCHANGE_ASKING, \
        (TEXT, provider), (TEXT, origin), (TEXT, dialog), (NUMBER, port), (NUMBER, seconds)) \
    /* `ca` "": the system's certificates. */ \
    ROW(CONNECT, connect, FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW) | IN(EXCHANGE_CAME), \
        EXCHANGE_CONNECTING, \
        (TEXT, origin), (TEXT, ca), (NUMBER, connect_ms), (NUMBER, step_ms)) \
    /* Lock yourself without connecting: records are only opened and sealed anew. */ \
    ROW(SHUT, shut, FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW), EXCHANGE_SHUT) \
    ROW(RECORD, record, FRONT_TO_EXCHANGE, EXCHANGE_CONFINED, STATE_SAME, \
        (NUMBER, n), (TEXT, digest), (TEXT, app), (TEXT, name), (TEXT, kind), \
        (NUMBER, version), (TEXT, jwe)) \
    /* The facts of a record that may be issued. */ \
    ROW(SLOT, slot, FRONT_TO_EXCHANGE, EXCHANGE_CONFINED, STATE_SAME, (NUMBER, n), \
        (TEXT, facts)) \
    /* `parameters` is JSON; the numbers of app secret, grant and slot, or MESSAGE_NO_RECORD. */ \
    ROW(STEP, step, FRONT_TO_EXCHANGE, IN(EXCHANGE_LOCKED), EXCHANGE_STEPPING, \
        (TEXT, provider), (NUMBER, step), (TEXT, parameters), (NUMBER, secret), \
        (NUMBER, grant), (NUMBER, slot)) \
    /* The slot for what was offered. */ \
    ROW(TAKE, take, FRONT_TO_EXCHANGE, IN(EXCHANGE_OFFERING), EXCHANGE_STEPPING, (NUMBER, n), \
        (TEXT, facts)) \
    /* What was offered is not wanted. */ \
    ROW(PASS, pass, FRONT_TO_EXCHANGE, IN(EXCHANGE_OFFERING), EXCHANGE_STEPPING) \
    /* The same value, sealed anew. */ \
    ROW(RESEAL, reseal, FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT), EXCHANGE_MOVING, (NUMBER, n), \
        (NUMBER, slot)) \
    /* Is this signed request signed with that app secret? */ \
    ROW(CHECK, check, FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT), EXCHANGE_MOVING, (NUMBER, secret), \
        (TEXT, request)) \
    /* Some of the body of what was posted to a webhook. */ \
    ROW(PIECE, piece, FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT), STATE_SAME, (BYTES, body)) \
    /* Is all of that body signed with this app secret? */ \
    ROW(VERIFY, verify, FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT), EXCHANGE_MOVING, \
        (NUMBER, secret), (TEXT, signature)) \
    ROW(EXCHANGE_END, exchange_end, FRONT_TO_EXCHANGE, EXCHANGE_BUSY, STATE_OVER) \
    \
    ROW(TYPED, typed, EXCHANGE_TO_FRONT, IN(EXCHANGE_READING), EXCHANGE_TYPED) \
    /* The address that a browser is to open. */ \
    ROW(DIALOG, dialog, EXCHANGE_TO_FRONT, IN(EXCHANGE_ASKING), STATE_SAME, (TEXT, url)) \
    ROW(CAME, came, EXCHANGE_TO_FRONT, IN(EXCHANGE_ASKING), EXCHANGE_CAME) \
    ROW(CONNECTED, connected, EXCHANGE_TO_FRONT, IN(EXCHANGE_CONNECTING), EXCHANGE_LOCKED, \
        (TEXT, address), (TEXT, tls)) \
    /* The keys that are needed now; `second` may be none. */ \
    ROW(WANT, want, EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING) | IN(EXCHANGE_MOVING), STATE_SAME, \
        (NUMBER, n), (NUMBER, second)) \
    /* A grant of a list: id, label, tasks (JSON). */ \
    ROW(OFFER, offer, EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING), EXCHANGE_OFFERING, (TEXT, page)) \
    ROW(ISSUED, issued, EXCHANGE_TO_FRONT, EXCHANGE_SEALS, STATE_SAME, (NUMBER, n), \
        (TEXT, jwe), (TEXT, facts)) \
    ROW(RESEALED, resealed, EXCHANGE_TO_FRONT, IN(EXCHANGE_MOVING), EXCHANGE_SHUT, \
        (NUMBER, clear_us)) \
    /* It is; what the signed request says (JSON; a webhook: nothing). */ \
    ROW(CHECKED, checked, EXCHANGE_TO_FRONT, IN(EXCHANGE_MOVING), EXCHANGE_SHUT, \
        (TEXT, payload), (NUMBER, clear_us)) \
    /* Scrubbed bytes of an answer that is passed on, or of an error. */ \
    ROW(CONTENT, content, EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING), STATE_SAME, \
        (NUMBER, is_answer), (BYTES, content)) \
    /* `told`: what else the answer said (JSON); how long request and answer stood in clear; \
     * `was_sent`: the request. */ \
    ROW(OUTCOME, outcome, EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING), EXCHANGE_LOCKED, \
        (NUMBER, step), (NUMBER, action), (NUMBER, http), (NUMBER, code), (NUMBER, subcode), \
        (TEXT, trace), \
        (TEXT, message), (TEXT, hint), (TEXT, told), (NUMBER, request_us), (NUMBER, answer_us), \
        (NUMBER, connection_lives), (NUMBER, was_sent)) \
    ROW(EXCHANGE_FAIL, exchange_fail, EXCHANGE_TO_FRONT, EXCHANGE_BUSY, STATE_OVER, \
        (NUMBER, code), (TEXT, text), (TEXT, hint))

/* `does` with each of up to 14 fields, which come as (KIND, name). */
#define MESSAGE_EACH(does, ...)                                                                    \
    __VA_OPT__(MESSAGE_15TH(__VA_ARGS__, E14, E13, E12, E11, E10, E9, E8, E7, E6, E5, E4, E3, E2,  \
                            E1)(does, __VA_ARGS__))
#define MESSAGE_15TH(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, ...) MESSAGE_##o
#define MESSAGE_E1(does, field) does field
#define MESSAGE_E2(does, field, ...) does field MESSAGE_E1(does, __VA_ARGS__)
#define MESSAGE_E3(does, field, ...) does field MESSAGE_E2(does, __VA_ARGS__)
#define MESSAGE_E4(does, field, ...) does field MESSAGE_E3(does, __VA_ARGS__)
#define MESSAGE_E5(does, field, ...) does field MESSAGE_E4(does, __VA_ARGS__)
#define MESSAGE_E6(does, field, ...) does field MESSAGE_E5(does, __VA_ARGS__)
#define MESSAGE_E7(does, field, ...) does field MESSAGE_E6(does, __VA_ARGS__)
#define MESSAGE_E8(does, field, ...) does field MESSAGE_E7(does, __VA_ARGS__)
#define MESSAGE_E9(does, field, ...) does field MESSAGE_E8(does, __VA_ARGS__)
#define MESSAGE_E10(does, field, ...) does field MESSAGE_E9(does, __VA_ARGS__)
#define MESSAGE_E11(does, field, ...) does field MESSAGE_E10(does, __VA_ARGS__)
#define MESSAGE_E12(does, field, ...) does field MESSAGE_E11(does, __VA_ARGS__)
#define MESSAGE_E13(does, field, ...) does field MESSAGE_E12(does, __VA_ARGS__)
#define MESSAGE_E14(does, field, ...) does field MESSAGE_E13(does, __VA_ARGS__)
/* clang-format on */

/* The kinds of fields, and what each is in the struct of its message. */
struct message_bytes {
    const void *bytes;
    size_t size;
};
#define MESSAGE_NUMBER(name) uint64_t name;
#define MESSAGE_TEXT(name) const char *name;           /* "" where there is nothing to say */
#define MESSAGE_BYTES(name) struct message_bytes name;
#define MESSAGE_SECRET(name) struct message_bytes name; /* channel_forget() wipes it */
#define MESSAGE_FD(name) int name; /* travels beside the packet, alone; the receiver closes it */
#define MESSAGE_FIELD(kind, name) MESSAGE_##kind(name)

#define MESSAGE_STRUCT(constant, name, who, when, next, ...)                                       \
    struct message_##name {                                                                        \
        MESSAGE_EACH(MESSAGE_FIELD, __VA_ARGS__)                                                   \
    };
MESSAGE_TABLE(MESSAGE_STRUCT)

/* Each type has two names: MESSAGE_OPEN for a reader, MESSAGE_TYPE_open for channel_send(). */
#define MESSAGE_CONSTANT(constant, name, who, when, next, ...)                                     \
    MESSAGE_##constant, MESSAGE_TYPE_##name = MESSAGE_##constant,
enum message_type { MESSAGE_NONE, MESSAGE_TABLE(MESSAGE_CONSTANT) MESSAGE_TYPES };

/*
 * A message.  Of a received one, texts and bytes are valid until the channel next receives, and a
 * descriptor is the receiver's.
 */
#define MESSAGE_MEMBER(constant, name, who, when, next, ...) struct message_##name name;
struct message {
    enum message_type type;
    union {
        MESSAGE_TABLE(MESSAGE_MEMBER)
    };
};

/* What is known of a field; the last of a message has kind 0. */
struct message_field {
    char kind; /* u number, s text, b bytes, k secret bytes, f a descriptor */
    size_t offset; /* within struct message */
    const char *name;
};

/* One row of the table. */
struct message_rule {
    enum message_type type;
    const char *name;
    enum party from, to;
    uint32_t when; /* bits of the states it is allowed in */
    enum state next;
    const struct message_field *(*fields)(void);
};

/* The rule of a type; NULL for a number that is none. */
const struct message_rule *message_rule(unsigned type);

#endif
