/*
 * Listening at the loopback address until the answer has come.
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "loopback_visit.h"
#include "p11vault/base/log.h"
#include "p11vault/base/scrub.h"

#define LISTENERS 2 /* 127.0.0.1 and ::1: browsers try both for "localhost" */
#define BACKLOG 16

struct loopback {
    char *redirect_uri;
    struct loopback_place place; /* in redirect_uri */
    int listeners[LISTENERS];    /* -1: none */
    struct visit visits[LOOPBACK_VISITS_MAX];
    uint64_t visit_count;
};

/* ---- listening ---- */

static void stop_listening(struct loopback *loopback)
{
    for (size_t i = 0; i < LISTENERS; i++)
        if (loopback->listeners[i] >= 0)
            close(TAKE_FD(loopback->listeners[i]));
}

static void end_visits(struct loopback *loopback, const struct visit *but)
{
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX; i++)
        if (&loopback->visits[i] != but)
            visit_end(&loopback->visits[i]);
}

void loopback_free(struct loopback *loopback)
{
    if (!loopback)
        return;
    stop_listening(loopback);
    end_visits(loopback, NULL);
    free(loopback->redirect_uri);
    free(loopback);
}

static int refuse_port(unsigned port, struct error *error)
{
    if (errno == EADDRINUSE) {
        error_set(error, CODE_BUSY, "port %u of this machine is taken by another process", port);
        return error_hint(error, "p11vault login NAME --port N, where the app's dashboard has "
                                 "http://localhost:N/ among its redirect addresses");
    }
    if (errno != EACCES)
        return error_errno(error, CODE_FAULT, "listen on port %u of this machine", port);
    error_errno(error, CODE_CONFIG, "listen on port %u of this machine", port);
    return error_hint(error, "p11vault login NAME --port N, with N above 1023");
}

/*
 * SO_REUSEADDR lets a login follow upon another at once; on Linux it does not let two processes listen together, which
 * SO_REUSEPORT would: then another program of this user could take the answer.
 */
static int try_listen(int descriptor, const struct sockaddr *address, socklen_t size)
{
    static const int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (address->sa_family == AF_INET6 &&
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(descriptor, address, size) < 0)
        return -1;
    return listen(descriptor, BACKLOG);
}

/* *ret_listener stays -1 on a machine without this family, or without its loopback address. */
static int listen_at(const struct sockaddr *address, socklen_t size, unsigned port,
                     int *ret_listener, struct error *error)
{
    auto_close int descriptor =
        socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if ((descriptor < 0 || try_listen(descriptor, address, size) < 0)) {
        if (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)
            return 0;
        return refuse_port(port, error);
    }
    *ret_listener = TAKE_FD(descriptor);
    return 0;
}

static int listen_at_both(struct loopback *loopback, struct error *error)
{
    unsigned port = loopback->place.port;
    const struct sockaddr_in four = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)port),
                                     .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                                     .sin6_port = htons((uint16_t)port),
                                     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (listen_at((const struct sockaddr *)&four, sizeof(four), port, &loopback->listeners[0],
                  error) < 0 ||
        listen_at((const struct sockaddr *)&six, sizeof(six), port, &loopback->listeners[1],
                  error) < 0)
        return -1;
    if (loopback->listeners[0] < 0 && loopback->listeners[1] < 0)
        return error_set(error, CODE_CONFIG, "this machine has no loopback address");
    return 0;
}

int loopback_open(const char *redirect_uri, unsigned port, struct loopback **ret_loopback,
                  struct error *error)
{
    auto_of(loopback_free) struct loopback *loopback = calloc(1, sizeof(*loopback));
    if (!loopback)
        return error_memory(error);
    for (size_t i = 0; i < LISTENERS; i++)
        loopback->listeners[i] = -1;
    loopback->redirect_uri = strdup(redirect_uri);
    if (!loopback->redirect_uri)
        return error_memory(error);
    if (loopback_place_read(loopback->redirect_uri, &loopback->place, error) < 0)
        return -1;
    if (loopback->place.port != port) {
        error_set(error, CODE_USAGE, "the redirect address leads to port %u, not to port %u",
                  loopback->place.port, port);
        return error_hint(error, "p11vault login NAME --port %u", loopback->place.port);
    }
    if (listen_at_both(loopback, error) < 0)
        return -1;
    *ret_loopback = TAKE(loopback);
    return 0;
}

/* ---- visits ---- */

/* A free place, or that of the one who came first: whoever only holds the line keeps nobody out. */
static struct visit *make_place(struct loopback *loopback)
{
    struct visit *oldest = &loopback->visits[0];
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX; i++) {
        struct visit *visit = &loopback->visits[i];
        if (visit->state == VISIT_NONE)
            return visit;
        if (visit->number < oldest->number)
            oldest = visit;
    }
    visit_end(oldest);
    return oldest;
}

static int take_visitor(struct loopback *loopback, int listener, struct error *error)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0)
        visit_begin(make_place(loopback), descriptor, loopback->visit_count++);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return error_errno(error, CODE_FAULT, "take a connection");
    return 0; /* any other: it has gone again */
}

static bool is_answer(const struct oauth_verdict *verdict)
{
    return verdict->action != CODE_STOP || verdict->provider_code != 0;
}

static enum result_page page_of(const struct oauth_verdict *verdict)
{
    if (!is_answer(verdict))
        return RESULT_STRAY;
    switch (verdict->action) {
    case CODE_DONE:
        return RESULT_CAME;
    case CODE_LOGIN:
        return RESULT_DECLINED;
    case CODE_RETRY:
    case CODE_WAIT:
        return RESULT_LATER;
    default:
        return RESULT_REFUSED;
    }
}

/* The redirect address itself was visited. */
static int take_answer(struct visit *visit, const struct oauth_awaited *awaited,
                       struct oauth_redirect *ret_redirect, bool *ret_is_last, struct error *error)
{
    auto_redirect struct oauth_redirect redirect = {0};
    if (oauth_redirect_read(visit->head, awaited, &redirect, error) < 0)
        return -1;
    *ret_is_last = is_answer(&redirect.verdict);
    if (visit_answer(visit, page_of(&redirect.verdict), error) < 0)
        return -1;
    if (*ret_is_last) {
        *ret_redirect = redirect;
        redirect = (struct oauth_redirect){0};
    } else {
        log_info("a visit that is not the answer to this login");
    }
    return 0;
}

static int refuse(struct visit *visit, enum loopback_request request, struct error *error)
{
    static const enum result_page pages[] = {
        [REQUEST_PARTIAL] = RESULT_TOO_LONG,    [REQUEST_VISIT] = RESULT_STRAY,
        [REQUEST_MALFORMED] = RESULT_MALFORMED, [REQUEST_STRANGE] = RESULT_STRANGE,
        [REQUEST_NOT_GET] = RESULT_NOT_GET,     [REQUEST_ELSEWHERE] = RESULT_ELSEWHERE,
        [REQUEST_NOT_A_PAGE] = RESULT_STRAY};
    return visit_answer(visit, pages[request], error);
}

static int serve(struct loopback *loopback, struct visit *visit,
                 const struct oauth_awaited *awaited, struct oauth_redirect *ret_redirect,
                 bool *ret_is_last, struct error *error)
{
    enum loopback_request request;
    bool too_long;
    *ret_is_last = false;
    if (visit->state != VISIT_READING) {
        visit_go_on(visit);
        return 0;
    }
    if (visit_read(visit, &loopback->place, &request, &too_long, error) < 0)
        return -1;
    if (request == REQUEST_PARTIAL && !too_long)
        return 0;
    int result = request == REQUEST_VISIT
                     ? take_answer(visit, awaited, ret_redirect, ret_is_last, error)
                     : refuse(visit, request, error);
    scrub_stack_and_registers();
    return result;
}

/* ---- waiting ---- */

struct waits {
    struct pollfd listeners[LISTENERS];
    struct pollfd visits[LOOPBACK_VISITS_MAX];
};

/* Until something is to be done for one of them, or a deadline has passed.  Negative descriptors are left out by poll(2). */
static int wait_for_any(const struct loopback *loopback, struct deadline deadline,
                        struct waits *ret_waits, struct error *error)
{
    struct pollfd all[LISTENERS + LOOPBACK_VISITS_MAX];
    for (size_t i = 0; i < LISTENERS; i++)
        all[i] = (struct pollfd){.fd = loopback->listeners[i], .events = POLLIN};
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX; i++) {
        const struct visit *visit = &loopback->visits[i];
        bool is_there = visit->state != VISIT_NONE;
        all[LISTENERS + i] =
            (struct pollfd){.fd = is_there ? visit->descriptor : -1, .events = visit_events(visit)};
        if (is_there && visit->deadline.at_ms < deadline.at_ms)
            deadline = visit->deadline;
    }
    if (poll(all, LISTENERS + LOOPBACK_VISITS_MAX, deadline_left(deadline)) < 0 && errno != EINTR)
        return error_errno(error, CODE_FAULT, "wait for the browser");
    memcpy(ret_waits->listeners, all, sizeof(ret_waits->listeners));
    memcpy(ret_waits->visits, all + LISTENERS, sizeof(ret_waits->visits));
    return 0;
}

/* *ret_last is the visit that brought the answer. */
static int serve_all(struct loopback *loopback, const struct waits *waits,
                     const struct oauth_awaited *awaited, struct oauth_redirect *ret_redirect,
                     struct visit **ret_last, struct error *error)
{
    for (size_t i = 0; i < LOOPBACK_VISITS_MAX; i++) {
        struct visit *visit = &loopback->visits[i];
        bool is_last;
        if (visit->state == VISIT_NONE ||
            (waits->visits[i].revents == 0 && !deadline_passed(visit->deadline)))
            continue;
        if (serve(loopback, visit, awaited, ret_redirect, &is_last, error) < 0)
            return -1;
        if (is_last) {
            *ret_last = visit;
            return 0;
        }
    }
    for (size_t i = 0; i < LISTENERS; i++)
        if (waits->listeners[i].revents != 0 &&
            take_visitor(loopback, loopback->listeners[i], error) < 0)
            return -1;
    return 0;
}

/* The login does not fail for a page that could not be shown. */
static void see_page_out(struct loopback *loopback, struct visit *last)
{
    struct error ignored;
    struct waits waits;
    while (last->state != VISIT_NONE &&
           wait_for_any(loopback, last->deadline, &waits, &ignored) == 0)
        visit_go_on(last);
}

int loopback_wait(struct loopback *loopback, const struct oauth_awaited *awaited,
                  struct deadline deadline, struct oauth_redirect *ret_redirect,
                  struct error *error)
{
    struct visit *last = NULL;
    struct waits waits;
    while (!last) {
        if (deadline_passed(deadline)) {
            error_set(error, CODE_RETRY, "no answer came to %s in time", loopback->redirect_uri);
            return error_hint(error, "p11vault login NAME");
        }
        if (wait_for_any(loopback, deadline, &waits, error) < 0 ||
            serve_all(loopback, &waits, awaited, ret_redirect, &last, error) < 0)
            return -1;
    }
    stop_listening(loopback);
    end_visits(loopback, last);
    see_page_out(loopback, last);
    return 0;
}
