/*
 * test_signed_request.c: who signed it, what it says, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/oauth/signed_request.h"

#define APP_SECRET "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define PAYLOAD                                                                                    \
    "eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc2NzIyNTYwMCwidXNlcl9pZCI6IjEwMTUzODQ4" \
    "MjYwMzQ3NzI0In0"
#define GOOD "bJqN3BTGqPQImGfLk8MEf9VGaKkI09yOT7w4Q8VKPh8." PAYLOAD

static int check(const char *text, struct signed_request *ret_request, struct error *error)
{
    auto_of(secret_free) struct secret *app_secret = NULL;
    auto_of(secret_free) struct secret *request = NULL;

    assert_int_equal(secret_new(64, &app_secret, error), 0);
    assert_int_equal(secret_append_text(app_secret, APP_SECRET, error), 0);
    assert_int_equal(secret_new(strlen(text) + 1, &request, error), 0);
    assert_int_equal(secret_append_text(request, text, error), 0);
    return signed_request_check(app_secret, request, ret_request, error);
}

static void takes_what_this_app_signed(void **state)
{
    struct signed_request request;
    struct error error = {0};

    (void)state;
    assert_int_equal(check(GOOD, &request, &error), 0);
    assert_string_equal(request.user_id, "10153848260347724");
    assert_int_equal(request.issued_at, 1767225600);
    assert_int_equal(request.expires, FACT_UNKNOWN);
    /* The algorithm in small letters, numbers the other way round. */
    assert_int_equal(
        check("uu7QO66zKcNnbiRNf9lWGTWSaEoRySynxJeTnbtnh2c.eyJhbGdvcml0aG0iOiJobWFjLXNoYTI1NiIsIml"
              "zc3VlZF9hdCI6IjE3NjcyMjU2MDAiLCJ1c2VyX2lkIjoxMDE1Mzg0ODI2MDM0NzcyNCwiZXhwaXJlcyI6MH"
              "0",
              &request, &error),
        0);
    assert_string_equal(request.user_id, "10153848260347724");
    assert_int_equal(request.issued_at, 1767225600);
    assert_int_equal(request.expires, 0);
}

static void refuses_the_rest(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "two parts"},
        {".", "two parts"},
        {"a.", "two parts"},
        {"." PAYLOAD, "two parts"},
        {PAYLOAD, "two parts"},
        {"bJqN." PAYLOAD, "not signed with this app's secret"},
        {"not base64." PAYLOAD, "not base64url"},
        {"bJqN3BTGqPQImGfLk8MEf9VGaKkI09yOT7w4Q8VKPh8=." PAYLOAD, "not base64url"},
        {GOOD "A", "not signed with this app's secret"},
        {GOOD ".x", "not signed with this app's secret"},
        /* by another secret */
        {"8HaoYjvPXc9MBzSqso927KnlkXFk0FaWWvaHIqWaWZo." PAYLOAD, "not signed with this app's"},
        /* signed, and not what it must be: HMAC-SHA1, no time, a name as user, a list, a real */
        {"XsYwMTXfS-e9P3b2vIrKOGyBeBF16U573RJInf5aJls."
         "eyJhbGdvcml0aG0iOiJITUFDLVNIQTEiLCJpc3N1ZWRfYX"
         "QiOjEsInVzZXJfaWQiOiIxIn0",
         "not HMAC-SHA256"},
        {"uvamG-x-m4x_Pdl1Zvwj9Hnns4qt1YvDFug4-g32Hus.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsInVzZXJfa"
         "WQiOiIxIn0",
         "does not say when"},
        {"xasM1HBNjhuCgXb4KK-HlS-9UxPCUMWCHuY-0At1jgg.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZ"
         "F9hdCI6MSwidXNlcl9pZCI6IngifQ",
         "user_id"},
        {"CKcwCNU9_dMeb-6vyaSeSXivRMB4Q5dYXtsFfPCJZ24.WzFd", "no JSON object"},
        {"B3I2U3-dCZT2L2ua0GvayU4LbI2vpDVysX7-bMvKpI4.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZ"
         "F9hdCI6MS41fQ",
         "does not say when"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct signed_request request = {.issued_at = 7};
        struct error error = {0};

        assert_int_equal(check(cases[i].text, &request, &error), -1);
        assert_int_equal(error.code, CODE_STOP);
        if (strstr(error.text, cases[i].part) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].part);
        assert_int_equal(request.issued_at, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_this_app_signed),
        cmocka_unit_test(refuses_the_rest),
    };

    return cmocka_run_group_tests_name("signed_request", tests, NULL, NULL);
}
