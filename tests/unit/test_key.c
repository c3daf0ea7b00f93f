/*
 * test_key.c: keys on a SoftHSM card.  What the card answers is compared with what OpenSSL computes
 * from the public half.
 */
#include "softhsm.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "p11vault/pkcs11/key.h"

static int group_begin(void **state)
{
    (void)state;
    world_begin("ALL");
    format("vault", &world.infos[0]);
    return 0;
}

static int pss_group_begin(void **state)
{
    (void)state;
    world_begin("-CKM_MD5,CKM_SHA256_RSA_PKCS,CKM_RSA_PKCS");
    format("vault", &world.infos[0]);
    return 0;
}

static int bare_group_begin(void **state)
{
    (void)state;
    world_begin("-CKM_MD5,CKM_SHA256_RSA_PKCS,CKM_RSA_PKCS,CKM_SHA256_RSA_PKCS_PSS");
    format("vault", &world.infos[0]);
    return 0;
}

static int mute_group_begin(void **state)
{
    (void)state;
    world_begin(
        "-CKM_MD5,CKM_SHA256_RSA_PKCS,CKM_RSA_PKCS,CKM_SHA256_RSA_PKCS_PSS,CKM_RSA_PKCS_PSS");
    format("vault", &world.infos[0]);
    return 0;
}

static int poor_group_begin(void **state)
{
    (void)state;
    /* SoftHSM 2.6 overlooks the first name of this list. */
    world_begin("-CKM_MD5,CKM_SHA256_RSA_PKCS,CKM_ECDH1_DERIVE");
    format("vault", &world.infos[0]);
    return 0;
}

/* OpenSSL's view of a public half. */

static EVP_PKEY *import(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *openssl_key(const struct public_key *public)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(public->modulus, (int)public->modulus_size, NULL);
    BIGNUM *e = BN_bin2bn(public->exponent, (int)public->exponent_size, NULL);
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY *key = NULL;

    if (public->type == KEY_RSA) {
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
    } else {
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, public->point, 65);
    }
    parameters = OSSL_PARAM_BLD_to_param(builder);
    key = import(public->type == KEY_RSA ? "RSA" : "EC", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

static bool verifies(const struct card_key *key, enum key_padding padding, const void *message,
                     size_t size, const uint8_t *signature, size_t signature_size)
{
    EVP_PKEY *public = openssl_key(&key->public);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool good = EVP_DigestVerifyInit(context, &parameters, EVP_sha256(), NULL, public) == 1 &&
                (padding == KEY_PKCS1 ||
                 (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 32) == 1)) &&
                EVP_DigestVerify(context, signature, signature_size, message, size) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

static size_t encrypt(const struct card_key *key, enum oaep_hash hash, const char *plaintext,
                      uint8_t *ciphertext)
{
    const EVP_MD *md = hash == OAEP_SHA1 ? EVP_sha1() : EVP_sha256();
    EVP_PKEY *public = openssl_key(&key->public);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(public, NULL);
    size_t size = 512;

    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, md), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, md), 1);
    assert_int_equal(
        EVP_PKEY_encrypt(context, ciphertext, &size, (const uint8_t *)plaintext, strlen(plaintext)),
        1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public);
    return size;
}

/* Keys at work. */

static void ec_key_agrees_as_openssl_does(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    EVP_PKEY *ours = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *context = NULL;
    EVP_PKEY *theirs = NULL;
    struct card_key key;
    uint8_t expected[32];
    uint8_t peer[65];
    uint8_t signature[512];
    size_t size = sizeof(expected);
    size_t peer_size = 0;
    struct error error = {0};

    (void)state;
    assert_done(card_make_key(card, KEY_EC_P256, 0, KEY_UNWRAPS, "ec unwraps", &key, &error),
                &error);
    assert_true(key.can_derive);
    assert_false(key.can_sign || key.can_decrypt || key.extractable);
    assert_string_equal(key.label, "ec unwraps");
    assert_int_equal(key.id_size, 8);

    theirs = openssl_key(&key.public);
    context = EVP_PKEY_CTX_new(ours, NULL);
    assert_int_equal(EVP_PKEY_derive_init(context), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(context, theirs), 1);
    assert_int_equal(EVP_PKEY_derive(context, expected, &size), 1);
    assert_int_equal(EVP_PKEY_get_octet_string_param(ours, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, peer,
                                                     sizeof(peer), &peer_size),
                     1);
    assert_int_equal(peer_size, 65);

    auto_of(secret_free) struct secret *shared = NULL;
    assert_done(card_agree(card, &key, peer, &shared, &error), &error);
    assert_true(secret_equals(shared, expected, sizeof(expected)));

    struct secret *untouched = NULL;
    peer[64] ^= 1;
    assert_code(card_agree(card, &key, peer, &untouched, &error), CODE_CARD, &error,
                "C_DeriveKey failed: CKR_");
    peer[64] ^= 1;
    peer[0] = 0x02;
    assert_code(card_agree(card, &key, peer, &untouched, &error), CODE_STOP, &error,
                "uncompressed");
    assert_null(untouched);
    assert_code(card_sign(card, &key, KEY_PKCS1, "a", 1, signature, &size, &error), CODE_CONFIG,
                &error, "may not sign");
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
}

static void rsa_key_decrypts_oaep(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    auto_of(secret_free) struct secret *plaintext = NULL;
    struct secret *untouched = NULL;
    struct card_key key;
    uint8_t ciphertext[512];
    size_t size = 0;
    struct error error = {0};

    (void)state;
    assert_done(card_make_key(card, KEY_RSA, 2048, KEY_UNWRAPS, "rsa unwraps", &key, &error),
                &error);
    assert_true(key.can_decrypt);
    assert_false(key.can_sign || key.can_derive || key.extractable);
    assert_int_equal(key.public.modulus_size, 256);

    /*
     * A mechanism the card does not have is refused at the begin and leaves the session as it was.
     */
    size = encrypt(&key, OAEP_SHA256, "app key", ciphertext);
    assert_code(card_decrypt(card, &key, OAEP_SHA256, ciphertext, size, &untouched, &error),
                CODE_CARD, &error, "C_DecryptInit failed: CKR_ARGUMENTS_BAD");
    size = encrypt(&key, OAEP_SHA1, "app key", ciphertext);
    assert_done(card_decrypt(card, &key, OAEP_SHA1, ciphertext, size, &plaintext, &error), &error);
    assert_true(secret_equals(plaintext, "app key", 7));
    assert_code(card_decrypt(card, &key, OAEP_SHA1, ciphertext, size - 1, &untouched, &error),
                CODE_STOP, &error, "size");

    ciphertext[100] ^= 1;
    assert_code(card_decrypt(card, &key, OAEP_SHA1, ciphertext, size, &untouched, &error),
                CODE_CARD, &error, "C_Decrypt failed");
    ciphertext[100] ^= 1;
    assert_code(card_decrypt(card, &key, OAEP_SHA1, ciphertext, size, &untouched, &error),
                CODE_CARD, &error, "session was closed");
    assert_null(untouched);
}

static void signatures_verify(void **state)
{
    static const char message[] = "p11vault checkpoint\n";
    static const enum key_type types[] = {KEY_EC_P256, KEY_RSA, KEY_RSA};
    static const enum key_padding paddings[] = {KEY_PKCS1, KEY_PKCS1, KEY_PSS};
    auto_of(card_free) struct card *card = logged_in();
    struct error error = {0};

    (void)state;
    struct card_key key;
    for (size_t t = 0; t < 3; t++) {
        /* One RSA key for both paddings: making one takes long. */
        if (t == 0 || types[t] != types[t - 1])
            assert_done(card_make_key(card, types[t], 2048, KEY_SIGNS, "signs", &key, &error),
                        &error);
        assert_true(key.can_sign);
        assert_false(key.can_decrypt || key.can_derive || key.extractable);
        /* Many, since a short or a high first byte of r or s makes another DER. */
        for (size_t i = 1; i <= (types[t] == KEY_EC_P256 ? 400 : 3); i++) {
            uint8_t signature[512];
            size_t size = 0;

            assert_done(card_sign(card, &key, paddings[t], message, i % sizeof(message), signature,
                                  &size, &error),
                        &error);
            assert_true(verifies(&key, paddings[t], message, i % sizeof(message), signature, size));
            signature[size - 1] ^= 1;
            assert_false(
                verifies(&key, paddings[t], message, i % sizeof(message), signature, size));
        }
    }
}

static void rsa_signs_without_the_combined_mechanism(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    struct card_key key;
    uint8_t signature[512];
    size_t size = 0;
    struct error error = {0};

    (void)state;
    assert_done(card_make_key(card, KEY_RSA, 2048, KEY_SIGNS, "signs", &key, &error), &error);
    assert_done(card_sign(card, &key, KEY_PKCS1, "abc", 3, signature, &size, &error), &error);
    assert_int_equal(size, 256);
    assert_true(verifies(&key, KEY_PKCS1, "abc", 3, signature, size));
}

/* The state says which padding is there; of PSS the combined mechanism, or the bare one alone. */
static void the_padding_is_found(void **state)
{
    const enum key_padding *wanted = *state;
    auto_of(card_free) struct card *card = logged_in();
    enum key_padding padding = KEY_PSS;
    struct card_key key;
    uint8_t signature[512];
    size_t size = 0;
    struct error error = {0};

    assert_done(card_make_key(card, KEY_EC_P256, 0, KEY_SIGNS, "ec", &key, &error), &error);
    assert_done(card_find_padding(card, &key, &padding, &error), &error);
    assert_int_equal(padding, KEY_PKCS1);
    assert_done(card_make_key(card, KEY_RSA, 2048, KEY_SIGNS, "rsa", &key, &error), &error);
    assert_done(card_find_padding(card, &key, &padding, &error), &error);
    assert_int_equal(padding, *wanted);
    assert_done(card_sign(card, &key, padding, "abc", 3, signature, &size, &error), &error);
    assert_true(verifies(&key, padding, "abc", 3, signature, size));
    assert_false(
        verifies(&key, padding == KEY_PSS ? KEY_PKCS1 : KEY_PSS, "abc", 3, signature, size));
    if (padding == KEY_PSS)
        assert_code(card_sign(card, &key, KEY_PKCS1, "abc", 3, signature, &size, &error), CODE_CARD,
                    &error, "C_SignInit failed: CKR_MECHANISM_INVALID");
    else
        assert_done(card_sign(card, &key, KEY_PSS, "abc", 3, signature, &size, &error), &error);
}

static void no_padding_is_an_error(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    enum key_padding padding;
    struct card_key key;
    struct error error = {0};

    (void)state;
    assert_done(card_make_key(card, KEY_RSA, 2048, KEY_SIGNS, "rsa", &key, &error), &error);
    assert_code(card_find_padding(card, &key, &padding, &error), CODE_CARD, &error,
                "C_SignInit failed: CKR_MECHANISM_INVALID");
}

static void best_type_is_what_the_card_can_use(void **state)
{
    auto_of(card_free) struct card *card = opened();
    bool poor = *state != NULL;
    enum key_type type = KEY_RSA;
    struct error error = {0};

    assert_done(card_best_key_type(card, KEY_SIGNS, &type, &error), &error);
    assert_int_equal(type, KEY_EC_P256);
    type = poor ? KEY_EC_P256 : KEY_RSA;
    assert_done(card_best_key_type(card, KEY_UNWRAPS, &type, &error), &error);
    assert_int_equal(type, poor ? KEY_RSA : KEY_EC_P256);
}

static void make_refuses(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    struct card_key key;
    struct error error = {0};

    (void)state;
    assert_code(card_make_key(card, KEY_RSA, 1024, KEY_SIGNS, "a", &key, &error), CODE_USAGE,
                &error, "bits");
    assert_code(card_make_key(card, KEY_RSA, 8192, KEY_SIGNS, "a", &key, &error), CODE_USAGE,
                &error, "bits");
    assert_code(card_make_key(card, KEY_EC_P256, 0, KEY_SIGNS, "", &key, &error), CODE_USAGE,
                &error, "label");
}

/* Keys made by others, with attributes that ours never have: straight through the module. */

struct foreign {
    const char *label;
    CK_BBOOL extractable;
    CK_BBOOL always_authenticate;
    CK_BBOOL derive;
    bool p384;
    bool unwraps; /* an RSA key that may unwrap and nothing else */
    bool decrypts;
    bool open; /* not CKA_PRIVATE */
    bool mute; /* may not sign */
};

static void make_foreign(const struct foreign *foreign)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    CK_FUNCTION_LIST *calls = p11_kit_module_load(MODULE, P11_KIT_MODULE_UNMANAGED);
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    struct foreign copy = *foreign;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL decrypts = foreign->decrypts, closed = !foreign->open, signs = !foreign->mute;
    CK_ULONG bits = 2048;
    CK_BYTE label[32];
    CK_BYTE id[] = {0xee, (CK_BYTE)foreign->label[0]};
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;
    CK_OBJECT_HANDLE handles[2];
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

    memcpy(label, foreign->label, strlen(foreign->label));
    CK_ATTRIBUTE public[] = {
        {CKA_TOKEN, &yes, 1},
        {CKA_ID, id, sizeof(id)},
        {CKA_EC_PARAMS, foreign->p384 ? p384 : p256, foreign->p384 ? sizeof(p384) : sizeof(p256)},
    };
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &closed, 1},
        {CKA_ID, id, sizeof(id)},
        {CKA_LABEL, label, strlen(foreign->label)},
        {CKA_DERIVE, &copy.derive, 1},
        {CKA_EXTRACTABLE, &copy.extractable, 1},
        {CKA_ALWAYS_AUTHENTICATE, &copy.always_authenticate, 1},
        {CKA_DECRYPT, &decrypts, 1},
        {CKA_SIGN, &signs, 1},
    };
    if (foreign->unwraps) {
        mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
        public[2] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
        private[4] = (CK_ATTRIBUTE){CKA_UNWRAP, &yes, 1};
    }

    assert_int_equal(calls->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    for (CK_ULONG i = 0; i < count && session == CK_INVALID_HANDLE; i++) {
        CK_TOKEN_INFO info;

        assert_int_equal(calls->C_GetTokenInfo(slots[i], &info), CKR_OK);
        if (memcmp(info.serialNumber, world.infos[0].serial, 16) == 0)
            assert_int_equal(calls->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                  NULL, NULL, &session),
                             CKR_OK);
    }
    assert_int_equal(calls->C_GenerateKeyPair(session, &mechanism, public, 3, private, 9,
                                              &handles[0], &handles[1]),
                     CKR_OK);
    if (foreign->p384)
        assert_int_equal(calls->C_DestroyObject(session, handles[0]), CKR_OK);
    assert_int_equal(calls->C_CloseSession(session), CKR_OK);
    p11_kit_module_release(calls);
}

static int find_label(void *context, const struct card_key *key)
{
    return strcmp(key->label, context) == 0 ? 1 : 0;
}

static void keys_are_found_by_uri(void **state)
{
    auto_of(card_free) struct card *card = logged_in();
    struct card_uri by_id = {.label = "vault"};
    struct card_uri by_label = {.object = "found"};
    struct card_uri both = {.object = "found", .id = {1}, .id_size = 1};
    struct card_key made;
    struct card_key found;
    struct error error = {0};

    (void)state;
    assert_done(card_make_key(card, KEY_EC_P256, 0, KEY_UNWRAPS, "found", &made, &error), &error);
    memcpy(by_id.id, made.id, made.id_size);
    by_id.id_size = made.id_size;
    assert_done(card_find_key(card, &by_id, KEY_UNWRAPS, &found, &error), &error);
    assert_memory_equal(found.public.point, made.public.point, 65);
    assert_done(card_find_key(card, &by_label, KEY_UNWRAPS, &found, &error), &error);
    assert_memory_equal(found.public.point, made.public.point, 65);
    assert_code(card_find_key(card, &both, KEY_UNWRAPS, &found, &error), CODE_CONFIG, &error,
                "no private key fits the URI; keys that are there: ");

    assert_done(card_make_key(card, KEY_EC_P256, 0, KEY_UNWRAPS, "found", &made, &error), &error);
    assert_code(card_find_key(card, &by_label, KEY_UNWRAPS, &found, &error), CODE_CONFIG, &error,
                "2 private keys fit the URI: P-256 id=");
    assert_done(card_make_key(card, KEY_RSA, 2048, KEY_SIGNS, "only signs", &made, &error), &error);
    strcpy(by_label.object, "only signs");
    assert_code(card_find_key(card, &by_label, KEY_UNWRAPS, &found, &error), CODE_CONFIG, &error,
                "may neither decrypt");
}

static void unfit_keys_are_refused(void **state)
{
    static const struct {
        struct foreign key;
        const char *why;
    } cases[] = {
        {{"extractable", .extractable = CK_TRUE, .derive = CK_TRUE}, "can leave the card"},
        {{"asks", .always_authenticate = CK_TRUE, .derive = CK_TRUE}, "CKA_ALWAYS_AUTHENTICATE"},
        {{"unwraps and asks", .always_authenticate = CK_TRUE, .unwraps = true},
         "which only RSA keys that may decrypt can be given"},
        {{"no derive", .derive = CK_FALSE}, "may not derive"},
    };
    auto_of(card_free) struct card *card = logged_in();
    struct card_key key;
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct card_uri uri = {.label = ""};

        make_foreign(&cases[i].key);
        strcpy(uri.object, cases[i].key.label);
        assert_code(card_find_key(card, &uri, KEY_UNWRAPS, &key, &error), CODE_CONFIG, &error,
                    cases[i].why);
    }
}

/* ykcs11 says of its EC keys that they decrypt, and not that they derive: the round trip tells. */
static void a_key_that_says_decrypt_is_tried(void **state)
{
    static const struct foreign says = {"says decrypt", .decrypts = true};
    struct card_uri uri = {.object = "says decrypt"};
    auto_of(card_free) struct card *card = logged_in();
    struct secret *untouched = NULL;
    struct card_key key;
    struct error error = {0};

    (void)state;
    make_foreign(&says);
    assert_done(card_find_key(card, &uri, KEY_UNWRAPS, &key, &error), &error);
    assert_false(key.can_derive);
    /* This one does as it says. */
    assert_code(card_agree(card, &key, key.public.point, &untouched, &error), CODE_CONFIG, &error,
                "the key may not derive, so it cannot unwrap");
    assert_null(untouched);
}

static void keys_are_found_for_signing(void **state)
{
    static const struct foreign good = {"good", .derive = CK_TRUE};
    static const struct foreign bad[] = {
        {"mute", .mute = true}, {"open", .open = true}, {"leaves", .extractable = CK_TRUE}};
    static const char *const why[] = {"may not sign", "works without a PIN", "can leave the card"};
    struct card_uri uri = {.object = "good"};
    auto_of(card_free) struct card *card = logged_in();
    struct card_key key, found;
    struct error error = {0};

    (void)state;
    make_foreign(&good);
    assert_done(card_find_key(card, &uri, KEY_SIGNS, &key, &error), &error);
    assert_string_equal(key.label, "good");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_foreign(&bad[i]);
        strcpy(uri.object, bad[i].label);
        assert_code(card_find_key(card, &uri, KEY_SIGNS, &found, &error), CODE_CONFIG, &error,
                    why[i]);
        assert_int_equal(card_offer_keys(card, KEY_SIGNS, NULL, &error), -1);
        assert_non_null(strstr(error.text, "keys on it that can sign: "));
        assert_non_null(strstr(error.text, "'good'"));
        assert_null(strstr(strstr(error.text, "can sign: "), bad[i].label));
        assert_non_null(strstr(error.hint, "--sign 'pkcs11:id=%"));
        /* An error that has a way out already keeps it. */
        error_hint(&error, "another way");
        assert_int_equal(card_offer_keys(card, KEY_SIGNS, NULL, &error), -1);
        assert_string_equal(error.hint, "another way");
    }
    /* A key that has its use is not offered for another. */
    error_set(&error, CODE_CARD, "no");
    assert_int_equal(card_offer_keys(card, KEY_SIGNS, &key, &error), -1);
    assert_null(strstr(error.text, "'good'"));
}

static void unreadable_keys_are_counted(void **state)
{
    static const struct foreign p384 = {"p384", .derive = CK_TRUE, .p384 = true};
    char label[] = "p384";
    auto_of(card_free) struct card *card = logged_in();
    size_t before = 99;
    size_t after = 99;
    struct error error = {0};

    (void)state;
    assert_int_equal(card_each_key(card, find_label, label, &before, &error), 0);
    make_foreign(&p384);
    assert_int_equal(card_each_key(card, find_label, label, &after, &error), 0);
    assert_int_equal(after, before + 1);
}

static int other_point(void *context, const struct card_key *key)
{
    const struct card_key *made = context;

    return memcmp(key->id, made->id, made->id_size) == 0 ? 1 : 0;
}

/* Two different public halves for one CKA_ID: neither is believed. */
static void contradicting_public_halves_are_unreadable(void **state)
{
    static const struct foreign one = {"x one", .derive = CK_TRUE};
    static const struct foreign two = {"x two", .derive = CK_TRUE};
    struct card_key made = {.id = {0xee, 'x'}, .id_size = 2};
    auto_of(card_free) struct card *card = logged_in();
    size_t unreadable = 0;
    struct error error = {0};

    (void)state;
    make_foreign(&one);
    assert_int_equal(card_each_key(card, other_point, &made, &unreadable, &error), 1);
    make_foreign(&two);
    assert_int_equal(card_each_key(card, other_point, &made, &unreadable, &error), 0);
    assert_true(unreadable >= 2);
}

int main(void)
{
    static bool poor = true;
    static const enum key_padding pkcs1 = KEY_PKCS1, pss = KEY_PSS;
    static void *const padding_pkcs1 = (void *)(uintptr_t)&pkcs1;
    static void *const padding_pss = (void *)(uintptr_t)&pss;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_key_agrees_as_openssl_does),
        cmocka_unit_test(rsa_key_decrypts_oaep),
        cmocka_unit_test(signatures_verify),
        cmocka_unit_test_prestate(the_padding_is_found, padding_pkcs1),
        cmocka_unit_test(best_type_is_what_the_card_can_use),
        cmocka_unit_test(make_refuses),
        cmocka_unit_test(keys_are_found_by_uri),
        cmocka_unit_test(unfit_keys_are_refused),
        cmocka_unit_test(a_key_that_says_decrypt_is_tried),
        cmocka_unit_test(keys_are_found_for_signing),
        cmocka_unit_test(unreadable_keys_are_counted),
        cmocka_unit_test(contradicting_public_halves_are_unreadable),
    };
    const struct CMUnitTest poor_tests[] = {
        cmocka_unit_test(rsa_signs_without_the_combined_mechanism),
        cmocka_unit_test_prestate(best_type_is_what_the_card_can_use, &poor),
        cmocka_unit_test_prestate(the_padding_is_found, padding_pkcs1),
    };
    const struct CMUnitTest pss_tests[] = {
        cmocka_unit_test_prestate(the_padding_is_found, padding_pss),
    };
    const struct CMUnitTest mute_tests[] = {
        cmocka_unit_test(no_padding_is_an_error),
    };
    int failed = cmocka_run_group_tests_name("key", tests, group_begin, world_end);

    failed +=
        cmocka_run_group_tests_name("key, poor card", poor_tests, poor_group_begin, world_end);
    failed += cmocka_run_group_tests_name("key, PSS only", pss_tests, pss_group_begin, world_end);
    failed +=
        cmocka_run_group_tests_name("key, bare PSS only", pss_tests, bare_group_begin, world_end);
    return failed + cmocka_run_group_tests_name("key, no RSA signature", mute_tests,
                                                mute_group_begin, world_end);
}
