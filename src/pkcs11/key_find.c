/*
 * key_find.c: the one key that a URI names for unwrapping, and why another key cannot be it.
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

static int check_usable(struct card *card, const struct card_key *key, struct error *error)
{
    if (key->public.type == KEY_RSA && !key->can_decrypt && !key->can_unwrap)
        return refuse(card, key, "may neither decrypt nor unwrap", error);
    if (key->public.type != KEY_RSA && !key->can_derive)
        return refuse(card, key, "may not derive, so it cannot unwrap", error);
    if (key->extractable)
        return refuse(card, key, "can leave the card, so nothing is sealed to it", error);
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

int card_find_key(struct card *card, const struct card_uri *uri, struct card_key *ret_key,
                  struct error *error)
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
    if (check_usable(card, &search.key, error) < 0)
        return -1;
    *ret_key = search.key;
    return 0;
}
