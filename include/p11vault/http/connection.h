/*
 * connection.h: one TLS connection to one origin (libcurl, CURLOPT_CONNECT_ONLY).  Only p11vault-exchange links this.
 *
 * Phase one resolves, connects and completes TLS before any secret is opened; afterwards only our own bytes travel.
 * HTTP/1.1 by ALPN, TLS 1.2 at least, certificate and name verified, no proxy, netrc, cookie, redirect, key log or
 * other setting from the environment.
 */
#ifndef P11VAULT_HTTP_CONNECTION_H
#define P11VAULT_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/cleanup.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"
#include "p11vault/http/origin.h"

struct connection;

/* Once in a process, after secret_heap_install(): libcurl with wiping allocators. */
int connection_library_start(struct error *error);

/*
 * Connects.  `ca_file` "" means the system's certificates.  CODE_RETRY: name not resolved, refused, reset, too slow;
 * CODE_CONFIG: certificate not trusted or for another name (the text says which), CA file unreadable.
 */
int connection_open(const struct origin *origin, const char *ca_file, struct deadline deadline,
                    struct connection **ret_connection, struct error *error);
void connection_free(struct connection *connection);
DEFINE_CLEANUP(struct connection, connection_free);

/* "203.0.113.7:443" and "TLSv1.3 …"; valid as long as the connection. */
const char *connection_address(const struct connection *connection);
const char *connection_tls(const struct connection *connection);

/* What a look finds: nothing, application data, or close_notify, an end of the stream without it, a reset. */
enum connection_found { CONNECTION_QUIET, CONNECTION_BYTES, CONNECTION_ENDED };

/*
 * Looks, without waiting, for what nobody has asked for: to be done before each request and behind each whole answer.
 * Readable is not yet data: what is TLS's own, such as a session ticket (RFC 8446, section 4.6.1), is read and dropped,
 * and the connection is quiet.  Whatever else is found ends the connection: one byte of it is lost, each further look
 * finds the same, and nothing is to be sent or received any more.
 *
 * It cannot see what comes later, nor a TLS record of which only a part has come.
 */
enum connection_found connection_look(struct connection *connection);

/* Sends all bytes before the deadline.  CODE_RETRY when the connection is gone or too slow. */
int connection_send(struct connection *connection, const uint8_t *bytes, size_t size,
                    struct deadline deadline, struct error *error);

/* Waits until something has come or the peer has closed.  CODE_RETRY on deadline or reset. */
int connection_wait(struct connection *connection, struct deadline deadline, struct error *error);

/*
 * Receives what has come into the room of a secret, without waiting.  *ret_size may be 0: what came was not for us (TLS's
 * own), or not a whole record of TLS yet; or the peer has closed, which *ret_ended says.  CODE_RETRY on reset.
 */
int connection_receive(struct connection *connection, struct secret *secret, size_t *ret_size,
                       bool *ret_ended, struct error *error);

#endif
