/*
 * connection.c: connects once and then moves our own bytes.  libcurl resolves, connects and does
 * TLS; it never sees a request or an answer as such, so it keeps no copy of one.
 */
#include "p11vault/http/connection.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "connection_setup.h"

/*
 * What OpenSSL, libcurl and the resolver would take from the environment.  A room is started
 * without any of it; this is the second lock on the same door.
 */
static const char *const forbidden_environment[] = {
    "SSLKEYLOGFILE",    "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
    "SSL_CERT_FILE",    "SSL_CERT_DIR", "LOCALDOMAIN",     "RES_OPTIONS",
    "CURL_SSL_BACKEND", "HOSTALIASES",  "OPENSSL_ia32cap",
};

int connection_library_start(struct error *error)
{
    for (size_t i = 0; i < sizeof(forbidden_environment) / sizeof(forbidden_environment[0]); i++)
        unsetenv(forbidden_environment[i]);
    /* With CURLOPT_NOSIGNAL libcurl leaves this one to the program. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_errno(error, CODE_FAULT, "ignore SIGPIPE");
    CURLcode result =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, secret_heap_malloc, secret_heap_free,
                             secret_heap_realloc, secret_heap_strdup, secret_heap_calloc);
    if (result != CURLE_OK)
        return error_set(error, CODE_FAULT, "start libcurl: %s", curl_easy_strerror(result));
    return 0;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    curl_easy_cleanup(connection->easy);
    secret_free(connection->glimpse);
    free(connection);
}

int connection_open(const struct origin *origin, const char *ca_file, struct deadline deadline,
                    struct connection **ret_connection, struct error *error)
{
    int left = deadline_left(deadline);
    if (left == 0) /* zero would mean "no limit" to libcurl */
        return error_set(error, CODE_RETRY, "connect to %s: the deadline has passed", origin->text);
    auto_of(connection_free) struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return error_memory(error);
    if (secret_new(1, &connection->glimpse, error) < 0 ||
        connection_set_up(connection, origin, ca_file, left, error) < 0)
        return error_prefix(error, "connect to %s", origin->text);
    CURLcode result = curl_easy_perform(connection->easy);
    if (result != CURLE_OK) {
        connection_fault(connection, result, ca_file, error);
        return error_prefix(error, "connect to %s", origin->text);
    }
    curl_socket_t descriptor = CURL_SOCKET_BAD;
    result = curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET, &descriptor);
    if (result != CURLE_OK || descriptor == CURL_SOCKET_BAD || connection->ssl == NULL)
        return error_set(error, CODE_FAULT, "connect to %s: libcurl gives no connection",
                         origin->text);
    connection->descriptor = descriptor;
    *ret_connection = TAKE(connection);
    return 0;
}

const char *connection_address(const struct connection *connection)
{
    return connection->address;
}

const char *connection_tls(const struct connection *connection)
{
    return connection->tls;
}

enum connection_found connection_look(struct connection *connection)
{
    size_t room, received = 0;
    if (connection->found != CONNECTION_QUIET)
        return connection->found;
    uint8_t *place = secret_room(connection->glimpse, &room);
    CURLcode result = curl_easy_recv(connection->easy, place, room, &received);
    secret_clear(connection->glimpse);
    if (result != CURLE_AGAIN)
        connection->found =
            result == CURLE_OK && received > 0 ? CONNECTION_BYTES : CONNECTION_ENDED;
    return connection->found;
}

/* Waits for what TLS needs next, which need not be the direction that we want to move bytes in. */
static int wait_for_peer(struct connection *connection, short events, struct deadline deadline,
                         struct error *error)
{
    if (SSL_want_read(connection->ssl))
        events = POLLIN;
    else if (SSL_want_write(connection->ssl))
        events = POLLOUT;
    struct pollfd ready = {.fd = connection->descriptor, .events = events};
    for (;;) {
        int left = deadline_left(deadline);
        int count = left == 0 ? 0 : poll(&ready, 1, left);
        if (count > 0)
            return 0;
        if (count == 0 && deadline_passed(deadline))
            return error_set(error, CODE_RETRY, "the deadline has passed");
        if (count < 0 && errno != EINTR)
            return error_errno(error, CODE_FAULT, "wait for the server");
    }
}

static int send_some(struct connection *connection, const uint8_t *bytes, size_t size,
                     size_t *ret_sent, struct deadline deadline, struct error *error)
{
    while (!deadline_passed(deadline)) {
        size_t sent = 0;
        CURLcode result = curl_easy_send(connection->easy, bytes, size, &sent);
        if (result == CURLE_OK) {
            *ret_sent = sent;
            return 0;
        }
        if (result != CURLE_AGAIN)
            return error_set(error, CODE_RETRY, "the connection broke");
        if (wait_for_peer(connection, POLLOUT, deadline, error) < 0)
            return -1;
    }
    return error_set(error, CODE_RETRY, "the deadline has passed");
}

int connection_send(struct connection *connection, const uint8_t *bytes, size_t size,
                    struct deadline deadline, struct error *error)
{
    for (size_t done = 0, sent = 0; done < size; done += sent) {
        if (send_some(connection, bytes + done, size - done, &sent, deadline, error) < 0)
            return error_prefix(error, "send to %s, after %zu of %zu bytes", connection->address,
                                done, size);
    }
    return 0;
}

int connection_wait(struct connection *connection, struct deadline deadline, struct error *error)
{
    if (SSL_pending(connection->ssl) > 0)
        return 0;
    if (wait_for_peer(connection, POLLIN, deadline, error) < 0)
        return error_prefix(error, "receive from %s", connection->address);
    return 0;
}

int connection_receive(struct connection *connection, struct secret *secret, size_t *ret_size,
                       bool *ret_ended, struct error *error)
{
    size_t room, received = 0;
    uint8_t *place = secret_room(secret, &room);
    if (room == 0)
        return error_set(error, CODE_FAULT, "receive from %s: no room for an answer",
                         connection->address);
    CURLcode result = curl_easy_recv(connection->easy, place, room, &received);
    bool ended = result == CURLE_OK && received == 0;
    /*
     * A peer that closes says so in TLS.  libcurl does not insist on that, but without it anyone on
     * the way may have cut the connection.
     */
    bool is_cut = ended && (SSL_get_shutdown(connection->ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
    if (is_cut || (result != CURLE_OK && result != CURLE_AGAIN))
        return error_set(error, CODE_RETRY, "receive from %s: the connection broke",
                         connection->address);
    secret_grow(secret, received);
    *ret_size = received;
    *ret_ended = ended;
    return 0;
}
