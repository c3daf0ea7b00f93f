/*
 * entry.h: the entries of the log: canonical JSON with an allow-listed schema (docs/formats.md).
 *
 * Every entry has "v":1, "type", "time" (RFC 3339 UTC) and "who".  What else a type must and may have stands in one
 * table in entry.c; an entry with any other member is refused, when it is written and when it is read.
 * Entries name things and say what came of them; they never hold a value.
 */
#ifndef P11VAULT_AUDIT_ENTRY_H
#define P11VAULT_AUDIT_ENTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "p11vault/base/error.h"

#define ENTRY_ELEMENTS_MAX 64         /* of a list of objects in an entry */
#define ENTRY_TEXTS_MAX 128           /* of a list of texts, such as a grant's scopes */
#define ENTRY_MAX ((size_t)32 * 1024) /* below the 65,535 bytes of a tile entry */

enum entry_type {
    ENTRY_VAULT,    /* the first: the vault is made */
    ENTRY_CARD,     /* a card is enrolled: its keys */
    ENTRY_REMOVAL,  /* a card is trusted no more */
    ENTRY_APP,      /* an app: provider, client id, origins */
    ENTRY_APP_KEY,  /* the key of an app: public JWK, digest of the app key record, its cards */
    ENTRY_SEAL,     /* a record: digest, version, state, clear columns */
    ENTRY_STATE,    /* a record's state or clear columns change */
    ENTRY_INTENT,   /* a use is about to happen */
    ENTRY_STEP,     /* a provider's answer to one step of a use */
    ENTRY_OUTCOME,  /* what came of a use */
    ENTRY_VOID,     /* an entry that grants trust and was never signed does not count */
    ENTRY_NOTICE,   /* somebody was told that a grant needs its person */
    ENTRY_RESTORED, /* the log goes on from an older store: a head that was lost */
};

const char *entry_type_name(enum entry_type type);

/* Entries that grant trust count only when a checkpoint signed by the session that made them covers them. */
bool entry_grants_trust(enum entry_type type);

/*
 * Makes the canonical bytes of an entry from its members ("v" and "type" are added here).  CODE_FAULT when a member
 * is missing, unknown or of the wrong type.  The caller frees the text.
 */
int entry_write(enum entry_type type, const json_t *members, char **ret_text, struct error *error);

/* Parses stored bytes, strictly: they must be canonical and fit the schema.  CODE_LOG.  The caller drops the object. */
int entry_read(const char *text, size_t size, enum entry_type *ret_type, json_t **ret_entry,
               struct error *error);

/*
 * The same judgement without objects, several times as fast: for who reads whole logs.  True means that entry_read() takes these
 * bytes, and the view says what they are; false that it must be asked what is wrong with them.  Values point into the text.  For one
 * thread at a time.
 */
struct entry_part {
    const char *text;
    size_t size;
};

#define ENTRY_VIEW_MAX 24

struct entry_view {
    enum entry_type type;
    size_t count;
    struct {
        struct entry_part name;
        struct entry_part value; /* as it is written: a text with its quotation marks */
    } members[ENTRY_VIEW_MAX];
};
bool entry_scan(const char *text, size_t size, struct entry_view *ret_view);

static inline bool entry_part_is(struct entry_part part, const char *text)
{
    return strlen(text) == part.size && memcmp(part.text, text, part.size) == 0;
}

/* A member's value as it is written; empty when there is none. */
static inline struct entry_part entry_view_get(const struct entry_view *view, const char *name)
{
    for (size_t i = 0; i < view->count; i++)
        if (entry_part_is(view->members[i].name, name))
            return view->members[i].value;
    return (struct entry_part){"", 0};
}

/* A text without its quotation marks, its escapes as they are; empty when there is none. */
static inline struct entry_part entry_view_text(const struct entry_view *view, const char *name)
{
    struct entry_part value = entry_view_get(view, name);
    if (value.size < 2 || value.text[0] != '"')
        return (struct entry_part){"", 0};
    return (struct entry_part){value.text + 1, value.size - 2};
}

/* A number. */
int64_t entry_view_number(const struct entry_view *view, const char *name, int64_t missing);

#endif
