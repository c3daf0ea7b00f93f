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

static void read_and_write(const char *text, size_t size)
{
    auto_json json_t *entry = NULL;
    auto_free char *again = NULL;
    enum entry_type type;
    struct error error = {0};
    if (entry_read(text, size, &type, &entry, &error) < 0) {
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
    for (size_t type = 0; type <= ENTRY_NOTICE; type++)
        write_and_read(members, (enum entry_type)type);
    return 0;
}
