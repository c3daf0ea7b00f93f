/*
 * `audit show`, `audit verify`, `audit key`.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/vault/verify.h"

/* ---- show ---- */

struct showing {
    uint64_t signed_size;
    bool json;
};

/* The result, how long anything stood in clear, and why it failed. */
static void describe_outcome(const json_t *entry, char *ret_text, size_t room)
{
    char clear[48] = "";
    const char *message = json_text(entry, "message");
    int64_t us = json_number(entry, "plaintext_us", -1);
    if (us >= 0)
        (void)snprintf(clear, sizeof(clear), ", %lld µs in clear", (long long)us);
    (void)snprintf(ret_text, room, "%s (use %.8s)%s%s%s", json_text(entry, "result"),
                   json_text(entry, "use"), clear, message ? ": " : "", message ? message : "");
}

/* What an entry is about, in one phrase. */
static void describe(enum entry_type type, const json_t *entry, char *ret_text, size_t room)
{
    const char *name = json_text(entry, "name");
    const char *app = json_text(entry, "app");
    switch (type) {
    case ENTRY_CARD:
        (void)snprintf(ret_text, room, "%s %s, %s", json_text(entry, "label"),
                       json_text(entry, "card"), json_text(entry, "alg"));
        break;
    case ENTRY_APP:
        (void)snprintf(ret_text, room, "%s: %s %s", app, json_text(entry, "provider"),
                       json_text(entry, "client_id"));
        break;
    case ENTRY_SEAL:
    case ENTRY_STATE:
        (void)snprintf(ret_text, room, "%s version %lld: %s", name,
                       (long long)json_number(entry, "version", 0), json_text(entry, "state"));
        break;
    case ENTRY_INTENT:
        (void)snprintf(ret_text, room, "%s %s (use %.8s)", json_text(entry, "verb"), name,
                       json_text(entry, "use"));
        break;
    case ENTRY_STEP:
        (void)snprintf(ret_text, room, "%s (use %.8s), %s, HTTP %lld, %lld + %lld µs in clear",
                       json_text(entry, "step"), json_text(entry, "use"), json_text(entry, "code"),
                       (long long)json_number(entry, "http", 0),
                       (long long)json_number(entry, "request_us", 0),
                       (long long)json_number(entry, "answer_us", 0));
        break;
    case ENTRY_OUTCOME:
        describe_outcome(entry, ret_text, room);
        break;
    case ENTRY_VOID:
        (void)snprintf(ret_text, room, "entry %lld: %s", (long long)json_number(entry, "entry", -1),
                       json_text(entry, "reason"));
        break;
    case ENTRY_VAULT:
        (void)snprintf(ret_text, room, "%s", json_text(entry, "vault"));
        break;
    case ENTRY_APP_KEY:
        (void)snprintf(ret_text, room, "%s: %.12s…", app, json_text(entry, "kid"));
        break;
    }
}

static int show_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    const struct showing *showing = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    char about[512];
    bool is_signed = index < showing->signed_size;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (showing->json)
        return print_json(json_pack("{s:I, s:b, s:O}", "index", (json_int_t)index, "signed",
                                    is_signed, "entry", entry),
                          error);
    describe(type, entry, about, sizeof(about));
    printf("%4llu  %s  %-8s %-8s %s\n", (unsigned long long)index, json_text(entry, "time"),
           is_signed ? "signed" : "unsigned", entry_type_name(type), about);
    return 0;
}

int cli_audit_show(struct cli *cli, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    if (vault_signed_head(cli->vault, &head, error) < 0)
        return -1;
    struct showing showing = {head.checkpoint.size, cli->arguments.json};
    return store_entry_each(cli->vault->store, 0, show_entry, &showing, error) == 0 ? 0 : -1;
}

/* ---- verify ---- */

int cli_audit_verify(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    struct verify_report report;
    if (arguments->trust) {
        char *trust = realpath(arguments->trust, NULL);
        if (!trust)
            return error_errno(error, CODE_CONFIG, "trust file '%s'", arguments->trust);
        free(cli->config->trust);
        cli->config->trust = trust;
    }
    const char *store = arguments->count ? arguments->positional[0] : cli->directory;
    if (vault_open(cli->config, store, true, &cli->vault, error) < 0 ||
        vault_verify(cli->vault, &report, error) < 0)
        return error_prefix(error, "audit verify");
    if (arguments->json)
        return print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "entries",
                                    (json_int_t)report.entries, "signed",
                                    (json_int_t)report.signed_entries, "tail",
                                    (json_int_t)(report.entries - report.signed_entries),
                                    "checkpoints", (json_int_t)report.checkpoints, "records",
                                    (json_int_t)report.records, "verified", 1),
                          error);
    printf("%llu entries, %llu signed, %llu tail; %llu records: verified\n",
           (unsigned long long)report.entries, (unsigned long long)report.signed_entries,
           (unsigned long long)(report.entries - report.signed_entries),
           (unsigned long long)report.records);
    return 0;
}

/* ---- key ---- */

int cli_audit_key(struct cli *cli, struct error *error)
{
    const struct trust *trust = &cli->vault->trust;
    auto_json json_t *list = json_array();
    if (trust->count == 0) {
        error_set(error, CODE_CONFIG, "'%s' has no key of this vault", cli->config->trust);
        return error_hint(error, "p11vault card enroll");
    }
    for (size_t i = 0; i < trust->count; i++) {
        char vkey[NOTE_VKEY_MAX], fingerprint[NOTE_FINGERPRINT_SIZE];
        if (note_key_vkey(&trust->keys[i], vkey, error) < 0)
            return -1;
        note_key_fingerprint(&trust->keys[i], fingerprint);
        if (!cli->arguments.json)
            printf("# %s\n%s\n", fingerprint, vkey);
        else if (json_array_append_new(
                     list, json_pack("{s:s, s:s}", "fingerprint", fingerprint, "vkey", vkey)) < 0)
            return error_memory(error);
    }
    return cli->arguments.json ? print_json(json_incref(list), error) : 0;
}
