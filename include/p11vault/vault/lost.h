/*
 * lost.h: heads of this vault's log that were seen and that its store does not contain: the store is older, or another.
 *
 * Where the newer store is gone for good, a person accepts the older one: the log goes on from there with an entry that names
 * each lost head and that a card signs.  From then on that head does not count any more, here and wherever else the log
 * is compared with it.
 */
#ifndef P11VAULT_VAULT_LOST_H
#define P11VAULT_VAULT_LOST_H

#include "p11vault/vault/log.h"

#define LOST_MAX 3 /* seen by this machine, by the file elsewhere, by the card */

struct vault_lost {
    struct checkpoint head;
    const char *seen; /* "machine", "file" or "card" */
};

/* Whether the store's log contains a head, or a signed entry of it says that the head was lost. */
int vault_contains(struct vault *vault, const struct checkpoint *head, bool *ret_contains,
                   struct error *error);
bool vault_names_lost(struct vault *vault, const struct checkpoint *head);

/* The heads that this machine and the file elsewhere have seen and the log does not contain; *ret_count of at most two. */
int vault_find_lost(struct vault *vault, struct vault_lost ret_lost[LOST_MAX], size_t *ret_count,
                    struct error *error);

/* Appends, inside the change that is open, the entry that names one.  `card` is the serial of the card that saw it, or NULL. */
int vault_append_lost(struct vault *vault, const struct vault_lost *lost, const char *card,
                      const char *use, struct error *error);

/*
 * The file elsewhere (`anchor` in [vault]): the newest head, as it stands beside the trust file, where who can change this
 * machine's files cannot.  It is read at each use and only raised.  CODE_CONFIG when its directory is not there.
 */
int vault_far_head(struct vault *vault, struct buffer *ret_note, struct error *error);
int vault_check_far(struct vault *vault, struct error *error);
int vault_keep_far(struct vault *vault, const char *note, uint64_t size, struct error *error);

#endif
