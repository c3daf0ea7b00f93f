/*
 * pinentry.h: asks for a PIN by a pinentry program (GnuPG's, in its many looks), over the Assuan protocol.
 *
 * Which program is run is said by the configuration.  It gets one socket as standard input and output, this process'
 * standard error and nothing else that is open here, and this process' environment, which is the module's profile.  A
 * second after the answer it is killed if it is still there.
 */
#ifndef P11VAULT_PIN_PINENTRY_H
#define P11VAULT_PIN_PINENTRY_H

#include <stddef.h>

#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/base/secret.h"

/*
 * `prompt` is shown as the description.  CODE_RETRY when the person cancels or the deadline passes, CODE_USAGE when
 * nothing was typed or more than `maximum` bytes, CODE_CONFIG when the program is not root's or this user's own, cannot
 * be run or does not speak the protocol.
 */
int pinentry_ask(const char *program, const char *prompt, size_t maximum, struct deadline deadline,
                 struct secret **ret_pin, struct error *error);

#endif
