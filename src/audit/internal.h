/*
 * internal.h: what the files of this module share.
 */
#ifndef P11VAULT_SRC_AUDIT_INTERNAL_H
#define P11VAULT_SRC_AUDIT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/audit/merkle.h"
#include "p11vault/audit/note.h"

/* The well-formed UTF-8 character at the start of `size` bytes: how many it takes; 0 when there is none. */
size_t note_character(const char *text, size_t size, uint32_t *ret_point);

/* A name that may stand in a note: not empty, UTF-8 without control characters, Unicode spaces and '+'. */
bool note_name_valid(const char *name, size_t size);

/* True when the signature over the text is by this key. */
bool note_key_verifies(const struct note_key *key, const char *text, size_t text_size,
                       const uint8_t *signature, size_t signature_size);

/* A number of entries as a checkpoint has it: decimal, without zeros in front, at most 2^63 - 1. */
bool checkpoint_read_size(const char *text, size_t digits, uint64_t *ret_size);

/* The largest power of two below `size`, which is at least 2. */
uint64_t merkle_split(uint64_t size);

/* The hash over `size` entries from `start` on, a multiple of every subtree in the range. */
int merkle_read_range(uint64_t start, uint64_t size, merkle_read_node *read, void *context,
                      struct digest *ret_hash, struct error *error);

/* Proofs are made from the top and written from the bottom. */
void merkle_reverse(struct merkle_proof *proof);

#endif
