/*
 * job.h: one exchange while it runs: its records, its two rooms, what the provider said.
 */
#ifndef P11VAULT_SRC_FRONT_JOB_H
#define P11VAULT_SRC_FRONT_JOB_H

#include "p11vault/oauth/facts.h"
#include "p11vault/oauth/judge.h"
#include "session.h"

/* The numbers of a job's records, as intent, card room and exchange room count them. */
enum job_record { JOB_SECRET, JOB_GRANT, JOB_PENDING, JOB_RECORDS };

struct job {
    struct front *front;
    const struct name *name;
    struct session session;
    struct room *exchange;
    bool connection_lives, records_told, issued_told;

    struct vault_app app;
    struct signed_head head;
    const struct provider *provider;

    struct store_record records[JOB_RECORDS]; /* JOB_PENDING only when an earlier run left one */
    bool has_pending;
    size_t record_count;  /* of those to open: 2 or 3; also the number of the slot */
    int64_t slot_version; /* of what may be issued */

    struct store_record issued; /* what this run was issued; state "pending" once kept */
    bool has_issued;

    struct oauth_facts input, result;
    struct oauth_verdict verdict; /* of the last step or judgement */
    enum oauth_step step;
    bool stepped;                  /* a step has begun */
    int64_t request_us, answer_us; /* in clear: before sending, and of the answers */
};

void job_clear(struct job *job);

/* Rooms and steps (job_steps.c). */
int job_connect(struct job *job, struct error *error);
/*
 * One step about record `grant`.  0 when the provider answered, whatever it said: job->verdict; facts of an inspection
 * go to `ret_facts`.  What is issued is kept as pending before this returns.
 */
int job_step(struct job *job, enum oauth_step step, size_t grant, struct oauth_facts *ret_facts,
             struct error *error);

/* What stands in the store afterwards (job_keep.c). */
int job_keep_issued(struct job *job, const struct message *issued, struct error *error);
/* The new grant becomes current, the old one previous, the use is closed: one change. */
int job_promote(struct job *job, struct store_record *grant, struct error *error);
/* The new grant is not taken. */
int job_reject(struct job *job, struct store_record *grant, struct error *error);
/* Closes the use without a new grant: what was learned of the old one is kept. */
int job_close(struct job *job, const char *result, const struct error *why, struct error *error);

#endif
