/*
 * pin_guard.h: what is written down so that a PIN that nobody types is not tried until the card is locked.
 *
 * For each card one file beside the trust file, `pin-rejected.SERIAL` (in hexadecimal): which source the PIN came from,
 * and when that was changed last; nothing of the PIN.  It is there before the PIN is tried and goes when the card has
 * accepted it.  While it is there nothing is tried unattended, until a person has logged in to this card and the source
 * has been changed, in either order.
 */
#ifndef P11VAULT_SRC_FRONT_PIN_GUARD_H
#define P11VAULT_SRC_FRONT_PIN_GUARD_H

#include "p11vault/front/front.h"

/* CODE_PIN_LOCKED when the PIN from this source may not be tried now; otherwise it stands written that it is tried. */
int pin_guard_begin(const struct front *front, const char *serial, const char *source,
                    struct error *error);

/* The card has accepted it, or has not looked at it. */
void pin_guard_clear(const struct front *front, const char *serial);

/* A person has logged in to this card. */
void pin_guard_vouch(const struct front *front, const char *serial);

#endif
