/*
 * `audit verify`: one pass over the entries, then the checkpoints, records, apps and cards against what they said.
 */
#include "p11vault/vault/verify.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/vault/grants.h"

#define CHECKPOINTS_MAX 65536

struct pass {
    struct vault *vault;
    struct merkle_frontier frontier;
    struct {
        uint64_t size;
        struct digest root;
    } * checkpoints; /* verified notes, by size */
    size_t checkpoint_count, next_checkpoint;
    json_t *records;  /* "name version" → newest entry about it */
    json_t *kids;     /* "name version" → kid of the app key it is sealed to */
    json_t *places;   /* "name version" → index of that entry */
    json_t *app_keys; /* kid → index of its entry */
    json_t *granted;  /* index as text → entry that grants trust and was not declared void */
    json_t *promised; /* size as text → index of the outcome that names this checkpoint */
    uint64_t nodes;
};

static void pass_clear(struct pass *pass)
{
    free(pass->checkpoints);
    json_decref(pass->records);
    json_decref(pass->kids);
    json_decref(pass->places);
    json_decref(pass->app_keys);
    json_decref(pass->granted);
    json_decref(pass->promised);
}

static int bad_entry(uint64_t index, struct error *error)
{
    error->code = CODE_LOG;
    return error_prefix(error, "entry %llu", (unsigned long long)index);
}

/* ---- checkpoints ---- */

static int take_checkpoint(void *context, uint64_t size, const char *note, struct error *error)
{
    struct pass *pass = context;
    struct checkpoint checkpoint;
    if (checkpoint_verify(note, pass->vault->origin, &pass->vault->trust, &checkpoint, NULL,
                          error) < 0) {
        error->code = CODE_LOG;
        return error_prefix(error, "checkpoint %llu", (unsigned long long)size);
    }
    if (checkpoint.size != size || pass->checkpoint_count == CHECKPOINTS_MAX)
        return error_set(error, CODE_LOG, "checkpoint %llu: its note is for %llu entries",
                         (unsigned long long)size, (unsigned long long)checkpoint.size);
    void *grown =
        realloc(pass->checkpoints, (pass->checkpoint_count + 1) * sizeof(pass->checkpoints[0]));
    if (!grown)
        return error_memory(error);
    pass->checkpoints = grown;
    pass->checkpoints[pass->checkpoint_count].size = size;
    pass->checkpoints[pass->checkpoint_count++].root = checkpoint.root;
    return 0;
}

static int check_root(struct pass *pass, struct error *error)
{
    while (pass->next_checkpoint < pass->checkpoint_count &&
           pass->checkpoints[pass->next_checkpoint].size == pass->frontier.size) {
        struct digest root = merkle_root(&pass->frontier);
        if (!digest_equal(&root, &pass->checkpoints[pass->next_checkpoint].root))
            return error_set(error, CODE_LOG,
                             "checkpoint %llu: an entry before it was changed since it was signed",
                             (unsigned long long)pass->frontier.size);
        pass->next_checkpoint++;
    }
    return 0;
}

/* ---- entries ---- */

static int remember(json_t *map, const char *key, json_t *value, struct error *error)
{
    return json_object_set_new(map, key, value) < 0 ? error_memory(error) : 0;
}

struct number {
    char text[24];
};

static struct number number_text(int64_t number)
{
    struct number made;
    (void)snprintf(made.text, sizeof(made.text), "%lld", (long long)number);
    return made;
}

static int note_record(struct pass *pass, uint64_t index, enum entry_type type, json_t *entry,
                       struct error *error)
{
    char key[NAME_MAX_SIZE + 24];
    (void)snprintf(key, sizeof(key), "%s %lld", json_text(entry, "name"),
                   (long long)json_number(entry, "version", -1));
    if (type == ENTRY_SEAL &&
        remember(pass->kids, key, json_string(json_text(entry, "kid")), error) < 0)
        return -1;
    if (type == ENTRY_STATE && !json_object_get(pass->records, key))
        return error_set(error, CODE_LOG, "it is about a record that was never sealed");
    if (type == ENTRY_STATE && strcmp(json_text(json_object_get(pass->records, key), "digest"),
                                      json_text(entry, "digest")) != 0)
        return error_set(error, CODE_LOG, "it names another digest than was sealed");
    if (remember(pass->places, key, json_integer((json_int_t)index), error) < 0)
        return -1;
    return remember(pass->records, key, json_incref(entry), error);
}

static int note_granting(struct pass *pass, uint64_t index, enum entry_type type, json_t *entry,
                         struct error *error)
{
    if (type == ENTRY_APP_KEY && remember(pass->app_keys, json_text(entry, "kid"),
                                          json_integer((json_int_t)index), error) < 0)
        return -1;
    return remember(pass->granted, number_text((int64_t)index).text, json_incref(entry), error);
}

static int note_entry(struct pass *pass, uint64_t index, enum entry_type type, json_t *entry,
                      struct error *error)
{
    if (type == ENTRY_SEAL || type == ENTRY_STATE)
        return note_record(pass, index, type, entry, error);
    if (entry_grants_trust(type))
        return note_granting(pass, index, type, entry, error);
    if (type == ENTRY_VOID &&
        json_object_del(pass->granted, number_text(json_number(entry, "entry", -1)).text) < 0)
        return error_set(error, CODE_LOG, "it declares void what grants no trust");
    if (type == ENTRY_OUTCOME && json_object_get(entry, "checkpoint"))
        return remember(pass->promised, number_text(json_number(entry, "checkpoint", -1)).text,
                        json_integer((json_int_t)index), error);
    if (type == ENTRY_VAULT &&
        (index != 0 || strcmp(json_text(entry, "vault"), store_vault_id(pass->vault->store)) != 0))
        return error_set(error, CODE_LOG, "it is the first entry of another vault");
    return 0;
}

static int check_nodes(struct pass *pass, const struct merkle_node *nodes, size_t count,
                       struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct digest stored;
        if (store_node_get(pass->vault->store, nodes[i].level, nodes[i].position, &stored, error) <
            0)
            return -1;
        if (!digest_equal(&stored, &nodes[i].hash))
            return error_set(error, CODE_LOG,
                             "its bytes are not those that were hashed (node %u/%llu)",
                             nodes[i].level, (unsigned long long)nodes[i].position);
    }
    pass->nodes += count;
    return 0;
}

/* What an entry is found by stands outside its hash: a changed one would hide an intent, for example. */
static int check_filing(struct pass *pass, uint64_t index, enum entry_type type,
                        const json_t *entry, struct error *error)
{
    static const char *const subjects[] = {
        [ENTRY_VAULT] = "vault", [ENTRY_CARD] = "card", [ENTRY_APP] = "app",
        [ENTRY_APP_KEY] = "app", [ENTRY_SEAL] = "name", [ENTRY_STATE] = "name",
        [ENTRY_INTENT] = "use",  [ENTRY_STEP] = "use",  [ENTRY_OUTCOME] = "use",
        [ENTRY_VOID] = NULL};
    const char *subject = subjects[type] ? json_text(entry, subjects[type]) : NULL;
    bool filed;
    if (store_entry_filed(pass->vault->store, index, entry_type_name(type), subject, &filed,
                          error) < 0)
        return -1;
    return filed ? 0 : error_set(error, CODE_LOG, "it is filed under another type or subject");
}

static int take_entry(void *context, uint64_t index, const char *text, size_t size,
                      struct error *error)
{
    struct pass *pass = context;
    if (index != pass->frontier.size)
        return error_set(error, CODE_LOG, "entry %llu is missing",
                         (unsigned long long)pass->frontier.size);
    auto_json json_t *entry = NULL;
    enum entry_type type;
    struct merkle_node nodes[MERKLE_LEVELS];
    size_t count;
    struct digest leaf = merkle_leaf(text, size);
    merkle_append(&pass->frontier, &leaf, nodes, &count);
    if (entry_read(text, size, &type, &entry, error) < 0 ||
        check_nodes(pass, nodes, count, error) < 0 ||
        check_filing(pass, index, type, entry, error) < 0 ||
        note_entry(pass, index, type, entry, error) < 0)
        return bad_entry(index, error);
    if (index == 0 && type != ENTRY_VAULT)
        return error_set(error, CODE_LOG, "entry 0 is not the first entry of a vault");
    return check_root(pass, error);
}

/* ---- what the entries said, against what the store holds ---- */

static int bad_record(const struct store_record *row, const char *what, struct error *error)
{
    return error_set(error, CODE_LOG, "record '%s' version %lld: %s", row->name,
                     (long long)row->version, what);
}

static int check_row(void *context, const struct store_record *row, struct error *error)
{
    struct pass *pass = context;
    char key[NAME_MAX_SIZE + 24], hex[DIGEST_HEX_SIZE];
    (void)snprintf(key, sizeof(key), "%s %lld", row->name, (long long)row->version);
    const json_t *entry = json_object_get(pass->records, key);
    struct name name;
    if (!entry)
        return bad_record(row, "the log has no entry for it", error);
    if (json_number(pass->places, key, -1) != (int64_t)row->entry)
        return bad_record(row, "its entry is not the newest about it", error);
    if (name_parse_record(row->name, &name, error) < 0 || strcmp(row->app, name.app) != 0 ||
        strcmp(row->kind, name.kind) != 0)
        return bad_record(row, "its app or kind is not the one in its name", error);
    if (strcmp(row->state, json_text(entry, "state")) != 0)
        return bad_record(row, "its state is not the one in the log", error);
    if (strcmp(row->digest, json_text(entry, "digest")) != 0)
        return bad_record(row, "its digest is not the one in the log", error);
    if (row->jwe) {
        struct digest actual = digest_of(row->jwe, strlen(row->jwe));
        digest_hex(&actual, hex);
        if (strcmp(hex, row->digest) != 0)
            return bad_record(row, "its ciphertext is not the one that was sealed", error);
    } else if (strcmp(row->state, "current") == 0 || strcmp(row->state, "pending") == 0) {
        return bad_record(row, "its ciphertext is gone", error);
    }
    auto_json json_t *columns = vault_columns(row);
    if (!json_equal(columns, json_object_get(entry, "columns")))
        return bad_record(row, "its clear columns are not those in the log", error);
    json_object_del(pass->records, key);
    return 0;
}

/* A version that should be there and has no row was cut out, unless its app never came to be. */
static int check_missing(struct pass *pass, struct error *error)
{
    const char *key;
    json_t *entry;
    json_object_foreach (pass->records, key, entry) {
        const char *kid = json_string_value(json_object_get(pass->kids, key));
        int64_t app_key = json_number(pass->app_keys, kid ? kid : "", -1);
        if (strcmp(json_text(entry, "state"), "forgotten") == 0 ||
            (app_key >= 0 && !json_object_get(pass->granted, number_text(app_key).text)))
            continue;
        return error_set(error, CODE_LOG, "record '%s' version %lld: it is missing from the store",
                         json_text(entry, "name"), (long long)json_number(entry, "version", -1));
    }
    return 0;
}

/* The entry that an app or a card stands on, taken off the list of those that have no row yet. */
static int take_granted(struct pass *pass, uint64_t index, enum entry_type type, json_t **ret_entry,
                        struct error *error)
{
    struct number number = number_text((int64_t)index);
    auto_json json_t *entry = json_incref(json_object_get(pass->granted, number.text));
    if (!entry || strcmp(json_text(entry, "type"), entry_type_name(type)) != 0)
        return error_set(error, CODE_LOG,
                         "entry %s, on which it stands, is void or of another type", number.text);
    json_object_del(pass->granted, number.text);
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
    return 0;
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

static int check_granted(const struct pass *pass, struct error *error)
{
    const char *number;
    json_t *entry;
    json_object_foreach (pass->granted, number, entry)
        return error_set(error, CODE_LOG, "the %s of entry %s is missing from the store",
                         strcmp(json_text(entry, "type"), "card") == 0 ? "card" : "app", number);
    return 0;
}

/* An outcome names the checkpoint that was signed for its use: that one cannot be cut away unseen. */
static int check_promised(struct pass *pass, struct error *error)
{
    const char *size_text;
    json_t *index;
    json_object_foreach (pass->promised, size_text, index) {
        unsigned long long size = strtoull(size_text, NULL, 10);
        size_t i = 0;
        while (i < pass->checkpoint_count && pass->checkpoints[i].size != size)
            i++;
        if (i == pass->checkpoint_count)
            return error_set(error, CODE_LOG,
                             "checkpoint %llu is missing: the outcome in entry %lld names it", size,
                             (long long)json_integer_value(index));
    }
    return 0;
}

static int check_store(struct pass *pass, struct verify_report *report, struct error *error)
{
    struct store *store = pass->vault->store;
    uint64_t nodes;
    report->records = 0;
    size_t before = json_object_size(pass->records);
    if (store_record_each(store, check_row, pass, error) != 0)
        return -1;
    report->records = before - json_object_size(pass->records);
    if (check_missing(pass, error) < 0 || store_app_each(store, check_app, pass, error) != 0 ||
        store_card_each(store, check_card, pass, error) != 0 || check_granted(pass, error) < 0 ||
        store_node_count(store, &nodes, error) < 0)
        return -1;
    if (nodes != pass->nodes)
        return error_set(error, CODE_LOG,
                         "the tree has %llu nodes where %llu belong: the log was cut",
                         (unsigned long long)nodes, (unsigned long long)pass->nodes);
    return 0;
}

static int run(struct pass *pass, struct verify_report *report, struct error *error)
{
    struct store *store = pass->vault->store;
    pass->records = json_object();
    pass->kids = json_object();
    pass->places = json_object();
    pass->app_keys = json_object();
    pass->granted = json_object();
    pass->promised = json_object();
    if (!pass->records || !pass->kids || !pass->places || !pass->app_keys || !pass->granted ||
        !pass->promised)
        return error_memory(error);
    if (store_checkpoint_each(store, take_checkpoint, pass, error) != 0 ||
        store_entry_each(store, 0, take_entry, pass, error) != 0)
        return -1;
    if (pass->next_checkpoint < pass->checkpoint_count)
        return error_set(error, CODE_LOG, "checkpoint %llu: the log has only %llu entries",
                         (unsigned long long)pass->checkpoints[pass->next_checkpoint].size,
                         (unsigned long long)pass->frontier.size);
    report->entries = pass->frontier.size;
    report->checkpoints = pass->checkpoint_count;
    report->signed_entries =
        pass->checkpoint_count ? pass->checkpoints[pass->checkpoint_count - 1].size : 0;
    if (report->entries == 0)
        return error_set(error, CODE_LOG, "the log is empty");
    if (check_promised(pass, error) < 0 || check_store(pass, report, error) < 0)
        return -1;
    return vault_check_seen(pass->vault, error);
}

int vault_verify(struct vault *vault, struct verify_report *ret_report, struct error *error)
{
    struct pass pass = {.vault = vault};
    struct verify_report report = {0};
    int result = run(&pass, &report, error);
    pass_clear(&pass);
    if (result == 0)
        *ret_report = report;
    else
        error->code = error->code == CODE_FAULT ? CODE_FAULT : CODE_LOG;
    return result;
}
