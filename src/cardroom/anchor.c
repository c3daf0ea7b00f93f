/*
 * The head of the log as the card keeps it: a private object of data, so that only who has the PIN can take it back.
 *
 * It is read after the login, nothing is signed that does not contain it, and it is written after the signature:
 * the new object first, then the older ones are destroyed.  It may lag behind the log, because flash wears out; it is
 * never lowered, unless what is signed names the head that it gives up.
 */
#include <stdio.h>
#include <string.h>

#include "cardroom.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/log.h"
#include "p11vault/pkcs11/data.h"

#define APPLICATION "p11vault"
#define ANCHORS_MAX 32
#define UNREADABLE_MAX 6 /* of those that are left: then no more are made */

/* ---- its text: the three lines of a checkpoint and the time, in seconds since 1970 ---- */

static void label_of(const struct cardroom *room, char ret_label[CARD_FIELD_MAX])
{
    const char *id = strchr(room->origin, '/');
    (void)snprintf(ret_label, CARD_FIELD_MAX, "p11vault %.8s head", id ? id + 1 : "?");
}

static bool parse_time(const char *text, size_t size, int64_t *ret_time)
{
    int64_t time = 0;
    if (size == 0 || size > 15)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        time = time * 10 + (text[i] - '0');
    }
    *ret_time = time;
    return true;
}

static bool parse(const struct card_data *data, struct anchor *ret_anchor)
{
    struct error ignored;
    const char *text = (const char *)data->value;
    if (data->size < 2 || text[data->size - 1] != '\n')
        return false;
    const char *lf = memrchr(text, '\n', data->size - 1);
    if (!lf)
        return false;
    size_t lines = (size_t)(lf + 1 - text);
    return parse_time(lf + 1, data->size - 1 - lines, &ret_anchor->time) &&
           checkpoint_parse(text, lines, &ret_anchor->head, &ignored) == 0;
}

/* ---- reading ---- */

/* All objects of that name: the anchors, what is left of one that was cut short, and those of other vaults. */
struct gathered {
    const char *origin;
    struct anchor greatest;
    /* What a destruction leaves that was cut off: OpenSC 0.23 crashes when it is destroyed again, so it stays. */
    const char *unreadable; /* what the card says of the last one */
    size_t unreadable_count;
    struct {
        unsigned long handle;
        struct checkpoint head; /* size 0: cut short */
    } ours[ANCHORS_MAX];
    size_t count;
};

static void gather(void *context, const struct card_data *data)
{
    struct gathered *gathered = context;
    struct anchor anchor = {.found = true};
    if (data->unreadable) {
        gathered->unreadable = data->unreadable;
        gathered->unreadable_count++;
        return;
    }
    bool is_whole = parse(data, &anchor);
    if (is_whole && strcmp(anchor.head.origin, gathered->origin) != 0)
        return;
    if (!is_whole)
        anchor.head.size = 0;
    if (gathered->count < ANCHORS_MAX) {
        gathered->ours[gathered->count].handle = data->handle;
        gathered->ours[gathered->count++].head = anchor.head;
    }
    if (is_whole && (!gathered->greatest.found || anchor.head.size > gathered->greatest.head.size))
        gathered->greatest = anchor;
}

static int look(struct cardroom *room, struct gathered *gathered, struct error *error)
{
    char label[CARD_FIELD_MAX];
    *gathered = (struct gathered){.origin = room->origin};
    label_of(room, label);
    return card_each_data(room->card, label, gather, gathered, error);
}

static int refuse_unreadable(const struct cardroom *room, const char *why, struct error *error)
{
    char label[CARD_FIELD_MAX];
    label_of(room, label);
    error_set(error, CODE_CARD,
              "read the head of the log on the card: card '%s %s': C_GetAttributeValue failed: %s",
              room->label, room->serial, why);
    return error_hint(error,
                      "see that the card is in its reader, then run the command again; when it "
                      "stays so: pkcs11-tool --login --delete-object --type data --label '%s'",
                      label);
}

int cardroom_anchor_read(struct cardroom *room, char ret_text[CHECKPOINT_TEXT_MAX],
                         struct error *error)
{
    struct gathered gathered;
    ret_text[0] = '\0';
    if (look(room, &gathered, error) < 0)
        return error_prefix(error, "read the head of the log on the card");
    /* Of two, one may be what is left of a write that was cut off: then the other one is whole. */
    if (gathered.unreadable && !gathered.greatest.found)
        return refuse_unreadable(room, gathered.unreadable, error);
    room->anchor = gathered.greatest;
    return room->anchor.found ? checkpoint_text(&room->anchor.head, ret_text, error) : 0;
}

/* ---- is it in the log as told ---- */

/* The log as told so far has as many entries as the anchor names: is it the same log? */
void cardroom_anchor_meet(struct cardroom *room)
{
    struct anchor *anchor = &room->anchor;
    if (!anchor->found || anchor->head.size != room->frontier.size)
        return;
    struct digest root = merkle_root(&room->frontier);
    anchor->state = digest_equal(&root, &anchor->head.root) ? ANCHOR_HELD : ANCHOR_FORKED;
}

/* The proof that the signed head contains the anchor. */
int cardroom_extends(struct cardroom *room, const struct message *order, struct error *error)
{
    const struct message_bytes *bytes = &order->extends.proof;
    struct merkle_proof proof = {.count = bytes->size / DIGEST_SIZE};
    struct error ignored;
    struct anchor *anchor = &room->anchor;
    if (!room->head_known || bytes->size % DIGEST_SIZE != 0 || proof.count > MERKLE_LEVELS)
        return error_set(error, CODE_LOG, "malformed consistency proof");
    if (proof.count > 0)
        memcpy(proof.hashes, bytes->bytes, bytes->size);
    if (!anchor->found || anchor->head.size >= room->head.size)
        return 0;
    bool holds = merkle_verify_consistency(anchor->head.size, room->head.size, &proof,
                                           &anchor->head.root, &room->head.root, &ignored) == 0;
    anchor->state = holds ? ANCHOR_HELD : ANCHOR_FORKED;
    return 0;
}

bool cardroom_anchor_is_named(const struct cardroom *room, const json_t *entry)
{
    const struct anchor *anchor = &room->anchor;
    const char *id = strchr(room->origin, '/');
    char root[DIGEST_HEX_SIZE];
    digest_hex(&anchor->head.root, root);
    return anchor->found && id && strcmp(json_text(entry, "vault"), id + 1) == 0 &&
           strcmp(json_text(entry, "root"), root) == 0 &&
           json_number(entry, "size", -1) == (int64_t)anchor->head.size;
}

static bool is_given_up(const struct cardroom *room)
{
    for (size_t i = 0; i < room->granting_count; i++)
        if (room->granting[i].gives_up)
            return true;
    return false;
}

int cardroom_anchor_check(const struct cardroom *room, struct error *error)
{
    const struct anchor *anchor = &room->anchor;
    unsigned long long size = anchor->head.size;
    if (!anchor->found || anchor->state == ANCHOR_HELD || is_given_up(room))
        return 0;
    if (anchor->state == ANCHOR_UNPROVED && size <= room->head.size)
        return error_set(error, CODE_FAULT,
                         "nothing proves that the log contains the head of %llu entries that the "
                         "card keeps",
                         size);
    if (size <= room->head.size)
        error_set(error, CODE_LOG,
                  "the log was forked: its first %llu entries are not those that card '%s %s' has "
                  "signed for",
                  size, room->label, room->serial);
    else
        error_set(error, CODE_LOG,
                  "the store was rolled back or replaced: its log was last signed at %llu entries, "
                  "and card '%s %s' has signed for %llu",
                  (unsigned long long)room->head.size, room->label, room->serial, size);
    return error_hint(
        error,
        "find the newer store; lost for good: docs/runbook.md, Older store, p11vault audit accept");
}

/* ---- writing ---- */

static bool is_asked_for(const struct cardroom *room)
{
    static const char *const purposes[] = {"audit checkpoint log", "audit accept an older log"};
    return strcmp(room->purpose, purposes[0]) == 0 || strcmp(room->purpose, purposes[1]) == 0;
}

/*
 * How often a card is written to without need: once a day.  One replacement through OpenSC is some twenty updates of its
 * files, so in ten years a file of the card is written less than 100,000 times.
 *
 * What changes trust is never left behind: who could roll that back would bring a removed card back.  With a PIN that is typed
 * at the reader, modules have it typed again for each change: only for what the person is there for.
 */
static bool is_due(const struct cardroom *room)
{
    const struct anchor *anchor = &room->anchor;
    int64_t age = clock_now() - anchor->time;
    if (card_info(room->card)->pin_pad && !room->enrolling && !is_asked_for(room))
        return false;
    if (!anchor->found || anchor->state != ANCHOR_HELD)
        return true;
    if (room->frontier.size <= anchor->head.size)
        return false;
    return room->granting_count > 0 || is_asked_for(room) || age < 0 || age >= DAY;
}

/* Whether this object may go: it is not above the new head, or it is the one that is given up (`old`). */
static bool may_go(const struct anchor *old, const struct checkpoint *head, uint64_t size)
{
    bool is_given_up = old->state != ANCHOR_HELD && head->size == old->head.size &&
                       digest_equal(&head->root, &old->head.root);
    return head->size < size || is_given_up;
}

/* Older ones than the newest are what a run left behind that ended in the middle: first they go, so that none pile up. */
static int drop(struct cardroom *room, const struct anchor *old, const struct gathered *gathered,
                uint64_t size, bool keeps_greatest, struct error *error)
{
    for (size_t i = 0; i < gathered->count; i++) {
        const struct checkpoint *head = &gathered->ours[i].head;
        bool is_greatest = gathered->greatest.found && head->size == gathered->greatest.head.size;
        if (!may_go(old, head, size) || (keeps_greatest && is_greatest))
            continue;
        if (card_drop_data(room->card, gathered->ours[i].handle, error) < 0)
            return -1;
    }
    return 0;
}

static int replace(struct cardroom *room, const struct checkpoint *head, struct error *error)
{
    struct gathered gathered;
    const struct anchor old = room->anchor;
    char label[CARD_FIELD_MAX], lines[CHECKPOINT_TEXT_MAX], text[CHECKPOINT_TEXT_MAX + 32];
    if (look(room, &gathered, error) < 0)
        return -1;
    /* Another process has signed more meanwhile: its anchor stays. */
    if (gathered.greatest.found && !may_go(&old, &gathered.greatest.head, head->size)) {
        room->anchor = gathered.greatest;
        return 0;
    }
    label_of(room, label);
    if (gathered.unreadable_count > UNREADABLE_MAX)
        return error_set(error, CODE_CARD, "%zu objects '%s' on it cannot be read any more",
                         gathered.unreadable_count, label);
    if (checkpoint_text(head, lines, error) < 0)
        return -1;
    int64_t now = clock_now();
    int size = snprintf(text, sizeof(text), "%s%lld\n", lines, (long long)now);
    if (drop(room, &old, &gathered, head->size, true, error) < 0 ||
        card_make_data(room->card, APPLICATION, label, text, (size_t)size, error) < 0)
        return -1;
    room->anchor = (struct anchor){.found = true, .head = *head, .time = now, .state = ANCHOR_HELD};
    return drop(room, &old, &gathered, head->size, false, error);
}

void cardroom_anchor_write(struct cardroom *room, struct error *ret_failure)
{
    struct checkpoint head = {.size = room->frontier.size, .root = merkle_root(&room->frontier)};
    (void)snprintf(head.origin, sizeof(head.origin), "%s", room->origin);
    *ret_failure = (struct error){.code = CODE_DONE};
    if (!is_due(room) || replace(room, &head, ret_failure) == 0) {
        *ret_failure = (struct error){.code = CODE_DONE};
        return;
    }
    log_info("the head of the log on the card stays as it is: %s", ret_failure->text);
}

const char *cardroom_anchor_kind(const struct cardroom *room)
{
    if (!room->anchor.found)
        return "none";
    return card_keeps_files(room->card) ? "weak" : "card";
}
