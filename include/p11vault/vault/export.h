/*
 * export.h: the signed part of the log as a directory of tiles (c2sp.org/tlog-tiles), for whoever checks it without this program.
 *
 *   checkpoint           the newest signed head
 *   checkpoints          all of them, by size, one behind the other
 *   tile/L/N[.p/W]       hashes
 *   tile/entries/N[.p/W] entries
 *
 * Tiles never change, so the same directory takes the next export, too: what is new is added, and the checkpoint is replaced last.
 */
#ifndef P11VAULT_VAULT_EXPORT_H
#define P11VAULT_VAULT_EXPORT_H

#include "p11vault/vault/log.h"

#define EXPORT_CHECKPOINT "checkpoint"
#define EXPORT_CHECKPOINTS "checkpoints"
#define EXPORT_PATH_MAX 4352 /* a directory's path and that of a tile */

struct export_report {
    uint64_t entries;  /* that are signed and so exported */
    uint64_t left_out; /* unsigned ones */
    uint64_t files;    /* that were written */
};

/*
 * Writes the log up to its newest checkpoint; the directory is made when it is missing.  CODE_LOG when nothing is signed yet, when the
 * directory holds another log, a forked one, or a longer one ("this store is older").
 */
int vault_export(struct vault *vault, const char *directory, struct export_report *ret_report,
                 struct error *error);

/* Calls `each` with every note of a file of checkpoints; the text ends with NUL. */
int export_each_note(const char *directory,
                     int (*each)(void *context, const char *note, struct error *error),
                     void *context, struct error *error);

#endif
