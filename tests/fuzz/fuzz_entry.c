/*
 * fuzz_entry.c: any bytes as a stored entry, and any JSON as the members of a new one.  What is
 * read must be written back to the same bytes; what is written must be read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/audit/entry.h"
#include "p11vault/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Two readers, one judgement. */
static void scan(const char *text, size_t size, bool is_read, enum entry_type type,
                 const json_t *entry)
{
    struct entry_view view;
    bool is_scanned = entry_scan(text, size, &view);
    must(is_scanned == is_read);
    if (!is_scanned)
        return;
    must(view.type == type && view.count == json_object_size(entry));
    for (size_t i = 0; i < view.count; i++) {
        char name[64] = "";
        must(view.members[i].name.size < sizeof(name));
        memcpy(name, view.members[i].name.text, view.members[i].name.size);
        const json_t *value = json_object_get(entry, name);
        auto_free char *written = NULL;
        struct error error = {0};
        must(json_canonical(value, &written, &error) == 0);
        must(strlen(written) == view.members[i].value.size &&
             memcmp(written, view.members[i].value.text, view.members[i].value.size) == 0);
        if (json_is_integer(value))
            must(entry_view_number(&view, name, -7) == json_integer_value(value));
    }
}

static void read_and_write(const char *text, size_t size)
{
    auto_json json_t *entry = NULL;
    auto_free char *again = NULL;
    enum entry_type type = ENTRY_VOID;
    struct error error = {0};
    bool is_read = entry_read(text, size, &type, &entry, &error) == 0;
    scan(text, size, is_read, type, entry);
    if (!is_read) {
        must(error.code == CODE_LOG && entry == NULL);
        return;
    }
    must(strcmp(json_text(entry, "type"), entry_type_name(type)) == 0);
    json_object_del(entry, "v");
    json_object_del(entry, "type");
    must(entry_write(type, entry, &again, &error) == 0);
    must(strlen(again) == size && memcmp(again, text, size) == 0);
    /* The log is read in terminals. */
    for (size_t i = 0; i < size; i++)
        must((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
}

static void write_and_read(const json_t *members, enum entry_type type)
{
    auto_json json_t *entry = NULL;
    auto_free char *text = NULL;
    enum entry_type found;
    struct error error = {0};
    if (entry_write(type, members, &text, &error) < 0) {
        must(error.code == CODE_FAULT && text == NULL);
        return;
    }
    must(strlen(text) <= ENTRY_MAX);
    must(entry_read(text, strlen(text), &found, &entry, &error) == 0 && found == type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_and_write((const char *)data, size);
    auto_json json_t *members =
        json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (members == NULL)
        return 0;
    /* An entry becomes members again, whether it was canonical or not. */
    json_object_del(members, "v");
    json_object_del(members, "type");
    for (size_t type = 0; type <= ENTRY_RESTORED; type++)
        write_and_read(members, (enum entry_type)type);
    return 0;
}
