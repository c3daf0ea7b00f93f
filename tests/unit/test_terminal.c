/*
 * test_terminal.c: asking at the terminal: a pseudo one, whose other end is typed at by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "p11vault/pin/typed.h"

#define PROMPT "PIN for card:"
#define PATIENCE_MS 10000

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
        typed_tell("to nobody");
        if (typed_ask(PROMPT, 16, deadline_in(PATIENCE_MS), &secret, &error) == 0)
            _exit(CHILD_WRONG);
        _exit((int)error.code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CODE_CONFIG);
}

/* One line, whatever is in it, and not a byte more than a line may have. */
static void telling_shows_one_line(void **state)
{
    static struct dialogue dialogue;
    char endless[1000];

    (void)state;
    memset(endless, 'x', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    memset(&dialogue, 0, sizeof(dialogue));
    dialogue.child = forkpty(&dialogue.master, NULL, NULL, NULL);
    assert_true(dialogue.child >= 0);
    if (dialogue.child == 0) {
        typed_tell("a\x1b[2J\nb\u202e");
        typed_tell(endless);
        _exit(CHILD_RIGHT);
    }
    assert_int_equal(WEXITSTATUS(end(&dialogue)), CHILD_RIGHT);
    assert_memory_equal(dialogue.screen, "a?[2J?b???\r\nxxx", 15);
    assert_int_equal(dialogue.shown, 12 + 255 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_is_not_echoed),
        cmocka_unit_test(typing_can_be_mended),
        cmocka_unit_test(typing_is_checked),
        cmocka_unit_test(a_long_token_can_be_pasted),
        cmocka_unit_test(deadline_ends_the_question),
        cmocka_unit_test(signals_restore_the_terminal),
        cmocka_unit_test(without_terminal_nothing_is_asked),
        cmocka_unit_test(telling_shows_one_line),
    };

    /* Whoever runs this in the background may have had them ignored. */
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
