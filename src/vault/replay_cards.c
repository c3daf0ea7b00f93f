/*
 * Who may have signed a checkpoint: no card that an entry before it has removed.
 *
 * The trust file of this machine says until when a removed card's key counts, but another machine's, or an auditor's older copy, does not:
 * the log itself says it to everybody.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

/* The newest entry of a type whose member is this text; NULL: none. */
static const json_t *newest(const struct replay *replay, const char *type, const char *member,
                            const char *text, int64_t *ret_index)
{
    const json_t *found = NULL;
    const char *number;
    json_t *entry;
    *ret_index = -1;
    json_object_foreach (replay->granted, number, entry) {
        int64_t index = strtoll(number, NULL, 10);
        if (index < *ret_index || strcmp(json_text(entry, "type"), type) != 0 ||
            strcmp(json_text(entry, member), text) != 0)
            continue;
        *ret_index = index;
        found = entry;
    }
    return found;
}

static int find_removals(struct replay *replay, struct error *error)
{
    for (size_t i = 0; i < replay->trust->count; i++) {
        char vkey[NOTE_VKEY_MAX];
        int64_t enrolled;
        if (note_key_vkey(&replay->trust->keys[i], vkey, error) < 0)
            return -1;
        const json_t *card = newest(replay, "card", "sign", vkey, &enrolled);
        int64_t removed = -1;
        if (card)
            (void)newest(replay, "removal", "card", json_text(card, "card"), &removed);
        replay->removed_by[i] = removed > enrolled ? removed : -1;
    }
    replay->cards_changed = false;
    return 0;
}

int replay_check_signer(struct replay *replay, const struct replay_signed *checkpoint,
                        struct error *error)
{
    if (replay->cards_changed && find_removals(replay, error) < 0)
        return -1;
    int64_t removed = replay->removed_by[checkpoint->key];
    if (removed < 0)
        return 0;
    const json_t *entry = json_object_get(replay->granted, replay_number(removed).text);
    return error_set(
        error, CODE_LOG, "checkpoint %llu: it is signed by card '%s', which entry %lld has removed",
        (unsigned long long)checkpoint->size, json_text(entry, "card"), (long long)removed);
}
