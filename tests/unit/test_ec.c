/*
 * test_ec.c: P-256 and the Concat KDF: refusals, the example of RFC 7518 appendix C,
 * Wycheproof's points.
 */
#include "leave_out.h"
#include "seal_samples.h"

#include <openssl/rand.h>

/* Where the library's random numbers come from: from libcrypto, unless it has none. */
static bool has_no_randomness;

int RAND_bytes(unsigned char *bytes, int size)
{
    if (!has_no_randomness)
        return RAND_bytes_ex(NULL, bytes, (size_t)size, 0);
    memset(bytes, 0, (size_t)size);
    return 1;
}

/* RFC 7518, appendix C. */
#define ALICE_D "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"
#define ALICE_X "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0"
#define ALICE_Y "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"
#define BOB_D "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
#define BOB_X "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"
#define BOB_Y "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"
#define SHARED_Z "9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4"

#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_MINUS_1 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define ORDER_PLUS_1 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"

static struct ec_point point_of(const char *x, const char *y)
{
    struct ec_point point = {{0x04}};
    uint8_t bytes[SAMPLE_MAX];
    assert_int_equal(sample_base64(x, strlen(x), bytes), 32);
    memcpy(point.bytes + 1, bytes, 32);
    assert_int_equal(sample_base64(y, strlen(y), bytes), 32);
    memcpy(point.bytes + 33, bytes, 32);
    return point;
}

static void put_be32(struct buffer *buffer, uint32_t number)
{
    struct error error = {0};
    uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                       (uint8_t)number};
    assert_done(buffer_put(buffer, bytes, sizeof(bytes), &error), &error);
}

static void put_counted(struct buffer *buffer, const char *text)
{
    struct error error = {0};
    put_be32(buffer, (uint32_t)strlen(text));
    assert_done(buffer_put_text(buffer, text, &error), &error);
}

/* The Concat KDF written out, with everything that the program leaves empty. */
static struct digest concat_kdf(const uint8_t z[32], const char *algorithm, const char *party_u,
                                const char *party_v, uint32_t bits)
{
    struct error error = {0};
    auto_buffer struct buffer message = BUFFER_UP_TO(512);
    put_be32(&message, 1);
    assert_done(buffer_put(&message, z, 32, &error), &error);
    put_counted(&message, algorithm);
    put_counted(&message, party_u);
    put_counted(&message, party_v);
    put_be32(&message, bits);
    return digest_of(message.data, message.size);
}

static void test_generate_gives_matching_halves(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point public;
    struct ec_point again;
    struct ec_point other;
    auto_of(secret_free) struct secret *private = NULL;
    auto_of(secret_free) struct secret *second = NULL;
    assert_done(ec_generate(&private, &public, &error), &error);
    assert_int_equal(secret_size(private), EC_SCALAR_SIZE);
    assert_done(ec_point_check(&public, &error), &error);
    assert_done(ec_public(private, &again, &error), &error);
    assert_memory_equal(public.bytes, again.bytes, EC_POINT_SIZE);
    assert_done(ec_generate(&second, &other, &error), &error);
    assert_memory_not_equal(public.bytes, other.bytes, EC_POINT_SIZE);
}

/* No scalar is ever in range: that is said, and no key is made of it. */
static void generate_ends_without_randomness(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point public;
    struct secret *private = NULL;
    has_no_randomness = true;
    int result = ec_generate(&private, &public, &error);
    has_no_randomness = false;
    assert_int_equal(result, -1);
    assert_null(private);
    assert_int_equal(error.code, CODE_FAULT);
    assert_string_equal(error.text, "make a key pair: the random numbers are not random");
}

static void test_public_of_known_scalar(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point expected = point_of(BOB_X, BOB_Y);
    struct ec_point point;
    auto_of(secret_free) struct secret *scalar = sample_base64_secret(BOB_D);
    assert_done(ec_public(scalar, &point, &error), &error);
    assert_memory_equal(point.bytes, expected.bytes, EC_POINT_SIZE);
}

static void test_scalars_at_the_edges(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int result;
    } rows[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", -1},
        {"0000000000000000000000000000000000000000000000000000000000000001", 0},
        {ORDER_MINUS_1, 0},
        {ORDER, -1},
        {ORDER_PLUS_1, -1},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", -1},
        {"01", -1},
        {"000000000000000000000000000000000000000000000000000000000000000001", -1},
    };
    struct ec_point bob = point_of(BOB_X, BOB_Y);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = {0};
        struct ec_point point = {{0xee}};
        auto_of(secret_free) struct secret *scalar = sample_hex_secret(rows[i].hex);
        auto_of(secret_free) struct secret *shared = NULL;
        assert_int_equal(ec_public(scalar, &point, &error), rows[i].result);
        assert_int_equal(ec_agree(scalar, &bob, &shared, &error), rows[i].result);
        if (rows[i].result < 0) {
            assert_int_equal(error.code, CODE_STOP);
            assert_int_equal(point.bytes[0], 0xee);
            assert_null(shared);
        }
    }
}

static void refuse_point(const struct ec_point *point)
{
    struct error error = {0};
    auto_of(secret_free) struct secret *scalar = sample_base64_secret(BOB_D);
    auto_of(secret_free) struct secret *shared = NULL;
    assert_int_equal(ec_point_check(point, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    error.code = CODE_DONE;
    assert_int_equal(ec_agree(scalar, point, &shared, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_null(shared);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_points_refused(void **state)
{
    (void)state;
    struct ec_point good = point_of(BOB_X, BOB_Y);
    struct ec_point bad = good;
    for (unsigned form = 0; form < 256; form++) {
        bad.bytes[0] = (uint8_t)form;
        if (form != 0x04)
            refuse_point(&bad);
    }
    for (size_t i = 1; i < EC_POINT_SIZE; i++) {
        bad = good;
        bad.bytes[i] ^= 1;
        refuse_point(&bad);
    }
    memset(bad.bytes + 1, 0, EC_POINT_SIZE - 1);
    bad.bytes[0] = 0x04;
    refuse_point(&bad);
    memset(bad.bytes + 1, 0xff, EC_POINT_SIZE - 1);
    refuse_point(&bad);
}

static void test_rfc7518_appendix_c(void **state)
{
    (void)state;
    struct error error = {0};
    struct ec_point alice = point_of(ALICE_X, ALICE_Y);
    struct ec_point bob = point_of(BOB_X, BOB_Y);
    uint8_t z[SAMPLE_MAX];
    uint8_t expected[SAMPLE_MAX];
    assert_int_equal(sample_hex(SHARED_Z, z), 32);
    auto_of(secret_free) struct secret *alice_d = sample_base64_secret(ALICE_D);
    auto_of(secret_free) struct secret *bob_d = sample_base64_secret(BOB_D);
    auto_of(secret_free) struct secret *at_alice = NULL;
    auto_of(secret_free) struct secret *at_bob = NULL;
    assert_done(ec_agree(alice_d, &bob, &at_alice, &error), &error);
    assert_done(ec_agree(bob_d, &alice, &at_bob, &error), &error);
    assert_true(secret_equals(at_alice, z, 32));
    assert_true(secret_equals(at_bob, z, 32));
    /*
     * The example names the parties and asks for 128 bits: it proves the form that the next
     * test compares with.
     */
    struct digest derived = concat_kdf(z, "A128GCM", "Alice", "Bob", 128);
    assert_int_equal(sample_base64("VqqN6vgjbSBcIijNcacQGg", 22, expected), 16);
    assert_memory_equal(derived.bytes, expected, 16);
}

static void test_kdf_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const algorithms[] = {"A256GCM", "ECDH-ES+A256KW"};
    struct error error = {0};
    uint8_t z[SAMPLE_MAX];
    sample_hex(SHARED_Z, z);
    auto_of(secret_free) struct secret *shared = sample_secret(z, 32);
    for (size_t i = 0; i < 2; i++) {
        struct digest expected = concat_kdf(z, algorithms[i], "", "", 256);
        auto_of(secret_free) struct secret *key = NULL;
        assert_done(ec_concat_kdf(shared, algorithms[i], &key, &error), &error);
        assert_true(secret_equals(key, expected.bytes, CEK_SIZE));
    }
}

static void test_kdf_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    auto_of(secret_free) struct secret *key = NULL;
    auto_of(secret_free) struct secret *short_secret = sample_secret("0123456789abcdef", 16);
    auto_of(secret_free) struct secret *shared = sample_hex_secret(SHARED_Z);
    assert_int_equal(ec_concat_kdf(short_secret, "A256GCM", &key, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(ec_concat_kdf(shared, "an algorithm of more than 32 bytes", &key, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_null(key);
}

/* Wycheproof writes scalars as signed numbers of any length. */
static struct secret *wycheproof_scalar(const char *hex)
{
    char fixed[65];
    size_t size = strlen(hex);
    if (size > 64)
        hex += size - 64;
    snprintf(fixed, sizeof(fixed), "%.*s%s", (int)(64 - strlen(hex)),
             "0000000000000000000000000000000000000000000000000000000000000000", hex);
    return sample_hex_secret(fixed);
}

static bool is_uncompressed(const char *hex)
{
    return strlen(hex) == 2 * EC_POINT_SIZE;
}

static void check_wycheproof(const json_t *vector, size_t *valid, size_t *invalid)
{
    struct error error = {0};
    struct ec_point point = {{0}};
    const char *hex = json_text(vector, "public");
    assert_true(hex_decode(hex, point.bytes, EC_POINT_SIZE));
    auto_of(secret_free) struct secret *scalar = wycheproof_scalar(json_text(vector, "private"));
    auto_of(secret_free) struct secret *expected = sample_hex_secret(json_text(vector, "shared"));
    auto_of(secret_free) struct secret *shared = NULL;
    if (strcmp(json_text(vector, "result"), "valid") == 0) {
        assert_done(ec_agree(scalar, &point, &shared, &error), &error);
        assert_true(secret_equals(shared, secret_data(expected), secret_size(expected)));
        (*valid)++;
        return;
    }
    assert_int_equal(ec_agree(scalar, &point, &shared, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    (*invalid)++;
}

static void test_wycheproof_points(void **state)
{
    (void)state;
    auto_json json_t *file = sample_vectors("wycheproof/ecdh_secp256r1_ecpoint_test.json");
    if (file == NULL)
        leave_out(NO_VECTORS);
    size_t valid = 0;
    size_t invalid = 0;
    size_t group_index;
    size_t index;
    json_t *group;
    json_t *vector;
    json_array_foreach (json_object_get(file, "testGroups"), group_index, group) {
        json_array_foreach (json_object_get(group, "tests"), index, vector) {
            /* Other encodings do not fit into a struct ec_point at all. */
            if (is_uncompressed(json_text(vector, "public")))
                check_wycheproof(vector, &valid, &invalid);
        }
    }
    print_message("wycheproof: %zu agreements, %zu points refused\n", valid, invalid);
    assert_true(valid > 300);
    assert_true(invalid > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate_gives_matching_halves),
        cmocka_unit_test(generate_ends_without_randomness),
        cmocka_unit_test(test_public_of_known_scalar),
        cmocka_unit_test(test_scalars_at_the_edges),
        cmocka_unit_test(test_points_refused),
        cmocka_unit_test(test_rfc7518_appendix_c),
        cmocka_unit_test(test_kdf_is_that_of_the_rfc),
        cmocka_unit_test(test_kdf_refuses),
        cmocka_unit_test(test_wycheproof_points),
    };
    return cmocka_run_group_tests_name("ec", tests, NULL, NULL);
}
