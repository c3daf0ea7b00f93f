/*
 * test_typed.c: secrets from files, pipes and a terminal.  The terminal is a pseudo one whose other
 * end is typed at by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "p11vault/pin/typed.h"

#define PROMPT "PIN for card:"
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
        skip();
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
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, "nothing");
    write_file("\n", 1, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error, "nothing");
    write_file("123456789", 9, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error,
                "longer than 8 bytes");
    write_file("123456789\r\n", 11, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error,
                "longer than 8 bytes");
    write_file("12345678901234567890", 20, 0600);
    assert_code(typed_file(path, 8, &untouched, &error), CODE_CONFIG, &error,
                "longer than 8 bytes");
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
                CODE_USAGE, &error, "nothing");
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

/* The terminal. */

/* What the child found, as its exit status: the code of the error, or one of these. */
#define CHILD_RIGHT 100
#define CHILD_WRONG 101
#define CHILD_NOT_RESTORED 102

struct dialogue {
    int master;
    pid_t child;
    char screen[1 << 16]; /* all that was shown */
    size_t shown;
};

/* The child asks and compares with what is expected, which it knows before the fork. */
static void ask_in_child(const char *expected, size_t expected_size, size_t maximum,
                         int64_t milliseconds)
{
    struct secret *secret = NULL;
    struct error error = {0};
    struct termios before;
    struct termios after;
    int result = 0;

    if (!typed_terminal_present() || tcgetattr(0, &before) < 0)
        _exit(CHILD_WRONG);
    result = typed_ask(PROMPT "\x1b\n", maximum, deadline_in(milliseconds), &secret, &error);
    if (tcgetattr(0, &after) < 0 || after.c_lflag != before.c_lflag ||
        memcmp(after.c_cc, before.c_cc, sizeof(after.c_cc)) != 0)
        _exit(CHILD_NOT_RESTORED);
    if (result < 0)
        _exit((int)error.code);
    result = secret_equals(secret, expected, expected_size) ? CHILD_RIGHT : CHILD_WRONG;
    secret_free(secret);
    _exit(result);
}

/* Reads the screen until `text` stands there, or, with NULL, until the child has closed it. */
static void watch(struct dialogue *dialogue, const char *text)
{
    struct deadline deadline = deadline_in(PATIENCE_MS);

    while (text == NULL || memmem(dialogue->screen, dialogue->shown, text, strlen(text)) == NULL) {
        struct pollfd wait = {.fd = dialogue->master, .events = POLLIN};
        ssize_t got = 0;

        assert_true(dialogue->shown < sizeof(dialogue->screen));
        assert_true(poll(&wait, 1, deadline_left(deadline)) > 0);
        got = read(dialogue->master, dialogue->screen + dialogue->shown,
                   sizeof(dialogue->screen) - dialogue->shown);
        if (got <= 0) {
            assert_null(text);
            return;
        }
        dialogue->shown += (size_t)got;
    }
}

static void begin(struct dialogue *dialogue, const char *expected, size_t maximum,
                  int64_t milliseconds)
{
    memset(dialogue, 0, sizeof(*dialogue));
    dialogue->child = forkpty(&dialogue->master, NULL, NULL, NULL);
    assert_true(dialogue->child >= 0);
    if (dialogue->child == 0)
        ask_in_child(expected, strlen(expected), maximum, milliseconds);
    watch(dialogue, PROMPT "??");
}

static void type(struct dialogue *dialogue, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t put = write(dialogue->master, text, size);

        assert_true(put > 0);
        text += put;
        size -= (size_t)put;
    }
}

static int end(struct dialogue *dialogue)
{
    int status = 0;

    watch(dialogue, NULL);
    assert_int_equal(waitpid(dialogue->child, &status, 0), dialogue->child);
    close(dialogue->master);
    return status;
}

static void typing_gives(const char *typed, const char *expected)
{
    static struct dialogue dialogue;
    int status = 0;

    begin(&dialogue, expected, 16, PATIENCE_MS);
    type(&dialogue, typed);
    status = end(&dialogue);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != CHILD_RIGHT)
        fail_msg("typed '%s': status %d", typed, WEXITSTATUS(status));
    /* The prompt, the new line, and nothing else. */
    assert_int_equal(dialogue.shown, strlen(PROMPT "??\r\n"));
    assert_memory_equal(dialogue.screen, PROMPT "??\r\n", dialogue.shown);
}

static void typing_is_not_echoed(void **state)
{
    (void)state;
    typing_gives("12345678\n", "12345678");
    typing_gives("12345678\r", "12345678");
    typing_gives("1234567890123456\n", "1234567890123456");
    typing_gives("12\x04", "12");
}

static void typing_can_be_mended(void **state)
{
    (void)state;
    typing_gives("123x\x7f"
                 "4\n",
                 "1234");
    typing_gives("123x\b4\n", "1234");
    typing_gives("\x7f\x7f"
                 "12\n",
                 "12");
    typing_gives("p\xc3\xa4\x7fin\n", "pin");
    typing_gives("p\xe2\x82\xac\xc3\xa4\x7f\x7fin\n", "pin");
    typing_gives("wrong\x15right\n", "right");
}

static void typing_fails(const char *typed, enum code code)
{
    static struct dialogue dialogue;
    int status = 0;

    begin(&dialogue, "", 16, PATIENCE_MS);
    type(&dialogue, typed);
    status = end(&dialogue);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    assert_memory_equal(dialogue.screen, PROMPT "??\r\n", dialogue.shown);
}

static void typing_is_checked(void **state)
{
    (void)state;
    typing_fails("\n", CODE_USAGE);
    typing_fails("\x04", CODE_USAGE);
    typing_fails("12345678901234567\n", CODE_USAGE);
    typing_fails("12345678901234567\x7f\x7f\n", CODE_USAGE);
    typing_fails("12\x1b[D3\n", CODE_USAGE);
    typing_fails("12\t3\n", CODE_USAGE);
}

/* Longer than the 4095 bytes the kernel's own line editing takes, and as long as a token can be. */
static void a_long_token_can_be_pasted(void **state)
{
    static struct dialogue dialogue;
    static char token[TYPED_MAX + 1];
    int status = 0;

    (void)state;
    for (size_t i = 0; i < TYPED_MAX; i++)
        token[i] = (char)('a' + i % 26);
    begin(&dialogue, token, TYPED_MAX, PATIENCE_MS);
    type(&dialogue, token);
    type(&dialogue, "\n");
    status = end(&dialogue);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_RIGHT);
}

static void deadline_ends_the_question(void **state)
{
    static struct dialogue dialogue;
    int status = 0;

    (void)state;
    begin(&dialogue, "", 16, 50);
    type(&dialogue, "123");
    status = end(&dialogue);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CODE_RETRY);
}

/*
 * After the signal has ended the child, the pseudo terminal still shows how it was left: looked at
 * from here.
 */
static void signal_ends(int number, const char *typed)
{
    static struct dialogue dialogue;
    struct termios quiet;
    struct termios after;
    int status = 0;
    int other = -1;

    begin(&dialogue, "", 16, PATIENCE_MS);
    other = open(ptsname(dialogue.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(tcgetattr(other, &quiet), 0);
    assert_int_equal(quiet.c_lflag & (ECHO | ICANON), 0);
    if (typed != NULL)
        type(&dialogue, typed);
    else
        assert_int_equal(kill(dialogue.child, number), 0);
    assert_int_equal(waitpid(dialogue.child, &status, 0), dialogue.child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
    assert_int_equal(tcgetattr(other, &after), 0);
    assert_int_equal(after.c_lflag & (ECHO | ICANON), ECHO | ICANON);
    close(other);
    close(dialogue.master);
}

static void signals_restore_the_terminal(void **state)
{
    (void)state;
    signal_ends(SIGTERM, NULL);
    signal_ends(SIGHUP, NULL);
    signal_ends(SIGALRM, NULL);
    signal_ends(SIGINT, "12\x03");
    signal_ends(SIGQUIT, "12\x1c");
}

static void without_terminal_nothing_is_asked(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct secret *secret = NULL;
        struct error error = {0};

        setsid();
        if (typed_terminal_present())
            _exit(CHILD_WRONG);
        if (typed_ask(PROMPT, 16, deadline_in(PATIENCE_MS), &secret, &error) == 0)
            _exit(CHILD_WRONG);
        _exit((int)error.code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CODE_CONFIG);
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
        cmocka_unit_test(typing_is_not_echoed),
        cmocka_unit_test(typing_can_be_mended),
        cmocka_unit_test(typing_is_checked),
        cmocka_unit_test(a_long_token_can_be_pasted),
        cmocka_unit_test(deadline_ends_the_question),
        cmocka_unit_test(signals_restore_the_terminal),
        cmocka_unit_test(without_terminal_nothing_is_asked),
    };

    return cmocka_run_group_tests_name("typed", tests, group_begin, group_end);
}
