/*
 * test_tile.c: the names of tiles, with the examples of c2sp.org/tlog-tiles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "p11vault/audit/tile.h"

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        unsigned level;
        uint64_t number;
        unsigned width;
        const char *path;
    } rows[] = {
        {0, 0, 256, "tile/0/000"},
        {1, 7, 1, "tile/1/007.p/1"},
        {7, 999, 255, "tile/7/999.p/255"},
        {0, 1000, 256, "tile/0/x001/000"},
        {TILE_ENTRIES, 1234067, 256, "tile/entries/x001/x234/067"},
        {TILE_ENTRIES, 1234067, 12, "tile/entries/x001/x234/067.p/12"},
        {0, UINT64_MAX, 255, "tile/0/x018/x446/x744/x073/x709/x551/615.p/255"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[TILE_PATH_MAX];
        tile_path(rows[i].level, rows[i].number, rows[i].width, path);
        assert_string_equal(path, rows[i].path);
    }
}

/* A tree of 70,000: 273 full tiles of level 0, one of 112; one full and one of 17; one of 1. */
static void test_widths(void **state)
{
    (void)state;
    assert_int_equal(tile_width(0, 272, 70000), 256);
    assert_int_equal(tile_width(0, 273, 70000), 112);
    assert_int_equal(tile_width(0, 274, 70000), 0);
    assert_int_equal(tile_width(1, 0, 70000), 256);
    assert_int_equal(tile_width(1, 1, 70000), 17);
    assert_int_equal(tile_width(2, 0, 70000), 1);
    assert_int_equal(tile_width(3, 0, 70000), 0);
    assert_int_equal(tile_width(TILE_ENTRIES, 273, 70000), 112);
    /* A tree of 256: a full tile of level 0 and one of width 1 above it. */
    assert_int_equal(tile_width(0, 0, 256), 256);
    assert_int_equal(tile_width(0, 1, 256), 0);
    assert_int_equal(tile_width(1, 0, 256), 1);
    assert_int_equal(tile_width(0, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_widths)};
    return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
