/*
 * test_keywrap.c: how content keys are wrapped for cards, AES key wrap and RSA-OAEP, against
 * the vectors of others and against libcrypto in the card's place.
 */
#include "leave_out.h"
#include "seal_samples.h"

/* RFC 3394, section 4.6. */
#define KEK "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
#define WRAPPED "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"

static void test_rfc3394(void **state)
{
    (void)state;
    struct error error = {0};
    uint8_t expected[SAMPLE_MAX];
    uint8_t wrapped[KEYWRAP_SIZE];
    auto_of(secret_free) struct secret *kek = sample_hex_secret(KEK);
    auto_of(secret_free) struct secret *key = sample_hex_secret(KEY);
    auto_of(secret_free) struct secret *unwrapped = NULL;
    assert_int_equal(sample_hex(WRAPPED, expected), KEYWRAP_SIZE);
    assert_done(keywrap_wrap(kek, key, wrapped, &error), &error);
    assert_memory_equal(wrapped, expected, KEYWRAP_SIZE);
    assert_done(keywrap_unwrap(kek, wrapped, KEYWRAP_SIZE, &unwrapped, &error), &error);
    assert_int_equal(secret_size(unwrapped), CEK_SIZE);
    assert_true(secret_equals(unwrapped, secret_data(key), CEK_SIZE));
}

static void test_keywrap_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    uint8_t wrapped[KEYWRAP_SIZE];
    auto_of(secret_free) struct secret *kek = sample_hex_secret(KEK);
    auto_of(secret_free) struct secret *key = sample_hex_secret(KEY);
    auto_of(secret_free) struct secret *half = sample_secret(secret_data(key), 16);
    auto_of(secret_free) struct secret *none = NULL;
    assert_int_equal(keywrap_wrap(half, key, wrapped, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(keywrap_wrap(kek, half, wrapped, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_done(keywrap_wrap(kek, key, wrapped, &error), &error);
    assert_int_equal(keywrap_unwrap(half, wrapped, KEYWRAP_SIZE, &none, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(keywrap_unwrap(key, wrapped, KEYWRAP_SIZE, &none, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(keywrap_unwrap(kek, wrapped, KEYWRAP_SIZE - 8, &none, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(none);
}

static void check_wrap_vector(const json_t *vector, size_t *valid, size_t *invalid)
{
    struct error error = {0};
    uint8_t ct[SAMPLE_MAX];
    size_t size = sample_hex(json_text(vector, "ct"), ct);
    auto_of(secret_free) struct secret *kek = sample_hex_secret(json_text(vector, "key"));
    auto_of(secret_free) struct secret *msg = sample_hex_secret(json_text(vector, "msg"));
    auto_of(secret_free) struct secret *unwrapped = NULL;
    int result = keywrap_unwrap(kek, ct, size, &unwrapped, &error);
    if (strcmp(json_text(vector, "result"), "valid") == 0 && secret_size(msg) == CEK_SIZE) {
        uint8_t wrapped[KEYWRAP_SIZE];
        assert_done(result, &error);
        assert_true(secret_equals(unwrapped, secret_data(msg), CEK_SIZE));
        assert_done(keywrap_wrap(kek, msg, wrapped, &error), &error);
        assert_memory_equal(wrapped, ct, KEYWRAP_SIZE);
        (*valid)++;
        return;
    }
    /* Invalid, or a key of a size that is none of ours. */
    assert_int_equal(result, -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(unwrapped);
    (*invalid)++;
}

static void test_wycheproof_keywrap(void **state)
{
    (void)state;
    auto_json json_t *file = sample_vectors("wycheproof/aes_wrap_test.json");
    if (file == NULL)
        leave_out(NO_VECTORS);
    size_t valid = 0;
    size_t invalid = 0;
    size_t group_index;
    size_t index;
    json_t *group;
    json_t *vector;
    json_array_foreach (json_object_get(file, "testGroups"), group_index, group) {
        if (json_number(group, "keySize", 0) != 256)
            continue;
        json_array_foreach (json_object_get(group, "tests"), index, vector)
            check_wrap_vector(vector, &valid, &invalid);
    }
    print_message("wycheproof: %zu keys wrapped and unwrapped, %zu refused\n", valid, invalid);
    assert_true(valid > 0);
    assert_true(invalid > 12);
}

static void check_oaep(EVP_PKEY *pkey, const struct jwk *public, int sha256,
                       const struct secret *plaintext)
{
    struct error error = {0};
    uint8_t ciphertext[RSA_MODULUS_MAX];
    uint8_t again[RSA_MODULUS_MAX];
    size_t size = 0;
    assert_done(rsa_oaep_encrypt(public, sha256, plaintext, ciphertext, &size, &error), &error);
    assert_int_equal(size, public->modulus_size);
    auto_of(secret_free) struct secret *opened =
        sample_oaep_decrypt(pkey, sha256, ciphertext, size);
    assert_non_null(opened);
    assert_true(secret_equals(opened, secret_data(plaintext), secret_size(plaintext)));
    /* The other hash does not open it, and no two encryptions are alike. */
    assert_null(sample_oaep_decrypt(pkey, !sha256, ciphertext, size));
    assert_done(rsa_oaep_encrypt(public, sha256, plaintext, again, &size, &error), &error);
    assert_memory_not_equal(again, ciphertext, size);
}

static void test_oaep(void **state)
{
    (void)state;
    struct jwk public;
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey = sample_rsa(2048, &public);
    auto_of(secret_free) struct secret *key = sample_hex_secret(KEY);
    check_oaep(pkey, &public, 0, key);
    check_oaep(pkey, &public, 1, key);
}

static void test_oaep_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    uint8_t ciphertext[RSA_MODULUS_MAX];
    size_t size = 7;
    struct jwk public;
    struct jwk ec = {.type = JWK_P256};
    EVP_PKEY_free(sample_rsa(2048, &public));
    static const uint8_t bytes[256 - 2 * 20 - 2 + 1];
    auto_of(secret_free) struct secret *key = sample_hex_secret(KEY);
    auto_of(secret_free) struct secret *longest = sample_secret(bytes, 256 - 2 * 32 - 2);
    auto_of(secret_free) struct secret *longer = sample_secret(bytes, 256 - 2 * 32 - 2 + 1);
    auto_of(secret_free) struct secret *too_long = sample_secret(bytes, sizeof(bytes));
    assert_int_equal(rsa_oaep_encrypt(&ec, 1, key, ciphertext, &size, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(rsa_oaep_encrypt(&public, 1, longer, ciphertext, &size, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(rsa_oaep_encrypt(&public, 0, too_long, ciphertext, &size, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(size, 7);
    assert_done(rsa_oaep_encrypt(&public, 1, longest, ciphertext, &size, &error), &error);
    assert_done(rsa_oaep_encrypt(&public, 0, longer, ciphertext, &size, &error), &error);
    public.modulus[0] = 0;
    assert_int_equal(rsa_oaep_encrypt(&public, 1, key, ciphertext, &size, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

/* The key of a group of vectors, and that the software card of these tests agrees with them. */
static EVP_PKEY *oaep_group_key(const json_t *group, struct jwk *ret_public)
{
    const json_t *numbers = json_object_get(group, "privateKey");
    uint8_t bytes[SAMPLE_MAX];
    size_t size = sample_hex(json_text(numbers, "modulus"), bytes);
    size_t zeros = bytes[0] == 0;
    *ret_public = (struct jwk){.type = JWK_RSA, .modulus_size = size - zeros};
    memcpy(ret_public->modulus, bytes + zeros, size - zeros);
    ret_public->exponent_size = sample_hex(json_text(numbers, "publicExponent"), bytes);
    memcpy(ret_public->exponent, bytes, ret_public->exponent_size);
    size = sample_hex(json_text(numbers, "privateExponent"), bytes);
    return sample_rsa_from(ret_public, bytes, size);
}

static size_t check_oaep_file(const char *name, int sha256)
{
    auto_json json_t *file = sample_vectors(name);
    if (file == NULL)
        leave_out(NO_VECTORS);
    size_t used = 0;
    size_t group_index;
    size_t index;
    json_t *group;
    json_t *vector;
    json_array_foreach (json_object_get(file, "testGroups"), group_index, group) {
        struct jwk public;
        auto_of(EVP_PKEY_free) EVP_PKEY *pkey = oaep_group_key(group, &public);
        json_array_foreach (json_object_get(group, "tests"), index, vector) {
            if (json_text(vector, "label")[0] != '\0' ||
                strcmp(json_text(vector, "result"), "valid") != 0)
                continue;
            uint8_t ct[SAMPLE_MAX];
            size_t size = sample_hex(json_text(vector, "ct"), ct);
            auto_of(secret_free) struct secret *msg = sample_hex_secret(json_text(vector, "msg"));
            auto_of(secret_free) struct secret *opened =
                sample_oaep_decrypt(pkey, sha256, ct, size);
            assert_non_null(opened);
            assert_true(secret_equals(opened, secret_data(msg), secret_size(msg)));
            check_oaep(pkey, &public, sha256, msg);
            used++;
        }
    }
    print_message("wycheproof: %zu messages for RSA-OAEP\n", used);
    return used;
}

static void test_wycheproof_oaep_sha1(void **state)
{
    (void)state;
    assert_true(check_oaep_file("wycheproof/rsa_oaep_2048_sha1_mgf1sha1_test.json", 0) > 0);
}

static void test_wycheproof_oaep_sha256(void **state)
{
    (void)state;
    assert_true(check_oaep_file("wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json", 1) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3394),
        cmocka_unit_test(test_keywrap_refuses),
        cmocka_unit_test(test_wycheproof_keywrap),
        cmocka_unit_test(test_oaep),
        cmocka_unit_test(test_oaep_refuses),
        cmocka_unit_test(test_wycheproof_oaep_sha1),
        cmocka_unit_test(test_wycheproof_oaep_sha256),
    };
    return cmocka_run_group_tests_name("keywrap", tests, NULL, NULL);
}
