/*
 * test_uri.c: PKCS#11 URIs: what is taken, what is refused, and that p11-kit reads the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/pkcs11/uri.h"

static void refused_with(const char *text, const char *reason)
{
    struct card_uri uri;
    struct card_uri before;
    struct error error = {0};

    memset(&uri, 0x5a, sizeof(uri));
    before = uri;
    assert_int_equal(card_uri_parse(text, &uri, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    if (strstr(error.text, reason) == NULL)
        fail_msg("'%s': \"%s\" does not say \"%s\"", text, error.text, reason);
    assert_memory_equal(&uri, &before, sizeof(uri));
}

static void takes_every_attribute(void **state)
{
    struct card_uri uri;
    struct error error = {0};

    (void)state;
    assert_int_equal(card_uri_parse("pkcs11:token=My%20Card;manufacturer=Aktiv%20Co.;serial=3a1b;"
                                    "model=Rutoken&ECP;object=key%3b1;id=%01%00%fF;type=private",
                                    &uri, &error),
                     0);
    assert_string_equal(uri.label, "My Card");
    assert_string_equal(uri.manufacturer, "Aktiv Co.");
    assert_string_equal(uri.serial, "3a1b");
    assert_string_equal(uri.model, "Rutoken&ECP");
    assert_string_equal(uri.object, "key;1");
    assert_int_equal(uri.id_size, 3);
    assert_memory_equal(uri.id, "\x01\x00\xff", 3);
    assert_true(card_uri_names_key(&uri));
}

static void takes_an_empty_path(void **state)
{
    static const struct card_uri empty;
    struct card_uri uri;
    struct error error = {0};

    (void)state;
    assert_int_equal(card_uri_parse("pkcs11:", &uri, &error), 0);
    assert_memory_equal(&uri, &empty, sizeof(uri));
    assert_false(card_uri_names_key(&uri));
    assert_int_equal(card_uri_parse("pkcs11:serial=1;type=public", &uri, &error), 0);
    assert_false(card_uri_names_key(&uri));
    assert_int_equal(card_uri_parse("pkcs11:object=a", &uri, &error), 0);
    assert_true(card_uri_names_key(&uri));
}

static void refuses_what_the_configuration_says(void **state)
{
    (void)state;
    refused_with("pkcs11:token=a?pin-value=1234", "'pin-value'");
    refused_with("pkcs11:token=a?pin-source=file:/pin", "'pin-source'");
    refused_with("pkcs11:?module-path=/evil.so", "'module-path'");
    refused_with("pkcs11:token=a?module-name=evil", "'module-name'");
    refused_with("pkcs11:module-path=/evil.so", "'module-path'");
    refused_with("pkcs11:pin-value=1", "'pin-value'");
    refused_with("pkcs11:slot-id=1", "'slot-id'");
    refused_with("pkcs11:token=a?x-vendor=1", "not known");
    refused_with("pkcs11:token=a?", "not known");
    refused_with("pkcs11:x-vendor=1", "position 8 is not known");
    refused_with("pkcs11:pinfile=/pin", "not known");
    refused_with("pkcs11:objecttype=private", "not known");
}

static void never_quotes_a_pin(void **state)
{
    struct card_uri uri;
    struct error error = {0};

    (void)state;
    assert_int_equal(card_uri_parse("pkcs11:token=a?pin-value=98765432", &uri, &error), -1);
    assert_null(strstr(error.text, "98765432"));
    assert_null(strstr(error.hint, "98765432"));
}

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    refused_with("", "begin with");
    refused_with("pkcs11", "begin with");
    refused_with("PKCS11:token=a", "begin with");
    refused_with(" pkcs11:token=a", "begin with");
    refused_with("pkcs11:token", "no '='");
    refused_with("pkcs11:token=", "empty");
    refused_with("pkcs11:id=", "empty");
    refused_with("pkcs11:token=a;", "nothing follows");
    refused_with("pkcs11:;token=a", "no '='");
    refused_with("pkcs11:token=a;;serial=1", "no '='");
    refused_with("pkcs11:token=a;token=a", "twice");
    refused_with("pkcs11:token =a", "not known");
    refused_with("pkcs11:token=a b", "percent-encoded");
    refused_with("pkcs11:token=a/b", "percent-encoded");
    refused_with("pkcs11:token=a#b", "percent-encoded");
    refused_with("pkcs11:token=\xc3\xa4", "percent-encoded");
    refused_with("pkcs11:token=a%", "hexadecimal");
    refused_with("pkcs11:token=a%2", "hexadecimal");
    refused_with("pkcs11:token=a%2;serial=1", "hexadecimal");
    refused_with("pkcs11:token=a%zz", "hexadecimal");
    refused_with("pkcs11:token=a%00b", "control character");
    refused_with("pkcs11:token=a%0ab", "control character");
    refused_with("pkcs11:token=a%7f", "control character");
    refused_with("pkcs11:type=cert", "'type'");
    refused_with("pkcs11:type=privat", "'type'");
}

static void bounds_are_kept(void **state)
{
    char text[4096];
    struct card_uri uri;
    struct error error = {0};

    (void)state;
    snprintf(text, sizeof(text), "pkcs11:token=%064d", 1);
    assert_int_equal(card_uri_parse(text, &uri, &error), 0);
    assert_int_equal(strlen(uri.label), 64);
    snprintf(text, sizeof(text), "pkcs11:token=%065d", 1);
    refused_with(text, "longer than 64");
    snprintf(text, sizeof(text), "pkcs11:id=%065d", 1);
    refused_with(text, "longer than 64");
    snprintf(text, sizeof(text), "pkcs11:token=%03000d", 1);
    refused_with(text, "longer than 2048");
}

/*
 * The differential: a field of ours is what p11-kit has, so that other programs find the same card.
 */
static void p11_kit_agrees(void **state)
{
    static const char *const texts[] = {
        "pkcs11:token=vault;serial=1234abcd;model=SoftHSM%20v2;manufacturer=SoftHSM%20project",
        "pkcs11:token=a%26b;object=x!$'()*+,=@:[]~_-.;id=%de%ad;type=private",
        "pkcs11:object=%d0%ba%d0%bb%d1%8e%d1%87;id=abc",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        P11KitUri *theirs = p11_kit_uri_new();
        CK_ATTRIBUTE_PTR attribute = NULL;
        CK_TOKEN_INFO_PTR token = NULL;
        struct card_uri ours;
        struct error error = {0};

        assert_int_equal(p11_kit_uri_parse(texts[i], P11_KIT_URI_FOR_ANY, theirs), P11_KIT_URI_OK);
        assert_int_equal(card_uri_parse(texts[i], &ours, &error), 0);
        token = p11_kit_uri_get_token_info(theirs);
        assert_memory_equal(ours.label, token->label, strlen(ours.label));
        assert_memory_equal(ours.serial, token->serialNumber, strlen(ours.serial));
        assert_memory_equal(ours.model, token->model, strlen(ours.model));
        assert_memory_equal(ours.manufacturer, token->manufacturerID, strlen(ours.manufacturer));
        attribute = p11_kit_uri_get_attribute(theirs, CKA_ID);
        assert_int_equal(attribute == NULL ? 0 : attribute->ulValueLen, ours.id_size);
        if (attribute != NULL)
            assert_memory_equal(ours.id, attribute->pValue, ours.id_size);
        attribute = p11_kit_uri_get_attribute(theirs, CKA_LABEL);
        assert_int_equal(attribute == NULL ? 0 : attribute->ulValueLen, strlen(ours.object));
        if (attribute != NULL)
            assert_memory_equal(ours.object, attribute->pValue, attribute->ulValueLen);
        p11_kit_uri_free(theirs);
    }
}

static void some_serials_tell_nothing(void **state)
{
    (void)state;
    assert_false(card_serial_tells(""));
    assert_false(card_serial_tells("00000000"));
    assert_true(card_serial_tells("00000001"));
    assert_true(card_serial_tells("649607dd5d3f8c76"));
    assert_true(card_serial_tells("0000000000000000")); /* what tpm2-pkcs11 says of its one TPM */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_serials_tell_nothing),
        cmocka_unit_test(takes_every_attribute),
        cmocka_unit_test(takes_an_empty_path),
        cmocka_unit_test(refuses_what_the_configuration_says),
        cmocka_unit_test(never_quotes_a_pin),
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(p11_kit_agrees),
    };

    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
