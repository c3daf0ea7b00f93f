/*
 * Phase one: resolve, connect, complete TLS.  Then the lock, for good, before any key arrives.
 */
#include <string.h>

#include "exchangeroom.h"
#include "p11vault/base/log.h"
#include "p11vault/confine/confine.h"
#include "p11vault/http/response.h"

#define LONGEST_MS (10 * 60 * 1000)

/* Of one page, at the same time: keys, payloads and values of two records, parts of a request. */
#define SMALL_SECRETS 10

static int64_t bounded_ms(uint64_t milliseconds)
{
    return milliseconds > LONGEST_MS ? LONGEST_MS : (int64_t)milliseconds;
}

int exchangeroom_connect(struct exchangeroom *room, const struct message *order,
                         struct error *error)
{
    struct deadline deadline = deadline_in(bounded_ms(order->connect.connect_ms));
    room->step_ms = bounded_ms(order->connect.step_ms);
    if (origin_parse(order->connect.origin, &room->origin, error) < 0 ||
        connection_library_start(error) < 0 ||
        connection_open(&room->origin, order->connect.ca, deadline, &room->connection, error) < 0)
        return -1;
    if (CONFINE_WALLS && confine_lock(error) < 0)
        return error_prefix(error, "lock the exchange room");
    log_info("connected to %s (%s), locked", connection_address(room->connection),
             connection_tls(room->connection));
    if (channel_send(room->inside.front, connected, error,
                     .address = connection_address(room->connection),
                     .tls = connection_tls(room->connection)) < 0)
        return -1;
    /* While the others sign the log: no step needs more than these for tokens of usual size. */
    secret_reserve(1, SMALL_SECRETS);
    http_response_reserve();
    return 0;
}
