/*
 * uri.c: a strict reader of the part of RFC 7512 that this program takes.
 *
 * p11-kit's own parser is not used: it drops white space inside values, lets the last of several
 * equal attributes win and takes attributes (slot-id, library-version) that would change what a URI
 * means.  What this reader accepts, p11-kit reads in the same way.
 */
#include "p11vault/pkcs11/uri.h"

#include <string.h>

#include "p11vault/base/percent.h"

#define SCHEME "pkcs11:"

/* The most bytes a URI can have: every field full and every byte of it percent-encoded. */
#define URI_MAX ((size_t)2048)

enum attribute { TOKEN, MANUFACTURER, SERIAL, MODEL, OBJECT, ID, TYPE, ATTRIBUTE_COUNT };

static const char *const names[ATTRIBUTE_COUNT] = {
    [TOKEN] = "token",   [MANUFACTURER] = "manufacturer",
    [SERIAL] = "serial", [MODEL] = "model",
    [OBJECT] = "object", [ID] = "id",
    [TYPE] = "type",
};

/* Attributes that RFC 7512 knows and that are refused by name, so that the reason can be given. */
static const char *const refused[] = {
    "pin-value",           "pin-source",      "module-name",
    "module-path",         "slot-id",         "slot-description",
    "library-description", "library-version", "library-manufacturer",
    "slot-manufacturer",
};

/* One decoded value. */
struct value {
    uint8_t bytes[CARD_ID_MAX];
    size_t size;
};

/* The characters that RFC 7512 lets stand unencoded in a path attribute (pk11-pchar). */
static bool is_plain(char c)
{
    return percent_is_unreserved(c) || (c != '\0' && strchr(":[]@!$'()*+,=&", c) != NULL);
}

static int decode(const char *text, size_t size, size_t offset, struct value *ret_value,
                  struct error *error)
{
    ret_value->size = 0;
    for (size_t i = 0; i < size; i++) {
        size_t at = offset + i + 1;
        int byte = (unsigned char)text[i];

        if (text[i] == '%') {
            byte = percent_byte(text + i, size - i);
            if (byte < 0)
                return error_set(error, CODE_USAGE,
                                 "PKCS#11 URI: '%%' at position %zu is not followed by two "
                                 "hexadecimal digits",
                                 at);
            i += 2;
        } else if (!is_plain(text[i])) {
            return error_set(error, CODE_USAGE,
                             "PKCS#11 URI: the character at position %zu must be percent-encoded",
                             at);
        }
        if (ret_value->size == sizeof(ret_value->bytes))
            return error_set(error, CODE_USAGE,
                             "PKCS#11 URI: the value at position %zu is longer than %d bytes",
                             offset + 1, CARD_ID_MAX);
        ret_value->bytes[ret_value->size++] = (uint8_t)byte;
    }
    if (ret_value->size == 0)
        return error_set(error, CODE_USAGE, "PKCS#11 URI: the value at position %zu is empty",
                         offset + 1);
    return 0;
}

static int store_text(const struct value *value, const char *name, char ret_text[CARD_FIELD_MAX],
                      struct error *error)
{
    for (size_t i = 0; i < value->size; i++) {
        if (value->bytes[i] < 0x20 || value->bytes[i] == 0x7f)
            return error_set(error, CODE_USAGE, "PKCS#11 URI: '%s' holds a control character",
                             name);
    }
    memcpy(ret_text, value->bytes, value->size);
    ret_text[value->size] = '\0';
    return 0;
}

static bool value_is(const struct value *value, const char *text)
{
    return value->size == strlen(text) && memcmp(value->bytes, text, value->size) == 0;
}

static int store(enum attribute attribute, const struct value *value, struct card_uri *uri,
                 struct error *error)
{
    switch (attribute) {
    case TOKEN:
        return store_text(value, names[attribute], uri->label, error);
    case MANUFACTURER:
        return store_text(value, names[attribute], uri->manufacturer, error);
    case SERIAL:
        return store_text(value, names[attribute], uri->serial, error);
    case MODEL:
        return store_text(value, names[attribute], uri->model, error);
    case OBJECT:
        return store_text(value, names[attribute], uri->object, error);
    case ID:
        memcpy(uri->id, value->bytes, value->size);
        uri->id_size = value->size;
        return 0;
    case TYPE:
        if (value_is(value, "private") || value_is(value, "public"))
            return 0;
        return error_set(error, CODE_USAGE,
                         "PKCS#11 URI: 'type' must be 'private' or 'public': only keys are named");
    case ATTRIBUTE_COUNT:
        break;
    }
    return error_set(error, CODE_FAULT, "PKCS#11 URI: attribute %d is not known", (int)attribute);
}

static bool name_is(const char *text, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(text, name, size) == 0;
}

static int refuse_name(const char *text, size_t size, size_t offset, struct error *error)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (name_is(text, size, refused[i]))
            return error_set(error, CODE_USAGE,
                             "PKCS#11 URI: '%s' is not taken from a URI: the configuration says "
                             "which module runs and where a PIN comes from",
                             refused[i]);
    }
    return error_set(error, CODE_USAGE, "PKCS#11 URI: the attribute at position %zu is not known",
                     offset + 1);
}

/* One `name=value` of the path; `offset` is where it stands in the whole text. */
static int parse_attribute(const char *text, size_t size, size_t offset, bool *seen,
                           struct card_uri *uri, struct error *error)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals == NULL ? size : (size_t)(equals - text);
    struct value value;

    if (equals == NULL)
        return error_set(error, CODE_USAGE, "PKCS#11 URI: the attribute at position %zu has no '='",
                         offset + 1);
    for (enum attribute i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (!name_is(text, name_size, names[i]))
            continue;
        if (seen[i])
            return error_set(error, CODE_USAGE, "PKCS#11 URI: '%s' stands there twice", names[i]);
        seen[i] = true;
        if (decode(equals + 1, size - name_size - 1, offset + name_size + 1, &value, error) < 0)
            return -1;
        return store(i, &value, uri, error);
    }
    return refuse_name(text, name_size, offset, error);
}

/* Behind '?' stand only attributes that are refused; the first one's name says why. */
static int refuse_query(const char *query, size_t offset, struct error *error)
{
    return refuse_name(query, strcspn(query, "=&"), offset, error);
}

int card_uri_parse(const char *text, struct card_uri *ret_uri, struct error *error)
{
    struct card_uri uri = {0};
    bool seen[ATTRIBUTE_COUNT] = {false};
    size_t at = strlen(SCHEME);

    if (strnlen(text, URI_MAX + 1) > URI_MAX)
        return error_set(error, CODE_USAGE, "PKCS#11 URI is longer than %zu characters", URI_MAX);
    if (strncmp(text, SCHEME, at) != 0)
        return error_set(error, CODE_USAGE, "PKCS#11 URI does not begin with '" SCHEME "'");

    while (text[at] != '\0' && text[at] != '?') {
        size_t size = strcspn(text + at, ";?");

        if (parse_attribute(text + at, size, at, seen, &uri, error) < 0)
            return -1;
        at += size;
        if (text[at] == ';' && (text[at + 1] == '\0' || text[at + 1] == '?'))
            return error_set(error, CODE_USAGE,
                             "PKCS#11 URI: nothing follows the ';' at position %zu", at + 1);
        if (text[at] == ';')
            at++;
    }
    if (text[at] == '?')
        return refuse_query(text + at + 1, at + 1, error);
    *ret_uri = uri;
    return 0;
}

bool card_serial_tells(const char *serial)
{
    /* Not any row of zeros: tpm2-pkcs11 has sixteen for every TPM. */
    return serial[0] != '\0' && strcmp(serial, "00000000") != 0;
}

bool card_uri_names_key(const struct card_uri *uri)
{
    return uri->id_size > 0 || uri->object[0] != '\0';
}
