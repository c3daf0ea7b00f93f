/*
 * note.h: C2SP signed notes and their verifier keys (c2sp.org/signed-note), for keys that live on cards.
 *
 * ECDSA, P-256 and P-384: type 0x02, signature ASN.1 DER over SHA-256 of the text, key ID SHA-256(SPKI)[:4].
 * RSA: type 0xff "PKIX-RSA-PKCS#1v1.5" as Rekor v2 uses it, key ID SHA-256(name, LF, type, SPKI)[:4]; and for cards that do PSS only, type
 * 0xff "PKIX-RSA-PSS-SHA256", which is ours: SHA-256, MGF1 with SHA-256, 32 bytes of salt.
 * A verifier key ("vkey") is NAME+HEXID+BASE64(type || SPKI).
 */
#ifndef P11VAULT_AUDIT_NOTE_H
#define P11VAULT_AUDIT_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"

#define NOTE_MAX ((size_t)16 * 1024)
#define NOTE_NAME_MAX 128
#define NOTE_SPKI_MAX 600
#define NOTE_VKEY_MAX 1200
#define NOTE_SIGNATURE_MAX 512
#define NOTE_SIGNATURES_MAX 16

enum note_key_type { NOTE_ECDSA, NOTE_RSA, NOTE_RSA_PSS };

struct note_key {
    char name[NOTE_NAME_MAX];
    uint32_t id;
    enum note_key_type type;
    uint8_t spki[NOTE_SPKI_MAX]; /* DER */
    size_t spki_size;
};

/* From a name and a public key: fills the id.  CODE_STOP for a key that is neither P-256, P-384 nor RSA 2048 to 4096. */
int note_key_make(const char *name, const uint8_t *spki, size_t spki_size, struct note_key *ret_key,
                  struct error *error);

/* The RSA key signs by PSS: its type and id are others.  CODE_STOP for a key that is none. */
int note_key_use_pss(struct note_key *key, struct error *error);
/* The same key under another name.  CODE_STOP for what is none. */
int note_key_rename(const struct note_key *key, const char *name, struct note_key *ret_key,
                    struct error *error);

/* A vkey line and back. */
int note_key_parse(const char *vkey, struct note_key *ret_key, struct error *error);
int note_key_vkey(const struct note_key *key, char ret_vkey[NOTE_VKEY_MAX], struct error *error);

/* "SHA256:" and 64 hexadecimal digits of SHA-256(SPKI): what a person compares. */
#define NOTE_FINGERPRINT_SIZE 72
void note_key_fingerprint(const struct note_key *key, char ret_text[NOTE_FINGERPRINT_SIZE]);

/* Joins text (ends with LF) and one signature into a note.  The caller frees it. */
int note_compose(const char *text, const struct note_key *key, const uint8_t *signature,
                 size_t signature_size, char **ret_note, struct error *error);

/*
 * Verifies a note: well formed, at least one signature by one of the keys, none by one of the keys that fails;
 * signatures by others are ignored.  *ret_text_size is the size of the signed text at the start of `note`,
 * *ret_key (may be NULL) the first key that signed.  CODE_LOG otherwise.
 */
int note_verify(const char *note, size_t note_size, const struct note_key *keys, size_t count,
                size_t *ret_text_size, const struct note_key **ret_key, struct error *error);

#endif
