/*
 * typing.h: an exchange room that is never connected reads what a person types and seals it.
 */
#ifndef P11VAULT_SRC_FRONT_TYPING_H
#define P11VAULT_SRC_FRONT_TYPING_H

#include "session.h"

/* Starts the room; `keys` is its end of the one-way channel or -1 (stays with the caller). */
int typing_start(int keys, const char *file, struct room **ret_room, struct error *error);

/* Has it read, from the file or (NULL) from the terminal or standard input. */
int typing_read(struct room *room, const char *file, const char *prompt, const char *what,
                struct error *error);

/* Has it seal; `jwk` "" means the key that the card room names.  The caller frees the JWE. */
int typing_seal(struct room *room, const json_t *facts, const char *jwk, char **ret_jwe,
                struct error *error);

/* The facts that a version is sealed with; more are added when it is issued.  The caller drops them. */
json_t *typing_facts(const struct name *name, int64_t version, const char *provider,
                     const json_t *origins);

#endif
