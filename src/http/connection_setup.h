/*
 * connection_setup.h: the open connection and how libcurl and OpenSSL are set up for it; shared by
 * connection.c and connection_setup.c.
 */
#ifndef HTTP_CONNECTION_SETUP_H
#define HTTP_CONNECTION_SETUP_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "p11vault/http/connection.h"

struct connection {
    CURL *easy;
    SSL *ssl; /* belongs to libcurl; known once TLS stands */
    int descriptor;
    struct secret *glimpse; /* the one byte that a look may read */
    enum connection_found found;
    unsigned long reason;  /* OpenSSL's, why the handshake failed, or 0 */
    bool is_chain_trusted; /* up to the CA; says nothing about the name */
    char address[72];
    char tls[96];
};

/* Makes the handle and gives it all it needs to connect within `left` milliseconds. */
int connection_set_up(struct connection *connection, const struct origin *origin,
                      const char *ca_file, int left, struct error *error);

/* Sets the error for a handle that could not connect.  Always returns -1. */
int connection_fault(const struct connection *connection, CURLcode result, const char *ca_file,
                     struct error *error);

#endif
