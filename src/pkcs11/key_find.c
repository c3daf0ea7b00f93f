/*
 * key_find.c: the one key that a URI names, and why another key cannot be it.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/buffer.h"

#define LIST_MAX ((size_t)600) /* bytes of an error that a list of keys may take */

struct search {
    const struct card_uri *uri;
    struct card_key key; /* the first that fits */
    size_t fitting;
    struct buffer fits; /* lists for the error */
    struct buffer all;
};

static void search_clear(struct search *search)
{
    buffer_clear(&search->fits);
    buffer_clear(&search->all);
}

static bool key_fits(const struct card_key *key, const struct card_uri *uri)
{
    if (uri->object[0] != '\0' && strcmp(uri->object, key->label) != 0)
        return false;
    return uri->id_size == 0 ||
           (uri->id_size == key->id_size && memcmp(uri->id, key->id, key->id_size) == 0);
}

/* "rsa2048 id=01 'label'".  A list that is too long for the message ends where it is. */
static void put_key(struct buffer *list, const struct card_key *key)
{
    char id[2 * CARD_ID_MAX + 1];
    char type[16];
    struct error too_long;

    snprintf(type, sizeof(type), "%s", key->public.type == KEY_EC_P384 ? "P-384" : "P-256");

    hex_encode(key->id, key->id_size, id);
    if (key->public.type == KEY_RSA)
        snprintf(type, sizeof(type), "rsa%zu", key->public.modulus_size * 8);
    buffer_put_format(list, &too_long, "%s%s id=%s '%s'", list->size > 0 ? ", " : "", type, id,
                      key->label);
}

static int visit(void *context, const struct card_key *key)
{
    struct search *search = context;

    put_key(&search->all, key);
    if (!key_fits(key, search->uri))
        return 0;
    if (search->fitting++ == 0)
        search->key = *key;
    put_key(&search->fits, key);
    return 0;
}

static int refuse(struct card *card, const struct card_key *key, const char *why,
                  struct error *error)
{
    char id[2 * CARD_ID_MAX + 1];

    hex_encode(key->id, key->id_size, id);
    error_set(error, CODE_CONFIG, "key id=%s '%s' %s", id, key->label, why);
    return card_prefix(card, error);
}

/*
 * ykcs11 says of its EC keys that they may decrypt, which none can, and never that they may derive,
 * which they do.  The round trip of the enrolment decides.
 */
static bool may_agree(const struct card_key *key)
{
    return key->can_derive || key->can_decrypt;
}

static int check_unwraps(struct card *card, const struct card_key *key, struct error *error)
{
    const char *why = NULL;

    if (key->public.type == KEY_RSA && !key->can_decrypt && !key->can_unwrap)
        why = "may neither decrypt nor unwrap";
    if (key->public.type != KEY_RSA && !may_agree(key))
        why = "may not derive, so it cannot unwrap";
    if (why != NULL) {
        refuse(card, key, why, error);
        return error_hint(error, "of a PIV card take the key of slot 9d, with a certificate whose "
                                 "keyUsage does not deny it: docs/yubikey.md");
    }
    /*
     * PKCS#11 has no place for a second login in an agreement, nor in an unwrapping: nothing stands between its begin
     * and its end.
     */
    if (key->asks_each_time && (key->public.type != KEY_RSA || !key->can_decrypt))
        return refuse(
            card, key,
            "asks for the PIN at every use (CKA_ALWAYS_AUTHENTICATE), which only RSA keys "
            "that may decrypt can be given",
            error);
    return 0;
}

/* ykcs11 calls all of its keys private, also the one of slot 9e. */
static bool works_without_pin(const struct card_key *key)
{
    return key->needs_no_pin || strcmp(key->label, "Private key for Card Authentication") == 0;
}

static int check_usable(struct card *card, const struct card_key *key, enum key_use use,
                        struct error *error)
{
    if (use == KEY_UNWRAPS && check_unwraps(card, key, error) < 0)
        return -1;
    if (use == KEY_SIGNS && !key->can_sign)
        return refuse(card, key, "may not sign", error);
    if (key->extractable)
        return refuse(card, key, "can leave the card, so nothing is sealed to it", error);
    if (works_without_pin(key))
        return refuse(card, key, "works without a PIN, for whoever holds the card", error);
    return 0;
}

int card_find_key(struct card *card, const struct card_uri *uri, enum key_use use,
                  struct card_key *ret_key, struct error *error)
{
    __attribute__((cleanup(search_clear))) struct search search = {
        .uri = uri,
        .fits = BUFFER_UP_TO(LIST_MAX),
        .all = BUFFER_UP_TO(LIST_MAX),
    };
    size_t unreadable = 0;

    if (card_each_key(card, visit, &search, &unreadable, error) < 0)
        return -1;
    if (search.fitting == 0) {
        error_set(error, CODE_CONFIG,
                  "no private key fits the URI; keys that are there: %s; of an unknown kind or "
                  "without public half: %zu",
                  search.all.size == 0 ? "none" : buffer_text(&search.all), unreadable);
        if (use == KEY_UNWRAPS)
            error_hint(error,
                       "a new key is made when neither id nor object is named: "
                       "p11vault card enroll pkcs11:serial=%s",
                       card->info.serial);
        return card_prefix(card, error);
    }
    if (search.fitting > 1) {
        error_set(error, CODE_CONFIG, "%zu private keys fit the URI: %s", search.fitting,
                  buffer_text(&search.fits));
        return card_prefix(card, error);
    }
    if (check_usable(card, &search.key, use, error) < 0)
        return -1;
    *ret_key = search.key;
    return 0;
}

/* What can be named instead; to sign, one that asks each time (PIV's slot 9c) is the best. */
struct choice {
    struct card *card;
    enum key_use use;
    const struct card_key *but;
    struct buffer list;
    struct card_key best;
};

static void choice_clear(struct choice *choice)
{
    buffer_clear(&choice->list);
}

static int put_choice(void *context, const struct card_key *key)
{
    struct choice *choice = context;
    struct error ignored;

    if ((choice->but != NULL && key->handle == choice->but->handle) ||
        check_usable(choice->card, key, choice->use, &ignored) < 0)
        return 0;
    if (choice->list.size == 0 || (key->asks_each_time && !choice->best.asks_each_time))
        choice->best = *key;
    put_key(&choice->list, key);
    return 0;
}

static int name_best(const struct choice *choice, struct error *error)
{
    char id[3 * CARD_ID_MAX + 1] = "";
    const struct card_key *best = &choice->best;

    for (size_t i = 0; i < best->id_size; i++)
        snprintf(id + 3 * i, 4, "%%%02x", best->id[i]);
    if (choice->use == KEY_SIGNS)
        return error_hint(error, "name one of them: --sign 'pkcs11:id=%s' (PIV: docs/yubikey.md)",
                          id);
    return error_hint(error,
                      "name one of them: p11vault card enroll 'pkcs11:serial=%s;id=%s' --sign "
                      "'pkcs11:…' (PIV: docs/yubikey.md)",
                      choice->card->info.serial, id);
}

int card_offer_keys(struct card *card, enum key_use use, const struct card_key *but,
                    struct error *error)
{
    __attribute__((cleanup(choice_clear))) struct choice choice = {
        .card = card, .use = use, .but = but, .list = BUFFER_UP_TO(LIST_MAX)};
    const char *verb = use == KEY_SIGNS ? "sign" : "unwrap";
    struct error why = *error;
    struct error ignored;
    size_t unreadable = 0;

    if (*error->hint || card_each_key(card, put_choice, &choice, &unreadable, &ignored) < 0)
        return -1;
    error_set(error, why.code, "%s; keys on it that can %s: %s", why.text, verb,
              choice.list.size == 0 ? "none" : buffer_text(&choice.list));
    if (choice.list.size > 0)
        return name_best(&choice, error);
    return error_hint(error,
                      "make one with the card's own tool and name it (PIV: docs/yubikey.md)");
}
