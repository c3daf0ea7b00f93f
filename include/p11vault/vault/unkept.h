/*
 * unkept.h: what was issued and the store could not take: sealed records in a file of the vault's
 * directory.
 *
 * The file is made, with all of its room written and synced, before anybody is asked: so a disk
 * that fills up meanwhile, or a store that can no longer be written, loses nothing.  It is the
 * process's that has locked it.  The next run puts what it holds into the store as pending.
 * docs/formats.md has the format; nothing in it is secret.
 */
#ifndef P11VAULT_VAULT_UNKEPT_H
#define P11VAULT_VAULT_UNKEPT_H

#include "p11vault/vault/grants.h"

/*
 * Bytes: a sealed record of the largest size with its columns; and all of one list of pages, whose
 * answer is bounded as a whole.
 */
#define UNKEPT_ROOM_GRANT ((size_t)64 * 1024)
#define UNKEPT_ROOM_LIST ((size_t)640 * 1024)

struct unkept;

/*
 * Makes `unkept-USE` in the vault's directory, with room for `room` bytes.  CODE_LOG when there is
 * none, or no file can be made.
 */
int unkept_new(struct vault *vault, const char *use, size_t room, struct unkept **ret_unkept,
               struct error *error);
/* Removes it, unless something was put into it. */
void unkept_free(struct unkept *unkept);
DEFINE_CLEANUP(struct unkept, unkept_free);

size_t unkept_room(const struct unkept *unkept);
const char *unkept_path(const struct unkept *unkept);

/*
 * Writes a record to it, which `use` has issued and `kid` opens, with its remarks (vault_remarks());
 * durable when this returns 0.
 */
int unkept_put(struct unkept *unkept, const struct store_record *row, const char *kid,
               const json_t *remarks, const char *use, struct error *error);

/*
 * Puts what the files of dead runs hold into the store, as pending, and removes them; each is said.
 * Only what a use sealed whose intent a card has signed is taken, as the next version of its name,
 * sealed to the app's key; a file with anything else stays, and that is said each time.  What a
 * living process works on waits.  Before a lock on a grant is held, and behind vault_check_seen():
 * what goes into a store that was rolled back is lost with it.
 */
void vault_take_unkept(struct vault *vault, void (*say)(const char *text));

#endif
