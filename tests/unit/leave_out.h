/*
 * leave_out.h: a test that cannot be run here, with the reason that `make check` lists beside its totals.
 */
#ifndef TESTS_UNIT_LEAVE_OUT_H
#define TESTS_UNIT_LEAVE_OUT_H

#define leave_out(why)                                                                             \
    do {                                                                                           \
        print_message("SKIP: %s\n", (why));                                                        \
        skip();                                                                                    \
    } while (0)

#endif
