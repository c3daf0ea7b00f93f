/*
 * connection_setup.c: the settings of libcurl and OpenSSL, all in one place, and what their
 * refusals mean to an operator. libcurl's own error text is not used: it quotes names out of the
 * server's certificate.
 */
#include "connection_setup.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SYSTEM_CA_DIRECTORY "/etc/ssl/certs"

struct number_setting {
    CURLoption option;
    long value;
};

struct text_setting {
    CURLoption option;
    const char *value;
};

static const struct number_setting numbers[] = {
    {CURLOPT_CONNECT_ONLY, 1},
    {CURLOPT_NOSIGNAL, 1},
    /* A resolver that hangs must not hold us beyond the deadline. */
    {CURLOPT_QUICK_EXIT, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_SSL_ENABLE_ALPN, 1},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSL_SESSIONID_CACHE, 0},
};

static const struct text_setting texts[] = {
    {CURLOPT_PROTOCOLS_STR, "https"},
    /* An empty proxy is no proxy, and the environment is not asked for one. */
    {CURLOPT_PROXY, ""},
    {CURLOPT_NOPROXY, "*"},
};

/* "4f316efb.0", as c_rehash names it. */
static bool is_hash_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
           strspn(name + 9, "0123456789") > 0;
}

/*
 * True when the system's certificates can be looked up one by one.  Reading the whole bundle takes
 * some twenty milliseconds; other systems have a directory of this name without the hashed names in
 * it.
 */
static bool has_hashed_directory(void)
{
    DIR *directory = opendir(SYSTEM_CA_DIRECTORY);
    if (directory == NULL)
        return false;
    bool found = false;
    for (const struct dirent *entry; !found && (entry = readdir(directory)) != NULL;)
        found = is_hash_name(entry->d_name);
    closedir(directory);
    return found;
}

static CURLcode choose_certificates(CURL *easy, const char *ca_file)
{
    const char *file = ca_file, *directory = NULL;
    if (ca_file[0] == '\0') {
        if (!has_hashed_directory())
            return CURLE_OK; /* libcurl was built with a default of its own */
        file = NULL;
        directory = SYSTEM_CA_DIRECTORY;
    }
    CURLcode result = curl_easy_setopt(easy, CURLOPT_CAINFO, file);
    return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
}

/*
 * Remembers how the handshake ended.  libcurl empties OpenSSL's queue of errors into a text, so the
 * reason is taken here, when OpenSSL leaves the handshake and it is still there.
 */
static void note_handshake(const SSL *ssl, int where, int result)
{
    struct connection *connection = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
        connection->is_chain_trusted = true;
    if (where == SSL_CB_CONNECT_EXIT && result <= 0 && connection->reason == 0)
        connection->reason = ERR_peek_error();
}

/* libcurl has made its TLS context and is about to use it. */
static CURLcode harden_context(CURL *easy, void *context, void *argument)
{
    (void)easy;
    SSL_CTX *tls = context;
    SSL_CTX_set_options(tls,
                        SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* Some clients set this; with it, a connection that was cut looks like one that was closed. */
    SSL_CTX_clear_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_keylog_callback(tls, NULL);
    SSL_CTX_set_app_data(tls, argument);
    SSL_CTX_set_info_callback(tls, note_handshake);
    return CURLE_OK;
}

/*
 * TLS stands and nothing was sent.  After curl_easy_perform() the handle is no longer tied to its
 * connection, so what there is to know about it is taken here.
 */
static int note_session(void *argument, char *address, char *local_address, int port,
                        int local_port)
{
    struct connection *connection = argument;
    (void)local_address;
    (void)local_port;
    struct curl_tlssessioninfo *session = NULL;
    if (curl_easy_getinfo(connection->easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK ||
        session == NULL || session->backend != CURLSSLBACKEND_OPENSSL || session->internals == NULL)
        return CURL_PREREQFUNC_ABORT;
    connection->ssl = session->internals;
    snprintf(connection->address, sizeof(connection->address),
             strchr(address, ':') == NULL ? "%s:%d" : "[%s]:%d", address, port);
    snprintf(connection->tls, sizeof(connection->tls), "%s %s", SSL_get_version(connection->ssl),
             SSL_get_cipher_name(connection->ssl));
    return CURL_PREREQFUNC_OK;
}

static CURLcode set_all(struct connection *connection, const struct origin *origin,
                        const char *ca_file, long left)
{
    CURL *easy = connection->easy;
    CURLcode result = CURLE_OK;
    for (size_t i = 0; result == CURLE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
        result = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    for (size_t i = 0; result == CURLE_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
        result = curl_easy_setopt(easy, texts[i].option, texts[i].value);
    if (result == CURLE_OK)
        result = choose_certificates(easy, ca_file);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_URL, origin->text);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, left);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, harden_context);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, connection);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_session);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_PREREQDATA, connection);
    return result;
}

int connection_set_up(struct connection *connection, const struct origin *origin,
                      const char *ca_file, int left, struct error *error)
{
    connection->easy = curl_easy_init();
    if (connection->easy == NULL)
        return error_memory(error);
    CURLcode result = set_all(connection, origin, ca_file, left);
    if (result == CURLE_OUT_OF_MEMORY)
        return error_memory(error);
    if (result != CURLE_OK)
        return error_set(error, CODE_FAULT, "set up libcurl: %s", curl_easy_strerror(result));
    return 0;
}

static int refused_certificate(const struct connection *connection, struct error *error)
{
    /* OpenSSL judges the chain within the handshake, libcurl the name after it. */
    if (connection->is_chain_trusted)
        return error_set(error, CODE_CONFIG, "the server's certificate is for another name");
    long verdict = X509_V_ERR_UNSPECIFIED;
    curl_easy_getinfo(connection->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (verdict == X509_V_ERR_CERT_HAS_EXPIRED)
        return error_set(error, CODE_CONFIG, "the server's certificate has expired");
    if (verdict == X509_V_ERR_CERT_NOT_YET_VALID) {
        error_set(error, CODE_CONFIG, "the server's certificate is not valid yet");
        return error_hint(error, "check this machine's clock");
    }
    error_set(error, CODE_CONFIG, "the server's certificate is not trusted: %s",
              X509_verify_cert_error_string(verdict));
    return error_hint(error,
                      "a CA of your own is named in the configuration: [origin URL] ca = FILE");
}

/* A connection that broke, or a server in trouble, may be better next time; disagreement is not. */
static int failed_handshake(const struct connection *connection, struct error *error)
{
    int reason = ERR_GET_REASON(connection->reason);
    const char *text = ERR_reason_error_string(connection->reason);
    if (ERR_GET_LIB(connection->reason) != ERR_LIB_SSL ||
        reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return error_set(error, CODE_RETRY, "the connection broke during the TLS handshake");
    return error_set(error, reason == SSL_R_TLSV1_ALERT_INTERNAL_ERROR ? CODE_RETRY : CODE_CONFIG,
                     "the TLS handshake failed: %s", text == NULL ? "unknown reason" : text);
}

static int failed_connect(const struct connection *connection, struct error *error)
{
    long number = 0;
    curl_easy_getinfo(connection->easy, CURLINFO_OS_ERRNO, &number);
    char text[128];
    return error_set(error, CODE_RETRY, "%s",
                     number <= 0 || number > INT_MAX ? "no connection"
                                                     : strerror_r((int)number, text, sizeof(text)));
}

int connection_fault(const struct connection *connection, CURLcode result, const char *ca_file,
                     struct error *error)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(error, CODE_RETRY, "the host's name cannot be resolved");
    case CURLE_COULDNT_CONNECT:
        return failed_connect(connection, error);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(error, CODE_RETRY, "the deadline has passed");
    case CURLE_SSL_CONNECT_ERROR:
        return failed_handshake(connection, error);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return error_set(error, CODE_RETRY, "the connection broke");
    case CURLE_PEER_FAILED_VERIFICATION:
        return refused_certificate(connection, error);
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(error, CODE_CONFIG, "cannot read certificates from %s",
                         ca_file[0] == '\0' ? "the system's directory" : ca_file);
    case CURLE_OUT_OF_MEMORY:
        return error_memory(error);
    default:
        return error_set(error, CODE_FAULT, "libcurl: %s", curl_easy_strerror(result));
    }
}
