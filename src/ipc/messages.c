/*
 * The table of messages: who, to whom, when, what follows, which fields.
 */
#include "p11vault/ipc/messages.h"

#define IN(state) (UINT32_C(1) << (state))

#define CARD_BUSY                                                                                  \
    (IN(CARD_NEW) | IN(CARD_LISTING) | IN(CARD_FORMATTING) | IN(CARD_ENROLLING) |                  \
     IN(CARD_OPENING) | IN(CARD_READY) | IN(CARD_MAKING) | IN(CARD_SIGNING) | IN(CARD_KEYS) |      \
     IN(CARD_HANDING))
#define CARD_LOGGING_IN (IN(CARD_ENROLLING) | IN(CARD_OPENING))
#define EXCHANGE_BUSY                                                                              \
    (IN(EXCHANGE_NEW) | IN(EXCHANGE_READING) | IN(EXCHANGE_TYPED) | IN(EXCHANGE_SEALING) |         \
     IN(EXCHANGE_ASKING) | IN(EXCHANGE_CAME) | IN(EXCHANGE_CONNECTING) | IN(EXCHANGE_LOCKED) |     \
     IN(EXCHANGE_STEPPING) | IN(EXCHANGE_OFFERING) | IN(EXCHANGE_SHUT) | IN(EXCHANGE_MOVING))
#define EXCHANGE_CONFINED (IN(EXCHANGE_LOCKED) | IN(EXCHANGE_SHUT))
#define EXCHANGE_SEALS (IN(EXCHANGE_STEPPING) | IN(EXCHANGE_SEALING) | IN(EXCHANGE_MOVING))

#define FRONT_TO_CARD PARTY_FRONT, PARTY_CARD
#define CARD_TO_FRONT PARTY_CARD, PARTY_FRONT
#define CARD_TO_EXCHANGE PARTY_CARD, PARTY_EXCHANGE
#define FRONT_TO_EXCHANGE PARTY_FRONT, PARTY_EXCHANGE
#define EXCHANGE_TO_FRONT PARTY_EXCHANGE, PARTY_FRONT

/* clang-format off */
static const struct message_rule rules[] = {
    {MESSAGE_LIST,       "list",       FRONT_TO_CARD, IN(CARD_NEW),     CARD_LISTING,    "s"},
    {MESSAGE_FORMAT,     "format",     FRONT_TO_CARD, IN(CARD_NEW),     CARD_FORMATTING, "sss"},
    {MESSAGE_ENROLL,     "enroll",     FRONT_TO_CARD, IN(CARD_NEW),     CARD_ENROLLING,  "ssssssss"},
    {MESSAGE_EXPORT,     "export",     FRONT_TO_CARD, IN(CARD_NEW),     CARD_ENROLLING,  "ssssss"},
    {MESSAGE_OPEN,       "open",       FRONT_TO_CARD, IN(CARD_NEW),     CARD_OPENING,    "ssssuusss"},
    {MESSAGE_CHECKPOINT, "checkpoint", FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "sb"},
    {MESSAGE_EXTENDS,    "extends",    FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "b"},
    {MESSAGE_ENTRY,      "entry",      FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "ub"},
    {MESSAGE_RECIPIENT,  "recipient",  FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "ubb"},
    {MESSAGE_MAKE,       "make",       FRONT_TO_CARD, IN(CARD_READY),   CARD_MAKING,     "s"},
    {MESSAGE_APP,        "app",        FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "ssubb"},
    {MESSAGE_REWRAP,     "rewrap",     FRONT_TO_CARD, IN(CARD_READY),   CARD_MAKING,     ""},
    {MESSAGE_REKEY,      "rekey",      FRONT_TO_CARD, IN(CARD_READY),   CARD_MAKING,     ""},
    {MESSAGE_UNLOCK,     "unlock",     FRONT_TO_CARD, IN(CARD_READY),   STATE_SAME,      "usus"},
    {MESSAGE_SIGN,       "sign",       FRONT_TO_CARD, IN(CARD_READY),   CARD_SIGNING,    ""},
    {MESSAGE_HAND,       "hand",       FRONT_TO_CARD, IN(CARD_KEYS),    CARD_HANDING,    "uu"},
    {MESSAGE_AGAIN,      "again",      FRONT_TO_CARD, IN(CARD_KEYS),    STATE_SAME,      "f"},
    {MESSAGE_TRY,        "try",        FRONT_TO_CARD, CARD_LOGGING_IN,  STATE_SAME,      ""},
    {MESSAGE_CARD_END,   "end",        FRONT_TO_CARD, CARD_BUSY,        STATE_OVER,      ""},

    {MESSAGE_FOUND,      "found",     CARD_TO_FRONT, IN(CARD_LISTING),    STATE_SAME, "ssssss"},
    {MESSAGE_LISTED,     "listed",    CARD_TO_FRONT, IN(CARD_LISTING),    STATE_OVER, "u"},
    {MESSAGE_FORMATTED,  "formatted", CARD_TO_FRONT, IN(CARD_FORMATTING), STATE_OVER, "ss"},
    {MESSAGE_ENROLLED,   "enrolled",  CARD_TO_FRONT, IN(CARD_ENROLLING),  CARD_READY, "ssssssssss"},
    {MESSAGE_EXPORTED,   "exported",  CARD_TO_FRONT, IN(CARD_ENROLLING),  STATE_OVER, "ssss"},
    {MESSAGE_READY,      "ready",     CARD_TO_FRONT, IN(CARD_OPENING),    CARD_READY, "sss"},
    {MESSAGE_MADE,       "made",      CARD_TO_FRONT, IN(CARD_MAKING),     CARD_READY, "ssss"},
    {MESSAGE_REWRAPPED,  "rewrapped", CARD_TO_FRONT, IN(CARD_MAKING),     CARD_READY, "ssss"},
    {MESSAGE_SIGNED,     "signed",    CARD_TO_FRONT, IN(CARD_SIGNING),    CARD_KEYS,  "susus"},
    {MESSAGE_SEALED,     "sealed",    CARD_TO_FRONT, IN(CARD_KEYS),       STATE_SAME, "s"},
    {MESSAGE_HANDED,     "handed",    CARD_TO_FRONT, IN(CARD_HANDING),    CARD_KEYS,  "uu"},
    {MESSAGE_TRYING,     "trying",    CARD_TO_FRONT, CARD_LOGGING_IN,      STATE_SAME, "s"},
    {MESSAGE_TRIED,      "tried",     CARD_TO_FRONT, CARD_LOGGING_IN,      STATE_SAME, "u"},
    {MESSAGE_LOGGED_IN,  "loggedin",  CARD_TO_FRONT, CARD_LOGGING_IN,      STATE_SAME, "u"},
    {MESSAGE_CARD_FAIL,  "fail",      CARD_TO_FRONT, CARD_BUSY,           STATE_OVER, "uss"},

    {MESSAGE_APPKEY, "appkey", CARD_TO_EXCHANGE, IN(KEYS_FLOW), STATE_SAME, "s"},
    {MESSAGE_KEY,    "key",    CARD_TO_EXCHANGE, IN(KEYS_FLOW), STATE_SAME, "ubkubk"},

    {MESSAGE_READ,    "read",    FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW),    EXCHANGE_READING,    "sssu"},
    {MESSAGE_SEAL,    "seal",    FRONT_TO_EXCHANGE, IN(EXCHANGE_TYPED),  EXCHANGE_SEALING,    "ss"},
    {MESSAGE_CLIENT_TOKEN, "client_token", FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW), EXCHANGE_ASKING, "su"},
    {MESSAGE_LOGIN,   "login",   FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW),    EXCHANGE_ASKING,     "sssuu"},
    {MESSAGE_CONNECT, "connect", FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW) | IN(EXCHANGE_CAME),
                                                                         EXCHANGE_CONNECTING, "ssuu"},
    {MESSAGE_SHUT,    "shut",    FRONT_TO_EXCHANGE, IN(EXCHANGE_NEW),    EXCHANGE_SHUT,       ""},
    {MESSAGE_RECORD,  "record",  FRONT_TO_EXCHANGE, EXCHANGE_CONFINED,   STATE_SAME,          "ussssus"},
    {MESSAGE_SLOT,    "slot",    FRONT_TO_EXCHANGE, EXCHANGE_CONFINED,   STATE_SAME,          "us"},
    {MESSAGE_STEP,    "step",    FRONT_TO_EXCHANGE, IN(EXCHANGE_LOCKED), EXCHANGE_STEPPING,   "susuuu"},
    {MESSAGE_TAKE,    "take",    FRONT_TO_EXCHANGE, IN(EXCHANGE_OFFERING), EXCHANGE_STEPPING, "us"},
    {MESSAGE_PASS,    "pass",    FRONT_TO_EXCHANGE, IN(EXCHANGE_OFFERING), EXCHANGE_STEPPING, ""},
    {MESSAGE_RESEAL,  "reseal",  FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT),   EXCHANGE_MOVING,     "uu"},
    {MESSAGE_CHECK,   "check",   FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT),   EXCHANGE_MOVING,     "us"},
    {MESSAGE_PIECE,   "piece",   FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT),   STATE_SAME,          "b"},
    {MESSAGE_VERIFY,  "verify",  FRONT_TO_EXCHANGE, IN(EXCHANGE_SHUT),   EXCHANGE_MOVING,     "us"},
    {MESSAGE_EXCHANGE_END, "end", FRONT_TO_EXCHANGE, EXCHANGE_BUSY,      STATE_OVER,          ""},

    {MESSAGE_TYPED,     "typed",     EXCHANGE_TO_FRONT, IN(EXCHANGE_READING),    EXCHANGE_TYPED,  ""},
    {MESSAGE_DIALOG,    "dialog",    EXCHANGE_TO_FRONT, IN(EXCHANGE_ASKING),     STATE_SAME,      "s"},
    {MESSAGE_CAME,      "came",      EXCHANGE_TO_FRONT, IN(EXCHANGE_ASKING),     EXCHANGE_CAME,   ""},
    {MESSAGE_CONNECTED, "connected", EXCHANGE_TO_FRONT, IN(EXCHANGE_CONNECTING), EXCHANGE_LOCKED, "ss"},
    {MESSAGE_WANT,      "want",      EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING) | IN(EXCHANGE_MOVING),
                                                                                 STATE_SAME,      "uu"},
    {MESSAGE_OFFER,     "offer",     EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING),   EXCHANGE_OFFERING, "s"},
    {MESSAGE_ISSUED,    "issued",    EXCHANGE_TO_FRONT, EXCHANGE_SEALS,
                                                                                 STATE_SAME,      "uss"},
    {MESSAGE_RESEALED,  "resealed",  EXCHANGE_TO_FRONT, IN(EXCHANGE_MOVING),     EXCHANGE_SHUT,   "u"},
    {MESSAGE_CHECKED,   "checked",   EXCHANGE_TO_FRONT, IN(EXCHANGE_MOVING),     EXCHANGE_SHUT,   "su"},
    {MESSAGE_CONTENT,   "content",   EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING),   STATE_SAME,      "ub"},
    {MESSAGE_OUTCOME,   "outcome",   EXCHANGE_TO_FRONT, IN(EXCHANGE_STEPPING),   EXCHANGE_LOCKED, "uuuuussssuuuu"},
    {MESSAGE_EXCHANGE_FAIL, "fail",  EXCHANGE_TO_FRONT, EXCHANGE_BUSY,           STATE_OVER,      "uss"},
};
/* clang-format on */

const struct message_rule *message_rule(unsigned type)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((unsigned)rules[i].type == type)
            return &rules[i];
    return NULL;
}
