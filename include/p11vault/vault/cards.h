/*
 * cards.h: cards as the signed log knows them.
 *
 * A card is its serial number.  It may have been enrolled several times and with several keys; an entry about its enrolment counts when the
 * signed head covers it, it was not declared void, and no removal that counts so, too, is newer.  So a removal takes out every key of the
 * card, and what is enrolled after it counts by that entry alone.
 */
#ifndef P11VAULT_VAULT_CARDS_H
#define P11VAULT_VAULT_CARDS_H

#include "p11vault/vault/log.h"

/* Cards that count and whose checkpoint key is in the trust file: the newest entry of each key.  The caller frees with clear. */
struct vault_cards {
    struct {
        uint64_t index;
        json_t *entry;
    } cards[64];
    size_t count;
};
void vault_cards_clear(struct vault_cards *cards);
#define auto_cards __attribute__((cleanup(vault_cards_clear)))
int vault_cards_find(struct vault *vault, const struct signed_head *head,
                     struct vault_cards *ret_cards, struct error *error);

/* One card with all that was ever enrolled of it. */
struct vault_card {
    json_t *entries;  /* that the head covers and are not void, the oldest first */
    bool is_removed;  /* by a removal that is newer than all of them */
    uint64_t removal; /* its index */
};
void vault_card_clear(struct vault_card *card);
#define auto_card __attribute__((cleanup(vault_card_clear)))
/* CODE_USAGE when it was never enrolled in this vault. */
int vault_card_find(struct vault *vault, const struct signed_head *head, const char *serial,
                    struct vault_card *ret_card, struct error *error);

/* Whether a checkpoint here is by this entry's signing key: a card that was enrolled by its export has been used then. */
int vault_card_has_signed(struct vault *vault, const json_t *entry, bool *ret_signed,
                          struct error *error);

/*
 * The index of the newest entry by which a lost card that opened the app was removed: what was sealed before it is exposed until it is
 * renewed or ended at the provider.  *ret_exposed false: there is none.
 */
int vault_app_exposed(struct vault *vault, const struct signed_head *head, const char *app,
                      uint64_t *ret_index, bool *ret_exposed, struct error *error);

#endif
