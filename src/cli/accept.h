/*
 * accept.h: going on from an older store (accept.c).
 */
#ifndef P11VAULT_SRC_CLI_ACCEPT_H
#define P11VAULT_SRC_CLI_ACCEPT_H

#include "cli.h"

/* Asks the person, or has --yes; `command` is what the hint names.  CODE_USAGE when it is not wanted. */
int accept_ask(struct cli *cli, const char *command, struct error *error);

/* Has the card sign for it, and says which heads were lost. */
int accept_run(struct cli *cli, struct error *error);

#endif
