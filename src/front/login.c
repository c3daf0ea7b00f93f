/*
 * `login`: a person logs in at the provider; the code comes to the exchange room, and only then is the card asked.  Then the code
 * is exchanged once, the grant lengthened where that can be done, confirmed, and kept.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "p11vault/base/base64.h"
#include "p11vault/base/scrub.h"
#include "p11vault/oauth/parameters.h"
#include "p11vault/oauth/scopes.h"

/* What the code gives; that under the name of another kind; and what it is made into. */
enum { SLOT_CODE, SLOT_KIND, SLOT_LONG, SLOTS };

#define ROOM_GRACE_MS 5000
#define DEVICE_SLOWER_S 5

#define NONCE_BYTES 16
#define NONCE_SIZE (BASE64URL_SIZE(NONCE_BYTES) + 1)

struct login {
    struct front *front;
    const struct front_login *what;
    char nonce[NONCE_SIZE]; /* of a login with the password asked for, else "" */
    struct job job;
    struct work work;
    struct store_record old; /* what it replaces */
    struct room *room;       /* that waits for the code */
};

static void login_clear(struct login *login)
{
    room_free(login->room);
    store_record_clear(&login->old);
    work_clear(&login->work);
    job_clear(&login->job);
}

static bool is_configured(const struct login *login)
{
    return login->what->config_id && *login->what->config_id;
}

/* ---- the person ---- */

/* Comes back in the facts of the grant and says that it is this login for which the password was asked. */
static int make_nonce(struct login *login, struct error *error)
{
    uint8_t bytes[NONCE_BYTES];
    auto_buffer struct buffer text = BUFFER_UP_TO(NONCE_SIZE);
    const char *auth_type = login->what->auth_type;
    if (!auth_type || !strstr(auth_type, "reauthenticate"))
        return 0;
    if (random_bytes(bytes, sizeof(bytes), error) < 0 ||
        base64url_put(&text, bytes, sizeof(bytes), error) < 0)
        return -1;
    memcpy(login->nonce, buffer_text(&text), NONCE_SIZE);
    return 0;
}

/* The provider's word for the password comes first, where it gives one. */
static bool agrees(void *context, const struct oauth_facts *facts)
{
    const struct login *login = context;
    auto_buffer struct buffer missing = BUFFER_UP_TO(OAUTH_SCOPES_TEXT_MAX);
    struct error ignored;
    if (*login->nonce && *facts->auth_nonce && strcmp(login->nonce, facts->auth_nonce) != 0) {
        if (login->front->say)
            login->front->say("the provider says that the password was asked for in another login");
        return false;
    }
    /* What a configuration asks for only the provider knows, and without a debugger nobody says. */
    bool is_known = login->job.provider->has_debugger && !is_configured(login) &&
                    oauth_facts_missing(facts, login->what->scopes, &missing, &ignored) == 0;
    const struct front_logged_in logged_in = {.name = &login->work.name,
                                              .facts = facts,
                                              .missing = is_known ? buffer_text(&missing) : NULL};
    return login->what->agrees(login->what->context, &logged_in);
}

static int tell_dialog(struct login *login, struct error *error)
{
    const struct front_login *what = login->what;
    const struct job *job = &login->job;
    const struct config_provider *config =
        config_provider(login->front->config, job->provider->name);
    const struct oauth_dialog dialog = {
        .client_id = json_text(job->app.app_entry, "client_id"),
        .api_version = config->api_version ? config->api_version : job->provider->default_version,
        .redirect_uri = what->redirect_uri,
        .scopes = what->scopes,
        .config_id = what->config_id,
        .auth_type = what->auth_type,
        .auth_nonce = login->nonce};
    auto_json json_t *json = oauth_dialog_to_json(&dialog);
    auto_free char *text = NULL;
    if (!json)
        return error_memory(error);
    if (json_canonical(json, &text, error) < 0)
        return -1;
    int sent =
        channel_send(room_channel(login->room), login, error, .provider = job->provider->name,
                     .origin = config->dialog ? config->dialog : "", .dialog = text,
                     .port = what->port, .seconds = what->seconds);
    return session_tell(login->room, sent, error);
}

/* The room's channel for keys goes with it from the start: they flow long after. */
static int start_room(struct login *login, bool inherit_input, struct error *error)
{
    struct session *session = &login->job.session;
    if (session_make_way(session, error) < 0)
        return -1;
    const struct room_start how = {.who = PARTY_EXCHANGE,
                                   .keys = session->keys_out,
                                   .inherit_input = inherit_input,
                                   .env = NULL};
    return room_start(&how, &login->room, error);
}

static struct deadline person_deadline(const struct login *login)
{
    return deadline_in((int64_t)login->what->seconds * 1000 + ROOM_GRACE_MS);
}

static int await_code(struct login *login, struct error *error)
{
    struct message message;
    struct deadline deadline = person_deadline(login);
    if (make_nonce(login, error) < 0 || start_room(login, true, error) < 0 ||
        tell_dialog(login, error) < 0 ||
        session_expect(login->room, MESSAGE_DIALOG, deadline, &message, error) < 0 ||
        login->what->open(login->what->context, message.dialog.url, error) < 0)
        return -1;
    channel_forget(room_channel(login->room));
    scrub_stack_and_registers();
    return session_expect(login->room, MESSAGE_CAME, deadline, &message, error);
}

/* The room reads the client token, which stays there like a code. */
static int await_client_token(struct login *login, struct error *error)
{
    struct message message;
    const char *file = login->what->client_token_file;
    if (start_room(login, !file, error) < 0)
        return -1;
    int sent = channel_send(room_channel(login->room), client_token, error,
                            .file = file ? file : "", .seconds = login->what->seconds);
    if (session_tell(login->room, sent, error) < 0)
        return -1;
    return session_expect(login->room, MESSAGE_CAME, person_deadline(login), &message, error);
}

/* ---- the provider ---- */

static int step(struct login *login, struct order *order, json_t **ret_told, struct error *error)
{
    if (work_step(&login->work, order, ret_told, error) < 0)
        return -1;
    return work_check_issued(&login->work, order->slot, error);
}

static void say_short_lived(const struct login *login)
{
    const struct work *work = &login->work;
    char text[NAME_MAX_SIZE + sizeof(work->verdict.message) + 64];
    (void)snprintf(text, sizeof(text),
                   "the grant is short-lived: it could not be lengthened now: %s",
                   work->verdict.message);
    login->front->say(text);
    (void)snprintf(text, sizeof(text), "next: p11vault exchange %s", work->name.full);
    login->front->say(text);
}

/*
 * From the first grant to the one that is kept.  When the provider does not lengthen it now, the short-lived one is kept,
 * so that the login was not in vain; and so it is when its own answer is not believed.  Else it waits until the long-lived
 * one is proved.
 */
static int lengthen(struct login *login, size_t *number, struct error *error)
{
    struct work *work = &login->work;
    struct order order = {.step = oauth_lengthen_step(login->job.provider, work->name.kind),
                          .grant = *number,
                          .slot = work_slot(work, SLOT_LONG)};
    if (order.step == STEP_COUNT)
        return 0;
    if (work->verdict.action != CODE_DONE || step(login, &order, NULL, error) < 0) {
        if (!login->front->say || work->verdict.action == CODE_DONE)
            return -1;
        say_short_lived(login);
        return 0;
    }
    if (!work_row(work, order.slot))
        return error_set(error, CODE_STOP, "the provider issued nothing");
    *number = order.slot;
    return 0;
}

/* What was issued is not lost when nobody could be asked about it. */
static int say_waiting(const struct login *login, struct error *error)
{
    return error_hint(error,
                      "what was issued waits; go on with it: p11vault login %s --config-id %s",
                      login->work.name.full, login->what->config_id);
}

/* Under a name of another kind there is nothing that it could take the place of. */
static int keep(struct login *login, size_t number, struct error *error)
{
    struct work *work = &login->work;
    struct store_record *old =
        login->old.name && strcmp(login->old.name, work->name.full) == 0 ? &login->old : NULL;
    enum grant_fate fate = FATE_WAIT;
    work->issuing = STEP_CODE;
    work->agrees = agrees;
    work->context = login;
    if (work_confirm(work, number, old, &fate, error) == 0)
        return 0;
    return fate == FATE_WAIT && is_configured(login) ? say_waiting(login, error) : -1;
}

/*
 * What a configuration gives is looked at before anything is done with it: a system user's grant
 * must not be exchanged as a person's, and what lives long already need not be.
 */
static int settle(struct login *login, size_t *number, struct error *error)
{
    struct work *work = &login->work;
    if (work_settle_kind(work, number, work_slot(work, SLOT_KIND), error) < 0)
        return say_waiting(login, error);
    if (work->result.valid == 0 || !oauth_is_short_lived(&work->result, clock_now()))
        return 0;
    return lengthen(login, number, error);
}

static int take_issued(struct login *login, size_t number, struct error *error)
{
    if (!work_row(&login->work, number))
        return error_set(error, CODE_STOP, "the provider issued nothing");
    if ((is_configured(login) ? settle : lengthen)(login, &number, error) < 0)
        return -1;
    return keep(login, number, error);
}

static int exchange_code(struct login *login, struct error *error)
{
    struct order order = {.step = STEP_CODE,
                          .grant = NO_RECORD,
                          .slot = work_slot(&login->work, SLOT_CODE),
                          .parameters = {.redirect_uri = login->what->redirect_uri}};
    if (step(login, &order, NULL, error) < 0)
        return -1;
    return take_issued(login, order.slot, error);
}

/* ---- the device flow ---- */

static void wait_seconds(int64_t seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) < 0) {
    }
}

/* Asks until the person has confirmed, declined, or the code has expired; slower when told so. */
static int poll_device(struct login *login, int64_t interval, struct deadline deadline,
                       struct error *error)
{
    struct order order = {
        .step = STEP_DEVICE_POLL, .grant = NO_RECORD, .slot = work_slot(&login->work, SLOT_CODE)};
    struct oauth_verdict *verdict = &login->work.verdict;
    for (;;) {
        int64_t left = deadline_left(deadline) / 1000;
        wait_seconds(interval < left ? interval : left);
        if (work_step(&login->work, &order, NULL, error) < 0)
            return -1;
        if (verdict->action != CODE_WAIT ||
            (verdict->subcode != DEVICE_PENDING && verdict->subcode != DEVICE_SLOW_DOWN))
            break;
        if (verdict->subcode == DEVICE_SLOW_DOWN)
            interval += DEVICE_SLOWER_S;
        if (deadline_passed(deadline))
            return error_set(error, CODE_LOGIN, "the device login was not confirmed in time");
    }
    return work_check_issued(&login->work, order.slot, error);
}

static int log_in_by_device(struct login *login, struct error *error)
{
    struct order order = {.step = STEP_DEVICE_START,
                          .grant = NO_RECORD,
                          .slot = NO_RECORD,
                          .parameters = {.scopes = login->what->scopes}};
    auto_json json_t *told = NULL;
    auto_answer struct oauth_answer answer = {0};
    if (step(login, &order, &told, error) < 0 || oauth_answer_from_json(told, &answer, error) < 0)
        return -1;
    login->what->device(login->what->context, answer.user_code, answer.verification_uri,
                        answer.expires_in);
    if (poll_device(login, answer.interval, deadline_in(answer.expires_in * 1000), error) < 0)
        return -1;
    return take_issued(login, work_slot(&login->work, SLOT_CODE), error);
}

/* ---- the job ---- */

static int check_way(const struct login *login, const struct name *name, struct error *error)
{
    const struct provider *provider = login->job.provider;
    const char *business_kind = provider->business_kind;
    if (login->what->by_device && oauth_step_needs(provider, STEP_DEVICE_START) == 0)
        return error_set(error, CODE_USAGE, "%s has no device login", provider->name);
    if (is_configured(login) && !business_kind)
        return error_set(error, CODE_USAGE, "%s has no login configurations", provider->name);
    bool is_business = business_kind && strcmp(name->kind, business_kind) == 0;
    if (strcmp(name->kind, provider->person_kind) == 0 || (is_business && is_configured(login)))
        return 0;
    error_set(error, CODE_USAGE, "a login at %s gives a grant of kind '%s'", provider->name,
              provider->person_kind);
    if (is_business)
        return error_hint(
            error, "with a Login for Business configuration: p11vault login %s --config-id ID",
            name->full);
    return error_hint(error, "p11vault login %s/%s/%s", name->app, provider->person_kind,
                      name->label);
}

/*
 * The name that it gets if it is of the other kind, and what an earlier login was issued that
 * nobody could be asked about.
 */
static int prepare_kinds(struct login *login, struct error *error)
{
    struct work *work = &login->work;
    const struct provider *provider = login->job.provider;
    bool is_person = strcmp(work->name.kind, provider->person_kind) == 0;
    if (work_reserve_kind(work, is_person ? provider->business_kind : provider->person_kind,
                          error) < 0)
        return -1;
    return work_find(work, work->name.full, "pending", false, &work->pending, error);
}

static int begin(struct login *login, const struct name *name, struct error *error)
{
    struct job *job = &login->job;
    if (session_prepare(login->front, false, NULL, error) < 0 ||
        job_begin(job, name->app, error) < 0 || check_way(login, name, error) < 0)
        return -1;
    job->origin = vault_app_code_origin(&job->app);
    if (work_begin(&login->work, job, name, SLOTS, error) < 0 ||
        (is_configured(login) && prepare_kinds(login, error) < 0))
        return -1;
    return work_find_old(&login->work, name->full, "current", &login->old, error);
}

/* The room that took the answer knows neither name nor app: its hints leave them open. */
static int await_person(struct login *login, const struct name *name, struct error *error)
{
    char hint[OAUTH_HINT_MAX];
    if ((login->what->by_device ? await_client_token : await_code)(login, error) == 0)
        return 0;
    oauth_hint_fill(error->hint, name->full, name->app, hint);
    return *hint ? error_hint(error, "%s", hint) : -1;
}

static int log_in(struct login *login, const struct name *name, struct error *error)
{
    struct work *work = &login->work;
    if (begin(login, name, error) < 0)
        return -1;
    bool is_waiting = work->pending != NO_RECORD;
    if ((!is_waiting && await_person(login, name, error) < 0) ||
        job_open(&login->job, work, 1, TAKE(login->room), error) < 0)
        return -1;
    if (is_waiting)
        return take_issued(login, work->pending, error);
    return login->what->by_device ? log_in_by_device(login, error) : exchange_code(login, error);
}

int front_login(struct front *front, const struct name *name, const struct front_login *what,
                struct error *error)
{
    __attribute__((cleanup(login_clear))) struct login login = {
        .front = front,
        .what = what,
        .job = {.front = front, .verb = "login", .session = SESSION_NONE},
        .work = WORK_NONE};
    if (log_in(&login, name, error) == 0)
        return 0;
    work_fail(&login.work, error);
    return error_prefix(error, "%s", name->full);
}
