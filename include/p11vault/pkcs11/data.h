/*
 * data.h: small private objects of ours on the card (CKO_DATA), which only who is logged in sees, makes and destroys.
 */
#ifndef P11VAULT_PKCS11_DATA_H
#define P11VAULT_PKCS11_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"
#include "p11vault/pkcs11/card.h"

#define CARD_DATA_MAX 512

struct card_data {
    unsigned long handle; /* CK_OBJECT_HANDLE, valid while the card's session is */
    uint8_t value[CARD_DATA_MAX];
    size_t size;            /* 0: its value was cut short, or is longer than any of ours */
    const char *unreadable; /* it cannot be read: what the card says of it; NULL */
};

/*
 * Calls `each` for every private object of data with this label; for the same one twice when another process replaces it
 * meanwhile.  A module that knows no such objects has none.  A run that was broken off in the middle of making or destroying one may
 * leave one that cannot be read any more.  CODE_CARD.
 */
int card_each_data(struct card *card, const char *label,
                   void (*each)(void *context, const struct card_data *), void *context,
                   struct error *error);

/* Makes one on the card.  CODE_CARD: full, write-protected, or the card has no such objects. */
int card_make_data(struct card *card, const char *application, const char *label, const void *value,
                   size_t size, struct error *error);

/* Destroys one; that it is gone already is fine. */
int card_drop_data(struct card *card, unsigned long handle, struct error *error);

/* Whether the objects of this card are files of this machine, so that whoever writes files can put back older ones. */
bool card_keeps_files(const struct card *card);

#endif
