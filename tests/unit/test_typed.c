/*
 * test_typed.c: secrets from files and pipes, and what can be a token.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leave_out.h"
#include "p11vault/pin/typed.h"

#define PATIENCE_MS 10000

static char directory[] = "/tmp/test_typed.XXXXXX";
static char path[64];

static int group_begin(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/secret", directory);
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *bytes, size_t size, mode_t mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, size), size);
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
}

static void assert_code(int result, enum code code, const struct error *error, const char *part)
{
    assert_int_equal(result, -1);
    if (error->code != code || strstr(error->text, part) == NULL)
        fail_msg("code %d, text \"%s\": expected %d and \"%s\"", (int)error->code, error->text,
                 (int)code, part);
}

static void file_gives(const char *content, const char *secret_text)
{
    auto_of(secret_free) struct secret *secret = NULL;
    struct error error = {0};

    write_file(content, strlen(content), 0600);
    assert_int_equal(typed_file(path, 8, &secret, &error), 0);
    assert_true(secret_equals(secret, secret_text, strlen(secret_text)));
}

static void file_loses_one_line_ending(void **state)
{
    (void)state;
    file_gives("1234", "1234");
    file_gives("1234\n", "1234");
    file_gives("1234\r\n", "1234");
    file_gives("1234\n\n", "1234\n");
    file_gives("1234\r", "1234\r");
    file_gives(" 1234 ", " 1234 ");
    file_gives("12345678\r\n", "12345678");
}

static void file_mode_is_checked(void **state)
{
    static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0777};
    static const mode_t private_modes[] = {0600, 0400, 0700};
    struct secret *untouched = NULL;
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        write_file("1234", 4, open_modes[i]);
        assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, path);
        assert_non_null(strstr(error.hint, "chmod"));
        assert_null(untouched);
    }
    for (size_t i = 0; i < sizeof(private_modes) / sizeof(private_modes[0]); i++) {
        auto_of(secret_free) struct secret *secret = NULL;

        write_file("1234", 4, private_modes[i]);
        assert_int_equal(typed_file(path, 8, &secret, &error), 0);
        assert_int_equal(chmod(path, 0600), 0);
    }
}

static void file_of_a_stranger_is_refused(void **state)
{
    struct secret *untouched = NULL;
    struct error error = {0};

    (void)state;
    if (geteuid() != 0)
        leave_out("only root can do this");
    write_file("1234", 4, 0600);
    assert_int_equal(chown(path, 4711, 4711), 0);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, "4711");
    assert_int_equal(unlink(path), 0);
}

static void file_size_is_checked(void **state)
{
    struct secret *untouched = NULL;
    struct error error = {0};

    (void)state;
    write_file("", 0, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_USAGE, &error, "it is empty");
    write_file("\n", 1, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_USAGE, &error, "it is empty");
    write_file("123456789", 9, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_USAGE, &error, "longer than 8 bytes");
    write_file("123456789\r\n", 11, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_USAGE, &error, "longer than 8 bytes");
    write_file("12345678901234567890", 20, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_USAGE, &error, "longer than 8 bytes");
    assert_null(strstr(error.text, "1234567890"));
    assert_code(typed_file(path, TYPED_MAX + 1, &untouched, &error), CODE_FAULT, &error, "bytes");
    assert_code(typed_file(path, 0, &untouched, &error), CODE_FAULT, &error, "bytes");
    assert_null(untouched);
}

static void only_files_are_files(void **state)
{
    struct secret *untouched = NULL;
    struct error error = {0};

    (void)state;
    unlink(path);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, "open");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, "regular");
    assert_int_equal(unlink(path), 0);
    assert_code(typed_file(directory, 8, &untouched, &error), CODE_CONFIG, &error, "regular");
}

static void pipe_is_read_to_its_end(void **state)
{
    auto_of(secret_free) struct secret *secret = NULL;
    struct error error = {0};
    char token[4000];
    int ends[2];

    (void)state;
    memset(token, 'T', sizeof(token));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], token, sizeof(token)), sizeof(token));
    assert_int_equal(write(ends[1], "\n", 1), 1);
    close(ends[1]);
    assert_int_equal(
        typed_descriptor(ends[0], TYPED_MAX, deadline_in(PATIENCE_MS), &secret, &error), 0);
    assert_true(secret_equals(secret, token, sizeof(token)));
    close(ends[0]);
}

static void pipe_has_limits(void **state)
{
    struct secret *untouched = NULL;
    struct error error = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_code(typed_descriptor(ends[0], 4, deadline_in(1), &untouched, &error), CODE_RETRY,
                &error, "in time");
    /* The writer stays: an over-long secret is refused without waiting for the end. */
    assert_int_equal(write(ends[1], "1234567890", 10), 10);
    assert_code(typed_descriptor(ends[0], 4, deadline_in(PATIENCE_MS), &untouched, &error),
                CODE_USAGE, &error, "longer than 4");
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    assert_code(typed_descriptor(ends[0], 4, deadline_in(PATIENCE_MS), &untouched, &error),
                CODE_USAGE, &error, "it is empty");
    close(ends[0]);
    assert_code(typed_descriptor(-1, 4, deadline_in(1), &untouched, &error), CODE_RETRY, &error,
                "in time");
    assert_null(untouched);
}

static void token_check(const char *bytes, size_t size, const char *reason)
{
    auto_of(secret_free) struct secret *secret = NULL;
    struct error error = {0};
    int result = 0;

    assert_int_equal(secret_new(64, &secret, &error), 0);
    assert_int_equal(secret_append(secret, bytes, size, &error), 0);
    result = typed_check_token(secret, "access token", &error);
    if (reason == NULL)
        assert_int_equal(result, 0);
    else
        assert_code(result, CODE_USAGE, &error, reason);
}

static void token_is_printable_ascii(void **state)
{
    (void)state;
    token_check("EAAB!~wz|09", 11, NULL);
    token_check("", 0, "access token is empty");
    token_check("EA AB", 5, "access token: byte 3 of 5 is white space");
    token_check("EAAB\n", 5, "byte 5 of 5 is white space");
    token_check("\tEAAB", 5, "byte 1 of 5 is white space");
    token_check("EA\0AB", 5, "byte 3 of 5 is a control character");
    token_check("EA\x1b[D", 5, "byte 3 of 5 is a control character");
    token_check("EA\x7f", 3, "byte 3 of 3 is a control character");
    token_check("EA\xc3\xa4", 4, "byte 3 of 4 is not ASCII");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_loses_one_line_ending),
        cmocka_unit_test(file_mode_is_checked),
        cmocka_unit_test(file_of_a_stranger_is_refused),
        cmocka_unit_test(file_size_is_checked),
        cmocka_unit_test(only_files_are_files),
        cmocka_unit_test(pipe_is_read_to_its_end),
        cmocka_unit_test(pipe_has_limits),
        cmocka_unit_test(token_is_printable_ascii),
    };

    return cmocka_run_group_tests_name("typed", tests, group_begin, group_end);
}
