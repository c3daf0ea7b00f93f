/*
 * test_parameters.c: parameters of steps and dialogs on their way between the rooms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/parameters.h"

static void test_whole(void **state)
{
    (void)state;
    const struct oauth_parameters parameters = {.client_id = "1234567890",
                                                .api_version = "v26.0",
                                                .now = 7,
                                                .by_get = true,
                                                .redirect_uri = "http://localhost:8714/",
                                                .scopes = "a,b",
                                                .cursor = "QVFI",
                                                .subject = "10153848260347724",
                                                .page = "1353269864728879",
                                                .permission = "email",
                                                .machine_id = "m",
                                                .assets = "1,2",
                                                .kind = "user",
                                                .edge = "owned_pages",
                                                .sixty_days = true,
                                                .fetch_only = true};
    auto_json json_t *json = oauth_parameters_to_json(&parameters);
    struct oauth_parameters read;
    struct error error;
    assert_non_null(json);
    assert_int_equal(json_object_size(json), 15);
    assert_null(json_object_get(json, "now"));
    assert_int_equal(oauth_parameters_from_json(json, &read, &error), 0);
    assert_string_equal(read.client_id, parameters.client_id);
    assert_string_equal(read.api_version, parameters.api_version);
    assert_string_equal(read.redirect_uri, parameters.redirect_uri);
    assert_string_equal(read.scopes, parameters.scopes);
    assert_string_equal(read.cursor, parameters.cursor);
    assert_string_equal(read.subject, parameters.subject);
    assert_string_equal(read.page, parameters.page);
    assert_string_equal(read.permission, parameters.permission);
    assert_string_equal(read.machine_id, parameters.machine_id);
    assert_string_equal(read.assets, parameters.assets);
    assert_string_equal(read.kind, parameters.kind);
    assert_string_equal(read.edge, parameters.edge);
    assert_true(read.by_get && read.sixty_days && read.fetch_only);
    assert_int_equal(read.now, 0);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    const struct oauth_parameters parameters = {.client_id = "1"};
    auto_json json_t *json = oauth_parameters_to_json(&parameters);
    struct oauth_parameters read;
    struct error error;
    assert_int_equal(json_object_size(json), 1);
    assert_int_equal(oauth_parameters_from_json(json, &read, &error), 0);
    assert_null(read.api_version);
    assert_null(read.cursor);
    assert_false(read.by_get || read.sixty_days || read.fetch_only);
}

static void test_dialog(void **state)
{
    (void)state;
    const struct oauth_dialog dialog = {.client_id = "1",
                                        .api_version = "v26.0",
                                        .redirect_uri = "https://example.org/",
                                        .scopes = "email",
                                        .config_id = "5",
                                        .auth_type = "rerequest",
                                        .auth_nonce = "n",
                                        .code_challenge = "a challenge is the room's own"};
    auto_json json_t *json = oauth_dialog_to_json(&dialog);
    struct oauth_dialog read;
    struct error error;
    assert_int_equal(json_object_size(json), 7);
    assert_int_equal(oauth_dialog_from_json(json, &read, &error), 0);
    assert_string_equal(read.redirect_uri, dialog.redirect_uri);
    assert_string_equal(read.config_id, dialog.config_id);
    assert_string_equal(read.auth_nonce, dialog.auth_nonce);
    assert_null(read.code_challenge);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"client_id\":1}",
        "{\"client_id\":null}",
        "{\"by_get\":\"yes\"}",
        "{\"by_get\":1}",
        "{\"now\":7}",
        "{\"secret\":\"x\"}",
        "{\"scopes\":[\"a\",\"b\"]}",
        "{\"state\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        auto_json json_t *json = json_loads(texts[i], 0, NULL);
        struct oauth_parameters parameters = {.client_id = "untouched"};
        struct oauth_dialog dialog = {.client_id = "untouched"};
        struct error error = {0};
        assert_non_null(json);
        assert_int_equal(oauth_parameters_from_json(json, &parameters, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
        assert_string_equal(parameters.client_id, "untouched");
        assert_int_equal(oauth_dialog_from_json(json, &dialog, &error), -1);
        assert_string_equal(dialog.client_id, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_dialog),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}
