/*
 * fuzz_graph.c: any text as a call or as a batch of calls.  What is allowed is allowed in its
 * canonical form as well, asks for no token by any name that a server could read, and makes a
 * request.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/batch.h"
#include "p11vault/oauth/call.h"
#include "p11vault/oauth/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)8 * 1024)

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void make(enum oauth_step step, const char *method, const char *path, const char *fields)
{
    static struct secret *grant;
    struct error error;
    auto_call struct oauth_call call = {0};
    if (!grant) {
        must(secret_new(64, &grant, &error) == 0);
        must(secret_append_text(grant, "a-grant-that-is-a-canary", &error) == 0);
    }
    const struct oauth_values values = {.app_secret = grant, .grant = grant};
    const struct oauth_parameters parameters = {.client_id = "1234567890",
                                                .api_version = "v26.0",
                                                .now = 1800000000,
                                                .method = method,
                                                .path = path,
                                                .fields = fields};
    must(oauth_call_make(provider_find("meta"), step, &parameters, &values, &call, &error) == 0);
    /* Proved once: nobody brings a proof or a token along. */
    const struct secret *where = call.form ? call.form : call.target;
    const char *text = (const char *)secret_data(where);
    size_t proofs = 0;
    for (size_t i = 0; i + 15 <= secret_size(where); i++) {
        bool begins = i == 0 || text[i - 1] == '?' || text[i - 1] == '&';
        proofs += begins && strncasecmp(text + i, "appsecret_proof", 15) == 0;
        must(!begins || strncasecmp(text + i, "access_token", 12) != 0);
    }
    must(proofs == 1);
}

static void call(const char *text)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    auto_buffer struct buffer fields = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    char path[GRAPH_PATH_MAX];
    struct error error;
    if (oauth_graph_split(text, &fields, path, &error) < 0)
        return;
    for (size_t i = 0; i < 3; i++)
        if (oauth_graph_check(methods[i], path, buffer_text(&fields), &error) == 0)
            make(STEP_CALL, methods[i], path, buffer_text(&fields));
        else
            must(error.code == CODE_USAGE);
    (void)oauth_graph_leads_on("me/feed", path, buffer_text(&fields));
    (void)oauth_graph_is_ahead(buffer_text(&fields), 1800000000);
}

static void batch(const char *text, size_t size)
{
    struct oauth_batch first, again;
    auto_free char *canonical = NULL;
    auto_free char *same = NULL;
    struct error error;
    if (oauth_batch_read(text, size, &first, &canonical, &error) < 0) {
        must(error.code == CODE_USAGE);
        return;
    }
    must(first.count >= 1 && first.count <= BATCH_ITEMS_MAX);
    must(strnlen(first.summary, sizeof(first.summary)) < sizeof(first.summary));
    must(oauth_batch_read(canonical, strlen(canonical), &again, &same, &error) == 0);
    must(strcmp(canonical, same) == 0 && strcmp(first.summary, again.summary) == 0);
    make(STEP_BATCH, NULL, NULL, canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[INPUT_MAX + 1];
    if (size > INPUT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (size > 0 && (*text == '[' || *text == ' '))
        batch(text, size);
    else
        call(text);
    return 0;
}
