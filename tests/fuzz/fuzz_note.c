/*
 * fuzz_note.c: any bytes as a note, a checkpoint, a verifier key and a trust file.  What is accepted
 * must be written back to the same bytes, and no text counts as signed but those in the seeds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/audit/checkpoint.h"
#include "p11vault/base/buffer.h"

#define ORIGIN "p11vault/00112233445566778899aabbccddeeff"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ecdsa_vkey[] =
    "p11vault/00112233445566778899aabbccddeeff+5cd252fb+AjBZMBMGByqGSM49AgEGCCqGSM49A"
    "wEHA0IABGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drM"
    "V7Oy7ZAaDe/UfU=";
static const char rsa_vkey[] =
    "p11vault/00112233445566778899aabbccddeeff+b3e29f0f+/1BLSVgtUlNBLVBLQ1MjMXYxLjUwg"
    "gEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCPjxW1Zly0CgSRUahQyOvVqVtEbqkxtphX73Vne"
    "z6AWmC1gcakWShsc4qkWaNZvSrZocRFuvpm1HKzttlEtccAiw85eEA4UYT9RaxBh0HIfJbuPEMA0NiV8"
    "5OP0f8XeZ/XHxXNLUsvaxz7IbUUJk0ZTXzj8wKw0i4BYKkWcP0qtBY8fu+AOFd9AV/Fv2dfRWI4Ihgaa"
    "8jmswde1NHGt//wAq0eH/AjMyXwSuXCL+Fa8IGo9oPDc5z0BJbOpD5bpKBJXLYSS11A/YKksWVECYCjr"
    "F11ZNXBbwBS1SxM5IUQ3Wc6bmIrBjMEIZ9epY6ND6Jcmfbn80zZzss5wwr69KD1AgMBAAE=";

/* What was signed with the two keys, ever. */
static const char *const signed_texts[] = {
    ORIGIN "\n17\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    "first\n\nsecond\n",
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const struct trust *known_keys(void)
{
    static struct trust trust;
    struct error error = {0};
    if (trust.count == 0) {
        must(note_key_parse(ecdsa_vkey, &trust.keys[0], &error) == 0);
        must(note_key_parse(rsa_vkey, &trust.keys[1], &error) == 0);
        trust.count = 2;
    }
    return &trust;
}

static bool was_signed(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof(signed_texts) / sizeof(signed_texts[0]); i++) {
        if (size == strlen(signed_texts[i]) && memcmp(text, signed_texts[i], size) == 0)
            return true;
    }
    return false;
}

/* `text` has a NUL behind it, which `bytes` has not: what is given a size must not look for it. */
static void as_note(const char *bytes, size_t size, const char *text)
{
    const struct trust *trust = known_keys();
    const struct note_key *key = NULL;
    size_t text_size = 0;
    struct checkpoint checkpoint;
    struct error error = {0};
    if (note_verify(bytes, size, trust->keys, trust->count, &text_size, &key, &error) < 0) {
        must(error.code == CODE_LOG);
        return;
    }
    must(text_size + 1 < size && bytes[text_size] == '\n' && was_signed(bytes, text_size));
    must(key == &trust->keys[0] || key == &trust->keys[1]);
    if (checkpoint_verify(text, ORIGIN, trust, &checkpoint, NULL, &error) == 0)
        must(checkpoint.size == 17 && strcmp(checkpoint.origin, ORIGIN) == 0);
    else
        must(error.code == CODE_LOG);
}

static void as_checkpoint(const char *text, size_t size)
{
    struct checkpoint checkpoint;
    char again[CHECKPOINT_TEXT_MAX];
    struct error error = {0};
    if (checkpoint_parse(text, size, &checkpoint, &error) < 0) {
        must(error.code == CODE_LOG);
        return;
    }
    must(checkpoint_text(&checkpoint, again, &error) == 0);
    must(strlen(again) == size && memcmp(again, text, size) == 0);
}

static void as_vkey(const char *text)
{
    struct note_key key;
    char again[NOTE_VKEY_MAX];
    struct error error = {0};
    if (note_key_parse(text, &key, &error) < 0) {
        must(error.code == CODE_STOP);
        return;
    }
    must(note_key_vkey(&key, again, &error) == 0 && strcmp(again, text) == 0);
}

static void as_trust_file(const char *text, size_t size)
{
    static struct trust trust;
    struct error error = {0};
    if (trust_parse(text, size, ORIGIN, &trust, &error) < 0) {
        must(error.code == CODE_CONFIG);
        return;
    }
    must(trust.count <= TRUST_KEYS_MAX);
    for (size_t i = 0; i < trust.count; i++)
        must(strcmp(trust.keys[i].name, ORIGIN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = malloc(size + 1);
    must(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    as_note((const char *)data, size, text);
    as_checkpoint((const char *)data, size);
    as_trust_file((const char *)data, size);
    as_vkey(text);
    return 0;
}
