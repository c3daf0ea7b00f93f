/*
 * checkpoint.h: the signed head of the log (c2sp.org/tlog-checkpoint) and the keys trusted to sign it.
 *
 * The text of a checkpoint is three lines: origin, tree size, base64 of the root.  The origin of a vault's log is
 * "p11vault/" and the vault id, and is also the name of its keys.
 */
#ifndef P11VAULT_AUDIT_CHECKPOINT_H
#define P11VAULT_AUDIT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/audit/note.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/error.h"

#define VAULT_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */
#define TRUST_KEYS_MAX 64
#define TRUST_FILE_MAX ((size_t)256 * 1024)
#define CHECKPOINT_TEXT_MAX 256

struct checkpoint {
    char origin[NOTE_NAME_MAX];
    uint64_t size;
    struct digest root;
};

int checkpoint_origin(const char *vault_id, char ret_origin[NOTE_NAME_MAX], struct error *error);

/* The three lines, each ending in LF. */
int checkpoint_text(const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_TEXT_MAX],
                    struct error *error);

/* Reads the signed text strictly: no leading zeros, canonical base64, nothing behind the third line.  CODE_LOG. */
int checkpoint_parse(const char *text, size_t size, struct checkpoint *ret_checkpoint,
                     struct error *error);

/* The keys of one vault.  A key whose card was removed counts for the log as it was then and for nothing newer. */
struct trust {
    struct note_key keys[TRUST_KEYS_MAX];
    uint64_t until[TRUST_KEYS_MAX]; /* the largest checkpoint that it may have signed; 0: any */
    size_t count;
};

/*
 * Reads a trust file: one vkey a line, " until SIZE" behind it when it counts no further; empty lines and lines that start with '#' are
 * skipped; of the keys only those with this origin as name are kept.  CODE_CONFIG with the line number for a line that is none of these.
 */
int trust_parse(const char *text, size_t size, const char *origin, struct trust *ret_trust,
                struct error *error);

/* One line of a trust file, without its LF.  CODE_CONFIG. */
int trust_parse_line(const char *line, size_t size, struct note_key *ret_key, uint64_t *ret_until,
                     struct error *error);

/* Whether this very key is trusted for what is still to be signed. */
bool trust_has(const struct trust *trust, const struct note_key *key);

/* note_verify() and checkpoint_parse() together; the origin must be the expected one, and the key must count so far. */
int checkpoint_verify(const char *note, const char *origin, const struct trust *trust,
                      struct checkpoint *ret_checkpoint, const struct note_key **ret_key,
                      struct error *error);

#endif
