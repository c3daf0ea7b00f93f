/*
 * entry_check.h: how the table in entry.c describes an object of the log, and the check against it.
 */
#ifndef P11VAULT_SRC_AUDIT_ENTRY_CHECK_H
#define P11VAULT_SRC_AUDIT_ENTRY_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/error.h"

enum form {
    TEXT,    /* at most 1024 bytes, no control characters: the log is read in terminals */
    VKEY,    /* the same, long enough for a verifier key */
    TIME,    /* RFC 3339, UTC, whole seconds */
    ID,      /* 32 hexadecimal digits: of a use, of a vault */
    HASH,    /* 64 of them: SHA-256 of a sealed record */
    CODE,    /* the name of an exit code */
    CHOICE,  /* one of the words in `choices` */
    INTEGER, /* any */
    COUNT,   /* one that is not negative */
    TRUTH,   /* true or false */
    TEXTS,   /* an array of at most 128 texts */
    OBJECT,  /* an object with exactly these `members` */
    OBJECTS, /* an array of at most 64 of them */
};

/* A list of members ends with one that has no name. */
struct member {
    const char *name;
    size_t size; /* of the name */
    enum form form;
    bool required;
    const char *choices; /* words with one space between */
    const struct member *members;
};

/*
 * Checks the members of an object that are in the list and adds how many there are to `count`: an object that has
 * more than were looked for has one that does not belong there.  `within` is the name of the object, "" outside.
 */
int entry_check_members(const json_t *object, const struct member *members, const char *within,
                        size_t *count, struct error *error);

/* entry.c: the members that every entry has, and those of a type. */
#define ENTRY_TYPES 13
extern const struct member *const entry_common;
const struct member *entry_members(unsigned type);

/* Texts that are no escapes, as entries have them: the checks of the forms, for both readers. */
bool entry_is_time(const char *text);
bool entry_is_code(const char *text);
bool entry_is_choice(const char *text, const char *choices);

#define ENTRY_TEXT_MAX 1024
#define ENTRY_ID_DIGITS 32

#endif
