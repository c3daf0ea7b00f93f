/*
 * data.c: small private objects of ours on the card.
 */
#include "p11vault/pkcs11/data.h"

#include <string.h>

#include "internal.h"

#define OBJECTS_MAX 16 /* of one label; there are one or two */

static CK_BBOOL yes = CK_TRUE;
static CK_OBJECT_CLASS class_data = CKO_DATA;

/* What modules say that know no such objects, or no search by one of these attributes: then there are none. */
static bool knows_none(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/* The card itself, not one object on it. */
static bool is_gone(CK_RV rv)
{
    return rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_SESSION_CLOSED ||
           rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_USER_NOT_LOGGED_IN;
}

struct objects {
    CK_OBJECT_HANDLE handles[OBJECTS_MAX];
    CK_ULONG count;
};

static int find(struct card *card, const char *label, struct objects *ret_objects,
                struct error *error)
{
    CK_FUNCTION_LIST *calls = card->module->calls;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class_data, sizeof(class_data)},
        {CKA_PRIVATE, &yes, sizeof(yes)},
        {CKA_LABEL, module_bytes(label), strlen(label)},
    };
    struct objects objects = {.count = 0};
    CK_ULONG found = 1;
    CK_RV rv = calls->C_FindObjectsInit(card->session, wanted, sizeof(wanted) / sizeof(wanted[0]));

    *ret_objects = objects;
    if (knows_none(rv))
        return 0;
    if (rv != CKR_OK)
        return card_fail(card, rv, "C_FindObjectsInit", error);
    while (found > 0 && objects.count < OBJECTS_MAX) {
        CK_ULONG room = OBJECTS_MAX - objects.count;

        rv = calls->C_FindObjects(card->session, objects.handles + objects.count, room, &found);
        if (rv != CKR_OK || found > room)
            return card_fail_open(card, rv, "C_FindObjects", error);
        objects.count += found;
    }
    calls->C_FindObjectsFinal(card->session);
    *ret_objects = objects;
    return 0;
}

/* *ret_gone: another process has replaced one of them meanwhile. */
static int read_all(struct card *card, const struct objects *objects,
                    void (*each)(void *context, const struct card_data *), void *context,
                    bool *ret_gone, struct error *error)
{
    *ret_gone = false;
    for (CK_ULONG i = 0; i < objects->count; i++) {
        struct card_data data = {.handle = objects->handles[i]};
        CK_RV rv = key_attribute(card, objects->handles[i], CKA_VALUE, data.value,
                                 sizeof(data.value), &data.size);

        if (rv == CKR_OBJECT_HANDLE_INVALID) {
            *ret_gone = true;
            continue;
        }
        if (is_gone(rv))
            return card_fail(card, rv, "C_GetAttributeValue", error);
        /* One that is longer than any of ours, or has no value, can be read: it is none. */
        if (rv == CKR_BUFFER_TOO_SMALL || rv == CKR_ATTRIBUTE_TYPE_INVALID)
            data.size = 0;
        else if (rv != CKR_OK)
            data.unreadable = ckr_name(rv);
        each(context, &data);
    }
    return 0;
}

int card_each_data(struct card *card, const char *label,
                   void (*each)(void *context, const struct card_data *), void *context,
                   struct error *error)
{
    struct objects objects = {.count = 0};
    bool gone = true;

    if (card_check_ready(card, error) < 0)
        return -1;
    /* Whoever replaces one makes the new one first: a second look finds it. */
    for (int look = 0; look < 2 && gone; look++) {
        if (find(card, label, &objects, error) < 0 ||
            read_all(card, &objects, each, context, &gone, error) < 0)
            return -1;
    }
    return 0;
}

int card_make_data(struct card *card, const char *application, const char *label, const void *value,
                   size_t size, struct error *error)
{
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class_data, sizeof(class_data)},
        {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_PRIVATE, &yes, sizeof(yes)},
        {CKA_APPLICATION, module_bytes(application), strlen(application)},
        {CKA_LABEL, module_bytes(label), strlen(label)},
        {CKA_VALUE, module_bytes(value), size},
    };
    CK_RV rv = CKR_OK;

    if (card_check_ready(card, error) < 0)
        return -1;
    rv = card->module->calls->C_CreateObject(card->session, wanted,
                                             sizeof(wanted) / sizeof(wanted[0]), &made);
    return rv == CKR_OK ? 0 : card_fail(card, rv, "C_CreateObject", error);
}

int card_drop_data(struct card *card, unsigned long handle, struct error *error)
{
    CK_RV rv = CKR_OK;

    if (card_check_ready(card, error) < 0)
        return -1;
    rv = card->module->calls->C_DestroyObject(card->session, handle);
    /* Another process was faster. */
    return rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID
               ? 0
               : card_fail(card, rv, "C_DestroyObject", error);
}

/* A text of PKCS#11, padded with blanks to its length. */
static bool names(const unsigned char *field, size_t size, const char *word)
{
    return memmem(field, size, word, strlen(word)) != NULL;
}

/*
 * The module says that its slot is no hardware, or it is one of those that keep all objects in files of this machine,
 * also where the keys in them are wrapped by hardware.  p11-kit's own remoting names itself, and leaves the card its
 * maker and model.
 */
bool card_keeps_files(const struct card *card)
{
    static const char *const known[] = {"SoftHSM", "tpm2",     "openCryptoki",
                                        "Mozilla", "Kryoptic", "SoftTok"};
    CK_FUNCTION_LIST *calls = card->module->calls;
    CK_SLOT_INFO slot = {0};
    CK_INFO info = {0};

    if (calls->C_GetSlotInfo(card->slot, &slot) == CKR_OK && (slot.flags & CKF_HW_SLOT) == 0)
        return true;
    if (calls->C_GetInfo(&info) != CKR_OK)
        memset(&info, ' ', sizeof(info));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (names(info.manufacturerID, sizeof(info.manufacturerID), known[i]) ||
            names(info.libraryDescription, sizeof(info.libraryDescription), known[i]) ||
            strstr(card->info.manufacturer, known[i]) != NULL ||
            strstr(card->info.model, known[i]) != NULL)
            return true;
    }
    return strcmp(card->info.manufacturer, "IBM") == 0;
}
