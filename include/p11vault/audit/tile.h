/*
 * tile.h: where a log's hashes and entries lie in a directory of tiles (c2sp.org/tlog-tiles).
 *
 * Tile N of level L holds the nodes (8 L, 256 N) … of the tree (merkle.h), bundle N the entries 256 N …; the last one of each
 * is partial: it holds fewer, and its width is part of its name.
 */
#ifndef P11VAULT_AUDIT_TILE_H
#define P11VAULT_AUDIT_TILE_H

#include <stddef.h>
#include <stdint.h>

#define TILE_WIDTH 256
#define TILE_LEVELS 8 /* of 8 levels of the tree each: all there can be */
#define TILE_PATH_MAX 80
#define TILE_ENTRIES TILE_LEVELS /* in place of a level: the bundles of entries */

/* "tile/0/x001/234", "tile/entries/007.p/12".  `width` is 1 to TILE_WIDTH. */
void tile_path(unsigned level, uint64_t number, unsigned width, char ret_path[TILE_PATH_MAX]);

/* How many hashes tile `number` of a level has in a tree of `size` entries: 0 when there is no such tile. */
unsigned tile_width(unsigned level, uint64_t number, uint64_t size);

#endif
