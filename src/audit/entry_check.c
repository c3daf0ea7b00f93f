/*
 * entry_check.c: the forms that members of entries have, and objects against the table.  What is
 * found here is wrong in the log, so all of it is CODE_LOG; the writer makes it a fault of ours.
 */
#include "entry_check.h"

#include <string.h>

#include "p11vault/audit/entry.h"
#include "p11vault/audit/note.h"
#include "p11vault/base/digest.h"

/* ---- values ---- */

/* By length, not up to a NUL.  C1 control characters are two bytes in UTF-8. */
static bool is_text(const json_t *value, size_t maximum)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (text == NULL || size > maximum)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        bool is_c1 = byte == 0xc2 && i + 1 < size && (uint8_t)text[i + 1] < 0xa0;
        if (byte < 0x20 || byte == 0x7f || is_c1)
            return false;
    }
    return true;
}

/* Every month may have 31 days here, and every minute a leap second. */
bool entry_is_time(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    static const struct {
        unsigned at, lowest, highest; /* of two digits */
    } fields[] = {{5, 1, 12}, {8, 1, 31}, {11, 0, 23}, {14, 0, 59}, {17, 0, 60}};
    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !is_digit : text[i] != form[i])
            return false;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *at = text + fields[i].at;
        unsigned number = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
        if (number < fields[i].lowest || number > fields[i].highest)
            return false;
    }
    return true;
}

static bool is_hex(const char *text, size_t digits)
{
    uint8_t bytes[DIGEST_SIZE];
    return digits / 2 <= sizeof(bytes) && hex_decode(text, bytes, digits / 2);
}

bool entry_is_code(const char *text)
{
    for (unsigned long number = CODE_DONE; number <= CODE_BUSY; number++) {
        if (strcmp(error_code_name(error_code_from(number)), text) == 0)
            return true;
    }
    return false;
}

bool entry_is_choice(const char *text, const char *choices)
{
    size_t size = strlen(text);
    for (const char *word = choices; size > 0 && (word = strstr(word, text)) != NULL; word++) {
        if ((word == choices || word[-1] == ' ') && (word[size] == ' ' || word[size] == '\0'))
            return strchr(text, ' ') == NULL;
    }
    return false;
}

static bool is_texts(const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) > ENTRY_TEXTS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!is_text(json_array_get(value, i), ENTRY_TEXT_MAX))
            return false;
    }
    return true;
}

static bool is_plain(const json_t *value, const struct member *member)
{
    const char *text = is_text(value, ENTRY_TEXT_MAX) ? json_string_value(value) : NULL;
    switch (member->form) {
    case TEXT:
        return text != NULL;
    case VKEY:
        return is_text(value, NOTE_VKEY_MAX);
    case TIME:
        return text != NULL && entry_is_time(text);
    case ID:
        return text != NULL && is_hex(text, ENTRY_ID_DIGITS);
    case HASH:
        return text != NULL && is_hex(text, (size_t)2 * DIGEST_SIZE);
    case CODE:
        return text != NULL && entry_is_code(text);
    case CHOICE:
        return text != NULL && entry_is_choice(text, member->choices);
    case INTEGER:
        return json_is_integer(value);
    case COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case TRUTH:
        return json_is_boolean(value);
    case TEXTS:
        return is_texts(value);
    default:
        return false;
    }
}

/* ---- objects ---- */

static int wrong_member(const char *within, const struct member *member, const char *what,
                        struct error *error)
{
    return error_set(error, CODE_LOG, "member '%s%s%s' %s", within, *within != '\0' ? "." : "",
                     member->name, what);
}

static int check_member(const json_t *value, const struct member *member, const char *within,
                        struct error *error);

int entry_check_members(const json_t *object, const struct member *members, const char *within,
                        size_t *count, struct error *error)
{
    for (const struct member *member = members; member->name != NULL; member++) {
        const json_t *value = json_object_get(object, member->name);
        if (value == NULL && member->required)
            return wrong_member(within, member, "is missing", error);
        if (value == NULL)
            continue;
        if (check_member(value, member, within, error) < 0)
            return -1;
        ++*count;
    }
    return 0;
}

static int check_object(const json_t *object, const struct member *member, struct error *error)
{
    size_t count = 0;
    if (!json_is_object(object))
        return wrong_member("", member, "has the wrong type or value", error);
    if (entry_check_members(object, member->members, member->name, &count, error) < 0)
        return -1;
    if (count != json_object_size(object))
        return wrong_member("", member, "has a member that does not belong there", error);
    return 0;
}

static int check_objects(const json_t *array, const struct member *member, struct error *error)
{
    if (!json_is_array(array) || json_array_size(array) > ENTRY_ELEMENTS_MAX)
        return wrong_member("", member, "has the wrong type or value", error);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (check_object(json_array_get(array, i), member, error) < 0)
            return -1;
    }
    return 0;
}

static int check_member(const json_t *value, const struct member *member, const char *within,
                        struct error *error)
{
    if (member->form == OBJECT)
        return check_object(value, member, error);
    if (member->form == OBJECTS)
        return check_objects(value, member, error);
    if (!is_plain(value, member))
        return wrong_member(within, member, "has the wrong type or value", error);
    return 0;
}
