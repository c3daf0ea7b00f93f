/*
 * tile.c: the names of tiles: the number in groups of three digits, all but the last with an x before it.
 */
#include "p11vault/audit/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUP 1000

void tile_path(unsigned level, uint64_t number, unsigned width, char ret_path[TILE_PATH_MAX])
{
    char groups[TILE_PATH_MAX] = "";
    uint64_t rest = number;
    snprintf(groups, sizeof(groups), "%03u", (unsigned)(rest % GROUP));
    while ((rest /= GROUP) > 0) {
        char longer[TILE_PATH_MAX];
        snprintf(longer, sizeof(longer), "x%03u/%.60s", (unsigned)(rest % GROUP), groups);
        memcpy(groups, longer, sizeof(groups));
    }
    char place[16] = "entries";
    if (level != TILE_ENTRIES)
        snprintf(place, sizeof(place), "%u", level);
    if (width == TILE_WIDTH)
        snprintf(ret_path, TILE_PATH_MAX, "tile/%s/%.50s", place, groups);
    else
        snprintf(ret_path, TILE_PATH_MAX, "tile/%s/%.50s.p/%u", place, groups, width);
}

unsigned tile_width(unsigned level, uint64_t number, uint64_t size)
{
    uint64_t hashes = level == TILE_ENTRIES ? size : size >> (8 * level);
    uint64_t first = number * TILE_WIDTH;
    if (hashes <= first)
        return 0;
    return hashes - first >= TILE_WIDTH ? TILE_WIDTH : (unsigned)(hashes - first);
}
