/*
 * check.c: the parameters and values of a request.  Each has an alphabet in which nothing can leave its place: no path
 * grows a part, no list an item, no form a field.
 */
#include <string.h>

#include "p11vault/oauth/dialog.h"
#include "request.h"

#define DIGITS "0123456789"
#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS

#define CLIENT_ID_DIGITS_MAX 20
#define ID_DIGITS_MAX 32
#define SCOPES_SIZE_MAX 4096
#define ASSETS_SIZE_MAX 8192

bool text_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool oauth_client_id_valid(const char *client_id)
{
    size_t digits = strspn(client_id, DIGITS);
    return digits > 0 && digits <= CLIENT_ID_DIGITS_MAX && client_id[digits] == '\0' &&
           client_id[0] != '0';
}

bool version_valid(const char *version)
{
    if (version[0] != 'v' || version[1] == '0')
        return false;
    size_t major = strspn(version + 1, DIGITS);
    if (major < 1 || major > 3 || version[1 + major] != '.')
        return false;
    const char *rest = version + 1 + major + 1;
    size_t minor = strspn(rest, DIGITS);
    return minor >= 1 && minor <= 2 && rest[minor] == '\0';
}

/* 1 to `maximum` characters of an alphabet. */
static bool all_of(const char *text, const char *alphabet, size_t maximum)
{
    size_t size = strnlen(text, maximum + 1);
    return size >= 1 && size <= maximum && strspn(text, alphabet) == size;
}

/* Items of an alphabet, one comma between two of them. */
static bool list_of(const char *text, const char *alphabet, size_t item_max, size_t maximum)
{
    if (strnlen(text, maximum + 1) > maximum)
        return false;
    for (;;) {
        size_t size = strspn(text, alphabet);
        if (size == 0 || size > item_max)
            return false;
        if (text[size] == '\0')
            return true;
        if (text[size] != ',')
            return false;
        text += size + 1;
    }
}

bool id_valid(const char *id)
{
    return all_of(id, DIGITS, ID_DIGITS_MAX);
}

bool scopes_valid(const char *scopes)
{
    return list_of(scopes, WORD "_.:-", FACT_TEXT_MAX - 1, SCOPES_SIZE_MAX);
}

static bool permission_valid(const char *permission)
{
    return all_of(permission, WORD "_.:-", FACT_TEXT_MAX - 1);
}

static bool cursor_valid(const char *cursor)
{
    return all_of(cursor, WORD "_=+/.~-", OAUTH_CURSOR_MAX - 1);
}

static bool machine_id_valid(const char *machine_id)
{
    return all_of(machine_id, WORD "_.=-", FACT_TEXT_MAX - 1);
}

int oauth_client_token_check(const struct secret *client_token, struct error *error)
{
    static const char alphabet[] = WORD "_-";
    size_t size = client_token == NULL ? 0 : secret_size(client_token), valid = 0;
    while (valid < size && memchr(alphabet, secret_data(client_token)[valid], sizeof(alphabet) - 1))
        valid++;
    if (valid == size && size > 0 && size < FACT_TEXT_MAX)
        return 0;
    return error_set(error, CODE_USAGE, "the client token is not valid");
}

static bool assets_valid(const char *assets)
{
    return list_of(assets, DIGITS, ID_DIGITS_MAX, ASSETS_SIZE_MAX);
}

/* Whose pages: those of a business, and those that its clients let it work on. */
static bool edge_valid(const char *edge)
{
    return strcmp(edge, "owned_pages") == 0 || strcmp(edge, "client_pages") == 0;
}

int check_parameters(const struct oauth_parameters *parameters, struct error *error)
{
    const struct {
        const char *text;
        bool (*valid)(const char *text);
        const char *problem;
    } rules[] = {
        {parameters->scopes, scopes_valid, "scopes are words with one comma between two of them"},
        {parameters->cursor, cursor_valid, "the cursor of the list is not valid"},
        {parameters->subject, id_valid, "the id of a user or business is a number"},
        {parameters->page, id_valid, "the id of a page is a number"},
        {parameters->edge, edge_valid, "a business has owned_pages and client_pages"},
        {parameters->permission, permission_valid, "a permission is one word"},
        {parameters->machine_id, machine_id_valid, "the machine id is not valid"},
        {parameters->assets, assets_valid, "assets are numbers with one comma between two of them"},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (text_given(rules[i].text) && !rules[i].valid(rules[i].text))
            return error_set(error, CODE_USAGE, "%s", rules[i].problem);
    }
    if (text_given(parameters->redirect_uri))
        return oauth_redirect_uri_check(parameters->redirect_uri, error);
    return 0;
}

int check_given(const char *text, const char *what, struct error *error)
{
    return text_given(text) ? 0 : error_set(error, CODE_USAGE, "there must be %s", what);
}

static int check_value(const struct secret *value, const char *what, struct error *error)
{
    if (value == NULL || secret_size(value) == 0)
        return error_set(error, CODE_STOP, "the %s is empty", what);
    if (secret_size(value) > OAUTH_TOKEN_MAX)
        return error_set(error, CODE_STOP, "the %s is longer than %zu bytes", what,
                         OAUTH_TOKEN_MAX);
    return 0;
}

int check_values(unsigned needs, const struct oauth_values *values, struct error *error)
{
    if ((needs & NEEDS_APP_SECRET) != 0 && check_value(values->app_secret, "app secret", error) < 0)
        return -1;
    if ((needs & NEEDS_GRANT) != 0 && check_value(values->grant, "grant", error) < 0)
        return -1;
    if ((needs & NEEDS_CODE) != 0 && check_value(values->code, "code", error) < 0)
        return -1;
    if ((needs & NEEDS_CLIENT_TOKEN) != 0 &&
        oauth_client_token_check(values->client_token, error) < 0)
        return -1;
    if (values->verifier != NULL && check_value(values->verifier, "PKCE verifier", error) < 0)
        return -1;
    if (values->caller != NULL && check_value(values->caller, "calling grant", error) < 0)
        return -1;
    return 0;
}
