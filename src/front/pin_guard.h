/*
 * pin_guard.h: what is written down so that a PIN that nobody types is not tried until the card is locked.
 *
 * For each card one file beside the trust file, `pin-tried.SERIAL` (in hexadecimal): which source the PIN came from,
 * when that was changed last, and what the card said; nothing of the PIN.  It is written before the PIN is tried, so
 * that a run which dies in the middle leaves a try behind whose end nobody knows.
 *
 *   rejected                  nothing is tried until a person has logged in to this card and the source has been
 *                             changed, in either order;
 *   cut off, accepted before  the same source in the same state is tried once more: a restart at the wrong moment
 *                             stops no timer;
 *   cut off otherwise         nothing is tried until a person has logged in, which fills the card's counter again.
 *
 * The file is locked from before the try until its end: of two runs one waits, and reads what the other was told.
 */
#ifndef P11VAULT_SRC_FRONT_PIN_GUARD_H
#define P11VAULT_SRC_FRONT_PIN_GUARD_H

#include "p11vault/front/front.h"
#include "p11vault/pkcs11/card.h"

/*
 * CODE_PIN_LOCKED when the PIN from this source may not be tried now; otherwise it stands written that it is tried, and
 * the caller closes *ret_descriptor after pin_guard_end().
 */
int pin_guard_begin(const struct front *front, const char *serial, const char *source,
                    int *ret_descriptor, struct error *error);

/* What the card said of it. */
int pin_guard_end(int descriptor, enum pin_verdict verdict, struct error *error);

/* A person has logged in to this card. */
void pin_guard_vouch(const struct front *front, const char *serial);

#endif
