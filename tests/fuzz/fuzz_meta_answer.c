/*
 * fuzz_meta_answer.c: any bytes as an answer of the Graph API.  The first byte is the step, the
 * second the HTTP status, the rest the body.  Whatever comes is a verdict that keeps what
 * provider.h promises.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/oauth/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX ((size_t)64 * 1024)

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

static void check_grant(enum oauth_step step, const struct oauth_answer *answer)
{
    bool issued = step == STEP_EXCHANGE && answer->verdict.action == CODE_DONE;
    must((answer->grant != NULL) == issued);
    must(answer->expires_in == FACT_UNKNOWN || (issued && answer->expires_in > 0));
    if (!issued)
        return;
    must(answer->verdict.http == 200);
    must(secret_size(answer->grant) >= 1 && secret_size(answer->grant) <= 16384);
    for (size_t i = 0; i < secret_size(answer->grant); i++)
        must(secret_data(answer->grant)[i] > ' ' && secret_data(answer->grant)[i] <= '~');
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

    enum oauth_step step = (enum oauth_step)(data[0] % 3);
    int status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
    auto_answer struct oauth_answer answer;
    const struct oauth_reply reply = {step, status, header, trace, body, "v26.0"};
    must(oauth_answer_read(provider_find("meta"), &reply, &answer, &error) == 0);
    must(answer.verdict.http == status);
    check_verdict(&answer.verdict);
    check_facts(&answer.facts);
    check_grant(step, &answer);

    struct oauth_verdict verdict;
    const struct oauth_expected expected = {provider_find("meta"), "1234567890", "user",
                                            STEP_EXCHANGE,         NULL,         1767225600};
    oauth_judge_input(&expected, &answer.facts, &verdict);
    check_verdict(&verdict);
    must(verdict.action != CODE_DONE || strcmp(answer.facts.app_id, "1234567890") == 0);
    oauth_judge_result(&expected, &answer.facts, &answer.facts, &verdict);
    check_verdict(&verdict);
    must(verdict.action != CODE_DONE || answer.facts.expires >= 0);
    return 0;
}
