/*
 * test_pinentry.c: what a pinentry gets, and how its end is seen to.  What it may answer is tests/system/test_card_pin.py.
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
#include <sys/wait.h>
#include <unistd.h>

#include "p11vault/pin/pinentry.h"

#define PATIENCE_MS 20000
#define FOREIGN 900 /* a descriptor of somebody else's, open for whoever is started */

static char directory[] = "/tmp/test_pinentry.XXXXXX";
static char path[64];

static int group_begin(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/pinentry", directory);
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* What it gives as the PIN; `answer` is what it does when it is asked for one. */
static void ask(const char *answer, char ret_text[64])
{
    auto_of(secret_free) struct secret *pin = NULL;
    struct error error = {0};
    FILE *script = fopen(path, "w");
    assert_non_null(script);
    fprintf(script,
            "#!/bin/sh\n"
            "echo OK\n"
            "while read -r line; do\n"
            "    case $line in GETPIN) %s ;; esac\n"
            "    echo OK\n"
            "done\n",
            answer);
    assert_int_equal(fclose(script), 0);
    assert_int_equal(chmod(path, 0700), 0);
    if (pinentry_ask(path, "PIN: ", 60, deadline_in(PATIENCE_MS), &pin, &error) < 0)
        fail_msg("%s", error.text);
    memcpy(ret_text, secret_data(pin), secret_size(pin));
    ret_text[secret_size(pin)] = '\0';
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void nothing_else_is_open(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(dup2(STDERR_FILENO, FOREIGN), FOREIGN);
    ask("if [ -e /proc/self/fd/900 ]; then echo D open; else echo D closed; fi", text);
    close(FOREIGN);
    assert_string_equal(text, "closed");
}

/* It would be waited for without end, and the card's room with it. */
static void one_that_stays_is_killed(void **state)
{
    char text[64];
    (void)state;
    ask("trap '' TERM; echo D 1234; echo OK; exec tail -f /dev/null", text);
    assert_string_equal(text, "1234");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_is_open),
        cmocka_unit_test(one_that_stays_is_killed),
    };
    return cmocka_run_group_tests_name("pinentry", tests, group_begin, group_end);
}
