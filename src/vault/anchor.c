/*
 * What this machine remembers of the heads that cards keep: JSON beside the trust file.
 */
#include "p11vault/vault/anchor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p11vault/base/buffer.h"

#define FILE_MAX ((size_t)256 * 1024)
#define WHY_MAX 300

static int file_path(const struct vault *vault, char **ret_path, struct error *error)
{
    if (asprintf(ret_path, "%s.%s.anchors", vault->config->trust, store_vault_id(vault->store)) < 0)
        return error_memory(error);
    return 0;
}

/* An empty object when there is no file yet. */
static int read_file(const struct vault *vault, json_t **ret_cards, struct error *error)
{
    auto_free char *path = NULL;
    auto_buffer struct buffer text = BUFFER_UP_TO(FILE_MAX);
    auto_json json_t *file = NULL;
    json_t *cards = NULL;
    if (file_path(vault, &path, error) < 0)
        return -1;
    if (access(path, F_OK) == 0) {
        if (buffer_read_file(path, FILE_MAX, FILE_TRUSTED, &text, error) < 0 ||
            json_parse(buffer_text(&text), text.size, "heads on cards", &file, error) < 0)
            return -1;
        cards = json_object_get(file, "cards");
        if (json_number(file, "v", 0) != 1 || !json_is_object(cards))
            return error_set(error, CODE_CONFIG, "'%s' cannot be read", path);
        *ret_cards = json_incref(cards);
        return 0;
    }
    *ret_cards = json_object();
    return *ret_cards ? 0 : error_memory(error);
}

static struct vault_anchor view(const char *serial, const json_t *card)
{
    const char *kind = json_text(card, "kind"), *why = json_text(card, "why");
    int64_t size = json_number(card, "size", 0);
    return (struct vault_anchor){serial, kind ? kind : "none", size > 0 ? (uint64_t)size : 0,
                                 why ? why : ""};
}

int vault_anchor_each(struct vault *vault,
                      int (*each)(void *context, const struct vault_anchor *, struct error *error),
                      void *context, struct error *error)
{
    auto_json json_t *cards = NULL;
    const char *serial;
    json_t *card;
    if (read_file(vault, &cards, error) < 0)
        return -1;
    json_object_foreach (cards, serial, card) {
        const struct vault_anchor anchor = view(serial, card);
        int result = each(context, &anchor, error);
        if (result != 0)
            return result;
    }
    return 0;
}

static int write_file(const struct vault *vault, json_t *cards, struct error *error)
{
    auto_free char *path = NULL;
    auto_free char *text = NULL;
    auto_json json_t *file = json_pack("{s:i, s:O}", "v", 1, "cards", cards);
    if (!file)
        return error_memory(error);
    if (json_canonical(file, &text, error) < 0 || file_path(vault, &path, error) < 0)
        return -1;
    return buffer_write_file(path, text, strlen(text), 0600, error);
}

int vault_anchor_keep(struct vault *vault, const struct vault_anchor *anchor, bool *ret_is_news,
                      struct error *error)
{
    auto_json json_t *cards = NULL;
    char why[WHY_MAX];
    if (read_file(vault, &cards, error) < 0)
        return -1;
    const json_t *before = json_object_get(cards, anchor->serial);
    const struct vault_anchor old = view(anchor->serial, before);
    (void)snprintf(why, sizeof(why), "%s", anchor->why);
    error_clean(why);
    bool same_kind = strcmp(old.kind, anchor->kind) == 0 && strcmp(old.why, why) == 0;
    *ret_is_news = !before || !same_kind;
    if (before && same_kind && old.size == anchor->size)
        return 0;
    json_t *card = json_pack("{s:s, s:I, s:s}", "kind", anchor->kind, "size",
                             (json_int_t)anchor->size, "why", why);
    if (!card || json_object_set_new(cards, anchor->serial, card) < 0)
        return error_memory(error);
    return write_file(vault, cards, error);
}

int vault_anchor_words(const struct vault_anchor *anchor, char **ret_text, struct error *error)
{
    int size;
    unsigned long long entries = anchor->size;
    const char *behind = *anchor->why ? "; it could not be renewed: " : "";
    if (strcmp(anchor->kind, "card") == 0)
        size = asprintf(ret_text, "card '%s' keeps the head of the log, of %llu entries%s%s",
                        anchor->serial, entries, behind, anchor->why);
    else if (strcmp(anchor->kind, "weak") == 0)
        size = asprintf(ret_text,
                        "card '%s' keeps the head of the log, of %llu entries, in files of this "
                        "machine: a weak anchor%s%s",
                        anchor->serial, entries, behind, anchor->why);
    else
        size = asprintf(ret_text,
                        "card '%s' keeps no head of the log: no anchor; an older store is noticed "
                        "only where a newer head was seen%s%s",
                        anchor->serial, *anchor->why ? ": " : "", anchor->why);
    return size < 0 ? error_memory(error) : 0;
}
