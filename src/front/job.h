/*
 * job.h: one run of calls to a provider about one app: one login to the card, one signature, one unwrapped app key.
 *
 * A job has works, each about one grant, with its own intent and outcome in the log and its own success or failure.  All that the works
 * may open is named before the card signs; then they go on one by one.
 */
#ifndef P11VAULT_SRC_FRONT_JOB_H
#define P11VAULT_SRC_FRONT_JOB_H

#include "p11vault/oauth/call.h"
#include "p11vault/oauth/facts.h"
#include "p11vault/oauth/judge.h"
#include "p11vault/oauth/scopes.h"
#include "p11vault/oauth/usage.h"
#include "p11vault/vault/unkept.h"
#include "session.h"

#define JOB_RECORDS_MAX 4096
#define REKEY_RECORDS_MAX 16384 /* all that an app has, at once */
#define NO_RECORD SIZE_MAX

struct job {
    struct front *front;
    const char *verb; /* as the intent and the PIN prompt say it */
    bool changes_key; /* the app gets another key: nobody else may work with it meanwhile */
    struct session session;
    struct vault_app app;
    struct signed_head head;
    const struct provider *provider;

    /* What may be opened, by number: the app's secret is number 0.  Slots are numbered behind them. */
    struct store_record *records;
    size_t record_count, slot_count;

    struct oauth_usage usage; /* of the app's quota, as the last answer said */
    bool is_limited; /* the provider has refused a call because the app has made too many */

    struct room *exchange;
    const char *origin; /* that it is connected to */
    bool connection_lives;
    bool was_asked; /* by the last step: its request was sent */

    /* Where what the store does not take goes; NULL: nothing was asked for yet. */
    struct unkept *unkept;
    struct error unkept_why; /* why it did not; CODE_DONE: it has taken all */
    bool is_stuck;           /* it takes no changes: nobody is asked for anything more */
};

/* A grant that was issued into a slot: its row, "pending" once kept. */
struct issued {
    size_t slot;
    struct name name;
    int64_t version;
    struct store_record *moved; /* the one that it takes the place of; NULL: none */
    struct store_record row;
    bool is_kept;
};

struct work {
    struct job *job;
    struct name name; /* of the grant it is about */
    int lock;         /* on that name, -1 */
    char use[USE_SIZE];
    bool is_open; /* it has an intent and no outcome yet */

    /* Numbers of records, or NO_RECORD: the grant itself, one of it that waits to be confirmed, another's that it comes from. */
    size_t grant, pending, source;
    size_t first_record, record_count, first_slot, slot_count;
    const char *seals; /* what the intent says is made */
    /*
     * A free name, locked: for a grant that turns out to be of its kind (kind.c); "": there is
     * none.
     */
    struct name spare;
    int spare_lock;
    enum oauth_step issuing; /* the step that issues what is confirmed */
    const char
        *subject;    /* whose it must be, of a page's grant which page; NULL: see work_confirm() */
    bool keeps_open; /* a confirmed grant does not close the use: there are more */
    /* Asked before what was confirmed takes its place; NULL: nobody is.  False: the person does not want it. */
    bool (*agrees)(void *context, const struct oauth_facts *facts);
    void *context;
    struct issued *issued;
    size_t issued_count;

    struct oauth_facts input, result;
    enum oauth_standing standing; /* of the grant that is held */
    struct buffer lost; /* scopes that it has had since its last login, and has not now: a list */
    char call[640];     /* "GET me/feed": what is asked for, when the caller chose it; else "" */
    int64_t scrubbed;   /* places of the last answer that were not passed on */
    struct oauth_verdict verdict; /* of the last step or judgement */
    enum oauth_step step;
    bool has_stepped;
    json_t *
        steps; /* answers that are not in the log yet: they go with the next change, or the outcome */
    int64_t request_us, answer_us; /* in clear: before sending, and of the answers */
};

/* ---- job.c: before the card, and the card ---- */

void job_clear(struct job *job);
#define auto_job __attribute__((cleanup(job_clear)))

/*
 * Finds the app, which keeps its key until the job is cleared, and its provider; and its secret, as record 0.  The job is empty but
 * for front, verb and changes_key.
 */
int job_find_app(struct job *job, const char *app, struct error *error);
int job_begin(struct job *job, const char *app, struct error *error);

/* Adds a record that may be opened; takes the row.  *ret_number is its number. */
int job_add_record(struct job *job, struct store_record *row, size_t *ret_number,
                   struct error *error);
/* Takes the newest back, until there are `count`. */
void job_drop_records(struct job *job, size_t count);

/*
 * What an exchange room sealed, in its `issued`: the room's word is not enough.  Another version would overwrite what is there,
 * another key hide what was issued: CODE_FAULT.  *ret_facts (NULL: not wanted) is the caller's.
 */
int job_check_issued(const struct message *issued, const struct name *name, int64_t version,
                     const char *kid, json_t **ret_facts, struct error *error);

/* Tells the exchange room a record, which becomes its number `n`. */
int job_tell_record(struct job *job, size_t n, const struct store_record *row, struct error *error);

/* Tells the card room the app and the records. */
int job_tell_records(struct job *job, struct error *error);

/*
 * The intents of all works (one work: "VERB NAME"; several: "VERB N grants of APP"), the login, the connection, the signature.
 * `exchange` is a room that waits to be connected (a login), or NULL: one is started.
 */
int job_open(struct job *job, struct work *works, size_t count, struct room *exchange,
             struct error *error);

/* ---- work.c: one grant ---- */

#define WORK_NONE                                                                                  \
    ((struct work){.lock = -1,                                                                     \
                   .spare_lock = -1,                                                               \
                   .grant = NO_RECORD,                                                             \
                   .pending = NO_RECORD,                                                           \
                   .source = NO_RECORD})
void work_clear(struct work *work);

/* Begins a work about a grant: its lock; room for `slots` issued grants.  `name` is copied. */
int work_begin(struct work *work, struct job *job, const struct name *name, size_t slots,
               struct error *error);

/* What the provider has said of the work's own grant is not believed any more: it is asked again. */
void work_doubt_input(struct work *work);

/* Takes the newest work of a job back before it is opened. */
void work_abandon(struct work *work);

/* The stored grant in a state ("current", "pending") becomes a record of the job; *ret_number NO_RECORD: there is none. */
int work_find(struct work *work, const char *name, const char *state, bool must_exist,
              size_t *ret_number, struct error *error);

/* The stored grant that a new one will replace without having been opened: cleared by the caller; empty when there is none. */
int work_find_old(struct work *work, const char *name, const char *state,
                  struct store_record *ret_row, struct error *error);

/* The row of a record or of what was issued into a slot. */
struct store_record *work_row(struct work *work, size_t number);
/* Tells the person that what an earlier run was issued is current now. */
void work_say_resolved(const struct work *work, const char *name);
/* The number of a slot of this work. */
size_t work_slot(const struct work *work, size_t slot);

/* ---- work_steps.c: the exchange room ---- */

/*
 * Makes room for what a step issues (a grant, or a list of them) and for the changes that follow,
 * in the log and beside the store.  CODE_LOG: there is none, and nobody may be asked.
 */
int job_make_room(struct job *job, bool is_list, struct error *error);

/* Connects the exchange room; NULL: one is started. */
int job_connect(struct job *job, struct room *exchange, const char *origin, struct error *error);

/* What one step is to do. */
struct order {
    enum oauth_step step;
    size_t grant; /* number of a record or of a slot that was issued into; NO_RECORD */
    size_t slot;  /* number of the slot to issue into; NO_RECORD */
    const struct name *slot_name;       /* of what is issued; NULL: the work's own */
    struct oauth_parameters parameters; /* client id, version, time and method are filled in */
    /* For a list: names the slot for what is offered, or passes (*ret_take false). */
    int (*offer)(void *context, const json_t *offered, struct name *ret_name, bool *ret_take,
                 struct error *error);
    /* For a call whose answer is passed on: scrubbed bytes of it, or (`is_answer` false) of an error. */
    int (*content)(void *context, bool is_answer, const void *bytes, size_t size,
                   struct error *error);
    void *context;
};

/*
 * Carries out one step.  0 when the provider answered, whatever it said: work->verdict; *ret_told (caller drops, NULL: not
 * wanted) is what it told.  What is issued is kept as pending before this returns.  Where the connection turned out to be
 * over before anything was asked, it is asked once more over another one.
 */
int work_step(struct work *work, const struct order *order, json_t **ret_told, struct error *error);
/*
 * 0 when the last step, which was to issue into `slot`, went well; and when it was not believed, but issued something: that is
 * pending, and work_confirm() asks about it over another connection.  Else the verdict as the person's error.
 */
int work_check_issued(struct work *work, size_t slot, struct error *error);
/* The same for an inspection: what was told as facts. */
int work_inspect(struct work *work, enum oauth_step step, size_t grant,
                 struct oauth_facts *ret_facts, struct error *error);

/*
 * A pending grant under another name: a room without a connection seals it anew into the slot.  The
 * new one is kept as pending and the old one's ciphertext destroyed in one change.
 */
int work_move(struct work *work, size_t number, size_t slot, const struct name *name,
              struct error *error);

/* A verdict that is not CODE_DONE as the person's error.  Always returns -1. */
int work_verdict(const struct work *work, struct error *error);

/* ---- kind.c: of what kind is it? ---- */

/*
 * A grant comes whose kind only the provider can tell, the name's or this other one: finds a free
 * name of that kind, with the same label or that with a number, and locks it.  The intent then says
 * that it may be made, too.  CODE_USAGE when there is none.
 */
int work_reserve_kind(struct work *work, const char *kind, struct error *error);

/*
 * Asks the provider of what kind a pending grant is: work->result.  One of the other kind moves
 * into the slot under the name that was reserved, which is the work's from then on; *number is then
 * the slot's.  One that is dead stays where it is: work_confirm() says what becomes of it.  On
 * failure it stays pending.
 */
int work_settle_kind(struct work *work, size_t *number, size_t slot, struct error *error);

/* ---- confirm.c: is it what it should be? ---- */

/* Whether the provider says anything of a grant of this kind; of one of which it does not, the answer that issued it is all. */
bool work_is_told_of(const struct work *work, const char *kind);

/* Whose a stored grant is, of a page's which page; "" where nobody has said so yet. */
int work_known_subject(const struct work *work, const struct store_record *row,
                       char ret_subject[FACT_TEXT_MAX], struct error *error);

/* CODE_STOP when a stored grant is somebody else's than `wanted` (NULL: anybody's). */
int work_check_subject(const struct work *work, const struct store_record *old, const char *wanted,
                       struct error *error);

/* Inspects the grant that is held, once: work->standing; CODE_DONE or the person's error. */
int work_check_input(struct work *work, struct error *error);

/*
 * Asks what the provider says of a pending grant, and does with it what oauth_decide() says.  It
 * must be of work->subject; where that is NULL of the subject of the work's own grant, when that is
 * `old`; else of the one that was known when it was issued.
 *
 * 0: it is current now, in the place of `old` (NULL: of none), and the use is closed.  -1: `error`
 * says why not, and *ret_fate what became of it: FATE_WAIT, it is still pending; FATE_SURPLUS or
 * FATE_REJECT, it is rejected.
 */
int work_confirm(struct work *work, size_t number, struct store_record *old,
                 enum grant_fate *ret_fate, struct error *error);

/*
 * Confirms what an earlier run was issued and could not confirm, before anything else is done:
 * `issuing` is the step that would issue such a grant.  *ret_resolved: it is current now.  When it
 * was rejected, 0 is returned, too, and `error` says why.  -1: it, or another one of this name,
 * still waits, and nothing may be issued beside it.
 */
int work_resolve(struct work *work, struct store_record *old, enum oauth_step issuing,
                 bool *ret_resolved, struct error *error);

/* ---- work_columns.c: what an inspection leaves in the clear columns ---- */

/* What the provider said of a grant that is ours and alive. */
int work_set_columns(const struct work *work, struct store_record *row,
                     const struct oauth_facts *facts, struct error *error);
/*
 * A copy, which the caller clears, with what work_check_input() has learned of the grant that is
 * held: of a dead one nothing else is changed that was known.  The row itself stays as the store
 * has it, because a change that fails is tried again.
 */
int work_copy_inspected(const struct work *work, const struct store_record *row,
                        struct store_record *ret_row, struct error *error);
/* The same into the store and the log, inside the change that is open. */
int work_keep_inspected(struct work *work, const struct store_record *grant, struct error *error);

/*
 * work->lost becomes what `old` had by the store, by the provider's word in this use, or before it
 * was lost, and what the list `has` does not name.
 */
int work_find_lost(struct work *work, const struct store_record *old, const char *has,
                   struct error *error);
/* Adds work->lost to the members of an entry; nothing when it is empty. */
int work_set_lost(json_t *members, const struct work *work);
/*
 * What stands beside the columns of a grant (vault_remarks()); NULL without memory.  The caller
 * drops it.
 */
json_t *work_new_remarks(const struct work *work, const char *kind, const char *profile);

/* ---- work_keep.c: what stands in the store afterwards ---- */

/*
 * What the room says it has issued into the slot that was told last: as pending, or where the store
 * does not take it, in job->unkept.  One that was moved stays where it was then.
 */
int work_keep_issued(struct work *work, const struct message *message, struct error *error);
/* Notes what the provider has answered, for the log: work->verdict, and how long anything stood in clear. */
void work_note_step(struct work *work, int64_t request_us, int64_t answer_us);
/*
 * A pending grant becomes current; the one it replaces (NULL: none) and others of its name that are pending become previous; the
 * use is closed: one change.
 */
int work_promote(struct work *work, struct store_record *grant, struct store_record *old,
                 struct error *error);
/* The same, and the use goes on. */
int work_promote_one(struct work *work, struct store_record *grant, struct store_record *old,
                     struct error *error);
/* A pending grant is not taken: its ciphertext is destroyed. */
int work_reject(struct work *work, struct store_record *grant, struct error *error);
/*
 * The work's grant is ended at the provider: nothing of its name can be opened afterwards.  The
 * others ended with it: they are known to be dead.
 */
int work_forget(struct work *work, struct store_record *others, size_t count, struct error *error);
/* Closes the use: what was learned of the old grant is kept.  `why` NULL: it went well. */
int work_close(struct work *work, const char *result, const struct error *why, struct error *error);
/* The outcome of a failure; when even that cannot be written, `failure` says both. */
void work_fail(struct work *work, struct error *failure);

#endif
