/*
 * `inspect` and `permissions`: what the provider says, and nothing is changed there.
 */
#include <string.h>

#include "job.h"

struct asking {
    struct job job;
    struct work work;
};

static void asking_clear(struct asking *asking)
{
    work_clear(&asking->work);
    job_clear(&asking->job);
}

static int begin(struct asking *asking, const struct name *name, enum oauth_step step,
                 struct error *error)
{
    struct job *job = &asking->job;
    struct work *work = &asking->work;
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, name->app, error) < 0 || work_begin(work, job, name, 0, error) < 0)
        return -1;
    if (oauth_step_needs(job->provider, step) == 0)
        return error_set(error, CODE_USAGE, "%s cannot be asked for this", job->provider->name);
    if (!work_is_told_of(work, name->kind))
        return error_set(error, CODE_USAGE, "%s says nothing of a grant of kind '%s'",
                         job->provider->name, name->kind);
    if (work_find(work, name->full, "current", true, &work->grant, error) < 0)
        return -1;
    return job_open(job, work, 1, NULL, error);
}

#define ASKING(front_, verb_)                                                                      \
    {                                                                                              \
        .job = {.front = (front_), .verb = (verb_), .session = SESSION_NONE}, .work = WORK_NONE    \
    }

/* A dead grant is an answer, too: its facts are kept and told, and the verdict says what to do. */
static int inspect(struct asking *asking, const struct name *name, struct error *error)
{
    struct work *work = &asking->work;
    if (begin(asking, name, STEP_INSPECT_INPUT, error) < 0 || work_check_input(work, error) < 0)
        return -1;
    return work_close(work, "done", NULL, error);
}

int front_inspect(struct front *front, const struct name *name, struct oauth_facts *ret_facts,
                  struct buffer *ret_lost, struct error *error)
{
    __attribute__((cleanup(asking_clear))) struct asking asking = ASKING(front, "inspect");
    oauth_facts_init(&asking.work.input); /* told also when it never came to the work */
    int result = inspect(&asking, name, error);
    if (result < 0) {
        work_fail(&asking.work, error);
        error_prefix(error, "%s", name->full);
    }
    *ret_facts = asking.work.input;
    *ret_lost = asking.work.lost;
    asking.work.lost = (struct buffer){0};
    return result;
}

static int list_permissions(struct asking *asking, const struct name *name,
                            struct oauth_answer *ret_answer, struct error *error)
{
    struct work *work = &asking->work;
    auto_json json_t *told = NULL;
    if (begin(asking, name, STEP_PERMISSIONS, error) < 0)
        return -1;
    const struct order order = {.step = STEP_PERMISSIONS, .grant = work->grant, .slot = NO_RECORD};
    if (work_step(work, &order, &told, error) < 0)
        return -1;
    if (work->verdict.action != CODE_DONE)
        return work_verdict(work, error);
    if (oauth_answer_from_json(told, ret_answer, error) < 0)
        return -1;
    return work_close(work, "done", NULL, error);
}

int front_permissions(struct front *front, const struct name *name, struct oauth_answer *ret_answer,
                      struct error *error)
{
    __attribute__((cleanup(asking_clear))) struct asking asking = ASKING(front, "permissions");
    if (list_permissions(&asking, name, ret_answer, error) == 0)
        return 0;
    work_fail(&asking.work, error);
    return error_prefix(error, "%s", name->full);
}
