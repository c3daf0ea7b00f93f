/*
 * audit_bench.c: `make audit-bench`: what a long log costs, beside the hashing alone, in one run on one machine.
 *
 * It makes a vault of its own with so many entries (1,000,000, or the first argument), signed by a key in software, and prints what
 * it took.  It judges nothing.  With a second argument it only makes the vault and says where it is.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "p11vault/base/clock.h"
#include "p11vault/vault/apps.h"
#include "p11vault/vault/export.h"
#include "p11vault/vault/grants.h"
#include "p11vault/vault/log.h"
#include "p11vault/vault/uses.h"
#include "p11vault/vault/verify.h"

#define ENTRIES_A_USE 8
#define GRANTS 1000
#define SIGNED_EACH 1000 /* entries between two checkpoints */
#define LOOKS 200

static struct error error;
static char directory[] = "/tmp/p11vault-bench-XXXXXX";

static void must(int result)
{
    if (result >= 0)
        return;
    fprintf(stderr, "audit-bench: %s\n", error.text);
    exit(1);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * What is compared with hashing: seconds of this process, in which other work on the machine does not count but all threads do, and of
 * the clock, where two threads pay.
 */
struct cost {
    double cpu, wall;
};

static struct cost cost_start(void)
{
    return (struct cost){(double)cpu_us() / 1e6, (double)clock_monotonic_us() / 1e6};
}

/* The best so far, of the two apart. */
static void cost_end(struct cost start, struct cost *best)
{
    struct cost now = cost_start();
    double cpu = now.cpu - start.cpu, wall = now.wall - start.wall;
    best->cpu = best->cpu == 0 || cpu < best->cpu ? cpu : best->cpu;
    best->wall = best->wall == 0 || wall < best->wall ? wall : best->wall;
}

static double seconds_since(int64_t start)
{
    return (double)(clock_monotonic_us() - start) / 1e6;
}

/* ---- a key that signs ---- */

static EVP_PKEY *key;
static struct note_key note_key;

static void make_key(const char *origin)
{
    unsigned char spki[NOTE_SPKI_MAX], *at = spki;
    key = EVP_EC_gen("P-256");
    int size = i2d_PUBKEY(key, &at);
    must(note_key_make(origin, spki, (size_t)size, &note_key, &error));
}

static void sign(struct vault *vault)
{
    uint64_t size;
    struct merkle_frontier frontier = {0};
    auto_buffer struct buffer nodes = BUFFER_UP_TO(MERKLE_LEVELS * DIGEST_SIZE);
    must(store_log_size(vault->store, &size, &error));
    must(vault_frontier(vault, size, &nodes, &error));
    frontier.size = size;
    frontier.count = nodes.size / DIGEST_SIZE;
    memcpy(frontier.nodes, nodes.data, nodes.size);
    struct checkpoint checkpoint = {.size = size, .root = merkle_root(&frontier)};
    snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s", vault->origin);
    char text[CHECKPOINT_TEXT_MAX];
    unsigned char signature[NOTE_SIGNATURE_MAX];
    size_t signature_size = sizeof(signature);
    auto_free char *note = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(checkpoint_text(&checkpoint, text, &error));
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &signature_size, (unsigned char *)text, strlen(text)) !=
            1)
        exit(1);
    EVP_MD_CTX_free(context);
    must(note_compose(text, &note_key, signature, signature_size, &note, &error));
    must(store_begin(vault->store, &error));
    must(store_checkpoint_put(vault->store, size, note, &error));
    must(store_commit(vault->store, &error));
}

/* ---- a log as uses make it ---- */

static void append(struct vault *vault, enum entry_type type, const char *subject, json_t *members)
{
    uint64_t index;
    must(vault_append(vault, type, subject, members, &index, &error));
}

static void step(struct vault *vault, const char *use, const char *name)
{
    append(vault, ENTRY_STEP, use,
           json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "use", use, "step", name, "origin",
                     "https://graph.facebook.com", "code", "done", "http", 200, "request_us", 812,
                     "answer_us", 641));
}

static struct store_record row_of(const char *name, int64_t version, const char *state)
{
    static char jwe[] =
        "eyJhbGciOiJFQ0RILUVTIn0..AAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBB.CCCCCCCCCCCCCCCC";
    return (struct store_record){.name = (char *)(uintptr_t)name,
                                 .app = (char *)(uintptr_t) "ads",
                                 .kind = (char *)(uintptr_t) "user",
                                 .version = version,
                                 .state = (char *)(uintptr_t)state,
                                 .digest = NULL,
                                 .jwe = jwe,
                                 .expires = 1790000000 + version,
                                 .data_expires = STORE_UNKNOWN,
                                 .issued = 1780000000,
                                 .checked = STORE_UNKNOWN,
                                 .valid = 1};
}

static void put(struct vault *vault, const char *name, int64_t version, const char *use)
{
    struct store_record row = row_of(name, version, "pending");
    must(vault_put_record(vault, &row, "nP9ZLt8kqB7P0000000000000000000000000000000", NULL, use,
                          &error));
    free(row.digest);
}

static void change(struct vault *vault, const char *name, int64_t version, const char *state,
                   const char *use)
{
    struct store_record row = row_of(name, version, state);
    struct digest digest = digest_of(row.jwe, strlen(row.jwe));
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&digest, hex);
    row.digest = hex;
    must(vault_change_record(vault, &row, NULL, use, &error));
}

/* Eight entries, as an exchange writes them. */
static void write_use(struct vault *vault, uint64_t number)
{
    char use[USE_SIZE], name[64];
    int64_t version = (int64_t)(number / GRANTS) + 1;
    snprintf(use, sizeof(use), "%032llx", (unsigned long long)number * 2654435761ULL);
    snprintf(name, sizeof(name), "ads/user/u%llu", (unsigned long long)(number % GRANTS));
    append(vault, ENTRY_INTENT, use,
           json_pack("{s:s, s:s, s:s, s:s, s:s, s:[], s:[s]}", "use", use, "verb", "exchange",
                     "name", name, "card", "", "origin", "https://graph.facebook.com", "opens",
                     "seals", name));
    step(vault, use, "inspect-input");
    put(vault, name, version, use);
    step(vault, use, "exchange");
    step(vault, use, "inspect-result");
    if (version > 1)
        change(vault, name, version - 1, "previous", use);
    else
        step(vault, use, "inspect-again");
    change(vault, name, version, "current", use);
    append(vault, ENTRY_OUTCOME, use,
           json_pack("{s:s, s:s, s:s, s:i, s:i}", "use", use, "result", "done", "code", "done",
                     "expires_after", 1790000000, "plaintext_us", 4312));
}

/* ---- what is measured ---- */

static void measure_commits(struct vault *vault)
{
    static const unsigned groups[] = {1, 8, 64, 512};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        unsigned count = groups[i] == 1 ? 200 : groups[i] * 20;
        int64_t start = clock_monotonic_us();
        for (unsigned at = 0; at < count; at++) {
            if (at % groups[i] == 0)
                must(store_begin(vault->store, &error));
            step(vault, "00000000000000000000000000000001", "exchange");
            if (at % groups[i] == groups[i] - 1)
                must(store_commit(vault->store, &error));
        }
        double seconds = seconds_since(start);
        printf("append, %3u a commit     %8.0f entries/s, %6.2f ms a commit\n", groups[i],
               count / seconds, 1000 * seconds / count * groups[i]);
    }
}

static void fill(struct vault *vault, uint64_t entries)
{
    uint64_t size, number = 0, next = SIGNED_EACH;
    int64_t start = clock_monotonic_us();
    must(store_log_size(vault->store, &size, &error));
    uint64_t first = size;
    while (size < entries) {
        must(store_begin(vault->store, &error));
        for (int i = 0; i < 128 && size < entries; i++, size += ENTRIES_A_USE)
            write_use(vault, number++);
        must(store_commit(vault->store, &error));
        if (size >= next) {
            sign(vault);
            next = size + SIGNED_EACH;
        }
    }
    printf("fill                     %8.0f entries/s, records included\n",
           (double)(size - first) / seconds_since(start));
    sign(vault);
}

struct all {
    struct buffer bytes;
    size_t *sizes;
    uint64_t count;
};

static int keep(void *context, uint64_t index, const char *text, size_t size, struct error *unused)
{
    struct all *all = context;
    (void)unused;
    all->sizes[index] = size;
    all->count = index + 1;
    return buffer_put(&all->bytes, text, size, &error);
}

/* The hashes of the tree and nothing else, by libcrypto from memory: the least that any verifier does. */
static void hash_all(const struct all *all, struct cost *best)
{
    struct merkle_frontier frontier = {0};
    const uint8_t *at = all->bytes.data;
    struct cost start = cost_start();
    for (uint64_t i = 0; i < all->count; i++) {
        struct digest leaf = merkle_leaf(at, all->sizes[i]);
        merkle_append(&frontier, &leaf, NULL, NULL);
        at += all->sizes[i];
    }
    (void)merkle_root(&frontier);
    cost_end(start, best);
}

static void print_cost(const char *what, const struct cost *cost, const struct cost *tree,
                       const struct cost *bytes)
{
    printf(
        "%-24s %8.3f s CPU %7.3f s wall: %.2f and %.2f of the tree's hashing, %.2f and %.2f of the "
        "bytes'\n",
        what, cost->cpu, cost->wall, tree->cpu / cost->cpu, tree->wall / cost->wall,
        bytes->cpu / cost->cpu, bytes->wall / cost->wall);
}

static void measure_verify(struct vault *vault, uint64_t entries)
{
    struct all all = {.bytes = BUFFER_UP_TO((size_t)4 << 30)};
    all.sizes = calloc(entries + 65536, sizeof(all.sizes[0]));
    must(store_entry_each(vault->store, 0, keep, &all, &error));
    struct verify_report report, report_of_export;
    struct export_report exported;
    struct cost bytes = {0}, tree = {0}, verifying = {0}, reading = {0};
    char export[128];
    snprintf(export, sizeof(export), "%s/export", directory);
    int64_t began = clock_monotonic_us();
    must(vault_export(vault, export, &exported, &error));
    double exporting = seconds_since(began);
    for (int i = 0; i < 3; i++) {
        hash_all(&all, &tree);
        struct cost start = cost_start();
        (void)digest_of(all.bytes.data, all.bytes.size);
        cost_end(start, &bytes);
        start = cost_start();
        must(vault_verify(vault, &report, &error));
        cost_end(start, &verifying);
        start = cost_start();
        must(vault_verify_export(vault->config, export, &report_of_export, &error));
        cost_end(start, &reading);
    }
    printf("(the best of three)\n");
    printf("log                      %llu entries, %.0f MB, %llu checkpoints, %llu records\n",
           (unsigned long long)report.entries, (double)all.bytes.size / 1e6,
           (unsigned long long)report.checkpoints, (unsigned long long)report.records);
    printf("SHA-256 of its bytes     %8.3f s CPU (one message)\n", bytes.cpu);
    printf("SHA-256 of its tree      %8.3f s CPU (leaves and nodes, from memory)\n", tree.cpu);
    print_cost("audit verify", &verifying, &tree, &bytes);
    print_cost("audit verify, an export", &reading, &tree, &bytes);
    printf("audit export             %8.3f s  %llu files\n", exporting,
           (unsigned long long)exported.files);
    buffer_clear(&all.bytes);
    free(all.sizes);
}

struct timing {
    double sum, worst;
};

static void note(struct timing *timing, int64_t start)
{
    double seconds = seconds_since(start);
    timing->sum += seconds;
    timing->worst = seconds > timing->worst ? seconds : timing->worst;
}

static void print_timing(const char *what, const struct timing *timing)
{
    printf("%-24s %8.3f ms  (worst of %d: %.3f ms)\n", what, 1000 * timing->sum / LOOKS, LOOKS,
           1000 * timing->worst);
}

static void measure_looks(struct vault *vault)
{
    struct timing proof = {0}, checkpoint = {0}, record = {0}, dead = {0};
    uint64_t size;
    must(store_log_size(vault->store, &size, &error));
    for (unsigned i = 0; i < LOOKS; i++) {
        auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
        auto_buffer struct buffer text = BUFFER_UP_TO(PROOF_TEXT_MAX);
        char name[64];
        struct store_record row = {0};
        int64_t start = clock_monotonic_us();
        must(vault_signed_head(vault, &head, &error));
        must(vault_proof_text(vault, &head, size / LOOKS * i, &text, &error));
        note(&proof, start);
        start = clock_monotonic_us();
        sign(vault);
        note(&checkpoint, start);
        snprintf(name, sizeof(name), "ads/user/u%u", i);
        start = clock_monotonic_us();
        must(vault_find_record(vault, name, "current", &row, &error));
        note(&record, start);
        store_record_clear(&row);
        start = clock_monotonic_us();
        size_t count;
        must(vault_close_dead_uses(vault, &count, &error));
        note(&dead, start);
    }
    print_timing("proof of an entry", &proof);
    print_timing("checkpoint, key apart", &checkpoint);
    print_timing("finding a record", &record);
    print_timing("looking for dead uses", &dead);
}

int main(int count, char **words)
{
    uint64_t entries = count > 1 ? strtoull(words[1], NULL, 10) : 1000000;
    struct config config = {0};
    struct vault *vault;
    char path[128];
    if (!mkdtemp(directory))
        return 1;
    snprintf(path, sizeof(path), "%s/trust", directory);
    config.trust = path;
    must(vault_create(&config, directory, &vault, &error));
    make_key(vault->origin);
    vault->trust.keys[0] = note_key;
    vault->trust.count = 1;
    char vkey[NOTE_VKEY_MAX];
    must(note_key_vkey(&note_key, vkey, &error));
    must(buffer_write_file(path, vkey, strlen(vkey), 0600, &error));
    setvbuf(stdout, NULL, _IOLBF, 0);
    measure_commits(vault);
    fill(vault, entries);
    if (count > 2) {
        printf("left in %s: audit verify --trust %s %s\n", directory, path, directory);
        return 0;
    }
    measure_verify(vault, entries);
    measure_looks(vault);
    vault_free(vault);
    EVP_PKEY_free(key);
    snprintf(path, sizeof(path), "rm -rf %s", directory);
    return system(path);
}
