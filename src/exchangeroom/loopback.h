/*
 * loopback.h: takes a login's one answer at a loopback address (RFC 8252 section 7.3) and shows the
 * person a page.
 *
 * Who can reach it: every process of this machine, and every web page in its browsers.  Only a
 * visit of the redirect address by its own name and as a page counts (loopback_request.h), and of
 * those only one with this login's state: they can neither end a login nor bring another code into
 * it.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_H
#define P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_H

#include "p11vault/base/cleanup.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/error.h"
#include "p11vault/oauth/dialog.h"

#define LOOPBACK_VISITS_MAX 8 /* connections at once; one more takes the place of the oldest */

struct loopback;

/*
 * Listens on a port of 127.0.0.1 and ::1, whichever there are, for the path of the redirect address.  CODE_BUSY when another
 * process has the port at either; CODE_CONFIG for a port that only root may have; CODE_USAGE for a redirect address that
 * does not lead to this port.
 */
int loopback_open(const char *redirect_uri, unsigned port, struct loopback **ret_loopback,
                  struct error *error);
void loopback_free(struct loopback *loopback);
DEFINE_CLEANUP(struct loopback, loopback_free);

/*
 * Waits for the answer.  What is not the answer to this login (another path, another state, garbage) gets a page that says so
 * and the wait goes on; a connection that brings no request within ten seconds is closed.  The browser has its page, and
 * nothing listens any more, when this returns.  CODE_RETRY when the deadline passes.
 */
int loopback_wait(struct loopback *loopback, const struct oauth_awaited *awaited,
                  struct deadline deadline, struct oauth_redirect *ret_redirect,
                  struct error *error);

#endif
