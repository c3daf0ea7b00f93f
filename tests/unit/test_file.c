/*
 * test_file.c: files read whole with a bound and the rules of trust, and replaced in one step.
 */
#include "leave_out.h"
#include "p11vault/base/buffer.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/p11vault-test-file.XXXXXX";
static char path[PATH_MAX];

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void make_file(const char *text, mode_t mode)
{
    struct error error;
    assert_int_equal(buffer_write_file(path, text, strlen(text), mode, &error), 0);
}

static void test_read_what_was_written(void **state)
{
    (void)state;
    struct error error;
    make_file("content", 0640);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    auto_buffer struct buffer buffer = BUFFER_UP_TO(0);
    assert_int_equal(buffer_read_file(path, 7, FILE_PLAIN, &buffer, &error), 0);
    assert_string_equal(buffer_text(&buffer), "content");
    /* A second reading replaces the first. */
    make_file("more", 0600);
    assert_int_equal(buffer_read_file(path, 100, FILE_PRIVATE, &buffer, &error), 0);
    assert_string_equal(buffer_text(&buffer), "more");
}

static void test_empty_and_large_files(void **state)
{
    (void)state;
    struct error error;
    make_file("", 0600);
    auto_buffer struct buffer buffer = BUFFER_UP_TO(0);
    assert_int_equal(buffer_read_file(path, 0, FILE_PLAIN, &buffer, &error), 0);
    assert_int_equal(buffer.size, 0);
    static char large[100001];
    memset(large, 'x', sizeof(large) - 1);
    make_file(large, 0600);
    assert_int_equal(buffer_read_file(path, 100000, FILE_PLAIN, &buffer, &error), 0);
    assert_int_equal(buffer.size, 100000);
}

static void assert_unreadable(const char *name, size_t maximum, enum file_rule rule)
{
    struct error error;
    auto_buffer struct buffer buffer = BUFFER_UP_TO(10);
    assert_int_equal(buffer_put_text(&buffer, "kept", &error), 0);
    assert_int_equal(buffer_read_file(name, maximum, rule, &buffer, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_non_null(strstr(error.text, name));
    assert_string_equal(buffer_text(&buffer), "kept");
}

static void test_refused_files(void **state)
{
    (void)state;
    assert_unreadable(path, 10, FILE_PLAIN);      /* missing */
    assert_unreadable(directory, 10, FILE_PLAIN); /* no regular file */
    assert_unreadable("/dev/null", 10, FILE_PLAIN);
    make_file("12345678", 0600);
    assert_unreadable(path, 7, FILE_PLAIN); /* too long */
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_unreadable(path, 10, FILE_PLAIN); /* and it does not wait */
}

static void test_rules_of_trust(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        enum file_rule rule;
        int result;
    } cases[] = {
        {0666, FILE_PLAIN, 0},    {0644, FILE_TRUSTED, 0},  {0600, FILE_TRUSTED, 0},
        {0664, FILE_TRUSTED, -1}, {0646, FILE_TRUSTED, -1}, {0600, FILE_PRIVATE, 0},
        {0400, FILE_PRIVATE, 0},  {0640, FILE_PRIVATE, -1}, {0604, FILE_PRIVATE, -1},
        {0601, FILE_PRIVATE, -1}, {0620, FILE_PRIVATE, -1}, {0444, FILE_PRIVATE, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error = {0};
        make_file("x", cases[i].mode);
        auto_buffer struct buffer buffer = BUFFER_UP_TO(0);
        int result = buffer_read_file(path, 10, cases[i].rule, &buffer, &error);
        if (result != cases[i].result)
            fail_msg("mode %04o, rule %d: %d", cases[i].mode, cases[i].rule, result);
        if (result < 0) {
            assert_int_equal(error.code, CODE_CONFIG);
            assert_non_null(strstr(error.hint, "chmod"));
        }
    }
}

static void test_a_credential_of_systemd(void **state)
{
    (void)state;
    if (geteuid() != 0)
        leave_out("only root has files of root");
    auto_buffer struct buffer buffer = BUFFER_UP_TO(10);
    struct error error;
    make_file("x", 0440);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(buffer_read_file(path, 10, FILE_PRIVATE, &buffer, &error), 0);
    assert_int_equal(chown(path, 0, 65534), 0);
    assert_unreadable(path, 10, FILE_PRIVATE);
}

static void test_a_file_of_somebody_else(void **state)
{
    (void)state;
    if (geteuid() != 0)
        leave_out("only root can give a file away");
    struct error error;
    make_file("x", 0600);
    assert_int_equal(chown(path, 65534, -1), 0);
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_int_equal(file_check(descriptor, FILE_PRIVATE, "the PIN file", &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_non_null(strstr(error.text, "the PIN file"));
    assert_int_equal(file_check(descriptor, FILE_TRUSTED, "it", &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_int_equal(file_check(descriptor, FILE_PLAIN, "it", &error), 0);
}

static size_t entries_of_directory(void)
{
    DIR *stream = opendir(directory);
    assert_non_null(stream);
    size_t count = 0;
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream))
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static void test_a_failed_write_leaves_nothing_behind(void **state)
{
    (void)state;
    struct error error;
    /* A directory in the file's place cannot be replaced. */
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(buffer_write_file(path, "x", 1, 0600, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_int_equal(entries_of_directory(), 1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(buffer_write_file("/nonexistent/file", "x", 1, 0600, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    char long_path[PATH_MAX + 10];
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(buffer_write_file(long_path, "x", 1, 0600, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
}

static void test_a_reader_keeps_the_old_content(void **state)
{
    (void)state;
    make_file("old", 0600);
    auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    make_file("new content", 0600);
    char text[16] = "";
    assert_int_equal(read(descriptor, text, sizeof(text) - 1), 3);
    assert_string_equal(text, "old");
    assert_int_equal(entries_of_directory(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_read_what_was_written, remove_file),
        cmocka_unit_test_teardown(test_empty_and_large_files, remove_file),
        cmocka_unit_test_teardown(test_refused_files, remove_file),
        cmocka_unit_test_teardown(test_rules_of_trust, remove_file),
        cmocka_unit_test_teardown(test_a_credential_of_systemd, remove_file),
        cmocka_unit_test_teardown(test_a_file_of_somebody_else, remove_file),
        cmocka_unit_test_teardown(test_a_failed_write_leaves_nothing_behind, remove_file),
        cmocka_unit_test_teardown(test_a_reader_keeps_the_old_content, remove_file),
    };
    return cmocka_run_group_tests_name("file", tests, make_directory, remove_directory);
}
