/*
 * dialog.c: the URL of the login dialog, and what may be a redirect address.
 *
 * The dialogs differ in their paths and in what they know: only Meta's has a version, configurations, kinds of
 * authentication and PKCE.  What a dialog does not know is refused, not left out: the person would get another login
 * than the one that was asked for.
 */
#include "p11vault/oauth/dialog.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/percent.h"
#include "p11vault/http/origin.h"
#include "request.h"

#define STATE_MIN 16
#define STATE_MAX 128
#define NONCE_MAX 31 /* an app secret has 32 */

static const char nonce_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- redirect addresses ---- */

static bool port_valid(const char *port, size_t size)
{
    unsigned number = 0;
    if (size < 1 || size > 5 || port[0] == '0')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (port[i] < '0' || port[i] > '9')
            return false;
        number = number * 10 + (unsigned)(port[i] - '0');
    }
    return number <= 65535;
}

/* HOST or HOST:PORT of this machine: a redirect without TLS must not leave it. */
static bool loopback(const char *authority, size_t size)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t host = strlen(hosts[i]);
        if (size < host || memcmp(authority, hosts[i], host) != 0)
            continue;
        if (size == host ||
            (authority[host] == ':' && port_valid(authority + host + 1, size - host - 1)))
            return true;
    }
    return false;
}

static int check_https(const char *uri, size_t size, struct error *error)
{
    char text[ORIGIN_MAX];
    struct origin origin;
    if (size >= sizeof(text))
        return error_set(error, CODE_USAGE, "the host of the redirect address is too long");
    memcpy(text, uri, size);
    text[size] = '\0';
    if (origin_parse(text, &origin, error) < 0)
        return error_prefix(error, "redirect address");
    return 0;
}

int oauth_redirect_uri_check(const char *redirect_uri, struct error *error)
{
    size_t size = strnlen(redirect_uri, OAUTH_REDIRECT_URI_MAX + 1);
    if (size > OAUTH_REDIRECT_URI_MAX)
        return error_set(error, CODE_USAGE, "the redirect address is longer than %d characters",
                         OAUTH_REDIRECT_URI_MAX);
    for (size_t i = 0; i < size; i++) {
        if (redirect_uri[i] <= ' ' || redirect_uri[i] > '~' ||
            strchr("#\"<>\\^`{|}", redirect_uri[i]))
            return error_set(error, CODE_USAGE,
                             "the redirect address holds a character that no address may have "
                             "(at place %zu)",
                             i + 1);
    }
    bool https = strncmp(redirect_uri, "https://", 8) == 0;
    if (!https && strncmp(redirect_uri, "http://", 7) != 0)
        return error_set(error, CODE_USAGE, "the redirect address must begin with https://");
    const char *authority = redirect_uri + (https ? 8 : 7);
    size_t end = strcspn(authority, "/?");
    if (https)
        return check_https(redirect_uri, 8 + end, error);
    if (!loopback(authority, end))
        return error_set(error, CODE_USAGE,
                         "the redirect address must begin with https://, or lead to 127.0.0.1");
    return 0;
}

/* ---- the URL ---- */

static bool plain(const char *text, size_t least, size_t most)
{
    size_t size = strnlen(text, most + 1);
    return size >= least && size <= most && strspn(text, nonce_alphabet) == size;
}

/* True when `word` is an item of the comma-separated list. */
static bool list_has(const char *list, const char *word)
{
    size_t size = strlen(word);
    while (text_given(list)) {
        size_t item = strcspn(list, ",");
        if (item == size && memcmp(list, word, size) == 0)
            return true;
        list += item + (list[item] == ',' ? 1 : 0);
    }
    return false;
}

bool oauth_dialog_takes_pkce(const struct provider *provider, const struct oauth_dialog *dialog)
{
    return provider->pkce_scope != NULL && list_has(dialog->scopes, provider->pkce_scope);
}

static bool auth_type_valid(const char *auth_type)
{
    static const char *const known[] = {"rerequest", "reauthorize", "reauthenticate"};
    size_t items = 1;
    size_t found = 0;
    for (const char *at = auth_type; *at != '\0'; at++)
        items += *at == ',' ? 1 : 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        found += list_has(auth_type, known[i]) ? 1 : 0;
    return found == items;
}

/* What Meta's dialog alone knows. */
static int check_special(const struct provider *provider, bool meta,
                         const struct oauth_dialog *dialog, struct error *error)
{
    if (!meta && (text_given(dialog->config_id) || text_given(dialog->auth_type) ||
                  text_given(dialog->auth_nonce) || text_given(dialog->code_challenge)))
        return error_set(error, CODE_USAGE,
                         "this provider's login has no configurations, authentication types or "
                         "PKCE");
    if (text_given(dialog->config_id) && !id_valid(dialog->config_id))
        return error_set(error, CODE_USAGE, "the id of a login configuration is a number");
    if (text_given(dialog->config_id) && text_given(dialog->scopes))
        return error_set(error, CODE_USAGE,
                         "a login configuration takes the place of scopes: name one of the two");
    if (text_given(dialog->auth_type) && !auth_type_valid(dialog->auth_type))
        return error_set(error, CODE_USAGE,
                         "authentication types are rerequest, reauthorize and reauthenticate");
    if (text_given(dialog->auth_nonce) != list_has(dialog->auth_type, "reauthenticate"))
        return error_set(error, CODE_USAGE, "reauthenticate and a nonce go together");
    if (text_given(dialog->auth_nonce) && !plain(dialog->auth_nonce, STATE_MIN, NONCE_MAX))
        return error_set(error, CODE_USAGE, "the nonce of the login is not 16 to 31 characters");
    if (!text_given(dialog->code_challenge))
        return 0;
    if (!plain(dialog->code_challenge, OAUTH_CHALLENGE_SIZE - 1, OAUTH_CHALLENGE_SIZE - 1))
        return error_set(error, CODE_USAGE, "the PKCE challenge is not one of S256");
    if (!oauth_dialog_takes_pkce(provider, dialog))
        return error_set(error, CODE_USAGE, "PKCE goes with the scope %s only",
                         provider->pkce_scope);
    return 0;
}

static bool state_valid(const struct secret *state)
{
    size_t size = state == NULL ? 0 : secret_size(state);
    for (size_t i = 0; i < size; i++)
        if (memchr(nonce_alphabet, secret_data(state)[i], sizeof(nonce_alphabet) - 1) == NULL)
            return false;
    return size >= STATE_MIN && size <= STATE_MAX;
}

static int check_dialog(const struct provider *provider, bool meta,
                        const struct oauth_dialog *dialog, const struct secret *state,
                        struct error *error)
{
    if (!text_given(dialog->client_id) || !provider->client_id_valid(dialog->client_id))
        return error_set(error, CODE_CONFIG, "the app's id is not a number as Meta gives it");
    if (meta && (!text_given(dialog->api_version) || !version_valid(dialog->api_version)))
        return error_set(error, CODE_CONFIG,
                         "the version of the Graph API is not of the form v26.0");
    if (!state_valid(state))
        return error_set(error, CODE_USAGE, "the state of a login is not 16 to 128 characters");
    if (text_given(dialog->scopes) && !scopes_valid(dialog->scopes))
        return error_set(error, CODE_USAGE, "scopes are words with one comma between two of them");
    if (check_given(dialog->redirect_uri, "a redirect address", error) < 0 ||
        oauth_redirect_uri_check(dialog->redirect_uri, error) < 0)
        return -1;
    return check_special(provider, meta, dialog, error);
}

/* "NAME=" and the value with all but the unreserved characters of RFC 3986 as %XX; nothing for a text not given. */
static int put(struct buffer *url, const char *name, const char *text, struct error *error)
{
    if (!text_given(text))
        return 0;
    const char *separator = strchr(buffer_text(url), '?') == NULL ? "?" : "&";
    if (buffer_put_format(url, error, "%s%s=", separator, name) < 0)
        return -1;
    return percent_put(url, text, strlen(text), "", error);
}

static int put_all(bool meta, const struct oauth_dialog *dialog, struct buffer *url,
                   struct error *error)
{
    bool configured = text_given(dialog->config_id);
    bool proved = text_given(dialog->code_challenge);
    if (put(url, "client_id", dialog->client_id, error) < 0 ||
        put(url, "redirect_uri", dialog->redirect_uri, error) < 0 ||
        put(url, "response_type", "code", error) < 0 ||
        put(url, "scope", dialog->scopes, error) < 0)
        return -1;
    if (!meta)
        return 0;
    if (put(url, "config_id", dialog->config_id, error) < 0 ||
        put(url, "override_default_response_type", configured ? "true" : "", error) < 0 ||
        put(url, "auth_type", dialog->auth_type, error) < 0 ||
        put(url, "auth_nonce", dialog->auth_nonce, error) < 0 ||
        put(url, "code_challenge", dialog->code_challenge, error) < 0)
        return -1;
    return put(url, "code_challenge_method", proved ? "S256" : "", error);
}

/* The state stands in locked memory only: it is put behind all else there. */
static int put_state(const struct buffer *url, const struct secret *state, struct secret **ret_url,
                     struct error *error)
{
    auto_of(secret_free) struct secret *whole = NULL;
    if (secret_new(OAUTH_DIALOG_URL_MAX, &whole, error) < 0 ||
        secret_append_text(whole, buffer_text(url), error) < 0 ||
        secret_append_text(whole, "&state=", error) < 0 ||
        secret_append_secret(whole, state, error) < 0 || secret_append(whole, "", 1, error) < 0)
        return -1;
    *ret_url = TAKE(whole);
    return 0;
}

int oauth_dialog_url(const struct provider *provider, const char *dialog_origin,
                     const struct oauth_dialog *dialog, const struct secret *state,
                     struct secret **ret_url, struct error *error)
{
    auto_buffer struct buffer url = BUFFER_UP_TO(OAUTH_DIALOG_URL_MAX);
    bool meta = provider->has_debugger;
    const char *origin = dialog_origin != NULL ? dialog_origin : provider->dialog_origin;
    if (check_dialog(provider, meta, dialog, state, error) < 0)
        return error_prefix(error, "login dialog");
    int begun =
        meta ? buffer_put_format(&url, error, "%s/%s/dialog/oauth", origin, dialog->api_version)
             : buffer_put_format(&url, error, "%s/oauth/authorize", origin);
    if (begun < 0 || put_all(meta, dialog, &url, error) < 0)
        return -1;
    return put_state(&url, state, ret_url, error);
}
