/*
 * test_interrupt.c: signals that are held: noted, told to whoever waits, let through at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p11vault/base/interrupt.h"

#define RIGHT 0

/* Each test is a process of its own, which may end by a signal: its status, as of wait(2). */
static int in_child(void (*work)(void))
{
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work();
        _exit(RIGHT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void hold(void)
{
    struct error error;
    demand(interrupt_hold(&error) == 0);
}

static void holds(int number)
{
    hold();
    demand(!interrupt_came() && interrupt_wait(-1, 0) == 0);
    raise(number);
    demand(interrupt_came() && interrupt_wait(-1, 60000) == -1);
    interrupt_release();
}

static void holds_interrupt(void)
{
    holds(SIGINT);
}

static void holds_terminate(void)
{
    holds(SIGTERM);
}

static void holds_hang_up(void)
{
    holds(SIGHUP);
}

static void test_held_until_the_release(void **state)
{
    (void)state;
    int status = in_child(holds_interrupt);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    status = in_child(holds_terminate);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    status = in_child(holds_hang_up);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGHUP);
}

static void comes_twice(void)
{
    hold();
    raise(SIGINT);
    raise(SIGINT);
}

static void test_the_second_one_ends_at_once(void **state)
{
    (void)state;
    int status = in_child(comes_twice);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static void comes_to_nobody(void)
{
    signal(SIGHUP, SIG_IGN);
    hold();
    raise(SIGHUP);
    demand(!interrupt_came());
    interrupt_release();
    raise(SIGHUP);
}

static void test_ignored_ones_stay_so(void **state)
{
    (void)state;
    assert_int_equal(in_child(comes_to_nobody), RIGHT);
}

static void comes_while_it_waits(void)
{
    pid_t waiting = getpid();
    hold();
    if (fork() == 0) {
        kill(waiting, SIGTERM);
        _exit(RIGHT);
    }
    demand(interrupt_wait(-1, 60000) == -1);
    _exit(RIGHT);
}

static void test_it_wakes_who_waits(void **state)
{
    (void)state;
    assert_int_equal(in_child(comes_while_it_waits), RIGHT);
}

/* Held or not, it is poll(2) for one descriptor. */
static void waits(void)
{
    int ends[2];
    demand(pipe2(ends, O_CLOEXEC) == 0);
    demand(interrupt_wait(ends[0], 0) == 0 && interrupt_wait(ends[0], 1) == 0);
    demand(write(ends[1], "x", 1) == 1 && interrupt_wait(ends[0], 60000) == 1);
}

static void waits_and_holds(void)
{
    hold();
    hold();
    waits();
    interrupt_release();
    interrupt_release();
    waits();
}

static void test_waiting(void **state)
{
    (void)state;
    assert_int_equal(in_child(waits), RIGHT);
    assert_int_equal(in_child(waits_and_holds), RIGHT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_until_the_release),
        cmocka_unit_test(test_the_second_one_ends_at_once),
        cmocka_unit_test(test_ignored_ones_stay_so),
        cmocka_unit_test(test_it_wakes_who_waits),
        cmocka_unit_test(test_waiting),
    };
    return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
