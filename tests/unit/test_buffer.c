/*
 * test_buffer.c: growth up to the maximum and not beyond it.
 */
#include "p11vault/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(10);
    assert_string_equal(buffer_text(&buffer), "");
    auto_free char *text = buffer_take_text(&buffer);
    assert_string_equal(text, "");
}

static void test_put_up_to_the_maximum(void **state)
{
    (void)state;
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(10);
    assert_int_equal(buffer_put_text(&buffer, "01234", &error), 0);
    assert_int_equal(buffer_put_format(&buffer, &error, "%d-%s", 5, "678"), 0);
    assert_int_equal(buffer.size, 10);
    assert_string_equal(buffer_text(&buffer), "012345-678");
    assert_int_equal(buffer_put(&buffer, NULL, 0, &error), 0);
    assert_int_equal(buffer_put_text(&buffer, "9", &error), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_int_equal(buffer_put_format(&buffer, &error, "%s", "9"), -1);
    assert_int_equal(error.code, CODE_STOP);
    assert_string_equal(buffer_text(&buffer), "012345-678");
    assert_int_equal(buffer_put(&buffer, "x", SIZE_MAX, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void test_growth_keeps_every_byte(void **state)
{
    (void)state;
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(100000);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7 + i / 256);
        assert_int_equal(buffer_put(&buffer, &byte, 1, &error), 0);
        assert_int_equal(buffer.data[buffer.size], 0);
    }
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[i], (uint8_t)(i * 7 + i / 256));
    assert_true(buffer.capacity <= buffer.maximum);
}

static void test_a_maximum_of_zero_takes_nothing(void **state)
{
    (void)state;
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(0);
    assert_int_equal(buffer_put(&buffer, NULL, 0, &error), 0);
    assert_int_equal(buffer_put(&buffer, "x", 1, &error), -1);
    assert_int_equal(error.code, CODE_STOP);
}

static void test_take_empties_and_the_buffer_goes_on(void **state)
{
    (void)state;
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(4);
    assert_int_equal(buffer_put_text(&buffer, "abcd", &error), 0);
    auto_free char *text = buffer_take_text(&buffer);
    assert_string_equal(text, "abcd");
    assert_int_equal(buffer.size, 0);
    assert_int_equal(buffer_put_text(&buffer, "efgh", &error), 0);
    assert_string_equal(buffer_text(&buffer), "efgh");
    assert_string_equal(text, "abcd");
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer_put_text(&buffer, "ijkl", &error), 0);
    assert_string_equal(buffer_text(&buffer), "ijkl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(test_put_up_to_the_maximum),
        cmocka_unit_test(test_growth_keeps_every_byte),
        cmocka_unit_test(test_a_maximum_of_zero_takes_nothing),
        cmocka_unit_test(test_take_empties_and_the_buffer_goes_on),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
