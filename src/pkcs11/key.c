/*
 * key.c: reads the keys that are on a card, each with its public half, and finds the one a URI
 * names.
 */
#include "internal.h"

#include <string.h>

#define PUBLIC_MAX 8                      /* public key objects with one CKA_ID */
#define POINT_DER_MAX (2 + KEY_POINT_MAX) /* a point inside a DER OCTET STRING */
#define MODULUS_ROOM (512 + 1)            /* with a leading zero, which some cards store */

static const struct key_curve curves[] = {
    {KEY_EC_P256, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10, 32},
    {KEY_EC_P384, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7, 48},
};

#define CURVE_COUNT (sizeof(curves) / sizeof(curves[0]))

const struct key_curve *key_curve(enum key_type type)
{
    for (size_t i = 0; i < CURVE_COUNT; i++) {
        if (curves[i].type == type)
            return &curves[i];
    }
    return NULL;
}

CK_RV key_attribute(struct card *card, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                    void *ret_value, size_t room, size_t *ret_size)
{
    CK_ATTRIBUTE attribute = {type, ret_value, room};
    CK_RV rv = card->module->calls->C_GetAttributeValue(card->session, object, &attribute, 1);

    if (rv != CKR_OK)
        return rv;
    if (attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (attribute.ulValueLen > room)
        return CKR_BUFFER_TOO_SMALL;
    *ret_size = attribute.ulValueLen;
    return CKR_OK;
}

bool key_flag(struct card *card, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool missing)
{
    CK_BBOOL value = CK_FALSE;
    size_t size = 0;

    if (key_attribute(card, object, type, &value, sizeof(value), &size) != CKR_OK ||
        size != sizeof(value))
        return missing;
    return value != CK_FALSE;
}

/* Finds at most `room` objects; *ret_more says that there are others. */
static int find_objects(struct card *card, CK_ATTRIBUTE *wanted, CK_ULONG wanted_count,
                        CK_OBJECT_HANDLE *ret_objects, size_t room, size_t *ret_count,
                        bool *ret_more, struct error *error)
{
    CK_FUNCTION_LIST *calls = card->module->calls;
    CK_OBJECT_HANDLE beyond = CK_INVALID_HANDLE;
    size_t count = 0;
    CK_ULONG found = 1;
    CK_RV rv = calls->C_FindObjectsInit(card->session, wanted, wanted_count);

    if (rv != CKR_OK)
        return card_fail(card, rv, "C_FindObjectsInit", error);
    while (count < room && found > 0) {
        rv = calls->C_FindObjects(card->session, ret_objects + count, room - count, &found);
        if (rv != CKR_OK || found > room - count)
            return card_fail_open(card, rv, "C_FindObjects", error);
        count += found;
    }
    if (found > 0) {
        rv = calls->C_FindObjects(card->session, &beyond, 1, &found);
        if (rv != CKR_OK)
            return card_fail_open(card, rv, "C_FindObjects", error);
    }
    rv = calls->C_FindObjectsFinal(card->session);
    if (rv != CKR_OK)
        return card_fail_open(card, rv, "C_FindObjectsFinal", error);
    *ret_count = count;
    *ret_more = found > 0;
    return 0;
}

/* CKA_EC_POINT is a DER OCTET STRING by the standard and the bare point on some cards. */
static bool read_point(struct card *card, CK_OBJECT_HANDLE object, struct public_key *ret_public)
{
    uint8_t bytes[POINT_DER_MAX];
    const uint8_t *point = bytes;
    size_t wanted = key_point_size(ret_public->type);
    size_t size = 0;

    if (key_attribute(card, object, CKA_EC_POINT, bytes, sizeof(bytes), &size) != CKR_OK)
        return false;
    if (size == 2 + wanted && bytes[0] == 0x04 && bytes[1] == wanted) {
        point += 2;
        size -= 2;
    }
    if (size != wanted || point[0] != 0x04)
        return false;
    memcpy(ret_public->point, point, size);
    return true;
}

/* A number, big endian, without its leading zeros. */
static bool read_number(struct card *card, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                        uint8_t *ret_number, size_t room, size_t *ret_size)
{
    uint8_t bytes[MODULUS_ROOM];
    const uint8_t *number = bytes;
    size_t size = 0;

    if (key_attribute(card, object, type, bytes, sizeof(bytes), &size) != CKR_OK)
        return false;
    while (size > 0 && number[0] == 0) {
        number++;
        size--;
    }
    if (size == 0 || size > room)
        return false;
    memcpy(ret_number, number, size);
    *ret_size = size;
    return true;
}

static bool read_modulus(struct card *card, CK_OBJECT_HANDLE object, struct public_key *ret_public)
{
    struct public_key *public = ret_public;

    if (!read_number(card, object, CKA_MODULUS, public->modulus, sizeof(public->modulus),
                     &public->modulus_size) ||
        !read_number(card, object, CKA_PUBLIC_EXPONENT, public->exponent, sizeof(public->exponent),
                     &public->exponent_size))
        return false;
    /* The first byte's top bit is the size's last word: 2047 bits are not 2048. */
    return public->modulus_size >= KEY_RSA_BITS_MIN / 8 &&
           public->modulus_size <= KEY_RSA_BITS_MAX / 8 && (public->modulus[0] & 0x80) != 0 &&
           (public->exponent[public->exponent_size - 1] & 1) != 0 &&
           (public->exponent_size > 1 || public->exponent[0] > 1);
}

static bool read_public(struct card *card, CK_OBJECT_HANDLE object, struct public_key *ret_public)
{
    return ret_public->type == KEY_RSA ? read_modulus(card, object, ret_public)
                                       : read_point(card, object, ret_public);
}

static bool public_equal(const struct public_key *a, const struct public_key *b)
{
    return memcmp(a->point, b->point, sizeof(a->point)) == 0 &&
           a->modulus_size == b->modulus_size &&
           memcmp(a->modulus, b->modulus, a->modulus_size) == 0 &&
           a->exponent_size == b->exponent_size &&
           memcmp(a->exponent, b->exponent, a->exponent_size) == 0;
}

/*
 * The public half from the public key object with the same CKA_ID.  Several such objects must say
 * the same: which of two different ones belongs to the private key cannot be known.
 */
static int find_public(struct card *card, struct card_key *key, bool *ret_found,
                       struct error *error)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = key->public.type == KEY_RSA ? CKK_RSA : CKK_EC;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_ID, key->id, key->id_size},
    };
    CK_OBJECT_HANDLE objects[PUBLIC_MAX];
    struct public_key first = {.type = key->public.type};
    size_t count = 0;
    bool more = false;

    *ret_found = false;
    if (key->id_size == 0)
        return 0;
    if (find_objects(card, wanted, sizeof(wanted) / sizeof(wanted[0]), objects, PUBLIC_MAX, &count,
                     &more, error) < 0)
        return -1;
    if (count == 0 || more || !read_public(card, objects[0], &first))
        return 0;
    for (size_t i = 1; i < count; i++) {
        struct public_key other = {.type = key->public.type};

        if (!read_public(card, objects[i], &other) || !public_equal(&first, &other))
            return 0;
    }
    key->public = first;
    *ret_found = true;
    return 0;
}

static bool read_type(struct card *card, CK_OBJECT_HANDLE object, enum key_type *ret_type)
{
    CK_KEY_TYPE type = 0;
    uint8_t der[KEY_CURVE_DER_MAX];
    size_t size = 0;

    if (key_attribute(card, object, CKA_KEY_TYPE, &type, sizeof(type), &size) != CKR_OK ||
        size != sizeof(type))
        return false;
    if (type == CKK_RSA) {
        *ret_type = KEY_RSA;
        return true;
    }
    if (type != CKK_EC ||
        key_attribute(card, object, CKA_EC_PARAMS, der, sizeof(der), &size) != CKR_OK)
        return false;
    for (size_t i = 0; i < CURVE_COUNT; i++) {
        *ret_type = curves[i].type;
        if (size == curves[i].der_size && memcmp(der, curves[i].der, size) == 0)
            return true;
    }
    return false;
}

/* A label that does not fit is taken as none: it could not be named by a URI either. */
static void read_label(struct card *card, CK_OBJECT_HANDLE object, char ret_label[CARD_FIELD_MAX])
{
    size_t size = 0;

    if (key_attribute(card, object, CKA_LABEL, ret_label, CARD_FIELD_MAX - 1, &size) != CKR_OK)
        size = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)ret_label[i];

        if (byte < 0x20 || byte == 0x7f)
            ret_label[i] = '?';
    }
    ret_label[size] = '\0';
}

int key_read(struct card *card, CK_OBJECT_HANDLE object, CK_OBJECT_HANDLE public_object,
             struct card_key *ret_key, bool *ret_readable, struct error *error)
{
    struct card_key key = {.handle = object};
    bool found = false;

    *ret_readable = false;
    if (!read_type(card, object, &key.public.type) ||
        key_attribute(card, object, CKA_ID, key.id, sizeof(key.id), &key.id_size) != CKR_OK)
        return 0;
    read_label(card, object, key.label);
    key.can_decrypt = key_flag(card, object, CKA_DECRYPT, false);
    key.can_unwrap = key.public.type == KEY_RSA && key_flag(card, object, CKA_UNWRAP, false);
    key.can_derive = key_flag(card, object, CKA_DERIVE, false);
    key.can_sign = key_flag(card, object, CKA_SIGN, false);
    key.asks_each_time = key_flag(card, object, CKA_ALWAYS_AUTHENTICATE, false);
    /* Only a card that says so is believed that a key cannot leave it. */
    key.extractable = key_flag(card, object, CKA_EXTRACTABLE, true);
    key.needs_no_pin = !key_flag(card, object, CKA_PRIVATE, true);

    found =
        read_public(card, public_object == CK_INVALID_HANDLE ? object : public_object, &key.public);
    if (!found) {
        key.public = (struct public_key){.type = key.public.type};
        if (find_public(card, &key, &found, error) < 0)
            return -1;
    }
    if (found) {
        *ret_key = key;
        *ret_readable = true;
    }
    return 0;
}

int card_each_key(struct card *card, int (*each)(void *context, const struct card_key *),
                  void *context, size_t *ret_unreadable, struct error *error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE objects[KEYS_MAX];
    size_t count = 0;
    size_t unreadable = 0;
    bool more = false;

    if (card_check_ready(card, error) < 0 ||
        find_objects(card, wanted, 1, objects, KEYS_MAX, &count, &more, error) < 0)
        return -1;
    if (more) {
        error_set(error, CODE_CARD, "it has more than %d private keys", KEYS_MAX);
        return card_prefix(card, error);
    }
    for (size_t i = 0; i < count; i++) {
        struct card_key key;
        bool readable = false;
        int stop = 0;

        if (key_read(card, objects[i], CK_INVALID_HANDLE, &key, &readable, error) < 0)
            return -1;
        if (!readable) {
            unreadable++;
            continue;
        }
        stop = each(context, &key);
        if (stop != 0)
            return stop;
    }
    *ret_unreadable = unreadable;
    return 0;
}
