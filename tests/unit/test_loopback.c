/*
 * test_loopback.c: a login's answer over real connections.  What the clients send waits in the kernel until loopback_wait()
 * takes it, and what they are answered waits there until it is looked at: no second process is needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../src/exchangeroom/loopback.h"
#include "../../src/exchangeroom/loopback_request.h"

#define STATE "CANARY-state-0123456789abcdef"
#define CODE "CANARY-code-AQB"
#define LONG_ENOUGH 20000 /* milliseconds; no test waits that long unless it fails */
#define CLIENTS_MAX 16

static struct loopback *loopback;
static struct secret *awaited_state;
static unsigned port;
static int clients[CLIENTS_MAX];
static size_t client_count;
static char answer[32768];

static struct sockaddr_in here(unsigned at)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)at),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* One that the kernel has just named as free, at both addresses as loopback_open() finds. */
static unsigned free_port(void)
{
    struct sockaddr_in place = here(0);
    socklen_t size = sizeof(place);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&place, size), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&place, &size), 0);
    close(descriptor);
    return ntohs(place.sin_port);
}

static int open_at(unsigned at, struct error *error)
{
    char uri[64];
    snprintf(uri, sizeof(uri), "http://localhost:%u/in", at);
    return loopback_open(uri, at, &loopback, error);
}

static int begin(void **state)
{
    struct error error = {.code = CODE_BUSY};
    (void)state;
    for (int i = 0; i < 20 && !loopback && error.code == CODE_BUSY; i++) {
        port = free_port();
        if (open_at(port, &error) < 0)
            assert_null(loopback);
    }
    assert_non_null(loopback);
    assert_int_equal(secret_new(sizeof(STATE), &awaited_state, &error), 0);
    return secret_append_text(awaited_state, STATE, &error);
}

static int awaits(int ms, struct oauth_redirect *ret_redirect, struct error *error)
{
    const struct oauth_awaited awaited = {awaited_state, "https://provider.example"};
    return loopback_wait(loopback, &awaited, deadline_in(ms), ret_redirect, error);
}

static int end(void **state)
{
    (void)state;
    secret_free(TAKE(awaited_state));
    while (client_count > 0)
        close(clients[--client_count]);
    loopback_free(TAKE(loopback));
    return 0;
}

static size_t connected(void)
{
    const struct sockaddr_in place = here(port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client_count < CLIENTS_MAX);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&place, sizeof(place)), 0);
    clients[client_count] = descriptor;
    return client_count++;
}

static void say(size_t client, const char *text)
{
    size_t size = strlen(text);
    assert_int_equal(send(clients[client], text, size, MSG_NOSIGNAL), size);
}

/* A whole request; the client has nothing more to say. */
static size_t asked(const char *target)
{
    char text[1024];
    size_t client = connected();
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", target, port);
    say(client, text);
    shutdown(clients[client], SHUT_WR);
    return client;
}

/* Reads to the end: the status, 0 when the connection ended without an answer. */
static int status_of(size_t client)
{
    size_t size = 0;
    ssize_t got;
    int status = 0;
    while ((got = recv(clients[client], answer + size, sizeof(answer) - 1 - size, 0)) > 0)
        size += (size_t)got;
    answer[size] = '\0';
    if (size == 0)
        return 0;
    assert_int_equal(got, 0);
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d ", &status), 1);
    assert_null(strstr(answer, "CANARY"));
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    return status;
}

static void shows(const char *part)
{
    if (!strstr(answer, part))
        fail_msg("\"%s\" is not in:\n%s", part, answer);
}

static struct oauth_redirect came(void)
{
    struct oauth_redirect redirect = {0};
    struct error error = {0};
    if (awaits(LONG_ENOUGH, &redirect, &error) < 0)
        fail_msg("%s", error.text);
    return redirect;
}

static void the_code_came(void)
{
    auto_redirect struct oauth_redirect redirect = came();
    assert_int_equal(redirect.verdict.action, CODE_DONE);
    assert_true(secret_equals(redirect.code, CODE, strlen(CODE)));
}

#define ANSWER "/in?code=" CODE "&state=" STATE

static void one_answer(void **state)
{
    (void)state;
    size_t client = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(client), 200);
    shows("<h1>The login has arrived</h1>");
}

static void nothing_listens_afterwards(void **state)
{
    const struct sockaddr_in place = here(port);
    auto_close int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    (void)asked(ANSWER);
    the_code_came();
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&place, sizeof(place)), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

static void what_is_not_the_answer_comes_first(void **state)
{
    (void)state;
    size_t stray = asked("/in?code=CANARY-other&state=CANARY-another-state-of-a-login");
    size_t none = asked("/in?code=CANARY-other");
    size_t empty = asked("/in");
    size_t twice = asked("/in?code=a&code=b&state=" STATE);
    size_t icon = asked("/favicon.ico");
    size_t right = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(stray), 400);
    shows("<h1>This is not the answer</h1>");
    assert_int_equal(status_of(none), 400);
    assert_int_equal(status_of(empty), 400);
    assert_int_equal(status_of(twice), 400);
    assert_int_equal(status_of(icon), 404);
    assert_int_equal(status_of(right), 200);
}

static void what_is_no_visit(void **state)
{
    char post[256];
    (void)state;
    size_t method = connected(), tls = connected(), stranger = connected();
    snprintf(post, sizeof(post),
             "POST /in HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 4\r\n\r\nCANA", port);
    say(method, post);
    say(tls, "\x16\x03\x01");
    say(stranger, "GET " ANSWER " HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    (void)asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(method), 405);
    shows("\r\nAllow: GET\r\n");
    assert_int_equal(status_of(tls), 400);
    assert_int_equal(status_of(stranger), 421);
}

static void refused_as(const char *query, enum code action, const char *heading)
{
    char target[256];
    snprintf(target, sizeof(target), "/in?%s", query);
    size_t client = asked(target);
    auto_redirect struct oauth_redirect redirect = came();
    assert_int_equal(redirect.verdict.action, action);
    assert_null(redirect.code);
    assert_int_equal(status_of(client), 200);
    shows(heading);
}

static void declined(void **state)
{
    (void)state;
    refused_as("error=access_denied&error_reason=CANARY&state=" STATE, CODE_LOGIN,
               "<h1>The login was declined</h1>");
}

/* Any page and any user of this machine can send one: it ends nothing. */
static void errors_of_strangers(void **state)
{
    (void)state;
    size_t none = asked("/in?error=access_denied&error_reason=user_denied");
    size_t other = asked("/in?error=access_denied&state=CANARY-another-state-of-a-login");
    size_t number = asked("/in?error_code=2&error_message=CANARY");
    size_t right = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(none), 400);
    shows("<h1>This is not the answer</h1>");
    assert_int_equal(status_of(other), 400);
    assert_int_equal(status_of(number), 400);
    assert_int_equal(status_of(right), 200);
}

static void refused_by_the_provider(void **state)
{
    (void)state;
    refused_as("error_code=100&error_message=CANARY&state=" STATE, CODE_CONFIG,
               "<h1>The provider refused the login</h1>");
}

static void out_of_order(void **state)
{
    (void)state;
    refused_as("error=server_error&state=" STATE, CODE_RETRY,
               "<h1>The provider cannot log you in now</h1>");
}

/* More that say nothing than are kept: the oldest give way, and nobody waits for them. */
static void silent_connections(void **state)
{
    (void)state;
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX + 3; i++)
        (void)connected();
    say(2, "GET /in");
    size_t client = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(client), 200);
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX + 3; i++)
        assert_int_equal(status_of(i), 0);
}

static void an_answer_in_pieces(void **state)
{
    char head[256];
    auto_redirect struct oauth_redirect redirect = {0};
    struct error error = {0};
    (void)state;
    size_t client = connected();
    say(client, "GET /in?code=" CODE "&st");
    assert_int_equal(awaits(20, &redirect, &error), -1);
    assert_int_equal(error.code, CODE_RETRY);
    snprintf(head, sizeof(head), "ate=" STATE " HTTP/1.1\r\nHost: [::1]:%u\r\n\r\n", port);
    say(client, head);
    shutdown(clients[client], SHUT_WR);
    the_code_came();
    assert_int_equal(status_of(client), 200);
}

/* Fills a request up to `size` bytes with cookies of other programs at localhost. */
static size_t asked_with_cookies(size_t size)
{
    static char text[LOOPBACK_HEAD_MAX + 64];
    int begun = snprintf(text, sizeof(text),
                         "GET " ANSWER " HTTP/1.1\r\nHost: localhost:%u\r\nCookie: ", port);
    assert_true(size < sizeof(text));
    memset(text + begun, 'x', size - begun - 4);
    memcpy(text + size - 4, "\r\n\r\n", 5);
    size_t client = connected();
    say(client, text);
    shutdown(clients[client], SHUT_WR);
    return client;
}

static void the_longest_head(void **state)
{
    (void)state;
    size_t client = asked_with_cookies(LOOPBACK_HEAD_MAX);
    the_code_came();
    assert_int_equal(status_of(client), 200);
}

static void a_head_that_is_too_long(void **state)
{
    (void)state;
    size_t client = asked_with_cookies(LOOPBACK_HEAD_MAX + 1);
    size_t right = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(client), 431);
    assert_int_equal(status_of(right), 200);
}

static void the_same_answer_twice(void **state)
{
    (void)state;
    size_t first = asked(ANSWER), second = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(first), 200);
    assert_int_equal(status_of(second), 0);
}

static void a_browser_that_is_gone(void **state)
{
    static const struct linger reset = {.l_onoff = 1};
    (void)state;
    size_t client = asked(ANSWER);
    setsockopt(clients[client], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(clients[client]);
    clients[client] = -1;
    size_t other = asked(ANSWER);
    the_code_came();
    (void)other;
}

static void nobody_comes(void **state)
{
    auto_redirect struct oauth_redirect redirect = {0};
    struct error error = {0};
    char text[64];
    (void)state;
    (void)connected();
    assert_int_equal(awaits(20, &redirect, &error), -1);
    assert_int_equal(error.code, CODE_RETRY);
    snprintf(text, sizeof(text), "no answer came to http://localhost:%u/in in time", port);
    assert_string_equal(error.text, text);
    assert_string_equal(error.hint, "p11vault login NAME");
}

static void a_port_that_is_taken(void **state)
{
    struct loopback *second = NULL;
    struct error error = {0};
    char uri[64];
    (void)state;
    snprintf(uri, sizeof(uri), "http://localhost:%u/in", port);
    assert_int_equal(loopback_open(uri, port, &second, &error), -1);
    assert_int_equal(error.code, CODE_BUSY);
    assert_non_null(strstr(error.hint, "p11vault login NAME --port N"));
    assert_non_null(strstr(error.hint, "http://localhost:N/"));
}

/* At ::1 alone, where browsers go first; without that address there is nothing to take. */
static void a_port_that_is_taken_in_part(void **state)
{
    struct loopback *second = NULL;
    struct error error = {0};
    char uri[64];
    struct sockaddr_in6 place = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(place);
    auto_close int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&place, size) < 0)
        return;
    assert_int_equal(listen(descriptor, 1), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&place, &size), 0);
    snprintf(uri, sizeof(uri), "http://localhost:%u/in", ntohs(place.sin6_port));
    assert_int_equal(loopback_open(uri, ntohs(place.sin6_port), &second, &error), -1);
    assert_int_equal(error.code, CODE_BUSY);
}

/* Connections of the first login are still known to the kernel then. */
static void another_login_at_once(void **state)
{
    struct error error = {0};
    (void)state;
    size_t client = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(client), 200);
    loopback_free(TAKE(loopback));
    assert_int_equal(open_at(port, &error), 0);
    client = asked(ANSWER);
    the_code_came();
    assert_int_equal(status_of(client), 200);
}

static void addresses_that_do_not_lead_to_the_port(void **state)
{
    struct loopback *none = NULL;
    struct error error = {0};
    (void)state;
    assert_int_equal(loopback_open("http://localhost:8401/", 8400, &none, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_string_equal(error.hint, "p11vault login NAME --port 8401");
    assert_int_equal(loopback_open("https://example.com/", 8400, &none, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(one_answer),
                                       TEST(nothing_listens_afterwards),
                                       TEST(what_is_not_the_answer_comes_first),
                                       TEST(what_is_no_visit),
                                       TEST(declined),
                                       TEST(errors_of_strangers),
                                       TEST(refused_by_the_provider),
                                       TEST(out_of_order),
                                       TEST(silent_connections),
                                       TEST(an_answer_in_pieces),
                                       TEST(the_longest_head),
                                       TEST(a_head_that_is_too_long),
                                       TEST(the_same_answer_twice),
                                       TEST(a_browser_that_is_gone),
                                       TEST(nobody_comes),
                                       TEST(a_port_that_is_taken),
                                       TEST(a_port_that_is_taken_in_part),
                                       TEST(another_login_at_once),
                                       cmocka_unit_test(addresses_that_do_not_lead_to_the_port)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
