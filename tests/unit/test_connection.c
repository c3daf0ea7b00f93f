/*
 * test_connection.c: connections to a real TLS server in a child process, which is good or bad in
 * one way at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../../src/http/connection_setup.h"
#include "leave_out.h"
#include "p11vault/http/connection.h"
#include "p11vault/http/request.h"
#include "p11vault/http/response.h"
#include "tls_server.h"

#define LONG_ENOUGH 20000 /* milliseconds; no test waits that long unless it fails */

/* Waits for some bytes; *ret_size 0: the peer closed. */
static int receive(struct connection *connection, struct secret *secret, size_t *ret_size,
                   struct deadline deadline, struct error *error)
{
    for (;;) {
        size_t size;
        bool ended;
        if (connection_receive(connection, secret, &size, &ended, error) < 0)
            return -1;
        if (size > 0 || ended) {
            *ret_size = size;
            return 0;
        }
        if (connection_wait(connection, deadline, error) < 0)
            return -1;
    }
}

static char directory[] = "/tmp/p11vault-connection-XXXXXX";
static char ca_file[64], other_ca_file[64], garbage_file[64], key_log[64];
static struct identity ca, other_ca, good, stranger, wrong_name, expired, not_yet;

static int make_files(void **state)
{
    (void)state;
    static const char *const local = "IP:127.0.0.1,IP:::1,DNS:localhost";
    ca = make_identity("Test CA", NULL, NULL, -DAY, DAY);
    other_ca = make_identity("Other CA", NULL, NULL, -DAY, DAY);
    good = make_identity("good", &ca, local, -DAY, DAY);
    stranger = make_identity("stranger", &other_ca, local, -DAY, DAY);
    wrong_name = make_identity("127.0.0.1", &ca, "DNS:CANARY.example", -DAY, DAY);
    expired = make_identity("expired", &ca, local, -2 * DAY, -DAY);
    not_yet = make_identity("not yet", &ca, local, DAY, 2 * DAY);
    snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", directory);
    snprintf(other_ca_file, sizeof(other_ca_file), "%s/other.pem", directory);
    snprintf(garbage_file, sizeof(garbage_file), "%s/garbage.pem", directory);
    write_certificate(&ca, ca_file);
    write_certificate(&other_ca, other_ca_file);
    FILE *file = fopen(garbage_file, "we");
    if (file == NULL || fputs("no certificate\n", file) < 0)
        return -1;
    return fclose(file);
}

static int remove_files(void **state)
{
    (void)state;
    struct identity *const all[] = {&ca,         &other_ca, &good,   &stranger,
                                    &wrong_name, &expired,  &not_yet};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free_identity(all[i]);
    unlink(ca_file);
    unlink(other_ca_file);
    unlink(garbage_file);
    unlink(key_log);
    return rmdir(directory);
}

static struct origin origin_at(const char *host, int port)
{
    char text[ORIGIN_MAX];
    struct origin origin;
    struct error error = {0};
    snprintf(text, sizeof(text), "https://%s:%d", host, port);
    assert_int_equal(origin_parse(text, &origin, &error), 0);
    return origin;
}

/* Starts the server and connects to it. */
static struct connection *connect_to(struct server *server)
{
    struct connection *connection = NULL;
    struct error error = {0};
    assert_true(server_start(server));
    struct origin origin = origin_at("127.0.0.1", server->port);
    if (connection_open(&origin, ca_file, deadline_in(LONG_ENOUGH), &connection, &error) != 0)
        fail_msg("cannot connect: %s", error.text);
    return connection;
}

/* No connection may come of this, but this code and a text that says why. */
static void refused(const struct origin *origin, const char *certificates, int64_t milliseconds,
                    enum code code, const char *reason, struct error *error)
{
    struct connection *connection = NULL;
    assert_int_equal(
        connection_open(origin, certificates, deadline_in(milliseconds), &connection, error), -1);
    assert_null(connection);
    if (error->code != code || strstr(error->text, reason) == NULL)
        fail_msg("code %d, \"%s\" instead of code %d, \"%s\"", error->code, error->text, code,
                 reason);
    assert_non_null(strstr(error->text, origin->text));
}

static void refused_by(struct server *server, const char *certificates, enum code code,
                       const char *reason)
{
    struct error error = {0};
    assert_true(server_start(server));
    struct origin origin = origin_at("127.0.0.1", server->port);
    refused(&origin, certificates, LONG_ENOUGH, code, reason, &error);
    assert_true(server_ended_well(server));
}

#define REQUEST_1                                                                                  \
    "POST /token HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: p11vault\r\n"                       \
    "Accept: application/json\r\nConnection: keep-alive\r\n"                                       \
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
#define REQUEST_2                                                                                  \
    "GET /me HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: p11vault\r\n"                           \
    "Accept: application/json\r\nConnection: keep-alive\r\nAuthorization: Bearer t\r\n\r\n"

static int port_of(int descriptor)
{
    struct sockaddr_in place;
    socklen_t size = sizeof(place);
    must(getsockname(descriptor, (struct sockaddr *)&place, &size) == 0, "getsockname");
    return ntohs(place.sin_port);
}

static void serve_two_requests(SSL *tls, int descriptor)
{
    char text[512];
    snprintf(text, sizeof(text), REQUEST_1, port_of(descriptor));
    tls_expect(tls, text);
    tls_write(tls, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a/b\r\n");
    tls_write(tls, "Transfer-Encoding: chunked\r\n\r\n5\r\nhel");
    tls_write(tls, "lo\r\n0\r\n\r\n");
    snprintf(text, sizeof(text), REQUEST_2, port_of(descriptor));
    tls_expect(tls, text);
    tls_write(tls, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}");
    must(SSL_shutdown(tls) >= 0, "SSL_shutdown");
    tls_wait_for_end(tls);
}

static struct secret *secret_text(const char *text)
{
    struct secret *secret = NULL;
    struct error error = {0};
    assert_int_equal(secret_new(strlen(text), &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

/* One request, one answer. */
static struct http_response *ask(struct connection *connection, const struct origin *origin,
                                 const struct http_request *request)
{
    auto_of(secret_free) struct secret *bytes = NULL;
    struct http_response *response = NULL;
    struct deadline deadline = deadline_in(LONG_ENOUGH);
    struct error error = {0};
    assert_int_equal(http_request_write(origin, request, &bytes, &error), 0);
    assert_int_equal(
        connection_send(connection, secret_data(bytes), secret_size(bytes), deadline, &error), 0);
    assert_int_equal(http_response_new(HTTP_BODY_MAX, &response, &error), 0);
    while (!http_response_complete(response)) {
        size_t size = 0;
        assert_int_equal(
            receive(connection, http_response_inbox(response), &size, deadline, &error), 0);
        assert_true(size > 0);
        assert_int_equal(http_response_read(response, &error), 0);
    }
    return response;
}

static void two_round_trips_on_one_connection(void **state)
{
    struct server server = {.identity = &good, .serve = serve_two_requests};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    auto_of(secret_free) struct secret *token = secret_text("/token");
    auto_of(secret_free) struct secret *form = secret_text("a=b");
    auto_of(secret_free) struct secret *me = secret_text("/me");
    auto_of(secret_free) struct secret *bearer = secret_text("t");
    auto_of(secret_free) struct secret *rest = secret_text("x");
    struct origin origin = origin_at("127.0.0.1", server.port);
    struct error error = {0};
    size_t size = 1;

    (void)state;
    assert_string_equal(connection_address(connection), origin.authority);
    assert_int_equal(strncmp(connection_tls(connection), "TLSv1.3 TLS_", 12), 0);
    auto_of(http_response_free) struct http_response *first =
        ask(connection, &origin,
            &(struct http_request){.method = "POST", .target = token, .form = form});
    assert_int_equal(http_response_status(first), 200);
    assert_string_equal(http_response_header(first, "Content-Type"), "a/b");
    assert_true(secret_equals(http_response_body(first), "hello", 5));
    assert_true(http_response_keeps_connection(first));
    auto_of(http_response_free) struct http_response *second =
        ask(connection, &origin,
            &(struct http_request){.method = "GET", .target = me, .bearer = bearer});
    assert_int_equal(http_response_status(second), 404);
    assert_true(secret_equals(http_response_body(second), "{}", 2));

    secret_clear(rest);
    assert_int_equal(receive(connection, rest, &size, deadline_in(LONG_ENOUGH), &error), 0);
    assert_int_equal(size, 0);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

static void serve_nothing(SSL *tls, int descriptor)
{
    (void)descriptor;
    tls_wait_for_end(tls);
}

static void tls_is_set_up_as_promised(void **state)
{
    struct server server = {.identity = &good, .serve = serve_nothing};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    SSL_CTX *context = SSL_get_SSL_CTX(connection->ssl);

    (void)state;
    assert_true((SSL_get_options(connection->ssl) & SSL_OP_CLEANSE_PLAINTEXT) != 0);
    assert_true((SSL_get_options(connection->ssl) & SSL_OP_NO_RENEGOTIATION) != 0);
    assert_int_equal(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_get_session_cache_mode(context), SSL_SESS_CACHE_OFF);
    assert_null(SSL_CTX_get_keylog_callback(context));
    assert_true((SSL_get_verify_mode(connection->ssl) & SSL_VERIFY_PEER) != 0);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

/* main() has put SSLKEYLOGFILE and a dead proxy into the environment before libcurl was started. */
static void environment_is_not_asked(void **state)
{
    (void)state;
    assert_null(getenv("SSLKEYLOGFILE"));
    assert_non_null(getenv("https_proxy"));
    struct server server = {.identity = &good, .serve = serve_nothing};
    connection_free(connect_to(&server));
    assert_true(server_ended_well(&server));
    assert_int_equal(access(key_log, F_OK), -1);
}

static void tls_1_2_is_the_oldest(void **state)
{
    struct server server = {.identity = &good, .serve = serve_nothing};

    (void)state;
    server.max_version = TLS1_2_VERSION;
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    assert_int_equal(strncmp(connection_tls(connection), "TLSv1.2 ECDHE", 13), 0);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));

    server.max_version = TLS1_1_VERSION;
    refused_by(&server, ca_file, CODE_CONFIG, "TLS handshake failed: tlsv1 alert protocol version");
}

static void ipv6_addresses_have_brackets(void **state)
{
    struct server server = {.identity = &good, .serve = serve_nothing, .address = "::1"};
    auto_of(connection_free) struct connection *connection = NULL;
    struct error error = {0};

    (void)state;
    if (!server_start(&server)) {
        leave_out("this machine has no IPv6 loopback address");
    }
    struct origin origin = origin_at("[::1]", server.port);
    if (connection_open(&origin, ca_file, deadline_in(LONG_ENOUGH), &connection, &error) != 0)
        fail_msg("cannot connect: %s", error.text);
    assert_string_equal(connection_address(connection), origin.authority);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

static void certificates_are_verified(void **state)
{
    struct server trusted = {.identity = &good};
    struct server strange = {.identity = &stranger};
    struct server self_signed = {.identity = &ca};
    struct server named_otherwise = {.identity = &wrong_name};
    struct server too_old = {.identity = &expired};

    (void)state;
    refused_by(&strange, ca_file, CODE_CONFIG, "certificate is not trusted: ");
    refused_by(&trusted, other_ca_file, CODE_CONFIG, "certificate is not trusted: ");
    refused_by(&trusted, "", CODE_CONFIG, "certificate is not trusted: ");
    refused_by(&self_signed, other_ca_file, CODE_CONFIG, "certificate is not trusted: ");
    refused_by(&named_otherwise, ca_file, CODE_CONFIG, "certificate is for another name");
    refused_by(&too_old, ca_file, CODE_CONFIG, "certificate has expired");
}

static void names_in_certificates_are_not_quoted(void **state)
{
    struct server server = {.identity = &wrong_name};
    struct error error = {0};

    (void)state;
    assert_true(server_start(&server));
    struct origin origin = origin_at("127.0.0.1", server.port);
    refused(&origin, ca_file, LONG_ENOUGH, CODE_CONFIG, "another name", &error);
    assert_null(strcasestr(error.text, "CANARY"));
    assert_true(server_ended_well(&server));
}

static void a_young_certificate_points_at_the_clock(void **state)
{
    struct server server = {.identity = &not_yet};
    struct error error = {0};

    (void)state;
    assert_true(server_start(&server));
    struct origin origin = origin_at("127.0.0.1", server.port);
    refused(&origin, ca_file, LONG_ENOUGH, CODE_CONFIG, "not valid yet", &error);
    assert_non_null(strstr(error.hint, "clock"));
    assert_true(server_ended_well(&server));
}

static void certificate_files_must_be_readable(void **state)
{
    (void)state;
    const char *const files[] = {"/nonexistent/ca.pem", garbage_file, directory};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct server server = {.identity = &good};
        refused_by(&server, files[i], CODE_CONFIG, files[i]);
    }
}

static void nobody_listens(void **state)
{
    int port = 0;
    int listener = listen_on("127.0.0.1", &port);
    struct error error = {0};

    (void)state;
    assert_true(listener >= 0);
    close(listener);
    struct origin origin = origin_at("127.0.0.1", port);
    refused(&origin, ca_file, LONG_ENOUGH, CODE_RETRY, "Connection refused", &error);
}

static void nobody_answers(void **state)
{
    int port = 0;
    int listener = listen_on("127.0.0.1", &port); /* the kernel accepts, we never do */
    struct error error = {0};

    (void)state;
    assert_true(listener >= 0);
    struct origin origin = origin_at("127.0.0.1", port);
    int64_t begin = clock_monotonic_us();
    refused(&origin, ca_file, 300, CODE_RETRY, "deadline", &error);
    int64_t took_ms = (clock_monotonic_us() - begin) / 1000;
    assert_true(took_ms >= 250 && took_ms < 5000);
    refused(&origin, ca_file, 0, CODE_RETRY, "deadline", &error);
    refused(&origin, ca_file, -5, CODE_RETRY, "deadline", &error);
    close(listener);
}

static void nobody_has_that_name(void **state)
{
    struct origin origin;
    struct error error = {0};

    (void)state;
    /* Where no resolver answers at all, the deadline is what ends it. */
    assert_int_equal(origin_parse("https://no-such-host.invalid", &origin, &error), 0);
    int64_t begin = clock_monotonic_us();
    refused(&origin, ca_file, 2000, CODE_RETRY, "connect to ", &error);
    assert_true((clock_monotonic_us() - begin) / 1000 < 10000);
    if (strstr(error.text, "deadline") == NULL)
        assert_non_null(strstr(error.text, "cannot be resolved"));
}

static void hang_up(SSL *tls, int descriptor)
{
    (void)tls;
    char bytes[4096];
    must(read(descriptor, bytes, sizeof(bytes)) > 0, "the client's hello");
    close(descriptor);
}

static void reset(SSL *tls, int descriptor)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0, "linger");
    hang_up(tls, descriptor);
}

static void speak_http(SSL *tls, int descriptor)
{
    (void)tls;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    char bytes[4096];
    must(read(descriptor, bytes, sizeof(bytes)) > 0, "the client's hello");
    must(write(descriptor, answer, strlen(answer)) > 0, "write");
    while (read(descriptor, bytes, sizeof(bytes)) > 0)
        continue;
}

static void handshakes_that_fail(void **state)
{
    struct server closing = {.serve = hang_up, .without_tls = true};
    struct server resetting = {.serve = reset, .without_tls = true};
    struct server plain = {.serve = speak_http, .without_tls = true};

    (void)state;
    refused_by(&closing, ca_file, CODE_RETRY, "broke during the TLS handshake");
    refused_by(&resetting, ca_file, CODE_RETRY, "broke during the TLS handshake");
    refused_by(&plain, ca_file, CODE_CONFIG, "TLS handshake failed: wrong version number");
}

static void serve_and_reset(SSL *tls, int descriptor)
{
    (void)tls;
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0, "linger");
    close(descriptor);
}

#define HALF_AN_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"

static void close_half_way(SSL *tls, int descriptor)
{
    (void)descriptor;
    tls_write(tls, HALF_AN_ANSWER);
    must(SSL_shutdown(tls) >= 0, "SSL_shutdown");
}

static void break_half_way(SSL *tls, int descriptor)
{
    tls_write(tls, HALF_AN_ANSWER);
    close(descriptor);
}

/* Receives until the end or a fault. */
static int receive_all(struct connection *connection, struct secret *secret, struct error *error)
{
    struct deadline deadline = deadline_in(LONG_ENOUGH);
    size_t size = 1;
    while (size > 0) {
        if (receive(connection, secret, &size, deadline, error) < 0)
            return -1;
    }
    return 0;
}

static void an_end_half_way_is_told_from_a_break(void **state)
{
    struct server closing = {.identity = &good, .serve = close_half_way};
    struct server breaking = {.identity = &good, .serve = break_half_way};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct server *server = i == 0 ? &closing : &breaking;
        auto_of(connection_free) struct connection *connection = connect_to(server);
        auto_of(http_response_free) struct http_response *response = NULL;
        struct error error = {0};
        assert_int_equal(http_response_new(64, &response, &error), 0);
        struct secret *inbox = http_response_inbox(response);
        int result = receive_all(connection, inbox, &error);
        assert_true(secret_equals(inbox, HALF_AN_ANSWER, strlen(HALF_AN_ANSWER)));
        if (server == &breaking) {
            /* Without TLS' own end anyone on the way may have cut it: not an end to be trusted. */
            assert_int_equal(result, -1);
            assert_int_equal(error.code, CODE_RETRY);
            assert_non_null(strstr(error.text, "the connection broke"));
        } else {
            assert_int_equal(result, 0);
            assert_int_equal(http_response_read(response, &error), 0);
            assert_int_equal(http_response_end(response, &error), -1);
            assert_int_equal(error.code, CODE_RETRY);
            assert_string_equal(error.text, "answer cut off after 5 of 10 bytes");
        }
        assert_true(server_ended_well(server));
    }
}

/* ---- looks ---- */

/* What the server sends for one byte that it is asked with; a NULL ends it. */
static const char *const *sent_when_asked;

static void serve_when_asked(SSL *tls, int descriptor)
{
    (void)descriptor;
    for (const char *const *text = sent_when_asked; *text != NULL; text++) {
        char byte;
        must(SSL_read(tls, &byte, 1) == 1, "the client asks");
        if (strcmp(*text, "ticket") == 0)
            must(SSL_new_session_ticket(tls) == 1 && SSL_do_handshake(tls) == 1, "send a ticket");
        else
            tls_write(tls, *text);
    }
    tls_wait_for_end(tls);
}

/* Has the server do the next thing, and waits until something of it has come. */
static void ask_for_the_next(struct connection *connection)
{
    struct deadline deadline = deadline_in(LONG_ENOUGH);
    struct pollfd ready = {.fd = connection->descriptor, .events = POLLIN};
    struct error error = {0};
    assert_int_equal(connection_send(connection, (const uint8_t *)"?", 1, deadline, &error), 0);
    assert_int_equal(poll(&ready, 1, deadline_left(deadline)), 1);
}

static void only_a_ticket_is_quiet(void **state)
{
    static const char *const sent[] = {"ticket", "ticket", "x", NULL};
    struct server server = {.identity = &good, .serve = serve_when_asked, .without_tickets = true};
    (void)state;
    sent_when_asked = sent;
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    assert_int_equal(connection_look(connection), CONNECTION_QUIET);
    for (int times = 0; times < 2; times++) {
        ask_for_the_next(connection);
        assert_int_equal(connection_look(connection), CONNECTION_QUIET);
    }
    ask_for_the_next(connection);
    assert_int_equal(connection_look(connection), CONNECTION_BYTES);
    /* The byte is gone; what was found is not. */
    assert_int_equal(connection_look(connection), CONNECTION_BYTES);
    assert_int_equal(secret_size(connection->glimpse), 0);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

static void what_was_received_in_part_is_found(void **state)
{
    static const char *const sent[] = {"an answer and more", NULL};
    struct server server = {.identity = &good, .serve = serve_when_asked, .without_tickets = true};
    struct error error = {0};
    size_t size = 0;
    (void)state;
    sent_when_asked = sent;
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    auto_of(secret_free) struct secret *secret = secret_text("123456789");
    secret_clear(secret);
    ask_for_the_next(connection);
    assert_int_equal(receive(connection, secret, &size, deadline_in(LONG_ENOUGH), &error), 0);
    assert_true(secret_equals(secret, "an answer", 9));
    /* The rest is in OpenSSL's hands, where no poll(2) sees it. */
    assert_int_equal(connection_look(connection), CONNECTION_BYTES);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

static void say_goodbye(SSL *tls, int descriptor)
{
    (void)descriptor;
    must(SSL_shutdown(tls) >= 0, "SSL_shutdown");
    tls_wait_for_end(tls);
}

static void end_without_a_word(SSL *tls, int descriptor)
{
    (void)tls;
    close(descriptor);
}

static void each_end_is_found(void **state)
{
    serve_function *const ends[] = {say_goodbye, end_without_a_word, serve_and_reset};
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct server server = {.identity = &good, .serve = ends[i]};
        auto_of(connection_free) struct connection *connection = connect_to(&server);
        struct deadline deadline = deadline_in(LONG_ENOUGH);
        /* Tickets come first, and each look takes what has come. */
        while (connection_look(connection) == CONNECTION_QUIET) {
            struct pollfd ready = {.fd = connection->descriptor, .events = POLLIN};
            assert_int_equal(poll(&ready, 1, deadline_left(deadline)), 1);
        }
        assert_int_equal(connection_look(connection), CONNECTION_ENDED);
        connection_free(TAKE(connection));
        assert_true(server_ended_well(&server));
    }
}

static void serve_ten_bytes(SSL *tls, int descriptor)
{
    (void)descriptor;
    tls_write(tls, "0123456789");
    tls_wait_for_end(tls);
}

static void receiving_keeps_to_the_room(void **state)
{
    struct server server = {.identity = &good, .serve = serve_ten_bytes};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    auto_of(secret_free) struct secret *secret = secret_text("abcdefg");
    struct deadline deadline = deadline_in(LONG_ENOUGH);
    struct error error = {0};
    size_t size = 77;

    (void)state;
    secret_cut(secret, 1);
    assert_int_equal(receive(connection, secret, &size, deadline, &error), 0);
    assert_int_equal(size, 6);
    assert_true(secret_equals(secret, "a012345", 7));
    assert_int_equal(receive(connection, secret, &size, deadline, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    secret_clear(secret);
    assert_int_equal(receive(connection, secret, &size, deadline, &error), 0);
    assert_true(secret_equals(secret, "6789", 4));

    /* Nothing more comes: only the deadline ends this. */
    size = 77;
    assert_int_equal(receive(connection, secret, &size, deadline_in(200), &error), -1);
    assert_int_equal(error.code, CODE_RETRY);
    assert_non_null(strstr(error.text, "deadline"));
    assert_int_equal(size, 77);
    assert_int_equal(secret_size(secret), 4);
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

static void never_read(SSL *tls, int descriptor)
{
    (void)tls;
    (void)descriptor;
    pause();
}

static void sending_has_a_deadline(void **state)
{
    static const uint8_t bytes[16 * 1024 * 1024];
    struct server server = {.identity = &good, .serve = never_read};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    struct error error = {0};

    (void)state;
    assert_int_equal(connection_send(connection, bytes, 1, deadline_in(-1), &error), -1);
    assert_int_equal(error.code, CODE_RETRY);
    assert_int_equal(connection_send(connection, bytes, sizeof(bytes), deadline_in(300), &error),
                     -1);
    assert_int_equal(error.code, CODE_RETRY);
    assert_non_null(strstr(error.text, "deadline"));
    kill(server.pid, SIGKILL);
    assert_false(server_ended_well(&server));
}

static void sending_to_the_departed_is_no_signal(void **state)
{
    static const uint8_t bytes[64 * 1024];
    struct server server = {.identity = &good, .serve = serve_and_reset};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    struct error error = {0};

    (void)state;
    assert_true(server_ended_well(&server));
    /* The first may find out by the reset; the second writes to a connection known to be gone. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            connection_send(connection, bytes, sizeof(bytes), deadline_in(LONG_ENOUGH), &error),
            -1);
        assert_int_equal(error.code, CODE_RETRY);
        assert_non_null(strstr(error.text, "the connection broke"));
    }
}

static void serve_a_megabyte(SSL *tls, int descriptor)
{
    static char bytes[1024 * 1024];
    (void)descriptor;
    for (size_t done = 0; done < sizeof(bytes);) {
        int count = SSL_read(tls, bytes + done, (int)(sizeof(bytes) - done));
        must(count > 0, "SSL_read");
        done += (size_t)count;
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        must(bytes[i] == (char)(i % 251), "the bytes that arrive");
    must(SSL_write(tls, bytes, sizeof(bytes)) == sizeof(bytes), "SSL_write");
    tls_wait_for_end(tls);
}

static void much_goes_through_unchanged(void **state)
{
    static uint8_t bytes[1024 * 1024];
    struct server server = {.identity = &good, .serve = serve_a_megabyte};
    auto_of(connection_free) struct connection *connection = connect_to(&server);
    auto_of(secret_free) struct secret *secret = NULL;
    struct deadline deadline = deadline_in(LONG_ENOUGH);
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(secret_new(sizeof(bytes), &secret, &error), 0);
    assert_int_equal(connection_send(connection, bytes, sizeof(bytes), deadline, &error), 0);
    while (secret_size(secret) < sizeof(bytes)) {
        size_t size = 0;
        assert_int_equal(receive(connection, secret, &size, deadline, &error), 0);
        assert_true(size > 0);
    }
    assert_true(secret_equals(secret, bytes, sizeof(bytes)));
    connection_free(TAKE(connection));
    assert_true(server_ended_well(&server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_round_trips_on_one_connection),
        cmocka_unit_test(tls_is_set_up_as_promised),
        cmocka_unit_test(environment_is_not_asked),
        cmocka_unit_test(tls_1_2_is_the_oldest),
        cmocka_unit_test(ipv6_addresses_have_brackets),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(names_in_certificates_are_not_quoted),
        cmocka_unit_test(a_young_certificate_points_at_the_clock),
        cmocka_unit_test(certificate_files_must_be_readable),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(handshakes_that_fail),
        cmocka_unit_test(an_end_half_way_is_told_from_a_break),
        cmocka_unit_test(only_a_ticket_is_quiet),
        cmocka_unit_test(what_was_received_in_part_is_found),
        cmocka_unit_test(each_end_is_found),
        cmocka_unit_test(receiving_keeps_to_the_room),
        cmocka_unit_test(sending_has_a_deadline),
        cmocka_unit_test(sending_to_the_departed_is_no_signal),
        cmocka_unit_test(much_goes_through_unchanged),
        cmocka_unit_test(nobody_has_that_name),
    };
    struct error error = {0};
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(key_log, sizeof(key_log), "%s/keys", directory);
    if (setenv("SSLKEYLOGFILE", key_log, 1) < 0 ||
        setenv("https_proxy", "http://127.0.0.1:1", 1) < 0 ||
        setenv("ALL_PROXY", "http://127.0.0.1:1", 1) < 0)
        return 1;
    if (secret_heap_install(&error) < 0 || connection_library_start(&error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    return cmocka_run_group_tests_name("connection", tests, make_files, remove_files);
}
