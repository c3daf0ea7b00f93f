/*
 * Reading the command line against the table of verbs, and printing its usage from the same table.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct option {
    const char *name;
    const char *value; /* NULL: a switch; with "…" behind it may be given several times */
    size_t place;      /* in struct arguments: bool, const char *, or struct texts */
    unsigned bit;      /* 0: every verb takes it */
    const char *does;
};

#define HEAD_COLUMNS 28 /* the longest: grant rename NAME NEW-NAME */
#define PLACE(member) offsetof(struct arguments, member)

static const struct option options[] = {
    {"--vault", "DIR", PLACE(vault), 0, "the vault (else $P11VAULT_DIR, else the configuration's)"},
    {"--config", "FILE", PLACE(config), 0, "this configuration instead of the user's"},
    {"-v", NULL, PLACE(verbose), 0, "tell what the three programs do"},
    {"--help", NULL, PLACE(help), 0, "this text, or that of a verb"},
    {"--version", NULL, PLACE(version), 0, "the version"},
    {"--json", NULL, PLACE(json), OPTION_JSON, "the result as JSON"},
    {"--module", "NAME", PLACE(module), OPTION_MODULE, "a [module NAME] of the configuration"},
    {"--card", "SERIAL", PLACE(card), OPTION_CARD, "this card only"},
    {"--ask-pin", NULL, PLACE(ask_pin), OPTION_ASK_PIN,
     "ask for the PIN, whatever pin-source says"},
    {"--provider", "NAME", PLACE(provider), OPTION_PROVIDER,
     "meta (if not given), instagram or threads"},
    {"--id", "ID", PLACE(id), OPTION_ID, "the app id at the provider"},
    {"--origin", "URL", PLACE(origin), OPTION_ORIGIN,
     "where its secret may go (else the provider's own)"},
    {"--secret-file", "FILE", PLACE(secret_file), OPTION_SECRET_FILE,
     "read the app secret from this file (mode 0600)"},
    {"--token-file", "FILE", PLACE(token_file), OPTION_TOKEN_FILE,
     "read the access token from this file (mode 0600)"},
    {"--trust", "FILE", PLACE(trust), OPTION_TRUST, "check with the keys of this trust file"},
    {"--key", "KIND", PLACE(key), OPTION_KEY,
     "make ec:P-256, ec:P-384, rsa:2048, rsa:3072 or rsa:4096 on the card"},
    {"--sign", "URI", PLACE(sign), OPTION_KEY,
     "sign with this key of the card instead of a new one"},
    {"--code-origin", "URL", PLACE(code_origin), OPTION_ORIGIN,
     "where a login's code is exchanged (else the provider's own, or --origin)"},
    {"--scope", "LIST", PLACE(scopes), OPTION_SCOPES, "permissions to ask for, with commas"},
    {"--redirect", "URL", PLACE(redirect), OPTION_REDIRECT,
     "the redirect address as the app's dashboard has it"},
    {"--port", "PORT", PLACE(port), OPTION_LOGIN, "the loopback port that takes the answer"},
    {"--paste", NULL, PLACE(paste), OPTION_LOGIN,
     "no loopback address: paste where the browser was sent to"},
    {"--device", NULL, PLACE(device), OPTION_LOGIN, "the device flow: type a code elsewhere"},
    {"--client-token-file", "FILE", PLACE(client_token_file), OPTION_LOGIN,
     "read the client token for --device from this file (mode 0600)"},
    {"--config-id", "ID", PLACE(config_id), OPTION_LOGIN, "a Login for Business configuration"},
    {"--rerequest", NULL, PLACE(rerequest), OPTION_LOGIN, "ask again for what was declined"},
    {"--reauthorize", NULL, PLACE(reauthorize), OPTION_LOGIN, "renew the access to data"},
    {"--reauthenticate", NULL, PLACE(reauthenticate), OPTION_LOGIN, "have the password asked for"},
    {"--from", "NAME", PLACE(from), OPTION_FROM,
     "the grant that it is made from; card enroll: the file that card export wrote"},
    {"--user-id", "ID", PLACE(id), OPTION_ISSUE, "the system user that it is for"},
    {"--business", "ID", PLACE(business), OPTION_ISSUE,
     "a business's grant with fewer permissions, for this business"},
    {"--business", NULL, PLACE(of_businesses), OPTION_BUSINESSES,
     "also the pages of the person's businesses, and those their clients share"},
    {"--assets", "IDS", PLACE(assets), OPTION_ISSUE, "the assets it is for, with commas"},
    {"--never", NULL, PLACE(never), OPTION_ISSUE, "one that does not expire in 60 days"},
    {"--permission", "NAME", PLACE(permission), OPTION_PERMISSION, "this permission alone"},
    {"--app", "NAME", PLACE(app), OPTION_FILTER, "entries about this app"},
    {"--grant", "NAME", PLACE(grant), OPTION_FILTER, "entries about this grant"},
    {"--user", "USER", PLACE(user), OPTION_FILTER, "entries by this user, a name or a number"},
    {"--since", "TIME", PLACE(since), OPTION_FILTER, "from this day or time (UTC), or 7d"},
    {"--until", "TIME", PLACE(until), OPTION_FILTER, "up to this day or time (UTC)"},
    {"--verb", "VERB", PLACE(verb), OPTION_FILTER, "entries of this verb: exchange, 'app add'"},
    {"--failures", NULL, PLACE(failures), OPTION_FILTER, "what failed or has an unknown end"},
    {"-f", NULL, PLACE(follow), OPTION_FOLLOW, "go on with what is added"},
    {"--lines", NULL, PLACE(lines), OPTION_LINES, "all entries, also unsigned ones, one a line"},
    {"--due", NULL, PLACE(due), OPTION_DUE,
     "refresh: what has 20 days left or was not checked today; status: what needs something"},
    {"--all", NULL, PLACE(all), OPTION_ALL, "every grant"},
    {"-F", "NAME=VALUE…", PLACE(fields), OPTION_CALL, "a parameter of the call; may be repeated"},
    {"--batch", "FILE", PLACE(batch), OPTION_CALL,
     "make the calls of this JSON array in one request (-: standard input)"},
    {"--paginate", NULL, PLACE(paginate), OPTION_CALL, "go on to the end of the list"},
    {"--signature", "VALUE", PLACE(signature), OPTION_SIGNATURE,
     "the value of the header X-Hub-Signature-256: sha256=..."},
    {"--monitored", NULL, PLACE(monitored), OPTION_MONITORED,
     "tell of a refresh that failed, too: started by systemd after it"},
    {"--trusted", NULL, PLACE(trusted), OPTION_TRUSTED,
     "the cards that this vault trusts, wherever they are"},
    {"--lost", NULL, PLACE(lost), OPTION_LOST, "somebody else may have it"},
    {"--lost-head", NULL, PLACE(lost_head), OPTION_LOST_HEAD,
     "go on from it although newer heads of the log were seen"},
    {"--yes", NULL, PLACE(yes), OPTION_YES, "do not ask whether that is right"},
    {"--soft", NULL, PLACE(soft), OPTION_SOFT, "make a SoftHSM card for it: for tests and CI"},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static int usage_error(struct error *error, const char *what, const char *word)
{
    error_set(error, CODE_USAGE, "%s '%.100s'", what, word);
    return error_hint(error, "p11vault --help");
}

static bool is_named(const char *word, const char *name)
{
    size_t size = strcspn(word, "=");
    return strlen(name) == size && strncmp(name, word, size) == 0;
}

/* Of two that have the same name, the one that the verb before it takes. */
static const struct option *find_option(const char *word, unsigned wanted)
{
    const struct option *found = NULL;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (is_named(word, options[i].name) && (!found || (options[i].bit & wanted) != 0))
            found = &options[i];
    return found;
}

/* Arguments can be read by every user of this machine; the value is not repeated either. */
static int refuse_client_token(struct error *error)
{
    error_set(error, CODE_USAGE, "--client-token was removed: other users can read arguments");
    return error_hint(error, "--client-token-file FILE, or type it when you are asked");
}

static int add_text(struct texts *texts, const char *value, const struct option *option,
                    struct error *error)
{
    if (texts->count == TEXTS_MAX)
        return usage_error(error, "too many of", option->name);
    texts->items[texts->count++] = value;
    return 0;
}

/* The verb that the first one or two words name; *ret_words says how many. */
static const struct verb *match_verb(const struct verb *verbs, size_t verb_count,
                                     const char **words, size_t count, size_t *ret_words)
{
    for (size_t i = 0; i < verb_count; i++) {
        const char *space = strchr(verbs[i].name, ' ');
        if (!space && strcmp(verbs[i].name, words[0]) == 0) {
            *ret_words = 1;
            return &verbs[i];
        }
        size_t first = space ? (size_t)(space - verbs[i].name) : 0;
        if (space && count > 1 && strlen(words[0]) == first &&
            strncmp(verbs[i].name, words[0], first) == 0 && strcmp(space + 1, words[1]) == 0) {
            *ret_words = 2;
            return &verbs[i];
        }
    }
    return NULL;
}

/*
 * Takes one option and its value; *at moves past them.  `wanted`: what the verb takes, as far as it
 * is known.
 */
static int take_option(int count, char **words, int *at, unsigned wanted,
                       struct arguments *arguments, unsigned *given, struct error *error)
{
    const char *word = words[*at];
    const char *equals = strchr(word, '=');
    const struct option *option = find_option(word, wanted);
    if (is_named(word, "--client-token"))
        return refuse_client_token(error);
    if (!option || (equals && !option->value))
        return usage_error(error, "there is no option", word);
    void *place = (char *)arguments + option->place;
    *given |= option->bit;
    (*at)++;
    if (!option->value) {
        *(bool *)place = true;
        return 0;
    }
    const char *value = equals ? equals + 1 : (*at < count ? words[(*at)++] : NULL);
    if (!value || !*value)
        return usage_error(error, "a value is missing after option", option->name);
    if (strstr(option->value, "…"))
        return add_text(place, value, option, error);
    *(const char **)place = value;
    return 0;
}

/* The second word of a verb that begins with this one; NULL: it does not. */
static const char *second_word(const struct verb *verb, const char *first)
{
    size_t size = strlen(first);
    return strncmp(verb->name, first, size) == 0 && verb->name[size] == ' ' ? verb->name + size + 1
                                                                            : NULL;
}

static bool begins_verbs(const struct verb *verbs, size_t verb_count, const char *word)
{
    for (size_t i = 0; i < verb_count; i++)
        if (second_word(&verbs[i], word))
            return true;
    return false;
}

/* Words that are no verb: the first of them may begin some. */
static int no_verb(const struct verb *verbs, size_t verb_count, const char **words, size_t count,
                   struct error *error)
{
    char seconds[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < verb_count && used < sizeof(seconds); i++) {
        const char *second = second_word(&verbs[i], words[0]);
        if (second)
            used += (size_t)snprintf(seconds + used, sizeof(seconds) - used, "%s%s",
                                     used > 0 ? ", " : "", second);
    }
    if (used == 0)
        return usage_error(error, "there is no verb", words[0]);
    if (count == 1)
        error_set(error, CODE_USAGE, "'%s' needs one of: %s", words[0], seconds);
    else
        error_set(error, CODE_USAGE, "there is no verb '%s %.64s'; '%s' needs one of: %s", words[0],
                  words[1], words[0], seconds);
    return error_hint(error, "p11vault %s --help", words[0]);
}

static int check_verb(const struct verb *verb, unsigned given, size_t count, struct error *error)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((options[i].bit & given & ~verb->options) != 0) {
            error_set(error, CODE_USAGE, "'%s' takes no option '%s'", verb->name, options[i].name);
            return error_hint(error, "p11vault %s --help", verb->name);
        }
    if (count >= verb->at_least && count <= verb->at_most)
        return 0;
    error_set(error, CODE_USAGE, count < verb->at_least ? "'%s' needs %s" : "'%s' takes only %s",
              verb->name, *verb->positional ? verb->positional : "its options");
    return error_hint(error, "p11vault %s --help", verb->name);
}

int arguments_parse(int count, char **words, const struct verb *verbs, size_t verb_count,
                    struct arguments *ret_arguments, const struct verb **ret_verb,
                    struct error *error)
{
    struct arguments arguments = {0};
    const char *plain[POSITIONAL_MAX + 3] = {NULL};
    size_t plain_count = 0, verb_words = 0;
    unsigned given = 0;
    for (int at = 1; at < count;) {
        if (words[at][0] == '-' && words[at][1] != '\0') {
            const struct verb *verb =
                plain_count == 0 ? NULL
                                 : match_verb(verbs, verb_count, plain, plain_count, &verb_words);
            if (take_option(count, words, &at, verb ? verb->options : 0, &arguments, &given,
                            error) < 0)
                return -1;
        } else if (plain_count == sizeof(plain) / sizeof(plain[0])) {
            return usage_error(error, "one word too many:", words[at]);
        } else {
            plain[plain_count++] = words[at++];
        }
    }
    *ret_verb = NULL;
    if (plain_count == 0 && !arguments.help && !arguments.version)
        return usage_error(error, "no verb given:", "p11vault VERB …");
    if (plain_count > 0)
        *ret_verb = match_verb(verbs, verb_count, plain, plain_count, &verb_words);
    if (plain_count == 1 && arguments.help && begins_verbs(verbs, verb_count, plain[0])) {
        arguments.group = plain[0];
        verb_words = 1;
    } else if (plain_count > 0 && !*ret_verb) {
        return no_verb(verbs, verb_count, plain, plain_count, error);
    }
    arguments.count = plain_count - verb_words;
    if (*ret_verb && !arguments.help && check_verb(*ret_verb, given, arguments.count, error) < 0)
        return -1;
    for (size_t i = 0; i < arguments.count && i < POSITIONAL_MAX; i++)
        arguments.positional[i] = plain[verb_words + i];
    *ret_arguments = arguments;
    return 0;
}

/* The second column begins at one place, also behind characters of several bytes. */
static void print_line(const char *word, const char *values, const char *does)
{
    int columns = 0;
    for (const char *at = values; *at; at++)
        columns += ((unsigned char)*at & 0xc0) != 0x80;
    int pad = HEAD_COLUMNS - columns - (int)strlen(word) - 1;
    printf("  %s %s%*s%s\n", word, values, pad > 1 ? pad : 1, "", does);
}

void arguments_usage(const struct verb *verbs, size_t verb_count, const struct verb *only,
                     const char *group)
{
    if (only) {
        printf("p11vault %s %s\n  %s\n\n", only->name, only->positional, only->does);
    } else {
        printf("p11vault %s [NAME] [options]\n\n", group ? group : "VERB");
        for (size_t i = 0; i < verb_count; i++)
            if (!group || second_word(&verbs[i], group))
                print_line(verbs[i].name, verbs[i].positional, verbs[i].does);
        printf("\n");
    }
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].bit == 0 || (only && (options[i].bit & only->options) != 0))
            print_line(options[i].name, options[i].value ? options[i].value : "", options[i].does);
}
