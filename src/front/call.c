/*
 * `call`: one call of the caller's own choice with a grant.  What the provider answers comes from the exchange room
 * scrubbed, and goes on as it comes; nothing of it is kept here.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/log.h"
#include "p11vault/oauth/batch.h"
#include "p11vault/oauth/graph.h"

/* What only reads is asked for again, after so many milliseconds. */
static const int again_ms[] = {1000, 3000};
#define AGAIN (sizeof(again_ms) / sizeof(again_ms[0]))

/* The answer of a call that failed is small; it is shown unless the call is made again. */
#define FAILED_MAX ((size_t)64 * 1024)

/* No list has so many pages; a server may make up a new one each time. */
#define ANSWERS_MAX 100000

struct calling {
    struct job job;
    struct work work;
    const struct front_call *what;
    struct front_called *called;
    struct buffer failed;
    bool has_shown; /* some of the answer in hand: it cannot be asked for again */
    bool has_next;  /* the list goes on */
    char next[OAUTH_NEXT_MAX];
    struct buffer seen; /* digests of what has been asked for */
};

static void calling_clear(struct calling *calling)
{
    work_clear(&calling->work);
    job_clear(&calling->job);
    buffer_clear(&calling->failed);
    buffer_clear(&calling->seen);
}

static enum oauth_step step_of(const struct front_call *what)
{
    return what->batch ? STEP_BATCH : STEP_CALL;
}

static bool repeats(const struct front_call *what)
{
    return !what->batch && oauth_graph_repeats(what->method);
}

/* Which calls there may be; the log says what is called, without parameters. */
static int check_called(const struct front_call *what, char *ret_call, size_t room,
                        struct error *error)
{
    struct oauth_batch batch;
    if (!what->batch) {
        (void)snprintf(ret_call, room, "%s %s", what->method, what->path);
        return oauth_graph_check(what->method, what->path, what->fields, error);
    }
    if (oauth_batch_read(what->batch, strlen(what->batch), &batch, NULL, error) < 0)
        return -1;
    (void)snprintf(ret_call, room, "%s", batch.summary);
    return 0;
}

static int take_content(void *context, bool is_answer, const void *bytes, size_t size,
                        struct error *error)
{
    struct calling *calling = context;
    if (!is_answer)
        return buffer_put(&calling->failed, bytes, size, error);
    calling->has_shown = true;
    return calling->what->write(calling->what->context, bytes, size, error);
}

static int begin(struct calling *calling, const struct name *name, struct error *error)
{
    struct job *job = &calling->job;
    struct work *work = &calling->work;
    if (session_prepare(job->front, false, NULL, error) < 0 ||
        job_begin(job, name->app, error) < 0 || work_begin(work, job, name, 0, error) < 0)
        return -1;
    if (oauth_step_needs(job->provider, step_of(calling->what)) == 0)
        return error_set(error, CODE_USAGE, "%s does not support this kind of call",
                         job->provider->name);
    if (check_called(calling->what, work->call, sizeof(work->call), error) < 0 ||
        work_find(work, name->full, "current", true, &work->grant, error) < 0)
        return -1;
    return job_open(job, work, 1, NULL, error);
}

static int call_once(struct calling *calling, const char *fields, struct error *error)
{
    struct work *work = &calling->work;
    const struct front_call *what = calling->what;
    auto_json json_t *told = NULL;
    auto_answer struct oauth_answer answer = {0};
    const struct order order = {
        .step = step_of(what),
        .grant = work->grant,
        .slot = NO_RECORD,
        .parameters = {.method = what->method, .path = what->path, .fields = fields},
        .content = take_content,
        .context = calling};
    buffer_clear(&calling->failed);
    if (work_step(work, &order, &told, error) < 0 ||
        oauth_answer_from_json(told, &answer, error) < 0)
        return -1;
    calling->called->http = work->verdict.http;
    calling->called->scrubbed += answer.scrubbed;
    calling->has_next = answer.has_next;
    memcpy(calling->next, answer.next, sizeof(answer.next));
    return work->verdict.action == CODE_DONE ? 0 : work_verdict(work, error);
}

/* What only reads is asked for again when the provider has a passing fault, a few times. */
static int call_again(struct calling *calling, const char *fields, struct error *error)
{
    for (size_t times = 0;; times++) {
        int result = call_once(calling, fields, error);
        if (result == 0)
            return 0;
        const struct oauth_verdict *verdict = &calling->work.verdict;
        bool passes = error->code == CODE_RETRY && verdict->action == CODE_RETRY;
        /* An answer came, and what it said is not believed. */
        bool is_doubted = verdict->action == CODE_STOP && !*verdict->hint;
        if ((error->code == CODE_RETRY || is_doubted) && !repeats(calling->what))
            return error_hint(error,
                              "it may have been done all the same: check before you call again");
        if (!passes || calling->has_shown || times == AGAIN)
            return -1;
        log_info("%s; asking again", error->text);
        (void)poll(NULL, 0, again_ms[times]);
    }
}

static int show_failed(struct calling *calling, struct error *error)
{
    const struct front_call *what = calling->what;
    if (calling->failed.size == 0)
        return 0;
    if (what->write(what->context, calling->failed.data, calling->failed.size, error) < 0)
        return -1;
    return what->end(what->context, error);
}

/* ---- lists ---- */

/* Where it goes on is the server's word: it may be nowhere, or where the list has been. */
static int check_next(struct calling *calling, struct error *error)
{
    struct digest digest = digest_of(calling->next, strlen(calling->next));
    struct buffer *seen = &calling->seen;
    if (!*calling->next) {
        error_set(error, CODE_STOP,
                  "the list is not whole: its next page is not a call that p11vault makes");
        return error_hint(error,
                          "look at paging in the last answer, and call what follows yourself");
    }
    for (size_t at = 0; at < seen->size; at += sizeof(digest))
        if (memcmp(seen->data + at, &digest, sizeof(digest)) == 0)
            return error_set(error, CODE_STOP, "the list goes round in a circle after %zu answers",
                             seen->size / sizeof(digest) + 1);
    if (buffer_put(seen, &digest, sizeof(digest), error) < 0)
        return error_set(error, CODE_STOP, "the list is not whole: it has more than %d answers",
                         ANSWERS_MAX);
    return 0;
}

static int call_all(struct calling *calling, const struct name *name, struct error *error)
{
    const struct front_call *what = calling->what;
    char fields[OAUTH_NEXT_MAX];
    if (begin(calling, name, error) < 0)
        return -1;
    for (const char *now = what->batch ? what->batch : what->fields;; now = fields) {
        calling->has_shown = false;
        if (call_again(calling, now, error) < 0) {
            struct error showing;
            if (show_failed(calling, &showing) < 0)
                *error = showing;
            return -1;
        }
        if (what->end(what->context, error) < 0)
            return -1;
        if (!what->paginate || !calling->has_next ||
            oauth_graph_is_ahead(calling->next, clock_now()))
            return work_close(&calling->work, "done", NULL, error);
        if (check_next(calling, error) < 0)
            return -1;
        memcpy(fields, calling->next, sizeof(fields));
    }
}

int front_call(struct front *front, const struct name *name, const struct front_call *what,
               struct front_called *ret_called, struct error *error)
{
    *ret_called = (struct front_called){0};
    __attribute__((cleanup(calling_clear))) struct calling calling = {
        .job = {.front = front, .verb = "call", .session = SESSION_NONE},
        .work = WORK_NONE,
        .what = what,
        .called = ret_called,
        .failed = BUFFER_UP_TO(FAILED_MAX),
        .seen = BUFFER_UP_TO(ANSWERS_MAX * sizeof(struct digest))};
    if (call_all(&calling, name, error) == 0)
        return 0;
    work_fail(&calling.work, error);
    return error_prefix(error, "%s", name->full);
}
