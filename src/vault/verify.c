/*
 * `audit verify` of a store: one pass over the entries, then records, apps and cards against what they said.  The pass is made by two
 * threads: this one reads the store, the relay's checks what was read; `replay` is the other's until the relay has ended.
 */
#include "p11vault/vault/verify.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/vault/grants.h"
#include "relay.h"
#include "replay.h"

struct pass {
    struct vault *vault;
    struct replay replay;
    struct store_nodes *nodes;
    struct relay *relay;
    json_t *key_entries; /* app → index of the entry that its row's app key stands on */
    json_t *waiting;     /* index as text → entry that grants trust and has met no row yet */
    uint64_t records;
};

static void pass_clear(struct pass *pass)
{
    replay_clear(&pass->replay);
    store_nodes_free(pass->nodes);
    json_decref(pass->waiting);
    json_decref(pass->key_entries);
}

/* ---- entries ---- */

static int take_checkpoint(void *context, uint64_t size, const char *note, struct error *error)
{
    struct pass *pass = context;
    return replay_checkpoint(&pass->replay, size, note, error);
}

static int check_nodes(const struct replay *replay, const struct relayed *entry,
                       struct error *error)
{
    for (size_t i = 0; i < replay->node_count; i++) {
        const struct merkle_node *node = &replay->nodes[i];
        if (!digest_equal(&entry->nodes[i], &node->hash))
            return error_set(error, CODE_LOG,
                             "its bytes are not those that were hashed (node %u/%llu)", node->level,
                             (unsigned long long)node->position);
    }
    return 0;
}

/* A subject with an escape in it is compared as what it means. */
static bool is_subject(const struct store_filed *filed, const char *member,
                       const struct entry_view *view)
{
    struct entry_part part = entry_view_text(view, member);
    if (part.size == 0 || !memchr(part.text, '\\', part.size))
        return entry_part_is(part, filed->subject);
    auto_json json_t *entry = NULL;
    enum entry_type type;
    struct error ignored;
    return entry_read(filed->text, filed->size, &type, &entry, &ignored) == 0 &&
           strcmp(json_text(entry, member), filed->subject) == 0;
}

/* A declaration is filed under the app of what it declares void; of a card or removal under nothing. */
static bool is_void_subject(const struct replay *replay, const struct store_filed *filed,
                            const struct entry_view *view)
{
    struct number_text number = replay_number(entry_view_number(view, "entry", -1));
    const json_t *entry = json_object_get(replay->granted, number.text);
    const char *app = entry ? json_text(entry, "app") : NULL;
    return strcmp(filed->subject, app ? app : "") == 0;
}

/* What an entry is found by stands outside its hash: a changed one would hide an intent, for example. */
static int check_filing(const struct replay *replay, const struct store_filed *filed,
                        const struct entry_view *view, struct error *error)
{
    static const char *const subjects[] = {
        [ENTRY_VAULT] = "vault",  [ENTRY_CARD] = "card", [ENTRY_APP] = "app",
        [ENTRY_APP_KEY] = "app",  [ENTRY_SEAL] = "name", [ENTRY_STATE] = "name",
        [ENTRY_INTENT] = "use",   [ENTRY_STEP] = "use",  [ENTRY_OUTCOME] = "use",
        [ENTRY_REMOVAL] = "card", [ENTRY_VOID] = NULL,   [ENTRY_NOTICE] = "name",
        [ENTRY_RESTORED] = "root"};
    const char *subject = subjects[view->type];
    if (strcmp(filed->type, entry_type_name(view->type)) == 0 &&
        (subject ? is_subject(filed, subject, view) : is_void_subject(replay, filed, view)))
        return 0;
    return error_set(error, CODE_LOG, "it is filed under another type or subject");
}

static int take_entry(void *context, const struct relayed *entry, struct error *error)
{
    struct replay *replay = context;
    const struct store_filed *filed = &entry->filed;
    struct entry_view view;
    if (replay_read(replay, filed->text, filed->size, &view, error) < 0)
        return -1;
    if (check_nodes(replay, entry, error) < 0 || check_filing(replay, filed, &view, error) < 0)
        return replay_bad_entry(filed->index, error);
    return replay_take(replay, filed->text, filed->size, &view, error);
}

/* ---- reading ---- */

#define UNWANTED 1 /* a check has failed */

/* An entry completes its own node and, for each bit that is set at the end of its index, the one above. */
static int read_entry(void *context, const struct store_filed *filed, struct error *error)
{
    struct pass *pass = context;
    struct digest nodes[MERKLE_LEVELS];
    unsigned level = 0;
    do {
        if (store_nodes_next(pass->nodes, level, filed->index >> level, &nodes[level], error) < 0)
            return replay_bad_entry(filed->index, error);
    } while ((filed->index >> level++ & 1) != 0);
    const struct relayed entry = {.filed = *filed, .nodes = nodes, .node_count = level};
    return relay_put(pass->relay, &entry) ? 0 : UNWANTED;
}

/* What a check finds stands before what the reader, who is ahead, could not read. */
static int pass_entries(struct pass *pass, struct error *error)
{
    struct store *store = pass->vault->store;
    if (store_nodes_open(store, &pass->nodes, error) < 0 ||
        relay_start(take_entry, &pass->replay, &pass->relay, error) < 0)
        return -1;
    int read = store_filed_each(store, 0, read_entry, pass, error);
    return relay_end(pass->relay, error) < 0 || read < 0 ? -1 : replay_end(&pass->replay, error);
}

/* ---- what the entries said, against what the store holds ---- */

static int bad_record(const struct store_record *row, const char *what, struct error *error)
{
    return error_set(error, CODE_LOG, "record '%s' version %lld: %s", row->name,
                     (long long)row->version, what);
}

static int check_columns(const struct store_record *row, const struct replay_record *known,
                         struct error *error)
{
    auto_json json_t *columns = vault_columns(row);
    auto_free char *text = NULL;
    if (!columns || json_canonical(columns, &text, error) < 0)
        return bad_record(row, "its clear columns cannot be read", error);
    struct digest digest = digest_of_public(&(struct digest_part){text, strlen(text)}, 1);
    return digest_equal(&digest, &known->columns)
               ? 0
               : bad_record(row, "its clear columns are not those in the log", error);
}

static int check_row(void *context, const struct store_record *row, struct error *error)
{
    struct pass *pass = context;
    char hex[DIGEST_HEX_SIZE];
    struct replay_record *known = replay_find_record(&pass->replay, row->name, row->version);
    struct name name;
    if (!known)
        return bad_record(row, "the log has no entry for it", error);
    if (known->index != row->entry)
        return bad_record(row, "its entry is not the newest about it", error);
    if (name_parse_record(row->name, &name, error) < 0 || strcmp(row->app, name.app) != 0 ||
        strcmp(row->kind, name.kind) != 0)
        return bad_record(row, "its app or kind is not the one in its name", error);
    if (strcmp(row->state, known->state) != 0)
        return bad_record(row, "its state is not the one in the log", error);
    if (strcmp(row->digest, known->digest) != 0)
        return bad_record(row, "its digest is not the one in the log", error);
    if (row->jwe) {
        struct digest actual =
            digest_of_public(&(struct digest_part){row->jwe, strlen(row->jwe)}, 1);
        digest_hex(&actual, hex);
        if (strcmp(hex, row->digest) != 0)
            return bad_record(row, "its ciphertext is not the one that was sealed", error);
    } else if (strcmp(row->state, "current") == 0 || strcmp(row->state, "pending") == 0) {
        return bad_record(row, "its ciphertext is gone", error);
    }
    known->found = true;
    pass->records++;
    return check_columns(row, known, error);
}

/* An app whose key was named in the log, and every such entry declared void. */
static bool is_void_app(const struct replay *replay, const struct replay_record *known)
{
    const char *number;
    json_t *entry;
    if (!json_object_get(replay->app_keys, known->kid))
        return false;
    json_object_foreach (replay->granted, number, entry)
        if (strcmp(json_text(entry, "type"), "app-key") == 0 &&
            strcmp(json_text(entry, "kid"), known->kid) == 0)
            return false;
    return true;
}

/* A version that should be there and has no row was cut out, unless its app never came to be. */
static int check_missing(const struct replay *replay, struct error *error)
{
    for (const struct replay_record *known = replay->records; known; known = known->next) {
        if (known->found || strcmp(known->state, "forgotten") == 0 || is_void_app(replay, known))
            continue;
        const char *space = strrchr(known->key, ' ');
        return error_set(error, CODE_LOG, "record '%.*s' version%s: it is missing from the store",
                         (int)(space - known->key), known->key, space);
    }
    return 0;
}

/* The entry that an app or a card stands on, taken off the list of those that have no row yet. */
static int take_granted(struct pass *pass, uint64_t index, enum entry_type type, json_t **ret_entry,
                        struct error *error)
{
    struct number_text number = replay_number((int64_t)index);
    auto_json json_t *entry = json_incref(json_object_get(pass->waiting, number.text));
    if (!entry || strcmp(json_text(entry, "type"), entry_type_name(type)) != 0)
        return error_set(error, CODE_LOG,
                         "entry %s, on which it stands, is void or of another type", number.text);
    json_object_del(pass->waiting, number.text);
    *ret_entry = TAKE(entry);
    return 0;
}

static int check_app(void *context, const struct store_app *row, struct error *error)
{
    struct pass *pass = context;
    auto_json json_t *app = NULL;
    auto_json json_t *key = NULL;
    char hex[DIGEST_HEX_SIZE];
    if (take_granted(pass, row->entry, ENTRY_APP, &app, error) < 0 ||
        take_granted(pass, row->key_entry, ENTRY_APP_KEY, &key, error) < 0)
        return error_prefix(error, "app '%s'", row->app);
    struct digest actual = digest_of(row->key_record, strlen(row->key_record));
    digest_hex(&actual, hex);
    if (strcmp(json_text(app, "app"), row->app) != 0 ||
        strcmp(json_text(app, "provider"), row->provider) != 0 ||
        strcmp(json_text(app, "client_id"), row->client_id) != 0)
        return error_set(error, CODE_LOG, "app '%s': its columns are not those in the log",
                         row->app);
    if (strcmp(json_text(key, "app"), row->app) != 0 || strcmp(json_text(key, "digest"), hex) != 0)
        return error_set(error, CODE_LOG, "app '%s': its app key record is not the one in the log",
                         row->app);
    return json_object_set_new(pass->key_entries, row->app,
                               json_integer((json_int_t)row->key_entry)) < 0
               ? error_memory(error)
               : 0;
}

static int check_card(void *context, const struct store_card *row, struct error *error)
{
    struct pass *pass = context;
    auto_json json_t *entry = NULL;
    if (take_granted(pass, row->entry, ENTRY_CARD, &entry, error) < 0)
        return error_prefix(error, "card '%s'", row->serial);
    if (strcmp(json_text(entry, "card"), row->serial) != 0 ||
        strcmp(json_text(entry, "label"), row->label) != 0 ||
        strcmp(json_text(entry, "kid"), row->kid) != 0)
        return error_set(error, CODE_LOG, "card '%s': its columns are not those in the log",
                         row->serial);
    return 0;
}

/*
 * An app key that was sealed anew has a newer entry: once a card has signed for it, the row must be
 * that one's.  *ret_replaced: this is an older one, or another key that never came into use,
 * because what is sealed to the app's key would say so; or one that is not signed yet.
 */
static int check_replaced(const struct pass *pass, const char *number, const json_t *entry,
                          bool *ret_replaced, struct error *error)
{
    const char *app = json_text(entry, "app");
    const struct replay *replay = &pass->replay;
    uint64_t index = strtoull(number, NULL, 10);
    int64_t current = app ? json_number(pass->key_entries, app, -1) : -1;
    const json_t *used = json_object_get(replay->granted, replay_number(current).text);
    *ret_replaced = current > (int64_t)index ||
                    (current >= 0 && index >= replay_signed_size(replay)) ||
                    (used && strcmp(json_text(used, "kid"), json_text(entry, "kid")) != 0);
    if (current < 0 || *ret_replaced || strcmp(json_text(entry, "type"), "app-key") != 0)
        return 0;
    error_set(error, CODE_LOG,
              "app '%s': what its key was sealed to in entry %s is not in the store", app, number);
    return error_hint(error, "p11vault app reseal %s", app);
}

static int check_granted(const struct pass *pass, struct error *error)
{
    const char *number;
    json_t *entry;
    json_object_foreach (pass->waiting, number, entry) {
        bool is_replaced = false;
        const char *type = json_text(entry, "type");
        if (strcmp(type, "app-key") == 0 &&
            check_replaced(pass, number, entry, &is_replaced, error) < 0)
            return -1;
        if (!is_replaced && strcmp(type, "removal") != 0 && strcmp(type, "restored") != 0)
            return error_set(error, CODE_LOG, "the %s of entry %s is missing from the store",
                             strcmp(type, "card") == 0 ? "card" : "app", number);
    }
    return 0;
}

static int check_store(struct pass *pass, struct error *error)
{
    struct store *store = pass->vault->store;
    uint64_t nodes;
    pass->waiting = json_copy(pass->replay.granted);
    pass->key_entries = json_object();
    if (!pass->waiting || !pass->key_entries)
        return error_memory(error);
    if (store_record_each_stored(store, check_row, pass, error) != 0 ||
        check_missing(&pass->replay, error) < 0 ||
        store_app_each(store, check_app, pass, error) != 0 ||
        store_card_each(store, check_card, pass, error) != 0 || check_granted(pass, error) < 0 ||
        store_node_count(store, &nodes, error) < 0)
        return -1;
    if (nodes != pass->replay.total_nodes)
        return error_set(error, CODE_LOG,
                         "the tree has %llu nodes where %llu belong: the log was cut",
                         (unsigned long long)nodes, (unsigned long long)pass->replay.total_nodes);
    return 0;
}

/* As everything was at one moment, whatever other processes append meanwhile. */
static int run(struct pass *pass, struct error *error)
{
    struct vault *vault = pass->vault;
    struct store *store = vault->store;
    if (replay_begin(&pass->replay, store_vault_id(store), vault->origin, &vault->trust, error) <
            0 ||
        store_checkpoint_each(store, take_checkpoint, pass, error) != 0 ||
        pass_entries(pass, error) < 0)
        return -1;
    return check_store(pass, error);
}

void verify_report_fill(struct verify_report *report, const struct replay *replay)
{
    *report = (struct verify_report){.entries = replay->frontier.size,
                                     .checkpoints = replay->checkpoint_count,
                                     .signed_entries = replay_signed_size(replay)};
    report->has_unsigned_grant = replay_unsigned_grant(replay, &report->unsigned_grant);
    report->goes_on = replay_went_on(replay, &report->went_on, &report->lost);
}

int vault_verify_older(struct vault *vault, struct verify_report *ret_report, struct error *error)
{
    struct pass pass = {.vault = vault};
    int result = store_snapshot_begin(vault->store, error);
    if (result == 0)
        result = run(&pass, error);
    struct verify_report report;
    verify_report_fill(&report, &pass.replay);
    report.records = pass.records;
    pass_clear(&pass);
    store_snapshot_end(vault->store);
    if (result == 0)
        *ret_report = report;
    else
        error->code = error->code == CODE_FAULT ? CODE_FAULT : CODE_LOG;
    return result;
}

int vault_verify(struct vault *vault, struct verify_report *ret_report, struct error *error)
{
    struct verify_report report;
    if (vault_verify_older(vault, &report, error) < 0)
        return -1;
    if (vault_check_seen(vault, error) < 0) {
        error->code = error->code == CODE_FAULT ? CODE_FAULT : CODE_LOG;
        return -1;
    }
    *ret_report = report;
    return 0;
}
