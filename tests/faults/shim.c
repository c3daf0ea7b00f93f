/*
 * shim.c: a PKCS#11 module that stands between p11vault and a real one, counts the calls, and at the Nth call of a
 * function does what a card, a driver or a reader may do.  All is ordered by the module's profile:
 *
 *     P11FAULT_MODULE    the real module
 *     P11FAULT_COUNTS    a file that gets one line for each call: its name and, after it, what it returned,
 *                        or `hang`, `held` or `die` before it does
 *     P11FAULT_DELAY_MS  how long each operation of the card takes (login, keys, not the reading of attributes)
 *     P11FAULT_PAD       a file: its first line is what a person types at the reader's pad
 *     P11FAULT_GATE      a FIFO, for `held`
 *     P11FAULT_PLAN      CALL:N:KIND, for the Nth time CALL is called ("0": every time)
 *
 *     rv=0x…   returns that, and the real module never hears of it
 *     late=0x… returns that, after the real module has done it
 *     hang     never returns
 *     held     goes on when somebody has opened the FIFO to write
 *     die      the process is killed
 *     short    what was written is one shorter than it is, or nothing
 *     long     what was written is said to be longer than there was room for
 *     endless  the same, by as much as fits into a number
 *     stale    the handle is one that the card no longer knows
 *     vanish   the card is out from now on
 *     moved    another program has logged out: from now on nobody is logged in
 *     garbage  what was written is other bytes
 *     flags=0x… are set in what C_GetTokenInfo wrote
 *     loose    the private key that is made may leave the card, whatever was ordered
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STALE 0x5ca1ab1eUL
#define NAME_MAX_SIZE 40

enum kind {
    NONE,
    RV,
    LATE,
    HANG,
    HELD,
    DIE,
    SHORT,
    LONG,
    ENDLESS,
    STALE_HANDLE,
    VANISH,
    MOVED,
    GARBAGE,
    FLAGS,
    LOOSE
};

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST own;
static int counts = -1;
static long delay_ms;
static bool vanished, logged_out;

static struct {
    char call[NAME_MAX_SIZE];
    long at; /* 0: every time */
    enum kind kind;
    CK_RV rv;
} plan;

static long called; /* how often the planned call was */

static enum kind kind_of(const char *word)
{
    static const char *const words[] = {
        [RV] = "rv=",        [LATE] = "late=",      [HANG] = "hang",
        [HELD] = "held",     [DIE] = "die",         [SHORT] = "short",
        [LONG] = "long",     [ENDLESS] = "endless", [STALE_HANDLE] = "stale",
        [VANISH] = "vanish", [MOVED] = "moved",     [GARBAGE] = "garbage",
        [FLAGS] = "flags=",  [LOOSE] = "loose",
    };
    for (enum kind kind = RV; kind <= LOOSE; kind++)
        if (strncmp(word, words[kind], strlen(words[kind])) == 0)
            return kind;
    abort(); /* a campaign that tests nothing must not look well */
}

static void read_plan(void)
{
    const char *text = getenv("P11FAULT_PLAN");
    const char *colon = text ? strchr(text, ':') : NULL;
    if (!colon)
        return;
    (void)snprintf(plan.call, sizeof(plan.call), "%.*s", (int)(colon - text), text);
    plan.at = strtol(colon + 1, NULL, 10);
    const char *word = strchr(colon + 1, ':');
    if (!word)
        abort();
    plan.kind = kind_of(word + 1);
    const char *equals = strchr(word, '=');
    plan.rv = equals ? strtoul(equals + 1, NULL, 0) : CKR_OK;
}

static void read_profile(void)
{
    const char *path = getenv("P11FAULT_COUNTS");
    const char *delay = getenv("P11FAULT_DELAY_MS");
    read_plan();
    delay_ms = delay ? strtol(delay, NULL, 10) : 0;
    if (path)
        counts = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note_word(const char *call, const char *word)
{
    char line[NAME_MAX_SIZE + 24];
    int size = snprintf(line, sizeof(line), "%s %s\n", call, word);
    if (counts >= 0 && write(counts, line, (size_t)size) != size)
        abort();
}

static void note(const char *call, CK_RV rv)
{
    char word[24];
    (void)snprintf(word, sizeof(word), "0x%lx", rv);
    note_word(call, word);
}

static void wait_for_the_card(void)
{
    struct timespec left = {delay_ms / 1000, delay_ms % 1000 * 1000000};
    while (delay_ms > 0 && nanosleep(&left, &left) < 0)
        continue;
}

/* What is to be done at this call. */
static enum kind begin(const char *call)
{
    if (strcmp(call, plan.call) != 0)
        return NONE;
    called++;
    if (plan.at != 0 && plan.at != called)
        return NONE;
    if (plan.kind == HANG || plan.kind == HELD || plan.kind == DIE)
        note_word(call, plan.kind == HANG ? "hang" : plan.kind == HELD ? "held" : "die");
    while (plan.kind == HANG)
        pause();
    if (plan.kind == HELD && close(open(getenv("P11FAULT_GATE"), O_RDONLY | O_CLOEXEC)) < 0)
        abort();
    if (plan.kind == DIE)
        raise(SIGKILL);
    vanished = vanished || plan.kind == VANISH;
    logged_out = logged_out || plan.kind == MOVED;
    return plan.kind;
}

/* What a call returns that finds no card or nobody logged in; CKR_OK: it may go on. */
static CK_RV gone(bool private)
{
    if (vanished)
        return CKR_DEVICE_REMOVED;
    return logged_out && private ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

/*
 * One wrapped call: `private` ones need a login, `slow` ones are the card's own work.  `spoil` is what SHORT, LONG,
 * ENDLESS and GARBAGE do to what was written.
 */
#define WRAP(name, private, slow, parameters, arguments, stale, spoil)                             \
    static CK_RV wrap_##name parameters                                                            \
    {                                                                                              \
        enum kind kind = begin(#name);                                                             \
        CK_RV rv = gone(private);                                                                  \
        if (slow)                                                                                  \
            wait_for_the_card();                                                                   \
        if (kind == RV)                                                                            \
            rv = plan.rv;                                                                          \
        if (kind == STALE_HANDLE) {                                                                \
            stale;                                                                                 \
        }                                                                                          \
        if (kind != RV && rv == CKR_OK)                                                            \
            rv = real->name arguments;                                                             \
        if (rv == CKR_OK && kind >= SHORT) {                                                       \
            spoil;                                                                                 \
        }                                                                                          \
        if (kind == LATE)                                                                          \
            rv = plan.rv;                                                                          \
        note(#name, rv);                                                                           \
        return rv;                                                                                 \
    }

static char *typed_at_pad(void)
{
    static char line[64];
    const char *path = getenv("P11FAULT_PAD");
    FILE *file = path && !*line ? fopen(path, "re") : NULL;
    if (file && fgets(line, sizeof(line), file))
        line[strcspn(line, "\n")] = '\0';
    if (file)
        (void)fclose(file);
    return line;
}

static CK_ULONG spoilt(enum kind kind, CK_ULONG size, CK_ULONG room)
{
    if (kind == SHORT)
        return size > 0 ? size - 1 : 0;
    if (kind == LONG)
        return room + 1;
    return kind == ENDLESS ? CK_UNAVAILABLE_INFORMATION - 1 : size;
}

static void spoil_bytes(enum kind kind, void *bytes, CK_ULONG size)
{
    if (kind == GARBAGE && bytes)
        for (CK_ULONG i = 0; i < size; i++)
            ((unsigned char *)bytes)[i] ^= (unsigned char)(0xa5 + i);
}

static void spoil_count(enum kind kind, void *list, size_t one, CK_ULONG *count, CK_ULONG room)
{
    spoil_bytes(kind, list, list ? *count * one : 0);
    *count = spoilt(kind, *count, room);
}

static void spoil_template(enum kind kind, CK_ATTRIBUTE *template, CK_ULONG count,
                           const CK_ULONG *rooms)
{
    for (CK_ULONG i = 0; i < count; i++) {
        spoil_bytes(kind, template[i].pValue, template[i].ulValueLen);
        template[i].ulValueLen = spoilt(kind, template[i].ulValueLen, rooms[i]);
    }
}

static CK_RV read_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                             CK_ATTRIBUTE *template, CK_ULONG count, enum kind kind)
{
    CK_ULONG rooms[16] = {0};
    for (CK_ULONG i = 0; i < count && i < 16; i++)
        rooms[i] = template[i].ulValueLen;
    CK_RV rv = real->C_GetAttributeValue(session, object, template, count);
    if (rv == CKR_OK && kind >= SHORT && count <= 16)
        spoil_template(kind, template, count, rooms);
    return rv;
}

/* The template of a private key, which then says the opposite of CKA_EXTRACTABLE. */
static CK_ATTRIBUTE *loosened(enum kind kind, CK_ATTRIBUTE *template, CK_ULONG count)
{
    static CK_BBOOL yes = CK_TRUE;
    for (CK_ULONG i = 0; kind == LOOSE && i < count; i++)
        if (template[i].type == CKA_EXTRACTABLE)
            template[i].pValue = &yes;
    return template;
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *plain,
                     CK_ULONG *plain_size, enum kind kind)
{
    CK_ULONG room = *plain_size;
    CK_RV rv = real->C_Decrypt(session, data, size, plain, plain_size);
    if (rv == CKR_OK && kind >= SHORT)
        spoil_count(kind, plain, 1, plain_size, room);
    return rv;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
                  CK_ULONG *signature_size, enum kind kind)
{
    CK_ULONG room = *signature_size;
    CK_RV rv = real->C_Sign(session, data, size, signature, signature_size);
    if (rv == CKR_OK && kind >= SHORT)
        spoil_count(kind, signature, 1, signature_size, room);
    return rv;
}

/* clang-format off */
#define NOTHING (void)kind

WRAP(C_Finalize, false, false, (void *reserved), (reserved), NOTHING, NOTHING)
WRAP(C_GetInfo, false, false, (CK_INFO *info), (info), NOTHING, NOTHING)
WRAP(C_GetSlotList, false, false, (CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count),
     (present, slots, count), NOTHING, spoil_count(kind, slots, sizeof(*slots), count, 64))
WRAP(C_GetSlotInfo, false, false, (CK_SLOT_ID slot, CK_SLOT_INFO *info), (slot, info),
     slot = STALE, NOTHING)
WRAP(C_GetTokenInfo, false, false, (CK_SLOT_ID slot, CK_TOKEN_INFO *info), (slot, info),
     slot = STALE, info->flags |= kind == FLAGS ? plan.rv : 0; spoil_bytes(kind, info, sizeof(*info)))
WRAP(C_GetMechanismList, false, false,
     (CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count), (slot, list, count),
     slot = STALE, spoil_count(kind, list, sizeof(*list), count, 512))
WRAP(C_GetMechanismInfo, false, false,
     (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info), (slot, type, info),
     slot = STALE, spoil_bytes(kind, info, sizeof(*info)))
WRAP(C_InitToken, false, true,
     (CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG size, CK_UTF8CHAR *label),
     (slot, pin, size, label), slot = STALE, NOTHING)
WRAP(C_InitPIN, true, true, (CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG size),
     (session, pin, size), session = STALE, NOTHING)
WRAP(C_OpenSession, false, false,
     (CK_SLOT_ID slot, CK_FLAGS flags, void *context, CK_NOTIFY notify, CK_SESSION_HANDLE *session),
     (slot, flags, context, notify, session), slot = STALE,
     spoil_bytes(kind, session, sizeof(*session)))
WRAP(C_CloseSession, false, false, (CK_SESSION_HANDLE session), (session), session = STALE, NOTHING)
WRAP(C_CloseAllSessions, false, false, (CK_SLOT_ID slot), (slot), slot = STALE, NOTHING)
WRAP(C_GetSessionInfo, false, false, (CK_SESSION_HANDLE session, CK_SESSION_INFO *info),
     (session, info), session = STALE, spoil_bytes(kind, info, sizeof(*info)))
WRAP(C_Login, false, true,
     (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size),
     (session, user, pin ? pin : (CK_UTF8CHAR *)typed_at_pad(), pin ? size : strlen(typed_at_pad())),
     session = STALE, NOTHING)
WRAP(C_Logout, false, false, (CK_SESSION_HANDLE session), (session), session = STALE, NOTHING)
WRAP(C_CreateObject, true, true,
     (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object),
     (session, template, count, object), session = STALE,
     spoil_bytes(kind, object, sizeof(*object)))
WRAP(C_DestroyObject, true, false, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object),
     (session, object), object = STALE, NOTHING)
WRAP(C_SetAttributeValue, true, true,
     (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count),
     (session, object, template, count), object = STALE, NOTHING)
WRAP(C_FindObjectsInit, true, false,
     (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count),
     (session, template, count), session = STALE, NOTHING)
WRAP(C_FindObjects, true, false,
     (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count),
     (session, objects, room, count), session = STALE,
     spoil_count(kind, objects, sizeof(*objects), count, room))
WRAP(C_FindObjectsFinal, true, false, (CK_SESSION_HANDLE session), (session), session = STALE,
     NOTHING)
WRAP(C_DecryptInit, true, false,
     (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
     (session, mechanism, key), key = STALE, NOTHING)
WRAP(C_SignInit, true, false,
     (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
     (session, mechanism, key), key = STALE, NOTHING)
WRAP(C_GenerateKeyPair, true, true,
     (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public, CK_ULONG public_count,
      CK_ATTRIBUTE *private, CK_ULONG private_count, CK_OBJECT_HANDLE *public_key,
      CK_OBJECT_HANDLE *private_key),
     (session, mechanism, public, public_count, loosened(kind, private, private_count),
      private_count, public_key, private_key),
     session = STALE, spoil_bytes(kind, private_key, sizeof(*private_key)))
WRAP(C_UnwrapKey, true, true,
     (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, CK_BYTE *wrapped,
      CK_ULONG size, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object),
     (session, mechanism, key, wrapped, size, template, count, object), key = STALE,
     spoil_bytes(kind, object, sizeof(*object)))
WRAP(C_DeriveKey, true, true,
     (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
      CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object),
     (session, mechanism, key, template, count, object), key = STALE,
     spoil_bytes(kind, object, sizeof(*object)))
/* clang-format on */

/* The buffers' sizes are known only before the call, so these three are written out. */
#define BEFORE(name, slow)                                                                         \
    enum kind kind = begin(#name);                                                                 \
    CK_RV rv = gone(true);                                                                         \
    if (slow)                                                                                      \
        wait_for_the_card();                                                                       \
    if (kind == RV)                                                                                \
    rv = plan.rv
#define AFTER(name)                                                                                \
    if (kind == LATE)                                                                              \
        rv = plan.rv;                                                                              \
    note(#name, rv);                                                                               \
    return rv

static CK_RV wrap_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                      CK_ATTRIBUTE *template, CK_ULONG count)
{
    BEFORE(C_GetAttributeValue, false);
    if (kind != RV && rv == CKR_OK)
        rv = read_attributes(session, kind == STALE_HANDLE ? STALE : object, template, count, kind);
    AFTER(C_GetAttributeValue);
}

static CK_RV wrap_C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *plain,
                            CK_ULONG *plain_size)
{
    BEFORE(C_Decrypt, true);
    if (kind != RV && rv == CKR_OK)
        rv = decrypt(kind == STALE_HANDLE ? STALE : session, data, size, plain, plain_size, kind);
    AFTER(C_Decrypt);
}

static CK_RV wrap_C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size,
                         CK_BYTE *signature, CK_ULONG *signature_size)
{
    BEFORE(C_Sign, true);
    if (kind != RV && rv == CKR_OK)
        rv = sign(kind == STALE_HANDLE ? STALE : session, data, size, signature, signature_size,
                  kind);
    AFTER(C_Sign);
}

static CK_RV wrap_C_Initialize(void *arguments)
{
    enum kind kind = begin("C_Initialize");
    CK_RV rv = kind == RV ? plan.rv : real->C_Initialize(arguments);
    if (kind == LATE)
        rv = plan.rv;
    note("C_Initialize", rv);
    return rv;
}

static bool load(void)
{
    const char *path = getenv("P11FAULT_MODULE");
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_C_GetFunctionList get = NULL;
    if (module)
        *(void **)&get = dlsym(module, "C_GetFunctionList");
    return get && get(&real) == CKR_OK;
}

static void wrap(void)
{
    own = *real;
#define USE(name) own.name = wrap_##name
    USE(C_Initialize);
    USE(C_Finalize);
    USE(C_GetInfo);
    USE(C_GetSlotList);
    USE(C_GetSlotInfo);
    USE(C_GetTokenInfo);
    USE(C_GetMechanismList);
    USE(C_GetMechanismInfo);
    USE(C_InitToken);
    USE(C_InitPIN);
    USE(C_OpenSession);
    USE(C_CloseSession);
    USE(C_CloseAllSessions);
    USE(C_GetSessionInfo);
    USE(C_Login);
    USE(C_Logout);
    USE(C_CreateObject);
    USE(C_DestroyObject);
    USE(C_GetAttributeValue);
    USE(C_SetAttributeValue);
    USE(C_FindObjectsInit);
    USE(C_FindObjects);
    USE(C_FindObjectsFinal);
    USE(C_DecryptInit);
    USE(C_Decrypt);
    USE(C_SignInit);
    USE(C_Sign);
    USE(C_GenerateKeyPair);
    USE(C_UnwrapKey);
    USE(C_DeriveKey);
#undef USE
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (!real) {
        if (!load())
            return CKR_GENERAL_ERROR;
        read_profile();
        wrap();
    }
    *list = &own;
    return CKR_OK;
}
