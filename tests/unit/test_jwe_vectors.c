/*
 * test_jwe_vectors.c: the records of others.  Those whose algorithms are ours are opened by our
 * functions; as they stand, every one of them is refused, since none names its key by
 * thumbprint.
 */
#include "leave_out.h"
#include "seal_samples.h"

static void assert_damaged(const char *jwe)
{
    struct error error = {0};
    struct jwe_header header;
    if (jwe_read_header(jwe, &header, &error) != -1)
        fail_msg("read: %s", jwe);
    assert_int_equal(error.code, CODE_LOG);
}

/*
 * A content key from a record of others, by the same functions that open ours; NULL where our
 * profile ends.
 */
static struct secret *foreign_key(const json_t *private, const json_t *header,
                                  const struct piece parts[5])
{
    struct error error = {0};
    struct secret *key = NULL;
    const char *alg = json_text(header, "alg");
    auto_of(secret_free) struct secret *d = sample_base64_secret(json_text(private, "d"));
    if (strcmp(alg, "ECDH-ES") == 0) {
        struct jwk epk = sample_jwk(json_object_get(header, "epk"));
        assert_done(jwe_content_key(d, &epk.point, &key, &error), &error);
        return key;
    }
    struct appkey_recipient recipient = {0};
    if (appkey_alg_from(alg, &recipient.alg) < 0)
        return NULL;
    uint8_t bytes[SAMPLE_MAX];
    recipient.encrypted_key_size = sample_base64(parts[1].text, parts[1].size, bytes);
    memcpy(recipient.encrypted_key, bytes, recipient.encrypted_key_size);
    if (recipient.alg == APPKEY_ECDH_A256KW) {
        struct jwk epk = sample_jwk(json_object_get(header, "epk"));
        auto_of(secret_free) struct secret *shared = NULL;
        assert_done(ec_agree(d, &epk.point, &shared, &error), &error);
        assert_done(appkey_unwrap_ecdh(&recipient, shared, &key, &error), &error);
        return key;
    }
    struct jwk public = sample_jwk(private);
    auto_of(EVP_PKEY_free) EVP_PKEY *pkey =
        sample_rsa_from(&public, secret_data(d), secret_size(d));
    return sample_oaep_decrypt(pkey, recipient.alg == APPKEY_RSA_OAEP_256, recipient.encrypted_key,
                               recipient.encrypted_key_size);
}

static bool in_our_profile(const json_t *header)
{
    const char *alg = json_text(header, "alg");
    const char *enc = json_text(header, "enc");
    enum appkey_alg ignored;
    return alg != NULL && enc != NULL && strcmp(enc, "A256GCM") == 0 &&
           (strcmp(alg, "ECDH-ES") == 0 || appkey_alg_from(alg, &ignored) == 0);
}

static bool opened_foreign(const json_t *private, const json_t *vector)
{
    struct error error = {0};
    struct piece parts[5];
    sample_split(json_text(vector, "jwe"), parts);
    auto_json json_t *header = sample_header(parts[0]);
    if (header == NULL || !in_our_profile(header))
        return false;
    auto_of(secret_free) struct secret *key = foreign_key(private, header, parts);
    assert_non_null(key);
    auto_content struct content content = {0};
    auto_of(secret_free) struct secret *payload = NULL;
    assert_done(content_decode(parts[2], parts[3], parts[4], 4096, &content, &error), &error);
    assert_done(content_open(key, parts[0], &content, &payload, &error), &error);
    auto_of(secret_free) struct secret *expected = sample_hex_secret(json_text(vector, "pt"));
    assert_true(secret_equals(payload, secret_data(expected), secret_size(expected)));
    return true;
}

static void test_wycheproof_jwe(void **state)
{
    (void)state;
    auto_json json_t *file = sample_vectors("wycheproof/json_web_encryption_test.json");
    if (file == NULL)
        leave_out(NO_VECTORS);
    size_t opened = 0;
    size_t refused = 0;
    size_t group_index;
    size_t index;
    json_t *group;
    json_t *vector;
    json_array_foreach (json_object_get(file, "testGroups"), group_index, group) {
        json_array_foreach (json_object_get(group, "tests"), index, vector) {
            /*
             * None of them names its key by thumbprint: as a record of ours each one is
             * damaged.
             */
            if (json_text(vector, "jwe") == NULL)
                continue;
            assert_damaged(json_text(vector, "jwe"));
            refused++;
            if (strcmp(json_text(vector, "result"), "valid") == 0)
                opened += opened_foreign(json_object_get(group, "private"), vector);
        }
    }
    print_message("wycheproof: %zu records opened, %zu refused as ours\n", opened, refused);
    assert_true(opened >= 5);
    assert_true(refused > 100);
}

static bool check_gcm(const json_t *group, const json_t *vector)
{
    if (json_number(group, "keySize", 0) != 256 || json_number(group, "ivSize", 0) != 96 ||
        json_number(group, "tagSize", 0) != 128 || json_text(vector, "ct")[0] == '\0')
        return false;
    struct error error = {0};
    uint8_t aad[SAMPLE_MAX];
    uint8_t ciphertext[SAMPLE_MAX];
    struct content content = {.ciphertext = ciphertext};
    struct piece header = {(const char *)aad, sample_hex(json_text(vector, "aad"), aad)};
    assert_true(hex_decode(json_text(vector, "iv"), content.iv, CONTENT_IV_SIZE));
    assert_true(hex_decode(json_text(vector, "tag"), content.tag, CONTENT_TAG_SIZE));
    content.size = sample_hex(json_text(vector, "ct"), ciphertext);
    auto_of(secret_free) struct secret *key = sample_hex_secret(json_text(vector, "key"));
    auto_of(secret_free) struct secret *expected = sample_hex_secret(json_text(vector, "msg"));
    auto_of(secret_free) struct secret *payload = NULL;
    int result = content_open(key, header, &content, &payload, &error);
    if (strcmp(json_text(vector, "result"), "valid") != 0) {
        assert_int_equal(result, -1);
        assert_int_equal(error.code, CODE_STOP);
        return true;
    }
    assert_done(result, &error);
    assert_true(secret_equals(payload, secret_data(expected), secret_size(expected)));
    return true;
}

static void test_wycheproof_gcm(void **state)
{
    (void)state;
    auto_json json_t *file = sample_vectors("wycheproof/aes_gcm_test.json");
    if (file == NULL)
        leave_out(NO_VECTORS);
    size_t used = 0;
    size_t group_index;
    size_t index;
    json_t *group;
    json_t *vector;
    json_array_foreach (json_object_get(file, "testGroups"), group_index, group) {
        json_array_foreach (json_object_get(group, "tests"), index, vector)
            used += check_gcm(group, vector);
    }
    print_message("wycheproof: %zu vectors of AES-256-GCM\n", used);
    assert_true(used > 50);
}

/* RFC 7520 section 5.2: the content key, encrypted to a key of 4096 bits, and what it opens. */
static void test_rfc7520_rsa_oaep(void **state)
{
    (void)state;
    auto_json json_t *file =
        sample_vectors("rfc7520/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json");
    if (file == NULL)
        leave_out(NO_VECTORS);
    const json_t *input = json_object_get(file, "input");
    const json_t *private = json_object_get(input, "key");
    struct error error = {0};
    struct piece parts[5];
    sample_split(json_text(json_object_get(file, "output"), "compact"), parts);
    auto_json json_t *header = sample_header(parts[0]);
    auto_of(secret_free) struct secret *key = foreign_key(private, header, parts);
    auto_of(secret_free) struct secret *expected =
        sample_base64_secret(json_text(json_object_get(file, "generated"), "cek"));
    assert_non_null(key);
    assert_true(secret_equals(key, secret_data(expected), CEK_SIZE));
    auto_content struct content content = {0};
    auto_of(secret_free) struct secret *payload = NULL;
    assert_done(content_decode(parts[2], parts[3], parts[4], 4096, &content, &error), &error);
    assert_done(content_open(key, parts[0], &content, &payload, &error), &error);
    const char *plaintext = json_text(input, "plaintext");
    assert_true(secret_equals(payload, plaintext, strlen(plaintext)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wycheproof_jwe),
        cmocka_unit_test(test_wycheproof_gcm),
        cmocka_unit_test(test_rfc7520_rsa_oaep),
    };
    return cmocka_run_group_tests_name("jwe_vectors", tests, NULL, NULL);
}
