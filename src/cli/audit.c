/*
 * `audit verify`, `audit key`, `audit checkpoint`, `audit prove`, `audit export`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/vault/anchor.h"
#include "p11vault/vault/export.h"
#include "p11vault/vault/verify.h"

/* ---- verify ---- */

/* The trust file of the auditor in place of the configuration's. */
static int take_trust(struct cli *cli, struct error *error)
{
    const char *given = cli->arguments.trust;
    if (!given)
        return 0;
    char *trust = realpath(given, NULL);
    if (!trust)
        return error_errno(error, CODE_CONFIG, "trust file '%s'", given);
    free(cli->config->trust);
    cli->config->trust = trust;
    return 0;
}

/* What holds and still should not be passed over. */
static void tell_notes(const struct verify_report *report)
{
    if (report->has_unsigned_grant)
        say("p11vault: note: entry %llu would grant trust and no card has signed it: nothing is "
            "believed by it",
            (unsigned long long)report->unsigned_grant);
    if (report->goes_on)
        say("p11vault: note: the log goes on from an older store: entry %llu names the head of "
            "%llu "
            "entries that was lost",
            (unsigned long long)report->went_on, (unsigned long long)report->lost);
    if (report->seen > 0)
        say("p11vault: note: this export is older than the log that this machine has seen: %llu "
            "entries were signed there",
            (unsigned long long)report->seen);
}

static int tell_anchor(void *context, const struct vault_anchor *anchor, struct error *error)
{
    (void)context;
    auto_free char *words = NULL;
    if (strcmp(anchor->kind, "card") == 0 && *anchor->why == '\0')
        return 0;
    if (vault_anchor_words(anchor, &words, error) < 0)
        return -1;
    say("p11vault: note: %s", words);
    return 0;
}

/* How far an older store would be noticed: what this machine remembers of the cards' anchors. */
static void tell_anchors(struct vault *vault)
{
    struct error error;
    if (vault_anchor_each(vault, tell_anchor, NULL, &error) != 0)
        say("p11vault: note: the heads that cards keep are not known: %s", error.text);
}

static int print_report(const struct verify_report *report, bool is_export, bool json,
                        struct error *error)
{
    uint64_t tail = report->entries - report->signed_entries;
    if (json) {
        json_t *told =
            json_pack("{s:I, s:I, s:I, s:I, s:b}", "entries", (json_int_t)report->entries, "signed",
                      (json_int_t)report->signed_entries, "tail", (json_int_t)tail, "checkpoints",
                      (json_int_t)report->checkpoints, "verified", 1);
        if (told && !is_export)
            json_object_set_new(told, "records", json_integer((json_int_t)report->records));
        if (told && report->has_unsigned_grant)
            json_object_set_new(told, "unsigned_grant",
                                json_integer((json_int_t)report->unsigned_grant));
        if (told && report->goes_on)
            json_object_set_new(told, "restored", json_integer((json_int_t)report->went_on));
        if (told && report->seen > 0)
            json_object_set_new(told, "seen", json_integer((json_int_t)report->seen));
        return print_json(told, error);
    }
    if (is_export)
        printf("%llu entries, %llu checkpoints, no records in an export: verified\n",
               (unsigned long long)report->entries, (unsigned long long)report->checkpoints);
    else
        printf("%llu entries, %llu signed, %llu tail; %llu records: verified\n",
               (unsigned long long)report->entries, (unsigned long long)report->signed_entries,
               (unsigned long long)tail, (unsigned long long)report->records);
    return 0;
}

int cli_audit_verify(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    struct verify_report report = {0};
    const char *store = arguments->count ? arguments->positional[0] : cli->directory;
    bool is_export = vault_is_export(store);
    if (take_trust(cli, error) < 0)
        return -1;
    int result = is_export ? vault_verify_export(cli->config, store, &report, error)
                           : vault_open(cli->config, store, true, &cli->vault, error);
    if (result == 0 && !is_export)
        result = vault_verify(cli->vault, &report, error);
    if (result < 0)
        return error_prefix(error, "audit verify");
    tell_notes(&report);
    if (!is_export)
        tell_anchors(cli->vault);
    return print_report(&report, is_export, arguments->json, error);
}

/* ---- checkpoint, prove, export ---- */

int cli_audit_checkpoint(struct cli *cli, struct error *error)
{
    uint64_t size;
    if (front_checkpoint(&cli->front, &size, error) < 0)
        return error_prefix(error, "audit checkpoint");
    if (cli->arguments.json)
        return print_json(json_pack("{s:I}", "signed", (json_int_t)size), error);
    printf("%llu entries signed\n", (unsigned long long)size);
    return 0;
}

static int take_index(const char *given, uint64_t *ret_index, struct error *error)
{
    char *end;
    errno = 0;
    unsigned long long index = strtoull(given, &end, 10);
    if (given[0] < '0' || given[0] > '9' || *end != '\0' || errno != 0) {
        error_set(error, CODE_USAGE, "'%.40s' is not the number of an entry", given);
        return error_hint(error, "p11vault audit show");
    }
    *ret_index = index;
    return 0;
}

int cli_audit_prove(struct cli *cli, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_buffer struct buffer text = BUFFER_UP_TO(PROOF_TEXT_MAX);
    uint64_t index;
    if (take_index(cli->arguments.positional[0], &index, error) < 0)
        return -1;
    if (vault_signed_head(cli->vault, &head, error) < 0 ||
        vault_proof_text(cli->vault, &head, index, &text, error) < 0)
        return error_prefix(error, "audit prove");
    if (fputs(buffer_text(&text), stdout) < 0)
        return error_errno(error, CODE_FAULT, "write the result");
    return 0;
}

/* The stored bytes, which are the hashed ones: they hold no line end. */
static int print_line(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    (void)context;
    (void)index;
    if (fwrite(text, 1, size, stdout) != size || putchar('\n') < 0)
        return error_errno(error, CODE_FAULT, "write the result");
    return 0;
}

int cli_audit_export(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    struct export_report report;
    if (arguments->lines == (arguments->count > 0)) {
        error_set(error, CODE_USAGE, "'audit export' needs a directory for tiles, or --lines");
        return error_hint(error, "p11vault audit export --help");
    }
    if (arguments->lines)
        return store_entry_each(cli->vault->store, 0, print_line, NULL, error) == 0 ? 0 : -1;
    if (vault_export(cli->vault, arguments->positional[0], &report, error) < 0)
        return error_prefix(error, "audit export");
    if (report.left_out > 0) {
        say("p11vault: note: %llu unsigned entries are not in it",
            (unsigned long long)report.left_out);
        say_hint("p11vault audit checkpoint");
    }
    printf("%llu entries in %s, %llu files written\n", (unsigned long long)report.entries,
           arguments->positional[0], (unsigned long long)report.files);
    return 0;
}

/* ---- key ---- */

/* `until` 0: it has no end. */
static int add_key(json_t *list, const char *fingerprint, const char *vkey, uint64_t until,
                   struct error *error)
{
    json_t *key = json_pack("{s:s, s:s}", "fingerprint", fingerprint, "vkey", vkey);
    if (key && until > 0)
        json_object_set_new(key, "until", json_integer((json_int_t)until));
    return json_array_append_new(list, key) < 0 ? error_memory(error) : 0;
}

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
        char end[32] = "";
        uint64_t until = trust->until[i];
        if (note_key_vkey(&trust->keys[i], vkey, error) < 0)
            return -1;
        note_key_fingerprint(&trust->keys[i], fingerprint);
        if (until > 0)
            (void)snprintf(end, sizeof(end), " until %llu", (unsigned long long)until);
        if (!cli->arguments.json)
            printf("# %s\n%s%s\n", fingerprint, vkey, end);
        else if (add_key(list, fingerprint, vkey, until, error) < 0)
            return -1;
    }
    return cli->arguments.json ? print_json(json_incref(list), error) : 0;
}
