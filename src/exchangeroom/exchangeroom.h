/*
 * exchangeroom.h: inside p11vault-exchange, the only program that sees an opened secret.
 *
 * It reads and seals what a person typed; or it connects, locks itself for good, and then carries out steps: ask for a key,
 * open, build, send, wipe, wait with nothing in memory, read, wipe, seal; or it locks itself without a connection (`shut`), and
 * seals records anew or checks what is signed with an app secret.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_EXCHANGEROOM_H
#define P11VAULT_SRC_EXCHANGEROOM_EXCHANGEROOM_H

#include <jansson.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/json.h"
#include "p11vault/http/connection.h"
#include "p11vault/http/response.h"
#include "p11vault/inside/inside.h"
#include "p11vault/oauth/answer.h"
#include "p11vault/oauth/batch.h"
#include "p11vault/oauth/call.h"
#include "p11vault/seal/jwe.h"
#include "p11vault/seal/record.h"
#include "p11vault/sieve/sieve.h"

#define ROOM_RECORDS_MAX 64

/* A sealed record as ordered, or a slot for one that may be issued. */
struct ordered {
    struct ordered *next;
    uint64_t n;
    bool is_slot;
    char digest[DIGEST_HEX_SIZE];
    char *app, *name, *kind;
    int64_t version;
    struct jwe *jwe;
    json_t *facts; /* of a slot; of a record once it was opened */
};

/* A key of the card room: of a record that is to be opened, or of a slot that is to be sealed into. */
struct wanted_key {
    uint64_t n;
    bool is_slot;
    struct ec_point epk;
    struct secret *secret; /* NULL until it is there */
};
#define WANTED_MAX 2 /* at once */
void wanted_key_clear(struct wanted_key *key);
#define auto_wanted __attribute__((cleanup(wanted_key_clear)))

/* What was issued, as the front is to keep it. */
struct sealed {
    uint64_t slot;
    char *jwe, *facts;
};
void sealed_clear(struct sealed *sealed);
#define auto_sealed __attribute__((cleanup(sealed_clear)))

struct exchangeroom {
    struct inside inside; /* its channels: the front's, and the one-way one from the card room */

    struct secret *typed;
    struct buffer body; /* of what was posted to a webhook; no secret */

    /* Of a login, a device login or a client: until the one step that uses it. */
    struct secret *code, *verifier;
    struct secret *client_token; /* of a device login, until a grant was issued */

    struct connection *connection;
    bool has_asked; /* something was sent over it */
    struct origin origin;
    int64_t step_ms;

    bool app_known;
    struct ec_point app_key;
    char app_kid[THUMBPRINT_SIZE];

    struct ordered *ordered;
    size_t ordered_count;
};

/* Reading and sealing (read_and_seal.c). */
int exchangeroom_read(struct exchangeroom *room, const struct message *order, struct error *error);
int exchangeroom_seal(struct exchangeroom *room, const struct message *order, struct error *error);
/* Reads the client token of a device login, before connecting. */
int exchangeroom_client_token(struct exchangeroom *room, const struct message *order,
                              struct error *error);
/* Takes an app key by its public JWK. */
int exchangeroom_take_app_key(struct exchangeroom *room, const char *jwk, struct error *error);

/* A login in a browser, before connecting (login.c). */
int exchangeroom_login(struct exchangeroom *room, const struct message *order, struct error *error);

/* Connecting and the lock (connect.c). */
int exchangeroom_connect(struct exchangeroom *room, const struct message *order,
                         struct error *error);

/*
 * Checking what is signed with an app secret: signed requests; webhooks, whose body comes first
 * (signed_request.c).
 */
int exchangeroom_check_signed(struct exchangeroom *room, const struct message *order,
                              struct error *error);
int exchangeroom_piece(struct exchangeroom *room, const struct message *order, struct error *error);
int exchangeroom_verify(struct exchangeroom *room, const struct message *order,
                        struct error *error);

/* Records and keys (records.c). */
int exchangeroom_record(struct exchangeroom *room, const struct message *order,
                        struct error *error);
int exchangeroom_slot(struct exchangeroom *room, const struct message *order, struct error *error);
void exchangeroom_forget_records(struct exchangeroom *room);
/* Slot n was ordered. */
int exchangeroom_check_slot(struct exchangeroom *room, uint64_t n, struct error *error);
/* Waits for the card room's app key when it is not known yet. */
int exchangeroom_wait_app_key(struct exchangeroom *room, struct error *error);
/*
 * Asks for the keys that are needed now, at most WANTED_MAX, and takes them once all of them are there: none stands here
 * while the other rooms work.  The caller clears them, also after a failure.
 */
int exchangeroom_want(struct exchangeroom *room, struct wanted_key *keys, size_t count,
                      struct error *error);
/* Opens record n and checks that it is the one ordered: its value. */
int exchangeroom_open_record(struct exchangeroom *room, uint64_t n, const struct secret *key,
                             struct secret **ret_value, struct error *error);
/* A text among the facts of record n once it was opened; NULL: there is none. */
const char *exchangeroom_fact(const struct exchangeroom *room, uint64_t n, const char *key);

/* What is sealed into a slot. */
struct issue {
    uint64_t slot, from; /* it may go where record `from` may go */
    const struct wanted_key *key;
    const struct secret *value;
    int64_t expires;        /* EXPIRES_UNKNOWN */
    const char *machine_id; /* "" */
    bool keeps_facts;       /* what record `from` says of itself stays said: it is the same value */
};
int exchangeroom_seal_slot(struct exchangeroom *room, const struct issue *issue,
                           struct sealed *ret_sealed, struct error *error);
/* Tells the front, which keeps it. */
int exchangeroom_tell_issued(struct exchangeroom *room, const struct sealed *sealed,
                             struct error *error);

/* Sealing anew, without a connection (reseal.c). */
int exchangeroom_shut(struct exchangeroom *room, struct error *error);
int exchangeroom_reseal(struct exchangeroom *room, const struct message *order,
                        struct error *error);

/* The answers to the items of a batch, as they come (batch.c). */
struct batch {
    struct oauth_batch asked; /* count 0: it is none */
    size_t come;
    struct oauth_verdict worst;
};

/* What is passed on of an answer (passage.c); empty for the steps whose answer is read here. */
struct passage {
    struct sieve *sieve; /* NULL: the answer is read here */
    struct secret *kept; /* scrubbed, and not with the front yet */
    bool has_looked;     /* at the head of the answer */
    bool is_passed_on;   /* the front has the beginning */
    struct batch batch;
};
void passage_clear(struct passage *passage);

/* A step while it is carried out. */
struct step {
    const struct provider *provider;
    enum oauth_step step;
    unsigned needs;
    struct oauth_parameters parameters;
    json_t *held;                 /* what the texts of the parameters stand in */
    uint64_t secret, grant, slot; /* numbers, or MESSAGE_NO_RECORD */

    struct http_response *response;
    struct passage passage;
    bool is_unasked; /* something had come before the request, which was not sent */
    int64_t
        began; /* since when the request or, later, the answer has stood in clear; 0: it has not */
    int64_t request_us; /* how long the request did; 0: nothing was opened */
};
void step_clear(struct step *step);
#define auto_step __attribute__((cleanup(step_clear)))

/* One step (step.c): records and slots that were told for it are forgotten afterwards. */
int exchangeroom_step(struct exchangeroom *room, const struct message *order, struct error *error);
/* Its request (send.c). */
int exchangeroom_send(struct exchangeroom *room, struct step *step, struct deadline deadline,
                      struct error *error);
/* Of STEP_CALL and STEP_BATCH (passage.c). */
bool passage_is_of(enum oauth_step step);
/* What may not be called is refused before a key is asked for. */
int passage_check(struct step *step, struct error *error);
/* Before its request goes out, with the values that must not come back. */
int passage_begin(struct step *step, const struct secret *app_secret, const struct secret *grant,
                  struct error *error);
/* What has come of the answer; its end; the verdict; and the rest to the front, once that is known. */
int passage_take(struct exchangeroom *room, struct step *step, struct error *error);
int passage_end(struct exchangeroom *room, struct step *step, struct error *error);
int passage_judge(const struct step *step, struct oauth_reply *reply,
                  struct oauth_answer *ret_answer, struct error *error);
int passage_tell(struct exchangeroom *room, struct step *step, enum code action,
                 struct error *error);
/* The answer to one item of a batch; and the verdict on all of them. */
int batch_take_item(struct step *step, int status, const struct secret *body, struct error *error);
void batch_judge(const struct batch *batch, struct oauth_verdict *verdict);
/* Its answer (answer.c): receiving it, and what becomes of it; or of one that did not come. */
int exchangeroom_receive(struct exchangeroom *room, struct step *step, struct deadline deadline,
                         struct error *error);
int exchangeroom_take_answer(struct exchangeroom *room, struct step *step, struct error *error);
int exchangeroom_tell_broken(struct exchangeroom *room, struct step *step, struct error *error);

#endif
