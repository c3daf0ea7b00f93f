/*
 * fuzz_meta_answer.c: any bytes as an answer to any step of any family.  The first byte is the step and, above the
 * steps, the family; the second the HTTP status, the rest the body.  Whatever comes is a verdict that keeps what
 * answer.h promises, and goes over to another room unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/facts.h"
#include "p11vault/oauth/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX ((size_t)64 * 1024)
#define NOW 1767225600

static const int statuses[] = {200, 400, 401, 403, 404, 429, 500, 503, 302, 201};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const char *header(void *context, const char *name)
{
    must(name != NULL);
    return context;
}

static void check_text(const char *text, size_t room)
{
    must(strnlen(text, room) < room);
    for (; *text != '\0'; text++)
        must(*text > ' ' && *text <= '~');
}

static void check_facts(const struct oauth_facts *facts)
{
    check_text(facts->app_id, sizeof(facts->app_id));
    check_text(facts->type, sizeof(facts->type));
    check_text(facts->subject, sizeof(facts->subject));
    check_text(facts->profile, sizeof(facts->profile));
    check_text(facts->sso, sizeof(facts->sso));
    check_text(facts->auth_type, sizeof(facts->auth_type));
    check_text(facts->auth_nonce, sizeof(facts->auth_nonce));
    must(strnlen(facts->granular, sizeof(facts->granular)) < sizeof(facts->granular));
    must(facts->valid >= FACT_UNKNOWN && facts->valid <= 1);
    must(facts->expires >= FACT_UNKNOWN && facts->data_expires >= FACT_UNKNOWN);
    must(facts->issued >= FACT_UNKNOWN && facts->scope_count <= FACT_SCOPES_MAX);
    for (size_t i = 0; i < facts->scope_count; i++) {
        check_text(facts->scopes[i], sizeof(facts->scopes[i]));
        must(facts->scopes[i][0] != '\0');
    }
}

static void check_verdict(const struct oauth_verdict *verdict)
{
    switch ((int)verdict->action) {
    case CODE_DONE:
        must(verdict->message[0] == '\0');
        break;
    case CODE_FAULT:
    case CODE_RETRY:
    case CODE_WAIT:
    case CODE_LOGIN:
    case CODE_PERMISSION:
    case CODE_CONFIG:
    case CODE_STOP:
        must(verdict->message[0] != '\0');
        break;
    default:
        abort();
    }
    check_text(verdict->trace, 32);
}

/* What may be sent on: printable ASCII, no spaces. */
static void check_secret(const struct secret *secret)
{
    must(secret_size(secret) >= 1 && secret_size(secret) <= 16384);
    for (size_t i = 0; i < secret_size(secret); i++)
        must(secret_data(secret)[i] > ' ' && secret_data(secret)[i] <= '~');
}

static void check_label(const char *label)
{
    char clean[FACT_TEXT_MAX];
    must(strnlen(label, sizeof(clean)) < sizeof(clean));
    strcpy(clean, label);
    error_clean(clean);
    must(strcmp(clean, label) == 0);
}

static void check_pages(const struct oauth_answer *answer)
{
    must(answer->page_count <= OAUTH_PAGES_MAX);
    for (size_t i = 0; i < answer->page_count; i++) {
        const struct oauth_page *page = &answer->pages[i];
        check_text(page->id, sizeof(page->id));
        check_text(page->tasks, sizeof(page->tasks));
        check_label(page->label);
        must(page->id[0] != '\0');
        must((page->grant != NULL) == page->has_grant);
        if (page->grant != NULL)
            check_secret(page->grant);
    }
    must(answer->permission_count <= OAUTH_PERMISSIONS_MAX);
    for (size_t i = 0; i < answer->permission_count; i++) {
        check_text(answer->permissions[i].name, sizeof(answer->permissions[i].name));
        check_text(answer->permissions[i].status, sizeof(answer->permissions[i].status));
    }
}

static void check_yield(unsigned needs, const struct oauth_answer *answer)
{
    bool done = answer->verdict.action == CODE_DONE;
    must(!done || answer->verdict.http == 200);
    must((answer->grant != NULL) == (done && (needs & ISSUES_GRANT) != 0));
    must((answer->code != NULL) == (done && (needs & YIELDS_CODE) != 0));
    must((answer->pages != NULL) == (done && (needs & (ISSUES_PAGES | LISTS_BUSINESSES)) != 0));
    must(answer->expires_in == FACT_UNKNOWN || (done && answer->expires_in > 0));
    if (answer->grant != NULL)
        check_secret(answer->grant);
    if (answer->code != NULL)
        check_secret(answer->code);
    check_pages(answer);
    check_text(answer->cursor, sizeof(answer->cursor));
    check_text(answer->user_code, sizeof(answer->user_code));
    check_text(answer->verification_uri, sizeof(answer->verification_uri));
    check_text(answer->machine_id, sizeof(answer->machine_id));
    check_text(answer->api_version, sizeof(answer->api_version));
}

/* Written, read and written again, the same bytes come out. */
static void check_passage(const struct oauth_answer *answer)
{
    auto_json json_t *first = oauth_answer_to_json(answer);
    auto_answer struct oauth_answer read = {0};
    struct error error = {0};
    must(first != NULL && oauth_answer_from_json(first, &read, &error) == 0);
    auto_json json_t *second = oauth_answer_to_json(&read);
    must(json_equal(first, second) == 1);
}

/* Only what is ours and alive is taken, and only proof throws a grant away. */
static void check_judgement(const struct oauth_answer *answer)
{
    struct oauth_verdict verdict;
    const struct oauth_facts *facts = &answer->facts;
    const struct oauth_said said = {&answer->verdict, facts};
    const struct oauth_expected expected = {
        provider_find("meta"), "1234567890", "user", STEP_EXCHANGE, "10153848260347724", NOW};
    const struct oauth_old old = {STANDING_ALIVE, NOW + 86400};
    bool is_other = (*facts->app_id && strcmp(facts->app_id, expected.client_id) != 0) ||
                    (*facts->subject && strcmp(facts->subject, expected.subject) != 0);

    bool is_alive = oauth_judge_input(&expected, &said, &verdict) == STANDING_ALIVE;
    check_verdict(&verdict);
    must(is_alive == (verdict.action == CODE_DONE));
    must(!is_alive || (!is_other && facts->valid == 1));

    enum grant_fate fate = oauth_decide(&expected, &old, &said, &verdict);
    check_verdict(&verdict);
    must((fate == FATE_PROMOTE) == (verdict.action == CODE_DONE));
    must(fate != FATE_PROMOTE || (!is_other && facts->valid == 1 &&
                                  (facts->expires == 0 || facts->expires > old.expires)));
    must(fate != FATE_REJECT || is_other || facts->valid == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char trace[] = "TrAcE-1";
    static struct secret *body;
    struct error error = {0};
    if (size < 2 || size - 2 > BODY_MAX)
        return 0;
    if (body == NULL)
        must(secret_new(BODY_MAX, &body, &error) == 0);
    secret_clear(body);
    must(secret_append(body, data + 2, size - 2, &error) == 0);

    static const char *const families[] = {"meta", "instagram", "threads"};
    enum oauth_step step = (enum oauth_step)(data[0] % STEP_COUNT);
    const struct provider *provider = provider_find(families[data[0] / STEP_COUNT % 3]);
    unsigned needs = oauth_step_needs(provider, step);
    if (needs == 0)
        return 0;
    int status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
    auto_answer struct oauth_answer answer;
    const struct oauth_reply reply = {step, status, header, trace, body, "v26.0"};
    must(oauth_answer_read(provider, &reply, &answer, &error) == 0);
    must(answer.verdict.http == status);
    check_verdict(&answer.verdict);
    check_facts(&answer.facts);
    check_yield(needs, &answer);
    check_passage(&answer);

    check_judgement(&answer);
    return 0;
}
