/*
 * test_card.c: modules, cards and PINs, with SoftHSM.
 */
#include "softhsm.h"

#include "p11vault/pkcs11/key.h"

static int group_begin(void **state)
{
    (void)state;
    world_begin("ALL");
    format("vault", &world.infos[0]);
    format("twin", &world.infos[1]);
    format("twin", &world.infos[2]);
    return 0;
}

/* Modules. */

static void load_refuses(void **state)
{
    struct module *module = NULL;
    struct error error = {0};
    char path[128];

    (void)state;
    assert_code(module_load("libsofthsm2.so", &module, &error), CODE_CONFIG, &error, "absolute");
    assert_code(module_load("/nowhere/module.so", &module, &error), CODE_CONFIG, &error, "open");
    assert_code(module_load("/usr/lib", &module, &error), CODE_CONFIG, &error, "regular file");
    snprintf(path, sizeof(path), "%s/module.so", world.directory);
    write_text(path, "no module", 0644);
    assert_code(module_load(path, &module, &error), CODE_CONFIG, &error, "load PKCS#11 module");
    assert_int_equal(chmod(path, 0646), 0);
    assert_code(module_load(path, &module, &error), CODE_CONFIG, &error, "written by others");
    assert_int_equal(unlink(path), 0);
    assert_null(module);
    module_free(NULL);
}

static void format_refuses(void **state)
{
    auto_of(secret_free) struct secret *pin = secret_of(PIN);
    auto_of(secret_free) struct secret *brief = secret_of("123");
    struct card_info info;
    struct error error = {0};

    (void)state;
    assert_code(module_format_card(world.module, "", pin, pin, &info, &error), CODE_USAGE, &error,
                "label");
    assert_code(module_format_card(world.module, "123456789012345678901234567890123", pin, pin,
                                   &info, &error),
                CODE_USAGE, &error, "label");
    assert_code(module_format_card(world.module, "a", brief, pin, &info, &error), CODE_USAGE,
                &error, "security officer's PIN is shorter");
    assert_code(module_format_card(world.module, "a", pin, brief, &info, &error), CODE_USAGE,
                &error, "the PIN is shorter");
}

static void formatted_card_is_ready(void **state)
{
    (void)state;
    assert_string_equal(world.infos[0].label, "vault");
    assert_string_equal(world.infos[0].model, "SoftHSM v2");
    assert_string_equal(world.infos[0].manufacturer, "SoftHSM project");
    assert_int_equal(strlen(world.infos[0].serial), 16);
    assert_true(world.infos[0].initialised && world.infos[0].pin_set);
    assert_false(world.infos[0].pin_locked || world.infos[0].pin_pad);
    assert_int_equal(world.infos[0].pin_min, 4);
    assert_string_not_equal(world.infos[1].serial, world.infos[2].serial);
}

static int count_card(void *context, const struct card_info *info)
{
    (*(int *)context)++;
    assert_true(info->initialised);
    return 0;
}

static int stop_at_once(void *context, const struct card_info *info)
{
    (void)info;
    (*(int *)context)++;
    return 7;
}

static void cards_are_listed(void **state)
{
    struct error error = {0};
    int seen = 0;

    (void)state;
    assert_int_equal(module_each_card(world.module, count_card, &seen, &error), 0);
    assert_int_equal(seen, CARDS);
    seen = 0;
    assert_int_equal(module_each_card(world.module, stop_at_once, &seen, &error), 7);
    assert_int_equal(seen, 1);
}

/* Choosing. */

static void card_is_opened_by_serial_or_label(void **state)
{
    struct card_uri uris[2] = {{.label = "no such"}, {.label = ""}};
    auto_of(card_free) struct card *card = NULL;
    struct error error = {0};

    (void)state;
    strcpy(uris[1].serial, world.infos[2].serial);
    assert_done(card_open(world.module, uris, 2, &card, &error), &error);
    assert_string_equal(card_info(card)->serial, world.infos[2].serial);
    card_free(TAKE(card));
    card = opened();
    assert_string_equal(card_info(card)->serial, world.infos[0].serial);
    card_free(NULL);
}

static void missing_card_says_what_is_there(void **state)
{
    struct card_uri uris[2] = {{.serial = "0123", .model = "Rutoken"}, {.label = "lost"}};
    struct card *card = NULL;
    struct error error = {0};

    (void)state;
    assert_code(card_open(world.module, uris, 2, &card, &error), CODE_NO_CARD, &error,
                "serial '0123' model 'Rutoken' or token 'lost'");
    for (size_t i = 0; i < CARDS; i++)
        assert_non_null(strstr(error.text, world.infos[i].serial));
    assert_non_null(strstr(error.text, "'vault'"));
    assert_non_null(strstr(error.hint, "p11vault card list"));
    assert_code(card_open(world.module, uris, 0, &card, &error), CODE_NO_CARD, &error, "no card");
    assert_null(card);
}

static void ambiguity_lists_the_candidates(void **state)
{
    struct card_uri uri = {.label = "twin"};
    struct card *card = NULL;
    struct error error = {0};

    (void)state;
    assert_code(card_open(world.module, &uri, 1, &card, &error), CODE_NO_CARD, &error,
                "more than one card fits token 'twin'");
    assert_non_null(strstr(error.text, world.infos[1].serial));
    assert_non_null(strstr(error.text, world.infos[2].serial));
    assert_null(strstr(error.text, world.infos[0].serial));
    assert_non_null(strstr(error.hint, "pkcs11:serial="));
    assert_null(card);
}

/* PINs. */

static void wrong_pin_costs_one_try_and_warns(void **state)
{
    auto_of(secret_free) struct secret *wrong = secret_of("99999999");
    auto_of(secret_free) struct secret *right = secret_of(PIN);
    auto_of(card_free) struct card *card = opened();
    struct error error = {0};

    (void)state;
    assert_int_equal(card_may_login(card, false, &error), 0);
    assert_code(card_login(card, wrong, &error), CODE_PIN_WRONG, &error,
                "PIN is wrong, the card warns that tries are running low");
    assert_non_null(strstr(error.text, world.infos[0].serial));
    assert_null(strstr(error.text, "99999999"));
    assert_true(card_info(card)->pin_count_low);
    assert_int_equal(card_may_login(card, true, &error), 0);
    assert_code(card_may_login(card, false, &error), CODE_PIN_LOCKED, &error,
                "the PIN from pin-source is not tried");
    assert_true(error.hint[0] != '\0');

    assert_done(card_login(card, right, &error), &error);
    assert_int_equal(card_may_login(card, false, &error), 0);
}

static void slips_cost_no_try(void **state)
{
    static const struct {
        const char *pin;
        const char *why;
    } slips[] = {
        {"", "empty"},
        {"123", "shorter"},
        {"1234\n5678", "control character"},
        {"1234567\x7f", "control character"},
    };
    char endless[300];
    auto_of(card_free) struct card *card = opened();
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        auto_of(secret_free) struct secret *pin = secret_of(slips[i].pin);

        assert_code(card_login(card, pin, &error), CODE_PIN_WRONG, &error, slips[i].why);
        assert_non_null(strstr(error.text, "no try was spent"));
    }
    memset(endless, '1', sizeof(endless));
    endless[256] = '\0';
    auto_of(secret_free) struct secret *pin = secret_of(endless);
    assert_code(card_login(card, pin, &error), CODE_PIN_WRONG, &error, "longer");
    /* SoftHSM raises the flag at the first real failure: it did not. */
    assert_int_equal(card_may_login(card, false, &error), 0);
}

static void login_is_once_and_needs_a_pin(void **state)
{
    auto_of(secret_free) struct secret *pin = secret_of(PIN);
    auto_of(card_free) struct card *card = opened();
    size_t unreadable = 0;
    struct error error = {0};

    (void)state;
    assert_code(card_login(card, NULL, &error), CODE_USAGE, &error, "PIN pad");
    assert_code(card_each_key(card, NULL, NULL, &unreadable, &error), CODE_FAULT, &error,
                "nobody is logged in");
    assert_done(card_login(card, pin, &error), &error);
    assert_code(card_login(card, pin, &error), CODE_FAULT, &error, "already");
    card_logout(card);
    card_logout(card);
    assert_code(card_each_key(card, NULL, NULL, &unreadable, &error), CODE_FAULT, &error,
                "nobody is logged in");
    assert_done(card_login(card, pin, &error), &error);
}

static void pins_of_the_factory_are_known(void **state)
{
    static const char *const pins[] = {"12345678", "123456", "1234567", "123456789", "87654321"};
    auto_of(card_free) struct card *card = opened();

    (void)state;
    for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
        auto_of(secret_free) struct secret *pin = secret_of(pins[i]);

        assert_int_equal(card_pin_is_factory(card, pin), i < 2);
    }
    /* Typed at the reader: nobody here knows it. */
    assert_false(card_pin_is_factory(card, NULL));
}

static void return_values_have_names(void **state)
{
    (void)state;
    assert_string_equal(ckr_name(0), "CKR_OK");
    assert_string_equal(ckr_name(0xa4), "CKR_PIN_LOCKED");
    assert_string_equal(ckr_name(0x191), "CKR_CRYPTOKI_ALREADY_INITIALIZED");
    assert_string_equal(ckr_name(0x1b8), "CKR_PIN_TOO_WEAK");
    assert_string_equal(ckr_name(0x80000001), "CKR 0x80000001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_refuses),
        cmocka_unit_test(format_refuses),
        cmocka_unit_test(formatted_card_is_ready),
        cmocka_unit_test(cards_are_listed),
        cmocka_unit_test(card_is_opened_by_serial_or_label),
        cmocka_unit_test(missing_card_says_what_is_there),
        cmocka_unit_test(ambiguity_lists_the_candidates),
        cmocka_unit_test(wrong_pin_costs_one_try_and_warns),
        cmocka_unit_test(slips_cost_no_try),
        cmocka_unit_test(login_is_once_and_needs_a_pin),
        cmocka_unit_test(pins_of_the_factory_are_known),
        cmocka_unit_test(return_values_have_names),
    };

    return cmocka_run_group_tests_name("card", tests, group_begin, world_end);
}
