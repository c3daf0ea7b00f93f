/*
 * tls_server.h: a real TLS server for test_connection.c: certificates made when they are needed,
 * and a child process that takes one connection and does with it what the test says.
 */
#ifndef TESTS_TLS_SERVER_H
#define TESTS_TLS_SERVER_H

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p11vault/base/clock.h"

#define SERVER_SECONDS 60 /* a server that its test forgot ends then */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* In the child; a server that sees something wrong ends with another status than 0. */
typedef void serve_function(SSL *tls, int descriptor);

struct server {
    const struct identity *identity;
    serve_function *serve;
    int max_version;      /* 0: any */
    bool without_tls;     /* `serve` gets the bare connection */
    bool without_tickets; /* none goes with the handshake */
    const char *address;  /* NULL: 127.0.0.1 */
    int port;             /* chosen by the kernel */
    pid_t pid;
};

/* Ends whoever finds that something does not hold: test or server. */
static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "tls_server.h: %s\n", what);
    _exit(99);
}

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: signed by itself and a CA; else a server's certificate for `names`. */
static struct identity make_identity(const char *common_name, const struct identity *issuer,
                                     const char *names, long begin, long end)
{
    static long serial = 1;
    struct identity made = {EVP_EC_gen("P-256"), X509_new()};
    must(made.key != NULL && made.certificate != NULL, "make key and certificate");
    X509 *certificate = made.certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), begin);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    X509_set_pubkey(certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509 *parent = issuer == NULL ? certificate : issuer->certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(parent));
    if (issuer == NULL) {
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate, NID_key_usage, "critical,keyCertSign");
    } else {
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
        add_extension(certificate, NID_subject_alt_name, names);
    }
    must(X509_sign(certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256()) > 0,
         "sign a certificate");
    return made;
}

static void free_identity(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static void write_certificate(const struct identity *identity, const char *path)
{
    FILE *file = fopen(path, "we");
    must(file != NULL && PEM_write_X509(file, identity->certificate) == 1, path);
    must(fclose(file) == 0, path);
}

/* A listening socket and its port; `address` may be an IPv6 address.  -1 when it cannot be had. */
static int listen_on(const char *address, int *ret_port)
{
    bool is_ipv6 = strchr(address, ':') != NULL;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct sockaddr *place = is_ipv6 ? (struct sockaddr *)&ipv6 : (struct sockaddr *)&ipv4;
    socklen_t size = is_ipv6 ? sizeof(ipv6) : sizeof(ipv4);
    inet_pton(place->sa_family, address,
              is_ipv6 ? (void *)&ipv6.sin6_addr : (void *)&ipv4.sin_addr);
    int listener = socket(place->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, place, size) < 0 || listen(listener, 4) < 0 ||
        getsockname(listener, place, &size) < 0) {
        if (listener >= 0)
            close(listener);
        return -1;
    }
    *ret_port = ntohs(is_ipv6 ? ipv6.sin6_port : ipv4.sin_port);
    return listener;
}

/* A client that offers anything but HTTP/1.1 is not ours. */
static int choose_protocol(SSL *tls, const unsigned char **ret, unsigned char *ret_size,
                           const unsigned char *offered, unsigned size, void *argument)
{
    (void)tls;
    (void)argument;
    must(size == 9 && memcmp(offered, "\x08http/1.1", 9) == 0, "the client's ALPN");
    *ret = offered + 1;
    *ret_size = 8;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_context(const struct server *server)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    must(context != NULL, "make a TLS context");
    if (server->max_version != 0) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context, server->max_version);
    }
    if (server->without_tickets)
        SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    must(SSL_CTX_use_certificate(context, server->identity->certificate) == 1 &&
             SSL_CTX_use_PrivateKey(context, server->identity->key) == 1,
         "use a certificate");
    return context;
}

static void run_server(const struct server *server, int listener)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    must(descriptor >= 0, "accept");
    if (server->without_tls) {
        server->serve(NULL, descriptor);
        _exit(0);
    }
    SSL *tls = SSL_new(server_context(server));
    must(tls != NULL && SSL_set_fd(tls, descriptor) == 1, "make a TLS connection");
    /* That a client refuses us is for the client's side of the test to see. */
    if (SSL_accept(tls) == 1 && server->serve != NULL)
        server->serve(tls, descriptor);
    _exit(0);
}

static bool server_start(struct server *server)
{
    int listener =
        listen_on(server->address == NULL ? "127.0.0.1" : server->address, &server->port);
    if (listener < 0)
        return false;
    server->pid = fork();
    must(server->pid >= 0, "fork");
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(SERVER_SECONDS);
        run_server(server, listener);
    }
    close(listener);
    return true;
}

/* True when the server ended by itself and content. */
static bool server_ended_well(const struct server *server)
{
    int status = -1;
    return waitpid(server->pid, &status, 0) == server->pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void tls_write(SSL *tls, const char *text)
{
    must(SSL_write(tls, text, (int)strlen(text)) == (int)strlen(text), "the server's SSL_write");
}

/* Reads exactly what is expected; anything else ends the server in shame. */
static void tls_expect(SSL *tls, const char *expected)
{
    size_t size = strlen(expected);
    char *text = malloc(size);
    for (size_t done = 0; done < size;) {
        int count = SSL_read(tls, text + done, (int)(size - done));
        must(count > 0, "the server's SSL_read");
        done += (size_t)count;
    }
    must(memcmp(text, expected, size) == 0, "the request's bytes");
    free(text);
}

/* Waits until the client has gone. */
static void tls_wait_for_end(SSL *tls)
{
    char byte;
    must(SSL_read(tls, &byte, 1) <= 0, "the client sends more than it should");
}

#endif
