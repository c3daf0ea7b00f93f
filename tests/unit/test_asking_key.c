/*
 * test_asking_key.c: keys that want the PIN or a touch at each use, on cards whose modules answer
 * as no SoftHSM does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../src/pkcs11/internal.h"

#define PIN "48151623"

/* What the module answers, and what it was asked. */
static struct {
    CK_RV login;
    size_t keys;   /* how many it finds, whatever it was asked for */
    size_t asking; /* the number of the one that asks; 0: none */
    size_t given;  /* how many it has named */
    size_t logins;
} module;

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
    (void)session;
    assert_int_equal(user, CKU_CONTEXT_SPECIFIC);
    assert_int_equal(size, strlen(PIN));
    assert_memory_equal(pin, PIN, size);
    module.logins++;
    return module.login;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
    (void)session, (void)wanted, (void)count;
    module.given = 0;
    return CKR_OK;
}

/* Three at a time, as a module may that has them in pages. */
static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room,
                  CK_ULONG *count)
{
    (void)session;
    *count = 0;
    while (*count < 3 && *count < room && module.given < module.keys)
        objects[(*count)++] = ++module.given;
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_OK;
}

static CK_RV read_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                            CK_ATTRIBUTE *template, CK_ULONG count)
{
    (void)session;
    assert_int_equal(count, 1);
    assert_int_equal(template->type, CKA_ALWAYS_AUTHENTICATE);
    *(CK_BBOOL *)template->pValue = object == module.asking;
    return CKR_OK;
}

static CK_FUNCTION_LIST calls = {
    .C_Login = login,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = find_final,
    .C_GetAttributeValue = read_attribute,
};
static struct module loaded = {.calls = &calls};
static const struct card_key asking = {.asks_each_time = true};

static struct secret *typed(void)
{
    struct secret *pin = NULL;
    struct error error = {0};
    assert_int_equal(secret_new(32, &pin, &error), 0);
    assert_int_equal(secret_append_text(pin, PIN, &error), 0);
    return pin;
}

static struct card card_with(size_t keys, size_t which)
{
    memset(&module, 0, sizeof(module));
    module.keys = keys;
    module.asking = which;
    return (struct card){.module = &loaded, .session = 1};
}

static bool keeps(size_t keys, size_t which)
{
    auto_of(secret_free) struct secret *pin = typed();
    struct card card = card_with(keys, which);
    struct error error = {0};
    assert_int_equal(card_keep_pin(&card, pin, &error), 0);
    bool kept = card.pin != NULL;
    secret_free(TAKE(card.pin));
    return kept;
}

/* A module that does not look at the attribute names keys that do not ask first. */
static void pin_is_kept_for_any_key_that_asks(void **state)
{
    (void)state;
    assert_true(keeps(1, 1));
    assert_true(keeps(2, 2));
    assert_true(keeps(8, 7));
    assert_true(keeps(KEYS_MAX + 1, 4));
    assert_false(keeps(8, 0));
    assert_false(keeps(0, 0));
}

/* The card has looked at no PIN, so the next key is given the same. */
static void pin_outlives_a_module_without_such_logins(void **state)
{
    static const CK_RV harmless[] = {CKR_OK, CKR_USER_ALREADY_LOGGED_IN, CKR_USER_TYPE_INVALID};
    (void)state;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        struct card card = card_with(1, 1);
        card.pin = typed();
        module.login = harmless[i];
        assert_int_equal(card_login_again(&card, &asking), CKR_OK);
        assert_int_equal(card_login_again(&card, &asking), CKR_OK);
        assert_int_equal(module.logins, 2);
        secret_free(TAKE(card.pin));
    }
}

static void refused_pin_is_forgotten(void **state)
{
    struct card card = card_with(1, 1);
    (void)state;
    card.pin = typed();
    module.login = CKR_PIN_INCORRECT;
    assert_int_equal(card_login_again(&card, &asking), CKR_PIN_INCORRECT);
    assert_null(card.pin);
    assert_int_equal(card_login_again(&card, &asking), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(module.logins, 1);
}

/* A card that waits for a touch does not refuse the point as it is written. */
static void a_wait_in_vain_is_no_refusal_of_the_form(void **state)
{
    (void)state;
    assert_true(key_form_is_refused(CKR_FUNCTION_FAILED, 20 * 1000));
    assert_true(key_form_is_refused(CKR_GENERAL_ERROR, 999 * 1000));
    assert_true(key_form_is_refused(CKR_MECHANISM_PARAM_INVALID, 3 * 1000 * 1000));
    assert_true(key_form_is_refused(CKR_DATA_LEN_RANGE, 3 * 1000 * 1000));
    assert_false(key_form_is_refused(CKR_FUNCTION_FAILED, 15 * 1000 * 1000));
    assert_false(key_form_is_refused(CKR_USER_NOT_LOGGED_IN, 10 * 1000 * 1000));
    assert_false(key_form_is_refused(CKR_DEVICE_ERROR, 1000 * 1000));
}

static void a_touch_is_missed_after_some_seconds_only(void **state)
{
    static const CK_RV untouched[] = {CKR_USER_NOT_LOGGED_IN, CKR_FUNCTION_FAILED,
                                      CKR_DEVICE_ERROR};
    (void)state;
    for (size_t i = 0; i < sizeof(untouched) / sizeof(untouched[0]); i++) {
        assert_true(key_was_untouched(untouched[i], 10 * 1000 * 1000));
        assert_false(key_was_untouched(untouched[i], 4 * 1000 * 1000));
    }
    assert_false(key_was_untouched(CKR_DEVICE_REMOVED, 10 * 1000 * 1000));
    assert_false(key_was_untouched(CKR_PIN_INCORRECT, 10 * 1000 * 1000));
}

static void only_some_makers_cards_want_a_touch(void **state)
{
    (void)state;
    assert_true(card_may_want_touch(&(struct card_info){.manufacturer = "piv_II"}));
    assert_true(
        card_may_want_touch(&(struct card_info){.manufacturer = "Yubico (www.yubico.com)"}));
    assert_false(card_may_want_touch(&(struct card_info){.manufacturer = "Aktiv Co."}));
    assert_false(card_may_want_touch(&(struct card_info){.manufacturer = "SoftHSM project"}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_in_vain_is_no_refusal_of_the_form),
        cmocka_unit_test(a_touch_is_missed_after_some_seconds_only),
        cmocka_unit_test(only_some_makers_cards_want_a_touch),
        cmocka_unit_test(pin_is_kept_for_any_key_that_asks),
        cmocka_unit_test(pin_outlives_a_module_without_such_logins),
        cmocka_unit_test(refused_pin_is_forgotten),
    };
    return cmocka_run_group_tests_name("asking key", tests, NULL, NULL);
}
