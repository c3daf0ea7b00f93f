/*
 * internal.h: what the files of this module share.
 */
#ifndef P11VAULT_SRC_AUDIT_INTERNAL_H
#define P11VAULT_SRC_AUDIT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/audit/note.h"

/* The well-formed UTF-8 character at the start of `size` bytes: how many it takes; 0 when there is none. */
size_t note_character(const char *text, size_t size, uint32_t *ret_point);

/* A name that may stand in a note: not empty, UTF-8 without control characters, Unicode spaces and '+'. */
bool note_name_valid(const char *name, size_t size);

/* True when the signature over the text is by this key. */
bool note_key_verifies(const struct note_key *key, const char *text, size_t text_size,
                       const uint8_t *signature, size_t signature_size);

#endif
