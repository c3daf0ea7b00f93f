/*
 * anchor.h: what this machine remembers of the heads of the log that cards keep.
 *
 * A card shows its own only to who is logged in, so what the last use learned is kept beside the trust file: for `doctor`,
 * `card list` and `audit verify`, and to tell a person once, not at each use.  It proves nothing.
 */
#ifndef P11VAULT_VAULT_ANCHOR_H
#define P11VAULT_VAULT_ANCHOR_H

#include "p11vault/vault/vault.h"

struct vault_anchor {
    const char *serial;
    const char *kind; /* "card", "weak": the card's objects are files, or "none" */
    uint64_t size;    /* entries of the log that it names; 0: none */
    const char *why;  /* it could not be written; "" */
};

/* Calls `each` for every card that was used here, by serial; stops when it returns non-zero and returns that. */
int vault_anchor_each(struct vault *vault,
                      int (*each)(void *context, const struct vault_anchor *, struct error *error),
                      void *context, struct error *error);

/* Remembers one.  *ret_is_news: its kind or its trouble is another than before. */
int vault_anchor_keep(struct vault *vault, const struct vault_anchor *anchor, bool *ret_is_news,
                      struct error *error);

/* "card 'S' keeps …", as a person is told it; the caller frees the text. */
int vault_anchor_words(const struct vault_anchor *anchor, char **ret_text, struct error *error);

#endif
