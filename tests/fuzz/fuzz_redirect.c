/*
 * fuzz_redirect.c: any bytes as the query of a redirect from the login dialog.  A code comes out only with the state,
 * and is printable; nothing that came in is in the verdict.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/oauth/dialog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUERY_MAX ((size_t)64 * 1024)
#define STATE "MTIzNDU2Nzg5MDEyMzQ1Ng"

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret *query, *state;
    struct error error = {0};
    auto_redirect struct oauth_redirect redirect = {0};
    if (size > QUERY_MAX)
        return 0;
    if (query == NULL)
        must(secret_new(QUERY_MAX, &query, &error) == 0 &&
             secret_new(sizeof(STATE), &state, &error) == 0 &&
             secret_append_text(state, STATE, &error) == 0);
    const struct oauth_awaited awaited = {.state = state, .issuer = "https://www.facebook.com"};
    secret_clear(query);
    must(secret_append(query, data, size, &error) == 0);
    must(oauth_redirect_read(query, &awaited, &redirect, &error) == 0);

    bool done = redirect.verdict.action == CODE_DONE;
    must((redirect.code != NULL) == done);
    must((redirect.verdict.message[0] == '\0') == done);
    if (!done)
        return 0;
    must(memmem(data, size, "state=", 6) != NULL);
    must(secret_size(redirect.code) >= 1 && secret_size(redirect.code) <= 16384);
    for (size_t i = 0; i < secret_size(redirect.code); i++)
        must(secret_data(redirect.code)[i] > ' ' && secret_data(redirect.code)[i] <= '~');
    return 0;
}
