/*
 * What `doctor` looks at in the configuration, the vault's directory, its store, trust file and log.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "p11vault/base/secret.h"
#include "p11vault/confine/kernel.h"

#define MIB ((uint64_t)1 << 20)
#define SPACE_LOW (100 * MIB)
#define SPACE_OUT (10 * MIB)
#define CA_FILE_MAX ((size_t)16 << 20)
#define FIRST_SECOND INT64_C(1767225600) /* of 2026: this program is not older */
#define CLOCK_SLACK 300

/* ---- configuration ---- */

void doctor_config(struct doctor *doctor)
{
    struct error error;
    struct cli *cli = doctor->cli;
    if (config_load(cli->arguments.config, &cli->config, &error) < 0) {
        doctor_failure(doctor, &error, "man p11vault.conf");
        return;
    }
    if (cli->config->unlocked_memory)
        secret_allow_unlocked();
    bool there = access(cli->config->user_file, F_OK) == 0;
    doctor_ok(doctor, there ? "%s" : "%s is not there: the defaults hold", cli->config->user_file);
}

static int check_certificates(const char *path, struct error *error)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    auto_buffer struct buffer text = BUFFER_UP_TO(CA_FILE_MAX);
    if (buffer_read_file(path, CA_FILE_MAX, FILE_PLAIN, &text, error) < 0)
        return -1;
    const char *first = strstr(buffer_text(&text), begin);
    if (!first || !strstr(first, end))
        return error_set(error, CODE_CONFIG, "%s holds no certificate in PEM", path);
    return 0;
}

static void check_ca(struct doctor *doctor, const char *section, const char *path)
{
    struct error error;
    char fix[CONFIG_LINE_MAX + 128];
    if (check_certificates(path, &error) == 0) {
        doctor_ok(doctor, "[%s] trusts %s", section, path);
        return;
    }
    (void)snprintf(fix, sizeof(fix), "set ca in [%s] to a file of certificates in PEM", section);
    error_prefix(&error, "[%s]", section);
    doctor_failure(doctor, &error, fix);
}

/* Where distributions keep what libcurl is built to trust. */
static void check_system_ca(struct doctor *doctor)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    struct error error;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (check_certificates(files[i], &error) == 0) {
            doctor_ok(doctor, "the system's certificates: %s", files[i]);
            return;
        }
    doctor_warn(doctor, "apt-get install ca-certificates, or set ca in [tls]",
                "the system's certificates are not found");
}

void doctor_tls(struct doctor *doctor)
{
    const struct config *config = doctor->cli->config;
    if (!config)
        return;
    if (config->tls_ca)
        check_ca(doctor, "tls", config->tls_ca);
    else
        check_system_ca(doctor);
    for (size_t i = 0; i < config->origin_count; i++) {
        char section[CONFIG_LINE_MAX + 16];
        (void)snprintf(section, sizeof(section), "origin %s", config->origins[i].origin);
        check_ca(doctor, section, config->origins[i].ca);
    }
}

/* ---- the directory ---- */

static int check_directory(const char *path, struct error *error)
{
    struct kernel_place place;
    auto_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        error_errno(error, CODE_CONFIG, "%s", path);
        return error_hint(error, "p11vault init, or name your own: --vault DIR");
    }
    if (directory_check(directory, FILE_PRIVATE, path, error) < 0 ||
        kernel_look_at(path, &place, error) < 0)
        return -1;
    if (!place.shared)
        return 0;
    error_set(error, CODE_CONFIG, "%s is on a file system that is shared (%s)", path, place.shared);
    return error_hint(error, "move the vault to a local disk");
}

void doctor_vault(struct doctor *doctor)
{
    struct error error;
    struct cli *cli = doctor->cli;
    if (!cli->config)
        return;
    if (vault_find_directory(cli->config, cli->arguments.vault, &cli->directory, &error) < 0 ||
        cli_walls(cli, NEEDS_VAULT, &error) < 0 || check_directory(cli->directory, &error) < 0)
        doctor_failure(doctor, &error, "name your own directory: --vault DIR");
    else
        doctor_ok(doctor, "%s is private and local", cli->directory);
}

void doctor_disk(struct doctor *doctor)
{
    static const char fix[] = "make room: without a log entry no key is handed out";
    struct error error;
    struct kernel_place place;
    const char *directory = doctor->cli->directory;
    if (!directory || kernel_look_at(directory, &place, &error) < 0)
        return;
    unsigned long long left = place.free / MIB;
    if (place.free < SPACE_OUT)
        doctor_problem(doctor, CODE_LOG, fix, "only %llu MiB are free in %s", left, directory);
    else if (place.free < SPACE_LOW)
        doctor_warn(doctor, fix, "only %llu MiB are free in %s", left, directory);
    else
        doctor_ok(doctor, "%llu MiB are free", left);
}

/* ---- store, trust file, log ---- */

void doctor_store(struct doctor *doctor)
{
    struct error error;
    auto_of(store_free) struct store *store = NULL;
    const char *directory = doctor->cli->directory;
    if (!directory || access(directory, F_OK) < 0)
        return;
    if (store_open(directory, false, &store, &error) == 0 &&
        store_reserve(store, STORE_ROOM_CHANGE, &error) == 0) {
        doctor->store_opens = true;
        doctor_ok(doctor, "vault %s opens and can be written", store_vault_id(store));
        return;
    }
    doctor_failure(doctor, &error, "make it writable for you, or put a backup in its place");
    store_free(TAKE(store));
    doctor->store_opens = store_open(directory, true, &store, &error) == 0;
}

void doctor_trust(struct doctor *doctor)
{
    struct error error;
    struct cli *cli = doctor->cli;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    uint64_t size;
    if (!doctor->store_opens)
        return;
    if (vault_open(cli->config, cli->directory, true, &cli->vault, &error) < 0 ||
        store_checkpoint_newest(cli->vault->store, &size, &note, &error) < 0) {
        doctor_failure(doctor, &error, "put your copy of the trust file back");
        return;
    }
    const char *path = cli->config->trust;
    size_t count = cli->vault->trust.count;
    if (count > 0) {
        doctor_ok(doctor, "%zu %s of this vault in %s", count, count == 1 ? "key" : "keys", path);
    } else if (size == 0) {
        doctor_warn(doctor, "p11vault card enroll", "no key of this vault in %s: no card yet",
                    path);
    } else {
        doctor_problem(doctor, CODE_CONFIG, "put your copy of the trust file back",
                       "no key of this vault in %s, but its log is signed", path);
        /* Without one nothing of the log can be checked. */
        vault_free(TAKE(cli->vault));
    }
}

static int keep_time(void *context, uint64_t index, const char *text, size_t size,
                     struct error *error)
{
    struct doctor *doctor = context;
    auto_json json_t *entry = NULL;
    enum entry_type type;
    if (entry_read(text, size, &type, &entry, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    (void)snprintf(doctor->newest_entry, sizeof(doctor->newest_entry), "%s",
                   json_text(entry, "time"));
    return 0;
}

/* The last signed entry must lead to the signed root; all older ones are left to `audit verify`. */
static int check_log(struct doctor *doctor, uint64_t *ret_size, bool *ret_seen, struct error *error)
{
    struct vault *vault = doctor->cli->vault;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_buffer struct buffer seen = BUFFER_UP_TO(NOTE_MAX);
    if (vault_signed_head(vault, &head, error) < 0)
        return -1;
    uint64_t last = head.checkpoint.size > 0 ? head.checkpoint.size - 1 : 0;
    if (store_log_size(vault->store, ret_size, error) < 0 ||
        vault_walk(vault, &head, last, keep_time, doctor, error) < 0 ||
        vault_check_seen(vault, error) < 0 || vault_seen_head(vault, &seen, error) < 0)
        return -1;
    doctor->head = head;
    head.note = BUFFER_UP_TO(0);
    *ret_seen = seen.size > 0;
    return 0;
}

void doctor_log(struct doctor *doctor)
{
    struct error error;
    uint64_t size;
    bool seen;
    if (!doctor->cli->vault)
        return;
    if (check_log(doctor, &size, &seen, &error) < 0) {
        doctor_failure(doctor, &error, "p11vault audit verify");
        return;
    }
    unsigned long long head_size = doctor->head.checkpoint.size;
    if (head_size > 0 && !seen)
        doctor_warn(doctor, "compare with another copy: p11vault audit verify STORE",
                    "checkpoint %llu holds, but this machine has seen none before: an older store "
                    "would not be noticed",
                    head_size);
    else
        doctor_ok(doctor, "%llu entries: %llu signed, %llu in the tail", (unsigned long long)size,
                  head_size, size - head_size);
}

void doctor_clock(struct doctor *doctor)
{
    static const char fix[] = "timedatectl set-ntp true";
    char now[CLOCK_TEXT_SIZE], latest[CLOCK_TEXT_SIZE];
    clock_text(clock_now(), now);
    clock_text(clock_now() + CLOCK_SLACK, latest);
    if (clock_now() < FIRST_SECOND)
        doctor_problem(doctor, CODE_CONFIG, fix, "it is set to %s", now);
    else if (strcmp(doctor->newest_entry, latest) > 0)
        doctor_problem(doctor, CODE_CONFIG, fix, "it is set to %s, before the log's last entry, %s",
                       now, doctor->newest_entry);
    else
        doctor_ok(doctor, "%s", now);
}

/* ---- apps ---- */

struct openers {
    struct doctor *doctor;
    size_t apps, told;
};

/* Each app is proved against the signed head; one that fails does not hide the others. */
static int check_app(void *context, const struct store_app *row, struct error *ignored)
{
    (void)ignored;
    struct error error;
    struct openers *openers = context;
    struct doctor *doctor = openers->doctor;
    auto_app struct vault_app app = {0};
    openers->apps++;
    if (vault_app_find(doctor->cli->vault, &doctor->head, row->app, &app, &error) < 0) {
        doctor_failure(doctor, &error, "p11vault audit verify");
        openers->told++;
    } else if (json_array_size(json_object_get(app.key_entry, "cards")) == 1) {
        char fix[NAME_PART_MAX + 128];
        (void)snprintf(fix, sizeof(fix),
                       "p11vault card enroll, with a second card that you keep elsewhere, then "
                       "p11vault app reseal %s",
                       row->app);
        doctor_warn(doctor, fix, "one card opens '%s': when it is lost, so is the app", row->app);
        openers->told++;
    }
    return 0;
}

/* What unwraps by its own word only is said as long as nobody has seen it at work. */
static void tell_unproved(struct doctor *doctor)
{
    struct error error;
    auto_cards struct vault_cards cards = {0};
    if (vault_cards_find(doctor->cli->vault, &doctor->head, &cards, &error) < 0)
        return; /* said where the cards are */
    for (size_t i = 0; i < cards.count; i++) {
        const json_t *entry = cards.cards[i].entry;
        bool is_signed = true;
        if (json_text(entry, "proof") &&
            vault_card_has_signed(doctor->cli->vault, entry, &is_signed, &error) == 0 && !is_signed)
            doctor_ok(doctor,
                      "card '%s' was enrolled by its export and has not been used here: that it "
                      "unwraps is its word",
                      json_text(entry, "card"));
    }
}

void doctor_apps(struct doctor *doctor)
{
    struct error error;
    struct openers openers = {.doctor = doctor};
    if (!doctor->cli->vault || doctor->head.checkpoint.size == 0)
        return;
    if (store_app_each(doctor->cli->vault->store, check_app, &openers, &error) != 0)
        doctor_failure(doctor, &error, "p11vault audit verify");
    else if (openers.apps == 0)
        doctor_ok(doctor, "none yet");
    else if (openers.told == 0)
        doctor_ok(doctor, "each of %zu can be opened by more than one card", openers.apps);
    tell_unproved(doctor);
}
