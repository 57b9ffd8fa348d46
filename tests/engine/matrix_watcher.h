/* engine/matrix_watcher.h - a plugin that sees every head and every row, and changes nothing */
#ifndef ENGINE_MATRIX_WATCHER_H
#define ENGINE_MATRIX_WATCHER_H

#include "shoal/plugin.h"

/* The user of struct shoal_plugin_use: what was seen on this rank. */
struct matrix_watcher {
    int64_t n_seen, n_appended; /* rows of queries, rows of K and V */
    int64_t n_bad;              /* rows whose weights do not sum to 1 */
};

extern const struct shoal_plugin matrix_watcher_plugin;

#endif
