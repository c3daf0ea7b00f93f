/*
 * graph_rules.c: the table of what issues, reveals or replaces tokens.  docs/man has it for people: keep them alike.
 *
 * It is the first of two lines: answers are scrubbed in any case (sieve).
 */
#include "graph_rules.h"

#include <ctype.h>
#include <string.h>

enum where {
    IN_PATH = 1,   /* a part of the path, or one of "ids" */
    IN_NAME = 2,   /* the name of a field */
    IN_FIELDS = 4, /* a word of "fields" */
    IN_DELETED = 8 /* a part of the path of a DELETE */
};

#define HINT_BATCH "what stands in it would not be checked: p11vault call NAME --batch FILE"

/* A word matches whole, or anywhere when it begins with "*". */
static const struct {
    const char *word;
    unsigned where;
    const char *why;
} rules[] = {
    {"oauth", IN_PATH, "it issues tokens: p11vault login, exchange, issue or revoke"},
    {"device", IN_PATH, "it issues tokens: p11vault login --device"},
    {"*access_token", IN_PATH | IN_NAME | IN_FIELDS,
     "it is about access tokens: p11vault pages or issue"},
    {"debug_token", IN_PATH, "it needs a token as a parameter: p11vault inspect"},
    {"*secret", IN_PATH | IN_NAME | IN_FIELDS, "it is about a secret"},
    {"*appsecret", IN_NAME, "p11vault adds the proof itself"},
    {"input_token", IN_NAME, "a token must not be a parameter: p11vault inspect"},
    {"*exchange_token", IN_PATH | IN_NAME, "it exchanges tokens: p11vault exchange"},
    {"revoke_token", IN_NAME, "it ends tokens: p11vault revoke"},
    {"refresh_token", IN_NAME, "it renews tokens: p11vault refresh"},
    {"grant_type", IN_NAME, "it issues tokens: p11vault login, exchange or issue"},
    {"client_code", IN_PATH | IN_NAME, "it issues tokens: p11vault issue"},
    {"client_token", IN_FIELDS, "it is shown in the app's dashboard"},
    {"*test-users", IN_PATH, "test users come with tokens: make them in the app's dashboard"},
    {"login_url", IN_FIELDS, "it logs somebody in"},
    {"password", IN_FIELDS, "it is a password"},
    {"method", IN_PATH, "the old REST API makes sessions: p11vault login"},
    {"permissions", IN_DELETED, "it ends the grant or a part of it: p11vault revoke"},
    {"code", IN_NAME, "it issues tokens: p11vault login"},
    {"id_token", IN_NAME | IN_FIELDS, "it is a token"},
    {"signed_request", IN_NAME, "it holds a token"},
    {"batch", IN_PATH | IN_NAME, HINT_BATCH},
    {"adbatch", IN_PATH | IN_NAME, HINT_BATCH},
    {"asyncbatch", IN_PATH | IN_NAME, HINT_BATCH},
    {"async_batch_requests", IN_PATH, HINT_BATCH},
    {"method", IN_NAME, "the method is named by METHOD"},
    {"callback", IN_NAME, "the answer would be no JSON"},
};

static bool matches(const char *rule, const char *word)
{
    return *rule == '*' ? strstr(word, rule + 1) != NULL : strcmp(rule, word) == 0;
}

static int check_word(const char *word, unsigned where, const char *what, struct error *error)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((rules[i].where & where) != 0 && matches(rules[i].word, word)) {
            error_set(error, CODE_USAGE, "%s '%.64s' is refused", what, word);
            return error_hint(error, "%s", rules[i].why);
        }
    return 0;
}

int graph_check_part(const char *part, bool is_deleted, struct error *error)
{
    return check_word(part, is_deleted ? IN_PATH | IN_DELETED : IN_PATH, "a call of", error);
}

/* Words of letters, digits and "_", whatever stands between them: "id,a.limit(2){access_token}". */
static int check_words(const char *value, struct error *error)
{
    char word[128];
    size_t size = 0;
    for (const char *at = value;; at++) {
        if (isalnum((unsigned char)*at) || *at == '_') {
            if (size == sizeof(word) - 1)
                return error_set(error, CODE_USAGE, "a word of 'fields' is too long");
            word[size++] = (char)tolower((unsigned char)*at);
            continue;
        }
        word[size] = '\0';
        if (size > 0 && check_word(word, IN_FIELDS, "the field", error) < 0)
            return -1;
        size = 0;
        if (*at == '\0')
            return 0;
        /* Encoded once more, or in an alphabet of look-alikes: no name of a field. */
        if (*at == '%' || *at == '\\' || (unsigned char)*at >= 0x80)
            return error_set(error, CODE_USAGE, "'fields' holds a character that no field has");
    }
}

/* Objects, with commas: each as if it were the path. */
static int check_ids(const char *value, struct error *error)
{
    char part[128];
    size_t size = 0;
    for (const char *at = value;; at++) {
        if (isalnum((unsigned char)*at) || (*at != '\0' && strchr("_.:-", *at))) {
            if (size == sizeof(part) - 1)
                return error_set(error, CODE_USAGE, "one of 'ids' is too long");
            part[size++] = (char)tolower((unsigned char)*at);
            continue;
        }
        part[size] = '\0';
        if (*at != ',' && *at != '\0')
            return error_set(error, CODE_USAGE, "'ids' holds a character that no object's id has");
        if (graph_check_part(part, false, error) < 0)
            return -1;
        size = 0;
        if (*at == '\0')
            return 0;
    }
}

int graph_check_field(const char *name, const char *value, struct error *error)
{
    if (check_word(name, IN_NAME, "the parameter", error) < 0)
        return -1;
    if (strcmp(name, "fields") == 0 || strcmp(name, "field") == 0)
        return check_words(value, error);
    return strcmp(name, "ids") == 0 || strcmp(name, "id") == 0 ? check_ids(value, error) : 0;
}
