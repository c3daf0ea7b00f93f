/*
 * `app add`: the app's key is made by the card room; then an exchange room reads the app's secret,
 * which it can seal at once, so that it waits for nobody; and all of it is written together and
 * signed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/seal/record.h"
#include "typing.h"

struct adding {
    struct front *front;
    const struct front_new_app *what;
    struct session *session;
    struct room *reader;
    struct name secret_name;
    json_t *origins;
};

static int check_new(struct front *front, const char *app, struct error *error)
{
    struct store_app row = {0};
    bool exists;
    if (store_app_get(front->vault->store, app, &row, &exists, error) < 0)
        return -1;
    if (!exists)
        return 0;
    store_app_clear(&row);
    error_set(error, CODE_USAGE, "there is an app '%s' already", app);
    return error_hint(error, "p11vault app show %s", app);
}

static json_t *app_members(const struct adding *adding)
{
    return json_pack("{s:s, s:s, s:s, s:O, s:s}", "app", adding->what->app, "provider",
                     adding->what->provider, "client_id", adding->what->client_id, "origins",
                     adding->origins, "use", adding->session->use);
}

static int write_rows(struct adding *adding, const struct made *made, const char *jwe,
                      struct error *error)
{
    struct vault *vault = adding->front->vault;
    const struct front_new_app *what = adding->what;
    struct store_app app = {.app = (char *)(uintptr_t)what->app,
                            .provider = (char *)(uintptr_t)what->provider,
                            .client_id = (char *)(uintptr_t)what->client_id,
                            .key_record = made->record};
    if (vault_append(vault, ENTRY_APP, what->app, app_members(adding), &app.entry, error) < 0 ||
        vault_append(vault, ENTRY_APP_KEY, what->app, json_incref(made->members), &app.key_entry,
                     error) < 0 ||
        store_app_put(vault->store, &app, error) < 0)
        return -1;
    auto_record struct store_record row;
    if (vault_new_row(&adding->secret_name, 1, "current", jwe, &row, error) < 0)
        return -1;
    return vault_put_record(vault, &row, made->kid, NULL, adding->session->use, error);
}

static int write_all(struct adding *adding, const struct made *made, const char *jwe,
                     struct error *error)
{
    auto_change struct store *change = adding->front->vault->store;
    return store_begin(change, error) < 0 || write_rows(adding, made, jwe, error) < 0
               ? -1
               : store_commit(change, error);
}

/* Make, read, seal, write, sign. */
static int carry_out(struct adding *adding, const struct signed_head *head,
                     const struct vault_cards *cards, struct error *error)
{
    struct session *session = adding->session;
    auto_made struct made made = {0};
    auto_free char *jwe = NULL;
    char purpose[128];
    (void)snprintf(purpose, sizeof(purpose), "app add %s", adding->what->app);
    if (session_open(session, cards, NULL, purpose, 0, 0, error) < 0 ||
        session_tell_head(session, head, error) < 0 ||
        session_tell_recipients(session, head, cards, error) < 0)
        return -1;
    if (session_take_made(session, &MESSAGE(make, .app = adding->what->app), adding->what->app,
                          &made, error) < 0)
        return -1;
    auto_json json_t *facts =
        typing_facts(&adding->secret_name, 1, adding->what->provider, adding->origins);
    if (!facts)
        return error_memory(error);
    if (typing_read(adding->reader, adding->what->secret_file, "app secret: ", "app secret",
                    error) < 0 ||
        typing_seal(adding->reader, facts, "", &jwe, error) < 0 ||
        write_all(adding, &made, jwe, error) < 0 || session_tell_tail(session, head, error) < 0)
        return -1;
    return session_sign(session, error);
}

/* The trusted cards, or the one that --card names: those the app is sealed to. */
static int find_cards(struct front *front, const struct signed_head *head,
                      struct vault_cards *cards, struct error *error)
{
    if (vault_cards_find(front->vault, head, cards, error) < 0)
        return -1;
    if (!front->card)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < cards->count; i++) {
        if (strcmp(json_text(cards->cards[i].entry, "card"), front->card) == 0)
            cards->cards[kept++] = cards->cards[i];
        else
            json_decref(cards->cards[i].entry);
    }
    cards->count = kept;
    if (kept > 0)
        return 0;
    error_set(error, CODE_NO_CARD, "card '%s' is not a trusted card of this vault", front->card);
    return error_hint(error, "p11vault card list; p11vault card enroll 'pkcs11:serial=%s'",
                      front->card);
}

/* A file that will not do is found before the card is asked; it is not read yet. */
static int check_file(const char *path, struct error *error)
{
    if (!path)
        return 0;
    auto_close int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "open '%s'", path);
    return file_check(descriptor, FILE_PRIVATE, path, error);
}

static int add(struct adding *adding, size_t *ret_cards, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_cards struct vault_cards cards = {0};
    struct front *front = adding->front;
    struct session *session = adding->session;
    if (check_file(adding->what->secret_file, error) < 0 ||
        vault_signed_head(front->vault, &head, error) < 0 ||
        find_cards(front, &head, &cards, error) < 0 || session_make_way(session, error) < 0 ||
        typing_start(session->keys_out, adding->what->secret_file, &adding->reader, error) < 0)
        return -1;
    close(TAKE_FD(session->keys_out));
    json_t *members = json_pack("{s:s, s:s, s:s, s:s, s:[], s:[s]}", "verb", "app add", "name",
                                adding->what->app, "card", front->card ? front->card : "", "origin",
                                adding->what->origin, "opens", "seals", adding->secret_name.full);
    if (session_begin_use(session, members, error) < 0)
        return -1;
    if (carry_out(adding, &head, &cards, error) < 0) {
        session_fail_use(session, error);
        session_void_own(front);
        return -1;
    }
    *ret_cards = cards.count;
    return session_end_use(session, error);
}

int front_add_app(struct front *front, const struct front_new_app *what, size_t *ret_cards,
                  struct error *error)
{
    auto_session struct session session = SESSION_NONE;
    auto_close int trust_lock = -1;
    char full[NAME_MAX_SIZE];
    session.front = front;
    struct adding adding = {.front = front, .what = what, .session = &session};
    (void)snprintf(full, sizeof(full), "%s/secret", what->app);
    if (name_check_app(what->app, error) < 0 ||
        name_parse_record(full, &adding.secret_name, error) < 0 ||
        session_prepare(front, true, &trust_lock, error) < 0 ||
        check_new(front, what->app, error) < 0)
        return -1;
    bool is_one = strcmp(what->origin, what->code_origin) == 0;
    adding.origins = json_pack("[s, s*]", what->origin, is_one ? NULL : what->code_origin);
    int result = adding.origins ? add(&adding, ret_cards, error) : error_memory(error);
    json_decref(adding.origins);
    room_free(adding.reader);
    return result;
}
