/*
 * `import` and `app set-secret`: what a person brings becomes the current version of a record.  Sealing needs the app's
 * public key only, so no card is asked.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/seal/record.h"
#include "p11vault/vault/unkept.h"
#include "typing.h"

/* Earlier current and pending versions make room: the person says that this token is the one to use. */
static int make_room(struct vault *vault, const char *name, struct error *error)
{
    const struct vault_retirement previous = {.state = "previous", .keeps_bytes = true};
    size_t count = 0;
    if (vault_retire_all(vault, name, "current", &previous, &count, error) < 0)
        return -1;
    return vault_retire_all(vault, name, "pending", &previous, &count, error);
}

static int keep(struct front *front, const struct name *name, int64_t version, const char *jwe,
                const char *kid, struct error *error)
{
    auto_change struct store *change = front->vault->store;
    auto_record struct store_record row;
    if (vault_new_row(name, version, "current", jwe, &row, error) < 0 ||
        store_begin(change, error) < 0 || make_room(front->vault, name->full, error) < 0 ||
        vault_put_record(front->vault, &row, kid, NULL, NULL, error) < 0)
        return -1;
    return store_commit(change, error);
}

/* What is read and how it is asked for. */
struct brought {
    const struct name *name;
    const char *file, *prompt, *what;
};

static int check_kind(const struct vault_app *app, const struct name *name, struct error *error)
{
    const struct provider *provider = provider_find(app->row.provider);
    if (!*name->label || !provider || oauth_kind_known(provider, name->kind))
        return 0;
    return error_set(error, CODE_USAGE, "%s has no grants of kind '%s'", provider->name,
                     name->kind);
}

static int bring(struct front *front, const struct brought *brought, struct error *error)
{
    auto_app struct vault_app app = {0};
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_of(room_free) struct room *room = NULL;
    auto_close int lock = -1;
    auto_close int app_lock = -1;
    auto_free char *jwe = NULL;
    auto_free char *jwk = NULL;
    int64_t version;
    struct vault *vault = front->vault;
    const struct name *name = brought->name;
    if (vault_check_seen(vault, error) < 0)
        return -1;
    vault_take_unkept(vault, front->say);
    if (vault_lock(vault, name->full, "working on it", &lock, error) < 0 ||
        vault_lock_app(vault, name->app, false, &app_lock, error) < 0 ||
        store_reserve(vault->store, STORE_ROOM_CHANGE, error) < 0 ||
        vault_signed_head(vault, &head, error) < 0 ||
        vault_app_find(vault, &head, name->app, &app, error) < 0 ||
        check_kind(&app, name, error) < 0 ||
        vault_next_version(vault, name->full, &version, error) < 0 ||
        json_canonical(json_object_get(app.key_entry, "jwk"), &jwk, error) < 0)
        return -1;
    auto_json json_t *facts =
        typing_facts(name, version, app.row.provider, json_object_get(app.app_entry, "origins"));
    if (!facts)
        return error_memory(error);
    if (typing_start(-1, brought->file, &room, error) < 0 ||
        typing_read(room, brought->file, brought->prompt, brought->what, error) < 0 ||
        typing_seal(room, facts, jwk, &jwe, error) < 0)
        return -1;
    return keep(front, name, version, jwe, vault_app_kid(&app), error);
}

int front_import(struct front *front, const struct name *name, const char *token_file,
                 struct error *error)
{
    const struct brought token = {name, token_file, "access token: ", "access token"};
    return bring(front, &token, error);
}

int front_set_secret(struct front *front, const char *app, const char *secret_file,
                     struct error *error)
{
    struct name name;
    char full[NAME_MAX_SIZE];
    (void)snprintf(full, sizeof(full), "%s/secret", app);
    if (name_check_app(app, error) < 0 || name_parse_record(full, &name, error) < 0)
        return -1;
    const struct brought secret = {&name, secret_file, "app secret: ", "app secret"};
    return bring(front, &secret, error);
}
