/*
 * entry_scan.c: an entry's bytes against the table of entry.c in one pass, without making an object of them.
 *
 * Canonical JSON leaves no choice: each value has one spelling, and members stand in the order of their names.  So what is read here
 * byte by byte and found right is what would be written again.  tests/fuzz/fuzz_entry.c holds this and entry_read() together.
 */
#include <string.h>

#include "entry_check.h"
#include "internal.h"
#include "p11vault/audit/entry.h"
#include "p11vault/base/digest.h"

#define PLAIN_MAX 40 /* the longest time, code or choice is shorter */
#define LISTS_MAX 3
#define MEMBERS_MAX 40
#define SORTED_MAX 24 /* more than there are types and objects in them */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char byte)
{
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

/* ---- texts and numbers ---- */

/* The bytes that stand for themselves, without looking at what is around them. */
static bool is_simple(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define TOP_BITS EACH(0x80)

/* The top bit of each byte that is zero; behind the first of them also of others, which does no harm here. */
static inline uint64_t zeros(uint64_t bytes)
{
    return (bytes - EACH(1)) & ~bytes & TOP_BITS;
}

/* Over bytes that stand for themselves, eight at a time: what it stops before has one that may not. */
static void skip_simple(struct cursor *cursor)
{
    uint64_t bytes;
    for (; cursor->end - cursor->at >= (ptrdiff_t)sizeof(bytes); cursor->at += sizeof(bytes)) {
        memcpy(&bytes, cursor->at, sizeof(bytes));
        uint64_t below = (bytes - EACH(0x20)) & TOP_BITS;
        if ((below | (bytes & TOP_BITS) | zeros(bytes ^ EACH('"')) | zeros(bytes ^ EACH('\\')) |
             zeros(bytes ^ EACH(0x7f))) != 0)
            break;
    }
}

/* A text without control characters, at most `maximum` bytes when its escapes are resolved. */
static bool scan_text(struct cursor *cursor, size_t maximum)
{
    size_t escapes = 0;
    if (!take(cursor, '"'))
        return false;
    const char *start = cursor->at;
    skip_simple(cursor);
    while (cursor->at < cursor->end && *cursor->at != '"') {
        uint32_t point;
        if (is_simple((uint8_t)*cursor->at)) {
            cursor->at++;
        } else if (*cursor->at == '\\') {
            if (cursor->end - cursor->at < 2 || (cursor->at[1] != '"' && cursor->at[1] != '\\'))
                return false;
            cursor->at += 2;
            escapes++;
        } else {
            size_t size = note_character(cursor->at, (size_t)(cursor->end - cursor->at), &point);
            if (size < 2 || point < 0xa0)
                return false;
            cursor->at += size;
        }
    }
    size_t size = (size_t)(cursor->at - start) - escapes;
    return take(cursor, '"') && size <= maximum;
}

/* A text of these digits alone. */
static bool scan_hex(struct cursor *cursor, size_t digits)
{
    if ((size_t)(cursor->end - cursor->at) < digits + 2 || !take(cursor, '"'))
        return false;
    /* Which of them are letters is chance: looked at without a branch, and judged at the end. */
    bool all = true;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned char)*cursor->at++;
        all &= (digit - '0' < 10) | (digit - 'a' < 6);
    }
    return take(cursor, '"') && all;
}

static bool scan_plain(struct cursor *cursor, char ret_text[PLAIN_MAX])
{
    if (!take(cursor, '"'))
        return false;
    size_t size = 0;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        if (!is_simple((uint8_t)*cursor->at) || size == PLAIN_MAX - 1)
            return false;
        ret_text[size++] = *cursor->at++;
    }
    ret_text[size] = '\0';
    return take(cursor, '"');
}

static bool scan_integer(struct cursor *cursor, bool may_be_negative)
{
    int64_t number = 0;
    bool negative = take(cursor, '-');
    const char *start = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, *cursor->at - '0', &number))
            return false;
    size_t digits = (size_t)(cursor->at - start);
    if (digits == 0 || (*start == '0' && (digits > 1 || negative)))
        return false;
    return negative ? may_be_negative : number != INT64_MIN;
}

static bool scan_word(struct cursor *cursor, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < size || memcmp(cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

/* ---- lists and objects ---- */

static bool scan_object(struct cursor *cursor, const struct member *const lists[LISTS_MAX],
                        struct entry_view *view);

static bool scan_members(struct cursor *cursor, const struct member *members)
{
    const struct member *const lists[LISTS_MAX] = {members};
    return scan_object(cursor, lists, NULL);
}

static bool scan_element(struct cursor *cursor, const struct member *member)
{
    return member->form == TEXTS ? scan_text(cursor, ENTRY_TEXT_MAX)
                                 : scan_members(cursor, member->members);
}

static bool scan_list(struct cursor *cursor, const struct member *member)
{
    size_t count = 0, most = member->form == TEXTS ? ENTRY_TEXTS_MAX : ENTRY_ELEMENTS_MAX;
    if (!take(cursor, '['))
        return false;
    if (take(cursor, ']'))
        return true;
    do {
        if (count++ == most || !scan_element(cursor, member))
            return false;
    } while (take(cursor, ','));
    return take(cursor, ']');
}

static bool scan_value(struct cursor *cursor, const struct member *member)
{
    char plain[PLAIN_MAX];
    switch (member->form) {
    case TEXT:
        return scan_text(cursor, ENTRY_TEXT_MAX);
    case VKEY:
        return scan_text(cursor, NOTE_VKEY_MAX);
    case TIME:
        return scan_plain(cursor, plain) && entry_is_time(plain);
    case ID:
        return scan_hex(cursor, ENTRY_ID_DIGITS);
    case HASH:
        return scan_hex(cursor, (size_t)2 * DIGEST_SIZE);
    case CODE:
        return scan_plain(cursor, plain) && entry_is_code(plain);
    case CHOICE:
        return scan_plain(cursor, plain) && entry_is_choice(plain, member->choices);
    case INTEGER:
        return scan_integer(cursor, true);
    case COUNT:
        return scan_integer(cursor, false);
    case TRUTH:
        return scan_word(cursor, "true") || scan_word(cursor, "false");
    case TEXTS:
    case OBJECTS:
        return scan_list(cursor, member);
    case OBJECT:
        return scan_members(cursor, member->members);
    }
    return false;
}

/* This member's name and the colon behind it; the cursor stays where it is when another stands there. */
static inline bool scan_name(struct cursor *cursor, const struct member *member)
{
    const char *at = cursor->at;
    size_t size = member->size;
    if ((size_t)(cursor->end - at) < size + 3 || at[0] != '"' || at[1] != member->name[0] ||
        memcmp(at + 1, member->name, size) != 0 || at[size + 1] != '"' || at[size + 2] != ':')
        return false;
    cursor->at = at + size + 3;
    return true;
}

/* Members in the order of their names, as an object has them. */
struct sorted {
    const struct member *first;
    const struct member *members[MEMBERS_MAX];
    size_t count;
};

static int compare(const struct member *a, const struct member *b)
{
    return strcmp(a->name, b->name);
}

static void sort_in(struct sorted *sorted, const struct member *list)
{
    for (; list->name != NULL && sorted->count < MEMBERS_MAX; list++) {
        size_t place = sorted->count++;
        for (; place > 0 && compare(list, sorted->members[place - 1]) < 0; place--)
            sorted->members[place] = sorted->members[place - 1];
        sorted->members[place] = list;
    }
}

/* Sorted once, then found again by the first list, which stands in no other company. */
static const struct sorted *sort_lists(const struct member *const lists[LISTS_MAX])
{
    static struct sorted known[SORTED_MAX];
    size_t place = 0;
    while (place < SORTED_MAX - 1 && known[place].first != NULL && known[place].first != lists[0])
        place++;
    struct sorted *sorted = &known[place];
    if (sorted->first == lists[0])
        return sorted;
    *sorted = (struct sorted){.first = lists[0]};
    for (size_t i = 0; i < LISTS_MAX && lists[i] != NULL; i++)
        sort_in(sorted, lists[i]);
    return sorted;
}

static bool keep_member(struct entry_view *view, const struct member *member, const char *start,
                        const char *end)
{
    if (view->count == ENTRY_VIEW_MAX)
        return false;
    view->members[view->count].name = (struct entry_part){member->name, member->size};
    view->members[view->count++].value = (struct entry_part){start, (size_t)(end - start)};
    return true;
}

/* Both stand in order: what an object passes over must be what it need not have. */
static bool scan_object(struct cursor *cursor, const struct member *const lists[LISTS_MAX],
                        struct entry_view *view)
{
    const struct sorted *sorted = sort_lists(lists);
    if (!take(cursor, '{'))
        return false;
    bool more = cursor->at < cursor->end && *cursor->at != '}';
    for (size_t next = 0; next < sorted->count; next++) {
        const struct member *member = sorted->members[next];
        if (!more || !scan_name(cursor, member)) {
            if (member->required)
                return false;
            continue;
        }
        const char *start = cursor->at;
        if (!scan_value(cursor, member) ||
            (view != NULL && !keep_member(view, member, start, cursor->at)))
            return false;
        more = take(cursor, ',');
    }
    return !more && take(cursor, '}');
}

/* ---- entries ---- */

/*
 * A quotation mark inside a text stands behind a backslash, no object within an entry has a type, and the time stands before it:
 * so where this is found the type stands, or the entry is none.
 */
static bool find_type(const char *text, size_t size, enum entry_type *ret_type)
{
    static const char mark[] = ",\"type\":\"";
    const char *found = memmem(text, size, mark, sizeof(mark) - 1);
    if (found == NULL)
        return false;
    const char *name = found + sizeof(mark) - 1;
    size_t left = (size_t)(text + size - name);
    for (unsigned type = 0; type < ENTRY_TYPES; type++) {
        const char *known = entry_type_name((enum entry_type)type);
        size_t length = strlen(known);
        if (left > length && *name == *known && memcmp(name, known, length) == 0 &&
            name[length] == '"') {
            *ret_type = (enum entry_type)type;
            return true;
        }
    }
    return false;
}

bool entry_scan(const char *text, size_t size, struct entry_view *ret_view)
{
    static const struct member head[] = {
        {.name = "type", .size = 4, .form = TEXT, .required = true},
        {.name = "v", .size = 1, .form = COUNT, .required = true},
        {.name = NULL}};
    struct cursor cursor = {text, text + size};
    ret_view->count = 0;
    if (size > ENTRY_MAX || !find_type(text, size, &ret_view->type))
        return false;
    const struct member *const lists[LISTS_MAX] = {entry_members(ret_view->type), entry_common,
                                                   head};
    return scan_object(&cursor, lists, ret_view) && cursor.at == cursor.end &&
           entry_part_is(entry_view_text(ret_view, "type"), entry_type_name(ret_view->type)) &&
           entry_view_number(ret_view, "v", 0) == 1;
}

int64_t entry_view_number(const struct entry_view *view, const char *name, int64_t missing)
{
    struct entry_part value = entry_view_get(view, name);
    int64_t number = 0;
    bool negative = value.size > 0 && value.text[0] == '-';
    if (value.size == 0 || value.text[0] == '"')
        return missing;
    for (size_t i = negative; i < value.size; i++)
        number = number * 10 - (value.text[i] - '0');
    return negative ? number : -number;
}
