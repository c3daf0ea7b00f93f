/*
 * `app reseal` and `card remove`: an app's key is sealed anew to the cards that are trusted now.  The grants stay as they are, because
 * they are sealed to the app key.
 */
#include <stdio.h>
#include <string.h>

#include "session.h"

/* The card room takes 64 entries that grant trust, of which one is the app key's. */
#define REMOVAL_APPS_MAX (63 * ENTRY_ELEMENTS_MAX)

/* A card that is trusted no more; NULL in `resealing`: none. */
struct removal {
    const char *serial;
    struct vault_card card;
    bool lost;
    bool is_written; /* the log has it already */
    uint64_t index;  /* of its last entry, once it is written */
    json_t *apps;    /* that it opens */
};

struct resealing {
    struct front *front;
    const char *verb, *name; /* as the PIN prompt and the log say it */
    struct removal *removal;
    struct signed_head head;
    struct vault_app app;
    struct vault_cards cards; /* that it is sealed to */
    struct session session;
    struct made made;
    uint64_t key_entry; /* about what was made */
};

static void resealing_clear(struct resealing *resealing)
{
    made_clear(&resealing->made);
    session_clear(&resealing->session);
    vault_cards_clear(&resealing->cards);
    vault_app_clear(&resealing->app);
    signed_head_clear(&resealing->head);
}

/* ---- before the card ---- */

/* With all of its keys. */
static void leave_out(struct vault_cards *cards, const char *serial)
{
    size_t kept = 0;
    for (size_t i = 0; i < cards->count; i++) {
        if (strcmp(json_text(cards->cards[i].entry, "card"), serial) != 0)
            cards->cards[kept++] = cards->cards[i];
        else
            json_decref(cards->cards[i].entry);
    }
    cards->count = kept;
}

static int find_cards(struct resealing *resealing, struct error *error)
{
    if (vault_cards_find(resealing->front->vault, &resealing->head, &resealing->cards, error) < 0)
        return -1;
    if (resealing->removal)
        leave_out(&resealing->cards, resealing->removal->serial);
    if (resealing->cards.count > 0)
        return 0;
    error_set(error, CODE_CONFIG, "no other trusted card is left to open anything");
    return error_hint(error, "enrol a recovery card first: p11vault card enroll");
}

static int begin(struct resealing *resealing, const char *app, struct error *error)
{
    struct vault *vault = resealing->front->vault;
    resealing->head.note = BUFFER_UP_TO(NOTE_MAX);
    resealing->session = SESSION_NONE;
    resealing->session.front = resealing->front;
    if (vault_signed_head(vault, &resealing->head, error) < 0 ||
        (app && vault_app_find(vault, &resealing->head, app, &resealing->app, error) < 0) ||
        find_cards(resealing, error) < 0)
        return -1;
    return session_begin_plain_use(&resealing->session, resealing->verb, resealing->name, error);
}

/* ---- the card ---- */

/* The room's word is not enough: another key would leave every grant unopened. */
static int rewrap(struct resealing *resealing, struct error *error)
{
    struct session *session = &resealing->session;
    const struct store_app *app = &resealing->app.row;
    if (session_tell_app(session, &resealing->head, &resealing->app, error) < 0 ||
        session_tell_recipients(session, &resealing->head, &resealing->cards, error) < 0 ||
        session_tell_tail(session, &resealing->head, error) < 0 ||
        session_rewrap(session, app->app, &resealing->made, error) < 0)
        return -1;
    if (strcmp(resealing->made.kid, vault_app_kid(&resealing->app)) != 0)
        return error_set(error, CODE_FAULT, "the card room sealed another key than the app's");
    return 0;
}

/* ---- the log ---- */

/* A list in an entry has an end: more apps than that take more entries, which count together.  NULL: no memory. */
static json_t *list_part(const json_t *list, size_t first)
{
    auto_json json_t *part = json_array();
    for (size_t i = first; i < json_array_size(list) && i - first < ENTRY_ELEMENTS_MAX; i++)
        if (json_array_append(part, json_array_get(list, i)) < 0)
            return NULL;
    return TAKE(part);
}

static int append_removal(struct resealing *resealing, struct error *error)
{
    struct removal *removal = resealing->removal;
    if (!removal || removal->is_written)
        return 0;
    const json_t *entries = removal->card.entries;
    const char *kid = json_text(json_array_get(entries, json_array_size(entries) - 1), "kid");
    size_t first = 0;
    do {
        json_t *members = json_pack("{s:s, s:s, s:b, s:o, s:s}", "card", removal->serial, "kid",
                                    kid, "lost", removal->lost, "apps",
                                    list_part(removal->apps, first), "use", resealing->session.use);
        if (vault_append(resealing->front->vault, ENTRY_REMOVAL, removal->serial, members,
                         &removal->index, error) < 0)
            return -1;
        first += ENTRY_ELEMENTS_MAX;
    } while (first < json_array_size(removal->apps));
    return 0;
}

static int write_entries(struct resealing *resealing, struct error *error)
{
    struct vault *vault = resealing->front->vault;
    auto_change struct store *change = vault->store;
    json_t *members = resealing->made.members;
    if (store_begin(change, error) < 0 || append_removal(resealing, error) < 0 ||
        (members && vault_append(vault, ENTRY_APP_KEY, resealing->app.row.app, json_incref(members),
                                 &resealing->key_entry, error) < 0))
        return -1;
    return store_commit(change, error);
}

static int carry_out(struct resealing *resealing, const char *app, struct error *error)
{
    struct session *session = &resealing->session;
    char purpose[NAME_MAX_SIZE + 64];
    struct store_app row = resealing->app.row;
    (void)snprintf(purpose, sizeof(purpose), "%s %s", resealing->verb, resealing->name);
    const json_t *kids = app ? json_object_get(resealing->app.key_entry, "cards") : NULL;
    if (session_open(session, &resealing->cards, kids, purpose, 0, 0, error) < 0 ||
        session_tell_head(session, &resealing->head, error) < 0 ||
        (app && rewrap(resealing, error) < 0) || write_entries(resealing, error) < 0 ||
        session_tell_tail(session, &resealing->head, error) < 0)
        return -1;
    row.key_entry = resealing->key_entry;
    return session_sign_sealed(session, app ? &resealing->made : NULL, app ? &row : NULL, error);
}

/* One use: an app (NULL: none, only a removal is signed), with the trust lock held. */
static int reseal(struct resealing *resealing, const char *app, size_t *ret_cards,
                  struct error *error)
{
    if (begin(resealing, app, error) < 0)
        return -1;
    if (carry_out(resealing, app, error) < 0) {
        session_fail_use(&resealing->session, error);
        session_void_own(resealing->front);
        return -1;
    }
    *ret_cards = resealing->cards.count;
    return session_end_use(&resealing->session, error);
}

int front_reseal(struct front *front, const char *app, size_t *ret_cards, struct error *error)
{
    __attribute__((cleanup(resealing_clear))) struct resealing resealing = {
        .front = front, .verb = "app reseal", .name = app};
    auto_close int trust_lock = -1;
    if (name_check_app(app, error) < 0 || session_prepare(front, true, &trust_lock, error) < 0)
        return -1;
    return reseal(&resealing, app, ret_cards, error);
}

/* ---- removing a card ---- */

struct removing {
    struct front *front;
    struct removal removal;
};

static void removing_clear(struct removing *removing)
{
    vault_card_clear(&removing->removal.card);
    json_decref(removing->removal.apps);
}

/* By any key that the card ever had here: an app may still be sealed to an older one. */
static bool opens(const struct vault_app *app, const struct vault_card *card)
{
    const json_t *kid, *entry;
    size_t i, j;
    json_array_foreach (json_object_get(app->key_entry, "cards"), i, kid)
        json_array_foreach (card->entries, j, entry)
            if (strcmp(json_string_value(kid), json_text(entry, "kid")) == 0)
                return true;
    return false;
}

static int note_app(void *context, const struct store_app *row, struct error *error)
{
    struct removing *removing = context;
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    auto_app struct vault_app app = {0};
    if (vault_signed_head(removing->front->vault, &head, error) < 0 ||
        vault_app_find(removing->front->vault, &head, row->app, &app, error) < 0)
        return -1;
    if (!opens(&app, &removing->removal.card))
        return 0;
    if (json_array_size(removing->removal.apps) == REMOVAL_APPS_MAX)
        return error_set(error, CODE_CONFIG, "card '%s' opens more than %d apps",
                         removing->removal.serial, REMOVAL_APPS_MAX);
    return json_array_append_new(removing->removal.apps, json_string(row->app)) < 0
               ? error_memory(error)
               : 0;
}

/*
 * From here on the card's signature counts for what it signed before alone: the card room, too, reads that in the trust file.  Its last
 * signature cannot be over the removal, because no card signs for a removal but the one whose session wrote it.
 */
static int end_trust(struct front *front, const struct removal *removal, uint64_t index,
                     struct error *error)
{
    const json_t *entry;
    size_t i;
    json_array_foreach (removal->card.entries, i, entry)
        if (vault_trust_end(front->vault, json_text(entry, "sign"), index, error) < 0)
            return -1;
    return 0;
}

/* A second run of a removal finds it in the log already, and goes on. */
static int find_card(struct removing *removing, const char *serial, struct error *error)
{
    auto_head struct signed_head head = {.note = BUFFER_UP_TO(NOTE_MAX)};
    struct removal *removal = &removing->removal;
    if (vault_signed_head(removing->front->vault, &head, error) < 0 ||
        vault_card_find(removing->front->vault, &head, serial, &removal->card, error) < 0)
        return -1;
    removal->serial = serial;
    removal->is_written = removal->card.is_removed;
    /* The run that has removed it may have ended before it came to this. */
    return removal->is_written ? end_trust(removing->front, removal, removal->card.removal, error)
                               : 0;
}

static int remove_from(struct removing *removing, const char *app, struct error *error)
{
    __attribute__((cleanup(resealing_clear))) struct resealing resealing = {
        .front = removing->front,
        .verb = "card remove",
        .name = removing->removal.serial,
        .removal = &removing->removal};
    size_t cards;
    if (reseal(&resealing, app, &cards, error) < 0)
        return app ? error_prefix(error, "app '%s'", app) : -1;
    if (!removing->removal.is_written &&
        end_trust(removing->front, &removing->removal, removing->removal.index, error) < 0)
        return -1;
    removing->removal.is_written = true;
    return 0;
}

static int remove_from_all(struct removing *removing, void (*told)(void *context, const char *app),
                           void *context, struct error *error)
{
    struct removal *removal = &removing->removal;
    const json_t *app;
    size_t index;
    if (json_array_size(removal->apps) == 0 && removal->is_written)
        return error_set(error, CODE_USAGE, "card '%s' was removed already", removal->serial);
    if (json_array_size(removal->apps) == 0)
        return remove_from(removing, NULL, error);
    json_array_foreach (removal->apps, index, app) {
        if (remove_from(removing, json_string_value(app), error) < 0)
            return -1;
        told(context, json_string_value(app));
    }
    return 0;
}

int front_remove_card(struct front *front, const char *serial, bool lost,
                      void (*told)(void *context, const char *app), void *context,
                      struct error *error)
{
    __attribute__((cleanup(removing_clear))) struct removing removing = {
        .front = front, .removal = {.lost = lost, .apps = json_array()}};
    auto_close int trust_lock = -1;
    if (!removing.removal.apps)
        return error_memory(error);
    if (session_prepare(front, true, &trust_lock, error) < 0 ||
        find_card(&removing, serial, error) < 0 ||
        store_app_each(front->vault->store, note_app, &removing, error) != 0)
        return -1;
    return remove_from_all(&removing, told, context, error);
}
