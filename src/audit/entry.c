/*
 * entry.c: what an entry of the log may say.  Everything stands in one table; what the table does
 * not name is refused, so that no value can slip into the log as an afterthought.
 */
#include "p11vault/audit/entry.h"

#include <string.h>

#include "entry_check.h"
#include "p11vault/base/json.h"

#define MEMBERS_MAX 17 /* of a type, with the one that ends the list */

struct schema {
    const char *name;
    bool grants_trust;
    struct member members[MEMBERS_MAX];
};

/* clang-format off */
#define MUST(word, shape)        {.name = (word), .size = sizeof(word) - 1, .form = (shape), \
                                  .required = true}
#define MAY(word, shape)         {.name = (word), .size = sizeof(word) - 1, .form = (shape)}
#define ONE_OF(word, list)       {.name = (word), .size = sizeof(word) - 1, .form = CHOICE, .required = true, \
                                  .choices = (list)}
#define HOLDS(word, shape, list) {.name = (word), .size = sizeof(word) - 1, .form = (shape), .required = true, \
                                  .members = (list)}
#define END                      {.name = NULL}

static const struct member who[] = {
    MUST("uid", COUNT),
    MUST("pid", COUNT),
    MUST("exe", TEXT),
    MAY("tty", TEXT),
    MAY("unit", TEXT),
    END
};

/* The public members only: a private key cannot stand in the log. */
static const struct member jwk[] = {
    ONE_OF("kty", "EC RSA"),
    MAY("crv", TEXT),
    MAY("x", TEXT),
    MAY("y", TEXT),
    MAY("n", TEXT),
    MAY("e", TEXT),
    END
};

static const struct member columns[] = {
    MAY("subject", TEXT),
    MAY("expires", INTEGER), /* 0: never */
    MAY("data_expires", INTEGER),
    MAY("issued", INTEGER),
    MAY("scopes", TEXTS),
    MAY("checked", INTEGER), /* when the provider last confirmed it */
    MAY("valid", TRUTH),
    END
};

static const struct member opened[] = {
    MUST("name", TEXT),
    MUST("version", COUNT),
    MUST("digest", HASH),
    END
};

/* What every entry has beside "v" and "type". */
static const struct member common[] = {
    MUST("time", TIME),
    HOLDS("who", OBJECT, who),
    END
};

static const struct schema schemas[] = {
    [ENTRY_VAULT] = {"vault", false, {
        MUST("vault", ID),
        MUST("version", TEXT), /* of the program */
        END
    }},
    [ENTRY_CARD] = {"card", true, {
        MUST("card", TEXT), /* its serial number */
        MUST("label", TEXT),
        MUST("model", TEXT),
        MUST("manufacturer", TEXT),
        MUST("kid", TEXT), /* thumbprint of the unwrapping key */
        HOLDS("jwk", OBJECT, jwk),
        MUST("alg", TEXT),
        MUST("sign", VKEY),
        MAY("proof", TEXT), /* enrolled by an export: its signature (statement.h) */
        MUST("use", ID),
        END
    }},
    [ENTRY_REMOVAL] = {"removal", true, { /* one that nobody signed would keep a card from opening */
        MUST("card", TEXT),
        MUST("kid", TEXT),
        MUST("lost", TRUTH), /* somebody else may have it: what it opens is exposed */
        MUST("apps", TEXTS), /* that it opens */
        MUST("use", ID),
        END
    }},
    [ENTRY_APP] = {"app", true, {
        MUST("app", TEXT),
        MUST("provider", TEXT),
        MUST("client_id", TEXT),
        MUST("origins", TEXTS),
        MUST("use", ID),
        END
    }},
    [ENTRY_APP_KEY] = {"app-key", true, {
        MUST("app", TEXT),
        MUST("kid", TEXT),
        HOLDS("jwk", OBJECT, jwk),
        MUST("digest", HASH), /* of the app key record */
        MUST("cards", TEXTS), /* their kids */
        MUST("use", ID),
        END
    }},
    [ENTRY_SEAL] = {"seal", false, {
        MUST("name", TEXT),
        MUST("kind", TEXT),
        MUST("version", COUNT),
        MUST("digest", HASH),
        ONE_OF("state", "current pending"),
        MUST("kid", TEXT), /* of the app key */
        HOLDS("columns", OBJECT, columns),
        MAY("profile", TEXT),      /* of a page's grant: the page that it acts as */
        MAY("lost_scopes", TEXTS), /* had since the last login, and not any more */
        MAY("use", ID),
        END
    }},
    [ENTRY_STATE] = {"state", false, {
        MUST("name", TEXT),
        MUST("version", COUNT),
        MUST("digest", HASH),
        ONE_OF("state", "current pending previous rejected forgotten"),
        HOLDS("columns", OBJECT, columns),
        MAY("profile", TEXT),      /* of a page's grant: the page that it acts as */
        MAY("lost_scopes", TEXTS), /* had since the last login, and not any more */
        MAY("use", ID),
        END
    }},
    [ENTRY_INTENT] = {"intent", false, {
        MUST("use", ID),
        MUST("verb", TEXT),
        MUST("name", TEXT),   /* what it is about */
        MUST("card", TEXT),   /* serial numbers; may be empty */
        MUST("origin", TEXT), /* may be empty */
        HOLDS("opens", OBJECTS, opened),
        MUST("seals", TEXTS), /* the records that are to be made */
        MAY("batch", ID),     /* several uses by one login and one signature */
        MAY("call", TEXT),    /* methods and paths, when the caller chose them */
        END
    }},
    [ENTRY_STEP] = {"step", false, {
        MUST("use", ID),
        MUST("step", TEXT),
        MUST("origin", TEXT),
        MUST("code", CODE), /* the action that follows from the answer */
        MUST("http", COUNT),
        MAY("provider_code", INTEGER),
        MAY("subcode", INTEGER),
        MAY("trace", TEXT),
        MUST("request_us", COUNT), /* in clear before the request was sent */
        MUST("answer_us", COUNT),  /* in clear of the answer */
        MAY("call", TEXT),         /* method and path, when the caller chose them */
        MAY("scrubbed", COUNT),    /* places of the answer that held a token and were not passed on */
        END
    }},
    [ENTRY_OUTCOME] = {"outcome", false, {
        MUST("use", ID),
        ONE_OF("result", "done failed not-extended unknown"),
        MUST("code", CODE),
        MAY("step", TEXT),
        MAY("http", COUNT),
        MAY("provider_code", INTEGER),
        MAY("subcode", INTEGER),
        MAY("trace", TEXT),
        MAY("message", TEXT), /* ours, never a provider's */
        MAY("expires_before", INTEGER),
        MAY("expires_after", INTEGER),
        MAY("lost_scopes", TEXTS), /* as in its "state" entry */
        MAY("plaintext_us", COUNT),
        MAY("request_us", COUNT),
        MAY("answer_us", COUNT),
        MAY("checkpoint", COUNT), /* size of the one signed for this use */
        END
    }},
    [ENTRY_VOID] = {"void", false, {
        MUST("entry", COUNT), /* its index */
        MUST("reason", TEXT),
        END
    }},
    [ENTRY_NOTICE] = {"notice", false, {
        MUST("name", TEXT),
        MUST("reason", TEXT),
        MAY("to", TEXT),   /* addresses of a mail */
        MAY("hook", TEXT), /* a program */
        END
    }},
    [ENTRY_RESTORED] = {"restored", true, { /* one that nobody signed would excuse a rollback */
        MUST("vault", ID),
        MUST("size", COUNT), /* of the head that was lost */
        MUST("root", HASH),
        ONE_OF("seen", "machine file card"), /* who knew it */
        MAY("card", TEXT), /* serial number */
        MUST("use", ID),
        END
    }},
};
/* clang-format on */

#define SCHEMA_COUNT (sizeof(schemas) / sizeof(schemas[0]))
_Static_assert(SCHEMA_COUNT == ENTRY_TYPES, "the scanner knows as many types as the table");

const struct member *const entry_common = common;

const struct member *entry_members(unsigned type)
{
    return schemas[type].members;
}

const char *entry_type_name(enum entry_type type)
{
    return (size_t)type < SCHEMA_COUNT ? schemas[type].name : "unknown";
}

bool entry_grants_trust(enum entry_type type)
{
    return (size_t)type < SCHEMA_COUNT && schemas[type].grants_trust;
}

/* The whole entry but for "v" and "type", which the caller has looked at. */
static int check_entry(const json_t *entry, enum entry_type type, struct error *error)
{
    size_t count = 2;
    if (entry_check_members(entry, common, "", &count, error) < 0 ||
        entry_check_members(entry, schemas[type].members, "", &count, error) < 0)
        return -1;
    if (count != json_object_size(entry))
        return error_set(error, CODE_LOG, "it has a member that does not belong there");
    return 0;
}

/* ---- writing and reading ---- */

static int make_entry(enum entry_type type, const json_t *members, json_t **ret_entry,
                      struct error *error)
{
    if (!json_is_object(members) || json_object_get(members, "v") != NULL ||
        json_object_get(members, "type") != NULL)
        return error_set(error, CODE_FAULT, "its members are no object, or 'v' or 'type' is one");
    /* The copy is shallow: of what it refers to nothing but reference counts is changed. */
    auto_json json_t *entry = json_copy((json_t *)(uintptr_t)members);
    if (entry == NULL || json_object_set_new(entry, "v", json_integer(1)) < 0 ||
        json_object_set_new(entry, "type", json_string(schemas[type].name)) < 0)
        return error_memory(error);
    if (check_entry(entry, type, error) < 0)
        return -1;
    *ret_entry = TAKE(entry);
    return 0;
}

static int write_entry(enum entry_type type, const json_t *members, char **ret_text,
                       struct error *error)
{
    auto_json json_t *entry = NULL;
    if (make_entry(type, members, &entry, error) < 0)
        return -1;
    auto_free char *text = NULL;
    if (json_canonical(entry, &text, error) < 0)
        return -1;
    if (strlen(text) > ENTRY_MAX)
        return error_set(error, CODE_FAULT, "more than %zu bytes", ENTRY_MAX);
    *ret_text = TAKE(text);
    return 0;
}

int entry_write(enum entry_type type, const json_t *members, char **ret_text, struct error *error)
{
    if ((size_t)type >= SCHEMA_COUNT)
        return error_set(error, CODE_FAULT, "there is no entry of type %d", (int)type);
    if (write_entry(type, members, ret_text, error) < 0) {
        error->code = CODE_FAULT;
        return error_prefix(error, "write a '%s' entry", schemas[type].name);
    }
    return 0;
}

static int find_type(const json_t *entry, enum entry_type *ret_type, struct error *error)
{
    const char *name = json_text(entry, "type");
    if (json_number(entry, "v", 0) != 1)
        return error_set(error, CODE_LOG, "it is not of version 1");
    for (size_t i = 0; name != NULL && i < SCHEMA_COUNT; i++) {
        if (strcmp(schemas[i].name, name) == 0) {
            *ret_type = (enum entry_type)i;
            return 0;
        }
    }
    return error_set(error, CODE_LOG, "it has no type that is known");
}

static int check_canonical(const json_t *entry, const char *text, size_t size, struct error *error)
{
    auto_free char *canonical = NULL;
    if (json_canonical(entry, &canonical, error) < 0)
        return -1;
    if (strlen(canonical) != size || memcmp(canonical, text, size) != 0)
        return error_set(error, CODE_LOG, "its bytes are not canonical");
    return 0;
}

static int read_entry(const char *text, size_t size, enum entry_type *ret_type, json_t **ret_entry,
                      struct error *error)
{
    auto_json json_t *entry = NULL;
    enum entry_type type = ENTRY_VOID;
    if (size > ENTRY_MAX)
        return error_set(error, CODE_LOG, "more than %zu bytes", ENTRY_MAX);
    if (json_parse(text, size, "its text", &entry, error) < 0 ||
        find_type(entry, &type, error) < 0 || check_entry(entry, type, error) < 0 ||
        check_canonical(entry, text, size, error) < 0)
        return -1;
    *ret_type = type;
    *ret_entry = TAKE(entry);
    return 0;
}

int entry_read(const char *text, size_t size, enum entry_type *ret_type, json_t **ret_entry,
               struct error *error)
{
    if (read_entry(text, size, ret_type, ret_entry, error) < 0) {
        /* Without memory nothing is said about the log. */
        if (error->code != CODE_FAULT)
            error->code = CODE_LOG;
        return error_prefix(error, "read an entry");
    }
    return 0;
}
