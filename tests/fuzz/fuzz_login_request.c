/*
 * fuzz_login_request.c: any bytes as a request to the loopback address, as they come in pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/exchangeroom/loopback_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What was said of the first bytes holds for more of them, unless they were not yet enough. */
static void check_prefix(const struct secret *head, const struct loopback_place *place, size_t size,
                         enum loopback_request whole)
{
    auto_of(secret_free) struct secret *prefix = NULL;
    struct error error;
    size_t at, length;
    must(secret_new(LOOPBACK_HEAD_MAX, &prefix, &error) == 0 &&
         secret_append(prefix, secret_data(head), size, &error) == 0);
    enum loopback_request request = loopback_request_read(prefix, place, &at, &length);
    must(request == REQUEST_PARTIAL || request == whole);
}

static void check_visit(const struct secret *head, size_t at, size_t size)
{
    const uint8_t *bytes = secret_data(head);
    must(at <= secret_size(head) && size <= secret_size(head) - at);
    must(memcmp(bytes, "GET /", 5) == 0);
    must(bytes[at + size] == ' ' && (bytes[at - 1] == '?' || size == 0));
    for (size_t i = at; i < at + size; i++)
        must(bytes[i] > ' ' && bytes[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct loopback_place place = {.path = "/", .path_size = 1, .port = 8400};
    auto_of(secret_free) struct secret *head = NULL;
    struct error error;
    size_t at, length;
    if (size > LOOPBACK_HEAD_MAX)
        return 0;
    must(secret_new(LOOPBACK_HEAD_MAX, &head, &error) == 0 &&
         secret_append(head, data, size, &error) == 0);
    enum loopback_request request = loopback_request_read(head, &place, &at, &length);
    if (request == REQUEST_VISIT)
        check_visit(head, at, length);
    check_prefix(head, &place, size / 2, request);
    check_prefix(head, &place, size - size / 8, request);
    check_prefix(head, &place, size > 0 ? size - 1 : 0, request);
    return 0;
}
