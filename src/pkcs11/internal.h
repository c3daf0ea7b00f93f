/*
 * internal.h: what the files of this module share: the loaded module, the open card, and how a
 * failed call becomes an error.  Nothing outside src/pkcs11 includes this, so that no other file
 * sees PKCS#11's own types.
 */
#ifndef PKCS11_INTERNAL_H
#define PKCS11_INTERNAL_H

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "p11vault/pkcs11/card.h"
#include "p11vault/pkcs11/key.h"

#define SLOTS_MAX 64
#define MECHANISMS_MAX 512
#define KEYS_MAX 256 /* private keys on one card; more is taken for a fault */

struct module {
    CK_FUNCTION_LIST *calls;
    char path[];
};

struct card {
    struct module *module;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session; /* CK_INVALID_HANDLE once an operation broke off */
    struct card_info info;
    bool logged_in;
    enum pin_verdict verdict;
    struct secret *pin; /* kept only for a card with a key that asks each time; NULL otherwise */
};

/* One slot with something in it, formatted or not. */
struct slot {
    CK_SLOT_ID id;
    struct card_info info;
};

/* What is in the readers now. */
struct scan {
    struct slot slots[SLOTS_MAX];
    size_t count;
    CK_RV unreadable; /* why the last slot that could not be asked could not, or CKR_OK */
};

/* PKCS#11 takes pointers to what it only reads without const. */
static inline CK_BYTE *module_bytes(const void *bytes)
{
    return (CK_BYTE *)(uintptr_t)bytes;
}

/* CODE_NO_CARD or CODE_CONFIG when nothing is found because pcscd is not reached (pcsc.c). */
int module_scan(struct module *module, struct scan *ret_scan, struct error *error);
/* Of a module that has found nothing, or did not start: 0 when it does not use PC/SC, or can. */
int pcsc_check(const char *module, struct error *error);

/* What a card says it can do.  Its list is asked too: some modules describe mechanisms that they then refuse. */
struct offer {
    struct module *module;
    CK_SLOT_ID slot;
    CK_MECHANISM_TYPE list[MECHANISMS_MAX];
    CK_ULONG count;
};
/* CKR_BUFFER_TOO_SMALL for a list that is longer. */
CK_RV offer_read(struct module *module, CK_SLOT_ID slot, struct offer *ret_offer);
/* Whether it has this mechanism, with its sizes and flags; whether it has it with one of these flags. */
bool offer_describes(const struct offer *offer, CK_MECHANISM_TYPE type,
                     CK_MECHANISM_INFO *ret_info);
bool offer_can(const struct offer *offer, CK_MECHANISM_TYPE type, CK_FLAGS flags);

/* "unwraps ECDH RSA-OAEP, signs ECDSA RSA, makes EC RSA to 4096", "" when the card does not say. */
void module_abilities(struct module *module, CK_SLOT_ID slot, char *ret_text, size_t room);
CK_RV module_slot_info(struct module *module, CK_SLOT_ID slot, struct card_info *ret_info);

/*
 * A check of a PIN that costs no try: its length against the card's limits, no control characters.
 * Returns NULL, or what is wrong with it for a message.
 */
const char *card_pin_fault(const struct card_info *info, const struct secret *pin);

/* CODE_CARD: "card 'LABEL SERIAL': CALL failed: CKR_…".  Always returns -1. */
int card_fail(const struct card *card, CK_RV rv, const char *call, struct error *error);

/*
 * The same for a call that stands between an operation's begin and end.  Some modules leave the
 * operation active and refuse everything after it, so the session is closed: the card cannot be
 * used again before card_open().
 */
int card_fail_open(struct card *card, CK_RV rv, const char *call, struct error *error);

/* CODE_CARD when the session is closed, CODE_FAULT when nobody is logged in. */
int card_check_ready(const struct card *card, struct error *error);

/* Prefixes the error with "card 'LABEL SERIAL'".  Always returns -1. */
int card_prefix(const struct card *card, struct error *error);

/*
 * One attribute into memory of a known size; its length is checked.  Returns CKR_BUFFER_TOO_SMALL
 * for one that is longer and CKR_ATTRIBUTE_TYPE_INVALID for one that the object does not have.
 */
CK_RV key_attribute(struct card *card, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                    void *ret_value, size_t room, size_t *ret_size);
/* A truth value; `missing` when the card does not say. */
bool key_flag(struct card *card, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool missing);

/*
 * Reads a private key and its public half (from `public_object` when it is not CK_INVALID_HANDLE).
 * Sets *ret_readable to false, and not an error, for a key that this program does not know what to
 * do with.
 */
int key_read(struct card *card, CK_OBJECT_HANDLE object, CK_OBJECT_HANDLE public_object,
             struct card_key *ret_key, bool *ret_readable, struct error *error);

/* The DER of a curve's name, as CKA_EC_PARAMS has it. */
#define KEY_CURVE_DER_MAX 10
struct key_curve {
    enum key_type type;
    uint8_t der[KEY_CURVE_DER_MAX];
    size_t der_size;
    size_t coordinate_size;
};
/* NULL for RSA. */
const struct key_curve *key_curve(enum key_type type);

/*
 * What a failed use of a key means, by the module's word and how long it took: the peer's point was
 * refused as it was written, and may be tried in the other form; the card waited for a touch in vain.
 */
bool key_form_is_refused(CK_RV rv, int64_t took_us);
bool key_was_untouched(CK_RV rv, int64_t took_us);

/*
 * Between an operation's begin and its end: the second login that a key with CKA_ALWAYS_AUTHENTICATE wants.  CKR_OK
 * when it wants none.
 */
CK_RV card_login_again(struct card *card, const struct card_key *key);

#endif
