/*
 * messages.h: every message the three programs exchange, on one page.
 *
 * The rooms are started by the front with one SOCK_SEQPACKET channel each; one packet is one message, at most
 * MESSAGE_MAX bytes.  A third, one-way channel leads from the card room to the exchange room: keys do not pass through
 * the front.  The table in messages.c says for every message who may send it to whom, in which state of the
 * conversation, which state follows and what its fields are; both ends check every message against it and end the
 * conversation on one that is not allowed now.
 *
 *   front → card       list format enroll export open try checkpoint extends entry recipient make app rewrap rekey unlock sign hand again end
 *   card → front       found listed formatted trying tried loggedin enrolled exported ready made rewrapped signed sealed handed fail
 *   card → exchange    appkey key                                              (the one-way channel)
 *   front → exchange   read seal client_token login connect shut record slot step take pass reseal check piece verify end
 *   exchange → front   typed dialog came connected want offer issued content resealed checked outcome fail
 *
 * One exchange:
 *
 *   front                          card room                      exchange room
 *   open ───────────────────────────▶ asks for the PIN; when nobody types it:
 *        ◀─────────────────────────── trying
 *   try ────────────────────────────▶ reads it
 *        ◀─────────────────────────── tried
 *        ◀─────────────────────────── loggedin, ready
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
#define MESSAGE_FIELDS_MAX 13
#define MESSAGE_VERSION 6

#define MESSAGE_NO_RECORD UINT64_MAX /* in `step`, and as the second key: there is none */

enum party { PARTY_FRONT, PARTY_CARD, PARTY_EXCHANGE };

/* clang-format off */
enum message_type {
    /* front → card */
    MESSAGE_LIST = 1,   /* module */
    MESSAGE_FORMAT,     /* module, directory for PIN files, label: a SoftHSM card */
    MESSAGE_ENROLL,     /* module, URI, PIN source, purpose, kind of key, URI of the signing key or "", origin, trust file */
    MESSAGE_EXPORT,     /* module, URI, PIN source, purpose, kind of key, URI of the signing key or "": what the card says of itself, signed */
    MESSAGE_OPEN,       /* module, URIs (one a line), PIN source, purpose, count, slots, use, origin, trust file */
    MESSAGE_CHECKPOINT, /* newest note ("" for none), frontier: 32 bytes a node */
    MESSAGE_EXTENDS,    /* consistency proof from the head that the card keeps, when that is older than the newest note */
    MESSAGE_ENTRY,      /* index, bytes: every entry behind the checkpoint, in order */
    MESSAGE_RECIPIENT,  /* index, card entry, inclusion proof under the checkpoint */
    MESSAGE_MAKE,       /* app: make an app key for the recipients named */
    MESSAGE_APP,        /* app, app key record, index, app-key entry, inclusion proof */
    MESSAGE_REWRAP,     /* seal that app's key anew, to the recipients named; behind the entry with this use's intent */
    MESSAGE_REKEY,      /* make a new key for that app, for the recipients named: what is sealed in this use is sealed to it */
    MESSAGE_UNLOCK,     /* n, name, version, JWE: a record this use is to open */
    MESSAGE_SIGN,       /* everything is said: check, sign, unwrap */
    MESSAGE_HAND,       /* n, n of a second or none: send these keys to the exchange room */
    MESSAGE_AGAIN,      /* with a descriptor: the channel to a new exchange room */
    MESSAGE_TRY,        /* go on: it stands written; the PIN may be read and tried */
    MESSAGE_CARD_END,
    /* card → front */
    MESSAGE_FOUND,      /* serial, label, model, manufacturer, state of the PIN, what it says it can do */
    MESSAGE_LISTED,     /* how many */
    MESSAGE_FORMATTED,  /* serial, label */
    MESSAGE_ENROLLED,   /* serial, label, model, manufacturer, kid, JWK, algorithm, vkey, fingerprint, the head on the card */
    MESSAGE_EXPORTED,   /* serial, what it says (JSON), signature, fingerprint */
    MESSAGE_READY,      /* serial, label, the head on the card ("": none) */
    MESSAGE_MADE,       /* app key record, public JWK, kid, kids of its cards (JSON array) */
    MESSAGE_REWRAPPED,  /* SHA-256 of the app key record (hex), public JWK, kid, kids of its cards (JSON array) */
    MESSAGE_SIGNED,     /* note, tree size; the head on the card: card, weak or none, its size, why it could not be written */
    MESSAGE_SEALED,     /* the app key record, once its digest is signed for */
    MESSAGE_HANDED,     /* n, n of the second */
    MESSAGE_TRYING,     /* serial: a PIN that nobody types is about to be read and tried */
    MESSAGE_TRIED,      /* what the card said of it, also when it was typed: enum pin_verdict */
    MESSAGE_LOGGED_IN,  /* 1 for a card that may blink for a touch: from now on it is the card that is waited for */
    MESSAGE_CARD_FAIL,  /* code, text, hint */
    /* card → exchange */
    MESSAGE_APPKEY,     /* public JWK of the app key */
    MESSAGE_KEY,        /* n, epk (65 bytes), content key (32 bytes); the same of the second, empty where there is none */
    /* front → exchange */
    MESSAGE_READ,       /* file ("": terminal or standard input), prompt, what it is, seconds */
    MESSAGE_SEAL,       /* facts, public JWK ("": the one the card room sends) */
    MESSAGE_CLIENT_TOKEN, /* file ("": terminal or standard input), seconds: what a device login is authorised by */
    MESSAGE_LOGIN,      /* provider, dialog's origin ("": the provider's), dialog (JSON), port (0: it is pasted), seconds */
    MESSAGE_CONNECT,    /* origin, CA file ("": the system's), ms to connect, ms for a step */
    MESSAGE_SHUT,       /* lock yourself without connecting: records are only opened and sealed anew */
    MESSAGE_RECORD,     /* n, digest, app, name, kind, version, JWE */
    MESSAGE_SLOT,       /* n, facts of the record that may be issued */
    MESSAGE_STEP,       /* provider, step, parameters (JSON), n of secret, n of grant, n of slot */
    MESSAGE_TAKE,       /* n, facts: the slot for what was offered */
    MESSAGE_PASS,       /* what was offered is not wanted */
    MESSAGE_RESEAL,     /* n of record, n of slot: the same value, sealed anew */
    MESSAGE_CHECK,      /* n of secret, signed request: is it signed with this app secret? */
    MESSAGE_PIECE,      /* some of the body of what was posted to a webhook */
    MESSAGE_VERIFY,     /* n of secret, signature: is all of that body signed with this app secret? */
    MESSAGE_EXCHANGE_END,
    /* exchange → front */
    MESSAGE_TYPED,      /* (nothing) */
    MESSAGE_DIALOG,     /* the address that a browser is to open */
    MESSAGE_CAME,       /* (nothing) */
    MESSAGE_CONNECTED,  /* address, TLS version and cipher */
    MESSAGE_WANT,       /* n, n of a second or none: the keys that are needed now */
    MESSAGE_OFFER,      /* a grant of a list: id, label, tasks (JSON) */
    MESSAGE_ISSUED,     /* n, JWE, facts */
    MESSAGE_RESEALED,   /* us in clear */
    MESSAGE_CHECKED,    /* it is; what the signed request says (JSON; a webhook: nothing), us in clear */
    MESSAGE_CONTENT,    /* whether the call succeeded, scrubbed bytes of its answer */
    MESSAGE_OUTCOME,    /* step, action, HTTP status, code, subcode, trace, message, hint, what was told (JSON), us of the request and of the answer in clear, connection lives, the request was sent */
    MESSAGE_EXCHANGE_FAIL, /* code, text, hint */
    MESSAGE_TYPES
};
/* clang-format on */

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

/* One row of the table. */
struct message_rule {
    enum message_type type;
    const char *name;
    enum party from, to;
    uint32_t when; /* bits of the states it is allowed in */
    enum state next;
    const char *fields; /* u number, s text, b bytes, k secret bytes, f a descriptor */
};

/* The rule of a type; NULL for a number that is none. */
const struct message_rule *message_rule(unsigned type);

/* A field: a number, or bytes.  Texts end with NUL, which `size` does not count. */
struct field {
    char kind;
    uint64_t number;
    const void *bytes;
    size_t size;
};

/* A received message; its bytes are valid until the channel next receives. */
struct message {
    enum message_type type;
    struct field fields[MESSAGE_FIELDS_MAX];
    size_t count;
    int descriptor; /* -1, or a descriptor that the receiver must close */
};

#define NUMBER(value) ((struct field){.kind = 'u', .number = (uint64_t)(value)})
#define TEXT(value) ((struct field){.kind = 's', .bytes = (value)})
#define BYTES(value, length) ((struct field){.kind = 'b', .bytes = (value), .size = (length)})
#define SECRET(value)                                                                              \
    ((struct field){.kind = 'k', .bytes = secret_data(value), .size = secret_size(value)})

static inline const char *message_text(const struct message *message, size_t field)
{
    return message->fields[field].bytes;
}

static inline uint64_t message_number(const struct message *message, size_t field)
{
    return message->fields[field].number;
}

#endif
