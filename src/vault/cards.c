/*
 * Cards as the signed log knows them: enrolled, removed, lost.
 */
#include "p11vault/vault/cards.h"

#include <string.h>

#include "known.h"

/* ---- entries about cards ---- */

struct card_walk {
    struct vault *vault;
    const struct signed_head *head;
    enum entry_type type;
    int (*each)(void *context, uint64_t index, json_t *entry, struct error *error);
    void *context;
};

static int walk_entry(void *context, uint64_t index, struct error *error)
{
    const struct card_walk *walk = context;
    auto_json json_t *entry = NULL;
    bool is_void;
    if (vault_is_void(walk->vault, walk->head, index, &is_void, error) < 0)
        return error_prefix(error, "entry %llu", (unsigned long long)index);
    if (is_void)
        return 0;
    if (vault_signed_entry(walk->vault, walk->head, index, walk->type, &entry, error) < 0)
        return -1;
    return walk->each(walk->context, index, entry, error);
}

/* Those that are signed and not void, the oldest first. */
static int walk_cards(const struct card_walk *walk, struct error *error)
{
    struct card_walk copy = *walk;
    return vault_known_cards(walk->vault, walk->head, walk->type, walk_entry, &copy, error);
}

/* ---- removals ---- */

/* The newest one of each serial number. */
static int note_removal(void *context, uint64_t index, json_t *entry, struct error *error)
{
    json_t *newest = context;
    return json_object_set_new(newest, json_text(entry, "card"), json_integer((json_int_t)index)) <
                   0
               ? error_memory(error)
               : 0;
}

static int find_removals(struct vault *vault, const struct signed_head *head, json_t **ret_newest,
                         struct error *error)
{
    auto_json json_t *newest = json_object();
    if (!newest)
        return error_memory(error);
    struct card_walk walk = {vault, head, ENTRY_REMOVAL, note_removal, newest};
    if (walk_cards(&walk, error) < 0)
        return -1;
    *ret_newest = TAKE(newest);
    return 0;
}

static bool is_removed(const json_t *removals, const char *serial, uint64_t index)
{
    return json_number(removals, serial, -1) > (int64_t)index;
}

/* ---- the cards that count ---- */

void vault_cards_clear(struct vault_cards *cards)
{
    for (size_t i = 0; i < cards->count; i++)
        json_decref(cards->cards[i].entry);
    cards->count = 0;
}

struct card_search {
    const struct vault *vault;
    const json_t *removals;
    struct vault_cards *found;
};

/* Where this card goes: behind the others, or in the place of its older entry when it was enrolled again. */
static size_t place_of(const struct vault_cards *found, const json_t *entry)
{
    const char *kid = json_text(entry, "kid");
    size_t i = 0;
    while (i < found->count && strcmp(json_text(found->cards[i].entry, "kid"), kid) != 0)
        i++;
    return i;
}

static int take_card(void *context, uint64_t index, json_t *entry, struct error *error)
{
    struct card_search *search = context;
    struct vault_cards *found = search->found;
    if (is_removed(search->removals, json_text(entry, "card"), index) ||
        !vault_trusts(search->vault, json_text(entry, "sign")))
        return 0;
    size_t place = place_of(found, entry);
    if (place == sizeof(found->cards) / sizeof(found->cards[0]))
        return error_set(error, CODE_CONFIG, "there are more than %zu cards", found->count);
    if (place < found->count)
        json_decref(found->cards[place].entry);
    else
        found->count++;
    found->cards[place].index = index;
    found->cards[place].entry = json_incref(entry);
    return 0;
}

int vault_cards_find(struct vault *vault, const struct signed_head *head,
                     struct vault_cards *ret_cards, struct error *error)
{
    auto_cards struct vault_cards cards = {0};
    auto_json json_t *removals = NULL;
    if (find_removals(vault, head, &removals, error) < 0)
        return -1;
    struct card_search search = {vault, removals, &cards};
    struct card_walk walk = {vault, head, ENTRY_CARD, take_card, &search};
    if (walk_cards(&walk, error) < 0)
        return -1;
    if (cards.count == 0) {
        error_set(error, CODE_CONFIG, "this vault has no trusted card");
        return error_hint(error, "p11vault card enroll");
    }
    *ret_cards = cards;
    cards.count = 0;
    return 0;
}

/* ---- one card ---- */

void vault_card_clear(struct vault_card *card)
{
    json_decref(card->entries);
}

struct serial_search {
    const char *serial;
    json_t *entries;
    uint64_t newest;
};

static int take_own(void *context, uint64_t index, json_t *entry, struct error *error)
{
    struct serial_search *search = context;
    if (strcmp(json_text(entry, "card"), search->serial) != 0)
        return 0;
    search->newest = index;
    return json_array_append(search->entries, entry) < 0 ? error_memory(error) : 0;
}

int vault_card_find(struct vault *vault, const struct signed_head *head, const char *serial,
                    struct vault_card *ret_card, struct error *error)
{
    auto_json json_t *entries = json_array();
    auto_json json_t *removals = NULL;
    if (!entries)
        return error_memory(error);
    struct serial_search search = {.serial = serial, .entries = entries};
    struct card_walk walk = {vault, head, ENTRY_CARD, take_own, &search};
    if (walk_cards(&walk, error) < 0 || find_removals(vault, head, &removals, error) < 0)
        return -1;
    if (json_array_size(entries) == 0) {
        error_set(error, CODE_USAGE, "card '%s' was never enrolled in this vault", serial);
        return error_hint(error, "p11vault card list");
    }
    ret_card->is_removed = is_removed(removals, serial, search.newest);
    ret_card->removal = ret_card->is_removed ? (uint64_t)json_number(removals, serial, 0) : 0;
    ret_card->entries = TAKE(entries);
    return 0;
}

/* ---- what a lost card could open ---- */

struct exposure_search {
    const char *app;
    uint64_t index;
    bool found;
};

/* Any of them: that the card was found again and removed once more takes nothing back. */
static int note_exposure(void *context, uint64_t index, json_t *entry, struct error *error)
{
    struct exposure_search *search = context;
    const json_t *app;
    size_t i;
    (void)error;
    if (!json_is_true(json_object_get(entry, "lost")))
        return 0;
    json_array_foreach (json_object_get(entry, "apps"), i, app)
        if (strcmp(json_string_value(app), search->app) == 0) {
            search->index = index;
            search->found = true;
        }
    return 0;
}

int vault_app_exposed(struct vault *vault, const struct signed_head *head, const char *app,
                      uint64_t *ret_index, bool *ret_exposed, struct error *error)
{
    struct exposure_search search = {.app = app};
    struct card_walk walk = {vault, head, ENTRY_REMOVAL, note_exposure, &search};
    if (walk_cards(&walk, error) < 0)
        return -1;
    *ret_index = search.index;
    *ret_exposed = search.found;
    return 0;
}

/* ---- use ---- */

static int is_signed_by(void *context, uint64_t size, const char *note, struct error *error)
{
    const struct note_key *key = context;
    struct error ignored;
    size_t text_size;
    (void)size;
    (void)error;
    return note_verify(note, strlen(note), key, 1, &text_size, NULL, &ignored) == 0 ? 1 : 0;
}

int vault_card_has_signed(struct vault *vault, const json_t *entry, bool *ret_signed,
                          struct error *error)
{
    struct note_key key;
    if (note_key_parse(json_text(entry, "sign"), &key, error) < 0)
        return -1;
    int result = store_checkpoint_each(vault->store, is_signed_by, &key, error);
    *ret_signed = result > 0;
    return result < 0 ? -1 : 0;
}
